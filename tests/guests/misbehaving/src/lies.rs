//! Answers that break the contract, one for each rule of it.

use weir_guest::Decoded;
use weir_guest::rows::{Array, Field, MessageError, Origin, RowGroup};

/// The schemas of lies; 0 is that of honest rows.
const TEXT: u32 = 1;
const UNKNOWN_FORMAT: u32 = 2;
const MISSING_CHILD: u32 = 3;
const DEEP: u32 = 4;

/// An answer to one message that is not valid, in place of the honest one.
pub(crate) fn tell(about: &str, mut honest: Decoded) -> Decoded {
    let error = |row| MessageError {
        row,
        reason: "made up".into(),
    };
    let Some(group) = honest.groups.first_mut() else {
        return honest;
    };
    match about {
        "origin beyond" => group.origin = Origin::Messages(vec![u32::MAX]),
        "origins missing" => group.origin = Origin::Messages(Vec::new()),
        "too many rows" => group.len = u32::MAX,
        "rows without values" => group.arrays[0].len = 0,
        "short buffer" => group.arrays[1].buffers[1].truncate(3),
        "no buffers" => group.arrays[0].buffers.clear(),
        "huge length" => group.arrays[0].len = u32::MAX,
        "nulls" => group.arrays[0].null_count = 0,
        "array missing" => group.arrays.truncate(1),
        "array extra" => group.arrays.push(group.arrays[1].clone()),
        "error beyond" => honest.errors.push(error(u32::MAX)),
        "error twice" => honest.errors = vec![error(0), error(0)],
        "both" => honest.errors = vec![error(0)],
        "invalid text" => *group = text(vec![0xff, 0xfe], &[0, 2]),
        "offsets beyond" => *group = text(b"hello".to_vec(), &[0, 1000]),
        "offsets back" => *group = text(b"hello".to_vec(), &[3, 1]),
        "format" => group.schema = UNKNOWN_FORMAT,
        "child" => group.schema = MISSING_CHILD,
        "deep" => group.schema = DEEP,
        _ => honest.groups.clear(),
    }
    honest
}

/// The schema behind a number of a lie.
pub(crate) fn schema(number: u32) -> Option<Vec<Field>> {
    let field = |format: &str, children| Field {
        name: "lie".into(),
        format: format.into(),
        nullable: false,
        metadata: Vec::new(),
        children,
    };
    Some(match number {
        TEXT => vec![field("u", 0)],
        UNKNOWN_FORMAT => vec![field("q", 0)],
        MISSING_CHILD => vec![field("+l", 1)],
        DEEP => (0..200).map(|_| field("+s", 1)).collect(),
        _ => return None,
    })
}

/// One row of one text column.
fn text(bytes: Vec<u8>, offsets: &[i32]) -> RowGroup {
    let offsets = offsets.iter().flat_map(|offset| offset.to_le_bytes());
    RowGroup {
        schema: TEXT,
        len: 1,
        origin: Origin::Identity,
        arrays: vec![Array {
            len: 1,
            null_count: 0,
            buffers: vec![Vec::new(), offsets.collect(), bytes],
        }],
    }
}

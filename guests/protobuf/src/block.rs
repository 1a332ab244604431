//! Reads a block of messages field by field: one field of all messages, then the next one.
//!
//! Writers put fields in the order of their numbers, each once. So the next field of a message
//! is usually the next of its type, and the loop over the messages for one field has no dispatch
//! in it, while its column stays in registers. What does not come in that order is left to
//! [`Run::rest`], which goes on where this stopped: slots take values in any order. Only the
//! items of lists have to come message by message, so a block with lists is right as a whole, or
//! read again.

use crate::{
    plan::{Entry, NONE, Op},
    run::{Run, low, zigzag32, zigzag64},
    slots::Span,
    wire::{self, Fault},
};

/// Where the rest of one message lies.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub(crate) at: usize,
    pub(crate) end: usize,
}

/// The block has to be read message by message.
#[derive(Debug)]
pub(crate) struct NotRight;

/// Reads the messages at `places` into the rows from `first` on, whose slots are there.
pub(crate) fn read(run: &mut Run<'_>, places: &mut [Place], first: usize) -> Result<(), NotRight> {
    let plan = run.plan;
    run.allow(places.iter().map(|place| place.end - place.at).sum());
    for entry in &plan.tables[0].entries {
        if !plain(run, entry, places, first)? {
            others(run, entry, places, first)?;
        }
    }
    let has_lists = !plan.scopes[0].lists.is_empty();
    for (slot, place) in (first..).zip(places) {
        if place.at < place.end {
            if has_lists {
                return Err(NotRight);
            }
            run.rest(slot, place.at, place.end).map_err(|_| NotRight)?;
        }
    }
    Ok(())
}

/// Reads a field that is one number or one text. False, with nothing done, for another.
fn plain(
    run: &mut Run<'_>,
    entry: &Entry,
    places: &mut [Place],
    first: usize,
) -> Result<bool, NotRight> {
    if entry.list != NONE || entry.oneof != NONE || entry.tag >= 1 << 14 {
        return Ok(false);
    }
    let bytes = run.bytes;
    let index = entry.column as usize;
    let count = places.len();
    let column = &mut run.columns[index];
    let mut none = [];
    let valid = match entry.nullable {
        true => &mut column.valid[first..first + count],
        false => &mut none[..],
    };
    let rows = Rows {
        bytes,
        tag: entry.tag,
        valid,
    };
    macro_rules! numbers {
        ($width:literal, |$at:ident, $end:ident| $read:expr) => {{
            let (slots, _) = column.data[first * $width..].as_chunks_mut::<$width>();
            each(rows, places, |row, $at, $end| {
                let (value, after) = $read;
                slots[row] = value.to_le_bytes();
                Ok(after)
            })
        }};
    }
    let varint = |at, end| wire::varint(bytes, at, end);
    let read = match entry.op {
        Op::Varint64 => numbers!(8, |at, end| varint(at, end)?),
        Op::Varint32 => numbers!(4, |at, end| {
            let (value, after) = varint(at, end)?;
            (low(value), after)
        }),
        Op::Zigzag64 => numbers!(8, |at, end| {
            let (value, after) = varint(at, end)?;
            (zigzag64(value), after)
        }),
        Op::Zigzag32 => numbers!(4, |at, end| {
            let (value, after) = varint(at, end)?;
            (zigzag32(value), after)
        }),
        Op::Bool => numbers!(1, |at, end| {
            let (value, after) = varint(at, end)?;
            (u8::from(value != 0), after)
        }),
        Op::Fixed32 => numbers!(4, |at, end| {
            let (value, after) = wire::fixed::<4>(bytes, at, end)?;
            (u32::from_le_bytes(value), after)
        }),
        Op::Fixed64 => numbers!(8, |at, end| {
            let (value, after) = wire::fixed::<8>(bytes, at, end)?;
            (u64::from_le_bytes(value), after)
        }),
        Op::Bytes => {
            let staged = run.slots.column(index);
            let spans = &mut staged.spans[first - staged.base..];
            each(rows, places, |row, at, end| {
                let (start, after) = wire::delimited(bytes, at, end)?;
                spans[row] = Span::new(start, after);
                Ok(after)
            })
        }
        Op::Enum(values) if !run.plan.enums[values as usize].closed => {
            let staged = run.slots.column(index);
            let spans = &mut staged.spans[first - staged.base..];
            each(rows, places, |row, at, end| {
                let (value, after) = varint(at, end)?;
                spans[row] = Span::number(low(value));
                Ok(after)
            })
        }
        _ => return Ok(false),
    };
    read.map(|()| true).map_err(|_| NotRight)
}

/// What the loop over one field needs.
struct Rows<'a> {
    bytes: &'a [u8],
    /// One or two bytes as a varint.
    tag: u32,
    /// Which values are there; empty where all are.
    valid: &'a mut [u8],
}

/// Calls `read` for each message whose next field has the tag. A function of its own for each
/// kind of value, with `read` in one place: small loops are what stays in registers.
#[inline(never)]
fn each(
    rows: Rows<'_>,
    places: &mut [Place],
    mut read: impl FnMut(usize, usize, usize) -> Result<usize, Fault>,
) -> Result<(), Fault> {
    let Rows { bytes, tag, valid } = rows;
    let [low, high, ..] = tag.to_le_bytes();
    let is_long = tag >= 0x80;
    // A tag of two bytes has its lowest seven bits in the first.
    let (first, second) = match is_long {
        true => (low | 0x80, (high << 1) | (low >> 7)),
        false => (low, 0),
    };
    let len = 1 + usize::from(is_long);
    for (row, place) in places.iter_mut().enumerate() {
        let Place { at, end } = *place;
        if end - at < len || bytes[at] != first || (is_long && bytes[at + 1] != second) {
            continue;
        }
        if let Some(valid) = valid.get_mut(row) {
            *valid = 1;
        }
        place.at = read(row, at + len, end)?;
    }
    Ok(())
}

/// Reads a field of any kind, as long as it is the next one, message by message.
#[inline(never)]
fn others(
    run: &mut Run<'_>,
    entry: &Entry,
    places: &mut [Place],
    first: usize,
) -> Result<(), NotRight> {
    let root = if entry.list == NONE {
        entry.column
    } else {
        entry.list
    };
    let below = root..run.plan.layout.shapes[root as usize].end;
    let lists = run.plan.scopes[0].lists.iter();
    let lists: Vec<u32> = lists.copied().filter(|list| below.contains(list)).collect();
    for (slot, place) in (first..).zip(places) {
        for list in &lists {
            let pushed = run.columns[*list as usize].push_list(0);
            pushed.map_err(|_| NotRight)?;
        }
        // A message that has two members of a oneof is left to the end: taking the first one back
        // concerns lists.
        if entry.oneof != NONE && run.has_other(entry, slot) {
            continue;
        }
        let read = run.while_next(entry, slot, place.at, place.end);
        place.at = read.map_err(|_| NotRight)?;
    }
    Ok(())
}

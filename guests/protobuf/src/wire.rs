//! Protobuf's wire format: varints, tags, and how to get past a value.

use thiserror::Error;
use weir_guest::columns::ColumnFull;

/// How deeply messages and groups may be nested, as in the other implementations.
pub const MAX_NESTING: u32 = 100;

pub(crate) const VARINT: u32 = 0;
pub(crate) const FIXED64: u32 = 1;
pub(crate) const BYTES: u32 = 2;
pub(crate) const START_GROUP: u32 = 3;
pub(crate) const END_GROUP: u32 = 4;
pub(crate) const FIXED32: u32 = 5;

/// What is wrong with the bytes of one message. The display texts reach the person who reads
/// the dead letter.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A value needs more bytes than are left.
    #[error("the message ends in the middle of a value")]
    Truncated,
    /// A variable-length integer of more than 64 bits.
    #[error("a variable-length integer has more than 64 bits")]
    OverlongVarint,
    /// A length that the rest of the message cannot hold.
    #[error("a length reaches beyond the end of the message")]
    LengthBeyondInput,
    /// A tag that names no field.
    #[error("field number {0} is not between 1 and 536870911")]
    FieldNumber(u64),
    /// A wire type that does not exist.
    #[error("wire type {0} does not exist")]
    WireType(u32),
    /// The end of a group that was not begun.
    #[error("the end of group {0}, which was not begun")]
    EndGroup(u32),
    /// A group without its end.
    #[error("group {0} has no end")]
    OpenGroup(u32),
    /// Messages within messages.
    #[error("messages are nested more than {MAX_NESTING} deep")]
    TooDeep,
    /// A string that is not UTF-8.
    #[error("a string is not valid UTF-8")]
    Utf8,
    /// An instant or a span of time that its column cannot hold.
    #[error("{0}")]
    Time(String),
    /// A message that is shown as JSON, and cannot be.
    #[error("as JSON: {0}")]
    Json(String),
    /// Empty items whose columns would take far more room than the message has bytes.
    #[error("its repeated messages would take more than 16777216 values")]
    TooManyValues,
    /// A column of the batch would exceed what Arrow can hold.
    #[error(transparent)]
    ColumnFull(#[from] ColumnFull),
}

/// Reads a variable-length integer at `at`, before `end`. Returns it with where it ends.
#[inline(always)]
pub(crate) fn varint(bytes: &[u8], at: usize, end: usize) -> Result<(u64, usize), Fault> {
    if at < end {
        let byte = bytes[at];
        if byte < 0x80 {
            return Ok((u64::from(byte), at + 1));
        }
    }
    long_varint(bytes, at, end)
}

/// Up to eight bytes at once where the batch has as many, byte by byte otherwise.
#[inline(always)]
fn long_varint(bytes: &[u8], at: usize, end: usize) -> Result<(u64, usize), Fault> {
    if let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*chunk);
        let stops = !word & 0x8080_8080_8080_8080;
        if stops != 0 {
            let after = at + (stops.trailing_zeros() as usize + 1) / 8;
            if after > end {
                return Err(Fault::Truncated);
            }
            return Ok((join_groups(word & (stops ^ (stops - 1))), after));
        }
    }
    varint_by_bytes(bytes, at, end)
}

#[cold]
#[inline(never)]
fn varint_by_bytes(bytes: &[u8], mut at: usize, end: usize) -> Result<(u64, usize), Fault> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        if at >= end {
            return Err(Fault::Truncated);
        }
        let byte = bytes[at];
        at += 1;
        // The tenth byte holds bit 63 alone.
        if shift == 63 && byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok((value, at));
        }
    }
    Err(Fault::OverlongVarint)
}

/// Joins the low seven bits of each of the eight bytes.
#[inline(always)]
fn join_groups(word: u64) -> u64 {
    let pairs = (word & 0x007f_007f_007f_007f) | ((word & 0x7f00_7f00_7f00_7f00) >> 1);
    let quads = (pairs & 0x0000_3fff_0000_3fff) | ((pairs & 0x3fff_0000_3fff_0000) >> 2);
    (quads & 0x0fff_ffff) | ((quads & 0x0fff_ffff_0000_0000) >> 4)
}

/// Reads a length and returns where the value starts and ends.
#[inline(always)]
pub(crate) fn delimited(bytes: &[u8], at: usize, end: usize) -> Result<(usize, usize), Fault> {
    let (length, start) = varint(bytes, at, end)?;
    if length > (end - start) as u64 {
        return Err(Fault::LengthBeyondInput);
    }
    let length = usize::try_from(length).map_err(|_| Fault::LengthBeyondInput)?;
    Ok((start, start + length))
}

/// The next `N` bytes.
#[inline(always)]
pub(crate) fn fixed<const N: usize>(
    bytes: &[u8],
    at: usize,
    end: usize,
) -> Result<([u8; N], usize), Fault> {
    if end - at < N {
        return Err(Fault::Truncated);
    }
    let chunk = bytes[at..].first_chunk().copied();
    Ok((chunk.ok_or(Fault::Truncated)?, at + N))
}

/// Field number and wire type of a tag.
#[inline(always)]
pub(crate) fn split(tag: u64) -> Result<(u32, u32), Fault> {
    let number = tag >> 3;
    match u32::try_from(tag) {
        Ok(tag) if number != 0 => Ok((tag >> 3, tag & 7)),
        _ => Err(Fault::FieldNumber(number)),
    }
}

/// Gets past a value whose tag has been read; `depth` levels are around it. Returns where it
/// ends.
#[inline(never)]
pub(crate) fn skip(
    bytes: &[u8],
    at: usize,
    end: usize,
    (number, wire): (u32, u32),
    depth: u32,
) -> Result<usize, Fault> {
    match wire {
        VARINT => Ok(varint(bytes, at, end)?.1),
        FIXED64 => Ok(fixed::<8>(bytes, at, end)?.1),
        BYTES => Ok(delimited(bytes, at, end)?.1),
        START_GROUP => Ok(group_end(bytes, at, end, number, depth)?.1),
        END_GROUP => Err(Fault::EndGroup(number)),
        FIXED32 => Ok(fixed::<4>(bytes, at, end)?.1),
        other => Err(Fault::WireType(other)),
    }
}

/// Where the contents of a group end whose first tag has been read, and where its last tag does.
pub(crate) fn group_end(
    bytes: &[u8],
    mut at: usize,
    end: usize,
    number: u32,
    depth: u32,
) -> Result<(usize, usize), Fault> {
    if depth >= MAX_NESTING {
        return Err(Fault::TooDeep);
    }
    loop {
        if at >= end {
            return Err(Fault::OpenGroup(number));
        }
        let (tag, after) = varint(bytes, at, end)?;
        let (inner, wire) = split(tag)?;
        if wire == END_GROUP {
            if inner != number {
                return Err(Fault::EndGroup(inner));
            }
            return Ok((at, after));
        }
        at = skip(bytes, after, end, (inner, wire), depth + 1)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        bytes.push(value.to_le_bytes()[0]);
        bytes
    }

    #[test]
    fn varints_of_every_length_with_and_without_bytes_behind() {
        for bits in 0..64 {
            for value in [
                1u64 << bits,
                (1 << bits) - 1,
                u64::MAX >> bits,
                0x5555_5555_5555_5555 >> bits,
            ] {
                let bytes = encode(value);
                let len = bytes.len();
                assert_eq!(varint(&bytes, 0, len), Ok((value, len)));
                let mut longer = bytes.clone();
                longer.extend([0xff; 16]);
                assert_eq!(varint(&longer, 0, len), Ok((value, len)));
                for cut in 0..len {
                    assert_eq!(varint(&longer, 0, cut), Err(Fault::Truncated));
                    assert_eq!(varint(&bytes[..cut], 0, cut), Err(Fault::Truncated));
                }
            }
        }
        assert_eq!(varint(&[0xff; 11], 0, 11), Err(Fault::OverlongVarint));
        assert_eq!(varint(&[0x81, 0x80, 0], 0, 3), Ok((1, 3)));
    }

    #[test]
    fn tags() {
        assert_eq!(split(8), Ok((1, 0)));
        assert_eq!(split(u64::from(u32::MAX)), Ok(((1 << 29) - 1, 7)));
        assert_eq!(split(7), Err(Fault::FieldNumber(0)));
        assert_eq!(split(1 << 32), Err(Fault::FieldNumber(1 << 29)));
    }

    #[test]
    fn groups_end_where_they_were_begun() {
        let skip = |bytes: &[u8]| skip(bytes, 0, bytes.len(), (1, START_GROUP), 0);
        assert_eq!(skip(&[0x0c]), Ok(1));
        assert_eq!(skip(&[0x10, 5, 0x1b, 0x1c, 0x0c, 9]), Ok(5));
        assert_eq!(skip(&[0x14]), Err(Fault::EndGroup(2)));
        assert_eq!(skip(&[0x10, 5]), Err(Fault::OpenGroup(1)));
        let deep = [vec![0x0b; 99], vec![0x0c; 100]].concat();
        assert_eq!(skip(&deep), Ok(199));
        let deeper = [vec![0x0b; 100], vec![0x0c; 101]].concat();
        assert_eq!(skip(&deeper), Err(Fault::TooDeep));
    }
}

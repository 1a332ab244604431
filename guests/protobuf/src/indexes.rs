//! Which message of a file a payload is: the indexes that the Confluent wire format has between
//! the schema id and a Protobuf message.

use thiserror::Error;

use crate::wire::{Fault, varint};

/// No file has messages as deep as this; it bounds what a payload can ask for.
const MAX_INDEXES: i64 = 64;

/// Why a message has no usable indexes.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum IndexError {
    /// They end early, or have too many bits.
    #[error("the message indexes behind the schema id are damaged: {0}")]
    Varint(Fault),
    /// A number of indexes that cannot be.
    #[error("the message indexes behind the schema id are damaged: there cannot be {0}")]
    Count(i64),
    /// A negative index.
    #[error("the message indexes behind the schema id are damaged: {0} is no index")]
    Index(i64),
}

/// Reads the indexes at the start of `bytes`: their number and they themselves, as zig-zag
/// varints; a single `0` stands for the first message of the file. Returns how many bytes they
/// take.
pub(crate) fn read(bytes: &[u8], path: &mut Vec<i32>) -> Result<usize, IndexError> {
    path.clear();
    let (count, mut at) = zigzag(bytes, 0)?;
    if !(0..=MAX_INDEXES).contains(&count) {
        return Err(IndexError::Count(count));
    }
    if count == 0 {
        path.push(0);
    }
    for _ in 0..count {
        let (index, after) = zigzag(bytes, at)?;
        let valid = i32::try_from(index).ok().filter(|index| *index >= 0);
        path.push(valid.ok_or(IndexError::Index(index))?);
        at = after;
    }
    Ok(at)
}

fn zigzag(bytes: &[u8], at: usize) -> Result<(i64, usize), IndexError> {
    let (raw, after) = varint(bytes, at, bytes.len()).map_err(IndexError::Varint)?;
    Ok(((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed(), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes() {
        let mut path = Vec::new();
        let mut read = |bytes: &[u8]| read(bytes, &mut path).map(|end| (path.clone(), end));
        assert_eq!(read(&[0, 9]), Ok((vec![0], 1)));
        assert_eq!(read(&[2, 0, 9]), Ok((vec![0], 2)));
        assert_eq!(read(&[4, 2, 0x80, 2]), Ok((vec![1, 128], 4)));
        assert_eq!(read(&[]), Err(IndexError::Varint(Fault::Truncated)));
        assert_eq!(read(&[4, 2]), Err(IndexError::Varint(Fault::Truncated)));
        assert_eq!(read(&[1]), Err(IndexError::Count(-1)));
        assert_eq!(read(&[0xfe, 0xff, 3]), Err(IndexError::Count(32_767)));
        assert_eq!(read(&[2, 1]), Err(IndexError::Index(-1)));
    }
}

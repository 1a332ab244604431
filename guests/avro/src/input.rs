//! A cursor over the bytes of one record.

use thiserror::Error;
use weir_guest::columns::{ColumnFull, Wide};

/// Items without any bytes (nulls, empty records) that one record's arrays and maps
/// may hold in all. They cost a sender nothing, so their number needs a bound.
pub const MAX_EMPTY_ITEMS: u64 = 65_536;

/// What is wrong with the bytes of one record. The display texts reach the person who
/// reads the dead letter.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A value needs more bytes than are left.
    #[error("the record ends in the middle of a value")]
    Truncated,
    /// A variable-length integer of more than 64 bits.
    #[error("a variable-length integer has more than 64 bits")]
    OverlongVarint,
    /// An `int` outside of 32 bits.
    #[error("an int does not fit in 32 bits")]
    IntRange,
    /// A negative length of bytes, string or block.
    #[error("a length is negative")]
    NegativeLength,
    /// A length or count that the rest of the record cannot hold.
    #[error("a length reaches beyond the end of the record")]
    LengthBeyondInput,
    /// More than [`MAX_EMPTY_ITEMS`] items without bytes.
    #[error("more than 65536 array or map items without any bytes")]
    EmptyItems,
    /// A block is not as long as it says.
    #[error("a block of an array or map is not as long as it says")]
    BlockSize,
    /// A boolean that is neither 0 nor 1.
    #[error("a boolean is neither 0 nor 1")]
    Boolean,
    /// A union branch that the schema does not have.
    #[error("a union branch is not in the schema")]
    UnionBranch,
    /// An enum symbol that the schema does not have.
    #[error("an enum index is not in the schema")]
    EnumIndex,
    /// A string that is not UTF-8.
    #[error("a string is not valid UTF-8")]
    Utf8,
    /// A value of a type that the reader schema does not take.
    #[error("the reader schema cannot take the type that this value was written with")]
    Unresolvable,
    /// A symbol that the reader's enum does not have.
    #[error("the reader's enum has no such symbol, and no default for it")]
    Symbol,
    /// A decimal with more digits than its precision.
    #[error("a decimal has more digits than the schema's precision")]
    DecimalPrecision,
    /// A duration of more than 2^31 - 1 months or days.
    #[error("a duration has more than 2147483647 months or days")]
    DurationRange,
    /// A value of a recursive type that is nested too deeply.
    #[error("a value of a recursive type is more than 256 types deep")]
    TooDeep,
    /// A column of the batch would exceed 2^31 - 1 bytes or values.
    #[error(transparent)]
    ColumnFull(#[from] ColumnFull),
    /// Bytes after the end of the value.
    #[error("there are bytes after the end of the record")]
    TrailingBytes,
}

/// Reads one record out of a batch's bytes.
///
/// `bytes` goes on beyond the record, which lets short values be copied by whole
/// words; nothing beyond `end` is ever taken for the record's.
///
/// Every method that takes it by reference is inlined, and what is not takes it by
/// value: so it stays in registers.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    bytes: &'a [u8],
    position: usize,
    end: usize,
    empty_items: u64,
}

impl<'a> Input<'a> {
    /// The record `bytes[start..end]`; as much of it as there is.
    pub(crate) fn new(bytes: &'a [u8], start: usize, end: usize) -> Self {
        let end = end.min(bytes.len());
        let position = start.min(end);
        Self {
            bytes,
            position,
            end,
            empty_items: 0,
        }
    }

    /// The same, where `position <= end <= bytes.len()` is known.
    #[inline(always)]
    pub(crate) fn within(bytes: &'a [u8], position: usize, end: usize) -> Self {
        debug_assert!(position <= end && end <= bytes.len());
        Self {
            bytes,
            position,
            end,
            empty_items: 0,
        }
    }

    /// Index into the batch's bytes of the next byte.
    #[inline(always)]
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Bytes of the record that are left.
    #[inline(always)]
    pub(crate) fn remaining(&self) -> usize {
        self.end - self.position
    }

    /// The next byte.
    #[inline(always)]
    pub(crate) fn byte(&mut self) -> Result<u8, Fault> {
        if self.position >= self.end {
            return Err(Fault::Truncated);
        }
        let byte = self.bytes[self.position];
        self.position += 1;
        Ok(byte)
    }

    /// The next `N` bytes.
    #[inline(always)]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        if self.remaining() < N {
            return Err(Fault::Truncated);
        }
        let chunk = self.bytes[self.position..].first_chunk();
        self.position += N;
        chunk.copied().ok_or(Fault::Truncated)
    }

    /// The next `len` bytes.
    #[inline(always)]
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        if self.remaining() < len {
            return Err(Fault::LengthBeyondInput);
        }
        let taken = &self.bytes[self.position..self.position + len];
        self.position += len;
        Ok(taken)
    }

    /// As [`take`](Self::take) for a length that [`length`](Self::length) gave.
    #[inline(always)]
    pub(crate) fn take_wide(&mut self, len: usize) -> Wide<'a> {
        let rest = &self.bytes[self.position..];
        self.position += len;
        Wide::new(rest, len)
    }

    /// The `len` bytes before the position.
    #[inline(always)]
    pub(crate) fn last(&self, len: usize) -> &'a [u8] {
        &self.bytes[self.position - len..self.position]
    }

    /// A zig-zag `long` (Avro 1.12, Binary encoding).
    #[inline(always)]
    pub(crate) fn long(&mut self) -> Result<i64, Fault> {
        self.varint().map(zig_zag)
    }

    /// A zig-zag `int`.
    #[inline(always)]
    pub(crate) fn int(&mut self) -> Result<i32, Fault> {
        i32::try_from(self.long()?).map_err(|_| Fault::IntRange)
    }

    /// A length in bytes, checked against what is left of the record.
    #[inline(always)]
    pub(crate) fn length(&mut self) -> Result<usize, Fault> {
        let length = self.long()?;
        if length < 0 {
            return Err(Fault::NegativeLength);
        }
        usize::try_from(length)
            .ok()
            .filter(|length| *length <= self.remaining())
            .ok_or(Fault::LengthBeyondInput)
    }

    /// The head of the next block of an array or map: its number of items, and where
    /// it has to end if it says so. `None` is the end of the array or map.
    ///
    /// `item_bytes` is the least that one item takes: counts are bounded by it.
    #[inline(always)]
    pub(crate) fn block(&mut self, item_bytes: u32) -> Result<Option<Block>, Fault> {
        let count = self.long()?;
        if count == 0 {
            return Ok(None);
        }
        let mut end = None;
        if count < 0 {
            let size = self.length()?;
            end = Some(self.position + size);
        }
        let count = count.unsigned_abs();
        let remaining = self.remaining() as u64;
        if item_bytes == 0 {
            self.empty_items = self.empty_items.saturating_add(count);
            if self.empty_items > MAX_EMPTY_ITEMS {
                return Err(Fault::EmptyItems);
            }
        } else if count > remaining || count.wrapping_mul(u64::from(item_bytes)) > remaining {
            // Both factors are below 2^32 where they are multiplied.
            return Err(Fault::LengthBeyondInput);
        }
        let count = usize::try_from(count).map_err(|_| Fault::LengthBeyondInput)?;
        Ok(Some(Block { count, end }))
    }

    /// Fails unless the record is used up.
    #[inline(always)]
    pub(crate) fn finish(&self) -> Result<(), Fault> {
        if self.position == self.end {
            Ok(())
        } else {
            Err(Fault::TrailingBytes)
        }
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64, Fault> {
        if self.position < self.end {
            let byte = self.bytes[self.position];
            if byte < 0x80 {
                self.position += 1;
                return Ok(u64::from(byte));
            }
        }
        self.long_varint()
    }

    /// Up to eight bytes at once where the batch has as many, byte by byte otherwise.
    #[inline(always)]
    fn long_varint(&mut self) -> Result<u64, Fault> {
        let chunk = self
            .bytes
            .get(self.position..)
            .and_then(<[u8]>::first_chunk);
        let short = chunk.and_then(|chunk| varint_of(u64::from_le_bytes(*chunk)));
        if let Some((value, length)) = short {
            if length > self.remaining() {
                return Err(Fault::Truncated);
            }
            self.position += length;
            return Ok(value);
        }
        let (value, position) = varint_by_bytes(self.bytes, self.position, self.end)?;
        self.position = position;
        Ok(value)
    }
}

/// The number of which this is the zig-zag form.
#[inline(always)]
pub(crate) fn zig_zag(raw: u64) -> i64 {
    (raw >> 1).cast_signed() ^ -(raw & 1).cast_signed()
}

/// The variable-length integer that a little-endian word begins with, and its bytes; `None` where
/// it is longer.
#[inline(always)]
pub(crate) fn varint_of(word: u64) -> Option<(u64, usize)> {
    let stops = !word & 0x8080_8080_8080_8080;
    let length = (stops.trailing_zeros() as usize + 1) / 8;
    (stops != 0).then(|| (join_groups(word & (stops ^ (stops - 1))), length))
}

/// The value of a variable-length integer, and the position after it.
#[cold]
#[inline(never)]
fn varint_by_bytes(bytes: &[u8], mut position: usize, end: usize) -> Result<(u64, usize), Fault> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        if position >= end {
            return Err(Fault::Truncated);
        }
        let byte = bytes[position];
        position += 1;
        // The tenth byte holds bit 63 alone.
        if shift == 63 && byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok((value, position));
        }
    }
    Err(Fault::OverlongVarint)
}

/// The head of a block of an array or map.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    /// Number of items.
    pub(crate) count: usize,
    /// Where its last item has to end, for blocks that say their size.
    pub(crate) end: Option<usize>,
}

impl Block {
    /// Fails if the block said another size than its items took.
    #[inline(always)]
    pub(crate) fn check(&self, input: &Input<'_>) -> Result<(), Fault> {
        match self.end {
            Some(end) if end != input.position => Err(Fault::BlockSize),
            _ => Ok(()),
        }
    }
}

/// Joins the low seven bits of each of the eight bytes.
#[inline(always)]
fn join_groups(word: u64) -> u64 {
    let pairs = (word & 0x007f_007f_007f_007f) | ((word & 0x7f00_7f00_7f00_7f00) >> 1);
    let quads = (pairs & 0x0000_3fff_0000_3fff) | ((pairs & 0x3fff_0000_3fff_0000) >> 2);
    (quads & 0x0fff_ffff) | ((quads & 0x0fff_ffff_0000_0000) >> 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(bytes: &[u8]) -> Result<u64, Fault> {
        let mut input = Input::new(bytes, 0, bytes.len());
        let value = input.varint()?;
        input.finish().map(|()| value)
    }

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
                assert_eq!(varint(&bytes), Ok(value));
                let mut longer = bytes.clone();
                longer.extend([0xff; 16]);
                let mut input = Input::new(&longer, 0, bytes.len());
                assert_eq!(input.varint(), Ok(value));
                assert_eq!(input.finish(), Ok(()));
            }
        }
    }

    #[test]
    fn varints_that_end_beyond_the_record_are_truncated() {
        let bytes = [0x80, 0x80, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for end in 0..3 {
            let mut input = Input::new(&bytes, 0, end);
            assert_eq!(input.varint(), Err(Fault::Truncated), "{end}");
        }
        let bytes = [0xff; 9];
        assert_eq!(varint(&bytes), Err(Fault::Truncated));
    }

    #[test]
    fn varints_of_more_than_64_bits_are_faults() {
        let mut bytes = [0xff; 10];
        bytes[9] = 1;
        assert_eq!(varint(&bytes), Ok(u64::MAX));
        bytes[9] = 2;
        assert_eq!(varint(&bytes), Err(Fault::OverlongVarint));
        assert_eq!(varint(&[0x80; 11]), Err(Fault::OverlongVarint));
        // Padding within ten bytes is allowed, as in Java.
        assert_eq!(varint(&[0x81, 0x80, 0x00]), Ok(1));
    }

    #[test]
    fn ints_have_32_bits() {
        let bytes = encode(u64::from(u32::MAX));
        assert_eq!(Input::new(&bytes, 0, bytes.len()).int(), Ok(i32::MIN));
        let bytes = encode(1 << 32);
        assert_eq!(
            Input::new(&bytes, 0, bytes.len()).int(),
            Err(Fault::IntRange)
        );
    }
}

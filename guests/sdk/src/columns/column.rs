//! One growing Arrow column, and what a tree of them has in common.

use thiserror::Error;

use super::appended::{Copied, Wide};
use crate::rows::Array;

/// A column of the batch would exceed the offsets that Arrow has for it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a column of the batch would exceed 2147483647 bytes or values")]
pub struct ColumnFull;

/// Values of at most this many bytes are copied as if they had exactly as many.
pub const SHORT: usize = 32;

/// How the values of one column are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// No buffers: each value is null.
    Null,
    /// One byte a value, packed into bits at the end.
    Boolean,
    /// `width` bytes a value.
    Fixed(u32),
    /// Bytes end to end, with offsets.
    Variable,
    /// Offsets into the one child.
    List,
    /// Nothing but validity.
    Struct,
}

/// What the columns of a plan are, at the same index as the column.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How values are held.
    pub storage: Storage,
    /// Whether `valid` is kept. Never for [`Storage::Null`].
    pub nullable: bool,
    /// Whether the bytes must be UTF-8.
    pub text: bool,
    /// One past the last column below this one.
    pub end: u32,
}

impl Shape {
    /// The shape of columns that hold no others: `end` is its own index + 1.
    #[must_use]
    pub fn new(storage: Storage, nullable: bool, index: u32) -> Self {
        Self {
            storage,
            nullable: nullable && storage != Storage::Null,
            text: false,
            end: index + 1,
        }
    }
}

/// The values of one column so far.
#[derive(Debug, Default)]
pub struct Column {
    /// One byte a value, 1 or 0, where the column is nullable.
    pub valid: Vec<u8>,
    /// Little-endian `i32` ends, after a first 0.
    pub offsets: Vec<u8>,
    /// Little-endian values.
    pub data: Vec<u8>,
    /// Values of the child, for lists.
    items: i32,
}

/// Bytes used by one column for the rows of the batch before.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used {
    valid: usize,
    offsets: usize,
    data: usize,
}

impl Column {
    /// Makes room for `growth` 65,536ths of what was `used` before.
    pub(super) fn reserve(&mut self, used: Used, growth: u64) {
        let room = |bytes: usize| {
            let share = (bytes as u64).saturating_mul(growth) >> 16;
            usize::try_from(share + share / 16).unwrap_or(0)
        };
        self.valid.reserve(room(used.valid));
        self.offsets.reserve(room(used.offsets));
        // A short value is copied with what lies behind it, before that is cut off.
        self.data.reserve(room(used.data) + SHORT);
    }

    /// Forgets all values.
    pub(super) fn clear(&mut self, shape: &Shape) {
        self.valid.clear();
        self.offsets.clear();
        self.data.clear();
        self.items = 0;
        if matches!(shape.storage, Storage::Variable | Storage::List) {
            self.offsets.extend_from_slice(&[0; 4]);
        }
    }

    /// Appends one fixed-width value.
    #[inline(always)]
    pub fn push<const N: usize>(&mut self, value: [u8; N]) {
        self.data.extend_from_slice(&value);
    }

    /// Appends a fixed-width value of a width known only to the schema.
    #[inline(always)]
    pub fn push_slice(&mut self, value: &[u8]) {
        self.data.extend_from_slice(value);
    }

    /// Appends one value of variable length.
    ///
    /// # Errors
    /// The column is full.
    #[inline(always)]
    pub fn push_bytes(&mut self, value: &[u8]) -> Result<(), ColumnFull> {
        self.data.extend_from_slice(value);
        self.end_bytes()
    }

    /// Appends the first `len` bytes of `wide`: a copy of known size and a cut are
    /// cheaper than a copy of a size that is not.
    ///
    /// # Errors
    /// The column is full.
    #[inline(always)]
    pub fn push_short(&mut self, wide: &[u8; SHORT], len: usize) -> Result<(), ColumnFull> {
        let end = self.data.len() + len;
        self.data.extend_from_slice(wide);
        self.data.truncate(end);
        self.end_bytes()
    }

    /// Appends one value of variable length.
    ///
    /// # Errors
    /// The column is full.
    #[inline(always)]
    pub fn push_wide(&mut self, value: Wide<'_>) -> Result<(), ColumnFull> {
        match value.0 {
            Copied::Short(wide, len) => self.push_short(wide, len),
            Copied::Long(value) => self.push_bytes(value),
        }
    }

    /// Appends a list of `count` items, which its child has already.
    ///
    /// # Errors
    /// The column is full.
    #[inline(always)]
    pub fn push_list(&mut self, count: usize) -> Result<(), ColumnFull> {
        self.items = i32::try_from(count)
            .ok()
            .and_then(|count| self.items.checked_add(count))
            .ok_or(ColumnFull)?;
        self.offsets.extend_from_slice(&self.items.to_le_bytes());
        Ok(())
    }

    /// Adds `count` items, which its child has already, to the last list.
    ///
    /// # Errors
    /// The column is full.
    #[inline(always)]
    pub fn grow_list(&mut self, count: usize) -> Result<(), ColumnFull> {
        self.items = i32::try_from(count)
            .ok()
            .and_then(|count| self.items.checked_add(count))
            .ok_or(ColumnFull)?;
        if let Some(end) = self.offsets.last_chunk_mut() {
            *end = self.items.to_le_bytes();
        }
        Ok(())
    }

    /// Makes the last list end at item `end`, which is not behind its end so far.
    pub fn cut_last_list(&mut self, end: usize) {
        let end = i32::try_from(end).unwrap_or(i32::MAX).min(self.items);
        self.items = end;
        if let Some(last) = self.offsets.last_chunk_mut() {
            *last = end.to_le_bytes();
        }
    }

    /// Takes back all but the first `count` lists, but not their items.
    pub fn cut_lists(&mut self, count: usize) {
        self.offsets.truncate((count + 1) * 4);
        let last = self.offsets.last_chunk();
        self.items = last.map_or(0, |end| i32::from_le_bytes(*end));
    }

    /// Values of the child so far, for lists.
    #[must_use]
    pub fn items(&self) -> usize {
        usize::try_from(self.items).unwrap_or(0)
    }

    #[inline(always)]
    fn end_bytes(&mut self) -> Result<(), ColumnFull> {
        let end = i32::try_from(self.data.len()).map_err(|_| ColumnFull)?;
        self.offsets.extend_from_slice(&end.to_le_bytes());
        Ok(())
    }

    /// The end of value `count - 1`, which is also the number of bytes or child values
    /// of the first `count` values.
    fn end_of(&self, count: usize) -> usize {
        self.offsets
            .get(count * 4..)
            .and_then(<[u8]>::first_chunk)
            .and_then(|end| usize::try_from(i32::from_le_bytes(*end)).ok())
            .unwrap_or(0)
    }

    /// Whether all values of variable length but the first `count` are UTF-8, each for itself.
    #[must_use]
    pub fn is_utf8_from(&self, count: usize) -> bool {
        let start = self.end_of(count);
        let data = self.data.get(start..).unwrap_or_default();
        if is_ascii(data) {
            return true;
        }
        let Ok(text) = std::str::from_utf8(data) else {
            return false;
        };
        let (ends, _) = self.offsets.as_chunks::<4>();
        ends.iter().skip(count).all(|end| {
            let end = usize::try_from(i32::from_le_bytes(*end));
            end.is_ok_and(|end| text.is_char_boundary(end - start))
        })
    }
}

/// As the standard library's, eight bytes at a time on every target: its own has words of
/// four bytes on 32-bit WebAssembly.
#[inline(never)]
fn is_ascii(bytes: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (blocks, rest) = bytes.as_chunks::<64>();
    let has_high_bit = |block: &[u8; 64]| {
        let (words, _) = block.as_chunks::<8>();
        let all = words
            .iter()
            .fold(0, |all, word| all | u64::from_le_bytes(*word));
        all & HIGH != 0
    };
    !blocks.iter().any(has_high_bit) && rest.iter().all(u8::is_ascii)
}

/// Appends a null to column `index`, and a value without meaning to those below it.
///
/// # Panics
/// If there is no such column.
#[inline(always)]
pub fn push_absent(shapes: &[Shape], columns: &mut [Column], index: u32) {
    let shape = &shapes[index as usize];
    let column = &mut columns[index as usize];
    if shape.nullable {
        column.valid.push(0);
    }
    match shape.storage {
        Storage::Null => {}
        Storage::Boolean => column.push([0]),
        Storage::Fixed(4) => column.push([0; 4]),
        Storage::Fixed(8) => column.push([0; 8]),
        Storage::Fixed(width) => column.data.resize(column.data.len() + width as usize, 0),
        Storage::Variable | Storage::List => {
            if let Some(last) = column.offsets.last_chunk::<4>().copied() {
                column.offsets.extend_from_slice(&last);
            }
        }
        Storage::Struct => push_absent_children(shapes, columns, index),
    }
}

#[inline(never)]
fn push_absent_children(shapes: &[Shape], columns: &mut [Column], index: u32) {
    let end = shapes[index as usize].end;
    let mut child = index + 1;
    while child < end {
        push_absent(shapes, columns, child);
        child = shapes[child as usize].end;
    }
}

/// Takes back all but the first `rows` values of column `index` and those below it.
///
/// # Panics
/// If there is no such column.
pub fn truncate(shapes: &[Shape], columns: &mut [Column], index: u32, rows: usize) {
    let shape = shapes[index as usize];
    let column = &mut columns[index as usize];
    if shape.nullable {
        column.valid.truncate(rows);
    }
    let mut below = rows;
    match shape.storage {
        Storage::Null | Storage::Struct => {}
        Storage::Boolean => column.data.truncate(rows),
        Storage::Fixed(width) => column.data.truncate(rows * width as usize),
        Storage::Variable | Storage::List => {
            below = column.end_of(rows);
            column.offsets.truncate((rows + 1) * 4);
            column.data.truncate(below);
            column.items = column
                .offsets
                .last_chunk()
                .map_or(0, |end| i32::from_le_bytes(*end));
        }
    }
    let mut child = index + 1;
    while child < shape.end {
        truncate(shapes, columns, child, below);
        child = shapes[child as usize].end;
    }
}

/// Whether all values of all text columns are UTF-8.
pub(super) fn all_utf8(shapes: &[Shape], columns: &[Column]) -> bool {
    shapes
        .iter()
        .zip(columns)
        .all(|(shape, column)| !shape.text || column.is_utf8_from(0))
}

/// Takes the values out of column `index` and those below it, in pre-order.
pub(super) fn finish(
    shapes: &[Shape],
    columns: &mut [Column],
    used: &mut [Used],
    index: u32,
    rows: usize,
    arrays: &mut Vec<Array>,
) {
    let shape = shapes[index as usize];
    let column = &mut columns[index as usize];
    used[index as usize] = Used {
        valid: column.valid.len(),
        offsets: column.offsets.len(),
        data: column.data.len(),
    };
    let (validity, null_count) = pack_validity(&column.valid);
    column.valid = Vec::new();
    let mut below = rows;
    let mut nulls = null_count;
    let offsets = std::mem::take(&mut column.offsets);
    let data = std::mem::take(&mut column.data);
    let buffers = match shape.storage {
        Storage::Null => {
            nulls = rows;
            Vec::new()
        }
        Storage::Boolean => vec![validity, pack_bits(&data)],
        Storage::Fixed(_) => vec![validity, data],
        Storage::Variable => vec![validity, offsets, data],
        Storage::List => {
            below = column.items();
            vec![validity, offsets]
        }
        Storage::Struct => vec![validity],
    };
    arrays.push(Array {
        len: count(rows),
        null_count: count(nulls),
        buffers,
    });
    let mut child = index + 1;
    while child < shape.end {
        finish(shapes, columns, used, child, below, arrays);
        child = shapes[child as usize].end;
    }
}

/// Rows come from a `u32` batch and items are bounded by `i32` offsets, so this loses
/// nothing.
fn count(values: usize) -> u32 {
    u32::try_from(values).unwrap_or(u32::MAX)
}

/// A validity bitmap and the number of nulls; empty when there are none.
fn pack_validity(valid: &[u8]) -> (Vec<u8>, usize) {
    let present: usize = valid.iter().map(|valid| usize::from(*valid)).sum();
    let nulls = valid.len() - present;
    if nulls == 0 {
        return (Vec::new(), 0);
    }
    (pack_bits(valid), nulls)
}

/// Packs bytes of 0 or 1 into bits, least significant first.
fn pack_bits(bytes: &[u8]) -> Vec<u8> {
    /// Moves the lowest bit of byte `i` to bit `56 + i`.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut bits = Vec::with_capacity(bytes.len().div_ceil(8));
    bits.extend(words.iter().map(|word| {
        let [.., top] = u64::from_le_bytes(*word).wrapping_mul(GATHER).to_le_bytes();
        top
    }));
    if !rest.is_empty() {
        bits.push(rest.iter().rev().fold(0, |bits, byte| bits << 1 | byte));
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_packed_least_significant_first() {
        for len in 0..40 {
            let bytes: Vec<u8> = (0..len)
                .map(|i| u8::from(i % 3 == 0 || i % 7 == 2))
                .collect();
            let bits = pack_bits(&bytes);
            assert_eq!(bits.len(), bytes.len().div_ceil(8));
            for (i, byte) in bytes.iter().enumerate() {
                assert_eq!(bits[i / 8] >> (i % 8) & 1, *byte, "{len} {i}");
            }
        }
    }

    #[test]
    fn a_character_that_spans_two_values_is_not_utf8() {
        let shape = Shape {
            text: true,
            ..Shape::new(Storage::Variable, false, 0)
        };
        let mut column = Column::default();
        column.clear(&shape);
        assert_eq!(column.push_bytes(&"ä".as_bytes()[..1]), Ok(()));
        assert_eq!(column.push_bytes(&"ä".as_bytes()[1..]), Ok(()));
        assert!(!all_utf8(&[shape], &[column]));
    }
}

//! Values of variable length, many at once.

use std::mem::MaybeUninit;

use super::{ColumnFull, SHORT};

/// A value that lies in more bytes, so that a short one is copied with what lies behind it: a copy
/// of known size and a cut are cheaper than a copy of a size that is not.
#[derive(Clone, Copy, Debug)]
pub struct Wide<'a>(pub(super) Copied<'a>);

#[derive(Clone, Copy, Debug)]
pub(super) enum Copied<'a> {
    /// The value has so many of these bytes, [`SHORT`] at most.
    Short(&'a [u8; SHORT], usize),
    Long(&'a [u8]),
}

impl<'a> Wide<'a> {
    /// The first `len` bytes, or all if there are not as many.
    #[inline(always)]
    #[must_use]
    pub fn short(bytes: &'a [u8; SHORT], len: usize) -> Self {
        Self(Copied::Short(bytes, len.min(SHORT)))
    }

    /// The first `len` bytes.
    ///
    /// # Panics
    /// If there are not as many.
    #[inline(always)]
    #[must_use]
    pub fn new(bytes: &'a [u8], len: usize) -> Self {
        Self(match bytes.first_chunk() {
            Some(wide) if len <= SHORT => Copied::Short(wide, len),
            _ => Copied::Long(&bytes[..len]),
        })
    }
}

/// Values that are written behind those that a column has.
#[derive(Debug)]
pub struct Appended<'c> {
    start: usize,
    free: &'c mut [MaybeUninit<u8>],
    filled: usize,
}

impl Appended<'_> {
    /// Appends a value.
    ///
    /// # Panics
    /// If there was no room for it.
    #[inline(always)]
    pub fn push(&mut self, value: Wide<'_>) {
        let free = &mut self.free[self.filled..];
        self.filled += match value.0 {
            Copied::Short(wide, len) => {
                free[..SHORT].write_copy_of_slice(wide);
                len
            }
            Copied::Long(value) => copy(value, free),
        };
    }

    /// The offset behind the last value, little-endian.
    #[inline(always)]
    #[must_use]
    pub fn end(&self) -> [u8; 4] {
        let end = self.start + self.filled;
        // It was seen to fit.
        u32::try_from(end).unwrap_or(u32::MAX).to_le_bytes()
    }
}

/// Lets `fill` append values to a column's bytes, of at most `room` bytes in all. What it appended
/// before it failed is not kept.
///
/// # Errors
/// The column would be full; or the error of `fill`.
#[inline(always)]
pub fn append<E: From<ColumnFull>>(
    data: &mut Vec<u8>,
    room: usize,
    fill: impl FnOnce(&mut Appended<'_>) -> Result<(), E>,
) -> Result<(), E> {
    // The last short value is copied with what lies behind it.
    let room = room + SHORT;
    if i32::try_from(data.len() + room).is_err() {
        return Err(ColumnFull.into());
    }
    data.reserve(room);
    let start = data.len();
    let mut values = Appended {
        start,
        free: data.spare_capacity_mut(),
        filled: 0,
    };
    fill(&mut values)?;
    let end = start + values.filled;
    #[expect(unsafe_code, reason = "nothing else takes over what was written")]
    // SAFETY: `free` is the spare capacity, and its first `filled` bytes were written: each value
    // where the one before it ends, and never more of it than was copied.
    unsafe {
        data.set_len(end);
    }
    Ok(())
}

/// Kept apart: a copy of unknown length is a call out of the component.
#[cold]
#[inline(never)]
fn copy(value: &[u8], to: &mut [MaybeUninit<u8>]) -> usize {
    to[..value.len()].write_copy_of_slice(value);
    value.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_any_length_lie_end_to_end() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut data = b"before".to_vec();
        let mut expected = data.clone();
        let lengths = [0, 1, 31, 32, 33, 100, 5, 256];
        let mut ends = Vec::new();
        let appended: Result<(), ColumnFull> = append(&mut data, lengths.iter().sum(), |values| {
            for len in lengths {
                values.push(Wide::new(&bytes[256 - len..], len));
                ends.push(u32::from_le_bytes(values.end()) as usize);
            }
            Ok(())
        });
        assert_eq!(appended, Ok(()));
        for (len, end) in lengths.into_iter().zip(ends) {
            expected.extend_from_slice(&bytes[256 - len..]);
            assert_eq!(end, expected.len());
        }
        assert_eq!(data, expected);
    }

    #[test]
    fn what_failed_is_not_kept() {
        let mut data = b"before".to_vec();
        let failed = append(&mut data, 40, |values| {
            values.push(Wide::new(&[7; 40], 40));
            Err(ColumnFull)
        });
        assert_eq!(failed, Err(ColumnFull));
        assert_eq!(data, b"before");
    }
}

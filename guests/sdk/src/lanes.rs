//! Writing a block of rows column by column, for serializers that measure nanoseconds.
//!
//! ```text
//!            column 0   column 1   column 2                 payloads, end to end
//! row 0  ──► ▓▓▓▓▓▓▓▓──►▓▓▓▓▓▓────►▓▓▓▓▓▓▓▓▓░░░░░░░░  ───►  ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓
//! row 1  ──► ▓▓▓▓▓▓────►▓▓▓▓▓▓▓▓──►▓▓▓▓▓▓▓░░░░░░░░░░        ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓
//! ```
//!
//! Each row of a block has a region of its own, as large as it can get. A column is written for
//! all rows before the next column is: a small loop that keeps what it needs in registers, and
//! in which the rows overlap in the processor. What a row has written so far ends at its
//! [`Lane`]. Values are written in pieces of a fixed size, of which only the front counts: the
//! next value overwrites the rest.

mod digits;
mod literal;

pub use digits::{SIGNED, UNSIGNED, decimal_digits, eight_digits, signed, unsigned};
pub use literal::{Literal, Short};

use std::ops::Range;

/// Bytes behind the region of a row that may be overwritten: no piece is larger.
pub const SLACK: usize = 64;

/// Bytes that are written at once where there are so many.
const PIECE: usize = 16;

/// Where a row goes on, and what is next of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lane {
    /// Where its next byte goes.
    pub at: usize,
    /// Which value of the column is its own.
    pub index: usize,
}

impl Lane {
    /// Writes a piece of which `len` bytes count.
    ///
    /// # Panics
    /// If the row's region is full.
    #[inline(always)]
    pub fn put<const N: usize>(&mut self, out: &mut [u8], piece: &[u8; N], len: usize) {
        store(out, self.at, piece);
        self.at += len;
    }

    /// Lets `write` write up to [`ROOM`] bytes.
    ///
    /// # Panics
    /// If the row's region is full.
    #[inline(always)]
    pub fn with_room<T>(&mut self, out: &mut [u8], write: impl FnOnce(&mut Room<'_>) -> T) -> T {
        let Some(bytes) = out.get_mut(self.at..).and_then(<[u8]>::first_chunk_mut) else {
            full();
        };
        let mut room = Room { bytes, len: 0 };
        let written = write(&mut room);
        self.at += room.len;
        written
    }

    /// Writes bytes, any number of them.
    ///
    /// # Panics
    /// If the row's region is full.
    #[inline(always)]
    pub fn put_slice(&mut self, out: &mut [u8], bytes: &[u8]) {
        self.put_range(out, bytes, 0..bytes.len());
    }

    /// Writes these of the bytes, with what lies behind them; `false`, and nothing, if that is too
    /// little. There is no call in it.
    ///
    /// # Panics
    /// If the row's region is full.
    #[inline(always)]
    pub fn put_wide(&mut self, out: &mut [u8], bytes: &[u8], range: Range<usize>) -> bool {
        let mut pieces = bytes.get(range.start..).unwrap_or_default();
        let len = range.end - range.start;
        if len + 2 * PIECE > pieces.len() {
            return false;
        }
        let mut at = self.at;
        self.at += len;
        loop {
            let Some(piece) = pieces.first_chunk::<{ 2 * PIECE }>() else {
                return false;
            };
            store(out, at, piece);
            at += 2 * PIECE;
            if at >= self.at {
                return true;
            }
            pieces = &pieces[2 * PIECE..];
        }
    }

    /// Writes these of the bytes; short ones with what lies behind them.
    ///
    /// # Panics
    /// If the row's region is full, or there are not as many bytes.
    #[inline(always)]
    pub fn put_range(&mut self, out: &mut [u8], bytes: &[u8], range: Range<usize>) {
        let len = range.end - range.start;
        if len <= 2 * PIECE
            && let Some(wide) = bytes.get(range.start..)
            && let Some(wide) = wide.first_chunk::<{ 2 * PIECE }>()
        {
            self.put(out, wide, len);
        } else {
            self.at = copy(out, self.at, &bytes[range]);
        }
    }
}

/// Bytes that a [`Room`] takes.
pub const ROOM: usize = SLACK / 2;

/// Where a lane goes on: it is looked once whether there is room, and not for each piece.
#[derive(Debug)]
pub struct Room<'o> {
    bytes: &'o mut [u8; SLACK],
    len: usize,
}

impl Room<'_> {
    /// Writes a piece of which `len` bytes count. What would begin behind [`ROOM`] bytes lands
    /// somewhere among them: that is for the caller to know.
    #[inline(always)]
    pub fn put<const N: usize>(&mut self, piece: &[u8; N], len: usize) {
        const { assert!(N <= ROOM, "a piece is half of the bytes at most") };
        debug_assert!(self.len < ROOM, "there is no room for so much");
        // A mask instead of a check.
        let at = self.len & (ROOM - 1);
        if let Some(room) = self.bytes[at..].first_chunk_mut() {
            *room = *piece;
        }
        self.len += len;
    }

    /// How many bytes were written.
    #[inline(always)]
    #[must_use]
    pub fn written(&self) -> usize {
        self.len
    }
}

/// Writes a piece somewhere.
///
/// # Panics
/// If it does not fit.
#[inline(always)]
pub fn store<const N: usize>(out: &mut [u8], at: usize, piece: &[u8; N]) {
    match out.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        Some(room) => *room = *piece,
        None => full(),
    }
}

/// Kept apart, and not by what the engine copies with: that is a call out of the component.
#[inline(never)]
fn copy(out: &mut [u8], at: usize, bytes: &[u8]) -> usize {
    /// From so many bytes on the call is worth it.
    const LARGE: usize = 512;
    let end = at + bytes.len();
    if bytes.len() >= LARGE {
        out[at..end].copy_from_slice(bytes);
        return end;
    }
    let (pieces, rest) = bytes.as_chunks::<PIECE>();
    for (at, piece) in (at..).step_by(PIECE).zip(pieces) {
        store(out, at, piece);
    }
    if !rest.is_empty() {
        ends::<PIECE>(out, at, bytes)
            .or_else(|| ends::<8>(out, at, bytes))
            .or_else(|| ends::<4>(out, at, bytes))
            .unwrap_or_else(|| out[at..end].copy_from_slice(bytes));
    }
    end
}

/// The first and the last piece, which overlap or leave out what was written already.
#[inline(always)]
fn ends<const N: usize>(out: &mut [u8], at: usize, bytes: &[u8]) -> Option<()> {
    store::<N>(out, at, bytes.first_chunk()?);
    store::<N>(out, at + bytes.len() - N, bytes.last_chunk()?);
    Some(())
}

#[cold]
fn full() -> ! {
    panic!("a row is longer than it was said to get")
}

/// Bytes that the rows of a block take at most.
#[derive(Debug)]
pub struct Rooms<'r> {
    rooms: &'r mut [u64],
}

impl<'r> Rooms<'r> {
    pub(crate) fn new(rooms: &'r mut [u64]) -> Self {
        Self { rooms }
    }

    /// So many bytes more for each.
    pub fn add(&mut self, bytes: u64) {
        for room in &mut *self.rooms {
            *room = room.saturating_add(bytes);
        }
    }

    /// What each row takes by its place among them.
    #[inline(always)]
    pub fn add_each(&mut self, sizes: impl Iterator<Item = u64>) {
        for (room, size) in self.rooms.iter_mut().zip(sizes) {
            *room = room.saturating_add(size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_any_number_arrive() {
        let bytes: Vec<u8> = (0..=255).cycle().take(2_000).collect();
        for len in (0..100).chain([511, 512, 1_999, 2_000]) {
            for from in [0, bytes.len() - len] {
                let mut out = vec![0xaa; len + 3 + SLACK];
                let mut lane = Lane { at: 3, index: 0 };
                lane.put_range(&mut out, &bytes, from..from + len);
                assert_eq!(lane.at, 3 + len);
                assert_eq!(out[..3], [0xaa; 3]);
                assert_eq!(out[3..3 + len], bytes[from..from + len]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "longer than it was said")]
    fn a_full_region_is_no_undefined_behaviour() {
        store(&mut [0; 15], 0, &[0; 16]);
    }
}

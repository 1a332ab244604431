//! Rows to payloads, a block of rows at a time.

use std::ops::Range;

use super::payloads::PayloadBuilder;
use crate::arrays::Validity;
use crate::lanes::{Lane, Literal, Rooms, SLACK};

/// Rows that are looked at together.
const ROWS: usize = 256;
/// Bytes of the regions of one block; the region of one row may be larger.
const BLOCK: usize = 128 << 10;
/// Memory that is kept for the next block: more than that only a large row needs.
const KEPT: usize = 4 * BLOCK;
/// Bytes that are copied at once.
const PIECE: usize = 32;
/// Payloads of more bytes are copied by what the engine copies with: a call out of the component.
const LARGE: usize = 1 << 10;

/// What rows of a batch are written by: a plan with the batch's buffers.
pub trait WriteRows {
    /// What is wrong with a row.
    type Stop;

    /// Adds the bytes that each of these rows takes at most.
    fn room(&self, rows: Range<usize>, rooms: &mut Rooms<'_>);

    /// Writes the rows of these lanes, all of them or none.
    ///
    /// # Errors
    /// What is wrong with one of them, which is found by writing them one by one.
    fn write(&self, lanes: &mut [Lane], out: &mut [u8]) -> Result<(), Self::Stop>;

    /// What is wrong, for people.
    fn reason(&self, stop: Self::Stop) -> String;

    /// Looks at what was written, without what comes before it in each message.
    ///
    /// # Errors
    /// For people: what is wrong with it.
    fn check(&self, _payload: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

/// The regions of one block. Their memory is kept for the next.
#[derive(Debug, Default)]
pub(super) struct Block {
    bytes: Vec<u8>,
    /// Where each lane began, prefix and all.
    starts: Vec<usize>,
    lanes: Vec<Lane>,
}

impl Block {
    #[inline(never)]
    /// Gets ready for these rows, of which some may have no payload.
    fn begin(
        &mut self,
        rows: Range<usize>,
        rooms: &[u64],
        prefix: &Literal,
        is_there: impl Fn(usize) -> bool,
    ) {
        self.starts.clear();
        self.lanes.clear();
        let sizes = rooms.iter().sum::<u64>().saturating_add(PIECE as u64);
        // More than there can be fails as any allocation that is too large.
        let sizes = usize::try_from(sizes).unwrap_or(usize::MAX);
        if self.bytes.len() < sizes || self.bytes.len() > sizes.max(KEPT) {
            self.bytes = vec![0; sizes.max(BLOCK)];
        }
        let mut at = 0;
        for (index, room) in rows.zip(rooms) {
            if is_there(index) {
                let mut lane = Lane { at, index };
                prefix.put(&mut lane, &mut self.bytes);
                self.starts.push(at);
                self.lanes.push(lane);
                at += usize::try_from(*room).unwrap_or(usize::MAX);
            }
        }
    }
}

/// The first rooms that go into one block: one at least.
fn fitting(rooms: &[u64]) -> &[u64] {
    let mut size = 0;
    let fits = |room: &&u64| {
        size = room.saturating_add(size);
        size <= BLOCK as u64
    };
    let count = rooms.iter().take_while(fits).count();
    &rooms[..count.max(1)]
}

impl PayloadBuilder {
    /// Writes `count` rows; those that are not valid have no payload.
    pub fn write_rows(
        &mut self,
        count: usize,
        validity: Option<Validity<'_>>,
        writer: &impl WriteRows,
    ) {
        let prefix = Literal::new(&self.prefix);
        let is_there = |row| validity.is_none_or(|validity| validity.is_valid(row));
        let mut block = std::mem::take(&mut self.block);
        let mut rooms = [0; ROWS];
        for start in (0..count).step_by(ROWS) {
            let rooms = &mut rooms[..ROWS.min(count - start)];
            rooms.fill((prefix.len() + SLACK) as u64);
            writer.room(start..start + rooms.len(), &mut Rooms::new(rooms));
            let mut next = 0;
            while next < rooms.len() {
                let rooms = fitting(&rooms[next..]);
                let rows = start + next..start + next + rooms.len();
                next += rooms.len();
                block.begin(rows.clone(), rooms, &prefix, is_there);
                self.write_block(rows, &mut block, &prefix, writer);
            }
        }
        self.block = block;
    }

    #[inline(never)]
    fn write_block<W: WriteRows>(
        &mut self,
        rows: Range<usize>,
        block: &mut Block,
        prefix: &Literal,
        writer: &W,
    ) {
        let Block {
            bytes,
            starts,
            lanes,
        } = block;
        let all = writer.write(lanes, bytes);
        let mut starts = starts.iter().copied().peekable();
        let mut lanes = lanes.iter_mut().peekable();
        for row in rows {
            let Some(lane) = lanes.next_if(|lane| lane.index == row) else {
                self.null();
                continue;
            };
            let start = starts.next().unwrap_or_default();
            let written = match all {
                Ok(()) => Ok(()),
                // One of them cannot be written: all once more, each for itself.
                Err(_) => {
                    lane.at = start + prefix.len();
                    writer.write(std::slice::from_mut(lane), bytes)
                }
            };
            let checked = match written {
                Ok(()) => writer.check(&bytes[start + prefix.len()..lane.at]),
                Err(stop) => Err(writer.reason(stop)),
            };
            match checked {
                Ok(()) => append(&mut self.bytes, bytes, start..lane.at),
                Err(reason) => self.fail(reason),
            }
            self.end();
        }
    }
}

/// Appends a payload.
#[inline(never)]
fn append(bytes: &mut Vec<u8>, from: &[u8], payload: Range<usize>) {
    let Range { start, end } = payload;
    if end - start > LARGE {
        bytes.extend_from_slice(&from[start..end]);
        return;
    }
    let new_end = bytes.len() + end - start;
    // What lies behind its end comes along, and is cut off.
    bytes.reserve(LARGE + PIECE);
    for at in (start..end).step_by(PIECE) {
        if let Some(piece) = from.get(at..).and_then(<[u8]>::first_chunk::<PIECE>) {
            bytes.extend_from_slice(piece);
        }
    }
    bytes.truncate(new_end);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes each row as so many times the same letter, but not 13 of them.
    struct Letters;

    impl WriteRows for Letters {
        type Stop = usize;

        fn room(&self, rows: Range<usize>, rooms: &mut Rooms<'_>) {
            let bounds: Vec<usize> = (rows.start..=rows.end).collect();
            rooms.add_each(&bounds, |rows| rows.start as u64);
        }

        fn write(&self, lanes: &mut [Lane], out: &mut [u8]) -> Result<(), usize> {
            for lane in lanes {
                if lane.index == 13 {
                    return Err(lane.index);
                }
                lane.put_slice(out, &vec![b'x'; lane.index]);
            }
            Ok(())
        }

        fn reason(&self, stop: usize) -> String {
            format!("{stop} letters")
        }

        fn check(&self, payload: &[u8]) -> Result<(), String> {
            if payload.len() == 300 {
                return Err("300 of them".to_owned());
            }
            Ok(())
        }
    }

    #[test]
    fn every_row_has_its_payload_or_its_fault() {
        // All but every seventh.
        let bits: Vec<u8> = (0..200)
            .map(|byte| (0..8).fold(0, |bits, bit| bits | u8::from((byte * 8 + bit) % 7 != 0) << bit))
            .collect();
        let array = crate::rows::Array {
            len: 1_600,
            null_count: 1,
            buffers: vec![bits],
        };
        let mut payloads = PayloadBuilder::new(b"<>".to_vec());
        for _ in 0..2 {
            payloads.begin(1_600);
            payloads.write_rows(1_600, Validity::of(&array), &Letters);
            let encoded = payloads.finish(None);
            let mut expected = Vec::new();
            for (row, ends) in encoded.payloads.offsets.windows(2).enumerate() {
                if row % 7 != 0 && row != 13 && row != 300 {
                    expected.extend_from_slice(b"<>");
                    expected.resize(expected.len() + row, b'x');
                }
                assert_eq!(ends[1] as usize, expected.len(), "{row}");
            }
            assert_eq!(encoded.payloads.bytes, expected);
            let errors: Vec<_> = encoded
                .errors
                .iter()
                .map(|error| (error.row, error.reason.as_str()))
                .collect();
            assert_eq!(errors, [(13, "13 letters"), (300, "300 of them")]);
            let validity = encoded.validity.unwrap();
            assert!((0..1_600).all(|row| (validity[row / 8] >> (row % 8) & 1 == 1) == (row % 7 != 0)));
        }
    }

    #[test]
    fn a_block_is_full_before_it_is_large() {
        assert_eq!(fitting(&[1 << 20, 1]).len(), 1);
        assert_eq!(fitting(&[1, BLOCK as u64 - 1, 1]).len(), 2);
        assert_eq!(fitting(&[u64::MAX, u64::MAX]).len(), 1);
    }
}

//! Rows to payloads, a block of rows at a time.

use std::ops::Range;

use super::payloads::PayloadBuilder;
use crate::arrays::Validity;
use crate::lanes::{Lane, Literal, Rooms, SLACK, store};

/// Rows that are looked at together.
const ROWS: usize = 256;
/// Bytes of the regions of one block; the region of one row may be larger.
const BLOCK: usize = 128 << 10;
/// Memory that is kept for the next block: more than that only a large row needs.
const KEPT: usize = 4 * BLOCK;
/// Bytes that are copied at once.
const PIECE: usize = 64;
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

    /// Whether [`check`](Self::check) looks at anything.
    fn checks(&self) -> bool {
        false
    }

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
    /// Gets ready for these rows.
    #[inline(never)]
    fn begin(
        &mut self,
        rows: Range<usize>,
        rooms: &[u64],
        prefix: &Literal,
        validity: Option<Validity<'_>>,
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
        let lanes = rows.zip(rooms).map(|(index, room)| {
            let lane = Lane { at, index };
            at += usize::try_from(*room).unwrap_or(usize::MAX);
            lane
        });
        match validity {
            None => self.lanes.extend(lanes),
            Some(validity) => {
                let there = lanes.filter(|lane| validity.is_valid(lane.index));
                self.lanes.extend(there);
            }
        }
        self.starts.extend(self.lanes.iter().map(|lane| lane.at));
        for lane in &mut self.lanes {
            prefix.put(lane, &mut self.bytes);
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
                block.begin(rows.clone(), rooms, &prefix, validity);
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
        if all.is_ok() && lanes.len() == rows.len() && !writer.checks() {
            append_all(bytes, starts, lanes, &mut self.bytes, &mut self.offsets);
            return;
        }
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
                Ok(()) => self.bytes.extend_from_slice(&bytes[start..lane.at]),
                Err(reason) => self.fail(reason),
            }
            self.end();
        }
    }
}

/// Appends payloads, and where each ends.
#[inline(never)]
fn append_all(
    from: &[u8],
    starts: &[usize],
    lanes: &[Lane],
    bytes: &mut Vec<u8>,
    offsets: &mut Vec<u32>,
) {
    let mut at = bytes.len();
    let sizes = starts
        .iter()
        .zip(lanes)
        .map(|(start, lane)| lane.at - start);
    let end = at + sizes.clone().sum::<usize>();
    // What lies behind the end of a payload comes along, and is overwritten by the next.
    bytes.resize(end + PIECE, 0);
    for (start, lane) in starts.iter().zip(lanes) {
        if lane.at - start > LARGE {
            bytes[at..at + lane.at - start].copy_from_slice(&from[*start..lane.at]);
        } else {
            let mut to = at;
            for piece in (*start..lane.at).step_by(PIECE) {
                let piece = from.get(piece..).and_then(<[u8]>::first_chunk::<PIECE>);
                store(bytes, to, piece.unwrap_or(&[0; PIECE]));
                to += PIECE;
            }
        }
        at += lane.at - start;
    }
    bytes.truncate(end);
    let mut end = offsets.last().copied().unwrap_or_default();
    offsets.extend(sizes.map(|size| {
        // A plug-in's memory has less than 4 GiB.
        end = end.saturating_add(u32::try_from(size).unwrap_or(u32::MAX));
        end
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes each row as so many times the same letter, but not 13 of them.
    struct Letters(bool);

    impl WriteRows for Letters {
        type Stop = usize;

        fn room(&self, rows: Range<usize>, rooms: &mut Rooms<'_>) {
            rooms.add_each(rows.map(|row| row as u64));
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

        fn checks(&self) -> bool {
            self.0
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
            .map(|byte| {
                (0..8).fold(0, |bits, bit| {
                    bits | u8::from((byte * 8 + bit) % 7 != 0) << bit
                })
            })
            .collect();
        let array = crate::rows::Array {
            len: 1_600,
            null_count: 1,
            buffers: vec![bits],
        };
        let mut payloads = PayloadBuilder::new(b"<>".to_vec());
        for _ in 0..2 {
            payloads.begin(1_600);
            payloads.write_rows(1_600, Validity::of(&array), &Letters(true));
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
            assert!(
                (0..1_600).all(|row| (validity[row / 8] >> (row % 8) & 1 == 1) == (row % 7 != 0))
            );
        }
    }

    #[test]
    fn payloads_of_all_sizes_lie_end_to_end() {
        let mut payloads = PayloadBuilder::new(b"<>".to_vec());
        payloads.begin(1_600);
        payloads.write_rows(1_600, None, &Letters(false));
        let encoded = payloads.finish(None);
        let mut expected = Vec::new();
        for (row, ends) in encoded.payloads.offsets.windows(2).enumerate() {
            if row != 13 {
                expected.extend_from_slice(b"<>");
                expected.resize(expected.len() + row, b'x');
            }
            assert_eq!(ends[1] as usize, expected.len(), "{row}");
        }
        assert_eq!(encoded.payloads.bytes, expected);
        assert_eq!(encoded.errors.len(), 1);
    }

    #[test]
    fn a_block_is_full_before_it_is_large() {
        assert_eq!(fitting(&[1 << 20, 1]).len(), 1);
        assert_eq!(fitting(&[1, BLOCK as u64 - 1, 1]).len(), 2);
        assert_eq!(fitting(&[u64::MAX, u64::MAX]).len(), 1);
    }
}

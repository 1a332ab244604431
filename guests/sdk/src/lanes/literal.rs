//! The same bytes for many rows, such as the name of a member.

use super::{Lane, PIECE, Room, store};

/// Bytes in pieces.
#[derive(Clone, Debug, Default)]
pub struct Literal {
    first: [u8; PIECE],
    rest: Vec<[u8; PIECE]>,
    len: usize,
}

impl Literal {
    /// These bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut pieces = bytes.chunks(PIECE).map(|bytes| {
            let mut piece = [0; PIECE];
            piece[..bytes.len()].copy_from_slice(bytes);
            piece
        });
        Self {
            first: pieces.next().unwrap_or_default(),
            rest: pieces.collect(),
            len: bytes.len(),
        }
    }

    /// How many there are.
    #[inline(always)]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes them.
    ///
    /// # Panics
    /// If the row's region is full.
    #[inline(always)]
    pub fn put(&self, lane: &mut Lane, out: &mut [u8]) {
        store(out, lane.at, &self.first);
        if !self.rest.is_empty() {
            self.put_rest(lane.at + PIECE, out);
        }
        lane.at += self.len;
    }

    /// The same as one piece, if it fits in one.
    #[must_use]
    pub fn short(&self) -> Option<Short> {
        let short = Short {
            piece: self.first,
            len: self.len,
        };
        self.rest.is_empty().then_some(short)
    }

    #[inline(never)]
    fn put_rest(&self, mut at: usize, out: &mut [u8]) {
        for piece in &self.rest {
            store(out, at, piece);
            at += PIECE;
        }
    }
}

/// A literal of one piece: writing it takes no call, with which a loop would keep little in
/// registers. By default it is empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Short {
    piece: [u8; PIECE],
    len: usize,
}

impl Short {
    /// Writes it.
    ///
    /// # Panics
    /// If the row's region is full.
    #[inline(always)]
    pub fn put(self, lane: &mut Lane, out: &mut [u8]) {
        lane.put(out, &self.piece, self.len);
    }

    /// Writes it.
    #[inline(always)]
    pub fn put_in(self, room: &mut Room<'_>) {
        room.put(&self.piece, self.len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::SLACK;

    #[test]
    fn literals_of_any_length() {
        for len in 0..70 {
            let bytes: Vec<u8> = (1..).take(len).collect();
            let literal = Literal::new(&bytes);
            assert_eq!((literal.len(), literal.is_empty()), (len, len == 0));
            let mut out = vec![0; len + 1 + SLACK];
            let mut lane = Lane { at: 1, index: 0 };
            literal.put(&mut lane, &mut out);
            assert_eq!(lane.at, 1 + len);
            assert_eq!(out[1..=len], bytes);
            assert_eq!(literal.short().is_some(), len <= PIECE);
            if let Some(short) = literal.short() {
                let (mut again, mut lane) = (vec![0; out.len()], Lane { at: 1, index: 0 });
                short.put(&mut lane, &mut again);
                assert_eq!((lane.at, &again), (1 + len, &out));
            }
        }
    }
}

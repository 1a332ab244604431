//! A column of messages, checked.

use thiserror::Error;

/// A column of messages that does not hold together.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ShapeError {
    /// Offsets must start at 0, never decrease and end at the number of bytes.
    #[error("the offsets of the messages do not fit their bytes")]
    Offsets,
    /// The validity bitmap has too few bits.
    #[error("the validity bitmap is shorter than the messages")]
    Validity,
}

/// The messages of one batch: message `i` is `bytes[offsets[i]..offsets[i + 1]]`.
#[derive(Clone, Copy, Debug)]
pub struct Messages<'a> {
    len: u32,
    offsets: &'a [u32],
    bytes: &'a [u8],
    validity: Option<&'a [u8]>,
}

impl<'a> Messages<'a> {
    /// Checks the columns: one offset more than messages, and an Arrow bitmap of those that are
    /// not null.
    ///
    /// # Errors
    /// They contradict each other.
    pub fn new(
        offsets: &'a [u32],
        bytes: &'a [u8],
        validity: Option<&'a [u8]>,
    ) -> Result<Self, ShapeError> {
        let fits = offsets.first() == Some(&0)
            && offsets.is_sorted()
            && offsets
                .last()
                .is_some_and(|end| *end as usize == bytes.len());
        if !fits {
            return Err(ShapeError::Offsets);
        }
        let messages = offsets.len() - 1;
        if validity.is_some_and(|bits| bits.len() < messages.div_ceil(8)) {
            return Err(ShapeError::Validity);
        }
        let len = u32::try_from(messages).map_err(|_| ShapeError::Offsets)?;
        Ok(Self {
            len,
            offsets,
            bytes,
            validity,
        })
    }

    /// All messages end to end.
    #[inline(always)]
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Number of messages.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Start and end of a message in the bytes.
    ///
    /// # Panics
    /// If there is no such message.
    #[inline(always)]
    #[must_use]
    pub fn range(&self, message: u32) -> (usize, usize) {
        let at = message as usize;
        (self.offsets[at] as usize, self.offsets[at + 1] as usize)
    }

    /// Each message from `first` to before `last`, with its start and end in the bytes.
    ///
    /// # Panics
    /// If there are no such messages.
    #[inline(always)]
    pub fn ranges(&self, first: u32, last: u32) -> impl Iterator<Item = (u32, [usize; 2])> {
        let offsets = &self.offsets[first as usize..=last as usize];
        let ranges = offsets.array_windows();
        (first..).zip(ranges.map(|ends: &[u32; 2]| ends.map(|end| end as usize)))
    }

    /// The bytes of a message.
    ///
    /// # Panics
    /// If there is no such message.
    #[inline(always)]
    #[must_use]
    pub fn message(&self, message: u32) -> &'a [u8] {
        let (start, end) = self.range(message);
        &self.bytes[start..end]
    }

    /// Whether there may be tombstones among them.
    #[must_use]
    pub fn has_nulls(&self) -> bool {
        self.validity.is_some()
    }

    /// Whether a message is there at all: a tombstone is not.
    ///
    /// # Panics
    /// If there is no such message.
    #[inline(always)]
    #[must_use]
    pub fn is_valid(&self, message: u32) -> bool {
        let at = message as usize;
        self.validity
            .is_none_or(|bits| bits[at / 8] >> (at % 8) & 1 == 1)
    }
}

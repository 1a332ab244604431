//! The messages of one batch while they are written.

use crate::messages::Headers;
use crate::rows::MessageError;
use crate::types::BinaryColumn;
use crate::{Encoded, Part};

use super::blocks::Block;
use super::framing::header_name;

/// Payloads that grow row by row; nothing is allocated for a row.
#[derive(Debug, Default)]
pub struct PayloadBuilder {
    /// What each payload begins with.
    pub(super) prefix: Vec<u8>,
    pub(super) offsets: Vec<u32>,
    pub(super) bytes: Vec<u8>,
    /// Rows whose payload is null.
    nulls: Vec<u32>,
    errors: Vec<MessageError>,
    /// Bytes of the batch before, to reserve as many at once.
    used: usize,
    /// Rows under way.
    pub(super) block: Block,
}

impl PayloadBuilder {
    /// Payloads that all begin with these bytes.
    #[must_use]
    pub fn new(prefix: Vec<u8>) -> Self {
        Self {
            prefix,
            ..Self::default()
        }
    }

    /// Gets ready for a batch of so many rows.
    pub fn begin(&mut self, rows: u32) {
        self.offsets.clear();
        self.offsets.reserve(rows as usize + 1);
        self.offsets.push(0);
        self.bytes.clear();
        self.bytes.reserve(self.used + self.used / 16);
        self.nulls.clear();
        self.errors.clear();
    }

    /// Writes the payload of the next row: all of it, or none where that fails.
    #[inline(always)]
    pub fn row(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), String>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&self.prefix);
        let written = write(&mut self.bytes);
        if let Err(reason) = written {
            self.bytes.truncate(start);
            self.fail(reason);
        }
        self.end();
    }

    /// The next row has no payload: a tombstone, or no key.
    pub fn null(&mut self) {
        self.nulls.push(self.next());
        self.end();
    }

    #[cold]
    pub(super) fn fail(&mut self, reason: String) {
        let row = self.next();
        self.errors.push(MessageError { row, reason });
    }

    /// The number of the row under way.
    fn next(&self) -> u32 {
        u32::try_from(self.offsets.len() - 1).unwrap_or(u32::MAX)
    }

    #[inline(always)]
    pub(super) fn end(&mut self) {
        // A plug-in's memory has less than 4 GiB.
        self.offsets
            .push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
    }

    /// Hands over what was written, with this header for each message that has a payload.
    pub fn finish(&mut self, header: Option<(Part, &[u8])>) -> Encoded {
        self.used = self.bytes.len();
        let rows = self.offsets.len() - 1;
        let validity = (!self.nulls.is_empty()).then(|| {
            let mut bits = vec![0xff; rows.div_ceil(8)];
            for row in &self.nulls {
                bits[*row as usize / 8] &= !(1 << (row % 8));
            }
            bits
        });
        let headers = header.map(|(part, value)| self.headers(header_name(part), value));
        Encoded {
            payloads: BinaryColumn {
                offsets: std::mem::take(&mut self.offsets),
                bytes: std::mem::take(&mut self.bytes),
            },
            validity,
            headers,
            errors: std::mem::take(&mut self.errors),
        }
    }

    fn headers(&self, name: &str, value: &[u8]) -> Headers {
        let mut nulls = self.nulls.iter().peekable();
        let mut row_offsets = Vec::with_capacity(self.offsets.len());
        let mut count = 0;
        row_offsets.push(count);
        for row in 0..self.next() {
            if nulls.next_if(|null| **null == row).is_none() {
                count += 1;
            }
            row_offsets.push(count);
        }
        let repeated = |bytes: &[u8]| {
            let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            BinaryColumn {
                offsets: (0..=count).map(|at| at * size).collect(),
                bytes: bytes.repeat(count as usize),
            }
        };
        Headers {
            row_offsets,
            names: repeated(name.as_bytes()),
            values: repeated(value),
            value_validity: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_fails_leaves_nothing() {
        let mut payloads = PayloadBuilder::new(vec![0]);
        payloads.begin(4);
        payloads.row(|bytes| {
            bytes.extend(b"ab");
            Ok(())
        });
        payloads.row(|bytes| {
            bytes.extend(b"xxx");
            Err("no".to_owned())
        });
        payloads.null();
        payloads.row(|_| Ok(()));
        let encoded = payloads.finish(Some((Part::Key, b"id")));
        assert_eq!(encoded.payloads.offsets, [0, 3, 3, 3, 4]);
        assert_eq!(encoded.payloads.bytes, b"\0ab\0");
        assert_eq!(encoded.validity, Some(vec![0b1111_1011]));
        assert_eq!(
            (encoded.errors[0].row, encoded.errors[0].reason.as_str()),
            (1, "no")
        );
        let headers = encoded.headers.unwrap();
        assert_eq!(headers.row_offsets, [0, 1, 2, 2, 3]);
        assert_eq!(headers.names.offsets, [0, 15, 30, 45]);
        assert_eq!(headers.values.bytes, b"ididid");
    }
}

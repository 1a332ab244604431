//! The messages of one call.

use crate::messages::{self, TimestampType};
use crate::types::{BinaryColumn, Validity};
use crate::{Part, Sample};

/// Messages of one topic and partition, in offset order, lent for one call.
///
/// Each getter copies a column into the plug-in: call it once a batch, and only
/// for what is needed. A message is named by its row, counted from 0.
pub struct Batch<'a> {
    source: Source<'a>,
    part: Part,
}

enum Source<'a> {
    Host(&'a messages::Batch),
    Sample(&'a Sample),
}

impl<'a> Batch<'a> {
    /// What the host lent, to a plug-in that was opened for `part`.
    pub(crate) fn lent(batch: &'a messages::Batch, part: Part) -> Self {
        let source = Source::Host(batch);
        Self { source, part }
    }

    /// What a test made.
    pub(crate) fn sample(sample: &'a Sample, part: Part) -> Self {
        let source = Source::Sample(sample);
        Self { source, part }
    }

    /// What the plug-in was opened for.
    #[must_use]
    pub fn part(&self) -> Part {
        self.part
    }

    /// Number of messages, at least 1.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> u32 {
        match self.source {
            Source::Host(batch) => batch.len(),
            Source::Sample(sample) => sample.len(),
        }
    }

    /// Kafka topic.
    #[must_use]
    pub fn topic(&self) -> String {
        match self.source {
            Source::Host(batch) => batch.topic(),
            Source::Sample(sample) => sample.topic.clone(),
        }
    }

    /// Kafka partition.
    #[must_use]
    pub fn partition(&self) -> i32 {
        match self.source {
            Source::Host(batch) => batch.partition(),
            Source::Sample(sample) => sample.partition,
        }
    }

    /// Offset of each message: strictly increasing, not always by one.
    #[must_use]
    pub fn offsets(&self) -> Vec<i64> {
        match self.source {
            Source::Host(batch) => batch.offsets(),
            Source::Sample(sample) => sample.messages.iter().map(|m| m.offset).collect(),
        }
    }

    /// Timestamp of each message, in ms since the epoch; -1 where there is none.
    #[must_use]
    pub fn timestamps(&self) -> Vec<i64> {
        match self.source {
            Source::Host(batch) => batch.timestamps(),
            Source::Sample(sample) => sample.messages.iter().map(|m| m.timestamp).collect(),
        }
    }

    /// What the timestamps of this batch mean.
    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        match self.source {
            Source::Host(batch) => batch.timestamp_type(),
            Source::Sample(_) => TimestampType::CreateTime,
        }
    }

    /// The keys or the values: what a deserializer was opened for. For an
    /// interceptor, the values.
    #[must_use]
    pub fn payloads(&self) -> Payloads {
        match self.part {
            Part::Key => self.keys(),
            Part::Value => self.values(),
        }
    }

    /// The values. A null one is a tombstone, which is not an empty value.
    #[must_use]
    pub fn values(&self) -> Payloads {
        match self.source {
            Source::Host(batch) => Payloads::new(batch.values(), batch.value_validity()),
            Source::Sample(sample) => sample.messages.iter().map(|m| m.value.as_deref()).collect(),
        }
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> Payloads {
        match self.source {
            Source::Host(batch) => Payloads::new(batch.keys(), batch.key_validity()),
            Source::Sample(sample) => sample.messages.iter().map(|m| m.key.as_deref()).collect(),
        }
    }

    /// The headers; `None` when no message of the batch has any.
    #[must_use]
    pub fn headers(&self) -> Option<Headers> {
        match self.source {
            Source::Host(batch) => batch.headers().map(Headers::from),
            Source::Sample(sample) => sample.headers(),
        }
    }
}

/// One byte string a row, some of them null, end to end in one buffer.
#[derive(Debug, Clone)]
pub struct Payloads {
    column: BinaryColumn,
    validity: Validity,
}

impl Payloads {
    /// A column as it is in the WIT contract: `n + 1` offsets into the bytes, and
    /// an Arrow validity bitmap.
    #[must_use]
    pub fn new(column: BinaryColumn, validity: Validity) -> Self {
        Self { column, validity }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.column.offsets.len() - 1
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of a row, or `None` if they are null.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn get(&self, row: u32) -> Option<&[u8]> {
        let row = row as usize;
        self.is_present(row).then(|| self.slice(row))
    }

    /// Each row with its bytes, or `None` where they are null.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Option<&[u8]>)> {
        self.column
            .offsets
            .windows(2)
            .zip(0_u32..)
            .map(|(ends, row)| {
                let bytes = || &self.column.bytes[ends[0] as usize..ends[1] as usize];
                (row, self.is_present(row as usize).then(bytes))
            })
    }

    /// The whole column, nulls included as empty byte strings.
    #[must_use]
    pub fn column(&self) -> &BinaryColumn {
        &self.column
    }

    /// Which rows are not null.
    #[must_use]
    pub fn validity(&self) -> Option<&[u8]> {
        self.validity.as_deref()
    }

    fn slice(&self, row: usize) -> &[u8] {
        let BinaryColumn { offsets, bytes } = &self.column;
        &bytes[offsets[row] as usize..offsets[row + 1] as usize]
    }

    fn is_present(&self, row: usize) -> bool {
        self.validity
            .as_ref()
            .is_none_or(|bits| bits[row / 8] >> (row % 8) & 1 == 1)
    }
}

impl<'a> FromIterator<Option<&'a [u8]>> for Payloads {
    /// # Panics
    /// If they are more than 4 GiB together.
    fn from_iter<I: IntoIterator<Item = Option<&'a [u8]>>>(rows: I) -> Self {
        let mut offsets = vec![0];
        let mut bytes = Vec::new();
        let mut validity = Vec::new();
        let mut all_present = true;
        for (row, payload) in rows.into_iter().enumerate() {
            if row % 8 == 0 {
                validity.push(0);
            }
            validity[row / 8] |= u8::from(payload.is_some()) << (row % 8);
            all_present &= payload.is_some();
            bytes.extend_from_slice(payload.unwrap_or_default());
            offsets.push(u32::try_from(bytes.len()).expect("a column is below 4 GiB"));
        }
        let validity = (!all_present).then_some(validity);
        Self::new(BinaryColumn { offsets, bytes }, validity)
    }
}

/// The headers of all messages of a batch, in Kafka's order, duplicates included.
#[derive(Debug, Clone)]
pub struct Headers {
    row_offsets: Vec<u32>,
    names: Payloads,
    values: Payloads,
}

impl Headers {
    /// Name and value of each header of a row. Names are bytes: Kafka does not
    /// promise UTF-8.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn of(&self, row: u32) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let row = row as usize;
        (self.row_offsets[row]..self.row_offsets[row + 1])
            .map(|header| (self.names.slice(header as usize), self.values.get(header)))
    }
}

impl From<messages::Headers> for Headers {
    fn from(headers: messages::Headers) -> Self {
        Self {
            row_offsets: headers.row_offsets,
            names: Payloads::new(headers.names, None),
            values: Payloads::new(headers.values, headers.value_validity),
        }
    }
}

impl Headers {
    /// From one entry a row in `row_offsets` (`n + 1` of them), and one a header in
    /// `names` and `values`.
    pub(crate) fn new(row_offsets: Vec<u32>, names: Payloads, values: Payloads) -> Self {
        Self {
            row_offsets,
            names,
            values,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_is_not_an_empty_payload() {
        let rows = [Some(b"one".as_slice()), None, Some(b""), Some(b"four")];
        let payloads: Payloads = rows.into_iter().collect();
        assert_eq!(payloads.validity(), Some([0b1101].as_slice()));
        assert_eq!(payloads.column().offsets, [0, 3, 3, 3, 7]);
        let read: Vec<_> = payloads.iter().collect();
        assert_eq!(
            read,
            [(0, rows[0]), (1, rows[1]), (2, rows[2]), (3, rows[3])]
        );
        assert_eq!(payloads.get(1), None);
        assert_eq!(payloads.get(3), Some(b"four".as_slice()));
    }

    #[test]
    fn without_nulls_there_is_no_bitmap() {
        let payloads: Payloads = (0..9).map(|_| Some(b"x".as_slice())).collect();
        assert_eq!(payloads.validity(), None);
        assert_eq!(payloads.len(), 9);
        assert!(Payloads::from_iter([]).is_empty());
    }
}

//! Kafka messages as columns: one batch of one topic and partition.

use std::fmt;
use std::sync::Arc;

/// The header that names the schema of a value in Confluent's wire format v1.
pub(crate) const VALUE_SCHEMA_HEADER: &[u8] = b"__value_schema_id";

/// The same for a key.
pub(crate) const KEY_SCHEMA_HEADER: &[u8] = b"__key_schema_id";

/// One topic and one of its partitions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// Kafka topic.
    pub topic: Arc<str>,
    /// Kafka partition.
    pub partition: i32,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.topic, self.partition)
    }
}

/// What the timestamps of a batch mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampType {
    /// Set by the producer.
    CreateTime,
    /// Set by the broker when it appended the message.
    LogAppendTime,
    /// There are none.
    #[default]
    NotAvailable,
}

/// Messages of one topic and partition, in offset order, as columns.
///
/// Columns are shared: a clone copies no bytes, and a plug-in is lent them as they are.
#[derive(Clone, Debug)]
pub struct MessageBatch {
    /// Where the messages came from.
    pub source: TopicPartition,
    /// Offset of each message; strictly increasing.
    pub offsets: Arc<Vec<i64>>,
    /// Timestamp of each message, in ms since the epoch; -1 for none.
    pub timestamps: Arc<Vec<i64>>,
    /// What the timestamps mean.
    pub timestamp_type: TimestampType,
    /// The epoch of the leader that took the messages (KIP-320), the same for all of them;
    /// `None` where the broker does not say.
    pub leader_epoch: Option<i32>,
    /// Keys; a null key is absent.
    pub keys: NullableColumn,
    /// Values; a null value is a tombstone.
    pub values: NullableColumn,
    /// Headers; `None` when no message has any.
    pub headers: Option<Headers>,
}

/// What messages of one batch have beside their values, as columns that are shared with it.
#[derive(Clone, Debug)]
pub struct Envelopes {
    /// Where the messages came from.
    pub source: TopicPartition,
    /// Offset of each message; strictly increasing.
    pub offsets: Arc<Vec<i64>>,
    /// Timestamp of each message, in ms since the epoch; -1 for none.
    pub timestamps: Arc<Vec<i64>>,
    /// What the timestamps mean.
    pub timestamp_type: TimestampType,
    /// As in [`MessageBatch::leader_epoch`].
    pub leader_epoch: Option<i32>,
    /// Keys; a null key is absent.
    pub keys: NullableColumn,
    /// Headers; `None` when no message has any.
    pub headers: Option<Headers>,
}

/// A column of byte strings: value `i` is `bytes[offsets[i]..offsets[i + 1]]`.
///
/// Invariant: `offsets` has `n + 1` entries, starts at 0, never decreases and ends at
/// `bytes.len()`.
#[derive(Clone, Debug)]
pub struct BinaryColumn {
    /// `n + 1` positions in `bytes`.
    pub offsets: Arc<Vec<u32>>,
    /// All values, end to end.
    pub bytes: Arc<Vec<u8>>,
}

/// A column of byte strings, some of which may be null.
#[derive(Clone, Debug)]
pub struct NullableColumn {
    /// The values; null ones are empty.
    pub column: BinaryColumn,
    /// Arrow validity bitmap, least significant bit first; `None` when nothing is null.
    pub validity: Option<Arc<Vec<u8>>>,
}

/// The headers of all messages of a batch, end to end, in Kafka's order.
#[derive(Clone, Debug)]
pub struct Headers {
    /// Headers before message `i`; `n + 1` entries for `n` messages.
    pub row_offsets: Arc<Vec<u32>>,
    /// Header names, as bytes: Kafka does not promise UTF-8.
    pub names: BinaryColumn,
    /// Header values.
    pub values: NullableColumn,
}

impl MessageBatch {
    /// All but the values. No bytes are copied.
    #[must_use]
    pub fn envelopes(&self) -> Envelopes {
        Envelopes {
            source: self.source.clone(),
            offsets: Arc::clone(&self.offsets),
            timestamps: Arc::clone(&self.timestamps),
            timestamp_type: self.timestamp_type,
            leader_epoch: self.leader_epoch,
            keys: self.keys.clone(),
            headers: self.headers.clone(),
        }
    }

    /// Number of messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there are no messages at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Bytes of keys, values and headers.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.keys.column.bytes.len()
            + self.values.column.bytes.len()
            + self
                .headers
                .as_ref()
                .map_or(0, |h| h.names.bytes.len() + h.values.column.bytes.len())
    }

    /// Number of null values.
    #[must_use]
    pub fn tombstones(&self) -> usize {
        match &self.values.validity {
            None => 0,
            Some(_) => (0..self.len())
                .filter(|&row| !self.values.is_valid(row))
                .count(),
        }
    }

    /// A batch of only these rows, in this order.
    ///
    /// # Panics
    /// If a row is not below [`MessageBatch::len`].
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> MessageBatch {
        let mut selected = BatchBuilder::new(self.source.clone(), Capacity::default());
        selected.timestamp_type = self.timestamp_type;
        selected.leader_epoch = self.leader_epoch;
        for row in rows.iter().map(|&row| row as usize) {
            let fits = selected.push(
                self.offsets[row],
                self.timestamps[row],
                self.keys.get(row),
                self.values.get(row),
            );
            debug_assert!(fits, "a part of a batch is not larger than the batch");
            if let Some(headers) = &self.headers {
                for (name, value) in headers.each(row) {
                    selected.push_header(name, value);
                }
            }
        }
        selected.finish()
    }
}

impl BinaryColumn {
    /// Value `row`.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn get(&self, row: usize) -> &[u8] {
        &self.bytes[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }
}

impl NullableColumn {
    /// Value `row`, `None` when it is null.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        self.is_valid(row).then(|| self.column.get(row))
    }

    /// Whether value `row` is not null.
    #[must_use]
    pub fn is_valid(&self, row: usize) -> bool {
        self.validity
            .as_ref()
            .is_none_or(|bits| bits[row / 8] & (1 << (row % 8)) != 0)
    }
}

impl Headers {
    /// The positions of the headers of message `row` in `names` and `values`.
    ///
    /// # Panics
    /// If there is no such message.
    #[must_use]
    pub fn of(&self, row: usize) -> std::ops::Range<usize> {
        self.row_offsets[row] as usize..self.row_offsets[row + 1] as usize
    }

    /// Name and value of each header of message `row`, in Kafka's order.
    ///
    /// # Panics
    /// If there is no such message.
    pub fn each(&self, row: usize) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.of(row)
            .map(|at| (self.names.get(at), self.values.get(at)))
    }
}

/// How much a [`BatchBuilder`] makes room for at first: what the last batch needed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Capacity {
    rows: usize,
    key_bytes: usize,
    value_bytes: usize,
    headers: usize,
    header_bytes: usize,
}

/// Collects messages into the columns of a [`MessageBatch`].
#[derive(Debug)]
pub struct BatchBuilder {
    source: TopicPartition,
    /// What the timestamps mean.
    pub timestamp_type: TimestampType,
    /// The epoch of the leader that took all of the messages.
    pub leader_epoch: Option<i32>,
    offsets: Vec<i64>,
    timestamps: Vec<i64>,
    keys: ColumnBuilder,
    values: ColumnBuilder,
    /// Headers before each message.
    header_rows: Vec<u32>,
    /// Of all columns together.
    payload_bytes: usize,
    header_names: ColumnBuilder,
    header_values: ColumnBuilder,
}

impl BatchBuilder {
    /// An empty batch of this partition.
    #[must_use]
    pub fn new(source: TopicPartition, capacity: Capacity) -> Self {
        BatchBuilder {
            source,
            timestamp_type: TimestampType::NotAvailable,
            leader_epoch: None,
            offsets: Vec::with_capacity(capacity.rows),
            timestamps: Vec::with_capacity(capacity.rows),
            keys: ColumnBuilder::new(capacity.rows, capacity.key_bytes),
            values: ColumnBuilder::new(capacity.rows, capacity.value_bytes),
            header_rows: Vec::with_capacity(capacity.rows + 1),
            payload_bytes: 0,
            header_names: ColumnBuilder::new(capacity.headers, capacity.header_bytes),
            header_values: ColumnBuilder::new(capacity.headers, capacity.header_bytes),
        }
    }

    /// Number of messages so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there are none yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Bytes of keys, values and headers so far.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    /// Adds a message; its headers follow by [`BatchBuilder::push_header`].
    ///
    /// Returns false, and adds nothing, when the batch would grow past 4 GiB, which is the
    /// most that positions in a column can say: finish this batch and start the next.
    #[must_use]
    #[inline]
    pub fn push(
        &mut self,
        offset: i64,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> bool {
        if !self.take_room(key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len)) {
            return false;
        }
        self.offsets.push(offset);
        self.timestamps.push(timestamp);
        self.keys.push(key);
        self.values.push(value);
        self.header_rows.push(self.header_names.count());
        true
    }

    /// Adds a header to the last message pushed.
    ///
    /// # Panics
    /// If there is no message yet, or the batch would exceed 4 GiB (a broker's
    /// `message.max.bytes` is far below, and batches are cut by bytes).
    #[inline]
    pub fn push_header(&mut self, name: &[u8], value: Option<&[u8]>) {
        assert!(!self.offsets.is_empty(), "headers belong to a message");
        assert!(self.take_room(name.len() + value.map_or(0, <[u8]>::len)));
        self.header_names.push(Some(name));
        self.header_values.push(value);
    }

    /// One check for all columns: each holds a part of the payload.
    fn take_room(&mut self, more: usize) -> bool {
        let bytes = self.payload_bytes + more;
        let fits = u32::try_from(bytes).is_ok();
        if fits {
            self.payload_bytes = bytes;
        }
        fits
    }

    /// The batch, which takes the memory, and how much the next one will need.
    #[must_use]
    pub fn finish_with_capacity(self) -> (MessageBatch, Capacity) {
        let capacity = Capacity {
            rows: self.offsets.len(),
            key_bytes: self.keys.bytes.len(),
            value_bytes: self.values.bytes.len(),
            headers: self.header_names.count() as usize,
            header_bytes: self
                .header_names
                .bytes
                .len()
                .max(self.header_values.bytes.len()),
        };
        (self.finish(), capacity)
    }

    /// The batch.
    #[must_use]
    pub fn finish(mut self) -> MessageBatch {
        let headers = (self.header_names.count() > 0).then(|| {
            self.header_rows.push(self.header_names.count());
            Headers {
                row_offsets: Arc::new(self.header_rows),
                names: self.header_names.finish().column,
                values: self.header_values.finish(),
            }
        });
        MessageBatch {
            source: self.source,
            offsets: Arc::new(self.offsets),
            timestamps: Arc::new(self.timestamps),
            timestamp_type: self.timestamp_type,
            leader_epoch: self.leader_epoch,
            keys: self.keys.finish(),
            values: self.values.finish(),
            headers,
        }
    }
}

#[derive(Debug)]
struct ColumnBuilder {
    offsets: Vec<u32>,
    bytes: Vec<u8>,
    /// Rows that are null; nearly always none.
    nulls: Vec<u32>,
}

impl ColumnBuilder {
    fn new(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        ColumnBuilder {
            offsets,
            bytes: Vec::with_capacity(bytes),
            nulls: Vec::new(),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "fewer than 2^32 rows and bytes: see take_room"
    )]
    fn push(&mut self, value: Option<&[u8]>) {
        match value {
            Some(value) => self.bytes.extend_from_slice(value),
            None => self.nulls.push(self.offsets.len() as u32 - 1),
        }
        self.offsets.push(self.bytes.len() as u32);
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "fewer than 2^32 rows: each takes room in a u32 column"
    )]
    fn count(&self) -> u32 {
        self.offsets.len() as u32 - 1
    }

    fn finish(self) -> NullableColumn {
        let rows = self.offsets.len() - 1;
        let validity = (!self.nulls.is_empty()).then(|| {
            let mut bits = vec![0xff_u8; rows.div_ceil(8)];
            for &row in &self.nulls {
                bits[row as usize / 8] &= !(1 << (row % 8));
            }
            Arc::new(bits)
        });
        NullableColumn {
            column: BinaryColumn {
                offsets: Arc::new(self.offsets),
                bytes: Arc::new(self.bytes),
            },
            validity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> TopicPartition {
        TopicPartition {
            topic: "orders".into(),
            partition: 3,
        }
    }

    fn sample() -> MessageBatch {
        let mut b = BatchBuilder::new(source(), Capacity::default());
        assert!(b.push(10, 1, Some(b"k0"), Some(b"v0")));
        assert!(b.push(11, 2, None, None));
        b.push_header(b"a", Some(b"1"));
        b.push_header(b"a", None);
        assert!(b.push(15, 3, Some(b""), Some(b"")));
        assert!(b.push(16, -1, Some(b"k3"), Some(b"v3")));
        b.push_header(b"\xff", Some(b""));
        b.finish()
    }

    #[test]
    fn null_is_not_empty() {
        let b = sample();
        assert_eq!(b.values.get(1), None);
        assert_eq!(b.values.get(2), Some(&b""[..]));
        assert_eq!(b.keys.get(1), None);
        assert_eq!(b.keys.get(2), Some(&b""[..]));
        assert_eq!(b.tombstones(), 1);
        assert_eq!(*b.values.column.offsets, vec![0, 2, 2, 2, 4]);
    }

    #[test]
    fn headers_keep_order_duplicates_and_nulls() {
        let b = sample();
        let h = b.headers.as_ref().expect("has headers");
        assert_eq!(*h.row_offsets, vec![0, 0, 2, 2, 3]);
        assert_eq!(
            h.of(1)
                .map(|i| (h.names.get(i), h.values.get(i)))
                .collect::<Vec<_>>(),
            [(&b"a"[..], Some(&b"1"[..])), (&b"a"[..], None),]
        );
        assert_eq!(h.names.get(2), b"\xff");
        assert_eq!(h.values.get(2), Some(&b""[..]));
    }

    #[test]
    fn select_is_the_same_rows() {
        let b = sample();
        let s = b.select(&[1, 3]);
        assert_eq!(*s.offsets, vec![11, 16]);
        assert_eq!(s.values.get(0), None);
        assert_eq!(s.values.get(1), Some(&b"v3"[..]));
        let h = s.headers.as_ref().expect("has headers");
        assert_eq!(*h.row_offsets, vec![0, 2, 3]);
        assert!(b.select(&[0]).headers.is_none());
    }
}

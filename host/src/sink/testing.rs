//! Rows for the tests of sinks.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};

use crate::batch::{BatchBuilder, Capacity, TimestampType, TopicPartition};
use crate::rows::{RowOrigins, Rows};

/// One column, `n`.
pub(crate) fn numbers(range: Range<i64>) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(range));
    RecordBatch::try_from_iter([("n", column)]).unwrap()
}

/// Another schema: one column, `word`.
pub(super) fn words(words: &[&str]) -> RecordBatch {
    let column: ArrayRef = Arc::new(StringArray::from(words.to_vec()));
    RecordBatch::try_from_iter([("word", column)]).unwrap()
}

/// Rows of partition 3 of `orders`, from offset 100 on, with timestamps from 1,000 ms on. The
/// messages have no keys and no headers.
pub(crate) fn rows_of(rows: RecordBatch) -> Rows {
    let messages = vec![Message::default(); rows.num_rows()];
    rows_from(rows, &messages)
}

/// What a message has beside its value.
#[derive(Clone, Debug, Default)]
pub(super) struct Message {
    pub(super) key: Option<&'static [u8]>,
    pub(super) headers: Vec<(&'static [u8], Option<&'static [u8]>)>,
}

/// The same, from messages with these keys and headers.
pub(super) fn rows_from(rows: RecordBatch, messages: &[Message]) -> Rows {
    let source = TopicPartition {
        topic: Arc::from("orders"),
        partition: 3,
    };
    let mut batch = BatchBuilder::new(source, Capacity::default());
    batch.timestamp_type = TimestampType::CreateTime;
    for (n, message) in (0..).zip(messages) {
        assert!(batch.push(100 + n, 1_000 + n, message.key, Some(b"value")));
        for (name, value) in &message.headers {
            batch.push_header(name, *value);
        }
    }
    Rows {
        rows,
        messages: batch.finish().envelopes(),
        origins: RowOrigins::Identity,
        event_times: None,
        watermark: None,
        encoded: Default::default(),
        tombstones: None,
    }
}

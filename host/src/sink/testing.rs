//! Rows for the tests of sinks.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};

use crate::batch::TopicPartition;
use crate::rows::Rows;

/// One column, `n`.
pub(super) fn numbers(range: Range<i64>) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(range));
    RecordBatch::try_from_iter([("n", column)]).unwrap()
}

/// Another schema: one column, `word`.
pub(super) fn words(words: &[&str]) -> RecordBatch {
    let column: ArrayRef = Arc::new(StringArray::from(words.to_vec()));
    RecordBatch::try_from_iter([("word", column)]).unwrap()
}

/// Rows of partition 3 of `orders`, from offset 100 on, with timestamps from 1,000 ms on.
pub(super) fn rows_of(rows: RecordBatch) -> Rows {
    let count = i64::try_from(rows.num_rows()).unwrap();
    Rows {
        source: TopicPartition {
            topic: Arc::from("orders"),
            partition: 3,
        },
        rows,
        offsets: Arc::new((100..100 + count).collect()),
        timestamps: Arc::new((1_000..1_000 + count).collect()),
        event_times: None,
        watermark: None,
    }
}

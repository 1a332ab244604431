//! Decoded rows of one batch, still tied to the messages they came from.

use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::batch::TopicPartition;
use crate::event_time::Times;

/// Rows of one schema that came from messages of one topic and partition.
///
/// Invariant: `offsets.len() == rows.num_rows()`, never decreasing.
#[derive(Clone, Debug)]
pub struct Rows {
    /// Where the messages came from.
    pub source: TopicPartition,
    /// The rows. Batches with equal schemas share one `SchemaRef`.
    pub rows: RecordBatch,
    /// The Kafka offset of the message behind each row.
    pub offsets: Arc<Vec<i64>>,
    /// The timestamp of the message behind each row, in ms since the epoch; -1 for none.
    pub timestamps: Arc<Vec<i64>>,
    /// The event time of each row; `None` where it is not tracked.
    pub event_times: Option<Times>,
    /// The watermark after these rows, in ms since the epoch: none below it is expected to come.
    /// It never goes back from one batch to the next.
    pub watermark: Option<i64>,
}

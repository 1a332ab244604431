//! Decoded rows of one batch, still tied to the messages they came from.

mod encoded;
mod key_column;
mod metadata;
mod path;
mod tombstones;
mod widening;

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use arrow::error::ArrowError;

use crate::batch::Envelopes;
use crate::event_time::Times;

pub use encoded::{Encoded, EncodedPart, Payloads};
pub use key_column::KeyColumnError;
pub(crate) use key_column::{KeyColumn, Keys};
pub use metadata::{MetadataColumns, MetadataError};
pub use path::ColumnPath;
pub use tombstones::Tombstones;
pub(crate) use tombstones::attach as attach_tombstones;
pub(crate) use widening::Widening;

/// Rows of one schema that came from messages of one topic and partition.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The rows. Batches with equal schemas share one `SchemaRef`.
    pub rows: RecordBatch,
    /// The messages that they came from; some may have no rows here.
    pub messages: Envelopes,
    /// Which of the messages each row came from.
    pub origins: RowOrigins,
    /// The event time of each row; `None` where it is not tracked.
    pub event_times: Option<Times>,
    /// The watermark after these rows, in ms since the epoch: none below it is expected to come.
    /// It never goes back from one batch to the next.
    pub watermark: Option<i64>,
    /// The messages that they become, where a serializer makes them.
    pub encoded: Encoded,
    /// Keys that are deleted before, between and after these rows; `None` where there are none, or
    /// where the sink does not care.
    pub tombstones: Option<Tombstones>,
}

/// The message behind each row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowOrigins {
    /// Row `i` came from message `i`.
    Identity,
    /// One for each row, never decreasing.
    Messages(Vec<u32>),
}

impl Rows {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.num_rows()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The message that row `row` came from, counted in [`Rows::messages`].
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn message(&self, row: usize) -> usize {
        match &self.origins {
            RowOrigins::Identity => row,
            RowOrigins::Messages(messages) => messages[row] as usize,
        }
    }

    /// The message of each row.
    pub fn each_message(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        (0..self.len()).map(|row| self.message(row))
    }

    /// The Kafka offset of the message behind each row.
    pub fn offsets(&self) -> impl ExactSizeIterator<Item = i64> + '_ {
        self.each_message()
            .map(|message| self.messages.offsets[message])
    }

    /// Keeps only some rows.
    ///
    /// # Errors
    /// One of arrow's.
    pub fn keep(&mut self, kept: &BooleanBuffer) -> Result<(), ArrowError> {
        let messages = kept.set_indices().map(|row| self.message(row));
        let messages = messages
            .map(|message| u32::try_from(message).expect("fewer than 2^32 messages"))
            .collect();
        self.rows = filter_record_batch(&self.rows, &BooleanArray::new(kept.clone(), None))?;
        self.origins = RowOrigins::Messages(messages);
        if let Some(times) = &mut self.event_times {
            let values = kept.set_indices().map(|row| times.values[row]);
            times.values = Arc::new(values.collect());
        }
        self.encoded = self.encoded.filter(kept);
        Ok(())
    }

    /// The timestamp of the message behind each row, in ms since the epoch; -1 for none.
    pub fn timestamps(&self) -> impl ExactSizeIterator<Item = i64> + '_ {
        self.each_message()
            .map(|message| self.messages.timestamps[message])
    }
}

//! Where rows go.
//!
//! A sink takes [`Rows`] in order and says how many of them are safe, by counting
//! the writes: offsets are committed for those and for no others.

pub(crate) mod aside;
pub mod discard;
pub mod file;
pub mod json;
pub mod kafka;
pub mod stdout;

#[cfg(test)]
pub(crate) mod testing;

use std::time::Instant;

use arrow::datatypes::DataType;
use crossbeam_channel::Receiver;

use crate::batch::TopicPartition;
use crate::kafka::{LatestStatistics, Renewal};
use crate::rows::Rows;

/// A place for rows. One thread owns it.
pub trait Sink: Send {
    /// Takes rows. They may sit in a buffer, or be on their way, afterwards.
    ///
    /// Blocks while the sink is slow: that is the back-pressure.
    ///
    /// # Errors
    /// [`SinkError`]; the sink is not used any more after one.
    fn write(&mut self, rows: &Rows) -> Result<(), SinkError>;

    /// How many calls of `write`, counted from the first, are durable now.
    ///
    /// Called after each write, and at least every 100 ms while nothing is written, so
    /// that a sink can act on time: roll a file, collect acknowledgements.
    ///
    /// # Errors
    /// [`SinkError`]; the sink is not used any more after one.
    fn durable(&mut self, now: Instant) -> Result<u64, SinkError>;

    /// Makes every write so far durable, and returns when it is.
    ///
    /// # Errors
    /// [`SinkError`]; the sink is not used any more after one.
    fn flush(&mut self) -> Result<(), SinkError>;

    /// The watermark has come this far, in ms since the epoch: what is written after this is below
    /// it only if it is late. Called after all writes for which it did not hold yet, each time
    /// that it has moved, also while nothing is written.
    ///
    /// # Errors
    /// [`SinkError`]; the sink is not used any more after one.
    fn advance(&mut self, _watermark: i64) -> Result<(), SinkError> {
        Ok(())
    }

    /// Whether it has to know how far all partitions of the consumer group are, whichever process
    /// reads them: then it is told by [`Sink::settle`].
    fn settles(&self) -> bool {
        false
    }

    /// All partitions of the consumer group have come this far, in ms since the epoch: of none, a
    /// row below it comes, but late ones. What other processes have read of it is durable. Called
    /// after all writes for which it did not hold yet.
    ///
    /// # Errors
    /// [`SinkError`]; the sink is not used any more after one.
    fn settle(&mut self, _watermark: i64) -> Result<(), SinkError> {
        Ok(())
    }

    /// The statistics of its Kafka client, if it has one.
    fn statistics(&self) -> Option<LatestStatistics> {
        None
    }

    /// Where new certificates and secrets will come from. A sink with a client goes on with them,
    /// without losing or reordering what it has; others have nothing to do.
    fn renew_from(&mut self, _renewals: Receiver<Renewal>) {}
}

/// Why a sink cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The reader of the stream has gone away, as `head` does: a normal end, not a failure.
    #[error("the reader has gone away")]
    Closed,
    /// The operating system refused: a full disk, a missing directory.
    #[error("{what}: {source}")]
    Io {
        /// The file or stream, and what was being done to it.
        what: String,
        /// The system's own error.
        source: std::io::Error,
    },
    /// Rows could not be put into the sink's format.
    #[error("{what}: {source}")]
    Format {
        /// The file or topic, and what was being done.
        what: String,
        /// The library's error.
        source: arrow::error::ArrowError,
    },
    /// The sink's format has no such type: choose another format, or another type.
    #[error("{format} cannot hold column {column:?} of type {data_type}")]
    Unsupported {
        /// The format's name.
        format: &'static str,
        /// The column; inside a struct or list, the path to it, joined with dots.
        column: String,
        /// Its type.
        data_type: DataType,
    },
    /// The rows lack a column that the pipeline file names.
    #[error(
        "sink.kafka.{key}: the rows of {source_partition} have no column `{path}`; they have {columns}"
    )]
    NoColumn {
        /// The key that names it, below `sink.kafka`.
        key: &'static str,
        /// The column.
        path: String,
        /// Where the rows came from.
        source_partition: TopicPartition,
        /// The columns that there are.
        columns: String,
    },
    /// A row names no topic that Kafka could have, and there is no other to take instead.
    #[error(
        "sink.kafka.topic.field: the row of {source_partition} at offset {offset} {found}; give \
         `sink.kafka.topic` for rows without a topic"
    )]
    NoTopic {
        /// Where the row came from.
        source_partition: TopicPartition,
        /// The message it came from.
        offset: i64,
        /// What it has instead.
        found: String,
    },
    /// Kafka did not take messages that were put aside.
    #[error("watermark.side.topic: {what}: {source}")]
    SideTopic {
        /// What was being done, and to which topic.
        what: String,
        /// librdkafka's error.
        source: rdkafka::error::KafkaError,
    },
    /// Kafka did not take the messages, after all of librdkafka's own retries.
    #[error("sink.kafka: {what}: {source}")]
    Kafka {
        /// What was being done, and to which topic.
        what: String,
        /// librdkafka's error.
        source: rdkafka::error::KafkaError,
    },
}

/// What helps against a [`SinkError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing is wrong: end the pipeline, and end it well.
    End,
    /// A new sink after a while, from the last committed offsets.
    Restart,
    /// A person: a new sink would fail in the same way.
    Person,
}

impl SinkError {
    /// What helps against this error.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Closed => Remedy::End,
            Self::Io { .. } => Remedy::Restart,
            Self::Format { .. }
            | Self::Unsupported { .. }
            | Self::NoColumn { .. }
            | Self::NoTopic { .. } => Remedy::Person,
            Self::Kafka { source, .. } | Self::SideTopic { source, .. } => kafka::remedy(source),
        }
    }
}

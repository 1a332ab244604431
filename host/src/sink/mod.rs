//! Where rows go.
//!
//! A sink takes [`Rows`] in order and says how many of them are safe, by counting
//! the writes: offsets are committed for those and for no others.

pub mod json;

use std::time::Instant;

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
}

/// Why a sink cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The operating system refused: a full disk, a missing directory, a closed pipe.
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
    /// Kafka did not take the messages.
    #[error("sink.kafka: {what}: {source}")]
    Kafka {
        /// What was being done.
        what: String,
        /// librdkafka's error.
        source: rdkafka::error::KafkaError,
    },
}

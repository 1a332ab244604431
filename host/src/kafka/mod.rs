//! Kafka: messages in batches, and offsets that are committed when their rows are safe.

mod batching;
mod native;
mod offsets;
mod source;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

pub use offsets::Delivered;
pub use source::SourceError;
pub(crate) use source::{Links, SourceItem, SourcedBatch, client_config, run as run_source};

/// Sends librdkafka's own log to weir's.
#[derive(Debug, Default)]
pub(crate) struct LoggingContext;

impl ClientContext for LoggingContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level as i32, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "kafka", "{error}: {reason}");
    }
}

impl ConsumerContext for LoggingContext {}

/// One line of librdkafka's log, whose levels are those of syslog.
fn log_line(level: i32, facility: &str, message: &str) {
    // These come as errors as well, to whoever can tell what they mean.
    let level = if matches!(facility, "FAIL" | "ERROR") {
        7
    } else {
        level
    };
    match level {
        ..=3 => tracing::error!(target: "kafka", "{facility}: {message}"),
        4 => tracing::warn!(target: "kafka", "{facility}: {message}"),
        5 | 6 => tracing::info!(target: "kafka", "{facility}: {message}"),
        _ => tracing::debug!(target: "kafka", "{facility}: {message}"),
    }
}

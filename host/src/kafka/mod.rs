//! Kafka: messages in batches, and offsets that are committed when their rows are safe.

mod batching;
mod handshake;
mod native;
mod offsets;
mod reach;
mod renewal;
mod source;
mod statistics;
mod tokens;

use std::sync::LazyLock;

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use regex::Regex;

pub(crate) use handshake::explained;
pub(crate) use native::{NativeProducer, Outgoing, TOPICS_MAX, TakenBack};
pub use offsets::Delivered;
pub(crate) use reach::{
    Finding, Outcome, Unreached, Use, acl, attempt, topic as topic_finding, topics as ask_topics,
};
pub(crate) use renewal::set_password;
pub use renewal::{Renewal, try_connection};
pub use source::SourceError;
pub(crate) use source::{Found, PlannedPosition, explore};
pub(crate) use source::{Links, SourceItem, SourcedBatch, run as run_source};
pub use statistics::{
    BrokerStatistics, GroupStatistics, LatestStatistics, PartitionStatistics, Statistics,
    TopicStatistics, Window,
};
pub(crate) use tokens::Tokens;

use crate::config::ClientProperties;

/// What librdkafka is told.
pub(crate) fn client_config(properties: &ClientProperties) -> ClientConfig {
    let mut client = ClientConfig::new();
    // What is shown of it is for weir's own log to say: see `log_line`.
    client.set_log_level(RDKafkaLogLevel::Debug);
    // Those are for weir's own tokens.
    let known = properties
        .iter()
        .filter(|(name, _)| !name.starts_with("sasl.aws."));
    for (name, property) in known {
        client.set(name, &property.value);
    }
    client
}

/// Every property of a client as it will be, by name, those that nobody set included.
///
/// # Errors
/// When librdkafka refuses one.
pub(crate) fn effective(
    properties: &ClientProperties,
) -> Result<Vec<(String, String)>, KafkaError> {
    let config = client_config(properties).create_native_config()?;
    let mut effective = native::dump(&config);
    // What has no text, such as a callback, is shown by where it is in memory.
    effective.retain(|(_, value)| !value.starts_with("0x"));
    // Those of topics are not part of the dump.
    for (name, property) in properties.iter() {
        if !effective.iter().any(|(known, _)| known == name) {
            effective.push((name.to_owned(), property.value.clone()));
        }
    }
    effective.sort();
    Ok(effective)
}

/// Whether one side did not accept the certificate of the other: trying again does not help.
pub(crate) fn is_refused_handshake(code: RDKafkaErrorCode, text: &str) -> bool {
    match code {
        RDKafkaErrorCode::SSL => true,
        // What the broker thinks of a client's certificate it says while it closes.
        RDKafkaErrorCode::BrokerTransportFailure => [
            "certificate verify failed",
            "alert bad certificate",
            "alert certificate",
            "alert unknown ca",
        ]
        .iter()
        .any(|why| text.contains(why)),
        _ => false,
    }
}

/// An error of OpenSSL's without the places in its source and the number that it comes with.
pub(crate) fn without_places(text: &str) -> String {
    static PLACES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\S+\.c:\d+:\w*\s*error:[0-9A-F]+:").expect("a regular expression")
    });
    PLACES.replace_all(text, "").into_owned()
}

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
pub(crate) fn log_line(level: i32, facility: &str, message: &str) {
    // These come as errors as well, to whoever can tell what they mean.
    let is_told = matches!(facility, "FAIL" | "ERROR" | "FATAL" | "OIDC")
        || facility == "SSL" && message.contains("No matching issuer");
    let level = if is_told { 7 } else { level };
    match level {
        ..=3 => tracing::error!(target: "kafka", "{facility}: {message}"),
        4 => tracing::warn!(target: "kafka", "{facility}: {message}"),
        5 | 6 => tracing::info!(target: "kafka", "{facility}: {message}"),
        _ => tracing::debug!(target: "kafka", "{facility}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_openssl_lose_what_only_its_authors_need() {
        let text = "ssl://a:1: SSL handshake failed: ../ssl/statem/statem_clnt.c:1889:tls_post_process_server_certificate \
                    error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified";
        assert_eq!(
            without_places(text),
            "ssl://a:1: SSL handshake failed: SSL routines::certificate verify failed: broker certificate could \
             not be verified"
        );
        assert_eq!(without_places("as it is"), "as it is");
    }

    #[test]
    fn only_handshakes_that_were_refused_end_the_trying() {
        use RDKafkaErrorCode::{BrokerTransportFailure, SSL};
        assert!(is_refused_handshake(SSL, ""));
        let alert = "Disconnected: SSL alert bad certificate";
        assert!(is_refused_handshake(BrokerTransportFailure, alert));
        // A broker that has just begun to listen, say.
        for passing in ["Connection refused", "SSL handshake failed: Disconnected"] {
            assert!(!is_refused_handshake(BrokerTransportFailure, passing));
        }
    }
}

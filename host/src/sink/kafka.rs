//! Rows as JSON objects to a Kafka topic: one message for each row, in the rows' order.
//!
//! Messages have no key, so the partitioner spreads them, and carry the timestamp of the
//! message that they came from. Writes return when librdkafka has taken the messages; its
//! queue is the bound for what is in flight (`queue.buffering.max.messages`,
//! `queue.buffering.max.kbytes`). The producer is idempotent and waits for all in-sync
//! replicas: librdkafka retries by itself for `message.timeout.ms`, without duplicates and
//! without reordering, and what fails after that is the sink's failure.

mod acks;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use self::acks::Acks;
use super::json::JsonRows;
use super::{Remedy, Sink, SinkError};
use crate::config::{KafkaSinkConfig, Serializer};
use crate::kafka::{client_config, is_refused_handshake, log_line, without_places};
use crate::rows::Rows;

/// How long to wait for librdkafka before looking again: a queue with room, the last
/// acknowledgements.
const PAUSE: Duration = Duration::from_millis(1);

/// Produces rows to a topic. Dropped without a flush, it gives up what is in flight.
pub struct KafkaSink {
    producer: BaseProducer<Context>,
    topic: String,
    json: JsonRows,
}

impl KafkaSink {
    /// A producer. No broker is contacted yet.
    ///
    /// # Errors
    /// [`SinkError::Kafka`] for properties that librdkafka refuses.
    pub fn new(config: &KafkaSinkConfig) -> Result<Self, SinkError> {
        let producer = client_config(&config.client)
            .create_with_context(Context::default())
            .map_err(|source| SinkError::Kafka {
                what: format!("creating the producer for topic {}", config.topic),
                source,
            })?;
        let json = match config.serializer {
            Serializer::Json => JsonRows::default(),
        };
        Ok(Self {
            producer,
            topic: config.topic.clone(),
            json,
        })
    }

    /// Serves delivery reports that have come in, without waiting.
    fn collect(&self) -> Result<(), SinkError> {
        // One poll serves one event, which has the reports of one broker's answer.
        loop {
            let before = self.acks(|acks| acks.outstanding());
            self.producer.poll(Duration::ZERO);
            if self.acks(|acks| acks.outstanding()) == before {
                return self.check();
            }
        }
    }

    fn check(&self) -> Result<(), SinkError> {
        if let Some((source, reason)) = self.producer.context().refused.get() {
            return Err(SinkError::Kafka {
                what: format!("connecting, to write topic {}: {reason}", self.topic),
                source: source.clone(),
            });
        }
        match self.acks(|acks| acks.failure()) {
            None => Ok(()),
            Some(source) => {
                Err(self.failed(&format!("delivering to topic {}", self.topic), source))
            }
        }
    }

    /// A fatal error of the client, such as a lost producer id, is the reason behind the
    /// error that a message gets.
    fn failed(&self, what: &str, source: KafkaError) -> SinkError {
        let what = match self.producer.client().fatal_error() {
            Some((_, reason)) => format!("{what} ({reason})"),
            None => what.to_owned(),
        };
        SinkError::Kafka { what, source }
    }

    fn acks<T>(&self, read: impl FnOnce(&Acks) -> T) -> T {
        read(
            &self
                .producer
                .context()
                .acks
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

impl Sink for KafkaSink {
    fn write(&mut self, rows: &Rows) -> Result<(), SinkError> {
        self.json
            .encode(&rows.rows)
            .map_err(|source| SinkError::Format {
                what: format!("writing to topic {}", self.topic),
                source,
            })?;
        let write = self.producer.context().begin(rows.rows.num_rows());
        for (row, payload) in self.json.rows().enumerate() {
            let mut record =
                BaseRecord::<(), [u8], usize>::with_opaque_to(&self.topic, write).payload(payload);
            // Kafka has -1 for none, and librdkafka takes 0 for "now".
            record.timestamp = rows.timestamps.get(row).copied().filter(|&ms| ms > 0);
            while let Err((error, refused)) = self.producer.send(record) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                    let offset = rows.offsets.get(row).copied().unwrap_or(-1);
                    let what = format!(
                        "producing to topic {} the row of {} at offset {offset}",
                        self.topic, rows.source
                    );
                    return Err(self.failed(&what, error));
                }
                self.producer.poll(PAUSE);
                self.check()?;
                record = refused;
            }
        }
        Ok(())
    }

    fn durable(&mut self, _now: Instant) -> Result<u64, SinkError> {
        self.collect()?;
        Ok(self.acks(|acks| acks.durable()))
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.collect()?;
        while self.acks(|acks| acks.outstanding()) > 0 {
            self.producer.poll(PAUSE);
            self.check()?;
        }
        Ok(())
    }
}

/// What helps against an error of the producer.
pub(super) fn remedy(error: &KafkaError) -> Remedy {
    use RDKafkaErrorCode as Code;
    match error {
        KafkaError::MessageProduction(
            Code::MessageSizeTooLarge
            | Code::InvalidRecord
            | Code::InvalidTopic
            | Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::PolicyViolation,
        ) => Remedy::Person,
        KafkaError::MessageProduction(_) => Remedy::Restart,
        _ => Remedy::Person,
    }
}

/// Keeps the account of acknowledgements. Only the sink's own thread polls, so that the
/// lock is never waited for.
#[derive(Default)]
struct Context {
    acks: Mutex<Acks>,
    /// Why brokers will not talk to this client, however often it tries.
    refused: OnceLock<(KafkaError, String)>,
    /// Whether a passing error was told since the last acknowledgement: librdkafka says so with
    /// each attempt, many times a second.
    complained: AtomicBool,
}

impl Context {
    fn begin(&self, messages: usize) -> usize {
        self.acks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .begin(messages)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level as i32, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let acks = || self.acks.lock().unwrap_or_else(PoisonError::into_inner);
        let code = error.rdkafka_error_code();
        let refused = match code {
            Some(RDKafkaErrorCode::Authentication) => true,
            Some(code) => acks().durable() == 0 && is_refused_handshake(code, reason),
            None => false,
        };
        let reason = without_places(reason);
        if refused {
            // The first is told; the others say the same.
            let _ = self.refused.set((error, reason));
        } else if self.complained.swap(true, Ordering::Relaxed) {
            tracing::debug!("{reason} ({error}); still trying");
        } else {
            tracing::warn!("{reason} ({error}); still trying");
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, write: usize) {
        let mut acks = self.acks.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(_) => {
                self.complained.store(false, Ordering::Relaxed);
                acks.acknowledged(write);
            }
            Err((error, _)) => acks.failed(error.clone()),
        }
    }
}

#[cfg(test)]
mod tests;

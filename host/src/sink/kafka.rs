//! Rows to Kafka topics: one message for each row, in the rows' order. What serializers made of
//! rows is written; where there is none, rows are JSON objects.
//!
//! Keys, headers and timestamps are those of the messages that the rows came from, unless the
//! pipeline file says otherwise: a key that was kept keeps its messages in one partition, in
//! order. Writes return when librdkafka has taken the messages; its
//! queue is the bound for what is in flight (`queue.buffering.max.messages`,
//! `queue.buffering.max.kbytes`). The producer is idempotent and waits for all in-sync
//! replicas: librdkafka retries by itself for `message.timeout.ms`, without duplicates and
//! without reordering, and what fails after that is the sink's failure.

pub(super) mod account;
mod acks;
mod fields;
mod reach;
mod renewing;
mod tombstones;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, Producer, ProducerContext};

use arrow::array::ArrayRef;

pub(crate) use self::fields::{Topics, column};
pub(crate) use self::reach::explore;

use self::account::{Account, Accounts};
use self::acks::Acks;
use self::fields::{Bytes, millis, millis_at};
use super::json::JsonRows;
use super::{Remedy, Sink, SinkError};
use crate::batch::{Envelopes, KEY_SCHEMA_HEADER, VALUE_SCHEMA_HEADER};
use crate::config::{KafkaSinkConfig, MessageKey, MessageTimestamp};
use crate::kafka::{
    LatestStatistics, NativeProducer, Outgoing, Renewal, Statistics, TOPICS_MAX, acl,
    client_config, explained, log_line, without_places,
};
use crate::rows::{Payloads, Rows};

/// How long to wait for librdkafka before looking again: a queue with room, the last
/// acknowledgements.
const PAUSE: Duration = Duration::from_millis(1);

/// Produces rows to a topic. Dropped without a flush, it gives up what is in flight.
pub struct KafkaSink {
    producer: NativeProducer<Context>,
    config: Arc<KafkaSinkConfig>,
    json: JsonRows,
    /// How far event time had come before what is written next, as text.
    watermark: Option<String>,
    /// New certificates and secrets.
    renewals: Receiver<Renewal>,
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
                what: format!("creating the producer for {}", config.target()),
                source,
            })?;
        Ok(Self {
            producer: NativeProducer::new(producer, &config.client),
            config: Arc::new(config.clone()),
            json: JsonRows::default(),
            watermark: None,
            renewals: crossbeam_channel::never(),
        })
    }

    /// Puts a message into the producer's queue, and waits for room in it.
    /// `offset` is where it came from in the partition of `messages`.
    fn send(
        &mut self,
        message: &Outgoing<'_>,
        messages: &Envelopes,
        offset: i64,
    ) -> Result<(), SinkError> {
        while let Err(error) = self.producer.send(message) {
            match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::QueueFull) => {
                    self.producer.get().poll(PAUSE);
                    self.take_renewals()?;
                    self.check()?;
                }
                code => {
                    let too_many = match code {
                        Some(RDKafkaErrorCode::InvalidArgument) => {
                            format!(" after {TOPICS_MAX} other topics")
                        }
                        _ => String::new(),
                    };
                    let what = format!(
                        "producing to topic {}{too_many} the row of {} at offset {}",
                        message.topic, messages.source, offset
                    );
                    return Err(self.failed(&what, error));
                }
            }
        }
        Ok(())
    }

    /// Serves delivery reports that have come in, without waiting.
    fn collect(&mut self) -> Result<(), SinkError> {
        self.take_renewals()?;
        // One poll serves one event, which has the reports of one broker's answer.
        loop {
            let before = self.acks(|acks| acks.outstanding());
            self.producer.get().poll(Duration::ZERO);
            if self.acks(|acks| acks.outstanding()) == before {
                return self.check();
            }
        }
    }

    fn check(&self) -> Result<(), SinkError> {
        if let Some((source, reason)) = self.producer.get().context().refused.get() {
            return Err(SinkError::Kafka {
                what: format!(
                    "connecting, to write {}: {}",
                    self.config.target(),
                    explained(&self.config.client, reason)
                ),
                source: source.clone(),
            });
        }
        match self.acks(|acks| acks.failure()) {
            None => Ok(()),
            Some(source) => {
                Err(self.failed(&format!("delivering to {}", self.config.target()), source))
            }
        }
    }

    /// A fatal error of the client, such as a lost producer id, is the reason behind the
    /// error that a message gets.
    fn failed(&self, what: &str, source: KafkaError) -> SinkError {
        let fatal = self.producer.get().client().fatal_error();
        let what = match &fatal {
            Some((_, reason)) => format!("{what} ({reason})"),
            None => what.to_owned(),
        };
        let code = fatal.map(|(code, _)| code).or(source.rdkafka_error_code());
        let what = match code.and_then(|code| self.missing_acl(code)) {
            Some(acl) => format!("{what} (what is missing: {acl})"),
            None => what,
        };
        SinkError::Kafka { what, source }
    }

    /// What would allow what is refused.
    fn missing_acl(&self, code: RDKafkaErrorCode) -> Option<String> {
        let client = &self.config.client;
        let one = self.config.topic_field.is_none();
        let topic = self.config.topic.as_deref().filter(|_| one);
        let write = acl(
            client,
            "Write",
            &format!("--topic {}", topic.unwrap_or("TOPIC")),
        );
        match code {
            RDKafkaErrorCode::TopicAuthorizationFailed => Some(write),
            // To write a topic is enough for an idempotent producer's id (KIP-679).
            RDKafkaErrorCode::ClusterAuthorizationFailed => Some(format!(
                "{write}; for brokers before 2.8 also {}",
                acl(client, "IdempotentWrite", "--cluster")
            )),
            _ => None,
        }
    }

    /// The header that says how far event time has come, if there is one.
    fn watermark_header(&self) -> Option<(String, String)> {
        let name = self.config.watermark_header.clone();
        name.zip(self.watermark.clone())
    }

    /// Whether a header of the source's messages stays: not the one that is about the value that
    /// was read, nor one that this sink sets.
    fn passes_on(&self, name: &[u8]) -> bool {
        let own = self.config.watermark_header.as_deref();
        name != VALUE_SCHEMA_HEADER && own.is_none_or(|own| own.as_bytes() != name)
    }

    fn acks<T>(&self, read: impl FnOnce(&Acks) -> T) -> T {
        read(&self.producer.get().context().account.acks())
    }
}

impl Sink for KafkaSink {
    fn write(&mut self, rows: &Rows) -> Result<(), SinkError> {
        let messages = rows.len() + rows.tombstones();
        let account = &self.producer.get().context().account;
        let write = account.acks().begin(messages);
        if rows.is_empty() {
            return self.pass_tombstones(rows, &mut 0, None, write);
        }
        let mut json = std::mem::take(&mut self.json);
        if rows.encoded.values.is_none() {
            json.encode(&rows.rows)
                .map_err(|source| SinkError::Format {
                    what: format!("writing to {}", self.config.target()),
                    source,
                })?;
        }
        let config = Arc::clone(&self.config);
        let topics = Topics::of(&config, rows)?;
        let parts = Parts::of(&config, rows)?;
        let mut deleted = 0;
        let watermark = self.watermark_header();
        let mut headers = Vec::new();
        for row in 0..rows.len() {
            let message = rows.message(row);
            let offset = rows.messages.offsets[message];
            self.pass_tombstones(rows, &mut deleted, Some(offset), write)?;
            headers.clear();
            if config.headers
                && let Some(all) = &rows.messages.headers
            {
                // Those are about what was read.
                let is_passed_on = |name: &[u8]| {
                    self.passes_on(name)
                        && (name != KEY_SCHEMA_HEADER || matches!(parts.key, Key::Input))
                };
                let passed_on = all.each(message);
                headers.extend(passed_on.filter(|(name, _)| is_passed_on(name)));
            }
            let encoded = [&rows.encoded.keys, &rows.encoded.values];
            for payloads in encoded.into_iter().flatten() {
                headers.extend(payloads.headers(row));
            }
            if let Some((name, watermark)) = &watermark {
                headers.push((name.as_bytes(), Some(watermark.as_bytes())));
            }
            let outgoing = Outgoing {
                topic: topics.of_row(rows, row)?,
                key: match &parts.key {
                    Key::Input => rows.messages.keys.get(message),
                    Key::None => None,
                    Key::Field(keys) => keys.get(row),
                    Key::Object(keys) => Some(keys.get(row)),
                    Key::Encoded(keys) => keys.get(row),
                },
                value: match &rows.encoded.values {
                    Some(values) => values.get(row),
                    None => Some(json.get(row)),
                },
                timestamp: match &parts.timestamp {
                    Time::Input => Some(rows.messages.timestamps[message]),
                    Time::Now => None,
                    Time::Field(times) => millis_at(times, row),
                }
                // Kafka has -1 for none, and librdkafka takes 0 for "now".
                .filter(|&ms| ms > 0),
                headers: &headers,
                opaque: write,
            };
            self.send(&outgoing, &rows.messages, offset)?;
        }
        self.pass_tombstones(rows, &mut deleted, None, write)?;
        self.json = json;
        Ok(())
    }

    fn durable(&mut self, _now: Instant) -> Result<u64, SinkError> {
        self.collect()?;
        Ok(self.acks(|acks| acks.durable()))
    }

    fn advance(&mut self, watermark: i64) -> Result<(), SinkError> {
        self.watermark = Some(watermark.to_string());
        Ok(())
    }

    fn renew_from(&mut self, renewals: Receiver<Renewal>) {
        self.renewals = renewals;
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.collect()?;
        while self.acks(|acks| acks.outstanding()) > 0 {
            self.producer.get().poll(PAUSE);
            self.take_renewals()?;
            self.check()?;
        }
        Ok(())
    }

    fn statistics(&self) -> Option<LatestStatistics> {
        Some(self.producer.get().context().statistics.clone())
    }
}

/// The parts of the messages of one write, beside the values.
struct Parts<'a> {
    key: Key<'a>,
    timestamp: Time,
}

enum Key<'a> {
    Input,
    None,
    Field(Bytes),
    /// A JSON object of several columns.
    Object(JsonRows),
    Encoded(&'a Payloads),
}

enum Time {
    Input,
    Now,
    Field(ArrayRef),
}

impl<'a> Parts<'a> {
    fn of(config: &KafkaSinkConfig, rows: &'a Rows) -> Result<Self, SinkError> {
        let key = match (&rows.encoded.keys, &config.key) {
            (Some(keys), _) => Key::Encoded(keys),
            (None, MessageKey::Input) => Key::Input,
            (None, MessageKey::None) => Key::None,
            (None, MessageKey::Field(path)) => Key::Field(Bytes::of(rows, path, "key.field")?),
            (None, MessageKey::Fields(paths)) => {
                Key::Object(Bytes::object(rows, paths, "key.fields")?)
            }
        };
        let timestamp = match &config.timestamp {
            MessageTimestamp::Input => Time::Input,
            MessageTimestamp::Now => Time::Now,
            MessageTimestamp::Field(path) => Time::Field(millis(rows, path, "timestamp.field")?),
        };
        Ok(Self { key, timestamp })
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

#[derive(Default)]
struct Context {
    account: Account,
    /// Why brokers will not talk to this client, however often it tries.
    refused: OnceLock<(KafkaError, String)>,
    /// Whether a passing error was told since the last acknowledgement: librdkafka says so with
    /// each attempt, many times a second.
    complained: AtomicBool,
    statistics: LatestStatistics,
}

impl Accounts for Context {
    fn account(&self) -> &Account {
        &self.account
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level as i32, facility, message);
    }

    fn stats_raw(&self, json: &[u8]) {
        if let Some(statistics) = Statistics::parse(json) {
            self.statistics.put(Arc::new(statistics));
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        // Who was let in once may be again: with what the files will say, or with other brokers.
        let refused = self.account.error(code, reason) && self.account.acks().durable() == 0;
        let reason = without_places(reason);
        if refused {
            // The first is told; the others say the same.
            let _ = self.refused.set((error, reason));
        } else if code == Some(RDKafkaErrorCode::ClusterAuthorizationFailed) {
            // Without an id, an idempotent producer is at its end.
            self.account.acks().failed(error);
        } else if self.complained.swap(true, Ordering::Relaxed) {
            tracing::debug!("{reason} ({error})");
        } else {
            tracing::warn!("{reason} ({error}); still trying");
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, write: usize) {
        if result.is_ok() {
            self.complained.store(false, Ordering::Relaxed);
        }
        self.account.delivery(result, write);
    }
}

#[cfg(test)]
mod tests;

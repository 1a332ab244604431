//! Messages that are put aside, to a topic of their own: as they were read, with headers that say
//! why. They count as delivered once all in-sync replicas have them.
//!
//! | header | |
//! | --- | --- |
//! | `__weir.aside.reason` | `late` or `too-far-ahead` |
//! | `__weir.aside.topic`, `.partition`, `.offset` | where the message was |
//! | `__weir.aside.event.time` | of its row, in ms since the epoch |
//! | `__weir.aside.watermark` | that the row is below, or up to which rows are taken |

use std::time::Duration;

use crossbeam_channel::Receiver;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{DeliveryResult, Producer, ProducerContext};

use super::SinkError;
use super::kafka::account::{self, Account, Accounts};
use crate::batch::MessageBatch;
use crate::config::ClientProperties;
use crate::kafka::{NativeProducer, Outgoing, Renewal, client_config, log_line, set_password};

/// How long to wait for librdkafka before looking again.
const PAUSE: Duration = Duration::from_millis(1);

/// A message that is put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Aside {
    pub(crate) offset: i64,
    pub(crate) why: Why,
    /// Of its row, in ms since the epoch.
    pub(crate) event_time: i64,
    /// What that was held against.
    pub(crate) bound: i64,
}

/// Why a message is put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Late,
    TooFarAhead,
}

impl Why {
    const fn name(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::TooFarAhead => "too-far-ahead",
        }
    }
}

/// A producer to the topic of what is put aside.
pub(crate) struct SideTopic {
    topic: String,
    producer: NativeProducer<Context>,
    renewals: Receiver<Renewal>,
}

impl SideTopic {
    /// A producer with the connection of the source. No broker is contacted yet.
    ///
    /// # Errors
    /// [`SinkError::SideTopic`] for properties that librdkafka refuses.
    pub(crate) fn new(
        topic: &str,
        source: &ClientProperties,
        renewals: Receiver<Renewal>,
    ) -> Result<Self, SinkError> {
        Ok(Self {
            topic: topic.to_owned(),
            producer: producer(topic, source)?,
            renewals,
        })
    }

    /// Takes messages of this batch, whose offsets rise.
    pub(crate) fn write(
        &mut self,
        messages: &MessageBatch,
        aside: &[Aside],
    ) -> Result<(), SinkError> {
        self.take_renewals()?;
        let write = self.account().acks().begin(aside.len());
        let partition = messages.source.partition.to_string();
        for one in aside {
            let index = messages.offsets.binary_search(&one.offset);
            let index = index.expect("rows have offsets of their batch");
            let (offset, time, bound) = (
                one.offset.to_string(),
                one.event_time.to_string(),
                one.bound.to_string(),
            );
            let mut headers: Vec<(&[u8], Option<&[u8]>)> = Vec::new();
            if let Some(all) = &messages.headers {
                headers.extend(all.each(index));
            }
            let why: [(&[u8], &str); 6] = [
                (b"__weir.aside.reason", one.why.name()),
                (b"__weir.aside.topic", &messages.source.topic),
                (b"__weir.aside.partition", &partition),
                (b"__weir.aside.offset", &offset),
                (b"__weir.aside.event.time", &time),
                (b"__weir.aside.watermark", &bound),
            ];
            headers.extend(why.map(|(name, value)| (name, Some(value.as_bytes()))));
            let topic = self.topic.clone();
            let outgoing = Outgoing {
                topic: &topic,
                key: messages.keys.get(index),
                value: messages.values.get(index),
                timestamp: Some(messages.timestamps[index]).filter(|ms| *ms > 0),
                headers: &headers,
                opaque: write,
            };
            self.send(&outgoing)?;
        }
        Ok(())
    }

    fn send(&mut self, message: &Outgoing<'_>) -> Result<(), SinkError> {
        while let Err(error) = self.producer.send(message) {
            if error.rdkafka_error_code() != Some(Code::QueueFull) {
                return Err(self.failed(error));
            }
            self.producer.get().poll(PAUSE);
            self.take_renewals()?;
            self.check()?;
        }
        Ok(())
    }

    /// How many writes, counted from the first, are durable now.
    pub(crate) fn durable(&mut self) -> Result<u64, SinkError> {
        self.take_renewals()?;
        // One poll serves one event, which has the reports of one broker's answer.
        loop {
            let before = self.account().acks().outstanding();
            self.producer.get().poll(Duration::ZERO);
            if self.account().acks().outstanding() == before {
                break;
            }
        }
        self.check()?;
        Ok(self.account().acks().durable())
    }

    /// Returns when everything is durable.
    pub(crate) fn flush(&mut self) -> Result<(), SinkError> {
        while self.account().acks().outstanding() > 0 {
            self.producer.get().poll(PAUSE);
            self.take_renewals()?;
            self.check()?;
        }
        Ok(())
    }

    /// Takes what is new, as the Kafka sink does.
    fn take_renewals(&mut self) -> Result<(), SinkError> {
        while let Ok(renewal) = self.renewals.try_recv() {
            match renewal {
                Renewal::Password { client } => {
                    if let Err(why) = set_password(self.producer.get().client(), &client) {
                        tracing::warn!("the side topic's client keeps its old password: {why}");
                    }
                }
                Renewal::Client(client) => match producer(&self.topic, &client) {
                    Ok(producer) => self.go_on_with(producer)?,
                    Err(error) => tracing::warn!("the old client is kept: {error}"),
                },
            }
        }
        Ok(())
    }

    fn go_on_with(&mut self, new: NativeProducer<Context>) -> Result<(), SinkError> {
        let left = account::left(&self.producer).map_err(|error| self.failed(error))?;
        account::replace(&mut self.producer, new);
        if !left.is_empty() {
            tracing::warn!(
                "brokers turn the side topic's old client away: the new one sends its last {} \
                 messages",
                left.len()
            );
        }
        account::send_again(&mut self.producer, &left).map_err(|error| self.failed(error))
    }

    fn check(&self) -> Result<(), SinkError> {
        let failure = self.account().acks().failure();
        match failure {
            None => Ok(()),
            Some(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, source: KafkaError) -> SinkError {
        let reason = self.producer.get().client().fatal_error();
        let reason = reason.map_or_else(String::new, |(_, reason)| format!(" ({reason})"));
        SinkError::SideTopic {
            what: format!("producing to topic {}{reason}", self.topic),
            source,
        }
    }

    fn account(&self) -> &Account {
        self.producer.get().context().account()
    }
}

fn producer(topic: &str, source: &ClientProperties) -> Result<NativeProducer<Context>, SinkError> {
    let mut connection = source.clone();
    connection.keep_connection();
    let producer = client_config(&connection)
        .set("enable.idempotence", "true")
        .set("partitioner", "murmur2_random")
        .create_with_context(Context::default());
    let producer = producer.map_err(|source| SinkError::SideTopic {
        what: format!("creating the producer for topic {topic}"),
        source,
    })?;
    Ok(NativeProducer::new(producer, &connection))
}

/// Keeps the account of acknowledgements.
#[derive(Default)]
struct Context(Account);

impl Accounts for Context {
    fn account(&self) -> &Account {
        &self.0
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level as i32, facility, message);
    }

    /// The source, whose brokers these are, tells what is wrong with them.
    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error.rdkafka_error_code(), reason);
        tracing::debug!(target: "kafka", "{error}: {reason}");
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, write: usize) {
        self.0.delivery(result, write);
    }
}

//! A plain client of rdkafka's: one record there and back, or the reason why not.

use std::error::Error;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use weir_tests::kafka::Client;

/// Long for a busy machine. A refusal takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Subtracted from the life of tokens. librdkafka shows brokers a token again at nine tenths of
/// its life, and gets the next one at eight tenths, but looks only once a second: with the few
/// seconds of these tests, it would show the old one once more, and too often for the broker.
const EARLIER_MS: i64 = 3000;

/// The first error of a client's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: RDKafkaErrorCode,
    pub(crate) reason: String,
    pub(crate) after: Duration,
}

/// Where a client gets its tokens.
#[derive(Debug, Clone)]
pub(crate) struct TokenSource {
    pub(crate) url: String,
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// Produces a record to a topic of one partition and reads the topic's last record back.
pub(crate) fn round_trip(
    client: &Client,
    tokens: Option<&TokenSource>,
    topic: &str,
) -> Result<(), Refused> {
    produce(client, tokens, topic)?;
    consume(client, tokens, topic)
}

/// Produces a record to a topic.
pub(crate) fn produce(
    client: &Client,
    tokens: Option<&TokenSource>,
    topic: &str,
) -> Result<(), Refused> {
    let producer = Session::new(tokens).producer(client);
    deliver(&producer, topic)
}

/// Produces two records, with time between them in which nothing flows.
pub(crate) fn produce_twice(
    client: &Client,
    tokens: Option<&TokenSource>,
    topic: &str,
    pause: Duration,
) -> Result<(), Refused> {
    let producer = Session::new(tokens).producer(client);
    deliver(&producer, topic)?;
    producer.poll(pause);
    deliver(&producer, topic)
}

fn deliver(producer: &BaseProducer<Session>, topic: &str) -> Result<(), Refused> {
    let record: BaseRecord<'_, str, str> = BaseRecord::to(topic).payload("sent");
    producer.send(record).expect("there is room in the queue");
    producer.context().wait(|| {
        producer.poll(Duration::from_millis(10));
        producer.in_flight_count() == 0
    })
}

/// Reads the last record of a topic, as a client of a group that commits nothing.
pub(crate) fn consume(
    client: &Client,
    tokens: Option<&TokenSource>,
    topic: &str,
) -> Result<(), Refused> {
    let consumer: BaseConsumer<Session> = client
        .clone()
        .set("group.id", topic)
        .set("enable.auto.commit", "false")
        .config()
        .create_with_context(Session::new(tokens))
        .expect("a consumer");
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(topic, 0, Offset::OffsetTail(1))
        .expect("a valid offset");
    consumer.assign(&assignment).expect("it is assigned");
    consumer
        .context()
        .wait(|| match consumer.poll(Duration::from_millis(10)) {
            Some(Ok(message)) => {
                assert_eq!(message.payload(), Some(b"sent".as_slice()));
                true
            }
            Some(Err(error)) => {
                consumer.context().note(&error, "");
                false
            }
            None => false,
        })
}

struct Session {
    tokens: Option<TokenSource>,
    errors: Mutex<Vec<(RDKafkaErrorCode, String)>>,
}

impl Session {
    fn new(tokens: Option<&TokenSource>) -> Self {
        Self {
            tokens: tokens.cloned(),
            errors: Mutex::default(),
        }
    }

    fn producer(self, client: &Client) -> BaseProducer<Self> {
        let producer = client.config().create_with_context(self);
        producer.expect("the client's properties are valid")
    }

    fn note(&self, error: &KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().expect("librdkafka's error");
        let error = (code, reason.to_owned());
        self.errors.lock().expect("not poisoned").push(error);
    }

    fn wait(&self, mut done: impl FnMut() -> bool) -> Result<(), Refused> {
        let started = Instant::now();
        loop {
            let done = done();
            let first = self.errors.lock().expect("not poisoned").first().cloned();
            let after = started.elapsed();
            match first {
                Some((code, reason)) => {
                    return Err(Refused {
                        code,
                        reason,
                        after,
                    });
                }
                None if done => return Ok(()),
                None => assert!(after < PATIENCE, "neither success nor an error"),
            }
        }
    }
}

impl ClientContext for Session {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn error(&self, error: KafkaError, reason: &str) {
        self.note(&error, reason);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let source = self.tokens.as_ref().ok_or("no source of tokens")?;
        let answer: Value = ureq::post(&source.url)
            .send_form([
                ("grant_type", "client_credentials"),
                ("client_id", &source.id),
                ("client_secret", &source.secret),
            ])?
            .body_mut()
            .read_json()?;
        let seconds = answer["expires_in"].as_i64().ok_or("no lifetime")?;
        let token = answer["access_token"].as_str().ok_or("no token")?;
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_millis();
        Ok(OAuthToken {
            token: token.to_owned(),
            principal_name: source.id.clone(),
            lifetime_ms: i64::try_from(now)? + seconds * 1000 - EARLIER_MS,
        })
    }
}

impl ConsumerContext for Session {}

impl ProducerContext for Session {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.note(error, "not delivered");
        }
    }
}

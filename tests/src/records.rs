//! Records put on a topic, and read back from it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Header, Headers as _, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const PATIENCE: Duration = Duration::from_secs(30);

/// A record, as given to [`produce`] or as read by a [`Reader`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The topic's name.
    pub topic: String,
    /// The partition; `None` leaves it to the partitioner.
    pub partition: Option<i32>,
    /// The offset; `None` before the record is delivered.
    pub offset: Option<i64>,
    /// The key; `None` is null, which is not empty.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Names and values, in order; names may repeat, values may be null.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Milliseconds since the epoch; `None` takes the producer's clock.
    pub timestamp: Option<i64>,
}

impl Record {
    /// A record with a null key and a null value.
    #[must_use]
    pub fn new(topic: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            ..Self::default()
        }
    }

    /// Sets the partition.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Sets the key.
    #[must_use]
    pub fn key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.key = Some(key.as_ref().to_vec());
        self
    }

    /// Sets the value.
    #[must_use]
    pub fn value(mut self, value: impl AsRef<[u8]>) -> Self {
        self.value = Some(value.as_ref().to_vec());
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), Some(value.as_ref().to_vec())));
        self
    }

    /// Adds a header whose value is null.
    #[must_use]
    pub fn null_header(mut self, name: &str) -> Self {
        self.headers.push((name.to_owned(), None));
        self
    }

    /// Sets the timestamp, in milliseconds since the epoch.
    #[must_use]
    pub fn timestamp(mut self, milliseconds: i64) -> Self {
        self.timestamp = Some(milliseconds);
        self
    }

    fn from_message(message: &BorrowedMessage<'_>) -> Self {
        let headers = message
            .headers()
            .into_iter()
            .flat_map(|headers| headers.iter());
        Self {
            topic: message.topic().to_owned(),
            partition: Some(message.partition()),
            offset: Some(message.offset()),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers
                .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect(),
            timestamp: message.timestamp().to_millis(),
        }
    }
}

/// Produces the records in order, waits for their delivery, and returns them with
/// partition and offset, in the order of their delivery.
///
/// # Panics
///
/// If one is not delivered.
pub fn produce(brokers: &str, records: &[Record]) -> Vec<Record> {
    let mut config = client(brokers);
    config
        .set("linger.ms", "0")
        .set("enable.idempotence", "true");
    produce_with(&config, records)
}

/// As [`produce`], with a client configuration of one's own.
///
/// # Panics
///
/// If one is not delivered.
pub fn produce_with(config: &ClientConfig, records: &[Record]) -> Vec<Record> {
    let producer: BaseProducer<Deliveries> = config
        .create_with_context(Deliveries::default())
        .expect("a producer");
    for record in records {
        let mut next = to_native(record);
        while let Err((error, refused)) = producer.send(next) {
            let full = rdkafka::types::RDKafkaErrorCode::QueueFull;
            assert_eq!(
                error.rdkafka_error_code(),
                Some(full),
                "cannot produce: {error}"
            );
            producer.poll(Duration::from_millis(50));
            next = refused;
        }
    }
    producer.flush(PATIENCE).expect("the records are flushed");
    let delivered = std::mem::take(&mut *producer.context().0.lock().expect("not poisoned"));
    let delivered: Result<Vec<Record>, String> = delivered.into_iter().collect();
    let delivered = delivered.unwrap_or_else(|error| panic!("not delivered: {error}"));
    assert_eq!(
        delivered.len(),
        records.len(),
        "a delivery report is missing"
    );
    delivered
}

/// Reads one topic from its start, outside of any consumer group.
#[derive(Debug)]
pub struct Reader {
    topic: String,
    config: ClientConfig,
}

impl Reader {
    /// A reader that also sees uncommitted records.
    #[must_use]
    pub fn new(brokers: &str, topic: &str) -> Self {
        let mut config = client(brokers);
        config
            .set("group.id", "weir-tests-reader")
            .set("isolation.level", "read_uncommitted")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "10");
        Self {
            topic: topic.to_owned(),
            config,
        }
    }

    /// Sets a property of the consumer, such as `isolation.level`.
    #[must_use]
    pub fn property(mut self, key: &str, value: &str) -> Self {
        self.config.set(key, value);
        self
    }

    /// Everything up to the end that the topic has now, by partition and offset.
    ///
    /// # Panics
    ///
    /// If the end is not reached in 30 s.
    #[must_use]
    pub fn to_end(&self) -> Vec<Record> {
        let consumer = self.assigned();
        let ends: Vec<i64> = self
            .partitions(&consumer)
            .map(|partition| {
                let marks = consumer.fetch_watermarks(&self.topic, partition, PATIENCE);
                marks.expect("the broker knows its offsets").1
            })
            .collect();
        // Positions, not the last record's offset: transaction markers end partitions too.
        let at_end = |consumer: &BaseConsumer| {
            let positions = consumer
                .position()
                .expect("an assigned consumer has positions");
            let elements = positions.elements_for_topic(&self.topic);
            elements
                .iter()
                .zip(&ends)
                .all(|(element, end)| match element.offset() {
                    Offset::Offset(next) => next >= *end,
                    _ => *end == 0,
                })
        };
        self.read(&consumer, PATIENCE, |_| at_end(&consumer))
    }

    /// Waits until the topic holds at least `count` records, by partition and offset.
    ///
    /// # Panics
    ///
    /// If it does not within `patience`.
    #[must_use]
    pub fn at_least(&self, count: usize, patience: Duration) -> Vec<Record> {
        let consumer = self.assigned();
        self.read(&consumer, patience, |records| records.len() >= count)
    }

    fn read(
        &self,
        consumer: &BaseConsumer,
        patience: Duration,
        enough: impl Fn(&[Record]) -> bool,
    ) -> Vec<Record> {
        let deadline = Instant::now() + patience;
        let mut records = Vec::new();
        while !enough(&records) {
            assert!(
                Instant::now() < deadline,
                "{}: only {} records after {patience:?}",
                self.topic,
                records.len()
            );
            match consumer.poll(Duration::from_millis(20)) {
                Some(Ok(message)) => records.push(Record::from_message(&message)),
                Some(Err(error)) if error.rdkafka_error_code().is_some_and(is_passing) => {}
                Some(Err(error)) => panic!("cannot read {}: {error}", self.topic),
                None => {}
            }
        }
        records.sort_by_key(|record| (record.partition, record.offset));
        records
    }

    fn assigned(&self) -> BaseConsumer {
        let consumer: BaseConsumer = self.config.create().expect("a consumer");
        let mut assignment = TopicPartitionList::new();
        for partition in self.partitions(&consumer) {
            assignment
                .add_partition_offset(&self.topic, partition, Offset::Beginning)
                .expect("a valid offset");
        }
        consumer
            .assign(&assignment)
            .expect("the partitions are assigned");
        consumer
    }

    fn partitions(&self, consumer: &BaseConsumer) -> std::ops::Range<i32> {
        let metadata = consumer.fetch_metadata(Some(&self.topic), PATIENCE);
        let metadata = metadata.expect("the broker answers");
        let partitions = metadata
            .topics()
            .first()
            .map_or(0, |topic| topic.partitions().len());
        assert!(partitions > 0, "there is no topic {}", self.topic);
        0..i32::try_from(partitions).expect("few partitions")
    }
}

/// Whether the client recovers by itself, for example from a restarted broker.
fn is_passing(code: rdkafka::types::RDKafkaErrorCode) -> bool {
    use rdkafka::types::RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut
    )
}

fn client(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set_log_level(RDKafkaLogLevel::Emerg);
    config
}

fn to_native(record: &Record) -> BaseRecord<'_, [u8], [u8]> {
    let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
    for (key, value) in &record.headers {
        headers = headers.insert(Header {
            key,
            value: value.as_deref(),
        });
    }
    let mut native = BaseRecord::to(&record.topic).headers(headers);
    native.partition = record.partition;
    native.timestamp = record.timestamp;
    native.key = record.key.as_deref();
    native.payload = record.value.as_deref();
    native
}

/// The delivery reports, in the order of their arrival.
#[derive(Default)]
struct Deliveries(Mutex<Vec<Result<Record, String>>>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let report = match result {
            Ok(message) => Ok(Record::from_message(message)),
            Err((error, _)) => Err(error.to_string()),
        };
        self.0.lock().expect("not poisoned").push(report);
    }
}

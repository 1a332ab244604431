//! Publishes the data set, at a pace that people can follow.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::dataset::DemoMessage;
use crate::stop::Stop;

/// How long the last messages may take.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(30);
/// One request to brokers that are not ours.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

type Admin = AdminClient<DefaultClientContext>;

/// Makes the topic on brokers that are not the embedded one, unless it is there, and
/// returns how many partitions it has.
///
/// # Errors
/// librdkafka's own.
pub fn prepare_topic(brokers: &str, topic: &str, partitions: i32) -> Result<i32, KafkaError> {
    let admin: Admin = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()?;
    match partition_count(&admin, topic)? {
        0 => create_topic(&admin, topic, partitions)?,
        found => return Ok(found),
    }
    let started = Instant::now();
    loop {
        let found = partition_count(&admin, topic)?;
        // A new topic takes a moment to be known everywhere.
        if found > 0 || started.elapsed() > REQUEST_TIMEOUT {
            return Ok(found.max(1));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Zero when there is no such topic. Asks for all topics, as asking for one could make it.
fn partition_count(admin: &Admin, topic: &str) -> Result<i32, KafkaError> {
    let metadata = admin.inner().fetch_metadata(None, REQUEST_TIMEOUT)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let count = found.map_or(0, |found| found.partitions().len());
    Ok(i32::try_from(count).unwrap_or(i32::MAX))
}

fn create_topic(admin: &Admin, topic: &str, partitions: i32) -> Result<(), KafkaError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime without drivers needs nothing of the system");
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
    let options = AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT));
    for result in runtime.block_on(admin.create_topics([&new], &options))? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(KafkaError::AdminOp(code)),
        }
    }
    Ok(())
}

/// Publishes all messages to a topic, `per_second` of them each second, or as fast as
/// possible for 0. Returns early when asked to stop.
///
/// # Errors
/// librdkafka's own.
pub fn publish(
    brokers: &str,
    topic: &str,
    partitions: i32,
    messages: &[DemoMessage],
    per_second: u32,
    stop: &Stop,
) -> Result<(), KafkaError> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("linger.ms", "5")
        .set("enable.idempotence", "true")
        .create()?;
    let started = Instant::now();
    for (count, message) in messages.iter().enumerate() {
        if per_second > 0 {
            let due = Duration::from_secs_f64(count as f64 / f64::from(per_second));
            while started.elapsed() < due && !stop.is_requested() {
                producer.poll(Duration::from_millis(5).min(due.saturating_sub(started.elapsed())));
            }
        }
        if stop.is_requested() {
            break;
        }
        send(&producer, topic, partitions, message)?;
    }
    producer.flush(FLUSH_TIMEOUT)
}

fn send(
    producer: &BaseProducer,
    topic: &str,
    partitions: i32,
    message: &DemoMessage,
) -> Result<(), KafkaError> {
    let mut record = BaseRecord::to(topic)
        .key(&message.key)
        .payload(&message.value)
        .timestamp(message.timestamp_ms)
        .partition(message.lane.rem_euclid(partitions));
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                producer.poll(Duration::from_millis(10));
                record = back;
            }
            Err((error, _)) => return Err(error),
        }
    }
}

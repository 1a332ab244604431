//! Publishes the data set, at a pace that people can follow.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::dataset::DemoMessage;
use crate::stop::Stop;

/// How long the last messages may take.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(30);

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

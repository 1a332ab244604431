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
/// How much longer the slow partition takes than the others, and how long it does at least.
const SLOWER: f64 = 1.5;
const SLOW_LEAST: Duration = Duration::from_secs(1);
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

/// When a message is due, and that message.
type Due<'m> = (Duration, &'m DemoMessage);

/// Publishes all messages to a topic, `per_second` of them each second, or as fast as
/// possible for 0. The last partition is slower than the others, so that these have to wait for
/// it. Returns early when asked to stop.
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
    for (due, message) in schedule(messages, partitions, per_second) {
        while started.elapsed() < due && !stop.is_requested() {
            producer.poll(Duration::from_millis(5).min(due.saturating_sub(started.elapsed())));
        }
        if stop.is_requested() {
            break;
        }
        send(&producer, topic, partitions, message)?;
    }
    producer.flush(FLUSH_TIMEOUT)
}

/// In the order in which they are due.
fn schedule(messages: &[DemoMessage], partitions: i32, per_second: u32) -> Vec<Due<'_>> {
    let is_slow = |message: &DemoMessage| partition(message, partitions) == partitions - 1;
    let share = |count: usize| count as f64 / messages.len().max(1) as f64;
    let all = match per_second {
        0 => Duration::ZERO,
        rate => Duration::from_secs_f64(messages.len() as f64 / f64::from(rate)),
    };
    let slow = all.mul_f64(SLOWER).max(SLOW_LEAST);
    let due = |(count, message)| {
        let whole = if is_slow(message) { slow } else { all };
        (whole.mul_f64(share(count)), message)
    };
    let mut due: Vec<Due<'_>> = messages.iter().enumerate().map(due).collect();
    due.sort_by_key(|(due, _)| *due);
    due
}

fn partition(message: &DemoMessage, partitions: i32) -> i32 {
    message.lane.rem_euclid(partitions)
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
        .partition(partition(message, partitions));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::{PARTITIONS, dataset};

    #[test]
    fn one_partition_is_slower_and_keeps_its_order() {
        let messages = dataset::messages().unwrap();
        for (rate, last, slow_last) in [(0, 0, 1_000), (250, 6_824, 10_236)] {
            let all = schedule(&messages, PARTITIONS, rate);
            assert_eq!(all.len(), messages.len());
            for number in 0..PARTITIONS {
                let of = all
                    .iter()
                    .filter(|(_, m)| partition(m, PARTITIONS) == number);
                let times: Vec<i64> = of.clone().map(|(_, m)| m.timestamp_ms).collect();
                assert!(times.is_sorted(), "{number}");
                let due = of.map(|(due, _)| due.as_millis()).max().unwrap();
                let expected = if number == PARTITIONS - 1 {
                    slow_last
                } else {
                    last
                };
                assert!(
                    due <= expected && due * 10 >= expected * 8,
                    "{number}: {due}"
                );
            }
        }
    }
}

//! What a consumer group has committed, and what a topic holds.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList, config::RDKafkaLogLevel};

const PATIENCE: Duration = Duration::from_secs(30);

/// The offset that a group has committed for each of the first `partitions` partitions of a
/// topic; `None` where it has committed nothing.
///
/// # Panics
///
/// If the broker does not answer.
#[must_use]
pub fn committed(brokers: &str, group: &str, topic: &str, partitions: i32) -> Vec<Option<i64>> {
    let consumer = member(brokers, group);
    let mut asked = TopicPartitionList::new();
    asked.add_partition_range(topic, 0, partitions - 1);
    let deadline = Instant::now() + PATIENCE;
    let known = loop {
        match consumer.committed_offsets(asked.clone(), PATIENCE) {
            Ok(known) => break known,
            // The coordinator of a group that is new has to be found first.
            Err(error) if Instant::now() > deadline => panic!("no committed offsets: {error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    let elements = known.elements();
    elements
        .iter()
        .map(|element| match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        })
        .collect()
}

/// The offset after the last record of each of the first `partitions` partitions.
///
/// # Panics
///
/// If the broker does not answer.
#[must_use]
pub fn ends(brokers: &str, topic: &str, partitions: i32) -> Vec<Option<i64>> {
    let consumer = member(brokers, "weir-tests-ends");
    (0..partitions)
        .map(|partition| {
            let marks = consumer.fetch_watermarks(topic, partition, PATIENCE);
            Some(marks.expect("the broker knows its offsets").1)
        })
        .collect()
}

fn member(brokers: &str, group: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", group)
        .set_log_level(RDKafkaLogLevel::Emerg)
        .create()
        .expect("a consumer")
}

//! Which topics and partitions are read, those that come later among them.

use std::ops::Range;

use futures_executor::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use weir_tests::groups::committed;
use weir_tests::kafka::Kafka;
use weir_tests::records::{Record, produce};
use weir_tests::weir::Project;
use weir_tests::{Broker, available, on_both_brokers, orders};

use super::{Orders, PATIENCE, ids, in_all, sorted};

on_both_brokers!(
    excluded_topics_are_not_read,
    named_partitions_are_read_and_committed,
    a_named_partition_that_is_not_there_is_an_error,
    a_topic_that_comes_later_is_read_from_its_beginning,
);

fn excluded_topics_are_not_read(broker: &dyn Broker) {
    let served = Orders::start();
    for (topic, n) in ["left-eu", "left-us", "left-us-dlq", "left-dlq"]
        .into_iter()
        .zip(0..)
    {
        broker.create_topic(topic, 1);
        produce(
            broker.brokers(),
            &orders::records(topic, served.id, n..n + 1),
        );
    }
    let read = |name: &str, exclude: &str| {
        let exclude = format!("topic.exclude.pattern: {exclude}");
        let source = ["topic.pattern: left-.*", &exclude, "stop.mode: latest"];
        served.read(broker, name, &source)
    };

    assert_eq!(read("left-one", ".*-dlq"), ids(0..2));
    assert_eq!(read("left-two", "dlq|left-eu"), ids(1..4));
}

fn named_partitions_are_read_and_committed(broker: &dyn Broker) {
    let served = Orders::start();
    served.tens(broker, "named", 5);
    let source = ["partitions: { named: [0, 2-3] }", "stop.mode: latest"];

    assert_eq!(
        served.read(broker, "named", &source),
        in_all([0..10, 20..30, 30..40])
    );
    assert_eq!(
        committed(broker.brokers(), "weir-named", "named", 5),
        [Some(10), None, Some(10), Some(10), None]
    );
    let more = orders::records("named", served.id, 50..53);
    let more = more.into_iter().zip(1..);
    let more = more.map(|(record, partition)| record.partition(partition));
    produce(broker.brokers(), &more.collect::<Vec<_>>());
    assert_eq!(served.read(broker, "named", &source), ids(51..53));
}

fn a_named_partition_that_is_not_there_is_an_error(broker: &dyn Broker) {
    let served = Orders::start();
    served.tens(broker, "absent", 2);
    let source = ["partitions: { absent: [1, 7] }", "stop.mode: latest"];

    let yaml = served.pipeline(broker, "absent", &source);
    let refused = Project::new().run(&yaml).finish().with_code(1);

    assert_eq!(refused.stdout, "");
    let last = refused.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("absent[7]"), "{}", refused.stderr);
}

fn a_topic_that_comes_later_is_read_from_its_beginning(broker: &dyn Broker) {
    let served = Orders::start();
    served.tens(broker, "found-first", 1);
    let source = [
        "topic.pattern: found-.*",
        "startup.mode: latest",
        "partition.discovery.interval.ms: 1000",
    ];
    let produce = |topic: &str, numbers: Range<i64>| {
        produce(
            broker.brokers(),
            &orders::records(topic, served.id, numbers),
        );
    };
    let project = Project::new();

    let yaml = served.pipeline(broker, "found", &source);
    let mut run = project.run(&yaml).env("WEIR_LOG", "info").start();
    run.wait_for_stderr("1 partitions assigned");
    broker.create_topic("found-later", 1);
    produce("found-later", 10..20);
    run.wait_for_rows(10);
    produce("found-first", 20..25);
    run.wait_for_rows(15);
    run.terminate();

    assert_eq!(sorted(&run.finish().with_code(0).rows()), ids(10..25));
}

#[test]
fn a_partition_that_comes_later_is_read_from_its_beginning() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    served.tens(kafka, "grown", 1);
    let source = [
        "topics: [grown]",
        "startup.mode: latest",
        "partition.discovery.interval.ms: 1000",
    ];
    let project = Project::new();

    let yaml = served.pipeline(kafka, "grown", &source);
    let mut run = project.run(&yaml).env("WEIR_LOG", "info").start();
    run.wait_for_stderr("1 partitions assigned");
    add_partition(kafka, "grown");
    let records = orders::records("grown", served.id, 10..20).into_iter();
    let records: Vec<Record> = records.map(|record| record.partition(1)).collect();
    produce(kafka.brokers(), &records);
    run.wait_for_rows(10);
    run.terminate();

    assert_eq!(sorted(&run.finish().with_code(0).rows()), ids(10..20));
}

/// Gives a topic of one partition a second one.
fn add_partition(kafka: &Kafka, topic: &str) {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", kafka.brokers());
    let admin: AdminClient<DefaultClientContext> = client.create().expect("an admin client");
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let created = block_on(admin.create_partitions(&[NewPartitions::new(topic, 2)], &options));
    for result in created.expect("the broker answers") {
        result.expect("the partition is made");
    }
}

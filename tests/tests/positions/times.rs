//! Starting and stopping at a point in time. Only on Apache Kafka: the mock cluster knows no times.

use std::ops::Range;
use std::time::SystemTime;

use weir_tests::groups::committed;
use weir_tests::kafka::Kafka;
use weir_tests::records::{Record, produce};
use weir_tests::weir::Project;
use weir_tests::{available, orders};

use super::{NONE, Orders, ids, sorted};

/// 2023-11-14T22:13:20Z, in ms.
const EPOCH: i64 = 1_700_000_000_000;

/// Orders that are a second apart from [`EPOCH`] on, over two partitions.
fn timed(kafka: &Kafka, served: &Orders, topic: &str, numbers: Range<i64>) {
    // Retention would delete what is as old as this.
    kafka.create_topic_with(topic, 2, &[("retention.ms", "-1")]);
    let records = orders::records(topic, served.id, numbers.clone());
    let records: Vec<Record> = records
        .into_iter()
        .zip(numbers)
        .map(|(record, n)| {
            let partition = i32::from(n % 2 == 1);
            record.partition(partition).timestamp(EPOCH + n * 1000)
        })
        .collect();
    produce(kafka.brokers(), &records);
}

#[test]
fn a_timestamp_starts_at_the_first_message_of_that_time_or_later() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    timed(kafka, &served, "timed-start", 0..10);
    let from = |name: &str, timestamp: &str| {
        let timestamp = format!("startup.timestamp.ms: {timestamp}");
        let source = [
            "topics: [timed-start]",
            "startup.mode: timestamp",
            &timestamp,
            "stop.mode: latest",
        ];
        served.read(kafka, name, &source)
    };

    let five = (EPOCH + 4001).to_string();
    assert_eq!(from("from-ms", &five), ids(5..10));
    assert_eq!(from("from-text", "2023-11-14T22:13:25Z"), ids(5..10));
    assert_eq!(from("from-zone", "2023-11-14T23:13:28+01:00"), ids(8..10));
    assert_eq!(from("from-before", "0"), ids(0..10));
    assert_eq!(from("from-past", "2023-11-14T23:00:00Z"), NONE);
    // The first run has committed all: the mode goes before what the group has.
    assert_eq!(from("from-ms", &five), ids(5..10));
}

#[test]
fn a_timestamp_may_be_relative_to_the_start() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = i64::try_from(now.expect("after 1970").as_millis()).expect("before 292 million");
    let minutes_ago = |minutes: i64| now - minutes * 60_000;
    kafka.create_topic("timed-ago", 1);
    let times = [minutes_ago(120), minutes_ago(90), minutes_ago(30), now];
    let records = orders::records("timed-ago", served.id, 0..4);
    let records: Vec<Record> = records
        .into_iter()
        .zip(times)
        .map(|(record, time)| record.timestamp(time))
        .collect();
    produce(kafka.brokers(), &records);

    let read = served.read(
        kafka,
        "timed-ago",
        &[
            "topics: [timed-ago]",
            "startup.mode: timestamp",
            "startup.timestamp.ms: -1h",
            "stop.mode: latest",
        ],
    );

    assert_eq!(read, ids(2..4));
}

#[test]
fn a_timestamp_past_the_end_waits_for_what_comes() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    timed(kafka, &served, "timed-wait", 0..10);
    let source = [
        "topics: [timed-wait]",
        "startup.mode: timestamp",
        "startup.timestamp.ms: 2023-11-14T23:00:00Z",
    ];
    let project = Project::new();

    let yaml = served.pipeline(kafka, "timed-wait", &source);
    let mut run = project.run(&yaml).env("WEIR_LOG", "info").start();
    run.wait_for_stderr("2 partitions assigned");
    produce(
        kafka.brokers(),
        &orders::records("timed-wait", served.id, 10..15),
    );
    run.wait_for_rows(5);
    run.terminate();

    assert_eq!(sorted(&run.finish().with_code(0).rows()), ids(10..15));
}

#[test]
fn a_timestamp_stops_before_the_first_message_of_that_time() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    timed(kafka, &served, "timed-stop", 0..10);
    let to = |name: &str, timestamp: &str| {
        let timestamp = format!("stop.timestamp.ms: {timestamp}");
        let source = ["topics: [timed-stop]", "stop.mode: timestamp", &timestamp];
        served.read(kafka, name, &source)
    };

    assert_eq!(to("to-ms", &(EPOCH + 4001).to_string()), ids(0..5));
    assert_eq!(
        committed(kafka.brokers(), "weir-to-ms", "timed-stop", 2),
        [Some(3), Some(2)]
    );
    assert_eq!(to("to-text", "2023-11-14T22:13:25Z"), ids(0..5));
    assert_eq!(to("to-past", "-1h"), ids(0..10));
    assert_eq!(to("to-before", "0"), NONE);
    // The first run goes on where it stopped.
    assert_eq!(to("to-ms", &(EPOCH + 7000).to_string()), ids(5..7));
}

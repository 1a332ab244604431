//! What is read, and from where to where: topics, partitions, and the modes to start and stop.
//! Long, because each key has its small cases here, which share helpers and one broker.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures_executor::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;
use weir_tests::groups::{committed, ends};
use weir_tests::kafka::Kafka;
use weir_tests::records::{Record, produce};
use weir_tests::registry::Registry;
use weir_tests::weir::{Project, Running};
use weir_tests::{Broker, available, on_both_brokers, orders};

const PATIENCE: Duration = Duration::from_secs(60);

/// 2023-11-14T22:13:20Z, in ms.
const EPOCH: i64 = 1_700_000_000_000;

const NONE: [i64; 0] = [];

on_both_brokers!(
    specific_offsets_start_there_and_unnamed_partitions_where_the_group_is,
    flink_writes_specific_offsets_as_text,
    a_specific_offset_beyond_the_log_is_an_error,
    specific_offsets_stop_before_them_and_unnamed_partitions_are_not_read,
    group_offsets_stop_where_the_group_is,
    excluded_topics_are_not_read,
    named_partitions_are_read_and_committed,
    a_named_partition_that_is_not_there_is_an_error,
    a_topic_that_comes_later_is_read_from_its_beginning,
);

/// A registry that has the schema of orders, and its id.
struct Orders {
    registry: Registry,
    id: u32,
}

impl Orders {
    fn start() -> Self {
        let (registry, id) = orders::registry();
        Self { registry, id }
    }

    /// A pipeline named `name`, so in the group `weir-<name>`. `source` has the keys of the
    /// source that a test is about, one a line.
    fn pipeline(&self, broker: &dyn Broker, name: &str, source: &[&str]) -> String {
        let source: String = source.iter().map(|line| format!("  {line}\n")).collect();
        format!(
            "name: {name}
source:
  bootstrap.servers: {}
{source}{}schema.registry.url: {}
deserializer: avro
",
            broker.brokers(),
            broker.source_keys(),
            self.registry.url()
        )
    }

    /// The ids that a pipeline reads until it ends by itself, sorted.
    fn read(&self, broker: &dyn Broker, name: &str, source: &[&str]) -> Vec<i64> {
        let yaml = self.pipeline(broker, name, source);
        sorted(&Project::new().run(&yaml).finish().with_code(0).rows())
    }

    /// Ten orders on each partition: partition 2 has those from 20 to 29.
    fn tens(&self, broker: &dyn Broker, topic: &str, partitions: i32) {
        broker.create_topic(topic, partitions);
        let records = (0..partitions).flat_map(|partition| {
            let first = i64::from(partition) * 10;
            let records = orders::records(topic, self.id, first..first + 10);
            records.into_iter().map(move |r| r.partition(partition))
        });
        produce(broker.brokers(), &records.collect::<Vec<_>>());
    }
}

fn sorted(rows: &[Value]) -> Vec<i64> {
    let mut ids: Vec<i64> = rows.iter().map(orders::id).collect();
    ids.sort_unstable();
    ids
}

fn ids(range: Range<i64>) -> Vec<i64> {
    range.collect()
}

fn in_all<const N: usize>(ranges: [Range<i64>; N]) -> Vec<i64> {
    ranges.into_iter().flatten().collect()
}

/// Waits until members of one group have read this many rows together.
fn wait_for_all(members: &[&Running<'_>], count: usize) {
    let deadline = Instant::now() + PATIENCE;
    let read = || members.iter().map(|m| m.rows().len()).sum::<usize>();
    while read() < count {
        assert!(
            Instant::now() < deadline,
            "{} rows of {count}\n{}",
            read(),
            members.iter().map(|m| m.stderr()).collect::<String>()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

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

fn specific_offsets_start_there_and_unnamed_partitions_where_the_group_is(broker: &dyn Broker) {
    let served = Orders::start();
    served.tens(broker, "specific", 3);
    let read = |source: &[&str]| {
        let source = [&["topics: [specific]"], source].concat();
        served.read(broker, "specific", &source)
    };
    let before = read(&[
        "stop.mode: specific-offsets",
        "stop.specific.offsets: { 0: 2, 1: 2 }",
    ]);
    assert_eq!(before, in_all([0..2, 10..12]));

    let from = read(&[
        "startup.mode: specific-offsets",
        "startup.specific.offsets: { specific: { 0: 7 } }",
        "stop.mode: latest",
    ]);

    assert_eq!(from, in_all([7..10, 12..20, 20..30]));
}

fn flink_writes_specific_offsets_as_text(broker: &dyn Broker) {
    let served = Orders::start();
    served.tens(broker, "flink", 2);
    let read = |name: &str, offsets: &str| {
        let offsets = format!("startup.specific.offsets: \"{offsets}\"");
        let source = [
            "topics: [flink]",
            "startup.mode: specific-offsets",
            &offsets,
            "stop.mode: latest",
        ];
        served.read(broker, name, &source)
    };

    assert_eq!(
        read("flink", "partition:0,offset:3;partition:1,offset:10"),
        ids(3..10)
    );
    assert_eq!(
        read("flink-topic", "topic:flink,partition:1,offset:8"),
        in_all([0..10, 18..20])
    );
}

fn a_specific_offset_beyond_the_log_is_an_error(broker: &dyn Broker) {
    let served = Orders::start();
    served.tens(broker, "beyond", 2);
    let source = [
        "topics: [beyond]",
        "startup.mode: specific-offsets",
        "startup.specific.offsets: { 0: 0, 1: 11 }",
        "stop.mode: latest",
    ];

    let yaml = served.pipeline(broker, "beyond", &source);
    let refused = Project::new().run(&yaml).finish().with_code(1);

    assert_eq!(refused.stdout, "");
    assert_eq!(
        refused.stderr.lines().last(),
        Some(
            "error: source: startup.specific.offsets has 11 for beyond[1], and its log has 0 to 10"
        )
    );
    assert_eq!(
        committed(broker.brokers(), "weir-beyond", "beyond", 2),
        [None, None]
    );
}

fn specific_offsets_stop_before_them_and_unnamed_partitions_are_not_read(broker: &dyn Broker) {
    let served = Orders::start();
    served.tens(broker, "stopped", 3);
    let source = [
        "topics: [stopped]",
        "stop.mode: specific-offsets",
        "stop.specific.offsets: { 0: 4, 2: 10 }",
    ];

    assert_eq!(
        served.read(broker, "stopped", &source),
        in_all([0..4, 20..30])
    );
    assert_eq!(
        committed(broker.brokers(), "weir-stopped", "stopped", 3),
        [Some(4), Some(0), Some(10)]
    );
    assert_eq!(served.read(broker, "stopped", &source), NONE);
    // Nothing was passed over.
    assert_eq!(
        served.read(
            broker,
            "stopped",
            &["topics: [stopped]", "stop.mode: latest"]
        ),
        in_all([4..10, 10..20])
    );
}

fn group_offsets_stop_where_the_group_is(broker: &dyn Broker) {
    let served = Orders::start();
    served.tens(broker, "again", 2);
    let read = |source: &[&str]| {
        let source = [&["topics: [again]"], source].concat();
        served.read(broker, "again", &source)
    };
    let before = read(&[
        "stop.mode: specific-offsets",
        "stop.specific.offsets: { 0: 6 }",
    ]);
    assert_eq!(before, ids(0..6));

    let again = read(&["startup.mode: earliest", "stop.mode: group-offsets"]);

    assert_eq!(again, ids(0..6));
    assert_eq!(
        committed(broker.brokers(), "weir-again", "again", 2),
        [Some(6), Some(0)]
    );
}

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

#[test]
fn a_second_member_goes_on_where_the_first_was_whatever_both_start_at() {
    hand_over("handed", &["startup.mode: earliest"]);
}

#[test]
fn a_second_member_goes_on_where_the_first_was_with_specific_offsets() {
    let offsets = "startup.specific.offsets: { 0: 0, 1: 0, 2: 0, 3: 0 }";
    hand_over("handed-to", &["startup.mode: specific-offsets", offsets]);
}

#[test]
fn a_second_member_goes_on_where_the_first_was_when_all_give_up_everything() {
    let strategy = "partition.assignment.strategy: range";
    hand_over("handed-eager", &["startup.mode: earliest", strategy]);
}

#[test]
fn a_second_member_goes_on_where_the_first_was_in_a_group_of_the_new_protocol() {
    let protocol = "group.protocol: consumer";
    hand_over("handed-848", &["startup.mode: earliest", protocol]);
}

/// A second member joins after a first one has read a topic, and each row comes once.
fn hand_over(topic: &str, source: &[&str]) {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    kafka.create_topic(topic, 4);
    let produce = |numbers| produce(kafka.brokers(), &orders::records(topic, served.id, numbers));
    produce(0..1000);
    let topics = format!("topics: [{topic}]");
    let yaml = served.pipeline(kafka, topic, &[&[topics.as_str()], source].concat());
    let (one, two) = (Project::new(), Project::new());

    let mut first = one.run(&yaml).env("WEIR_LOG", "info").start();
    first.wait_for_rows(1000);
    let mut second = two.run(&yaml).env("WEIR_LOG", "info").start();
    second.wait_for_stderr("2 partitions assigned");
    produce(1000..2000);
    wait_for_all(&[&first, &second], 2000);
    for run in [&mut first, &mut second] {
        run.terminate();
    }
    let (first, second) = (first.finish().with_code(0), second.finish().with_code(0));

    assert!(!second.rows().is_empty(), "{}", second.stderr);
    let rows = [first.rows(), second.rows()].concat();
    assert_eq!(sorted(&rows), ids(0..2000), "{}", second.stderr);
}

/// Ends the thread of a scope that a failed test would otherwise wait for.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn what_comes_while_partitions_move_is_not_lost_though_members_start_at_the_latest() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    served.tens(kafka, "moving", 4);
    let source = [
        "topics: [moving]",
        "startup.mode: latest",
        "commit.interval.ms: 100",
    ];
    let yaml = served.pipeline(kafka, "moving", &source);
    let (one, two) = (Project::new(), Project::new());
    let done = AtomicBool::new(false);

    let mut first = one.run(&yaml).env("WEIR_LOG", "info").start();
    first.wait_for_stderr("4 partitions assigned");
    let rows = std::thread::scope(|scope| {
        let stream = scope.spawn(|| {
            let mut next = 40;
            while !done.load(Ordering::Relaxed) {
                let some = orders::records("moving", served.id, next..next + 20);
                produce(kafka.brokers(), &some);
                next += 20;
                std::thread::sleep(Duration::from_millis(20));
            }
            next
        });
        let stop = StopOnDrop(&done);
        first.wait_for_rows(100);
        let mut second = two.run(&yaml).env("WEIR_LOG", "info").start();
        second.wait_for_stderr("2 partitions assigned");
        second.wait_for_rows(100);
        second.terminate();
        let second = second.finish().with_code(0);
        let before = first.rows().len();
        first.wait_for_rows(before + 200);
        drop(stop);

        let end = stream.join().expect("all is produced");
        let all = usize::try_from(end - 40).expect("positive");
        first.wait_for_rows(all - second.rows().len());
        first.terminate();
        let rows = [first.finish().with_code(0).rows(), second.rows()].concat();
        let read: BTreeSet<i64> = rows.iter().map(orders::id).collect();
        assert_eq!(read, (40..end).collect());
        rows
    });

    let distinct: BTreeSet<i64> = rows.iter().map(orders::id).collect();
    assert_eq!(rows.len(), distinct.len(), "rows were delivered twice");
}

/// A producer of transactions.
struct Transactions(BaseProducer);

impl Transactions {
    fn start(kafka: &Kafka, id: &str) -> Self {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", kafka.brokers())
            .set("transactional.id", id)
            .create()
            .expect("a producer");
        producer.init_transactions(PATIENCE).expect("a coordinator");
        Self(producer)
    }

    fn begin(&self, served: &Orders, topic: &str, numbers: Range<i64>) {
        self.0.begin_transaction().expect("a transaction");
        for n in numbers {
            let value = orders::framed(served.id, n);
            let record = BaseRecord::<(), [u8]>::to(topic).payload(&value);
            self.0.send(record).expect("there is room");
        }
        self.0.flush(PATIENCE).expect("all is sent");
    }

    fn commit(&self) {
        self.0.commit_transaction(PATIENCE).expect("it commits");
    }

    fn abort(&self) {
        self.0.abort_transaction(PATIENCE).expect("it aborts");
    }
}

#[test]
fn aborted_transactions_are_read_only_when_asked_for() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    kafka.create_topic("isolated", 1);
    let transactions = Transactions::start(kafka, "isolated");
    transactions.begin(&served, "isolated", 0..5);
    transactions.abort();
    transactions.begin(&served, "isolated", 5..10);
    transactions.commit();
    let read = |name: &str, more: &[&str]| {
        let source = [&["topics: [isolated]", "stop.mode: latest"], more].concat();
        served.read(kafka, name, &source)
    };

    assert_eq!(read("isolated", &[]), ids(5..10));
    for (level, expected) in [
        ("read_committed", ids(5..10)),
        ("read_uncommitted", ids(0..10)),
    ] {
        let isolation = format!("isolation.level: {level}");
        assert_eq!(read(level, &[&isolation]), expected, "{level}");
        let group = format!("weir-{level}");
        assert_eq!(
            committed(kafka.brokers(), &group, "isolated", 1),
            [Some(12)]
        );
    }
}

/// The bound is what can be read at the start, not the end of the log.
#[test]
fn an_open_transaction_does_not_keep_bounded_reading_from_its_end() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    kafka.create_topic("open", 1);
    let transactions = Transactions::start(kafka, "open");
    transactions.begin(&served, "open", 0..5);
    transactions.commit();
    transactions.begin(&served, "open", 5..10);

    let source = ["topics: [open]", "stop.mode: latest"];
    assert_eq!(served.read(kafka, "open", &source), ids(0..5));

    transactions.commit();
    assert_eq!(served.read(kafka, "open", &source), ids(5..10));
}

#[test]
fn each_mode_stops_in_a_topic_that_ends_in_markers_of_transactions() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    kafka.create_topic("marked", 1);
    let transactions = Transactions::start(kafka, "marked");
    transactions.begin(&served, "marked", 0..10);
    transactions.commit();
    transactions.begin(&served, "marked", 10..15);
    transactions.abort();
    assert_eq!(ends(kafka.brokers(), "marked", 1), [Some(17)]);
    let to = |name: &str, source: &[&str]| {
        let source = [&["topics: [marked]"], source].concat();
        served.read(kafka, name, &source)
    };

    // The first marker is at 10, what was aborted follows, and ends with the marker at 16.
    for offset in [10, 11, 14, 17] {
        let offsets = format!("stop.specific.offsets: {{ 0: {offset} }}");
        assert_eq!(
            to(
                &format!("marked-{offset}"),
                &["stop.mode: specific-offsets", &offsets]
            ),
            ids(0..10),
            "{offset}"
        );
    }
    let latest = to("marked", &["stop.mode: latest"]);
    assert_eq!(latest, ids(0..10));
    assert_eq!(
        committed(kafka.brokers(), "weir-marked", "marked", 1),
        [Some(17)]
    );
    let group = to(
        "marked",
        &["startup.mode: earliest", "stop.mode: group-offsets"],
    );
    assert_eq!(group, ids(0..10));
    let time = to(
        "marked-time",
        &[
            "stop.mode: timestamp",
            "stop.timestamp.ms: 2999-01-01T00:00:00Z",
        ],
    );
    assert_eq!(time, ids(0..10));
}

#[test]
fn a_group_of_the_new_protocol_reads_commits_and_goes_on() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    served.tens(kafka, "kip-848", 2);
    let source = [
        "topics: [kip-848]",
        "group.protocol: consumer",
        "stop.mode: latest",
    ];

    assert_eq!(served.read(kafka, "kip-848", &source), ids(0..20));
    assert_eq!(
        committed(kafka.brokers(), "weir-kip-848", "kip-848", 2),
        [Some(10), Some(10)]
    );
    produce(
        kafka.brokers(),
        &orders::records("kip-848", served.id, 20..25),
    );
    assert_eq!(served.read(kafka, "kip-848", &source), ids(20..25));
}

#[test]
fn a_static_member_that_restarts_moves_nobody_elses_partitions() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    served.tens(kafka, "static", 2);
    let member = |instance: &str| {
        let instance = format!("group.instance.id: {instance}");
        served.pipeline(kafka, "static", &["topics: [static]", &instance])
    };
    let produce = |numbers: Range<i64>| {
        let records = orders::records("static", served.id, numbers.clone());
        let records = records.into_iter().zip(numbers);
        let records = records.map(|(r, n)| r.partition(i32::from(n % 2 == 1)));
        produce(kafka.brokers(), &records.collect::<Vec<_>>());
    };
    let (one, two) = (Project::new(), Project::new());

    let mut stays = one.run(&member("a")).env("WEIR_LOG", "info").start();
    stays.wait_for_rows(20);
    let mut restarts = two.run(&member("b")).env("WEIR_LOG", "info").start();
    restarts.wait_for_stderr("1 partitions assigned");
    stays.wait_for_stderr("1 partitions revoked, 1 left");
    produce(20..30);
    wait_for_all(&[&stays, &restarts], 30);
    let revocations = stays.stderr().matches("revoked").count();

    restarts.terminate();
    let before = restarts.finish().with_code(0);
    produce(30..40);
    let mut restarted = two.run(&member("b")).env("WEIR_LOG", "info").start();
    restarted.wait_for_rows(5);
    produce(40..50);
    restarted.wait_for_rows(10);
    wait_for_all(&[&stays, &restarted], 50 - before.rows().len());
    assert_eq!(
        stays.stderr().matches("revoked").count(),
        revocations,
        "{}",
        stays.stderr()
    );

    for run in [&mut stays, &mut restarted] {
        run.terminate();
    }
    let (stays, restarted) = (stays.finish().with_code(0), restarted.finish().with_code(0));
    let rows = [stays.rows(), before.rows(), restarted.rows()].concat();
    assert_eq!(sorted(&rows), ids(0..50));
}

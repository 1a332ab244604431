//! Event time, end to end: the watermark, what is late, and partitions that wait for others.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use weir::batch::TopicPartition;
use weir::config::PipelineConfig;
use weir::pipeline::{self, Parts, Plugins};
use weir::plugin::{Limits, Plugin, PluginEngine};
use weir::rows::Rows;
use weir::schemas::{Registered, Schema, SchemaError, SchemaSource, SchemaType};
use weir::sink::{Sink, SinkError};
use weir_tests::kafka::Kafka;
use weir_tests::mock::Mock;
use weir_tests::records::{Record, produce};
use weir_tests::registry::Registry;
use weir_tests::weir::{Finished, Project};
use weir_tests::{Broker, available, on_both_brokers, orders};

/// 2023-11-14T22:13:20Z, in ms.
const START: i64 = 1_700_000_000_000;
const SECOND: i64 = 1_000;

on_both_brokers!(
    the_summary_has_the_watermark,
    a_column_is_the_event_time,
    late_rows_are_counted_dropped_or_marked,
    a_time_in_the_future_moves_nothing,
    a_misspelt_column_is_told,
    a_partition_that_is_ahead_waits_for_the_others,
    rows_too_far_ahead_are_dropped_and_counted,
    each_batch_has_the_watermark_after_it,
);

/// A bounded pipeline that reads topic `name` in small batches.
fn pipeline(broker: &dyn Broker, registry: &Registry, name: &str, watermark: &str) -> String {
    format!(
        "name: {name}
source:
  bootstrap.servers: {}
  topics: [{name}]
  startup.mode: earliest
  stop.mode: latest
  batch.max.rows: 20
{}schema.registry.url: {}
deserializer: avro
watermark: {{ {watermark} }}
",
        broker.brokers(),
        broker.source_keys(),
        registry.url(),
    )
}

/// Orders with these timestamps, in seconds after [`START`], each numbered by its place.
fn produce_at(broker: &dyn Broker, topic: &str, schema: u32, at: &[(i32, i64)]) {
    let count = i64::try_from(at.len()).expect("few");
    let records: Vec<Record> = orders::records(topic, schema, 0..count)
        .into_iter()
        .zip(at)
        .map(|(record, (partition, seconds))| {
            let timestamp = START + seconds * SECOND;
            record.partition(*partition).timestamp(timestamp)
        })
        .collect();
    produce(broker.brokers(), &records);
}

fn run(yaml: &str) -> Finished {
    Project::new().run(yaml).finish().with_code(0)
}

fn ids(rows: &[Value]) -> Vec<i64> {
    rows.iter().map(orders::id).collect()
}

fn the_summary_has_the_watermark(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("summary", 3);
    // The third partition has nothing, and is through at once.
    produce_at(broker, "summary", id, &[(0, 100), (0, 90), (1, 60)]);

    let yaml = pipeline(
        broker,
        &registry,
        "summary",
        "max.out.of.orderness.ms: 15000",
    );
    let run = run(&yaml);

    let expected = ", watermark 2023-11-14T22:14:45.000Z";
    assert!(run.summary().ends_with(expected), "{}", run.summary());
    let off = pipeline(
        broker,
        &registry,
        "summary",
        "enable.watermark.tracking: false",
    );
    let run = self::run(&off);
    assert!(!run.summary().contains("watermark"), "{}", run.summary());
}

fn a_column_is_the_event_time(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("column", 1);
    produce(broker.brokers(), &orders::records("column", id, 0..40));

    let watermark = "event.time: occurred_at, max.out.of.orderness.ms: 0";
    let run = run(&pipeline(broker, &registry, "column", watermark));

    let latest = orders::row(39);
    let latest = latest["occurred_at"].as_str().expect("a text");
    let expected = format!(", watermark {latest}");
    assert!(run.summary().ends_with(&expected), "{}", run.summary());
}

fn late_rows_are_counted_dropped_or_marked(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("late", 1);
    // In batches of two: the third is 50 s behind the second, the last exactly at the watermark.
    let at = [0, 100, 50, 200, 199, 200].map(|seconds| (0, seconds));
    produce_at(broker, "late", id, &at);
    let run = |late: &str| {
        let watermark = format!("max.out.of.orderness.ms: 1000, late.records: {late}");
        let yaml = pipeline(broker, &registry, "late", &watermark);
        self::run(&yaml.replace("batch.max.rows: 20", "batch.max.rows: 2"))
    };

    let delivered = run("deliver");
    assert_eq!(ids(&delivered.rows()), [0, 1, 2, 3, 4, 5]);
    assert!(
        delivered.summary().ends_with(", 1 late"),
        "{}",
        delivered.summary()
    );

    let dropped = run("drop");
    assert_eq!(ids(&dropped.rows()), [0, 1, 3, 4, 5]);
    let summary = dropped.summary();
    assert!(summary.contains("late: 5 rows of 6 messages"), "{summary}");
    assert!(
        summary.ends_with(", 1 late, 1 dropped as late"),
        "{summary}"
    );

    let marked = run("column");
    let expected = (0..6).map(|n| {
        let mut row = orders::row(n);
        row["late"] = json!(n == 2);
        row
    });
    assert_eq!(marked.rows(), expected.collect::<Vec<_>>());
}

fn a_time_in_the_future_moves_nothing(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("future", 1);
    // Kafka takes nothing that is more than an hour ahead.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = i64::try_from(now.expect("after 1970").as_secs()).expect("a time");
    let future = now + 1_800 - START / SECOND;
    produce_at(broker, "future", id, &[(0, 7), (0, future), (0, 6)]);

    let watermark = "max.out.of.orderness.ms: 0";
    let run = run(&pipeline(broker, &registry, "future", watermark));

    assert_eq!(
        ids(&run.rows()),
        [0, 1, 2],
        "they are delivered all the same"
    );
    let summary = run.summary();
    assert!(
        summary.contains("watermark 2023-11-14T22:13:27.000Z"),
        "{summary}"
    );
    assert!(summary.ends_with(", 1 in the future"), "{summary}");
}

fn a_misspelt_column_is_told(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("misspelt", 1);
    produce(broker.brokers(), &orders::records("misspelt", id, 0..30));
    let yaml = pipeline(broker, &registry, "misspelt", "event.time: occured_at");

    let tolerant = run(&yaml);
    let told = tolerant.lines_with("rows have no column `occured_at`; there are id, customer,");
    assert_eq!(told.len(), 1, "{}", tolerant.stderr);
    assert_eq!(tolerant.rows().len(), 30);
    let summary = tolerant.summary();
    assert!(summary.ends_with(", 30 without event time"), "{summary}");

    let strict = format!("{yaml}errors.tolerance: none\n");
    let strict = Project::new().run(&strict).finish().with_code(1);
    assert_eq!(strict.rows().len(), 0);
    assert!(
        strict.stderr.contains("no column `occured_at`"),
        "{}",
        strict.stderr
    );
}

/// Two partitions over the same 2,000 s: the first has a row each second, the second one every
/// ten, so that its batches bring ten times as much event time.
fn produce_uneven(broker: &dyn Broker, topic: &str, schema: u32) -> Vec<(i32, i64)> {
    broker.create_topic(topic, 2);
    let dense = (0..2_000).map(|n| (0, n));
    let sparse = (0..200).map(|n| (1, n * 10));
    let all: Vec<(i32, i64)> = sparse.chain(dense).collect();
    produce_at(broker, topic, schema, &all);
    all
}

/// How far one partition was ahead of the other at most, in seconds, in the order in which rows
/// came out, as long as neither was through.
fn drift(at: &[(i32, i64)], rows: &[Value]) -> i64 {
    let mut reached = [0, 0];
    let mut most = 0;
    for row in rows {
        let (partition, seconds) = at[usize::try_from(orders::id(row)).expect("an index")];
        reached[usize::from(partition == 1)] = seconds;
        let [dense, sparse] = reached;
        if dense < 1_999 && sparse < 1_990 {
            most = most.max((dense - sparse).abs());
        }
    }
    most
}

fn a_partition_that_is_ahead_waits_for_the_others(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    let at = produce_uneven(broker, "drift", id);
    let run = |alignment: &str| {
        let watermark = format!("max.out.of.orderness.ms: 0, {alignment}");
        let run = self::run(&pipeline(broker, &registry, "drift", &watermark));
        let mut sorted = ids(&run.rows());
        sorted.sort_unstable();
        assert!(sorted.iter().copied().eq(0..2_200), "{}", sorted.len());
        run
    };

    // The drift, and one batch of 20 rows that are 10 s apart. And before both are heard of, it is
    // counted from the end of the first batch.
    let aligned = run("alignment.max.drift.ms: 300000");
    let most = drift(&at, &aligned.rows());
    assert!(most <= 300 + 2 * 200, "{most}");
    assert!(!aligned.summary().contains("late"), "{}", aligned.summary());
    let expected = ", watermark 2023-11-14T22:46:39.000Z";
    assert!(
        aligned.summary().contains(expected),
        "{}",
        aligned.summary()
    );

    let warned = run("alignment.max.drift.ms: 300000, alignment.mode: warn-only");
    let said = warned.lines_with("of event time ahead of the partition that is behind all others");
    let most = drift(&at, &warned.rows());
    assert!(
        most > 300 + 2 * 200 && !said.is_empty(),
        "{most}: {}",
        warned.stderr
    );
}

fn rows_too_far_ahead_are_dropped_and_counted(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    produce_uneven(broker, "excess", id);
    let alignment = "alignment.max.drift.ms: 300000, alignment.mode: drop-excess";
    let watermark = format!("max.out.of.orderness.ms: 0, {alignment}");
    let run = run(&pipeline(broker, &registry, "excess", &watermark));

    let rows = run.rows();
    let dropped = 2_200 - rows.len();
    assert!(dropped > 0, "they come partition by partition");
    let expected = format!(", {dropped} dropped as too far ahead");
    assert!(
        run.summary()
            .replace(',', "")
            .ends_with(&expected.replace(',', "")),
        "{}",
        run.summary()
    );

    // Alone, none is too far ahead, however far it jumps.
    broker.create_topic("jump", 1);
    produce_at(broker, "jump", id, &[(0, 0), (0, 9_000), (0, 99_000)]);
    let run = self::run(&pipeline(broker, &registry, "jump", &watermark));
    assert_eq!(ids(&run.rows()), [0, 1, 2]);
}

/// Keeps what is said of the rows that come.
struct Seen(Arc<Mutex<Vec<Rows>>>);

impl Sink for Seen {
    fn write(&mut self, rows: &Rows) -> Result<(), SinkError> {
        self.0.lock().expect("no panic").push(rows.clone());
        Ok(())
    }

    fn durable(&mut self, _: Instant) -> Result<u64, SinkError> {
        Ok(self.0.lock().expect("no panic").len() as u64)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

struct Orders(u32);

impl SchemaSource for Orders {
    fn by_id(&self, id: u32) -> Result<Schema, SchemaError> {
        assert_eq!(id, self.0);
        Ok(Schema {
            schema_type: SchemaType::Avro,
            text: orders::SCHEMA.into(),
            references: vec![],
        })
    }

    fn latest(&self, subject: &str) -> Result<Registered, SchemaError> {
        Err(SchemaError::NotFound(subject.into()))
    }
}

/// Through the library, with several workers and partitions that keep the bound: what a sink
/// is told holds for what it gets after that.
fn each_batch_has_the_watermark_after_it(broker: &dyn Broker) {
    const BOUND: i64 = 5;
    let (registry, id) = orders::registry();
    broker.create_topic("told", 4);
    let at: Vec<(i32, i64)> = (0..4_000)
        .map(|n: i64| {
            let partition = i32::try_from(n * 7 % 4).expect("small");
            (partition, n / 4 * i64::from(partition + 1) - n * 13 % BOUND)
        })
        .collect();
    produce_at(broker, "told", id, &at);
    let yaml = pipeline(broker, &registry, "told", "max.out.of.orderness.ms: 5000");
    let config = PipelineConfig::parse(&yaml, Path::new("told.yaml"), &|_| None);
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    let engine = PluginEngine::new(None).expect("an engine");
    let avro = Plugin::load(&engine, "avro").expect("it is built in");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let parts = Parts {
        plugins: Plugins {
            interceptors: vec![],
            deserializer: (avro, json!({})),
            key_deserializer: None,
            serializer: None,
            key_serializer: None,
            limits: Limits::default(),
        },
        schemas: Arc::new(Orders(id)),
        sink: Box::new(Seen(Arc::clone(&seen))),
        workers: 3,
    };

    let running = pipeline::start(&config, parts).expect("it starts");
    let progress = running.progress();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !running.is_finished() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    running.stopper().request();
    running.wait().expect("it ends well");

    let seen = seen.lock().expect("no panic");
    let (mut watermark, mut rows, mut late) = (None, 0, 0);
    let mut latest: HashMap<TopicPartition, i64> = HashMap::new();
    for batch in seen.iter() {
        let times = batch.event_times.as_ref().expect("they are tracked");
        for row in 0..batch.rows.num_rows() {
            let time = times.get(row).expect("a timestamp");
            late += u64::from(Some(time) < watermark);
            rows += 1;
            let latest = latest.entry(batch.messages.source.clone()).or_insert(time);
            *latest = time.max(*latest);
        }
        assert!(batch.watermark >= watermark, "it never goes back");
        watermark = batch.watermark;
        if latest.len() < 4 {
            assert_eq!(watermark, None, "before all partitions are heard of");
        }
    }
    assert_eq!(rows, 4_000);
    assert_eq!(
        (late, progress.late.get()),
        (0, 0),
        "who keeps the bound is never late"
    );
    // All are through, so it is as far as the one that is furthest.
    let most = at.iter().map(|(_, seconds)| seconds).max();
    let most = most.map(|most| START + (most - BOUND) * SECOND);
    let view = progress.event_time().expect("it is tracked").view();
    assert_eq!(view.watermark, most);
    assert_eq!(view.partitions.len(), 4);
}

/// An empty partition holds the watermark back until it is idle, and not longer.
#[test]
fn an_empty_partition_is_waited_for_until_it_is_idle() {
    let mock = Mock::start();
    let (registry, id) = orders::registry();
    mock.create_topic("idle", 2);
    produce_at(&mock, "idle", id, &[(0, 1), (0, 2)]);
    let run = |timeout: &str| {
        let watermark = format!("max.out.of.orderness.ms: 0, idle.timeout.ms: {timeout}");
        let yaml = pipeline(&mock, &registry, "idle", &watermark);
        let yaml = yaml.replace("  stop.mode: latest\n", "");
        let project = Project::new();
        let mut run = project.run(&yaml).start();
        let _ = run.wait_for_rows(2);
        std::thread::sleep(Duration::from_millis(1_500));
        run.terminate();
        run.finish().with_code(0).summary().to_owned()
    };

    let idle = run("200");
    assert!(
        idle.contains("watermark 2023-11-14T22:13:22.000Z"),
        "{idle}"
    );
    let waiting = run("0");
    assert!(!waiting.contains("watermark"), "{waiting}");
}

/// A member takes partitions over, and those that stay are given up and taken again meanwhile, as
/// `range` does: nothing of a partition that keeps the bound is late for that.
#[test]
fn a_rebalance_makes_nothing_late() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let (registry, id) = orders::registry();
    kafka.create_topic("handed", 4);
    // Each partition is 1,000 s ahead of the one before.
    let rows = |seconds: std::ops::Range<i64>| -> Vec<(i32, i64)> {
        let all = seconds.flat_map(|s| (0..4).map(move |p| (p, i64::from(p) * 1_000 + s)));
        all.collect()
    };
    let yaml = pipeline(kafka, &registry, "handed", "max.out.of.orderness.ms: 0");
    let range = "  partition.assignment.strategy: range\n";
    let yaml = yaml.replace("  stop.mode: latest\n", range);
    let yaml = yaml.replace("startup.mode: earliest", "startup.mode: group-offsets");
    let (one, two) = (Project::new(), Project::new());

    let mut stayed = one.run(&yaml).env("WEIR_LOG", "info").start();
    stayed.wait_for_stderr("4 partitions assigned");
    produce_at(kafka, "handed", id, &rows(0..50));
    let _ = stayed.wait_for_rows(200);
    let mut joined = two.run(&yaml).env("WEIR_LOG", "info").start();
    joined.wait_for_stderr("2 partitions assigned");
    stayed.wait_for_stderr("2 partitions assigned");
    produce_at(kafka, "handed", id, &rows(50..100));
    let _ = (stayed.wait_for_rows(300), joined.wait_for_rows(100));
    // A member that ends would hand its partitions to the other.
    stayed.terminate();
    let stayed = stayed.finish().with_code(0);
    joined.terminate();
    let joined = joined.finish().with_code(0);

    for (run, rows) in [(&stayed, 300), (&joined, 100)] {
        let summary = run.summary();
        assert_eq!(run.rows().len(), rows, "{summary}");
        assert!(!summary.contains("late"), "{summary}");
    }
    // Who has the first two partitions is at the first one's 99 s, who has the others at 2,099 s.
    let mut watermarks =
        ["22:14:59", "22:48:19"].map(|time| format!("watermark 2023-11-14T{time}"));
    if joined.summary().contains(&watermarks[0]) {
        watermarks.reverse();
    }
    assert!(
        stayed.summary().contains(&watermarks[0]),
        "{}",
        stayed.summary()
    );
    assert!(
        joined.summary().contains(&watermarks[1]),
        "{}",
        joined.summary()
    );
}

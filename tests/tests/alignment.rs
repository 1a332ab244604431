//! Alignment groups: pipelines in several processes that wait for each other, over a topic.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use weir::config::PipelineConfig;
use weir::pipeline::{self, Parts, Plugins};
use weir::plugin::{Limits, Plugin, PluginEngine};
use weir::rows::Rows;
use weir::schemas::{Registered, Schema, SchemaError, SchemaSource, SchemaType};
use weir::sink::{Sink, SinkError};
use weir_tests::certificates::Identity;
use weir_tests::kafka::{Acl, Kafka, Listener, Mechanism, Operation, Options, Resource};
use weir_tests::kafka::{SecureKafka, User};
use weir_tests::mock::Mock;
use weir_tests::records::{Reader, Record, produce};
use weir_tests::registry::Registry;
use weir_tests::weir::{Finished, Project, Running};
use weir_tests::{Broker, available, on_both_brokers, orders};

/// 2023-11-14T22:13:20Z, in ms.
const START: i64 = 1_700_000_000_000;
/// How far one may be ahead of the other, in rows: they are one second of event time apart.
const DRIFT: usize = 200;
/// Beyond that: batches under way, of 20 rows each, and what the other has done and not said.
const SLACK: usize = 60;
/// Rows of the one that is not slow.
const ROWS: usize = 5_000;
/// What the slow one may read, a second: a tenth of what the other could at the least.
const RATE: usize = 100;
const TIMEOUT: Duration = Duration::from_millis(2_000);

on_both_brokers!(
    the_fast_one_keeps_to_the_slow_one_and_is_freed_when_it_dies,
    whoever_ends_well_holds_nobody_back,
    what_others_write_into_the_topic_is_told_once,
    pipelines_of_one_process_wait_for_each_other,
);

/// Rows that are one second apart, in one partition.
fn produce_seconds(broker: &dyn Broker, topic: &str, schema: u32, rows: usize) {
    broker.create_topic(topic, 1);
    let rows = i64::try_from(rows).expect("few");
    let records: Vec<Record> = orders::records(topic, schema, 0..rows)
        .into_iter()
        .zip(0..)
        .map(|(record, n): (_, i64)| record.partition(0).timestamp(START + n * 1_000))
        .collect();
    produce(broker.brokers(), &records);
}

/// The mock cannot be asked to make topics: there, it is made beforehand.
fn group_topic(broker: &dyn Broker, topic: &str) {
    if broker.source_keys().contains("session.timeout.ms") {
        broker.create_topic(topic, 1);
    }
}

fn yaml(broker: &dyn Broker, registry: &Registry, topic: &str, group: &str, more: &str) -> String {
    format!(
        "name: {topic}
source:
  bootstrap.servers: {}
  topics: [{topic}]
  startup.mode: earliest
  batch.max.rows: 20
{}{more}schema.registry.url: {}
deserializer: avro
watermark:
  max.out.of.orderness.ms: 0
  alignment:
    max.drift.ms: {}
    {group}
",
        broker.brokers(),
        broker.source_keys(),
        registry.url(),
        DRIFT * 1_000,
    )
}

fn in_group(name: &str) -> String {
    format!(
        "group.id: {name}
    group.topic: {name}-alignment
    publish.interval.ms: 200
    member.timeout.ms: {}",
        TIMEOUT.as_millis()
    )
}

const SLOW: &str = "  rate.limit.messages: 100\n  rate.limit.burst.ms: 200\n";

fn the_fast_one_keeps_to_the_slow_one_and_is_freed_when_it_dies(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    produce_seconds(broker, "tortoise", id, ROWS);
    produce_seconds(broker, "hare", id, ROWS);
    group_topic(broker, "race-alignment");
    let group = in_group("race");
    let (one, two) = (Project::new(), Project::new());

    let slow = one.run(&yaml(broker, &registry, "tortoise", &group, SLOW));
    let slow = slow.start();
    let _ = slow.wait_for_rows(1);
    let started = (Instant::now(), slow.row_count());
    let bounded = "  stop.mode: latest\n";
    let fast = two.run(&yaml(broker, &registry, "hare", &group, bounded));
    let fast = fast.start();
    let mut most = 0;
    while started.0.elapsed() < Duration::from_secs(5) {
        // In this order: the slow one goes on meanwhile.
        let ahead = fast.row_count();
        let behind = slow.row_count();
        assert!(
            ahead <= behind + DRIFT + SLACK,
            "{ahead} rows, and the slow one has {behind}\n{}",
            fast.stderr()
        );
        most = most.max(ahead.saturating_sub(behind));
        std::thread::sleep(Duration::from_millis(10));
    }
    let read = slow.row_count() - started.1;
    let allowed = RATE * usize::try_from(started.0.elapsed().as_millis()).expect("short") / 1_000;
    eprintln!("at most {most} ahead; the slow one has read {read} of the {allowed} that it may");
    assert!(read * 10 >= allowed * 8, "{read} of {allowed}");
    let (ahead, behind) = (fast.row_count(), slow.row_count());
    assert!(
        ahead > behind,
        "{ahead} and {behind}: it is not held up more than need be"
    );

    let killed = Instant::now();
    let behind = slow.kill().rows().len();
    while killed.elapsed() < TIMEOUT / 2 {
        let ahead = fast.row_count();
        assert!(ahead <= behind + DRIFT + SLACK, "{ahead}, {behind}");
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = fast.wait_for_rows(ROWS);
    let freed = killed.elapsed();
    eprintln!("through {freed:?} after the other was killed");
    assert!(freed < TIMEOUT + Duration::from_secs(4), "{freed:?}");
    let fast = fast.finish().with_code(0);
    let told = fast.lines_with("has said nothing for 2s, and is not waited for any more");
    assert_eq!(told.len(), 1, "{}", fast.stderr);
    assert!(!fast.summary().contains("late"), "{}", fast.summary());
}

fn whoever_ends_well_holds_nobody_back(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    produce_seconds(broker, "leaves", id, ROWS);
    produce_seconds(broker, "stays", id, ROWS);
    group_topic(broker, "end-alignment");
    let group = in_group("end").replace("2000", "60000");
    let (one, two) = (Project::new(), Project::new());
    let slow = one.run(&yaml(broker, &registry, "leaves", &group, SLOW));
    let mut slow = slow.start();
    let _ = slow.wait_for_rows(1);
    let bounded = "  stop.mode: latest\n";
    let fast = two.run(&yaml(broker, &registry, "stays", &group, bounded));
    let fast = fast.start();
    let _ = fast.wait_for_rows(DRIFT / 2);
    assert!(fast.row_count() <= slow.row_count() + DRIFT + SLACK);
    slow.terminate();
    let slow = slow.finish().with_code(0);
    let fast = fast.finish_within(Duration::from_secs(20)).with_code(0);
    assert_eq!(fast.rows().len(), ROWS);
    assert!(slow.rows().len() < ROWS / 2);
    // Both have said so, and compaction may forget them.
    let topic = Reader::new(broker.brokers(), "end-alignment").to_end();
    let mut last: HashMap<&[u8], &Record> = HashMap::new();
    for record in &topic {
        last.insert(record.key.as_deref().expect("each has a key"), record);
    }
    assert_eq!(last.len(), 2);
    assert!(
        last.values().all(|record| record.value.is_none()),
        "{last:?}"
    );
    let left = topic.iter().filter_map(|record| record.value.as_deref());
    let left = left.filter(|value| value.windows(6).any(|word| word == b"\"left\""));
    assert_eq!(left.count(), 2);
}

fn what_others_write_into_the_topic_is_told_once(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    produce_seconds(broker, "strange", id, 500);
    broker.create_topic("strange-alignment", 1);
    let strange = |value: &str| Record::new("strange-alignment").key("x").value(value);
    let other_group = r#"{"version":1,"group":"other","member":"m","sequence":1,"standing":{"at":{"watermark":0}},"sent_at":0}"#;
    let records = [
        strange("hello"),
        strange("{}"),
        strange(r#"{"version":7,"group":"strange"}"#),
        strange(r#"{"version":8}"#),
        strange(other_group),
    ];
    produce(broker.brokers(), &records);
    let project = Project::new();
    let bounded = "  stop.mode: latest\n";
    let run = yaml(broker, &registry, "strange", &in_group("strange"), bounded);
    let run = project.run(&run).finish().with_code(0);
    assert_eq!(run.rows().len(), 500);
    let told = run.lines_with("what is not taken");
    assert_eq!(told.len(), 2, "{}", run.stderr);
    assert!(told[0].contains("at offset 0 what is not taken: not a report"));
    assert!(told[1].contains("at offset 2 what is not taken: a report of version 7"));
}

/// Counts rows, by when they came.
struct Counting(Arc<Mutex<usize>>, usize);

impl Sink for Counting {
    fn write(&mut self, rows: &Rows) -> Result<(), SinkError> {
        *self.0.lock().expect("no panic") += rows.len();
        self.1 += 1;
        Ok(())
    }

    fn durable(&mut self, _: Instant) -> Result<u64, SinkError> {
        Ok(self.1 as u64)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

struct Orders;

impl SchemaSource for Orders {
    fn by_id(&self, _: u32) -> Result<Schema, SchemaError> {
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

fn pipelines_of_one_process_wait_for_each_other(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    produce_seconds(broker, "inner-slow", id, ROWS);
    produce_seconds(broker, "inner-fast", id, ROWS);
    group_topic(broker, "inner-alignment");
    let engine = PluginEngine::new(None).expect("an engine");
    let avro = Plugin::load(&engine, "avro").expect("it is built in");
    let start = |topic: &str, more: &str| {
        let yaml = yaml(broker, &registry, topic, &in_group("inner"), more);
        let config = PipelineConfig::parse(&yaml, Path::new("inner.yaml"), &|_| None);
        let config = config.unwrap_or_else(|error| panic!("{error}"));
        let count = Arc::new(Mutex::new(0));
        let parts = Parts {
            plugins: Plugins {
                interceptors: vec![],
                deserializer: (avro.clone(), json!({})),
                key_deserializer: None,
                serializer: None,
                key_serializer: None,
                limits: Limits::default(),
            },
            schemas: Arc::new(Orders),
            sink: Box::new(Counting(Arc::clone(&count), 0)),
            workers: 1,
        };
        (pipeline::start(&config, parts).expect("it starts"), count)
    };
    let rows = |count: &Arc<Mutex<usize>>| *count.lock().expect("no panic");
    let (slow, slow_rows) = start("inner-slow", SLOW);
    let deadline = Instant::now() + Duration::from_secs(30);
    while rows(&slow_rows) == 0 {
        assert!(Instant::now() < deadline, "no rows");
        std::thread::sleep(Duration::from_millis(5));
    }
    let (fast, fast_rows) = start("inner-fast", "");
    while rows(&slow_rows) < 300 {
        let ahead = rows(&fast_rows);
        let behind = rows(&slow_rows);
        assert!(ahead <= behind + DRIFT + SLACK, "{ahead}, {behind}");
        assert!(Instant::now() < deadline, "{behind}");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(rows(&fast_rows) > rows(&slow_rows));
    let view = fast.progress().event_time().expect("it is tracked").view();
    let group = view.group.expect("there is one");
    assert_eq!((&*group.id, group.members, group.known), ("inner", 1, true));
    assert!(
        group
            .holder
            .is_some_and(|name| name.starts_with("inner-slow-"))
    );
    // The first of them waits for the other, and is not held up in its end by that.
    for running in [fast, slow] {
        running.stopper().request();
        running.wait().expect("it ends well");
    }
}

/// One that is slow, and has said how far it is; then one of the same group in this mode.
fn beside_a_slow_one(topics: [&str; 2], mode: &str, more: &str) -> (Mock, Finished, usize) {
    const ROWS: usize = 1_500;
    let mock = Mock::start();
    let (registry, id) = orders::registry();
    for topic in topics {
        produce_seconds(&mock, topic, id, ROWS);
    }
    let name = topics[1];
    mock.create_topic(&format!("{name}-aside"), 1);
    group_topic(&mock, &format!("{name}-alignment"));
    let group = in_group(name);
    let (one, two) = (Project::new(), Project::new());
    let mut slow = one
        .run(&yaml(&mock, &registry, topics[0], &group, SLOW))
        .start();
    let _ = slow.wait_for_rows(1);
    let fast = yaml(&mock, &registry, name, &group, "  stop.mode: latest\n");
    let fast = fast.replace(
        "  alignment:\n",
        &format!("{more}  alignment:\n    mode: {mode}\n"),
    );
    let fast = two.run(&fast).finish().with_code(0);
    let behind = slow.row_count();
    slow.terminate();
    let _ = slow.finish().with_code(0);
    assert!(behind + DRIFT + SLACK < ROWS, "the slow one is not slow");
    (mock, fast, behind)
}

#[test]
fn a_group_is_told_of_drift_where_nobody_waits() {
    let (_mock, fast, _) = beside_a_slow_one(["plodding", "warned"], "warn-only", "");
    assert_eq!(fast.rows().len(), 1_500);
    let told = fast.lines_with("of event time ahead of the pipeline of alignment group warned");
    assert!(!told.is_empty(), "{}", fast.stderr);
    assert!(
        told[0].contains("warned[0] is ")
            && told[0].contains("that is behind all others, plodding-"),
        "{told:?}"
    );
    // Every second at most.
    assert!(told.len() <= 1 + usize::try_from(fast.took.as_secs()).expect("short"));
    assert!(!fast.summary().contains("dropped"), "{}", fast.summary());
}

/// From the first batch on, as what the group says is read before.
#[test]
fn rows_too_far_ahead_of_a_group_are_dropped_or_put_aside() {
    let (_mock, fast, behind) = beside_a_slow_one(["creeping", "dropped"], "drop-excess", "");
    let kept = fast.rows();
    let furthest = kept.iter().map(orders::id).max().expect("there are some");
    let furthest = usize::try_from(furthest).expect("a number of a row");
    assert!(furthest <= behind + DRIFT + SLACK, "{furthest}, {behind}");
    assert!(kept.len() >= DRIFT, "{}", kept.len());
    let dropped = 1_500 - kept.len();
    let expected = format!("{dropped} dropped as too far ahead");
    let summary = fast.summary().replace(',', "");
    assert!(summary.ends_with(&expected), "{summary}");

    let side_topic = "  side.topic: excess-aside\n";
    let (mock, fast, _) = beside_a_slow_one(["crawling", "excess"], "drop-excess", side_topic);
    let aside = Reader::new(mock.brokers(), "excess-aside").to_end();
    assert!(!aside.is_empty());
    let expected = format!("{} put aside", aside.len());
    let summary = fast.summary().replace(',', "");
    assert!(summary.ends_with(&expected), "{summary}");
    // Each message is in one of the two places, and in one only.
    let offset = |record: &Record| {
        let mut headers = record.headers.iter();
        let offset = headers.find(|(name, _)| name == "__weir.aside.offset");
        let offset = offset.and_then(|(_, value)| value.as_deref());
        let offset = std::str::from_utf8(offset.expect("it has one")).expect("a text");
        offset.parse::<i64>().expect("a number")
    };
    let mut all: Vec<i64> = fast.rows().iter().map(orders::id).collect();
    all.extend(aside.iter().map(offset));
    all.sort_unstable();
    assert!(all.iter().copied().eq(0..1_500), "{}", all.len());
}

/// The mock makes no topics when asked: as a broker of which one may not.
#[test]
fn a_topic_that_is_not_there_and_cannot_be_made_is_an_error_with_the_command() {
    let mock = Mock::start();
    let (registry, id) = orders::registry();
    produce_seconds(&mock, "none", id, 10);
    let project = Project::new();
    let run = project.run(&yaml(&mock, &registry, "none", &in_group("none"), ""));
    let run = run.finish().with_code(1);
    let error = "there is no topic none-alignment, and it cannot be made: ";
    let command = format!(
        "Make it: kafka-topics --bootstrap-server {} --create --topic none-alignment --partitions 1 \
         --config cleanup.policy=compact",
        mock.brokers()
    );
    assert!(run.stderr.contains(error), "{}", run.stderr);
    assert!(run.stderr.contains(&command), "{}", run.stderr);
    assert_eq!(run.rows().len(), 0);
}

/// It has one partition and is compacted.
#[test]
fn the_topic_is_made_as_it_has_to_be() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let (registry, id) = orders::registry();
    produce_seconds(kafka, "making", id, 10);
    let project = Project::new();
    let bounded = "  stop.mode: latest\n";
    let yaml = yaml(kafka, &registry, "making", &in_group("making"), bounded);
    project.write("pipeline.yaml", &yaml);
    let check = || {
        let check = project.weir(["check", "--connect", "pipeline.yaml"]);
        check.finish().with_code(0).stdout
    };
    assert!(
        check().contains("none yet; a run may make it"),
        "{}",
        check()
    );
    let run = project.run(&yaml).env("WEIR_LOG", "info").finish();
    let run = run.with_code(0);
    assert_eq!(run.lines_with("made topic making-alignment").len(), 1);
    assert_eq!(
        kafka.topic_config("making-alignment", "cleanup.policy"),
        "compact"
    );
    let found = check();
    assert!(found.contains("1 partition; Read is allowed"), "{found}");
    assert!(found.contains("1 partition; Write is allowed"), "{found}");
}

/// Each missing ACL is named by a run and by `check --connect`.
#[test]
fn each_missing_acl_is_named() {
    let options = Options::default().listener(Listener::SaslPlaintext).acls();
    let Some(kafka) = available(SecureKafka::start(options)) else {
        return;
    };
    let (registry, id) = orders::registry();
    produce_seconds(kafka.kafka(), "guarded", id, 10);
    let bob = kafka.sasl_client(Listener::SaslPlaintext, Mechanism::ScramSha512, User::BOB);
    let allow = |operation, resource| {
        let user = User::BOB.name;
        kafka.allow(&Acl {
            user,
            operation,
            resource,
        });
    };
    allow(Operation::Read, Resource::Topic("guarded"));
    allow(Operation::Read, Resource::Group("weir-guarded"));
    let yaml = yaml(
        kafka.kafka(),
        &registry,
        "guarded",
        &in_group("guarded"),
        "  stop.mode: latest\n",
    );
    let servers = format!("  bootstrap.servers: {}\n", kafka.kafka().brokers());
    let yaml = yaml.replace(&servers, &bob.yaml());
    let project = Project::new();
    project.write("pipeline.yaml", &yaml);
    let outcome = || {
        let check = project.weir(["check", "--connect", "pipeline.yaml"]);
        let check = check.finish();
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let topic = check.stdout.lines().map(words);
        let topic = topic.filter(|line| line.contains("topic guarded-alignment"));
        let topic: Vec<String> = topic.filter(|line| !line.starts_with("fix")).collect();
        let run: Running<'_> = project.run(&yaml).start();
        let run = run.finish();
        (topic.join(" + "), run.code, run.stderr)
    };

    let hidden = outcome();
    let told = "Read is not allowed, nor is Describe";
    assert!(hidden.0.contains(told), "{hidden:?}");
    assert_eq!(hidden.1, Some(1));
    let topic = Resource::Topic("guarded-alignment");
    allow(Operation::Describe, topic);
    let absent = outcome();
    let told = "cannot be made: Create is not allowed";
    assert!(absent.0.contains(told), "{absent:?}");
    assert_eq!(absent.1, Some(1));
    let fix = "--operation Create --topic guarded-alignment";
    assert!(absent.2.contains(fix), "{}", absent.2);

    kafka.kafka().create_topic("guarded-alignment", 1);
    let none = outcome();
    assert!(none.0.contains("Read is not allowed"), "{none:?}");
    assert_eq!(none.1, Some(1));
    let error = "watermark.alignment.group.topic: Read on topic guarded-alignment is not allowed";
    assert!(none.2.contains(error), "{}", none.2);
    assert!(
        none.2
            .contains("--operation Read --topic guarded-alignment"),
        "{}",
        none.2
    );

    allow(Operation::Read, Resource::Topic("guarded-alignment"));
    let no_write = outcome();
    assert!(no_write.0.contains("Write is not allowed"), "{no_write:?}");
    assert_eq!(no_write.1, Some(1));
    assert!(
        no_write.2.contains("Write on topic guarded-alignment"),
        "{}",
        no_write.2
    );

    allow(Operation::Write, Resource::Topic("guarded-alignment"));
    let both = outcome();
    assert!(both.0.contains("Write is allowed"), "{both:?}");
    assert_eq!(both.1, Some(0), "{}", both.2);
}

/// The clients of the group and of the side topic take new certificates, as the source does: only
/// the user of the new ones is let in after the change.
#[test]
fn new_certificates_are_taken_by_members_and_for_the_side_topic() {
    let options = Options::default().listener(Listener::MutualTls).acls();
    let Some(kafka) = available(SecureKafka::start(options)) else {
        return;
    };
    let brokers = kafka.kafka().brokers();
    let (registry, id) = orders::registry();
    for topic in ["turning", "turning-alignment", "turning-aside"] {
        kafka.kafka().create_topic(topic, 1);
    }
    let acls = |user| {
        [
            (Operation::Read, Resource::Topic("turning")),
            (Operation::Read, Resource::Group("weir-turning")),
            (Operation::Read, Resource::Topic("turning-alignment")),
            (Operation::Write, Resource::Topic("turning-alignment")),
            (Operation::Write, Resource::Topic("turning-aside")),
        ]
        .map(|(operation, resource)| Acl {
            user,
            operation,
            resource,
        })
    };
    for acl in acls("carol").iter().chain(&acls("dave")) {
        kafka.allow(acl);
    }
    let project = Project::new();
    let [carol, dave] = ["carol", "dave"].map(|user| kafka.certificates().client(user));
    let show = |identity: &Identity| {
        let folder = project.path();
        std::fs::copy(identity.certificate(), folder.join("client.pem")).expect("it is copied");
        std::fs::copy(identity.key(), folder.join("client.key")).expect("it is copied");
    };
    show(&carol);
    let client = kafka
        .tls_client(Listener::MutualTls, User::ALICE)
        .set("ssl.certificate.location", "client.pem")
        .set("ssl.key.location", "client.key");
    let group = in_group("turning");
    let yaml = yaml(kafka.kafka(), &registry, "turning", &group, "");
    // Rows are held against the watermark before their batch.
    let yaml = yaml.replace("batch.max.rows: 20", "batch.max.rows: 1");
    let servers = format!("  bootstrap.servers: {brokers}\n");
    let yaml = yaml.replace(&servers, &client.yaml()).replace(
        "  max.out.of.orderness.ms: 0\n",
        "  max.out.of.orderness.ms: 0\n  late.records: side-topic\n  side.topic: turning-aside\n",
    );
    let mut next = 0;
    // One that is in time, and then one that is late.
    let mut send = |seconds: [i64; 2]| {
        for second in seconds {
            let record = orders::records("turning", id, next..next + 1).remove(0);
            next += 1;
            let record = record.partition(0).timestamp(START + second * 1_000);
            produce(brokers, &[record]);
        }
    };
    let soon = Duration::from_secs(30);
    let mut weir = project.run(&yaml).start();
    send([100, 1]);
    let aside = Reader::new(brokers, "turning-aside").at_least(1, soon);
    assert_eq!(aside.len(), 1, "{}", weir.stderr());

    show(&dave);
    weir.wait_for_stderr("the source takes new ssl.certificate.location, ssl.key.location");
    std::thread::sleep(Duration::from_millis(500));
    for acl in acls("carol") {
        kafka.disallow(&acl);
    }
    let said = Reader::new(brokers, "turning-alignment").to_end().len();
    send([200, 2]);
    let aside = Reader::new(brokers, "turning-aside").at_least(2, soon);
    assert_eq!(aside.len(), 2, "{}", weir.stderr());
    let reports = Reader::new(brokers, "turning-alignment").at_least(said + 2, soon);
    assert!(reports.len() >= said + 2, "{}", weir.stderr());
    let members: HashSet<_> = reports.iter().map(|record| record.key.clone()).collect();
    assert_eq!(members.len(), 1, "it is the same member");
    weir.terminate();
    let finished = weir.finish().with_code(0);
    assert_eq!(finished.rows().len(), 2, "{}", finished.stderr);
}

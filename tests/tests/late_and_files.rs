//! What becomes of event time at the end of a pipeline: messages that are put aside, and files by
//! the hour.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_tests::kafka::{
    Acl, Listener, Mechanism, Operation, Options, Resource, SecureKafka, User,
};
use weir_tests::mock::Mock;
use weir_tests::records::{Reader, Record, produce};
use weir_tests::registry::Registry;
use weir_tests::weir::Project;
use weir_tests::{Broker, available, groups, guest, on_both_brokers, orders};

/// 2023-11-14T22:00:00Z, in ms.
const HOUR_START: i64 = 1_699_999_200_000;
const MINUTE: i64 = 60_000;

on_both_brokers!(
    late_messages_go_aside_as_they_were,
    what_is_too_far_ahead_goes_aside_as_well,
    files_by_the_hour_are_finished_as_the_watermark_passes,
    kills_lose_nothing_and_no_directory_is_finished_too_soon,
    no_directory_is_finished_while_another_member_writes_there,
    a_mark_that_a_kill_prevented_is_made_though_nothing_more_comes,
);

fn pipeline(broker: &dyn Broker, registry: &Registry, name: &str, more: &str) -> String {
    format!(
        "name: {name}
source:
  bootstrap.servers: {}
  topics: [{name}]
  startup.mode: group-offsets
  stop.mode: latest
  batch.max.rows: 2
{}schema.registry.url: {}
deserializer: avro
{more}",
        broker.brokers(),
        broker.source_keys(),
        registry.url(),
    )
}

/// Orders at these minutes of the hour, each numbered by its place.
fn at(topic: &str, schema: u32, minutes: &[(i32, i64)]) -> Vec<Record> {
    let count = i64::try_from(minutes.len()).expect("few");
    orders::records(topic, schema, 0..count)
        .into_iter()
        .zip(minutes)
        .map(|(record, (partition, minute))| {
            record
                .partition(*partition)
                .timestamp(HOUR_START + minute * MINUTE)
        })
        .collect()
}

fn ids(rows: &[Value]) -> Vec<i64> {
    rows.iter().map(orders::id).collect()
}

fn header<'r>(record: &'r Record, name: &str) -> &'r str {
    let found = record.headers.iter().find(|(known, _)| known == name);
    let value = found.and_then(|(_, value)| value.as_deref());
    std::str::from_utf8(value.expect("there is such a header")).expect("a text")
}

fn late_messages_go_aside_as_they_were(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("late-ones", 1);
    broker.create_topic("put-aside", 2);
    let records: Vec<Record> = at(
        "late-ones",
        id,
        &[(0, 0), (0, 10), (0, 5), (0, 20), (0, 19), (0, 20)],
    )
    .into_iter()
    .map(|record| record.header("trace", "t-1").null_header("none"))
    .collect();
    let sent = produce(broker.brokers(), &records);
    let watermark = "watermark:
  max.out.of.orderness.ms: 120000
  late.records: side-topic
  side.topic: put-aside
";
    let yaml = pipeline(broker, &registry, "late-ones", watermark);
    let run = Project::new().run(&yaml).finish().with_code(0);
    // The one at 5 min is late against 8; the one at 19 is within the bound.
    assert_eq!(ids(&run.rows()), [0, 1, 3, 4, 5]);
    let summary = run.summary();
    assert!(summary.ends_with(", 1 late, 1 put aside"), "{summary}");

    let aside = Reader::new(broker.brokers(), "put-aside").to_end();
    assert_eq!(aside.len(), 1);
    let (found, original) = (&aside[0], &sent[2]);
    assert_eq!((&found.key, &found.value), (&original.key, &original.value));
    assert_eq!(found.timestamp, Some(HOUR_START + 5 * MINUTE));
    assert_eq!(found.headers[..2], original.headers[..]);
    let watermark = (HOUR_START + 8 * MINUTE).to_string();
    let time = (HOUR_START + 5 * MINUTE).to_string();
    let expected = [
        ("__weir.aside.reason", "late"),
        ("__weir.aside.topic", "late-ones"),
        ("__weir.aside.partition", "0"),
        ("__weir.aside.offset", "2"),
        ("__weir.aside.event.time", &time),
        ("__weir.aside.watermark", &watermark),
    ];
    for (name, value) in expected {
        assert_eq!(header(found, name), value, "{name}");
    }
    assert_eq!(found.headers.len(), 2 + expected.len());
}

fn what_is_too_far_ahead_goes_aside_as_well(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("excess-ones", 2);
    broker.create_topic("excess-aside", 1);
    let dense = (0..600).map(|n| (0, n));
    let sparse = (0..60).map(|n| (1, n * 10));
    let minutes: Vec<(i32, i64)> = sparse.chain(dense).collect();
    produce(broker.brokers(), &at("excess-ones", id, &minutes));
    let watermark = "watermark:
  max.out.of.orderness.ms: 0
  side.topic: excess-aside
  alignment: { max.drift.ms: 1200000, mode: drop-excess }
";
    let yaml = pipeline(broker, &registry, "excess-ones", watermark);
    let yaml = yaml.replace("batch.max.rows: 2", "batch.max.rows: 20");
    let run = Project::new().run(&yaml).finish().with_code(0);
    let aside = Reader::new(broker.brokers(), "excess-aside").to_end();
    assert!(!aside.is_empty(), "they come partition by partition");
    let reasons = aside.iter().map(|r| header(r, "__weir.aside.reason"));
    assert!(reasons.clone().all(|reason| reason == "too-far-ahead"));
    let expected = format!(", {} put aside", aside.len());
    assert!(run.summary().ends_with(&expected), "{}", run.summary());
    // Each message is in one of the two places, and in one only.
    let mut all = ids(&run.rows());
    all.extend(aside.iter().map(|record| {
        let key = record.key.as_deref().expect("each has a key");
        let key = std::str::from_utf8(key).expect("a text");
        let id = key.strip_prefix("order-").expect("an order");
        id.parse::<i64>().expect("a number")
    }));
    all.sort_unstable();
    assert!(all.iter().copied().eq(0..660), "{}", all.len());
}

/// Nothing is committed of a batch that has a message which the side topic does not take.
#[test]
fn offsets_wait_for_the_side_topic() {
    let options = Options::default().listener(Listener::SaslPlaintext).acls();
    let Some(kafka) = available(SecureKafka::start(options)) else {
        return;
    };
    let brokers = kafka.kafka().brokers();
    let (registry, id) = orders::registry();
    kafka.kafka().create_topic("held", 1);
    kafka.kafka().create_topic("held-aside", 1);
    produce(
        brokers,
        &at("held", id, &[(0, 0), (0, 30), (0, 31), (0, 1), (0, 32)]),
    );
    let bob = kafka.sasl_client(Listener::SaslPlaintext, Mechanism::ScramSha512, User::BOB);
    let allow = |operation, resource| {
        let user = User::BOB.name;
        kafka.allow(&Acl {
            user,
            operation,
            resource,
        });
    };
    allow(Operation::Read, Resource::Topic("held"));
    allow(Operation::Read, Resource::Group("held"));
    let watermark = "watermark:
  max.out.of.orderness.ms: 0
  late.records: side-topic
  side.topic: held-aside
";
    let yaml = pipeline(kafka.kafka(), &registry, "held", watermark);
    let servers = format!("  bootstrap.servers: {brokers}\n");
    let yaml = yaml.replace(&servers, &format!("{}  group.id: held\n", bob.yaml()));
    let project = Project::new();
    project.write("pipeline.yaml", &yaml);

    let check = project.weir(["check", "--connect", "pipeline.yaml"]);
    let check = check.finish().with_code(1);
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let told = check.stdout.lines().map(words);
    let told: Vec<String> = told.filter(|line| line.contains("held-aside")).collect();
    assert!(
        told[0].contains("failed topic held-aside Write is not allowed"),
        "{told:?}"
    );

    let refused = project.run(&yaml).finish().with_code(1);
    assert!(
        refused
            .stderr
            .contains("watermark.side.topic: producing to topic held-aside"),
        "{}",
        refused.stderr
    );
    // Batches of two: the first one is delivered, the one with the late row and what follows not.
    let committed = groups::committed(brokers, "held", "held", 1)[0];
    assert!(committed.is_none_or(|offset| offset <= 2), "{committed:?}");

    allow(Operation::Write, Resource::Topic("held-aside"));
    // From the beginning, as what is late follows from what came before.
    let yaml = yaml.replace("startup.mode: group-offsets", "startup.mode: earliest");
    let run = project.run(&yaml).finish().with_code(0);
    assert_eq!(groups::committed(brokers, "held", "held", 1), [Some(5)]);
    assert_eq!(ids(&run.rows()), [0, 1, 2, 4]);
    let aside = Reader::new(brokers, "held-aside").to_end();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(header(&aside[0], "__weir.aside.offset"), "3");
}

/// The names of a directory's data files.
fn data_files(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.into_string().expect("a text"));
    let mut names: Vec<String> = names.filter(|name| !name.starts_with(['_', '.'])).collect();
    names.sort();
    names
}

fn hour(root: &Path, hour: i64) -> PathBuf {
    let (day, hour) = ((22 + hour) / 24, (22 + hour) % 24);
    root.join(format!("dt=2023-11-{:02}/hour={hour:02}", 14 + day))
}

fn is_done(directory: &Path) -> bool {
    directory.join("_SUCCESS").exists()
}

fn manifest(directory: &Path) -> Value {
    let text = fs::read(directory.join("_manifest.json")).expect("there is a manifest");
    serde_json::from_slice(&text).expect("it is JSON")
}

/// The ids in the files that a manifest lists.
fn listed_ids(directory: &Path) -> Vec<i64> {
    let manifest = manifest(directory);
    let files = manifest["files"].as_array().expect("a list");
    let mut ids = Vec::new();
    for file in files {
        let name = file["name"].as_str().expect("a text");
        let text = fs::read_to_string(directory.join(name)).expect("the file is there");
        let rows = text
            .lines()
            .map(|line| -> Value { serde_json::from_str(line).expect("each line is JSON") });
        let before = ids.len();
        ids.extend(rows.map(|row| orders::id(&row)));
        assert_eq!(file["rows"], ids.len() - before);
    }
    assert_eq!(manifest["rows"], ids.len());
    ids
}

const FILES: &str = "watermark: { max.out.of.orderness.ms: 0 }
sink.file:
  path: out
  format: ndjson
  partition.by: event-time-hour
";

fn files_by_the_hour_are_finished_as_the_watermark_passes(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("hours", 1);
    // Three hours, and a row of the first that is late.
    let minutes = [0, 59, 60, 61, 119, 30, 120, 121];
    let minutes: Vec<(i32, i64)> = minutes.iter().map(|minute| (0, *minute)).collect();
    produce(broker.brokers(), &at("hours", id, &minutes));
    for format in ["ndjson", "arrow", "parquet"] {
        let project = Project::new();
        let yaml = pipeline(broker, &registry, "hours", FILES);
        let yaml = yaml
            .replace("format: ndjson", &format!("format: {format}"))
            .replace("startup.mode: group-offsets", "startup.mode: earliest");
        let _ = project.run(&yaml).finish().with_code(0);
        let root = project.path().join("out");
        let done = [0, 1, 2].map(|n| is_done(&hour(&root, n)));
        assert_eq!(done, [true, true, false], "{format}");
        let rows = [0, 1, 2].map(|n| manifest(&hour(&root, n))["rows"].as_u64());
        assert_eq!(rows, [Some(3), Some(3), Some(2)], "{format}");
        let files = data_files(&hour(&root, 0));
        assert_eq!(files.len(), 2, "{format}: {files:?}");
        let late = files.iter().filter(|name| name.contains("-late."));
        assert_eq!(late.count(), 1, "{format}: {files:?}");
        let offsets = &manifest(&hour(&root, 0))["extent"]["offsets"]["hours"]["0"];
        assert_eq!(
            (&offsets["first"], &offsets["last"]),
            (&0.into(), &5.into())
        );
        if format == "ndjson" {
            assert_eq!(listed_ids(&hour(&root, 0)), [0, 1, 5]);
        }
    }
}

/// Kills again and again while hours go by. In the end each row is in a file that a manifest
/// lists, and no directory had its mark before all rows of its hour were on disk.
fn kills_lose_nothing_and_no_directory_is_finished_too_soon(broker: &dyn Broker) {
    const ROWS: i64 = 2_400;
    const PER_HOUR: i64 = 60;
    let (registry, id) = orders::registry();
    broker.create_topic("killed", 2);
    let minutes: Vec<(i32, i64)> = (0..ROWS)
        .map(|n| (i32::try_from(n % 2).expect("small"), n))
        .collect();
    produce(broker.brokers(), &at("killed", id, &minutes));
    let project = Project::new();
    let yaml = pipeline(broker, &registry, "killed", FILES);
    let yaml = yaml
        .replace(
            "batch.max.rows: 2",
            "batch.max.rows: 20\n  rate.limit.messages: 300\n  commit.interval.ms: 50",
        )
        // Without a group, whose members are waited for after they were killed.
        .replace("topics: [killed]", "partitions: { killed: [0, 1] }")
        .replace(
            "max.out.of.orderness.ms: 0",
            "max.out.of.orderness.ms: 1800000, alignment.max.drift.ms: 600000",
        );
    let yaml = format!("{yaml}  roll.interval.ms: 100\n");
    let root = project.path().join("out");
    let hours = ROWS / PER_HOUR;
    let mut kills = 0;
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        let run = project.run(&yaml).start();
        let started = Instant::now();
        let pause = Duration::from_millis(900 + 150 * kills);
        let mut run = run;
        while started.elapsed() < pause && !run.has_ended() {
            std::thread::sleep(Duration::from_millis(20));
        }
        if run.has_ended() || kills == 6 {
            let _ = run.finish().with_code(0);
            break;
        }
        let _ = run.kill();
        kills += 1;
        // Whatever was killed: what is marked has all.
        for n in 0..hours {
            let directory = hour(&root, n);
            if is_done(&directory) {
                has_all(&directory, n * PER_HOUR..(n + 1) * PER_HOUR);
            }
        }
        assert!(Instant::now() < deadline, "it gets nowhere");
    }
    assert!(kills > 1, "it was through before it was killed");
    let mut copies: BTreeMap<i64, usize> = BTreeMap::new();
    for n in 0..hours {
        for id in listed_ids(&hour(&root, n)) {
            *copies.entry(id).or_default() += 1;
        }
    }
    let lost: Vec<i64> = (0..ROWS).filter(|id| !copies.contains_key(id)).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let twice = copies.values().filter(|copies| **copies > 1).count();
    let done = (0..hours).filter(|n| is_done(&hour(&root, *n))).count();
    eprintln!("{kills} kills, {done} hours of {hours} finished, {twice} rows twice");
    // The last half hour is within the bound.
    let done = i64::try_from(done).expect("few");
    assert_eq!(done, hours - 1);
}

fn has_all(directory: &Path, ids: std::ops::Range<i64>) {
    let listed = listed_ids(directory);
    let lacks: Vec<i64> = ids.filter(|id| !listed.contains(id)).collect();
    assert!(lacks.is_empty(), "{} lacks {lacks:?}", directory.display());
}

/// Two members of a consumer group write to one tree, one of them slowly, until it is killed. What
/// the other finishes has all rows of both, before and after it has taken over.
fn no_directory_is_finished_while_another_member_writes_there(broker: &dyn Broker) {
    const MINUTES: i64 = 241;
    let (registry, id) = orders::registry();
    broker.create_topic("shared", 2);
    let (one, two) = (Project::new(), Project::new());
    let root = one.path().join("out");
    let yaml = pipeline(broker, &registry, "shared", FILES)
        .replace("  stop.mode: latest\n", "  commit.interval.ms: 50\n")
        .replace("batch.max.rows: 2", "batch.max.rows: 10")
        .replace("path: out", &format!("path: {}", root.display()));
    // Else Apache Kafka takes 45 s to notice that a member is dead.
    let yaml = match yaml.contains("session.timeout.ms") {
        true => yaml,
        false => yaml.replace(
            "startup.mode",
            "session.timeout.ms: 6000\n  heartbeat.interval.ms: 500\n  startup.mode",
        ),
    };
    let yaml = format!("{yaml}  roll.interval.ms: 50\n");
    let slow = "  rate.limit.messages: 50\n  rate.limit.burst.ms: 200\n  commit.interval";
    let slow = yaml.replace("  commit.interval", slow);
    let mut stays = one.run(&yaml).env("WEIR_LOG", "info").start();
    stays.wait_for_stderr("2 partitions assigned");
    let dies = two.run(&slow).env("WEIR_LOG", "info").start();
    dies.wait_for_stderr("1 partitions assigned");
    stays.wait_for_stderr("1 partitions assigned");
    let minutes: Vec<(i32, i64)> = (0..MINUTES).flat_map(|n| [(0, n), (1, n)]).collect();
    produce(broker.brokers(), &at("shared", id, &minutes));

    let started = Instant::now();
    let look = |stays: &str, dies: &str| {
        let done = [0, 1, 2, 3, 4].map(|n| is_done(&hour(&root, n)));
        let done = done.iter().filter(|done| **done).count();
        for n in 0..i64::try_from(done).expect("few") {
            assert!(is_done(&hour(&root, n)), "in order");
            has_all(&hour(&root, n), n * 120..((n + 1) * 120).min(2 * MINUTES));
        }
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{stays}\n{dies}"
        );
        std::thread::sleep(Duration::from_millis(20));
        done
    };
    while look(&stays.stderr(), &dies.stderr()) == 0 {}
    let before = look("", "");
    assert!(before < 4, "the slow one is not slow");
    let _ = dies.kill();
    while look(&stays.stderr(), "") < 4 {}
    stays.terminate();
    let stays = stays.finish().with_code(0);
    assert!(!is_done(&hour(&root, 4)), "{}", stays.stderr);
    eprintln!("{before} hours finished before the kill");
}

/// What is committed says how far it was.
fn a_mark_that_a_kill_prevented_is_made_though_nothing_more_comes(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("unmarked", 1);
    produce(
        broker.brokers(),
        &at("unmarked", id, &[(0, 0), (0, 59), (0, 60)]),
    );
    let bounded = pipeline(broker, &registry, "unmarked", FILES)
        // Without a group, whose members are waited for after they were killed.
        .replace("topics: [unmarked]", "partitions: { unmarked: [0] }")
        .replace(
            "stop.mode: latest",
            "stop.mode: latest\n  commit.interval.ms: 50",
        );
    let bounded = format!("{bounded}  roll.interval.ms: 50\n");
    let endless = bounded.replace("  stop.mode: latest\n", "");
    let project = Project::new();
    let directory = hour(&project.path().join("out"), 0);
    let wait = |what: &str, holds: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !holds() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let group = "weir-unmarked";
    let committed = || groups::committed(broker.brokers(), group, "unmarked", 1)[0];
    let run = project.run(&endless).start();
    wait("it is committed", &|| committed() == Some(3));
    let _ = run.kill();
    for yaml in [&endless, &bounded] {
        assert!(is_done(&directory));
        fs::remove_file(directory.join("_SUCCESS")).expect("it is there");
        // Well before the partition is idle.
        let mut run = project.run(yaml).start();
        wait("it is finished", &|| is_done(&directory));
        run.terminate();
        let _ = run.finish().with_code(0);
        assert_eq!(listed_ids(&directory), [0, 1]);
    }
    assert!(!is_done(&hour(&project.path().join("out"), 1)));
}

/// Quiet partitions finish a directory as well, once they are idle.
#[test]
fn a_directory_is_finished_while_nothing_comes() {
    let mock = Mock::start();
    let (registry, id) = orders::registry();
    mock.create_topic("quiet", 2);
    produce(mock.brokers(), &at("quiet", id, &[(0, 0), (0, 60)]));
    let yaml = pipeline(&mock, &registry, "quiet", FILES)
        .replace("  stop.mode: latest\n", "")
        .replace("startup.mode: group-offsets", "startup.mode: earliest")
        .replace("orderness.ms: 0", "orderness.ms: 0, idle.timeout.ms: 300");
    let project = Project::new();
    let mut run = project.run(&yaml).start();
    let directory = hour(&project.path().join("out"), 0);
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_done(&directory) {
        assert!(Instant::now() < deadline, "{}", run.stderr());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(listed_ids(&directory), [0]);
    run.terminate();
    let _ = run.finish().with_code(0);
}

/// Event times and watermarks of an interceptor: of messages that are dropped for carrying nothing
/// else, also.
#[test]
fn an_interceptor_gives_event_times_and_watermarks() {
    let mock = Mock::start();
    let (registry, id) = orders::registry();
    mock.create_topic("marked", 1);
    let at = |minute: i64| (HOUR_START + minute * MINUTE).to_string();
    let mut records = at_minutes_in_headers(id, &[10, 20, 5, 40, 39]);
    // Between the last two: nothing below 40 comes any more, and then 39 does.
    let mark = Record::new("marked")
        .partition(0)
        .header("watermark", at(40));
    records.insert(4, mark);
    produce(mock.brokers(), &records);
    let project = Project::new();
    guest::build("tests/guests/marking", &project.path().join("marking.wasm"));
    let yaml = pipeline(
        &mock,
        &registry,
        "marked",
        "interceptors: [./marking.wasm]
watermark:
  event.time: plugin
  max.out.of.orderness.ms: 600000
  late.records: column
",
    );
    let run = project.run(&yaml.replace("batch.max.rows: 2", "batch.max.rows: 1"));
    let run = run.finish().with_code(0);
    let late: Vec<(i64, bool)> = run
        .rows()
        .iter()
        .map(|row| {
            (
                orders::id(row),
                row["late"].as_bool().expect("it is marked"),
            )
        })
        .collect();
    // 5 is late for 20 less the bound, and 39 only for the watermark that was given.
    assert_eq!(
        late,
        [(0, false), (1, false), (2, true), (3, false), (4, true)]
    );
    let summary = run.summary();
    assert!(
        summary.contains("watermark 2023-11-14T22:40:00.000Z"),
        "{summary}"
    );
}

fn at_minutes_in_headers(id: u32, minutes: &[i64]) -> Vec<Record> {
    let count = i64::try_from(minutes.len()).expect("few");
    let records = orders::records("marked", id, 0..count).into_iter();
    let at = |minute: &i64| (HOUR_START + minute * MINUTE).to_string();
    records
        .zip(minutes)
        .map(|(record, minute)| record.partition(0).header("at", at(minute)))
        .collect()
}

/// What the Kafka sink says with each message holds for it and for all that come after it.
#[test]
fn a_header_of_produced_messages_has_the_watermark() {
    let mock = Mock::start();
    let (registry, id) = orders::registry();
    mock.create_topic("to-header", 1);
    mock.create_topic("with-header", 1);
    let minutes = [0, 10, 5, 20, 30, 12];
    let minutes: Vec<(i32, i64)> = minutes.iter().map(|minute| (0, *minute)).collect();
    produce(mock.brokers(), &at("to-header", id, &minutes));
    let sink = "watermark: { max.out.of.orderness.ms: 300000 }
sink.kafka: { topic: with-header, watermark.header: watermark }
";
    let yaml = pipeline(&mock, &registry, "to-header", sink);
    let _ = Project::new().run(&yaml).finish().with_code(0);
    let out = Reader::new(mock.brokers(), "with-header").to_end();
    let told: Vec<Option<i64>> = out
        .iter()
        .map(|record| {
            let found = record.headers.iter().find(|(name, _)| name == "watermark");
            found.map(|(_, value)| {
                let value = value.as_deref().expect("not null");
                let ms: i64 = std::str::from_utf8(value)
                    .expect("a text")
                    .parse()
                    .expect("ms");
                (ms - HOUR_START) / MINUTE
            })
        })
        .collect();
    // In batches of two, each with what held before it; 12 is late.
    assert_eq!(told, [None, None, Some(5), Some(5), Some(15), Some(15)]);
}

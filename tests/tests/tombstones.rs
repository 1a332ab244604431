//! Deletes go through a pipeline: a message without a value comes out without one.

use std::time::Duration;

use weir_tests::groups::committed;
use weir_tests::records::{Reader, Record, produce};
use weir_tests::weir::Project;
use weir_tests::{Broker, available, kafka::Kafka, on_both_brokers, orders};

const SOON: Duration = Duration::from_secs(60);

on_both_brokers!(
    deletes_are_passed_on_in_order,
    deletes_are_left_out_where_the_file_says_so,
    a_topic_of_nothing_but_deletes_goes_through,
    deletes_keep_their_place_beside_a_serializer,
);

fn pipeline(broker: &dyn Broker, name: &str, registry: &str, sink: &str) -> String {
    format!(
        "name: {name}
source:
  bootstrap.servers: {}
  topics: [{name}-in]
  stop.mode: latest
  batch.max.rows: 7
{}schema.registry.url: {registry}
deserializer: avro
sink: {{ kafka: {{ topic: {name}-out{sink} }} }}
",
        broker.brokers(),
        broker.source_keys(),
    )
}

/// Each key is set, deleted, and set again or not; some deletes stand together.
fn input(topic: &str, schema_id: u32) -> Vec<Record> {
    let mut records = Vec::new();
    for n in 0..40 {
        let key = format!("k{}", n % 5);
        let record = Record::new(topic)
            .key(&key)
            .timestamp(1_700_000_000_000 + n);
        records.push(match n % 3 {
            0 => record.value(orders::framed(schema_id, n)),
            _ => record
                .header("why", format!("{n}"))
                .null_header("why")
                .header("__value_schema_id", "x"),
        });
    }
    records
}

/// Keys, whether there is a value, timestamps and headers.
type Seen = (
    Option<Vec<u8>>,
    bool,
    Option<i64>,
    Vec<(String, Option<Vec<u8>>)>,
);

fn seen(records: &[Record]) -> Vec<Seen> {
    let seen = |record: &Record| {
        let headers = record.headers.iter();
        let headers = headers.filter(|(name, _)| name != "__value_schema_id");
        (
            record.key.clone(),
            record.value.is_some(),
            record.timestamp,
            headers.cloned().collect(),
        )
    };
    records.iter().map(seen).collect()
}

fn deletes_are_passed_on_in_order(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("deletes-in", 1);
    broker.create_topic("deletes-out", 1);
    let input = input("deletes-in", id);
    produce(broker.brokers(), &input);
    let yaml = pipeline(broker, "deletes", &registry.url(), "");
    let run = Project::new().run(&yaml).finish().with_code(0);
    assert!(
        run.summary().contains("14 rows of 40 messages"),
        "{}",
        run.summary()
    );
    let written = Reader::new(broker.brokers(), "deletes-out").at_least(40, SOON);
    assert_eq!(seen(&written), seen(&input));
    assert_eq!(
        committed(broker.brokers(), "weir-deletes", "deletes-in", 1),
        [Some(40)]
    );
}

fn deletes_are_left_out_where_the_file_says_so(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("kept-in", 1);
    broker.create_topic("kept-out", 1);
    produce(broker.brokers(), &input("kept-in", id));
    let yaml = pipeline(broker, "kept", &registry.url(), ", tombstones: skip");
    let _ = Project::new().run(&yaml).finish().with_code(0);
    let written = Reader::new(broker.brokers(), "kept-out").to_end();
    assert_eq!(written.len(), 14);
    assert!(written.iter().all(|record| record.value.is_some()));
    assert_eq!(
        committed(broker.brokers(), "weir-kept", "kept-in", 1),
        [Some(40)]
    );
}

fn a_topic_of_nothing_but_deletes_goes_through(broker: &dyn Broker) {
    let (registry, _) = orders::registry();
    broker.create_topic("only-in", 2);
    broker.create_topic("only-out", 1);
    let all: Vec<Record> = (0..20)
        .map(|n| Record::new("only-in").key(format!("k{n}")))
        .collect();
    produce(broker.brokers(), &all);
    let mut yaml = pipeline(broker, "only", &registry.url(), "");
    // Tombstones have no such column, and are not late for it.
    yaml.push_str("watermark: { event.time: created_at, late.records: column }\n");
    let _ = Project::new().run(&yaml).finish().with_code(0);
    let written = Reader::new(broker.brokers(), "only-out").at_least(20, SOON);
    let mut keys: Vec<_> = written.iter().map(|record| record.key.clone()).collect();
    let mut expected: Vec<_> = all.iter().map(|record| record.key.clone()).collect();
    keys.sort();
    expected.sort();
    assert_eq!(keys, expected);
    assert!(written.iter().all(|record| record.value.is_none()));
}

/// Values are made anew, rows that the schema cannot hold are left out, and deletes stay between
/// the rows that they were between.
fn deletes_keep_their_place_beside_a_serializer(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("made-in", 1);
    broker.create_topic("made-out", 1);
    let input = input("made-in", id);
    produce(broker.brokers(), &input);
    let narrow = orders::SCHEMA.replace(r#"["NEW", "PAID"]"#, r#"["NEW"]"#);
    let sink = format!(
        ", serializer: {{ plugin: avro, options: {{ framing: raw, schema: {} }} }}",
        narrow.replace('\n', " ")
    );
    let yaml = pipeline(broker, "made", &registry.url(), &sink);
    let run = Project::new().run(&yaml).finish().with_code(0);
    // Of every third message, which is a row, every second is `PAID`.
    let is_there = |n: &usize| !n.is_multiple_of(3) || n.is_multiple_of(2);
    let expected: Vec<Record> = (0..input.len())
        .filter(is_there)
        .map(|n| input[n].clone())
        .collect();
    assert_eq!(run.lines_with("is no symbol of the enum").len(), 7);
    let written = Reader::new(broker.brokers(), "made-out").at_least(expected.len(), SOON);
    assert_eq!(seen(&written), seen(&expected));
    for (written, expected) in written.iter().zip(&expected) {
        let value = expected.value.as_ref().map(|value| &value[5..]);
        assert_eq!(written.value.as_deref(), value, "without its framing");
    }
    assert_eq!(
        committed(broker.brokers(), "weir-made", "made-in", 1),
        [Some(40)]
    );
}

/// Between compacted topics, where what is deleted at one end has to be gone at the other.
#[test]
fn compacted_topics_hold_the_same_in_the_end() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let (registry, id) = orders::registry();
    let compacted = [("cleanup.policy", "compact")];
    kafka.create_topic_with("compact-in", 1, &compacted);
    kafka.create_topic_with("compact-out", 3, &compacted);
    let input = input("compact-in", id);
    produce(kafka.brokers(), &input);
    let yaml = pipeline(kafka, "compact", &registry.url(), "");
    let _ = Project::new().run(&yaml).finish().with_code(0);
    let written = Reader::new(kafka.brokers(), "compact-out").at_least(40, SOON);
    let last = |records: &[Record]| {
        let states = records.iter().map(|r| (r.key.clone(), r.value.is_some()));
        states.collect::<std::collections::BTreeMap<_, _>>()
    };
    assert_eq!(last(&written), last(&input));
}

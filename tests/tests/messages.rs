//! What a message has beside its value: as columns, and passed on to the sink's messages.

use serde_json::{Value, json};
use weir_tests::avro::frame;
use weir_tests::records::{Reader, Record, produce};
use weir_tests::registry::{NewSchema, Registry};
use weir_tests::weir::{Finished, Project};
use weir_tests::{Broker, on_both_brokers, orders};

on_both_brokers!(
    columns_of_metadata_stand_beside_those_of_the_value,
    a_column_of_the_same_name_as_a_field_is_an_error,
    key_headers_and_timestamp_go_through,
    key_and_topic_come_from_columns,
    keys_are_decoded_by_a_plug_in_of_their_own,
    keys_may_be_of_another_format_than_values,
    a_row_that_names_no_topic_stops_the_pipeline_before_it_is_lost,
);

/// Reads topic `topic` to its end, with keys of the source and the rest of the file.
fn run(
    broker: &dyn Broker,
    topic: &str,
    source: &str,
    rest: &str,
    registry: &Registry,
) -> Finished {
    let yaml = format!(
        "name: {topic}
source:
  bootstrap.servers: {}
  topics: [{topic}]
  stop.mode: latest
  {source}
{}schema.registry.url: {}
deserializer: avro
{rest}",
        broker.brokers(),
        broker.source_keys(),
        registry.url()
    );
    Project::new().run(&yaml).finish()
}

/// Two orders: one with everything that a message can have, one with nothing.
fn two_orders(broker: &dyn Broker, topic: &str, id: u32) -> Vec<Record> {
    broker.create_topic(topic, 1);
    let order = |n| Record::new(topic).partition(0).value(orders::framed(id, n));
    let records = vec![
        order(0)
            .key(b"key \xff")
            .header("trace", "1")
            .null_header("trace")
            .header("trace", b"\xfe")
            .timestamp(1_600_000_000_123),
        order(1).timestamp(1_600_000_001_000),
    ];
    produce(broker.brokers(), &records);
    records
}

fn columns_of_metadata_stand_beside_those_of_the_value(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    two_orders(broker, "columns", id);
    let columns = "metadata.columns: { t: topic, p: partition, kafka_offset: offset, at: timestamp, \
                   kind: timestamp.type, k: key, kt: key.text, ht: headers.text }\n  \
                   include.headers: true";

    let run = run(broker, "columns", columns, "", &registry).with_code(0);

    let mut expected = [orders::row(0), orders::row(1)];
    let more = [
        json!({
            "t": "columns", "p": 0, "kafka_offset": 0, "at": "2020-09-13T12:26:40.123Z",
            "kind": "CreateTime", "k": "a2V5IP8=", "kt": "key \u{fffd}",
            "ht": [{ "name": "trace", "value": "1" }, { "name": "trace", "value": null },
                   { "name": "trace", "value": "\u{fffd}" }],
            "headers": [{ "name": "trace", "value": "MQ==" }, { "name": "trace", "value": null },
                        { "name": "trace", "value": "/g==" }],
        }),
        json!({
            "t": "columns", "p": 0, "kafka_offset": 1, "at": "2020-09-13T12:26:41.000Z",
            "kind": "CreateTime", "k": null, "kt": null, "ht": [], "headers": [],
        }),
    ];
    for (row, more) in expected.iter_mut().zip(more) {
        let (Value::Object(row), Value::Object(more)) = (row, more) else {
            unreachable!("both are objects");
        };
        row.extend(more);
    }
    assert_eq!(run.rows(), expected);
}

fn a_column_of_the_same_name_as_a_field_is_an_error(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    two_orders(broker, "taken", id);

    let columns = "metadata.columns: { status: offset }";
    let run = run(broker, "taken", columns, "", &registry).with_code(1);

    assert_eq!(run.stdout, "");
    let expected = "source.metadata.columns: the values have a field `status` of their own: give the \
                    column another name, as in `metadata.columns: { kafka_status: offset }`";
    assert_eq!(run.lines_with(expected).len(), 1, "{}", run.stderr);
}

fn key_headers_and_timestamp_go_through(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    let records = two_orders(broker, "through", id);
    broker.create_topic("through-out", 1);

    let sink = "sink.kafka.topic: through-out\n";
    let run = run(broker, "through", "", sink, &registry).with_code(0);
    assert_eq!(run.stdout, "");

    let copied = Reader::new(broker.brokers(), "through-out").to_end();
    assert_eq!(copied.len(), 2);
    for (copy, record) in copied.iter().zip(&records) {
        assert_eq!(copy.key, record.key);
        assert_eq!(copy.headers, record.headers);
        assert_eq!(copy.timestamp, record.timestamp);
    }
}

fn key_and_topic_come_from_columns(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("sorted", 1);
    for topic in ["NEW", "PAID"] {
        broker.create_topic(topic, 1);
    }
    produce(broker.brokers(), &orders::records("sorted", id, 0..6));

    let sink = "sink.kafka: { topic.field: status, key.field: id, headers: none }\n";
    let run = run(broker, "sorted", "", sink, &registry).with_code(0);
    assert_eq!(run.stdout, "");

    for (topic, expected) in [("NEW", ["0", "2", "4"]), ("PAID", ["1", "3", "5"])] {
        let keys: Vec<String> = Reader::new(broker.brokers(), topic)
            .to_end()
            .into_iter()
            .map(|record| String::from_utf8(record.key.expect("a key")).expect("text"))
            .collect();
        assert_eq!(keys, expected, "{topic}");
    }
}

fn keys_are_decoded_by_a_plug_in_of_their_own(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    let record = |name: &str, fields: &str| {
        let text = format!(r#"{{"type":"record","name":"{name}","fields":[{fields}]}}"#);
        registry.register("keyed-key", NewSchema::avro(&text))
    };
    let first = record("First", r#"{"name":"id","type":"long"}"#);
    let second = record(
        "Second",
        r#"{"name":"id","type":"long"},{"name":"region","type":"string"}"#,
    );
    let number = registry.register("numbers-key", NewSchema::avro(r#""int""#));
    broker.create_topic("keyed", 1);
    let order = |n| {
        Record::new("keyed")
            .partition(0)
            .value(orders::framed(id, n))
    };
    produce(
        broker.brokers(),
        &[
            order(0),
            order(1).key(frame(first, &[2])),
            order(2).key(frame(first, &[4])),
            order(3),
            order(4).key(frame(second, &[6, 4, b'e', b'u'])),
            order(5).key(frame(first, &[])),
            order(6).key("not Avro"),
            Record::new("keyed").partition(0).key(frame(first, &[8])),
            Record::new("keyed").partition(0).key("not Avro either"),
            Record::new("keyed")
                .partition(0)
                .key(frame(first, &[10]))
                .value("bad"),
            order(10).key(frame(number, &[14])),
        ],
    );

    let yaml = |rest: &str| {
        format!(
            "name: keyed
source:
  bootstrap.servers: {}
  topics: [keyed]
  startup.mode: earliest
  stop.mode: latest
{}schema.registry.url: {}
deserializer: {{ value: avro, key: avro }}
{rest}",
            broker.brokers(),
            broker.source_keys(),
            registry.url()
        )
    };
    let finished = Project::new().run(&yaml("errors.tolerance: all")).finish();
    let finished = finished.with_code(0);
    let row = |n, key: Value| {
        let mut row = orders::row(n);
        row["key"] = key;
        row
    };
    let expected = [
        row(0, Value::Null),
        row(1, json!({ "id": 1 })),
        row(2, json!({ "id": 2 })),
        row(3, Value::Null),
        row(4, json!({ "id": 3, "region": "eu" })),
        row(10, json!(7)),
    ];
    assert_eq!(finished.rows(), expected);
    for (offset, why) in [
        (
            5,
            "key: field `id`, byte 0: the record ends in the middle of a value",
        ),
        (6, "key: the first byte is 0x6e"),
        (8, "key: the first byte is 0x6e"),
        (9, "3 bytes are too few for the Confluent wire format"),
    ] {
        let line = format!("bad record in keyed[0] at offset {offset}: {why}");
        assert_eq!(finished.lines_with(&line).len(), 1, "{}", finished.stderr);
    }

    let taken = yaml("").replace("key: avro", "key: { plugin: avro, column: status }");
    let finished = Project::new().run(&taken).finish().with_code(1);
    let expected = "deserializer.key.column: the values have a field `status` of their own: give the \
                    column of the key another name, as in `deserializer.key.column: kafka_status`";
    assert_eq!(
        finished.lines_with(expected).len(),
        1,
        "{}",
        finished.stderr
    );
}

fn keys_may_be_of_another_format_than_values(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("mixed", 1);
    let order = |n| {
        Record::new("mixed")
            .partition(0)
            .value(orders::framed(id, n))
    };
    produce(
        broker.brokers(),
        &[
            order(0).key(r#"{"tenant":"a","n":1}"#),
            order(1).key(r#"{"tenant":"b","n":"x"}"#),
            order(2).key(r#"{"n":2}"#),
        ],
    );
    let yaml = format!(
        "name: mixed
source:
  bootstrap.servers: {}
  topics: [mixed]
  stop.mode: latest
{}schema.registry.url: {}
deserializer:
  value: avro
  key: {{ plugin: json, column: k, options: {{ columns: {{ tenant: utf8, n: int64 }} }} }}
errors.tolerance: all
",
        broker.brokers(),
        broker.source_keys(),
        registry.url()
    );
    let finished = Project::new().run(&yaml).finish().with_code(0);
    let line = "bad record in mixed[0] at offset 1: key: `/n`, byte 18: expected an integer";
    assert_eq!(finished.lines_with(line).len(), 1, "{}", finished.stderr);
    let keys: Vec<Value> = finished.rows().iter().map(|row| row["k"].clone()).collect();
    let expected = [
        json!({ "tenant": "a", "n": 1 }),
        json!({ "tenant": null, "n": 2 }),
    ];
    assert_eq!(keys, expected);
}

fn a_row_that_names_no_topic_stops_the_pipeline_before_it_is_lost(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    two_orders(broker, "astray", id);

    let sink = "sink.kafka: { topic.field: customer }\n";
    let run = run(broker, "astray", "", sink, &registry).with_code(1);

    let expected = "sink.kafka.topic.field: the row of astray[0] at offset 0 has \"customer-0 ✓\", which \
                    is not a topic's name; give `sink.kafka.topic` for rows without a topic";
    assert_eq!(run.lines_with(expected).len(), 1, "{}", run.stderr);
    let committed = weir_tests::groups::committed(broker.brokers(), "weir-astray", "astray", 1);
    assert_eq!(committed, [Some(0)], "where it started");
}

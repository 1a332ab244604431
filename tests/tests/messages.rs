//! What a message has beside its value: as columns, and passed on to the sink's messages.

use serde_json::{Value, json};
use weir_tests::records::{Reader, Record, produce};
use weir_tests::registry::Registry;
use weir_tests::weir::{Finished, Project};
use weir_tests::{Broker, on_both_brokers, orders};

on_both_brokers!(
    columns_of_metadata_stand_beside_those_of_the_value,
    a_column_of_the_same_name_as_a_field_is_an_error,
    key_headers_and_timestamp_go_through,
    key_and_topic_come_from_columns,
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

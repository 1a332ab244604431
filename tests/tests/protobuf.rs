//! Protobuf through the command: what confluent-kafka for Python serialized, schemas that refer
//! to others, and messages that cannot be decoded.

use serde_json::{Value, json};
use weir_tests::Broker as _;
use weir_tests::available;
use weir_tests::kafka::Kafka;
use weir_tests::mock::Mock;
use weir_tests::python::python_peer;
use weir_tests::records::{Record, produce};
use weir_tests::registry::{NewSchema, Registry};
use weir_tests::weir::{Finished, Project};

#[test]
fn rows_are_what_python_serialized() {
    let Some(python) = available(python_peer()) else {
        return;
    };
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let registry = Registry::start();
    kafka.create_topic("events", 1);
    let printed = python.produce_events(kafka.brokers(), &registry.url(), "events", 100);
    let run = Project::new()
        .run(&format!(
            "source:
  bootstrap.servers: {}
  topics: [events]
  stop.mode: latest
schema.registry.url: {}
deserializer: protobuf
",
            kafka.brokers(),
            registry.url()
        ))
        .finish()
        .with_code(0);
    let expected: Vec<Value> = printed.iter().map(as_weir_writes).collect();
    assert_eq!(expected.len(), 100);
    assert_eq!(run.rows(), expected);
    // Which is only a test of references if there were some.
    let asked = registry.requests();
    let of_money = |path: &Vec<String>| path.iter().any(|part| part.contains("money"));
    assert!(
        asked
            .iter()
            .any(|request| request.method == "GET" && of_money(&request.path))
    );
}

/// Protobuf's JSON has 64-bit integers as text, numbers of an open enum as numbers, times with as
/// few digits as they need, and leaves out what is not there.
fn as_weir_writes(record: &Value) -> Value {
    let value = &record["value"];
    let number = |value: &Value| -> Value {
        let text = value.as_str().expect("a number as text");
        serde_json::from_str(text).expect("a number")
    };
    let money = |value: &Value| match value {
        Value::Null => Value::Null,
        value => json!({ "currency": value["currency"], "units": number(&value["units"]) }),
    };
    match record["type"].as_str() {
        Some("shop.Ping") => {
            json!({ "number": number(&value["number"]), "values": value["values"] })
        }
        Some("shop.Order.Line") => value.clone(),
        Some("shop.Order") => {
            let status = match &value["status"] {
                Value::Number(number) => json!(number.to_string()),
                name => name.clone(),
            };
            let at = value["at"].as_str().and_then(|at| at.strip_suffix('Z'));
            let at = at.map(|millis| format!("{millis}000000Z"));
            json!({
                "id": number(&value["id"]), "total": money(&value["total"]), "at": at,
                "status": status, "lines": value["lines"], "tags": value["tags"],
                "card": value["card"], "cash": money(&value["cash"]), "note": value["note"],
            })
        }
        other => panic!("{other:?}"),
    }
}

const MONEY: &str = r#"syntax = "proto3"; package shop; message Money { sint64 units = 1; }"#;
const EVENTS: &str = r#"syntax = "proto3";
package shop;
import "shop/money.proto";
import "google/protobuf/timestamp.proto";

message Order {
  string id = 1;
  Money total = 2;
  google.protobuf.Timestamp at = 3;
  repeated Order parts = 4;
}
message Empty {}
"#;

/// The mock cluster with a topic, and a registry with two files.
struct Peers {
    mock: Mock,
    registry: Registry,
    id: u32,
}

impl Peers {
    fn start() -> Self {
        let (mock, registry) = (Mock::start(), Registry::start());
        mock.create_topic("events", 1);
        let _ = registry.register("money", NewSchema::protobuf(MONEY));
        let events = NewSchema::protobuf(EVENTS).reference("shop/money.proto", "money", 1);
        let id = registry.register("events-value", events);
        Self { mock, registry, id }
    }

    /// A payload with these indexes and fields.
    fn framed(&self, indexes: &[u8], fields: &[u8]) -> Vec<u8> {
        [&[0], &self.id.to_be_bytes()[..], indexes, fields].concat()
    }

    fn run(&self, values: impl IntoIterator<Item = Vec<u8>>, deserializer: &str) -> Finished {
        let records: Vec<Record> = values
            .into_iter()
            .map(|value| Record::new("events").value(value))
            .collect();
        produce(self.mock.brokers(), &records);
        Project::new()
            .run(&format!(
                "source:
  bootstrap.servers: {}
  topics: [events]
  stop.mode: latest
{}schema.registry.url: {}
deserializer: {deserializer}
errors: {{ tolerance: all }}
",
                self.mock.brokers(),
                self.mock.source_keys(),
                self.registry.url()
            ))
            .finish()
    }
}

/// `id`, `total` of 5 units, and 1.5 s after the epoch.
const ORDER: &[u8] = b"\x0a\x03abc\x12\x02\x08\x0a\x1a\x08\x08\x01\x10\x80\xca\xb5\xee\x01";

fn order() -> Value {
    json!({ "id": "abc", "total": { "units": 5 }, "at": "1970-01-01T00:00:01.500000000Z", "parts": [] })
}

#[test]
fn what_cannot_be_decoded_is_told_of_each_message() {
    let peers = Peers::start();
    let good = || peers.framed(&[0], ORDER);
    let bad = [
        (
            good()[..good().len() - 3].to_vec(),
            "field `at`, byte 16: a length reaches beyond the end of the message",
        ),
        (
            peers.framed(&[0], b"\x0a\xff\xff\xff\x7fabc"),
            "field `id`, byte 7: a length reaches beyond the end of the message",
        ),
        (
            peers.framed(&[0], b"\x0a\x02\xc3\x28"),
            "field `id`, byte 8: a string is not valid UTF-8",
        ),
        (
            peers.framed(&[2, 8], ORDER),
            "the message indexes [4] lead to no message of schema id 2",
        ),
        (
            peers.framed(&[9], ORDER),
            "the message indexes behind the schema id are damaged: there cannot be -5",
        ),
        (
            peers.framed(&[0], &[0x0c]),
            "byte 6: the end of group 1, which was not begun",
        ),
        (vec![0, 0, 0, 3, 232, 0], "schema id 1000 not found: "),
    ];
    let values = bad.iter().flat_map(|(bytes, _)| [good(), bytes.clone()]);
    let run = peers.run(values.chain([good()]), "protobuf");
    assert_eq!(run.rows(), vec![order(); bad.len() + 1]);
    for (offset, (_, reason)) in (1..).step_by(2).zip(&bad) {
        let start = format!("bad record in events[0] at offset {offset}: {reason}");
        assert_eq!(run.lines_with(&start).len(), 1, "{start}\n{}", run.stderr);
    }
}

#[test]
fn nested_values_of_a_recursive_type_are_json() {
    let peers = Peers::start();
    let nested = [&[0x22, u8::try_from(ORDER.len()).expect("short")], ORDER].concat();
    let run = peers
        .run([peers.framed(&[0], &nested)], "protobuf")
        .with_code(0);
    let part = r#"{"id":"abc","total":{"units":"5"},"at":"1970-01-01T00:00:01.500Z"}"#;
    let expected = json!({ "id": "", "total": null, "at": null, "parts": [part] });
    assert_eq!(run.rows(), [expected]);
}

#[test]
fn bare_messages_have_the_latest_schema_of_a_subject() {
    let peers = Peers::start();
    let options = "{ value: { plugin: protobuf, options: { framing: raw, message: shop.Order, schema.subject: events-value } } }";
    let run = peers.run([ORDER.to_vec()], options).with_code(0);
    assert_eq!(run.rows(), [order()]);
}

#[test]
fn messages_without_fields_are_rows() {
    let peers = Peers::start();
    let run = peers
        .run([peers.framed(&[2, 2], &[])], "protobuf")
        .with_code(0);
    assert_eq!(run.rows(), [json!({})]);
}

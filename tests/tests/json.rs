//! JSON through the whole command: plain with declared columns, and with a JSON Schema as
//! confluent-kafka's own serializer writes it.

use serde_json::{Value, json};
use weir_tests::mock::Mock;
use weir_tests::python::python_peer;
use weir_tests::records::{Record, produce};
use weir_tests::registry::{NewSchema, Registry};
use weir_tests::weir::{Finished, Project};
use weir_tests::{Broker as _, available};

/// Runs a bounded pipeline over the topic `orders`.
fn run(mock: &Mock, rest: &str) -> Finished {
    Project::new()
        .run(&format!(
            "source:
  bootstrap.servers: {}
  topics: [orders]
  startup.mode: earliest
  stop.mode: latest
{}{rest}",
            mock.brokers(),
            mock.source_keys(),
        ))
        .finish()
        .with_code(0)
}

fn topic(values: &[Vec<u8>]) -> Mock {
    let mock = Mock::start();
    mock.create_topic("orders", 1);
    let records = values.iter();
    let records: Vec<Record> = records
        .map(|value| Record::new("orders").value(value.clone()))
        .collect();
    produce(mock.brokers(), &records);
    mock
}

fn framed(id: u32, text: &str) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], text.as_bytes()].concat()
}

#[test]
fn rows_are_what_python_serialized() {
    let Some(python) = available(python_peer()) else {
        return;
    };
    let registry = Registry::start();
    let mock = topic(&[]);
    let url = registry.url();
    let arguments = ["--brokers", mock.brokers(), "--registry", &url];
    let arguments = [&arguments[..], &["--topic", "orders", "--count", "100"]].concat();
    let printed = python.run("produce_json_orders.py", &arguments);
    let expected: Vec<Value> = printed.iter().map(as_weir_writes).collect();
    assert_eq!(expected.len(), 100);

    for validation in ["off", "report", "on"] {
        let options = format!("{{ validation: \"{validation}\" }}");
        let finished = run(
            &mock,
            &format!(
                "schema.registry.url: {url}\ndeserializer: {{ value: {{ plugin: json, options: {options} }} }}\n"
            ),
        );
        assert_eq!(finished.rows(), expected, "{validation}");
    }
}

/// weir writes every column of the schema, JSON text as text, and instants with their unit.
fn as_weir_writes(line: &Value) -> Value {
    let value = &line["value"];
    let mut row = value.clone();
    for name in ["note", "lines"] {
        row[name] = value.get(name).cloned().unwrap_or_default();
    }
    let time = value["occurred_at"].as_str().expect("a text");
    row["occurred_at"] = json!(time.replace("+00:00", "Z"));
    row["anything"] = json!(value["anything"].to_string());
    row
}

#[test]
fn plain_json_with_declared_columns() {
    let values = [
        r#"{"id":1,"price":19.99,"at":"2024-01-01T01:00:00+01:00","tags":["a"],"address":{"city":"Bonn"},"more":{"x":1}}"#,
        r#"{"id":"2"}"#,
        r#"{"id":3"#,
        r#"{"price":"0.10","at":1700000000000,"id":4.0}"#,
        "not JSON",
    ];
    let mock = topic(&values.map(|text| text.as_bytes().to_vec()));
    let finished = run(
        &mock,
        "deserializer:
  value:
    plugin: json
    options:
      columns: { id: int64, price: \"decimal(10,2)\", at: timestamp(ms), tags: [utf8], address: { city: utf8 } }
      unknown.fields: extra
",
    );
    assert_eq!(
        finished.rows(),
        [
            json!({"id": 1, "price": 19.99, "at": "2024-01-01T00:00:00.000Z", "tags": ["a"],
                "address": {"city": "Bonn", "_extra": null}, "_extra": "{\"more\":{\"x\":1}}"}),
            json!({"id": 4, "price": 0.1, "at": "2023-11-14T22:13:20.000Z", "tags": null,
                "address": null, "_extra": null}),
        ]
    );
    for (offset, reason) in [
        (
            1,
            "`/id`, byte 6: expected an integer, found the string \"2\"",
        ),
        (
            2,
            "byte 7: expected `,` or `}`, found the end of the message",
        ),
        (4, "byte 0: expected a JSON value, found 'n'"),
    ] {
        let line = format!("bad record in orders[0] at offset {offset}: {reason}");
        assert_eq!(
            finished.lines_with(&line).len(),
            1,
            "{line}\n{}",
            finished.stderr
        );
    }
}

#[test]
fn what_a_schema_does_not_allow_is_reported_or_refused() {
    let registry = Registry::start();
    let schema =
        r#"{"type":"object","required":["id"],"properties":{"id":{"type":"integer","minimum":1}}}"#;
    let id = registry.register("orders-value", NewSchema::json(schema));
    let texts = [r#"{"id":1}"#, r#"{"id":0}"#, "{}", r#"{"id":2}"#];
    let mut values = texts.map(|text| framed(id, text)).to_vec();
    values.push(br#"{"id":3}"#.to_vec());
    let mock = topic(&values);
    let with = |validation: &str| {
        let url = registry.url();
        let options = format!("{{ validation: \"{validation}\" }}");
        run(
            &mock,
            &format!(
                "schema.registry.url: {url}\ndeserializer: {{ value: {{ plugin: json, options: {options} }} }}\n"
            ),
        )
    };
    let row = |id: Value| json!({ "id": id });
    let way_out = "for plain JSON set the option `framing: raw`";

    let off = with("off");
    assert_eq!(
        off.rows(),
        [
            row(1.into()),
            row(0.into()),
            row(Value::Null),
            row(2.into())
        ]
    );
    assert_eq!(off.lines_with(way_out).len(), 1, "{}", off.stderr);

    let report = with("report");
    assert_eq!(report.rows(), off.rows());
    let line = "of the batch: `/id`: not valid: ";
    assert_eq!(report.lines_with(line).len(), 1, "{}", report.stderr);

    let on = with("on");
    assert_eq!(on.rows(), [row(1.into()), row(2.into())]);
    let line = "bad record in orders[0] at offset 1: `/id`: not valid: ";
    assert_eq!(on.lines_with(line).len(), 1, "{}", on.stderr);
    let line = "bad record in orders[0] at offset 2: not valid: missing properties 'id'";
    assert_eq!(on.lines_with(line).len(), 1, "{}", on.stderr);
}

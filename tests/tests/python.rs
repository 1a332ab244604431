//! A client that is not ours: confluent-kafka for Python with its own Avro serializer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use weir_tests::available;
use weir_tests::kafka::Kafka;
use weir_tests::mock::Mock;
use weir_tests::python::{ProduceOrders, python_peer};
use weir_tests::registry::Registry;
use weir_tests::weir::Project;

#[test]
fn rows_are_what_python_serialized() {
    let Some(python) = available(python_peer()) else {
        return;
    };
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let registry = Registry::start();
    kafka.create_topic("orders", 1);
    let printed = python.produce_orders(&ProduceOrders {
        brokers: kafka.brokers(),
        registry: &registry.url(),
        topic: "orders",
        count: 100,
        tombstone_every: 10,
    });

    let run = Project::new()
        .run(&format!(
            "source:
  bootstrap.servers: {}
  topics: [orders]
  stop.mode: latest
schema.registry.url: {}
deserializer: avro
",
            kafka.brokers(),
            registry.url()
        ))
        .finish()
        .with_code(0);

    let values = printed.iter().map(|line| &line["value"]);
    let expected: Vec<Value> = values
        .filter(|value| !value.is_null())
        .map(as_weir_writes)
        .collect();
    assert_eq!(expected.len(), 90);
    assert_eq!(run.rows(), expected);
    assert!(
        run.summary().ends_with(", 10 tombstones"),
        "{}",
        run.summary()
    );
}

const NAMED: &str = r#"{"type":"record","name":"Named","namespace":"shop","doc":"with a doc","fields":
    [{"name":"id","type":"long","default":0},{"name":"name","type":{"type":"string"}}]}"#;

/// What weir makes of messages that Python has framed in this way.
fn rows_of(framing: &str, registry: &Registry, lines: &str) -> Option<(Vec<Value>, Vec<Value>)> {
    let python = available(python_peer())?;
    let mock = Mock::start();
    mock.create_topic("named", 1);
    let count = "20";
    let printed = python.run(
        "produce_framed.py",
        &[
            "--brokers",
            mock.brokers(),
            "--topic",
            "named",
            "--framing",
            framing,
            "--registry",
            &registry.url(),
            "--schema",
            NAMED,
            "--count",
            count,
        ],
    );
    let project = Project::new();
    project.write("named.avsc", NAMED);
    let finished = project
        .run(&format!(
            "source:
  bootstrap.servers: {}
  topics: [named]
  stop.mode: latest
{lines}",
            mock.brokers(),
        ))
        .finish()
        .with_code(0);
    Some((finished.rows(), printed))
}

#[test]
fn rows_are_what_python_framed_by_a_header() {
    let registry = Registry::start();
    let lines = format!(
        "schema.registry.url: {}\ndeserializer: avro\n",
        registry.url()
    );
    let Some((rows, printed)) = rows_of("header", &registry, &lines) else {
        return;
    };
    assert_eq!(rows, printed);
    let asked = registry.requests();
    let by_guid = asked
        .iter()
        .filter(|request| request.path.get(1).is_some_and(|p| p == "guids"));
    assert_eq!(by_guid.count(), 1);
}

#[test]
fn rows_are_what_python_framed_as_single_objects() {
    let lines = "schema.files: { named: ./named.avsc }
deserializer.value: { plugin: avro, options: { framing: single-object } }
";
    let Some((rows, printed)) = rows_of("single-object", &Registry::start(), lines) else {
        return;
    };
    assert_eq!(rows, printed);
}

/// Python prints logical types as the numbers on the wire, decimals as text and bytes in
/// hexadecimal. weir writes what they mean, and a union as one field for each of its types.
fn as_weir_writes(value: &Value) -> Value {
    let mut row = value.clone();
    let number = |name: &str| value[name].as_i64().expect("a number");
    let text = |name: &str| value[name].as_str().expect("a text");
    row["discount"] = match &value["discount"] {
        Value::Null => Value::Null,
        text @ Value::String(_) => json!({ "int": null, "string": text }),
        number => json!({ "int": number, "string": null }),
    };
    row["signature"] = json!(STANDARD.encode(from_hex(text("signature"))));
    row["checksum"] = json!(STANDARD.encode(from_hex(text("checksum"))));
    row["total"] = json!(text("total").parse::<f64>().expect("a decimal"));
    row["due"] = json!(date(number("due")));
    row["opens"] = json!(time_of_day(number("opens") * 1000, 3));
    let instant = |micros: i64, digits| {
        let time = time_of_day(micros.rem_euclid(DAY_MICROS), digits);
        json!(format!("{}T{time}Z", date(micros.div_euclid(DAY_MICROS))))
    };
    row["occurred_at"] = instant(number("occurred_at") * 1000, 3);
    row["updated_at"] = instant(number("updated_at"), 6);
    row
}

const DAY_MICROS: i64 = 86_400_000_000;

/// A day of the years 2022 and 2023, from days since 1970.
fn date(days: i64) -> String {
    const FIRST_OF_2022: i64 = 18_993;
    const LENGTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let (year, mut day) = match days - FIRST_OF_2022 {
        day @ 0..365 => (2022, day),
        day @ 365..730 => (2023, day - 365),
        _ => panic!("day {days} is in another year"),
    };
    let mut month = 0;
    while day >= LENGTHS[month] {
        day -= LENGTHS[month];
        month += 1;
    }
    format!("{year}-{:02}-{:02}", month + 1, day + 1)
}

fn time_of_day(micros: i64, digits: usize) -> String {
    let seconds = micros / 1_000_000;
    let fraction = format!("{:06}", micros % 1_000_000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let fraction = &fraction[..digits];
    format!("{hours:02}:{minutes:02}:{:02}.{fraction}", seconds % 60)
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal"))
        .collect()
}

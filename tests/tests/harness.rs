//! The harness itself: each peer keeps what it is given, and each fault strikes.

use std::time::{Duration, Instant};

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use serde_json::{Value, json};
use weir_tests::kafka::{Kafka, Protocol, Settings};
use weir_tests::mock::Mock;
use weir_tests::python::{ProduceOrders, python_peer};
use weir_tests::records::{Reader, Record, produce};
use weir_tests::registry::{Fault, NewSchema, Registry};
use weir_tests::{available, avro};

/// Null, empty and duplicate headers, null and empty keys and values, timestamps.
fn awkward(topic: &str) -> Vec<Record> {
    let record = || Record::new(topic).partition(0).timestamp(1_700_000_000_123);
    vec![
        record()
            .key("k")
            .value("v")
            .header("a", "1")
            .header("a", "2"),
        record().key("gone").null_header("null").header("empty", ""),
        record().key("").value(""),
        record().value([0, 159, 146, 150]),
    ]
}

fn without_offsets(records: Vec<Record>) -> Vec<Record> {
    let forget = |record| Record {
        offset: None,
        ..record
    };
    records.into_iter().map(forget).collect()
}

#[test]
fn the_mock_keeps_records_whole() {
    let mock = Mock::start();
    mock.create_topic("whole", 1);
    let delivered = produce(mock.brokers(), &awkward("whole"));
    assert_eq!(
        delivered
            .iter()
            .filter_map(|record| record.offset)
            .collect::<Vec<_>>(),
        [0, 1, 2, 3]
    );

    let read = Reader::new(mock.brokers(), "whole").to_end();
    assert_eq!(without_offsets(read), awkward("whole"));
}

#[test]
fn the_mock_survives_injected_faults() {
    let mock = Mock::with_brokers(2);
    mock.create_topic("faults", 2);
    mock.fail_requests(
        RDKafkaApiKey::Produce,
        &[
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        ],
    );
    produce(
        mock.brokers(),
        &[Record::new("faults").partition(0).value("after errors")],
    );

    mock.broker_down(1);
    mock.move_leader("faults", 0, Some(2));
    produce(
        mock.brokers(),
        &[Record::new("faults").partition(0).value("elsewhere")],
    );
    mock.broker_up(1);
    mock.slow_down(1, Duration::from_millis(50));

    assert_eq!(Reader::new(mock.brokers(), "faults").to_end().len(), 2);
}

#[test]
fn the_broker_keeps_records_whole() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    kafka.create_topic("whole", 1);
    produce(kafka.brokers(), &awkward("whole"));

    let reader =
        Reader::new(kafka.brokers(), "whole").property("isolation.level", "read_committed");
    assert_eq!(without_offsets(reader.to_end()), awkward("whole"));
    assert_eq!(reader.at_least(4, Duration::from_secs(10)).len(), 4);
}

#[test]
fn the_broker_comes_back_with_its_data() {
    let settings = Settings::default().listener("SECOND", Protocol::Plaintext);
    let Some(mut kafka) = available(Kafka::start_with(settings)) else {
        return;
    };
    let brokers = kafka.brokers().to_owned();
    kafka.create_topic_with("kept", 2, &[("cleanup.policy", "compact")]);
    produce(
        &brokers,
        &[Record::new("kept").key("a").value("before a stop")],
    );

    kafka.stop();
    kafka.restart();
    produce(
        &brokers,
        &[Record::new("kept").key("a").value("before a kill")],
    );

    kafka.kill();
    kafka.restart();
    produce(
        &brokers,
        &[Record::new("kept").key("b").value("after both")],
    );

    assert_eq!(kafka.brokers(), brokers);
    assert_eq!(
        Reader::new(&kafka.brokers_of("SECOND"), "kept")
            .to_end()
            .len(),
        3
    );
}

#[test]
fn the_registry_fails_when_told_to() {
    let registry = Registry::start();
    let id = registry.register("orders-value", NewSchema::avro("\"long\""));
    let answered = |path: &str| get(&registry.url(), path);

    assert_eq!(
        answered(&format!("/schemas/ids/{id}")),
        Some((200, "\"long\"".to_owned()))
    );
    assert_eq!(
        answered("/schemas/ids/99").map(|answer| answer.0),
        Some(404)
    );
    assert_eq!(
        answered("/subjects/orders%2Dvalue/versions/latest").map(|a| a.0),
        Some(200)
    );

    registry.set_fault(Fault::Status(500));
    assert_eq!(answered("/schemas/ids/1").map(|answer| answer.0), Some(500));
    registry.set_fault(Fault::Garbage);
    assert_eq!(answered("/schemas/ids/1"), Some((200, String::new())));
    registry.set_fault(Fault::Down);
    assert_eq!(answered("/schemas/ids/1"), None);

    registry.set_fault(Fault::Slow(Duration::from_millis(200)));
    let start = Instant::now();
    assert_eq!(answered("/schemas/ids/1").map(|answer| answer.0), Some(200));
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert_eq!(registry.requests().len(), 7);
}

#[test]
fn frames_come_off_as_they_went_on() {
    let schema = Schema::parse_str("\"string\"").expect("a schema");
    let bytes = avro::framed(7, &schema, Avro::String("héllo".to_owned()));
    let (id, payload) = avro::unframe(&bytes);
    assert_eq!(id, 7);
    assert_eq!(
        avro::decode(&schema, payload),
        Avro::String("héllo".to_owned())
    );
}

#[test]
fn rust_reads_what_python_wrote() {
    let Some(python) = available(python_peer()) else {
        return;
    };
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let registry = Registry::start();
    kafka.create_topic("orders", 3);

    let mut printed = python.produce_orders(&ProduceOrders {
        brokers: kafka.brokers(),
        registry: &registry.url(),
        topic: "orders",
        count: 60,
        tombstone_every: 10,
    });
    printed.sort_by_key(|line| (line["partition"].as_i64(), line["offset"].as_i64()));

    let read = Reader::new(kafka.brokers(), "orders").to_end();
    assert_eq!(read.len(), 60);
    assert_eq!(
        read.iter()
            .map(|record| to_line(record, &registry))
            .collect::<Vec<_>>(),
        printed
    );
    assert_eq!(
        read.iter().filter(|record| record.value.is_none()).count(),
        6
    );
}

/// A record in the form that `produce_orders.py` prints.
fn to_line(record: &Record, registry: &Registry) -> Value {
    let value = record.value.as_deref().map(|bytes| {
        let (id, payload) = avro::unframe(bytes);
        let schema = registry.schema(id).expect("a registered schema");
        let schema = Schema::parse_str(&schema).expect("an Avro schema");
        to_json(avro::decode(&schema, payload))
    });
    let headers = record.headers.iter();
    json!({
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": record.key.as_deref().map(hex),
        "headers": headers
            .map(|(name, value)| json!([name, value.as_deref().map(hex)]))
            .collect::<Vec<_>>(),
        "value": value,
    })
}

fn to_json(value: Avro) -> Value {
    match value {
        Avro::Null => Value::Null,
        Avro::Boolean(value) => json!(value),
        Avro::Int(value) | Avro::Date(value) | Avro::TimeMillis(value) => json!(value),
        Avro::Long(value) | Avro::TimestampMillis(value) | Avro::TimestampMicros(value) => {
            json!(value)
        }
        Avro::Float(value) => json!(value),
        Avro::Double(value) => json!(value),
        Avro::Bytes(bytes) | Avro::Fixed(_, bytes) => json!(hex(&bytes)),
        Avro::String(text) | Avro::Enum(_, text) => json!(text),
        Avro::Uuid(uuid) => json!(uuid.to_string()),
        Avro::Decimal(decimal) => json!(cents(&Vec::try_from(&decimal).expect("its bytes"))),
        Avro::Union(_, value) => to_json(*value),
        Avro::Array(items) => items.into_iter().map(to_json).collect(),
        Avro::Map(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, to_json(value)))
            .collect(),
        Avro::Record(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, to_json(value)))
            .collect(),
        other => panic!("{other:?} is not expected here"),
    }
}

/// A big-endian two's-complement number of hundredths, as text.
fn cents(bytes: &[u8]) -> String {
    let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let start = if negative { -1_i64 } else { 0 };
    let cents = bytes
        .iter()
        .fold(start, |number, byte| number << 8 | i64::from(*byte));
    let sign = if negative { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The status, and the body's `schema` field; `None` if there is no answer.
fn get(url: &str, path: &str) -> Option<(u16, String)> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(url.trim_start_matches("http://")).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: registry\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let status = text.split(' ').nth(1)?.parse().ok()?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    Some((
        status,
        body["schema"].as_str().unwrap_or_default().to_owned(),
    ))
}

//! Orders: sample records as Avro, and the rows that weir has to make of them.

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use serde_json::{Value, json};

use crate::avro;
use crate::records::Record;
use crate::registry::{NewSchema, Registry};

/// The writer schema.
pub const SCHEMA: &str = r#"{
  "type": "record", "name": "Order", "namespace": "shop", "fields": [
    { "name": "id", "type": "long" },
    { "name": "customer", "type": "string" },
    { "name": "note", "type": ["null", "string"], "default": null },
    { "name": "amount", "type": "double" },
    { "name": "status", "type": { "type": "enum", "name": "Status", "symbols": ["NEW", "PAID"] } },
    { "name": "lines", "type": { "type": "array", "items": {
        "type": "record", "name": "Line", "fields": [
          { "name": "sku", "type": "string" }, { "name": "quantity", "type": "int" } ] } } },
    { "name": "occurred_at", "type": { "type": "long", "logicalType": "timestamp-millis" } }
  ] }"#;

/// Milliseconds of 2023-11-14T22:13:20Z.
const START_MS: i64 = 1_700_000_000_000;

/// A registry that has the schema of the values of topic `orders`, and its id.
#[must_use]
pub fn registry() -> (Registry, u32) {
    let registry = Registry::start();
    let id = registry.register("orders-value", NewSchema::avro(SCHEMA));
    (registry, id)
}

/// The n-th order in Confluent's wire format. All that it has follows from `n`.
///
/// # Panics
///
/// If `n` is negative.
#[must_use]
pub fn framed(schema_id: u32, n: i64) -> Vec<u8> {
    let schema = Schema::parse_str(SCHEMA).expect("the schema is Avro");
    avro::framed(schema_id, &schema, order(n))
}

/// Orders as records without partition, each with its number as its key.
#[must_use]
pub fn records(topic: &str, schema_id: u32, numbers: std::ops::Range<i64>) -> Vec<Record> {
    let schema = Schema::parse_str(SCHEMA).expect("the schema is Avro");
    numbers
        .map(|n| {
            Record::new(topic)
                .key(format!("order-{n}"))
                .value(avro::framed(schema_id, &schema, order(n)))
        })
        .collect()
}

/// The n-th order as weir writes it in JSON.
#[must_use]
pub fn row(n: i64) -> Value {
    let lines =
        (0..n % 3).map(|line| json!({ "sku": format!("sku-{line}"), "quantity": n - line }));
    json!({
        "id": n,
        "customer": format!("customer-{} ✓", n % 7),
        "note": (n % 2 == 1).then(|| format!("note \"{n}\"")),
        "amount": amount(n),
        "status": if n % 2 == 0 { "NEW" } else { "PAID" },
        "lines": lines.collect::<Vec<_>>(),
        "occurred_at": format!("2023-11-14T22:13:{}.{:03}Z", 20 + n % 40, n % 1000),
    })
}

/// Sorts rows by their `id`, for topics of several partitions.
#[must_use]
pub fn by_id(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_key(id);
    rows
}

/// The `id` of a row.
///
/// # Panics
///
/// If it has none.
#[must_use]
pub fn id(row: &Value) -> i64 {
    row["id"].as_i64().expect("an order has an id")
}

fn order(n: i64) -> Avro {
    let text = |text: String| Avro::String(text);
    let line = |line: i64| {
        let quantity = i32::try_from(n - line).expect("small numbers");
        Avro::Record(vec![
            ("sku".into(), text(format!("sku-{line}"))),
            ("quantity".into(), Avro::Int(quantity)),
        ])
    };
    let note = match n % 2 {
        0 => Avro::Union(0, Box::new(Avro::Null)),
        _ => Avro::Union(1, Box::new(text(format!("note \"{n}\"")))),
    };
    let status = match n % 2 {
        0 => Avro::Enum(0, "NEW".into()),
        _ => Avro::Enum(1, "PAID".into()),
    };
    Avro::Record(vec![
        ("id".into(), Avro::Long(n)),
        ("customer".into(), text(format!("customer-{} ✓", n % 7))),
        ("note".into(), note),
        ("amount".into(), Avro::Double(amount(n))),
        ("status".into(), status),
        ("lines".into(), Avro::Array((0..n % 3).map(line).collect())),
        (
            "occurred_at".into(),
            Avro::TimestampMillis(START_MS + n % 40 * 1000 + n % 1000),
        ),
    ])
}

/// Quarters, which JSON and binary hold alike.
fn amount(n: i64) -> f64 {
    f64::from(i32::try_from(n).expect("small numbers")) / 4.0
}

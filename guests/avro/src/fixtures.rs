//! Three shapes of records with seeded data, for tests and benchmarks.

use apache_avro::{Schema, types::Value, writer::datum::GenericDatumWriter};
use serde_json::json;
use weir_guest::random::Random;

/// One shape of record.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// Short name: `flat`, `order` or `wide`.
    pub name: &'static str,
    /// The writer schema as JSON text.
    pub schema: String,
    record: fn(&mut Random) -> Value,
}

/// Messages in one column, as [`crate::Decoder::decode_batch`] takes them.
#[derive(Clone, Debug)]
pub struct Messages {
    /// Message `i` is `bytes[offsets[i]..offsets[i + 1]]`.
    pub offsets: Vec<u32>,
    /// All messages end to end.
    pub bytes: Vec<u8>,
}

impl Fixture {
    /// `count` records without any framing, the same for the same seed.
    ///
    /// # Errors
    /// A record does not fit the schema, which is a mistake in this module.
    pub fn datums(&self, count: usize, seed: u64) -> Result<Vec<Vec<u8>>, apache_avro::Error> {
        let schema = Schema::parse_str(&self.schema)?;
        let mut random = Random::new(seed);
        let writer = GenericDatumWriter::builder(&schema).build()?;
        (0..count)
            .map(|_| writer.write_value_to_vec((self.record)(&mut random)))
            .collect()
    }

    /// `count` records in the Confluent wire format with this schema id.
    ///
    /// # Errors
    /// As [`datums`](Self::datums).
    pub fn messages(
        &self,
        count: usize,
        seed: u64,
        id: u32,
    ) -> Result<Messages, apache_avro::Error> {
        let mut messages = Messages {
            offsets: vec![0],
            bytes: Vec::new(),
        };
        for datum in self.datums(count, seed)? {
            messages.bytes.push(0);
            messages.bytes.extend(id.to_be_bytes());
            messages.bytes.extend(datum);
            messages
                .offsets
                .push(u32::try_from(messages.bytes.len()).unwrap_or(u32::MAX));
        }
        Ok(messages)
    }
}

/// All three shapes.
pub fn all() -> [Fixture; 3] {
    [flat(), order(), wide()]
}

/// Five plain fields.
pub fn flat() -> Fixture {
    Fixture {
        name: "flat",
        schema: json!({"type": "record", "name": "Reading", "fields": [
            {"name": "sensor", "type": "string"},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "value", "type": "double"},
            {"name": "sequence", "type": "int"},
            {"name": "valid", "type": "boolean"},
        ]})
        .to_string(),
        record: |random| {
            record([
                ("sensor", Value::String(random.text(8, 16))),
                ("at", Value::TimestampMillis(random.millis())),
                ("value", Value::Double(random.fraction() * 100.0)),
                ("sequence", Value::Int(random.int(1_000_000))),
                ("valid", Value::Boolean(random.below(8) != 0)),
            ])
        },
    }
}

/// Seven fields of about 66 bytes: an array of records, a union and an enum among them.
pub fn order() -> Fixture {
    Fixture {
        name: "order",
        schema: json!({"type": "record", "name": "Order", "fields": [
            {"name": "id", "type": "long"},
            {"name": "customer", "type": "string"},
            {"name": "amount", "type": "double"},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "status", "type": {"type": "enum", "name": "Status",
                "symbols": ["CREATED", "PAID", "SHIPPED", "CANCELLED"]}},
            {"name": "note", "type": ["null", "string"]},
            {"name": "items", "type": {"type": "array", "items": {
                "type": "record", "name": "Item", "fields": [
                    {"name": "sku", "type": "string"},
                    {"name": "quantity", "type": "int"},
                    {"name": "price", "type": "double"},
                ]}}},
        ]})
        .to_string(),
        record: |random| {
            let note = match random.below(2) {
                0 => Value::Union(0, Box::new(Value::Null)),
                _ => Value::Union(1, Box::new(Value::String(random.text(4, 12)))),
            };
            let symbol = random.below(4);
            let status = ["CREATED", "PAID", "SHIPPED", "CANCELLED"][symbol as usize];
            let items = (0..1 + random.below(2)).map(|_| {
                record([
                    ("sku", Value::String(random.text(6, 9))),
                    ("quantity", Value::Int(random.int(20))),
                    ("price", Value::Double(random.fraction() * 50.0)),
                ])
            });
            let items = items.collect();
            record([
                ("id", Value::Long(random.long(1_000_000_000))),
                ("customer", Value::String(random.text(6, 12))),
                ("amount", Value::Double(random.fraction() * 500.0)),
                ("at", Value::TimestampMillis(random.millis())),
                ("status", Value::Enum(symbol, status.to_owned())),
                ("note", note),
                ("items", Value::Array(items)),
            ])
        },
    }
}

/// Fifty fields: ten each of long, string, double, optional int and optional string.
pub fn wide() -> Fixture {
    let fields = (0..50).map(|i| {
        let kind = match i % 5 {
            0 => json!("long"),
            1 => json!("string"),
            2 => json!("double"),
            3 => json!(["null", "int"]),
            _ => json!(["null", "string"]),
        };
        json!({"name": format!("f{i}"), "type": kind})
    });
    let fields: Vec<_> = fields.collect();
    Fixture {
        name: "wide",
        schema: json!({"type": "record", "name": "Wide", "fields": fields}).to_string(),
        record: |random| {
            let fields = (0..50).map(|i| {
                let value = match i % 5 {
                    0 => Value::Long(random.long(1 << 40)),
                    1 => Value::String(random.text(3, 20)),
                    2 => Value::Double(random.fraction()),
                    _ if random.below(4) == 0 => Value::Union(0, Box::new(Value::Null)),
                    3 => Value::Union(1, Box::new(Value::Int(random.int(1 << 20)))),
                    _ => Value::Union(1, Box::new(Value::String(random.text(3, 20)))),
                };
                (format!("f{i}"), value)
            });
            Value::Record(fields.collect())
        },
    }
}

fn record<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

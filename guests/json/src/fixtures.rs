//! Three shapes of messages with seeded data, for tests and benchmarks.

use serde_json::{Value, json};
use weir_guest::random::Random;

/// One shape of message.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// Short name: `flat`, `order` or `wide`.
    pub name: &'static str,
    /// The JSON Schema.
    pub schema: String,
    message: fn(&mut Random) -> Value,
}

impl Fixture {
    /// `count` messages without any framing, the same for the same seed.
    #[must_use]
    pub fn texts(&self, count: usize, seed: u64) -> Vec<Vec<u8>> {
        let mut random = Random::new(seed);
        let text = |_| (self.message)(&mut random).to_string().into_bytes();
        (0..count).map(text).collect()
    }
}

/// All three shapes.
#[must_use]
pub fn all() -> [Fixture; 3] {
    [flat(), order(), wide()]
}

/// Five plain fields, about 100 bytes.
#[must_use]
pub fn flat() -> Fixture {
    Fixture {
        name: "flat",
        schema: json!({"type": "object", "properties": {
            "sensor": {"type": "string"},
            "at": {"type": "integer"},
            "value": {"type": "number"},
            "sequence": {"type": "integer"},
            "valid": {"type": "boolean"},
        }})
        .to_string(),
        message: |random| {
            json!({
                "sensor": random.text(8, 16),
                "at": random.millis(),
                "value": cents(random, 10_000),
                "sequence": random.below(1_000_000),
                "valid": random.below(8) != 0,
            })
        },
    }
}

/// Seven fields of about 240 bytes, an array of objects and an optional text among them.
#[must_use]
pub fn order() -> Fixture {
    Fixture {
        name: "order",
        schema: json!({"type": "object", "properties": {
            "id": {"type": "integer"},
            "customer": {"type": "string"},
            "amount": {"type": "number"},
            "at": {"type": "integer"},
            "status": {"enum": ["CREATED", "PAID", "SHIPPED", "CANCELLED"]},
            "note": {"oneOf": [{"type": "null"}, {"type": "string"}]},
            "items": {"type": "array", "items": {"type": "object", "properties": {
                "sku": {"type": "string"},
                "quantity": {"type": "integer"},
                "price": {"type": "number"},
            }}},
        }})
        .to_string(),
        message: |random| {
            let status = ["CREATED", "PAID", "SHIPPED", "CANCELLED"];
            let note = (random.below(2) == 0).then(|| random.text(4, 12));
            let items = (0..1 + random.below(2)).map(|_| {
                json!({
                    "sku": random.text(6, 9),
                    "quantity": random.below(20),
                    "price": cents(random, 5_000),
                })
            });
            let items: Vec<Value> = items.collect();
            json!({
                "id": random.below(1_000_000_000),
                "customer": random.text(6, 12),
                "amount": cents(random, 50_000),
                "at": random.millis(),
                "status": status[random.below(4) as usize],
                "note": note,
                "items": items,
            })
        },
    }
}

/// Fifty fields: ten each of integer, string, number with all its digits, optional integer and
/// optional string.
#[must_use]
pub fn wide() -> Fixture {
    let fields = (0..50).map(|i| {
        let kind = match i % 5 {
            0 => json!({"type": "integer"}),
            1 => json!({"type": "string"}),
            2 => json!({"type": "number"}),
            3 => json!({"type": ["null", "integer"]}),
            _ => json!({"type": ["null", "string"]}),
        };
        (format!("f{i}"), kind)
    });
    let fields: serde_json::Map<String, Value> = fields.collect();
    Fixture {
        name: "wide",
        schema: json!({"type": "object", "properties": fields}).to_string(),
        message: |random| {
            let fields = (0..50).map(|i| {
                let value = match i % 5 {
                    0 => json!(random.next() >> 24),
                    1 => json!(random.text(3, 20)),
                    2 => json!(random.fraction()),
                    _ if random.below(4) == 0 => Value::Null,
                    3 => json!(random.below(1 << 20)),
                    _ => json!(random.text(3, 20)),
                };
                (format!("f{i}"), value)
            });
            Value::Object(fields.collect())
        },
    }
}

/// A price: two digits behind the point.
fn cents(random: &mut Random, limit: u32) -> f64 {
    f64::from(random.below(limit)) / 100.0
}

//! Three shapes of messages with seeded data, for tests and benchmarks.

use prost::Message;
use weir_guest::random::Random;

/// Decodes one message and drops it.
pub type Generated = fn(&[u8]) -> Result<(), prost::DecodeError>;

/// One shape of message.
#[derive(Clone, Copy, Debug)]
pub struct Fixture {
    /// Short name: `flat`, `order` or `wide`.
    pub name: &'static str,
    /// The schema as text.
    pub schema: fn() -> String,
    message: fn(&mut Random) -> Vec<u8>,
    /// Decodes one message with the code that prost makes, where there is such code.
    pub generated: Option<Generated>,
}

impl Fixture {
    /// `count` messages with the byte 0 for the first message of the file before each, the same
    /// for the same seed.
    #[must_use]
    pub fn messages(&self, count: usize, seed: u64) -> Vec<Vec<u8>> {
        let mut random = Random::new(seed);
        (0..count)
            .map(|_| [&[0], &(self.message)(&mut random)[..]].concat())
            .collect()
    }
}

/// All three shapes.
#[must_use]
pub fn all() -> [Fixture; 3] {
    [FLAT, ORDER, WIDE]
}

/// Five plain fields.
#[derive(Clone, PartialEq, Message)]
struct Reading {
    #[prost(string, tag = "1")]
    sensor: String,
    #[prost(int64, tag = "2")]
    at: i64,
    #[prost(double, tag = "3")]
    value: f64,
    #[prost(int32, tag = "4")]
    sequence: i32,
    #[prost(bool, tag = "5")]
    valid: bool,
}

const FLAT: Fixture = Fixture {
    name: "flat",
    schema: || {
        r#"syntax = "proto3";
message Reading { string sensor = 1; int64 at = 2; double value = 3; int32 sequence = 4; bool valid = 5; }"#
            .to_owned()
    },
    message: |random| {
        let reading = Reading {
            sensor: random.text(8, 16),
            at: random.millis(),
            value: random.fraction() * 100.0,
            sequence: random.int(1_000_000),
            valid: random.below(8) != 0,
        };
        reading.encode_to_vec()
    },
    generated: Some(|bytes| Reading::decode(bytes).map(|it| drop(std::hint::black_box(it)))),
};

/// Repeated messages, an enum, an optional field and a timestamp among them.
#[derive(Clone, PartialEq, Message)]
struct Order {
    #[prost(int64, tag = "1")]
    id: i64,
    #[prost(string, tag = "2")]
    customer: String,
    #[prost(double, tag = "3")]
    amount: f64,
    #[prost(message, optional, tag = "4")]
    at: Option<Instant>,
    #[prost(int32, tag = "5")]
    status: i32,
    #[prost(string, optional, tag = "6")]
    note: Option<String>,
    #[prost(message, repeated, tag = "7")]
    items: Vec<Item>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Instant {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Item {
    #[prost(string, tag = "1")]
    sku: String,
    #[prost(int32, tag = "2")]
    quantity: i32,
    #[prost(double, tag = "3")]
    price: f64,
}

const ORDER: Fixture = Fixture {
    name: "order",
    schema: || {
        r#"syntax = "proto3";
import "google/protobuf/timestamp.proto";
message Order {
  enum Status { CREATED = 0; PAID = 1; SHIPPED = 2; CANCELLED = 3; }
  message Item { string sku = 1; int32 quantity = 2; double price = 3; }
  int64 id = 1; string customer = 2; double amount = 3; google.protobuf.Timestamp at = 4;
  Status status = 5; optional string note = 6; repeated Item items = 7;
}"#
        .to_owned()
    },
    message: |random| {
        let items = (0..1 + random.below(2)).map(|_| Item {
            sku: random.text(6, 9),
            quantity: random.int(20),
            price: random.fraction() * 50.0,
        });
        let items = items.collect();
        let order = Order {
            id: random.long(1_000_000_000),
            customer: random.text(6, 12),
            amount: random.fraction() * 500.0,
            at: Some(Instant {
                seconds: random.millis() / 1000,
                nanos: random.int(1000) * 1_000_000,
            }),
            status: random.int(4),
            note: (random.below(2) == 0).then(|| random.text(4, 12)),
            items,
        };
        order.encode_to_vec()
    },
    generated: Some(|bytes| Order::decode(bytes).map(|it| drop(std::hint::black_box(it)))),
};

/// Fifty fields: ten each of int64, string, double, optional int32 and optional string.
const WIDE: Fixture = Fixture {
    name: "wide",
    schema: || {
        let fields: String = (0..50)
            .map(|i| {
                let kind = [
                    "int64",
                    "string",
                    "double",
                    "optional int32",
                    "optional string",
                ][i % 5];
                format!("{kind} f{i} = {};\n", i + 1)
            })
            .collect();
        format!("syntax = \"proto3\";\nmessage Wide {{\n{fields}}}\n")
    },
    message: |random| {
        use prost::encoding::{double, int32, int64, string};
        let mut bytes = Vec::new();
        for number in 1..=50 {
            match number % 5 {
                1 => int64::encode(number, &random.long(1 << 40), &mut bytes),
                2 => string::encode(number, &random.text(3, 20), &mut bytes),
                3 => double::encode(number, &random.fraction(), &mut bytes),
                _ if random.below(4) == 0 => {}
                4 => int32::encode(number, &random.int(1 << 20), &mut bytes),
                _ => string::encode(number, &random.text(3, 20), &mut bytes),
            }
        }
        bytes
    },
    generated: None,
};

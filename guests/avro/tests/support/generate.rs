//! Seeded random schemas, and random values for them.

use std::collections::HashMap;

use apache_avro::{
    Days, Decimal, Duration, Millis, Months, Schema, Uuid,
    schema::{InnerDecimalSchema, UuidSchema},
    types::Value,
};
use serde_json::{Value as Json, json};

pub(crate) struct Random(weir_guest::random::Random);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(weir_guest::random::Random::new(seed))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.next()
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    /// Of any size in bits, so that varints of all lengths appear.
    fn long(&mut self) -> i64 {
        let value = self.next().cast_signed() >> self.below(64);
        if self.below(2) == 0 {
            value
        } else {
            value.wrapping_neg()
        }
    }

    fn int(&mut self) -> i32 {
        i32::try_from(self.long() >> 32 >> self.below(31)).unwrap()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    fn text(&mut self) -> String {
        let alphabet: Vec<char> = "abcXYZ 0_\"\\äß€𝄞\u{0}".chars().collect();
        let length = [0, 3, 8, 20, 50][self.below(5)];
        let plain = self.below(3) > 0;
        (0..self.below(length + 1))
            .map(|_| {
                if plain {
                    'x'
                } else {
                    alphabet[self.below(alphabet.len())]
                }
            })
            .collect()
    }
}

/// Schemas as JSON, with named types that are used again.
pub(crate) struct SchemaMaker {
    /// What namespaces begin with.
    space: &'static str,
    names: usize,
    /// Full names of the types that are complete.
    complete: Vec<String>,
}

impl SchemaMaker {
    pub(crate) fn new() -> Self {
        Self {
            space: "space",
            names: 0,
            complete: Vec::new(),
        }
    }

    /// One whose types have other names.
    pub(crate) fn apart() -> Self {
        Self {
            space: "apart",
            ..Self::new()
        }
    }

    pub(crate) fn record(&mut self, random: &mut Random, depth: usize) -> Json {
        let (name, namespace) = self.name(random);
        let fields: Vec<Json> = (0..random.below(6))
            .map(|i| json!({ "name": format!("f{i}"), "type": self.any(random, depth) }))
            .collect();
        self.complete.push(format!("{namespace}.{name}"));
        json!({ "type": "record", "name": name, "namespace": namespace, "fields": fields })
    }

    pub(crate) fn any(&mut self, random: &mut Random, depth: usize) -> Json {
        if depth == 0 || random.below(3) > 0 {
            return self.leaf(random);
        }
        match random.below(5) {
            0 => self.record(random, depth - 1),
            1 => json!({ "type": "array", "items": self.any(random, depth - 1) }),
            2 => json!({ "type": "map", "values": self.any(random, depth - 1) }),
            3 => self.optional(random, depth - 1),
            _ => self.union(random, depth - 1),
        }
    }

    fn leaf(&mut self, random: &mut Random) -> Json {
        const PLAIN: [&str; 8] = [
            "null", "boolean", "int", "long", "float", "double", "bytes", "string",
        ];
        const LOGICAL: [(&str, &str); 10] = [
            ("int", "date"),
            ("int", "time-millis"),
            ("long", "time-micros"),
            ("long", "timestamp-millis"),
            ("long", "timestamp-micros"),
            ("long", "timestamp-nanos"),
            ("long", "local-timestamp-millis"),
            ("long", "local-timestamp-micros"),
            ("long", "local-timestamp-nanos"),
            ("string", "uuid"),
        ];
        match random.below(16) {
            0..8 => PLAIN[random.below(PLAIN.len())].into(),
            8..11 => {
                let (kind, logical) = LOGICAL[random.below(LOGICAL.len())];
                json!({ "type": kind, "logicalType": logical })
            }
            11 if !self.complete.is_empty() => self.complete[random.below(self.complete.len())]
                .as_str()
                .into(),
            11 | 12 => {
                let symbols: Vec<_> = (0..1 + random.below(5))
                    .map(|i| format!("S{}", "x".repeat(i * 5)))
                    .collect();
                self.named(random, json!({ "type": "enum", "symbols": symbols }))
            }
            13 => {
                let (size, logical) =
                    [(1, ""), (5, ""), (16, "uuid"), (12, "duration")][random.below(4)];
                self.named(
                    random,
                    json!({ "type": "fixed", "size": size, "logicalType": logical }),
                )
            }
            14 => {
                json!({ "type": "bytes", "logicalType": "decimal", "precision": 1 + random.below(38), "scale": 1 })
            }
            _ => {
                let decimal = json!({ "type": "fixed", "size": 16, "logicalType": "decimal",
                    "precision": 1 + random.below(38), "scale": 0 });
                self.named(random, decimal)
            }
        }
    }

    fn named(&mut self, random: &mut Random, mut schema: Json) -> Json {
        let (name, namespace) = self.name(random);
        self.complete.push(format!("{namespace}.{name}"));
        schema["name"] = name.into();
        schema["namespace"] = namespace.into();
        if schema["logicalType"] == "" {
            schema.as_object_mut().unwrap().remove("logicalType");
        }
        schema
    }

    fn optional(&mut self, random: &mut Random, depth: usize) -> Json {
        let value = match random.below(3) {
            0 => json!({ "type": "array", "items": self.any(random, depth) }),
            1 => self.record(random, depth),
            _ => loop {
                let leaf = self.leaf(random);
                if leaf != "null" {
                    break leaf;
                }
            },
        };
        match random.below(5) {
            0 => json!([value]),
            1 | 2 => json!([value, "null"]),
            _ => json!(["null", value]),
        }
    }

    fn union(&mut self, random: &mut Random, depth: usize) -> Json {
        let mut kinds: Vec<usize> = (0..10).collect();
        let count = 2 + random.below(4);
        while kinds.len() > count {
            kinds.remove(random.below(kinds.len()));
        }
        let branches = kinds.into_iter().map(|kind| match kind {
            0 => json!("null"),
            1 => json!("boolean"),
            2 => json!("string"),
            3 => json!({ "type": "int", "logicalType": "date" }),
            4 => json!("long"),
            5 => json!("bytes"),
            6 => json!({ "type": "array", "items": self.any(random, depth) }),
            7 => json!({ "type": "map", "values": self.any(random, depth) }),
            _ => self.record(random, depth),
        });
        branches.collect()
    }

    /// Names repeat across namespaces.
    fn name(&mut self, random: &mut Random) -> (String, String) {
        self.names += 1;
        (
            format!("T{}", random.below(2)),
            format!("{}{}", self.space, self.names),
        )
    }
}

/// A random value of a schema.
pub(crate) fn value(
    schema: &Schema,
    names: &HashMap<String, &Schema>,
    random: &mut Random,
) -> Value {
    match schema {
        Schema::Ref { name } => value(names[name.as_ref()], names, random),
        Schema::Null => Value::Null,
        Schema::Boolean => Value::Boolean(random.below(2) == 0),
        Schema::Int => Value::Int(random.int()),
        Schema::Long => Value::Long(random.long()),
        Schema::Float => Value::Float(f32::from_bits(random.int().cast_unsigned())),
        Schema::Double => Value::Double(f64::from_bits(random.next())),
        Schema::Bytes => {
            let length = random.below(40);
            Value::Bytes(random.bytes(length))
        }
        Schema::String => Value::String(random.text()),
        Schema::Date => Value::Date(random.int()),
        Schema::TimeMillis => Value::TimeMillis(random.int()),
        Schema::TimeMicros => Value::TimeMicros(random.long()),
        Schema::TimestampMillis => Value::TimestampMillis(random.long()),
        Schema::TimestampMicros => Value::TimestampMicros(random.long()),
        Schema::TimestampNanos => Value::TimestampNanos(random.long()),
        Schema::LocalTimestampMillis => Value::LocalTimestampMillis(random.long()),
        Schema::LocalTimestampMicros => Value::LocalTimestampMicros(random.long()),
        Schema::LocalTimestampNanos => Value::LocalTimestampNanos(random.long()),
        Schema::Uuid(kind) => {
            assert!(!matches!(kind, UuidSchema::Bytes));
            Value::Uuid(Uuid::from_slice(&random.bytes(16)).unwrap())
        }
        Schema::Fixed(fixed) => Value::Fixed(fixed.size, random.bytes(fixed.size)),
        Schema::Duration(_) => {
            let mut part = || random.int().cast_unsigned() & 0x7fff_ffff;
            Value::Duration(Duration::new(
                Months::new(part()),
                Days::new(part()),
                Millis::new(part()),
            ))
        }
        Schema::Decimal(decimal) => {
            let limit = 10i128.pow(u32::try_from(decimal.precision).unwrap());
            let raw = i128::from(random.next().cast_signed()) * i128::from(random.next());
            let bytes = (raw % limit).to_be_bytes().to_vec();
            let short = bytes.windows(2).take_while(|pair| {
                let [first, second] = **pair else {
                    return false;
                };
                (first == 0 && second < 0x80) || (first == 0xff && second >= 0x80)
            });
            let short = short.count();
            match decimal.inner {
                InnerDecimalSchema::Bytes => Value::Decimal(Decimal::from(&bytes[short..])),
                InnerDecimalSchema::Fixed(_) => Value::Decimal(Decimal::from(&bytes)),
            }
        }
        Schema::Enum(symbols) => {
            let index = random.below(symbols.symbols.len());
            Value::Enum(
                u32::try_from(index).unwrap(),
                symbols.symbols[index].clone(),
            )
        }
        Schema::Array(array) => {
            let items = (0..random.below(4)).map(|_| value(&array.items, names, random));
            Value::Array(items.collect())
        }
        Schema::Map(map) => {
            let entries = (0..random.below(4)).map(|i| {
                (
                    format!("{i}{}", random.text()),
                    value(&map.types, names, random),
                )
            });
            Value::Map(entries.collect())
        }
        Schema::Union(union) => {
            let index = random.below(union.variants().len());
            let branch = value(&union.variants()[index], names, random);
            Value::Union(u32::try_from(index).unwrap(), Box::new(branch))
        }
        Schema::Record(record) => {
            let fields = record.fields.iter();
            let fields =
                fields.map(|field| (field.name.clone(), value(&field.schema, names, random)));
            Value::Record(fields.collect())
        }
        Schema::BigDecimal => panic!("not generated"),
    }
}

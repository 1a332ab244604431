//! Parsing canonical forms and fingerprints (Avro 1.12, "Parsing Canonical Form for Schemas" and
//! "Schema Fingerprints").
//!
//! apache-avro parses, and so gives types their full names. Its own form keeps the order of fields,
//! and precision and scale of decimals, which the rule STRIP takes away, so that fingerprints of
//! such schemas would be nobody else's.

use std::collections::HashSet;
use std::fmt::Write as _;

use apache_avro::schema::{InnerDecimalSchema, Name, Schema, UuidSchema};
use serde_json::Value;
use weir_guest::schemas;

use crate::schema::{Parsed, SchemaError};

/// The parsing canonical form of a schema. What it refers to is written into it where it is named
/// first.
///
/// # Errors
/// It is no Avro schema.
pub fn canonical_form(schema: &schemas::Schema) -> Result<String, SchemaError> {
    let parsed = Parsed::parse(schema)?;
    let mut form = Form {
        parsed: &parsed,
        known: HashSet::new(),
        text: String::new(),
    };
    form.schema(&parsed.root)?;
    Ok(form.text)
}

/// The CRC-64-AVRO of a schema's canonical form.
///
/// # Errors
/// As for [`canonical_form`].
pub fn fingerprint(schema: &schemas::Schema) -> Result<u64, SchemaError> {
    let form = canonical_form(schema)?;
    Ok(form.bytes().fold(EMPTY, |sum, byte| {
        let mut sum = sum ^ u64::from(byte);
        for _ in 0..8 {
            sum = sum >> 1 ^ EMPTY & (sum & 1).wrapping_neg();
        }
        sum
    }))
}

/// The fingerprint of nothing, and the polynomial.
const EMPTY: u64 = 0xc15d_213a_a4d7_a795;

struct Form<'a> {
    parsed: &'a Parsed,
    /// Full names of the types that are written.
    known: HashSet<String>,
    text: String,
}

impl Form<'_> {
    fn schema(&mut self, schema: &Schema) -> Result<(), SchemaError> {
        let plain = match schema {
            Schema::Null => "null",
            Schema::Boolean => "boolean",
            Schema::Int | Schema::Date | Schema::TimeMillis => "int",
            Schema::Long
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => "long",
            Schema::Float => "float",
            Schema::Double => "double",
            Schema::Bytes | Schema::BigDecimal | Schema::Uuid(UuidSchema::Bytes) => "bytes",
            Schema::String | Schema::Uuid(UuidSchema::String) => "string",
            Schema::Array(array) => {
                self.text.push_str(r#"{"type":"array","items":"#);
                return self.end(&array.items);
            }
            Schema::Map(map) => {
                self.text.push_str(r#"{"type":"map","values":"#);
                return self.end(&map.types);
            }
            Schema::Union(union) => {
                self.text.push('[');
                for (at, branch) in union.variants().iter().enumerate() {
                    self.comma(at);
                    self.schema(branch)?;
                }
                self.text.push(']');
                return Ok(());
            }
            Schema::Record(record) => {
                if self.begin(&record.name, "record") {
                    self.text.push_str(r#","fields":["#);
                    for (at, field) in record.fields.iter().enumerate() {
                        self.comma(at);
                        let name = quoted(&field.name);
                        let _ = write!(self.text, r#"{{"name":{name},"type":"#);
                        self.end(&field.schema)?;
                    }
                    self.text.push_str("]}");
                }
                return Ok(());
            }
            Schema::Enum(symbols) => {
                if self.begin(&symbols.name, "enum") {
                    let symbols = symbols.symbols.iter().map(|symbol| quoted(symbol));
                    let symbols: Vec<String> = symbols.collect();
                    let _ = write!(self.text, r#","symbols":[{}]}}"#, symbols.join(","));
                }
                return Ok(());
            }
            Schema::Decimal(decimal) => match &decimal.inner {
                InnerDecimalSchema::Bytes => "bytes",
                InnerDecimalSchema::Fixed(fixed) => return self.fixed(&fixed.name, fixed.size),
            },
            Schema::Fixed(fixed)
            | Schema::Duration(fixed)
            | Schema::Uuid(UuidSchema::Fixed(fixed)) => return self.fixed(&fixed.name, fixed.size),
            Schema::Ref { name } => {
                if self.known.contains(&name.fullname(None)) {
                    self.text.push_str(&quoted(&name.fullname(None)));
                    return Ok(());
                }
                return self.schema(self.parsed.resolve(schema)?);
            }
        };
        self.text.push_str(&quoted(plain));
        Ok(())
    }

    fn fixed(&mut self, name: &Name, size: usize) -> Result<(), SchemaError> {
        if self.begin(name, "fixed") {
            let _ = write!(self.text, r#","size":{size}}}"#);
        }
        Ok(())
    }

    /// Begins a named type, or names it if it is there already; whether it was begun.
    fn begin(&mut self, name: &Name, kind: &str) -> bool {
        let name = name.fullname(None);
        let quoted = quoted(&name);
        if !self.known.insert(name) {
            self.text.push_str(&quoted);
            return false;
        }
        let _ = write!(self.text, r#"{{"name":{quoted},"type":"{kind}""#);
        true
    }

    fn end(&mut self, last: &Schema) -> Result<(), SchemaError> {
        self.schema(last)?;
        self.text.push('}');
        Ok(())
    }

    fn comma(&mut self, at: usize) {
        if at > 0 {
            self.text.push(',');
        }
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

//! Defaults of a reader schema, as Avro (Avro 1.12, Schema Declaration).

use apache_avro::schema::{FixedSchema, InnerDecimalSchema, Schema, UuidSchema};
use serde_json::Value;

use crate::{
    resolve::{Kind, kind},
    schema::{Parsed, default_of},
};

/// How deep a default may be: one of a record within itself, of which the default is to be `{}`,
/// has no end.
const MAX_DEPTH: usize = 64;

/// Appends the value of a type that this JSON stands for.
///
/// # Errors
/// For people: why it is none.
pub(crate) fn encode(
    reader: &Parsed,
    schema: &Schema,
    json: &Value,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    encode_at(reader, schema, json, out, MAX_DEPTH)
}

fn encode_at(
    reader: &Parsed,
    schema: &Schema,
    json: &Value,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), String> {
    let schema = reader.resolve(schema).map_err(|error| error.to_string())?;
    let wrong = |what: &str| Err(format!("{json} is not {what}"));
    let depth = depth
        .checked_sub(1)
        .ok_or("it is nested without end, or too deeply")?;
    match schema {
        Schema::Array(array) => {
            let Value::Array(items) = json else {
                return wrong("an array");
            };
            for item in items {
                push_long(1, out);
                encode_at(reader, &array.items, item, out, depth)?;
            }
            out.push(0);
        }
        Schema::Map(map) => {
            let Value::Object(entries) = json else {
                return wrong("a map");
            };
            for (key, value) in entries {
                push_long(1, out);
                push_bytes(key.as_bytes(), out)?;
                encode_at(reader, &map.types, value, out, depth)?;
            }
            out.push(0);
        }
        Schema::Record(record) => {
            let Value::Object(values) = json else {
                return wrong("a record");
            };
            for field in &record.fields {
                let value = values.get(&field.name).or_else(|| default_of(field));
                let value = value.ok_or_else(|| format!("it has no field `{}`", field.name))?;
                encode_at(reader, &field.schema, value, out, depth)
                    .map_err(|error| format!("field `{}`: {error}", field.name))?;
            }
        }
        Schema::Union(union) => {
            let before = out.len();
            for (index, branch) in (0..).zip(union.variants()) {
                push_long(index, out);
                if encode_at(reader, branch, json, out, depth).is_ok() {
                    return Ok(());
                }
                out.truncate(before);
            }
            return wrong("a value of any branch of the union");
        }
        Schema::Enum(symbols) => {
            let text = json.as_str();
            let symbols = symbols.symbols.iter();
            let index = (0..)
                .zip(symbols)
                .find(|(_, symbol)| Some(symbol.as_str()) == text);
            let Some((index, _)) = index else {
                return wrong("a symbol of the enum");
            };
            push_long(index, out);
        }
        leaf => return encode_leaf(leaf, json, out),
    }
    Ok(())
}

fn encode_leaf(schema: &Schema, json: &Value, out: &mut Vec<u8>) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{json} is not {what}"));
    match (kind(schema), json) {
        (Kind::Null, Value::Null) => {}
        (Kind::Null, _) => return wrong("null"),
        (Kind::Boolean, Value::Bool(value)) => out.push(u8::from(*value)),
        (Kind::Boolean, _) => return wrong("a boolean"),
        (Kind::Int, json) => match json.as_i64().map(i32::try_from) {
            Some(Ok(value)) => push_long(value.into(), out),
            _ => return wrong("an int"),
        },
        (Kind::Long, json) => match json.as_i64() {
            Some(value) => push_long(value, out),
            None => return wrong("a long"),
        },
        (Kind::Float, json) => match json.to_string().parse::<f32>() {
            Ok(value) if json.is_number() => out.extend_from_slice(&value.to_le_bytes()),
            _ => return wrong("a float"),
        },
        (Kind::Double, json) => match json.as_f64() {
            Some(value) => out.extend_from_slice(&value.to_le_bytes()),
            None => return wrong("a double"),
        },
        (Kind::String, Value::String(text)) => push_bytes(text.as_bytes(), out)?,
        (Kind::String, _) => return wrong("a string"),
        (Kind::Bytes, Value::String(text)) => push_bytes(&latin_1(text)?, out)?,
        (Kind::Fixed, Value::String(text)) => {
            let bytes = latin_1(text)?;
            let size = fixed(schema).map(|fixed| fixed.size);
            if size != Some(bytes.len()) {
                return wrong(&format!("{} bytes", size.unwrap_or_default()));
            }
            out.extend_from_slice(&bytes);
        }
        _ => return wrong("a text of bytes"),
    }
    Ok(())
}

/// The `fixed` that a schema is or annotates.
pub(crate) fn fixed(schema: &Schema) -> Option<&FixedSchema> {
    match schema {
        Schema::Fixed(fixed) | Schema::Duration(fixed) | Schema::Uuid(UuidSchema::Fixed(fixed)) => {
            Some(fixed)
        }
        Schema::Decimal(decimal) => match &decimal.inner {
            InnerDecimalSchema::Fixed(fixed) => Some(fixed),
            InnerDecimalSchema::Bytes => None,
        },
        _ => None,
    }
}

/// Bytes are written as the characters of their numbers.
fn latin_1(text: &str) -> Result<Vec<u8>, String> {
    let bytes = text.chars().map(|c| u8::try_from(u32::from(c)));
    let bytes: Result<_, _> = bytes.collect();
    bytes.map_err(|_| format!("{text:?} has characters beyond U+00FF"))
}

fn push_bytes(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let length = i64::try_from(bytes.len()).map_err(|error| error.to_string())?;
    push_long(length, out);
    out.extend_from_slice(bytes);
    Ok(())
}

fn push_long(value: i64, out: &mut Vec<u8>) {
    let mut rest = (value << 1 ^ value >> 63).cast_unsigned();
    while rest >= 0x80 {
        out.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    out.push(rest.to_le_bytes()[0]);
}

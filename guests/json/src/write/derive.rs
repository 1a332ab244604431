//! From columns to a JSON Schema, of draft 7, as Confluent's serializers take it.
//!
//! Objects are closed (`additionalProperties: false`): only then does a registry take it for
//! compatible that a column is added later. Widths of numbers are said as Kafka Connect says
//! them.

use serde_json::{Map, Value, json};
use weir_guest::Part;
use weir_guest::arrays::{children, decimal, extension, path, roots, width, zone};
use weir_guest::rows::Field;

/// The schema of rows with these columns, or of a key that is the value of the only one.
pub(super) fn schema(fields: &[Field], name: &str, part: Part) -> Result<Value, String> {
    let columns: Vec<usize> = roots(fields).collect();
    let body = match (part, &columns[..]) {
        (Part::Key, [column]) => value(fields, *column)?,
        (_, columns) => object(fields, columns)?,
    };
    let mut schema = Map::new();
    schema.insert(
        "$schema".to_owned(),
        json!("http://json-schema.org/draft-07/schema#"),
    );
    // A title may say what Connect means by a type: that one stays.
    if body.get("title").is_none() {
        schema.insert("title".to_owned(), json!(name));
    }
    schema.extend(body);
    Ok(Value::Object(schema))
}

fn object(fields: &[Field], columns: &[usize]) -> Result<Map<String, Value>, String> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for &column in columns {
        let field = &fields[column];
        let schema = nullable(fields, column)?;
        if properties.insert(field.name.clone(), schema).is_some() {
            return Err(format!("two columns are called `{}`", path(fields, column)));
        }
        if !field.nullable {
            required.push(json!(field.name));
        }
    }
    let mut object = Map::new();
    object.insert("type".to_owned(), json!("object"));
    object.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        object.insert("required".to_owned(), Value::Array(required));
    }
    object.insert("additionalProperties".to_owned(), json!(false));
    Ok(object)
}

/// As Kafka Connect writes it.
fn nullable(fields: &[Field], column: usize) -> Result<Value, String> {
    let schema = Value::Object(value(fields, column)?);
    let field = &fields[column];
    // Any JSON, and null itself, may be null already.
    let has_null = field.format == "n" || extension(field) == Some("arrow.json");
    Ok(if field.nullable && !has_null {
        json!({ "oneOf": [{ "type": "null" }, schema] })
    } else {
        schema
    })
}

fn value(fields: &[Field], column: usize) -> Result<Map<String, Value>, String> {
    let field = &fields[column];
    let below: Vec<usize> = children(fields, column).collect();
    let integer = |width: &str| json!({ "type": "integer", "connect.type": width });
    let format = field.format.as_str();
    let schema = match format {
        "n" => json!({ "type": "null" }),
        "b" => json!({ "type": "boolean" }),
        "c" => integer("int8"),
        "C" | "s" => integer("int16"),
        "S" | "i" => integer("int32"),
        "I" | "l" => json!({ "type": "integer" }),
        "L" => json!({ "type": "integer", "minimum": 0 }),
        "e" | "f" => json!({ "type": "number", "connect.type": "float32" }),
        "g" => json!({ "type": "number" }),
        "z" => json!({ "type": "string", "contentEncoding": "base64" }),
        "u" if extension(field) == Some("arrow.json") => json!({}),
        "u" => json!({ "type": "string" }),
        "w:16" if extension(field) == Some("arrow.uuid") => {
            json!({ "type": "string", "format": "uuid" })
        }
        "tdD" | "tdm" => json!({ "type": "string", "format": "date" }),
        "tts" | "ttm" | "ttu" | "ttn" => json!({ "type": "string", "format": "time" }),
        "tDs" | "tDm" | "tDu" | "tDn" | "tiM" | "tiD" | "tin" => json!({ "type": "string" }),
        "+l" => json!({ "type": "array", "items": nullable(fields, below[0])? }),
        "+s" => return object(fields, &below),
        "+m" => {
            let pair: Vec<usize> = children(fields, below[0]).collect();
            json!({ "type": "object", "additionalProperties": nullable(fields, pair[1])? })
        }
        _ if width(format).is_some() => json!({ "type": "string", "contentEncoding": "base64" }),
        _ if zone(format).is_some_and(str::is_empty) => json!({ "type": "string" }),
        _ if zone(format).is_some() => json!({ "type": "string", "format": "date-time" }),
        _ => match decimal(format) {
            Some((precision, scale, _)) if scale >= 0 => json!({
                "type": "number",
                "title": "org.apache.kafka.connect.data.Decimal",
                "connect.type": "bytes",
                "connect.parameters": {
                    "scale": scale.to_string(),
                    "connect.decimal.precision": precision.to_string(),
                },
            }),
            Some(_) => json!({ "type": "number" }),
            None => {
                return Err(format!(
                    "column `{}`: JSON has nothing for the Arrow format `{format}`",
                    path(fields, column)
                ));
            }
        },
    };
    match schema {
        Value::Object(schema) => Ok(schema),
        _ => Ok(Map::new()),
    }
}

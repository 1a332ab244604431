//! What prost-reflect makes of a message, in the form in which the columns are rendered.

use std::collections::BTreeMap;

use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, Kind, MapKey, MessageDescriptor, ReflectMessage, Value};
use serde_json::{Map, Value as Json, json};

use super::render::{float, hex};

/// The row that a message should become; `None` if prost-reflect refuses it, or a time in it
/// does not fit.
pub(crate) fn row(descriptor: &MessageDescriptor, message: &[u8]) -> Option<Json> {
    let message = DynamicMessage::decode(descriptor.clone(), message).ok()?;
    columns(&message, &mut vec![descriptor.full_name().to_owned()])
}

fn columns(message: &DynamicMessage, open: &mut Vec<String>) -> Option<Json> {
    let descriptor = message.descriptor();
    let mut columns = Map::new();
    for declared in &descriptor.descriptor_proto().field {
        let field = descriptor.get_field_by_name(declared.name()).unwrap();
        let name = field.name().to_owned();
        let column = if field.supports_presence()
            && !field.is_list()
            && !field.is_map()
            && !message.has_field(&field)
        {
            Json::Null
        } else {
            value(&field.kind(), &message.get_field(&field), open)?
        };
        columns.insert(name, column);
    }
    for extension in descriptor.extensions() {
        let name = format!("[{}]", extension.full_name());
        let column = match message.has_extension(&extension) {
            true => match message.get_extension(&extension).as_ref() {
                Value::I32(value) => json!(value),
                other => panic!("{other:?}"),
            },
            false => Json::Null,
        };
        columns.insert(name, column);
    }
    Some(Json::Object(columns))
}

fn value(kind: &Kind, value_of: &Value, open: &mut Vec<String>) -> Option<Json> {
    Some(match value_of {
        Value::Bool(it) => json!(it),
        Value::I32(it) => json!(it),
        Value::I64(it) => json!(it),
        Value::U32(it) => json!(it),
        Value::U64(it) => json!(it),
        Value::F32(it) => float(f64::from(*it)),
        Value::F64(it) => float(*it),
        Value::String(it) => json!(it),
        Value::Bytes(it) => hex(it),
        Value::EnumNumber(number) => {
            let values = kind.as_enum().unwrap().enum_descriptor_proto().value.iter();
            let mut named = values.filter(|value| value.number() == *number);
            named
                .next()
                .map_or_else(|| json!(number.to_string()), |value| json!(value.name()))
        }
        Value::Message(message) => nested(message, open)?,
        Value::List(items) => items
            .iter()
            .map(|item| value(kind, item, open))
            .collect::<Option<_>>()?,
        Value::Map(entries) => {
            let kind = kind.as_message().unwrap().map_entry_value_field().kind();
            let entries: Option<BTreeMap<String, Json>> = entries
                .iter()
                .map(|(key, entry)| Some((text(key), value(&kind, entry, open)?)))
                .collect();
            let entries = entries?.into_iter();
            entries.map(|(key, value)| json!([key, value])).collect()
        }
    })
}

fn text(key: &MapKey) -> String {
    match key {
        MapKey::Bool(it) => it.to_string(),
        MapKey::I32(it) => it.to_string(),
        MapKey::I64(it) => it.to_string(),
        MapKey::U32(it) => it.to_string(),
        MapKey::U64(it) => it.to_string(),
        MapKey::String(it) => it.clone(),
    }
}

fn nested(message: &DynamicMessage, open: &mut Vec<String>) -> Option<Json> {
    let descriptor = message.descriptor();
    let name = descriptor.full_name();
    let part = |name: &str| message.get_field_by_name(name).unwrap().into_owned();
    match name {
        "google.protobuf.Timestamp" | "google.protobuf.Duration" => {
            let seconds = part("seconds").as_i64()?;
            let nanos = part("nanos").as_i32()?;
            let valid = match name {
                "google.protobuf.Timestamp" => (0..1_000_000_000).contains(&nanos),
                _ => {
                    i64::from(nanos).signum() * seconds.signum() >= 0 && nanos.abs() < 1_000_000_000
                }
            };
            let sum = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
            return i64::try_from(sum).ok().filter(|_| valid).map(Json::from);
        }
        "google.protobuf.Value" if message.encoded_len() == 0 => return Some(Json::Null),
        "google.protobuf.Struct" | "google.protobuf.Value" | "google.protobuf.ListValue" => {
            return as_text(message);
        }
        name if name.starts_with("google.protobuf.") && name.ends_with("Value") => {
            let field = descriptor.get_field(1).unwrap();
            let wrapped = message.get_field(&field);
            return value(&field.kind(), &wrapped, open);
        }
        name if open.iter().any(|open| open == name) => {
            return as_text(message);
        }
        _ => {}
    }
    open.push(name.to_owned());
    let columns = columns(message, open);
    open.pop();
    columns
}

/// Through text: as a value, a float has the digits of a double.
fn as_text(message: &DynamicMessage) -> Option<Json> {
    let text = serde_json::to_vec(message).ok()?;
    serde_json::from_slice(&text).ok()
}

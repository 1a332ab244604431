//! What apache-avro makes of a record, in the form in which the columns are rendered.

use std::collections::HashMap;

use apache_avro::{
    Schema,
    reader::datum::GenericDatumReader,
    schema::{ResolvedSchema, UuidSchema},
    types::Value,
};
use serde_json::{Value as Json, json};

use super::render::{float, hex};

/// The row that a datum should become; `None` if apache-avro refuses it or leaves bytes.
pub(crate) fn row(schema: &Schema, mut datum: &[u8]) -> Option<Json> {
    let reader = GenericDatumReader::builder(schema).build().unwrap();
    let value = reader.read_value(&mut datum).ok()?;
    datum.is_empty().then(|| expected_row(schema, &value))
}

/// The row that a value should become.
pub(crate) fn expected_row(schema: &Schema, value: &Value) -> Json {
    let resolved = ResolvedSchema::try_from(schema).unwrap();
    let names = resolved.get_names();
    let names = names
        .iter()
        .map(|(name, schema)| (name.fullname(None), *schema))
        .collect();
    match expected(schema, value, &names) {
        row if matches!(schema, Schema::Record(_)) => row,
        value => json!({ "value": value }),
    }
}

fn expected(schema: &Schema, value: &Value, names: &HashMap<String, &Schema>) -> Json {
    match (schema, value) {
        (Schema::Ref { name }, value) => expected(names[name.as_ref()], value, names),
        (_, Value::Null) => Json::Null,
        (_, Value::Boolean(v)) => (*v).into(),
        (_, Value::Int(v) | Value::Date(v) | Value::TimeMillis(v)) => (*v).into(),
        (
            _,
            Value::Long(v)
            | Value::TimeMicros(v)
            | Value::TimestampMillis(v)
            | Value::TimestampMicros(v)
            | Value::TimestampNanos(v)
            | Value::LocalTimestampMillis(v)
            | Value::LocalTimestampMicros(v)
            | Value::LocalTimestampNanos(v),
        ) => (*v).into(),
        (_, Value::Float(v)) => float((*v).into()),
        (_, Value::Double(v)) => float(*v),
        (_, Value::Bytes(v) | Value::Fixed(_, v)) => hex(v),
        (_, Value::String(v) | Value::Enum(_, v)) => v.as_str().into(),
        (_, Value::Decimal(v)) => {
            // apache-avro has no bytes for the decimal of none, which is 0 here.
            let bytes = <Vec<u8>>::try_from(v).unwrap_or_default();
            let negative = bytes.first().is_some_and(|byte| *byte >= 0x80);
            let start = if negative { -1 } else { 0 };
            bytes
                .iter()
                .fold(start, |sum: i128, byte| sum << 8 | i128::from(*byte))
                .to_string()
                .into()
        }
        (Schema::Uuid(UuidSchema::String), Value::Uuid(v)) => v.to_string().into(),
        (_, Value::Uuid(v)) => hex(v.as_bytes()),
        (_, Value::Duration(v)) => {
            let (months, days, millis) = (
                u32::from(v.months()),
                u32::from(v.days()),
                u32::from(v.millis()),
            );
            json!([months, days, u64::from(millis) * 1_000_000])
        }
        (Schema::Array(array), Value::Array(items)) => items
            .iter()
            .map(|item| expected(&array.items, item, names))
            .collect(),
        (Schema::Map(map), Value::Map(entries)) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let entries = entries.into_iter();
            entries
                .map(|(key, value)| json!([key, expected(&map.types, value, names)]))
                .collect()
        }
        (Schema::Record(record), Value::Record(values)) => {
            let fields = record.fields.iter().zip(values);
            let fields = fields.map(|(field, (name, value))| {
                (name.clone(), expected(&field.schema, value, names))
            });
            Json::Object(fields.collect())
        }
        (Schema::Union(union), Value::Union(index, value)) => {
            let branches = union.variants();
            let chosen = &branches[*index as usize];
            let others = branches
                .iter()
                .filter(|branch| !matches!(branch, Schema::Null))
                .count();
            if others < 2 || matches!(chosen, Schema::Null) {
                return expected(chosen, value, names);
            }
            let values = branches
                .iter()
                .filter(|branch| !matches!(branch, Schema::Null));
            let values = values.map(|branch| {
                let chosen = std::ptr::eq(branch, chosen);
                let value = if chosen {
                    expected(branch, value, names)
                } else {
                    Json::Null
                };
                (branch_name(branch, branches), value)
            });
            Json::Object(values.collect())
        }
        (schema, value) => panic!("{schema:?}: {value:?}"),
    }
}

fn branch_name(schema: &Schema, branches: &[Schema]) -> String {
    let Some(name) = schema.name() else {
        return kind(schema).to_owned();
    };
    let same = branches.iter().filter(|other| {
        other
            .name()
            .map_or_else(|| kind(other), |other| other.name())
            == name.name()
    });
    if same.count() > 1 {
        name.fullname(None)
    } else {
        name.name().to_owned()
    }
}

fn kind(schema: &Schema) -> &'static str {
    match schema {
        Schema::Boolean => "boolean",
        Schema::Int | Schema::Date | Schema::TimeMillis => "int",
        Schema::Float => "float",
        Schema::Double => "double",
        Schema::Bytes | Schema::Decimal(_) => "bytes",
        Schema::String | Schema::Uuid(_) => "string",
        Schema::Array(_) => "array",
        Schema::Map(_) => "map",
        _ => "long",
    }
}

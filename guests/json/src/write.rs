//! Rows to JSON with a JSON Schema.
//!
//! ```text
//! columns ─► derive ─► schema ─► type ─► compile ─► plan ─► bind ─► put ─► text
//!                         ▲
//!             or the registry, or the pipeline file
//! ```
//!
//! What a schema asks for is found by the walk that the deserializer has too, so that what is
//! written is read as it was.

mod bind;
mod compile;
mod derive;
mod fault;
mod float;
mod loops;
mod nested;
mod put;
mod rare;
mod room;
mod rows;
mod text;

pub use compile::WritePlan;

use weir_guest::confluent::{PayloadBuilder, WriteFormat};
use weir_guest::rows::Field;
use weir_guest::schemas::{Schema, SchemaType};
use weir_guest::{Description, Part, RowBatch};

use crate::schema::{self, Documents};
use crate::validate::Validator;

const OPTIONS_SCHEMA: &str = include_str!("write/options.schema.json");

/// JSON Schema as a format that rows are written in.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonWriter;

#[cfg(feature = "serializer")]
weir_guest::export_serializer!(weir_guest::confluent::Writer<JsonWriter>);

impl WriteFormat for JsonWriter {
    const TYPE: SchemaType = SchemaType::Json;
    const VALIDATES: bool = true;

    type Plan = WritePlan;

    fn describe() -> Description {
        Description {
            name: "json-schema".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Rows as JSON with a JSON Schema, in the Confluent wire formats".to_owned(),
            options_schema: OPTIONS_SCHEMA.to_owned(),
        }
    }

    fn derive(fields: &[Field], name: &str, part: Part) -> Result<String, String> {
        derive::schema(fields, name, part).map(|schema| schema.to_string())
    }

    /// As for Confluent's serializers, the title.
    fn record_name(schema: &Schema) -> Result<String, String> {
        let parsed: serde_json::Value = serde_json::from_str(&schema.text)
            .map_err(|error| format!("it is not JSON: {error}"))?;
        let title = parsed.get("title").and_then(serde_json::Value::as_str);
        title
            .map(str::to_owned)
            .ok_or_else(|| "it has no `title`, which this `subject.name.strategy` needs".to_owned())
    }

    fn compile(
        schema: &Schema,
        fields: &[Field],
        part: Part,
        _name: Option<&str>,
        validate: bool,
    ) -> Result<WritePlan, String> {
        match schema.schema_type {
            SchemaType::Json => {}
            SchemaType::Avro => return Err("it is an Avro schema, not a JSON Schema".to_owned()),
            SchemaType::Protobuf => {
                return Err("it is a Protobuf schema, not a JSON Schema".to_owned());
            }
        }
        let documents = Documents::parse(schema).map_err(|error| error.to_string())?;
        let row = schema::type_to_write(&documents).map_err(|error| error.to_string())?;
        let mut plan = compile::compile(&row, fields, part)?;
        if validate {
            let validator = Validator::new(&documents).map_err(|error| error.to_string())?;
            plan.validator = Some(validator);
        }
        Ok(plan)
    }

    fn write(plan: &WritePlan, rows: &RowBatch, payloads: &mut PayloadBuilder) {
        rows::write(plan, rows, payloads);
    }
}

#[cfg(test)]
mod tests {
    use weir_guest::arrays::text::{push_base64, push_date};

    #[test]
    fn base64_is_what_is_decoded() {
        let bytes: Vec<u8> = (0..=255).collect();
        for length in 0..20 {
            let mut written = Vec::new();
            push_base64(&bytes[200..200 + length], &mut written);
            let mut read = Vec::new();
            crate::base64::decode(&written, &mut read).unwrap();
            assert_eq!(read, &bytes[200..200 + length]);
        }
    }

    #[test]
    fn dates_are_what_is_read() {
        for days in (-719_528..2_932_897).step_by(13) {
            let mut written = Vec::new();
            push_date(days, &mut written).unwrap();
            assert_eq!(crate::time::date(&written).map(i64::from), Some(days));
        }
    }
}

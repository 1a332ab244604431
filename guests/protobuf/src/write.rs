//! Rows to Protobuf.
//!
//! ```text
//! columns ─► derive ─► .proto ─► descriptor ─► compile ─► plan ─► bind ─► put ─► bytes, row by row
//!                         ▲
//!             or the registry, or the pipeline file
//! ```
//!
//! Fields are written in the order of their numbers, as other writers do: readers are fastest so.

mod bind;
mod compile;
mod derive;
mod fault;
mod put;
mod text;
mod wire;

pub use compile::WritePlan;

use prost_reflect::MessageDescriptor;
use weir_guest::confluent::{PayloadBuilder, WriteFormat};
use weir_guest::rows::Field;
use weir_guest::schemas::{Schema, SchemaType};
use weir_guest::{Description, Part, RowBatch};

use crate::schema::{File, SchemaError};

const OPTIONS_SCHEMA: &str = include_str!("write/options.schema.json");

/// Protobuf as a format that rows are written in.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProtobufWriter;

#[cfg(feature = "serializer")]
weir_guest::export_serializer!(weir_guest::confluent::Writer<ProtobufWriter>);

impl WriteFormat for ProtobufWriter {
    const TYPE: SchemaType = SchemaType::Protobuf;

    type Plan = WritePlan;

    fn describe() -> Description {
        Description {
            name: "protobuf".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Rows as Protobuf, in the Confluent wire formats or bare".to_owned(),
            options_schema: OPTIONS_SCHEMA.to_owned(),
        }
    }

    fn derive(fields: &[Field], name: &str, part: Part) -> Result<String, String> {
        derive::schema(fields, name, part)
    }

    fn record_name(schema: &Schema) -> Result<String, String> {
        let message = only_message(schema)?;
        Ok(message.full_name().to_owned())
    }

    fn compile(
        schema: &Schema,
        fields: &[Field],
        part: Part,
        name: Option<&str>,
        _validate: bool,
    ) -> Result<WritePlan, String> {
        let message = match name {
            Some(name) => {
                let file = File::parse(schema).map_err(|error| error.to_string())?;
                file.message(name).map_err(|error| error.to_string())?
            }
            None => only_message(schema)?,
        };
        compile::compile(&message, fields, part)
    }

    fn indexes(plan: &WritePlan) -> &[u8] {
        &plan.indexes
    }

    fn write(plan: &WritePlan, rows: &RowBatch, payloads: &mut PayloadBuilder) {
        put::rows(plan, rows, payloads);
    }
}

fn only_message(schema: &Schema) -> Result<MessageDescriptor, String> {
    let file = File::parse(schema).map_err(|error| error.to_string())?;
    file.only_message().map_err(|error| match error {
        SchemaError::WhichMessage(names) => {
            format!("it has several messages, so `record.name` has to name one of {names}")
        }
        other => other.to_string(),
    })
}

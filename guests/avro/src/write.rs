//! Rows to Avro.
//!
//! ```text
//! columns ─► derive ─► schema ─► compile ─► plan ─► bind to a batch's arrays ─► bytes, row by row
//!                         ▲
//!             or the registry, or the pipeline file
//! ```
//!
//! A plan is made once a target: the tree of the schema, each node with the column that it takes
//! its values from. For a batch the columns' buffers are found once, and then rows are
//! written one after the other without anything being allocated for a value.

mod bind;
mod compile;
mod derive;
mod json;
mod put;

pub use compile::WritePlan;

use weir_guest::confluent::{PayloadBuilder, WriteFormat};
use weir_guest::rows::Field;
use weir_guest::schemas::{Schema, SchemaType};
use weir_guest::{Description, Part, RowBatch};

use crate::canonical;
use crate::schema::Parsed;

const OPTIONS_SCHEMA: &str = include_str!("write/options.schema.json");

/// Avro as a format that rows are written in.
#[derive(Clone, Copy, Debug, Default)]
pub struct AvroWriter;

#[cfg(feature = "serializer")]
weir_guest::export_serializer!(weir_guest::confluent::Writer<AvroWriter>);

impl WriteFormat for AvroWriter {
    const TYPE: SchemaType = SchemaType::Avro;
    const SINGLE_OBJECT: bool = true;

    type Plan = WritePlan;

    fn describe() -> Description {
        Description {
            name: "avro".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Rows as Avro: in the Confluent wire formats, as single objects, or bare"
                .to_owned(),
            options_schema: OPTIONS_SCHEMA.to_owned(),
        }
    }

    fn derive(fields: &[Field], name: &str, part: Part) -> Result<String, String> {
        derive::schema(fields, name, part).map(|schema| schema.to_string())
    }

    fn record_name(schema: &Schema) -> Result<String, String> {
        let parsed = Parsed::parse(schema).map_err(|error| error.to_string())?;
        let name = parsed.root.name().map(|name| name.fullname(None));
        name.ok_or_else(|| {
            "it has no name, which this `subject.name.strategy` needs: only records, enums and \
             fixed have one"
                .to_owned()
        })
    }

    fn compile(
        schema: &Schema,
        fields: &[Field],
        part: Part,
        _name: Option<&str>,
        _validate: bool,
    ) -> Result<WritePlan, String> {
        let parsed = Parsed::parse_reader(schema).map_err(|error| error.to_string())?;
        compile::compile(&parsed, fields, part)
    }

    fn single_object(schema: &Schema) -> Result<Vec<u8>, String> {
        let fingerprint = canonical::fingerprint(schema).map_err(|error| error.to_string())?;
        Ok([&[0xc3, 0x01], &fingerprint.to_le_bytes()[..]].concat())
    }

    fn write(plan: &WritePlan, rows: &RowBatch, payloads: &mut PayloadBuilder) {
        put::rows(plan, rows, payloads);
    }
}

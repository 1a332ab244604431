//! The writer as a weir plug-in.

use weir_guest::confluent::{HostSchemas, WriteOptions, Writer};
use weir_guest::{BatchError, Description, Encoded, Part, RowBatch, Serializer, Target};

use super::AvroWriter;

const OPTIONS_SCHEMA: &str = include_str!("options.schema.json");

/// The plug-in `avro` that writes.
pub struct AvroSerializer(Writer<AvroWriter>);

impl Serializer for AvroSerializer {
    fn describe() -> Description {
        Description {
            name: "avro".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Rows as Avro: in the Confluent wire formats, as single objects, or bare"
                .to_owned(),
            options_schema: OPTIONS_SCHEMA.to_owned(),
        }
    }

    fn open(part: Part, options: &str) -> Result<Self, String> {
        Writer::open(part, WriteOptions::parse(options)?).map(Self)
    }

    fn prepare(&mut self, number: u32, target: Target) -> Result<(), BatchError> {
        self.0.prepare(number, &target, &HostSchemas)
    }

    fn encode(&mut self, rows: &RowBatch) -> Result<Encoded, BatchError> {
        self.0.encode(rows)
    }
}

#[cfg(feature = "serializer")]
weir_guest::export_serializer!(AvroSerializer);

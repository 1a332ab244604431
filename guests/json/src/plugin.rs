//! The decoder as a weir plug-in.

use weir_guest::{
    Batch, BatchError, Decoded, Description, Deserializer, Part, confluent::HostSchemas,
    rows::Field,
};

use crate::{Decoder, Options, options::SCHEMA};

/// The plug-in `json`.
pub struct Json {
    decoder: Decoder,
}

impl Deserializer for Json {
    fn describe() -> Description {
        Description {
            name: "json".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "JSON, plain or in the Confluent wire format with a JSON Schema".to_owned(),
            options_schema: SCHEMA.to_owned(),
        }
    }

    fn open(_part: Part, options: &str) -> Result<Self, String> {
        let decoder = Decoder::new(Options::parse(options)?)?;
        Ok(Self { decoder })
    }

    fn decode(&mut self, batch: &Batch<'_>) -> Result<Decoded, BatchError> {
        self.decoder.decode(batch, &HostSchemas)
    }

    fn schema(&self, number: u32) -> Vec<Field> {
        self.decoder
            .schema(number)
            .map(<[Field]>::to_vec)
            .unwrap_or_default()
    }
}

#[cfg(not(feature = "serializer"))]
weir_guest::export_deserializer!(Json);

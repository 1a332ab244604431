//! The decoder as a weir plug-in.

use serde::Deserialize;
use weir_guest::{
    Batch, BatchError, Decoded, Description, Deserializer, Part, confluent::HostSchemas,
    rows::Field,
};

use crate::Decoder;

/// The plug-in's options: none yet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {}

/// The plug-in `avro`.
pub struct Avro {
    decoder: Decoder,
}

impl Deserializer for Avro {
    fn describe() -> Description {
        Description {
            name: "avro".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Avro in the Confluent wire format: a zero byte, a schema id, the value"
                .to_owned(),
            options_schema: r#"{"type":"object","additionalProperties":false}"#.to_owned(),
        }
    }

    fn open(_part: Part, options: &str) -> Result<Self, String> {
        let Options {} = weir_guest::options(options)?;
        Ok(Self {
            decoder: Decoder::default(),
        })
    }

    fn decode(&mut self, batch: &Batch<'_>) -> Result<Decoded, BatchError> {
        self.decoder.decode(&batch.payloads(), &HostSchemas)
    }

    fn schema(&self, number: u32) -> Vec<Field> {
        self.decoder
            .schema(number)
            .map(<[Field]>::to_vec)
            .unwrap_or_default()
    }
}

weir_guest::export_deserializer!(Avro);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_options_are_named() {
        assert!(Avro::open(Part::Value, "{}").is_ok());
        let error = Avro::open(Part::Key, r#"{"reader":1}"#).err();
        assert!(error.is_some_and(|error| error.contains("`reader`")));
    }
}

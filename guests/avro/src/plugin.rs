//! The decoder as a weir plug-in.

use serde::Deserialize;
use weir_guest::confluent::{Framing, FramingName, HostSchemas};
use weir_guest::{Batch, BatchError, Decoded, Description, Deserializer, Part, rows::Field};

use crate::Decoder;

const OPTIONS_SCHEMA: &str = include_str!("options.schema.json");

/// The plug-in's options.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Where messages name their schema.
    #[serde(default)]
    framing: FramingName,
    /// For `raw`: the subject whose latest version all messages have.
    #[serde(rename = "schema.subject")]
    subject: Option<String>,
    /// For `raw`: the id of the schema that all messages have.
    #[serde(rename = "schema.id")]
    id: Option<u32>,
    /// Known, and not there yet.
    #[serde(rename = "reader.schema")]
    reader_schema: Option<serde_json::Value>,
}

/// The plug-in `avro`.
pub struct Avro {
    decoder: Decoder,
    framing: Framing,
}

impl Deserializer for Avro {
    fn describe() -> Description {
        Description {
            name: "avro".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Avro: in the Confluent wire formats, as single objects, or bare".to_owned(),
            options_schema: OPTIONS_SCHEMA.to_owned(),
        }
    }

    fn open(_part: Part, options: &str) -> Result<Self, String> {
        let options: Options = weir_guest::options(options)?;
        if options.reader_schema.is_some() {
            return Err(
                "`reader.schema`: not supported yet: rows have the fields of the schema that a \
                 message was written with"
                    .to_owned(),
            );
        }
        Ok(Self {
            decoder: Decoder::default(),
            framing: Framing::from_options(options.framing, options.subject, options.id)?,
        })
    }

    fn decode(&mut self, batch: &Batch<'_>) -> Result<Decoded, BatchError> {
        self.decoder
            .decode_framed(batch, &self.framing, &HostSchemas)
    }

    fn schema(&self, number: u32) -> Vec<Field> {
        self.decoder
            .schema(number)
            .map(<[Field]>::to_vec)
            .unwrap_or_default()
    }
}

#[cfg(not(feature = "serializer"))]
weir_guest::export_deserializer!(Avro);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_do_not_work_are_named() {
        for good in [
            "{}",
            r#"{"framing":"single-object"}"#,
            r#"{"framing":"raw","schema.subject":"orders-value"}"#,
        ] {
            assert!(Avro::open(Part::Value, good).is_ok(), "{good}");
        }
        for (bad, named) in [
            (r#"{"reader":1}"#, "`reader`"),
            (r#"{"framing":"single_object"}"#, "`single-object`"),
            (r#"{"framing":"raw"}"#, "`schema.subject`"),
            (r#"{"schema.id":1}"#, "`framing: raw`"),
            (r#"{"reader.schema":"latest"}"#, "`reader.schema`"),
        ] {
            let error = Avro::open(Part::Key, bad).err().unwrap();
            assert!(error.contains(named), "{bad}: {error}");
        }
    }
}

//! The decoder as a weir plug-in.

use serde::Deserialize;
use weir_guest::confluent::{self, HostSchemas, SchemaName};
use weir_guest::{Batch, BatchError, Decoded, Description, Deserializer, Part, rows::Field};

use crate::{Decoder, ProtobufFormat, RawDecoder, TimeUnit};

/// The plug-in's options, as `options.schema.json` describes them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    message: Option<String>,
    #[serde(default)]
    framing: Framing,
    #[serde(rename = "schema.subject")]
    subject: Option<String>,
    #[serde(rename = "schema.id")]
    id: Option<u32>,
    #[serde(default, rename = "time.unit")]
    unit: TimeUnit,
}

/// What a message is preceded by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Framing {
    /// A zero byte, a schema id, message indexes.
    #[default]
    Confluent,
    /// Nothing.
    Raw,
}

/// The plug-in `protobuf`.
pub enum Protobuf {
    /// Messages say which schema they have.
    Framed(Box<Decoder>),
    /// All messages have the schema of the options.
    Raw(Box<RawDecoder>),
}

impl Deserializer for Protobuf {
    fn describe() -> Description {
        Description {
            name: "protobuf".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Protobuf in the Confluent wire format, or bare messages of one schema"
                .to_owned(),
            options_schema: include_str!("options.schema.json").to_owned(),
        }
    }

    fn open(_part: Part, options: &str) -> Result<Self, String> {
        let options: Options = weir_guest::options(options)?;
        let format = ProtobufFormat::new(
            options.message,
            options.unit,
            options.framing == Framing::Raw,
        );
        let name = match (options.framing, options.subject, options.id) {
            (Framing::Confluent, None, None) => {
                return Ok(Self::Framed(Box::new(Decoder::new(format))));
            }
            (Framing::Confluent, Some(_), _) => {
                return Err(misplaced("schema.subject"));
            }
            (Framing::Confluent, None, Some(_)) => return Err(misplaced("schema.id")),
            (Framing::Raw, Some(subject), None) => SchemaName::Subject(subject),
            (Framing::Raw, None, Some(id)) => SchemaName::Id(id),
            (Framing::Raw, Some(_), Some(_)) => {
                return Err(
                    "`schema.id` and `schema.subject` both name the schema: remove one".to_owned(),
                );
            }
            (Framing::Raw, None, None) => {
                return Err(
                    "`framing: raw` needs `schema.subject` or `schema.id`: bare messages do not say which schema they have"
                        .to_owned(),
                );
            }
        };
        Ok(Self::Raw(Box::new(RawDecoder::new(format, name))))
    }

    fn decode(&mut self, batch: &Batch<'_>) -> Result<Decoded, BatchError> {
        match self {
            Self::Framed(decoder) => {
                decoder.decode_framed(batch, &confluent::Framing::Auto, &HostSchemas)
            }
            Self::Raw(decoder) => decoder.decode(&batch.payloads(), &HostSchemas),
        }
    }

    fn schema(&self, number: u32) -> Vec<Field> {
        let fields = match self {
            Self::Framed(decoder) => decoder.schema(number),
            Self::Raw(decoder) => decoder.schema(number),
        };
        fields.map(<[Field]>::to_vec).unwrap_or_default()
    }
}

fn misplaced(option: &str) -> String {
    format!(
        "`{option}` is for `framing: raw`: messages in the Confluent wire format say which schema they have"
    )
}

#[cfg(not(feature = "serializer"))]
weir_guest::export_deserializer!(Protobuf);

#[cfg(test)]
mod tests {
    use super::*;

    fn error(options: &str) -> Option<String> {
        Protobuf::open(Part::Value, options).err()
    }

    #[test]
    fn options() {
        for good in [
            "{}",
            r#"{"message":"a.B","time.unit":"us"}"#,
            r#"{"framing":"raw","schema.subject":"orders-value"}"#,
            r#"{"framing":"raw","schema.id":7,"message":"a.B"}"#,
        ] {
            assert_eq!(error(good), None, "{good}");
        }
        for (bad, expected) in [
            (r#"{"mesage":"a.B"}"#, "`mesage`"),
            (r#"{"time.unit":"ms"}"#, "time.unit"),
            (r#"{"framing":"raw"}"#, "`schema.subject` or `schema.id`"),
            (r#"{"schema.id":7}"#, "`schema.id` is for `framing: raw`"),
            (
                r#"{"schema.subject":"s"}"#,
                "`schema.subject` is for `framing: raw`",
            ),
            (
                r#"{"framing":"raw","schema.id":7,"schema.subject":"s"}"#,
                "remove one",
            ),
        ] {
            let error = error(bad).unwrap_or_default();
            assert!(error.contains(expected), "{bad}: {error}");
        }
    }

    #[test]
    fn the_schema_of_the_options_is_json() {
        let schema: serde_json::Value =
            serde_json::from_str(&Protobuf::describe().options_schema).unwrap();
        let mut properties: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
        properties.sort();
        assert_eq!(
            properties,
            [
                "framing",
                "message",
                "schema.id",
                "schema.subject",
                "time.unit"
            ]
        );
    }
}

//! The decoder as a weir plug-in.

use serde::Deserialize;
use weir_guest::confluent::{Framing, FramingName, HostSchemas};
use weir_guest::schemas::{self, Schema, SchemaError, SchemaType};
use weir_guest::{Batch, BatchError, Decoded, Description, Deserializer, Part, rows::Field};

use crate::{AvroFormat, Decoder, check_reader};

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
    /// The schema that rows have the fields of: itself, or its text.
    #[serde(rename = "reader.schema")]
    reader: Option<serde_json::Value>,
    /// In its place: the subject that has it.
    #[serde(rename = "reader.schema.subject")]
    reader_subject: Option<String>,
    /// Its version there; the latest if there is none.
    #[serde(rename = "reader.schema.version")]
    reader_version: Option<u32>,
}

/// A reader schema that is not known yet.
struct ReaderName {
    subject: String,
    version: Option<u32>,
}

/// The plug-in `avro`.
pub struct Avro {
    decoder: Decoder,
    framing: Framing,
    /// Asked for with the first batch: nothing may be asked while the plug-in is opened.
    unknown_reader: Option<ReaderName>,
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
        let reader = options.reader.map(reader_schema).transpose()?;
        let unknown_reader = match (&reader, options.reader_subject, options.reader_version) {
            (Some(_), Some(_), _) => {
                return Err("`reader.schema` and `reader.schema.subject`: give one of them".into());
            }
            (_, None, Some(_)) => {
                return Err("`reader.schema.version`: needs `reader.schema.subject`".into());
            }
            (_, None, None) => None,
            (None, Some(subject), version) => Some(ReaderName { subject, version }),
        };
        Ok(Self {
            decoder: Decoder::new(AvroFormat { reader }),
            framing: Framing::from_options(options.framing, options.subject, options.id)?,
            unknown_reader,
        })
    }

    fn decode(&mut self, batch: &Batch<'_>) -> Result<Decoded, BatchError> {
        if let Some(name) = &self.unknown_reader {
            let reader = Some(name.look_up()?);
            self.decoder = Decoder::new(AvroFormat { reader });
            self.unknown_reader = None;
        }
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

/// The schema of an option, which has to have columns.
fn reader_schema(given: serde_json::Value) -> Result<Schema, String> {
    let schema = Schema {
        schema_type: SchemaType::Avro,
        text: match given {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        },
        references: Vec::new(),
    };
    match check_reader(&schema) {
        Ok(()) => Ok(schema),
        Err(error) => Err(format!("`reader.schema`: {error}")),
    }
}

impl ReaderName {
    /// A reader schema that cannot be had is no message's fault.
    fn look_up(&self) -> Result<Schema, BatchError> {
        let Self { subject, version } = self;
        let registered = match version {
            Some(version) => schemas::version(subject, *version),
            None => schemas::latest(subject),
        };
        let failed = |why: String| {
            let version = version.map_or("latest".to_owned(), |version| version.to_string());
            BatchError::Failed(format!(
                "`reader.schema.subject`: version {version} of `{subject}`: {why}"
            ))
        };
        let schema = registered.map(|registered| registered.schema);
        let schema = schema.map_err(|error| match error {
            SchemaError::Unavailable(why) => BatchError::Unavailable(why),
            SchemaError::NotFound(why) | SchemaError::Refused(why) => failed(why),
        })?;
        check_reader(&schema).map_err(|error| failed(error.to_string()))?;
        Ok(schema)
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
            r#"{"reader.schema":"long"}"#,
            r#"{"reader.schema":{"type":"array","items":"long"}}"#,
            r#"{"reader.schema.subject":"orders-value","reader.schema.version":3}"#,
        ] {
            assert!(Avro::open(Part::Value, good).is_ok(), "{good}");
        }
        for (bad, named) in [
            (r#"{"reader":1}"#, "`reader`"),
            (r#"{"framing":"single_object"}"#, "`single-object`"),
            (r#"{"framing":"raw"}"#, "`schema.subject`"),
            (r#"{"schema.id":1}"#, "`framing: raw`"),
            (r#"{"reader.schema":"latest"}"#, "`reader.schema`"),
            (
                r#"{"reader.schema":{"type":"array","items":"no"}}"#,
                "`reader.schema`",
            ),
            (
                r#"{"reader.schema":"long","reader.schema.subject":"s"}"#,
                "`reader.schema.subject`",
            ),
            (r#"{"reader.schema.version":1}"#, "`reader.schema.subject`"),
        ] {
            let error = Avro::open(Part::Key, bad).err().unwrap();
            assert!(error.contains(named), "{bad}: {error}");
        }
    }
}

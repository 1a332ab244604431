//! The plug-in's options.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{declared, plan::UnknownFields, types::Type, validate::Validation};

/// How messages are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Framing {
    /// A zero byte, a schema id of 4 bytes, the JSON text.
    Confluent,
    /// The JSON text alone.
    Raw,
}

/// What is in the pipeline file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    framing: Option<Framing>,
    columns: Option<Map<String, Value>>,
    schema: Option<Value>,
    #[serde(rename = "schema.subject")]
    subject: Option<String>,
    #[serde(rename = "unknown.fields", default)]
    unknown: UnknownFields,
    #[serde(default)]
    validation: Validation,
}

/// What the options ask for.
#[derive(Debug)]
pub struct Options {
    /// How messages are framed.
    pub framing: Framing,
    pub(crate) source: Source,
    /// What becomes of fields that no column is for.
    pub unknown: UnknownFields,
    /// What is done about messages that are not valid.
    pub validation: Validation,
}

/// Where the columns come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// The schema whose id is in the message.
    Message,
    /// The options say it.
    Columns(Type),
    /// A schema in the options.
    Schema(Value),
    /// The latest schema of a subject.
    Subject(String),
    /// Nowhere: each message is one value.
    Nothing,
}

/// JSON Schema of the options, for `weir plugin inspect` and editors.
pub(crate) const SCHEMA: &str = include_str!("options.schema.json");

impl Options {
    /// Parses the options.
    ///
    /// # Errors
    /// For the person who wrote the pipeline file.
    pub fn parse(json: &str) -> Result<Self, String> {
        let written: Written = weir_guest::options(json)?;
        let Written {
            unknown,
            validation,
            ..
        } = written;
        let source = match (written.columns, written.schema, written.subject) {
            (Some(columns), None, None) => Some(Source::Columns(declared::columns(&columns)?)),
            (None, Some(schema), None) => Some(Source::Schema(inline(schema)?)),
            (None, None, Some(subject)) if subject.is_empty() => {
                return Err("`schema.subject` is empty".to_owned());
            }
            (None, None, Some(subject)) => Some(Source::Subject(subject)),
            (None, None, None) => None,
            _ => {
                return Err("`columns`, `schema` and `schema.subject` each say what the columns are: give one of them".to_owned());
            }
        };
        // Who says what the columns are needs no schema id in the messages.
        let default = if source.is_some() {
            Framing::Raw
        } else {
            Framing::Confluent
        };
        let framing = written.framing.unwrap_or(default);
        let source = match (source, framing) {
            (Some(source), _) => source,
            (None, Framing::Confluent) => Source::Message,
            (None, Framing::Raw) => Source::Nothing,
        };
        let has_schema = !matches!(source, Source::Columns(_) | Source::Nothing);
        if validation != Validation::Off && !has_schema {
            return Err("`validation` needs a JSON Schema: give `schema` or `schema.subject`, or `framing: confluent`".to_owned());
        }
        if unknown != UnknownFields::Ignore && matches!(source, Source::Nothing) {
            return Err("`unknown.fields` needs to know the fields: give `columns`, `schema` or `schema.subject`".to_owned());
        }
        Ok(Self {
            framing,
            source,
            unknown,
            validation,
        })
    }
}

/// A schema as an object, `true` or `false`, or as its text.
fn inline(schema: Value) -> Result<Value, String> {
    match schema {
        Value::String(text) => serde_json::from_str(&text)
            .map_err(|error| format!("`schema` is not a JSON Schema: it is not JSON: {error}")),
        Value::Object(_) | Value::Bool(_) => Ok(schema),
        _ => Err("`schema` is a JSON Schema: an object, or its text".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_follows_from_who_says_what_the_columns_are() {
        let framing = |json: &str| Options::parse(json).unwrap().framing;
        assert_eq!(framing("{}"), Framing::Confluent);
        assert_eq!(framing(r#"{"columns":{"a":"utf8"}}"#), Framing::Raw);
        assert_eq!(framing(r#"{"schema":true}"#), Framing::Raw);
        assert_eq!(
            framing(r#"{"schema.subject":"a","framing":"confluent"}"#),
            Framing::Confluent
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (json, expected) in [
            (r#"{"frame":"raw"}"#, "unknown field `frame`"),
            (
                r#"{"framing":"avro"}"#,
                "`framing`: unknown variant `avro`, expected `confluent` or `raw`",
            ),
            (
                r#"{"columns":{"a":"int"}}"#,
                "`columns.a`: there is no type `int`",
            ),
            (
                r#"{"columns":{"a":"utf8"},"schema":{}}"#,
                "`columns`, `schema` and `schema.subject` each",
            ),
            (r#"{"schema.subject":""}"#, "`schema.subject` is empty"),
            (
                r#"{"schema":"{"}"#,
                "`schema` is not a JSON Schema: it is not JSON",
            ),
            (
                r#"{"schema":1}"#,
                "`schema` is a JSON Schema: an object, or its text",
            ),
            (
                r#"{"columns":{"a":"utf8"},"validation":"on"}"#,
                "`validation` needs a JSON Schema",
            ),
            (
                r#"{"framing":"raw","validation":"report"}"#,
                "`validation` needs a JSON Schema",
            ),
            (
                r#"{"framing":"raw","unknown.fields":"extra"}"#,
                "`unknown.fields` needs to know the fields",
            ),
            (
                r#"{"unknown.fields":"keep"}"#,
                "`unknown.fields`: unknown variant `keep`",
            ),
            (r#"{"validation":true}"#, "`validation`: "),
        ] {
            let error = Options::parse(json).unwrap_err();
            assert!(error.starts_with(expected), "{json}: {error}");
        }
    }

    #[test]
    fn the_schema_of_the_options_has_all_of_them() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let described: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        let error = Options::parse(r#"{"?":1}"#).unwrap_err();
        for name in &described {
            assert!(error.contains(&format!("`{name}`")), "{name}: {error}");
        }
        assert_eq!(error.matches('`').count() / 2, described.len() + 1);
    }
}

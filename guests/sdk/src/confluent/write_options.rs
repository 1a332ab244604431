//! The options that all serializers have which ask a registry.

use serde::Deserialize;
use serde_json::Value;

use crate::Part;

/// What a serializer is told in the pipeline file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteOptions {
    /// Where a message names its schema.
    #[serde(default)]
    pub framing: WriteFraming,
    /// How the subject of a schema is called.
    #[serde(default, rename = "subject.name.strategy")]
    pub strategy: SubjectNameStrategy,
    /// Whether the schema is the latest of its subject.
    #[serde(default, rename = "use.latest.version")]
    pub use_latest_version: bool,
    /// The id of the schema.
    #[serde(rename = "schema.id")]
    pub id: Option<u32>,
    /// The schema: its text, or JSON that stands in the pipeline file as it is.
    pub schema: Option<Value>,
    /// The full name of a record whose schema is made from the columns.
    #[serde(rename = "record.name")]
    pub record_name: Option<String>,
    /// Whether messages are held against their JSON Schema.
    #[serde(default)]
    pub validation: WriteValidation,
}

/// The value of a serializer's option `validation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteValidation {
    /// Nobody looks.
    #[default]
    Off,
    /// What the schema does not allow is an error of its row.
    On,
}

/// The value of a serializer's option `framing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteFraming {
    /// A zero byte and the id, before the payload: Confluent's wire format v0.
    #[default]
    Prefix,
    /// The GUID in a header: Confluent's wire format v1.
    Header,
    /// Avro's single-object encoding.
    SingleObject,
    /// Nowhere.
    Raw,
}

/// The value of a serializer's option `subject.name.strategy`, as Confluent's clients have them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubjectNameStrategy {
    /// The topic's name with `-key` or `-value`.
    #[default]
    #[serde(alias = "TopicNameStrategy")]
    TopicName,
    /// The full name of the record.
    #[serde(alias = "RecordNameStrategy")]
    RecordName,
    /// The topic's name, `-`, and the full name of the record.
    #[serde(alias = "TopicRecordNameStrategy")]
    TopicRecordName,
}

impl WriteOptions {
    /// Parses the options.
    ///
    /// # Errors
    /// For people: an option that is unknown, wrong, or contradicts another.
    pub fn parse(json: &str) -> Result<Self, String> {
        let options: Self = crate::options(json)?;
        let sources = [
            ("use.latest.version", options.use_latest_version),
            ("schema.id", options.id.is_some()),
            ("schema", options.schema.is_some()),
        ];
        let given: Vec<&str> = sources
            .into_iter()
            .filter_map(|(name, given)| given.then_some(name))
            .collect();
        if let [first, second, ..] = given[..] {
            return Err(format!(
                "`{first}` and `{second}` are both given: there is one schema, keep one of them"
            ));
        }
        if options.id.is_some() && options.framing == WriteFraming::Header {
            return Err(
                "`schema.id` and `framing: header`: the header has a GUID, which a schema asked \
                 for by its id does not show; take `use.latest.version` or `schema`"
                    .to_owned(),
            );
        }
        if options.id.is_some() && options.strategy != SubjectNameStrategy::TopicName {
            return Err(
                "`subject.name.strategy` and `schema.id`: a schema asked for by its id has no \
                 subject, remove one of the two"
                    .to_owned(),
            );
        }
        Ok(options)
    }

    /// The text of the schema that is given.
    #[must_use]
    pub fn schema_text(&self) -> Option<String> {
        self.schema.as_ref().map(|schema| match schema {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }

    /// The full name of the record that is made from the columns of rows for a topic.
    #[must_use]
    pub fn record_name(&self, part: Part, topic: &str) -> String {
        if let Some(name) = &self.record_name {
            return name.clone();
        }
        let is_name = |c: char| c.is_ascii_alphanumeric();
        let mut name: String = topic
            .chars()
            .map(|c| if is_name(c) { c } else { '_' })
            .collect();
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            name.insert(0, '_');
        }
        if part == Part::Key {
            name.push_str("_key");
        }
        name
    }

    /// The subject of the schema of a record.
    #[must_use]
    pub fn subject(&self, part: Part, topic: &str, record: &str) -> String {
        match (self.strategy, part) {
            (SubjectNameStrategy::TopicName, Part::Key) => format!("{topic}-key"),
            (SubjectNameStrategy::TopicName, Part::Value) => format!("{topic}-value"),
            (SubjectNameStrategy::RecordName, _) => record.to_owned(),
            (SubjectNameStrategy::TopicRecordName, _) => format!("{topic}-{record}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_contradict_each_other_are_named() {
        for (bad, named) in [
            (
                r#"{"schema.id":1,"use.latest.version":true}"#,
                "`use.latest.version` and `schema.id`",
            ),
            (
                r#"{"schema.id":1,"framing":"header"}"#,
                "`schema.id` and `framing: header`",
            ),
            (
                r#"{"schema.id":1,"subject.name.strategy":"record-name"}"#,
                "`subject.name.strategy` and `schema.id`",
            ),
            (
                r#"{"subject.name.strategy":"topic"}"#,
                "`subject.name.strategy`",
            ),
            (r#"{"framing":"auto"}"#, "`framing`"),
        ] {
            let error = WriteOptions::parse(bad).unwrap_err();
            assert!(error.contains(named), "{bad}: {error}");
        }
    }

    #[test]
    fn subjects_are_those_of_confluents_clients() {
        let of = |options: &str| {
            let options = WriteOptions::parse(options).unwrap();
            let record = options.record_name(Part::Key, "1-shop.orders");
            [Part::Key, Part::Value].map(|part| options.subject(part, "1-shop.orders", &record))
        };
        assert_eq!(of("{}"), ["1-shop.orders-key", "1-shop.orders-value"]);
        assert_eq!(
            of(r#"{"subject.name.strategy":"record-name"}"#),
            ["_1_shop_orders_key", "_1_shop_orders_key"]
        );
        assert_eq!(
            of(r#"{"subject.name.strategy":"TopicRecordNameStrategy","record.name":"shop.Order"}"#),
            ["1-shop.orders-shop.Order", "1-shop.orders-shop.Order"]
        );
    }

    #[test]
    fn a_schema_may_be_text_or_json() {
        let text = |options| WriteOptions::parse(options).unwrap().schema_text();
        assert_eq!(text(r#"{"schema":"long"}"#).as_deref(), Some("long"));
        assert_eq!(
            text(r#"{"schema":{"type":"long"}}"#).as_deref(),
            Some(r#"{"type":"long"}"#)
        );
    }
}

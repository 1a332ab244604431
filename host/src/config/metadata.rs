//! `source.metadata.columns`: what of a message, beside its value, becomes columns.

use super::choice::{Choice, choice, same_name};
use super::entries::expected;
use super::keys::source as keys;
use super::nearest::nearest;
use super::reader::{Given, Reader};
use super::yaml::{Span, Value};

/// A column beside those of the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataColumn {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub holds: Metadata,
}

choice! {
    /// What there is of a message beside its value.
    pub enum Metadata {
        /// The topic, as text.
        Topic = "topic",
        /// The partition, as a 32-bit integer.
        Partition = "partition",
        /// The offset, as a 64-bit integer.
        Offset = "offset",
        /// The timestamp in ms, in UTC; null where the message has none.
        Timestamp = "timestamp",
        /// What the timestamp means, as Kafka calls it: `CreateTime` or `LogAppendTime`; null
        /// where there is none.
        TimestampType = "timestamp.type",
        /// The epoch of the leader that took the message (KIP-320); null where it is not known.
        LeaderEpoch = "leader.epoch",
        /// The key, as bytes.
        Key = "key",
        /// The key as text. Bytes that are not UTF-8 become U+FFFD.
        KeyText = "key.text",
        /// The headers in their order, duplicates and null values included: a list of names and
        /// values. In a name, a byte that is not UTF-8 is written `\xff`, and `\` is `\\`.
        Headers = "headers",
        /// The same with values as text. Bytes that are not UTF-8 become U+FFFD.
        HeadersText = "headers.text",
    }
}

/// A list of what to add, by its own names; or a map from names of columns.
pub(super) fn read(reader: &mut Reader<'_>) -> Vec<MetadataColumn> {
    let key = &keys::METADATA_COLUMNS;
    let mut columns = Vec::new();
    let entry = reader.entries.keys.get(key.name);
    if let Some(node) = entry.map(|entry| entry.node.clone()) {
        if let Value::Map(entries) = &node.value {
            if entries.is_empty() {
                reader.invalid(key, node.span, format!("empty: give {}", expected(key)));
            }
            for (name, node) in entries {
                if let Some(given) = reader.entry(key, node) {
                    add(reader, &mut columns, Some((&name.text, name.span)), &given);
                }
            }
        } else {
            for given in reader.list(key) {
                add(reader, &mut columns, None, &given);
            }
        }
    }
    if reader.given(&keys::INCLUDE_HEADERS).is_some() && reader.boolean(&keys::INCLUDE_HEADERS) {
        let name = Metadata::Headers.as_str().to_owned();
        if columns.iter().any(|column| column.name == name) {
            let message = "`metadata.columns` has a column `headers` already: keep one of the two";
            reader.contradiction(&keys::INCLUDE_HEADERS, message);
        }
        let holds = Metadata::Headers;
        columns.push(MetadataColumn { name, holds });
    }
    columns
}

fn add(
    reader: &mut Reader<'_>,
    columns: &mut Vec<MetadataColumn>,
    name: Option<(&str, Span)>,
    given: &Given,
) {
    let key = &keys::METADATA_COLUMNS;
    let known = Metadata::VALUES
        .iter()
        .find(|(name, _)| same_name(&given.value, name));
    let Some((own_name, holds)) = known else {
        let hint = nearest(&given.value, Metadata::NAMES.iter().copied())
            .map(|name| format!("; did you mean `{name}`?"))
            .unwrap_or_default();
        let names = Metadata::NAMES.join(", ");
        let message = format!("`{}` is not one of {names}{hint}", given.shown);
        return reader.invalid(key, given.span, message);
    };
    let (name, span) = name.unwrap_or((own_name, given.span));
    if name.is_empty() {
        return reader.invalid(key, span, "a column needs a name".to_owned());
    }
    if columns.iter().any(|column| column.name == name) {
        let message = format!("the column `{name}` is there twice: remove one");
        return reader.invalid(key, span, message);
    }
    columns.push(MetadataColumn {
        name: name.to_owned(),
        holds: *holds,
    });
}

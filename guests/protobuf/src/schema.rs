//! From the text of a schema, with all that it imports, to descriptors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use prost_reflect::{DescriptorPool, FileDescriptor, MessageDescriptor};
use prost_types::FileDescriptorProto;
use thiserror::Error;
use weir_guest::schemas;

use crate::editions;

/// What the file itself is called: a registry does not say.
const FILE_NAME: &str = "schema.proto";

/// Files that come with the language, or that Confluent's clients have built in.
const CONFLUENT: [(&str, &str); 2] = [
    ("confluent/meta.proto", include_str!("confluent/meta.proto")),
    (
        "confluent/type/decimal.proto",
        include_str!("confluent/decimal.proto"),
    ),
];

/// Why a schema cannot be used. The texts reach the person who reads the dead letter.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// The schema is of another language.
    #[error("it is {0} schema, not a Protobuf one")]
    Language(&'static str),
    /// The text does not parse.
    #[error("{0}")]
    Parse(String),
    /// A file that it imports is not among its references.
    #[error(
        "{file} imports {import}, which is not among the schema's references: register it under a subject and refer to it"
    )]
    Import {
        /// The file.
        file: String,
        /// What it imports.
        import: String,
    },
    /// Types do not hold together.
    #[error("{0}")]
    Types(String),
    /// There is no such message.
    #[error("it has no message `{name}`; it has {known}")]
    NoMessage {
        /// What was asked for.
        name: String,
        /// The messages that there are.
        known: String,
    },
    /// It does not say which message is meant.
    #[error("it has several messages, so the option `message` has to name one of {0}")]
    WhichMessage(String),
    /// It has no messages.
    #[error("it has no messages")]
    Empty,
    /// A message has no Arrow form.
    #[error("message `{name}`: {why}")]
    Message {
        /// The message.
        name: String,
        /// Why.
        why: String,
    },
}

/// A schema and what it imports.
#[derive(Debug)]
pub struct File {
    file: FileDescriptor,
}

impl File {
    /// Parses a schema after those it refers to, in their order.
    ///
    /// # Errors
    /// It is no Protobuf, or does not hold together.
    pub fn parse(schema: &schemas::Schema) -> Result<Self, SchemaError> {
        match schema.schema_type {
            schemas::SchemaType::Protobuf => {}
            schemas::SchemaType::Avro => return Err(SchemaError::Language("an Avro")),
            schemas::SchemaType::Json => return Err(SchemaError::Language("a JSON")),
        }
        let mut pool = DescriptorPool::global();
        for reference in &schema.references {
            // Some register what comes with the language too.
            if pool.get_file_by_name(&reference.name).is_none() {
                add(&mut pool, &reference.name, &reference.text)?;
            }
        }
        let name = add(&mut pool, FILE_NAME, &schema.text)?;
        let file = pool.get_file_by_name(&name).ok_or(SchemaError::Empty)?;
        Ok(Self { file })
    }

    /// A message by its full name, in this file or those that it imports.
    ///
    /// # Errors
    /// There is none.
    pub fn message(&self, name: &str) -> Result<MessageDescriptor, SchemaError> {
        let found = self.file.parent_pool().get_message_by_name(name);
        found.ok_or_else(|| self.no_message(name))
    }

    /// The message of a file that has no others beside it.
    ///
    /// # Errors
    /// It has none, or several.
    pub fn only_message(&self) -> Result<MessageDescriptor, SchemaError> {
        let mut messages = self.file.messages();
        match (messages.next(), messages.next()) {
            (Some(message), None) => Ok(message),
            (None, _) => Err(SchemaError::Empty),
            (Some(_), Some(_)) => Err(SchemaError::WhichMessage(self.names())),
        }
    }

    /// The message at a path of indexes: of a message of the file, then of one within, and so on.
    #[must_use]
    pub fn message_at(&self, path: &[i32]) -> Option<MessageDescriptor> {
        let (first, rest) = path.split_first()?;
        let at = |index: &i32| usize::try_from(*index).ok();
        let mut message = self.file.messages().nth(at(first)?)?;
        for index in rest {
            let next = message.child_messages().nth(at(index)?)?;
            message = next;
        }
        Some(message)
    }

    fn no_message(&self, name: &str) -> SchemaError {
        SchemaError::NoMessage {
            name: name.to_owned(),
            known: self.names(),
        }
    }

    /// The messages of the file, some of them if they are many.
    fn names(&self) -> String {
        const SHOWN: usize = 10;
        let messages = self.file.messages().take(SHOWN + 1);
        let mut names: Vec<String> = messages
            .map(|message| format!("`{}`", message.full_name()))
            .collect();
        match names.len() {
            0 => "none".to_owned(),
            len if len > SHOWN => {
                names[SHOWN] = "others".to_owned();
                names.join(", ")
            }
            _ => names.join(", "),
        }
    }
}

/// Adds a file to those that there are, and returns its name.
fn add(pool: &mut DescriptorPool, name: &str, text: &str) -> Result<String, SchemaError> {
    let encoded = match serialized(name, text) {
        Some(encoded) => encoded,
        None => parse(name, text)?,
    };
    let descriptor = FileDescriptorProto::decode(encoded.as_slice());
    let descriptor = descriptor.map_err(|error| SchemaError::Types(error.to_string()))?;
    for import in &descriptor.dependency {
        if pool.get_file_by_name(import).is_some() {
            continue;
        }
        let known = CONFLUENT.iter().find(|(known, _)| known == import);
        let text = match known {
            Some((_, text)) => *text,
            None if editions::is_for_generators(import) => "syntax = \"proto2\";",
            None => {
                let (file, import) = (name.to_owned(), import.clone());
                return Err(SchemaError::Import { file, import });
            }
        };
        add(pool, import, text)?;
    }
    let encoded = match editions::edition(&encoded) {
        Some(edition) => editions::lower(pool, &encoded, edition)?,
        None => encoded,
    };
    let added = pool.decode_file_descriptor_proto(encoded.as_slice());
    added.map_err(|error| SchemaError::Types(format!("{error:?}")))?;
    Ok(name.to_owned())
}

/// The text as an encoded `FileDescriptorProto`.
fn parse(name: &str, text: &str) -> Result<Vec<u8>, SchemaError> {
    let edition = editions::front(text).transpose();
    let edition = edition.map_err(|why| SchemaError::Parse(format!("{name}: {why}")))?;
    let text = edition.as_ref().map_or(text, |front| &front.text);
    let parsed = protox_parse::parse(name, text).map_err(|error| {
        // Which says where, except at the end of the file.
        let why = format!("{error:?}");
        SchemaError::Parse(match why.starts_with(name) {
            true => why,
            false => format!("{name}: {why}"),
        })
    })?;
    let mut encoded = parsed.encode_to_vec();
    if let Some(front) = edition {
        editions::mark(&mut encoded, front.edition);
    }
    Ok(encoded)
}

/// A registry may answer with an encoded `FileDescriptorProto`, in Base64.
fn serialized(name: &str, text: &str) -> Option<Vec<u8>> {
    let mut bytes = STANDARD.decode(text.trim()).ok()?;
    FileDescriptorProto::decode(bytes.as_slice()).ok()?;
    // What it is called here; of several values the last one counts.
    prost::encoding::string::encode(1, &name.to_owned(), &mut bytes);
    Some(bytes)
}

//! What the tests share: a registry in memory, columns as Arrow arrays, and both sides of a
//! comparison as JSON.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "tests")]

pub(crate) mod generate;
pub(crate) mod oracle;
pub(crate) mod python;
/// The columns of any guest are rendered in the same way.
#[path = "../../../avro/tests/support/render.rs"]
pub(crate) mod render;

use std::cell::RefCell;
use std::collections::HashMap;

use serde_json::Value as Json;
use weir_guest::confluent::{SchemaKey, SchemaLookup, SchemaRegistry};
use weir_guest::rows::{Field, Origin, RowGroup};
use weir_guest::schemas::{self, NewSchema, Registered, Registration, SchemaError, SchemaType};
use weir_guest::{Decoded, Payloads};
use weir_protobuf::{Decoder, File};

pub(crate) use render::rows_of;

/// Schemas by id and by subject, and how often each was asked for.
#[derive(Default)]
pub(crate) struct Registry {
    schemas: HashMap<u32, Result<schemas::Schema, SchemaError>>,
    pub(crate) subjects: RefCell<HashMap<String, schemas::Schema>>,
    pub(crate) asked: RefCell<Vec<u32>>,
}

impl Registry {
    pub(crate) fn of(text: &str) -> Self {
        let mut registry = Self::default();
        registry.set(1, Ok(schema(text, &[])));
        registry
    }

    pub(crate) fn set(&mut self, id: u32, answer: Result<schemas::Schema, SchemaError>) {
        self.schemas.insert(id, answer);
    }
}

impl SchemaLookup for Registry {
    fn by_id(&self, id: u32) -> Result<schemas::Schema, SchemaError> {
        self.asked.borrow_mut().push(id);
        let unknown = || Err(SchemaError::NotFound("no such schema".to_owned()));
        self.schemas.get(&id).cloned().unwrap_or_else(unknown)
    }

    fn by_key(&self, key: &SchemaKey) -> Result<schemas::Schema, SchemaError> {
        let unknown = || SchemaError::NotFound("no such subject".to_owned());
        match key {
            SchemaKey::Id(id) => self.by_id(*id),
            SchemaKey::Subject(subject) => {
                let subjects = self.subjects.borrow();
                subjects.get(subject).cloned().ok_or_else(unknown)
            }
            _ => Err(unknown()),
        }
    }
}

/// One schema by any subject.
pub(crate) struct OneSchema(pub(crate) String);

impl SchemaRegistry for OneSchema {
    fn by_id(&self, _: u32) -> Result<schemas::Schema, SchemaError> {
        Ok(schema(&self.0, &[]))
    }

    fn latest(&self, _: &str) -> Result<Registered, SchemaError> {
        Ok(Registered {
            id: Some(7),
            guid: Some(schemas::Guid { high: 0, low: 9 }),
            version: Some(1),
            schema: schema(&self.0, &[]),
        })
    }

    fn look_up(&self, _: &str, _: &NewSchema) -> Result<Registered, SchemaError> {
        Err(SchemaError::NotFound("none".to_owned()))
    }

    fn register(&self, _: &str, _: &NewSchema) -> Result<Registration, SchemaError> {
        Ok(Registration { id: 8, guid: None })
    }
}

/// A schema, with the names and texts of what it refers to.
pub(crate) fn schema(text: &str, references: &[(&str, &str)]) -> schemas::Schema {
    let reference = |(name, text): &(&str, &str)| schemas::Reference {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
    };
    schemas::Schema {
        schema_type: SchemaType::Protobuf,
        text: text.to_owned(),
        references: references.iter().map(reference).collect(),
    }
}

pub(crate) fn file(text: &str) -> File {
    File::parse(&schema(text, &[])).unwrap()
}

/// A payload of the first message of schema 1.
pub(crate) fn framed(message: &[u8]) -> Option<Vec<u8>> {
    framed_with(1, &[0], message)
}

pub(crate) fn framed_with(id: u32, indexes: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    Some([&[0], &id.to_be_bytes()[..], indexes, message].concat())
}

/// Messages of a batch; `None` is a tombstone.
pub(crate) fn payloads(messages: &[Option<Vec<u8>>]) -> Payloads {
    messages.iter().map(Option::as_deref).collect()
}

pub(crate) fn decode(
    decoder: &mut Decoder,
    registry: &Registry,
    messages: &[Option<Vec<u8>>],
) -> Decoded {
    decoder.decode(&payloads(messages), registry).unwrap()
}

/// The message of each row.
pub(crate) fn origins(group: &RowGroup) -> Vec<u32> {
    match &group.origin {
        Origin::Identity => (0..group.len).collect(),
        Origin::Messages(messages) => messages.clone(),
    }
}

pub(crate) fn fields(decoder: &Decoder, group: &RowGroup) -> Vec<Field> {
    decoder.schema(group.schema).unwrap().to_vec()
}

/// Rows with the messages that they came from, in that order, of all groups.
pub(crate) fn rows(decoder: &Decoder, decoded: &Decoded) -> Vec<(u32, Json)> {
    let groups = decoded.groups.iter();
    let mut rows: Vec<_> = groups
        .flat_map(|group| {
            let rendered = rows_of(&fields(decoder, group), group);
            origins(group).into_iter().zip(rendered)
        })
        .collect();
    rows.sort_by_key(|(message, _)| *message);
    rows
}

pub(crate) fn errors(decoded: &Decoded) -> Vec<(u32, String)> {
    let errors = decoded.errors.iter();
    errors
        .map(|error| (error.row, error.reason.clone()))
        .collect()
}

/// The row of one message of the first type of a schema; fails if there is none.
pub(crate) fn row(text: &str, message: &[u8]) -> Json {
    let mut decoder = Decoder::default();
    let decoded = decode(&mut decoder, &Registry::of(text), &[framed(message)]);
    assert_eq!(errors(&decoded), [], "{text}");
    rows(&decoder, &decoded).remove(0).1
}

/// The reason why one message is refused.
pub(crate) fn reason(text: &str, message: &[u8]) -> String {
    let decoded = decode(
        &mut Decoder::default(),
        &Registry::of(text),
        &[framed(message)],
    );
    assert!(decoded.groups.is_empty(), "{text} {message:?}");
    decoded.errors[0].reason.clone()
}

/// The Arrow fields of the first message of a schema as `name: format?`, indented by depth.
pub(crate) fn outline(text: &str) -> Vec<String> {
    fn walk(
        fields: &mut std::slice::Iter<'_, Field>,
        depth: usize,
        lines: &mut Vec<String>,
    ) -> bool {
        let Some(field) = fields.next() else {
            return false;
        };
        let mark = if field.nullable { "?" } else { "" };
        let extension = field.metadata.first();
        let extension = extension.map_or(String::new(), |(_, name)| format!(" {name}"));
        lines.push(format!(
            "{}{}: {}{mark}{extension}",
            " ".repeat(depth),
            field.name,
            field.format
        ));
        (0..field.children).all(|_| walk(fields, depth + 1, lines))
    }
    let message = file(text).message_at(&[0]).unwrap();
    let plan = weir_protobuf::compile_message(&message, weir_protobuf::TimeUnit::default());
    let plan = plan.unwrap();
    let mut lines = Vec::new();
    let mut fields = plan.fields().iter();
    while walk(&mut fields, 0, &mut lines) {}
    lines
}

/// The bytes of a message, field by field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire(pub(crate) Vec<u8>);

impl Wire {
    pub(crate) fn raw_varint(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
        self
    }

    pub(crate) fn tag(self, number: u32, wire: u32) -> Self {
        self.raw_varint(u64::from(number) << 3 | u64::from(wire))
    }

    pub(crate) fn varint(self, number: u32, value: u64) -> Self {
        self.tag(number, 0).raw_varint(value)
    }

    pub(crate) fn bytes(self, number: u32, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        let mut this = self.tag(number, 2).raw_varint(value.len() as u64);
        this.0.extend_from_slice(value);
        this
    }

    pub(crate) fn group(self, number: u32, value: &Wire) -> Self {
        let mut this = self.tag(number, 3);
        this.0.extend_from_slice(&value.0);
        this.tag(number, 4)
    }

    pub(crate) fn fixed32(self, number: u32, value: u32) -> Self {
        let mut this = self.tag(number, 5);
        this.0.extend(value.to_le_bytes());
        this
    }

    pub(crate) fn fixed64(self, number: u32, value: u64) -> Self {
        let mut this = self.tag(number, 1);
        this.0.extend(value.to_le_bytes());
        this
    }
}

impl AsRef<[u8]> for Wire {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

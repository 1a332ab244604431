//! What the tests share: messages in, rows out as JSON.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../../avro/tests/support/render.rs"]
pub(crate) mod render;

use std::collections::HashMap;

use serde_json::Value;
use weir_guest::confluent::{SchemaKey, SchemaLookup};
use weir_guest::rows::{Field, Origin, RowGroup};
use weir_guest::{BatchError, Decoded, schemas};
use weir_json::{Decoder, Options};

pub(crate) use render::rows_of;

/// Schemas by id and by subject.
#[derive(Default)]
pub(crate) struct Registry {
    pub(crate) ids: HashMap<u32, schemas::Schema>,
    pub(crate) subjects: HashMap<String, schemas::Schema>,
    pub(crate) down: bool,
}

impl Registry {
    fn answer(
        &self,
        found: Option<&schemas::Schema>,
    ) -> Result<schemas::Schema, schemas::SchemaError> {
        if self.down {
            return Err(schemas::SchemaError::Unavailable("it is down".to_owned()));
        }
        found
            .cloned()
            .ok_or_else(|| schemas::SchemaError::NotFound("no such schema".to_owned()))
    }
}

impl SchemaLookup for Registry {
    fn by_id(&self, id: u32) -> Result<schemas::Schema, schemas::SchemaError> {
        self.answer(self.ids.get(&id))
    }

    fn by_key(&self, key: &SchemaKey) -> Result<schemas::Schema, schemas::SchemaError> {
        match key {
            SchemaKey::Id(id) => self.by_id(*id),
            SchemaKey::Subject(subject) => self.answer(self.subjects.get(subject)),
            _ => self.answer(None),
        }
    }
}

/// A JSON Schema with what it refers to.
pub(crate) fn json_schema(text: &str, references: &[(&str, &str)]) -> schemas::Schema {
    let reference = |(name, text): &(&str, &str)| schemas::Reference {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
    };
    schemas::Schema {
        schema_type: schemas::SchemaType::Json,
        text: text.to_owned(),
        references: references.iter().map(reference).collect(),
    }
}

pub(crate) fn decoder(options: &Value) -> Decoder {
    Decoder::new(Options::parse(&options.to_string()).unwrap()).unwrap()
}

pub(crate) fn framed(id: u32, text: &str) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], text.as_bytes()].concat()
}

/// Decodes messages; `None` is a tombstone.
pub(crate) fn try_decode(
    decoder: &mut Decoder,
    registry: &Registry,
    messages: &[Option<Vec<u8>>],
) -> Result<Decoded, BatchError> {
    let mut offsets = vec![0];
    let mut bytes = Vec::new();
    let mut validity = vec![0u8; messages.len().div_ceil(8)];
    for (i, message) in messages.iter().enumerate() {
        if let Some(message) = message {
            bytes.extend_from_slice(message);
            validity[i / 8] |= 1 << (i % 8);
        }
        offsets.push(u32::try_from(bytes.len()).unwrap());
    }
    let validity = messages.iter().any(Option::is_none).then_some(validity);
    decoder.decode_batch(&offsets, &bytes, validity.as_deref(), registry)
}

/// Rows with the number of their message, and errors.
pub(crate) type Outcome = (Vec<(u32, Value)>, Vec<(u32, String)>);

pub(crate) fn decode(
    decoder: &mut Decoder,
    registry: &Registry,
    messages: &[Option<Vec<u8>>],
) -> Outcome {
    let decoded = try_decode(decoder, registry, messages).unwrap();
    let mut rows = Vec::new();
    for group in &decoded.groups {
        let rendered = rows_of(&fields(decoder, group), group);
        rows.extend(origins(group).into_iter().zip(rendered));
    }
    rows.sort_by_key(|(message, _)| *message);
    let errors = decoded.errors.into_iter();
    (
        rows,
        errors.map(|error| (error.row, error.reason)).collect(),
    )
}

/// The row of one message, or the reason why there is none.
pub(crate) fn one(decoder: &mut Decoder, message: &[u8]) -> Result<Value, String> {
    let (mut rows, mut errors) = decode(decoder, &Registry::default(), &[Some(message.to_vec())]);
    match (rows.pop(), errors.pop()) {
        (Some((_, row)), None) => Ok(row),
        (None, Some((_, reason))) => Err(reason),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn fields(decoder: &Decoder, group: &RowGroup) -> Vec<Field> {
    decoder.schema(group.schema).unwrap().to_vec()
}

fn origins(group: &RowGroup) -> Vec<u32> {
    match &group.origin {
        Origin::Identity => (0..group.len).collect(),
        Origin::Messages(messages) => messages.clone(),
    }
}

/// The Arrow fields of a decoder of one schema as `name: format`, `?` where they are nullable,
/// indented by depth, with the name of an extension behind.
pub(crate) fn outline(decoder: &Decoder) -> Vec<String> {
    fn walk(
        fields: &mut std::slice::Iter<'_, Field>,
        depth: usize,
        lines: &mut Vec<String>,
    ) -> bool {
        let Some(field) = fields.next() else {
            return false;
        };
        let mark = if field.nullable { "?" } else { "" };
        let extension = field
            .metadata
            .iter()
            .find(|(key, _)| key == "ARROW:extension:name");
        let extension = extension.map_or(String::new(), |(_, name)| format!(" {name}"));
        let indent = " ".repeat(depth);
        lines.push(format!(
            "{indent}{}: {}{mark}{extension}",
            field.name, field.format
        ));
        (0..field.children).all(|_| walk(fields, depth + 1, lines))
    }
    let mut lines = Vec::new();
    let mut fields = decoder.schema(0).unwrap().iter();
    while walk(&mut fields, 0, &mut lines) {}
    lines
}

pub(crate) struct Random(weir_guest::random::Random);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(weir_guest::random::Random::new(seed))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.next()
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }
}

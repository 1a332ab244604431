//! What the tests share: a registry in memory, columns as Arrow arrays, and both sides
//! of a comparison as JSON.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "tests")]

pub(crate) mod generate;
pub(crate) mod java;
pub(crate) mod mutate;
pub(crate) mod oracle;
pub(crate) mod render;

use std::cell::RefCell;
use std::collections::HashMap;

use apache_avro::{Schema, types::Value, writer::datum::GenericDatumWriter};
use weir_avro::Decoder;
use weir_guest::Decoded;
use weir_guest::confluent::SchemaLookup;
use weir_guest::rows::{Field, Origin, RowGroup};
use weir_guest::schemas;

pub(crate) use render::rows_of;

/// Schemas by id, and how often each was asked for.
#[derive(Default)]
pub(crate) struct Registry {
    schemas: HashMap<u32, Result<schemas::Schema, schemas::SchemaError>>,
    pub(crate) asked: RefCell<Vec<u32>>,
}

impl Registry {
    pub(crate) fn of(text: &str) -> Self {
        let mut registry = Self::default();
        registry.add(1, text);
        registry
    }

    pub(crate) fn add(&mut self, id: u32, text: &str) {
        self.add_with(id, text, &[]);
    }

    pub(crate) fn add_with(&mut self, id: u32, text: &str, references: &[&str]) {
        let reference = |text: &&str| schemas::Reference {
            name: String::new(),
            text: (*text).to_owned(),
        };
        let schema = schemas::Schema {
            schema_type: schemas::SchemaType::Avro,
            text: text.to_owned(),
            references: references.iter().map(reference).collect(),
        };
        self.set(id, Ok(schema));
    }

    pub(crate) fn set(&mut self, id: u32, answer: Result<schemas::Schema, schemas::SchemaError>) {
        self.schemas.insert(id, answer);
    }
}

impl SchemaLookup for Registry {
    fn by_id(&self, id: u32) -> Result<schemas::Schema, schemas::SchemaError> {
        self.asked.borrow_mut().push(id);
        let unknown = || Err(schemas::SchemaError::NotFound("no such schema".to_owned()));
        self.schemas.get(&id).cloned().unwrap_or_else(unknown)
    }
}

/// Messages of a batch; `None` is a tombstone.
pub(crate) fn decode(
    decoder: &mut Decoder,
    registry: &Registry,
    messages: &[Option<Vec<u8>>],
) -> Decoded {
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
    decoder
        .decode_batch(&offsets, &bytes, validity.as_deref(), registry)
        .unwrap()
}

pub(crate) fn framed(id: u32, datum: &[u8]) -> Option<Vec<u8>> {
    Some([&[0], &id.to_be_bytes()[..], datum].concat())
}

pub(crate) fn encode(schema: &Schema, value: Value) -> Vec<u8> {
    GenericDatumWriter::builder(schema)
        .build()
        .unwrap()
        .write_value_to_vec(value)
        .unwrap()
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

/// Decodes datums of one schema and renders the rows; fails if any message does.
pub(crate) fn decode_rows(text: &str, datums: &[Vec<u8>]) -> Vec<serde_json::Value> {
    let registry = Registry::of(text);
    let mut decoder = Decoder::default();
    let messages: Vec<_> = datums.iter().map(|datum| framed(1, datum)).collect();
    let decoded = decode(&mut decoder, &registry, &messages);
    assert!(decoded.errors.is_empty(), "{text}: {:?}", decoded.errors);
    let [group] = &decoded.groups[..] else {
        panic!("{} groups", decoded.groups.len())
    };
    assert!(matches!(group.origin, Origin::Identity));
    rows_of(&fields(&decoder, group), group)
}

/// The reason why one datum is refused.
pub(crate) fn reason(text: &str, datum: &[u8]) -> String {
    let registry = Registry::of(text);
    let decoded = decode(&mut Decoder::default(), &registry, &[framed(1, datum)]);
    assert!(decoded.groups.is_empty());
    decoded.errors[0].reason.clone()
}

/// The Arrow fields of a schema as `name format nullable`, indented by depth.
pub(crate) fn outline(fields: &[Field]) -> Vec<String> {
    fn walk(
        fields: &mut std::slice::Iter<'_, Field>,
        depth: usize,
        lines: &mut Vec<String>,
    ) -> bool {
        let Some(field) = fields.next() else {
            return false;
        };
        let mark = if field.nullable { "?" } else { "" };
        lines.push(format!(
            "{}{}: {}{mark}",
            " ".repeat(depth),
            field.name,
            field.format
        ));
        (0..field.children).all(|_| walk(fields, depth + 1, lines))
    }
    let mut lines = Vec::new();
    let mut fields = fields.iter();
    while walk(&mut fields, 0, &mut lines) {}
    lines
}

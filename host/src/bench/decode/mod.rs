//! Messages to columns, format by format: the built-in component, the same code natively, and
//! the decoders that others use.

mod avro;
mod json;
mod protobuf;

use std::sync::Arc;

use weir_guest::schemas as guest;
use weir_guest::{BatchError, Decoded};

use super::timing::Way;
use super::{BenchError, Measurement};
use crate::batch::{BatchBuilder, BinaryColumn, Capacity, MessageBatch, TopicPartition};
use crate::plugin::{Deserializer, Limits, Part, Plugin, PluginEngine};
use crate::schemas::{Registered, Schema, SchemaError, SchemaSource, SchemaType};

/// Messages in a batch.
pub(super) const ROWS: usize = 1_000;
/// Different batches, which repeat.
pub(super) const BATCHES: usize = 16;
/// The ways that every format has, by name.
pub(super) const COMPONENT: &str = "component";
const NATIVE: &str = "component's code, native";
/// Of the data.
pub(super) const SEED: u64 = 7;
/// The schema id in the messages.
pub(super) const ID: u32 = 1;

/// Measures three shapes of each format: `flat` of 5 fields, `order` with nested lists and an
/// enum, and `wide` of 50 fields.
///
/// # Errors
/// When one of the decoders fails.
pub fn run(engine: &PluginEngine) -> Result<Vec<Measurement>, BenchError> {
    let mut all = avro::run(engine)?;
    all.extend(protobuf::run(engine)?);
    all.extend(json::run(engine)?);
    Ok(all)
}

/// What is measured of one shape has names that begin alike.
pub(super) struct Shape(pub(super) String);

impl Shape {
    pub(super) fn way<'a>(&self, what: &str, against: &[&str], run: Run<'a>) -> Way<'a> {
        let name = |what: &str| format!("{}/{what}", self.0);
        Way {
            name: name(what),
            baselines: against.iter().map(|what| name(what)).collect(),
            records: ROWS,
            run,
        }
    }
}

/// Does the next batch.
pub(super) type Run<'a> = Box<dyn FnMut() -> Result<(), BenchError> + 'a>;

pub(super) fn open(
    engine: &PluginEngine,
    plugin: &str,
    schemas: &Arc<OneSchema>,
) -> Result<Deserializer, BenchError> {
    let plugin = Plugin::load(engine, plugin).map_err(BenchError::new)?;
    let options = serde_json::json!({});
    let schemas = Arc::clone(schemas);
    Deserializer::open(&plugin, Part::Value, &options, schemas, Limits::default())
        .map_err(BenchError::new)
}

fn component<'a>(
    deserializer: &'a mut Deserializer,
    mut batches: impl Iterator<Item = &'a MessageBatch> + 'a,
) -> Run<'a> {
    Box::new(move || {
        let decoded = deserializer.decode(next(&mut batches));
        let decoded = decoded.map_err(BenchError::new)?;
        expect_all(decoded.rows.iter().map(|rows| rows.rows.num_rows()).sum())
    })
}

fn native<'a>(
    mut decode: impl FnMut(&BinaryColumn) -> Result<Decoded, BatchError> + 'a,
    mut batches: impl Iterator<Item = &'a MessageBatch> + 'a,
) -> Run<'a> {
    Box::new(move || {
        let decoded = decode(&next(&mut batches).values.column);
        let decoded = decoded.map_err(|error| BenchError::new(format!("{error:?}")))?;
        expect_all(decoded.groups.iter().map(|group| group.len as usize).sum())
    })
}

/// The next one of a cycle, which has no end.
pub(super) fn next<'a, T: 'a>(turns: &mut impl Iterator<Item = &'a T>) -> &'a T {
    turns.next().expect("a cycle of batches has no end")
}

fn expect_all(rows: usize) -> Result<(), BenchError> {
    match rows {
        ROWS => Ok(()),
        _ => Err(BenchError::new(format!("{rows} rows of {ROWS} messages"))),
    }
}

/// The messages in the Confluent wire format.
pub(super) fn batch(datums: &[Vec<u8>]) -> MessageBatch {
    let source = TopicPartition {
        topic: "bench".into(),
        partition: 0,
    };
    let mut builder = BatchBuilder::new(source, Capacity::default());
    for (offset, datum) in (0..).zip(datums) {
        let fits = builder.push(offset, offset, None, Some(&framed(datum)));
        assert!(fits, "the benchmark's batches are small");
    }
    builder.finish()
}

pub(super) fn framed(datum: &[u8]) -> Vec<u8> {
    let mut value = vec![0];
    value.extend(ID.to_be_bytes());
    value.extend(datum);
    value
}

/// A schema by every id.
#[derive(Debug)]
pub(super) struct OneSchema {
    schema_type: SchemaType,
    text: String,
}

impl OneSchema {
    pub(super) fn avro(text: &str) -> Self {
        Self {
            schema_type: SchemaType::Avro,
            text: text.to_owned(),
        }
    }

    pub(super) fn json(text: &str) -> Self {
        Self {
            schema_type: SchemaType::Json,
            text: text.to_owned(),
        }
    }

    pub(super) fn protobuf(text: &str) -> Self {
        Self {
            schema_type: SchemaType::Protobuf,
            text: text.to_owned(),
        }
    }
}

impl SchemaSource for OneSchema {
    fn by_id(&self, _: u32) -> Result<Schema, SchemaError> {
        Ok(Schema {
            schema_type: self.schema_type,
            text: self.text.clone(),
            references: Vec::new(),
        })
    }

    fn latest(&self, _: &str) -> Result<Registered, SchemaError> {
        Ok(Registered {
            id: Some(ID),
            guid: None,
            version: None,
            schema: SchemaSource::by_id(self, ID)?,
        })
    }
}

impl weir_guest::confluent::SchemaLookup for OneSchema {
    fn by_id(&self, _: u32) -> Result<guest::Schema, guest::SchemaError> {
        Ok(guest::Schema {
            schema_type: match self.schema_type {
                SchemaType::Avro => guest::SchemaType::Avro,
                SchemaType::Protobuf => guest::SchemaType::Protobuf,
                SchemaType::Json => guest::SchemaType::Json,
            },
            text: self.text.clone(),
            references: Vec::new(),
        })
    }
}

//! Memory of an open decoder that has many schemas in use.

use std::sync::Arc;

use super::BenchError;
use super::decode::ROWS;
use crate::batch::{BatchBuilder, Capacity, MessageBatch, TopicPartition};
use crate::plugin::{Deserializer, Limits, Part, Plugin, PluginEngine};
use crate::schemas::{Registered, Schema, SchemaError, SchemaSource, SchemaType};

/// Schemas in use.
pub const SCHEMAS: u32 = 100;
/// Batches that are decoded, each with messages of all schemas.
const BATCHES: usize = 20;
/// Of the data.
const SEED: u64 = 7;

/// What a decoder of one format and shape takes.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Such as `memory/avro order`.
    pub name: String,
    /// Schemas in use.
    pub schemas: u32,
    /// The plug-in's linear memory, in bytes, after it was opened.
    pub opened: usize,
    /// The same after all batches.
    pub used: usize,
    /// What the process grew by meanwhile, the plug-in's memory included, in bytes; `None` where the
    /// system does not say.
    pub process: Option<i64>,
}

/// Opens each built-in deserializer and lets it read messages of 100 schemas, which differ in the
/// name of a field.
///
/// # Errors
/// When one of the decoders fails.
pub fn run(engine: &PluginEngine) -> Result<Vec<Memory>, BenchError> {
    let load = |name: &str| Plugin::load(engine, name).map_err(BenchError::new);
    let mut all = Vec::new();
    let plugin = load("avro")?;
    for fixture in weir_avro::fixtures::all() {
        let field = format!("\"{}\"", field_of(fixture.name));
        let datums = fixture.datums(ROWS, SEED).map_err(BenchError::new)?;
        let name = format!("avro {}", fixture.name);
        let schemas = Many::new(SchemaType::Avro, &fixture.schema, field);
        all.push(measure(&plugin, &name, schemas, |_, at| {
            datums[at].clone()
        })?);
    }
    let plugin = load("protobuf")?;
    for fixture in weir_protobuf::fixtures::all() {
        let field = format!(" {} =", field_of(fixture.name));
        let datums = fixture.messages(ROWS, SEED);
        let name = format!("protobuf {}", fixture.name);
        let schemas = Many::new(SchemaType::Protobuf, &(fixture.schema)(), field);
        all.push(measure(&plugin, &name, schemas, |_, at| {
            datums[at].clone()
        })?);
    }
    let plugin = load("json")?;
    for fixture in weir_json::fixtures::all() {
        let field = format!("\"{}\"", field_of(fixture.name));
        let texts = fixture.texts(ROWS, SEED);
        let name = format!("json {}", fixture.name);
        let schemas = Many::new(SchemaType::Json, &fixture.schema, field);
        let text = |schemas: &Many, id: u32, at: usize| {
            schemas
                .renamed(&String::from_utf8_lossy(&texts[at]), id)
                .into_bytes()
        };
        all.push(measure_with(&plugin, &name, schemas, text)?);
    }
    Ok(all)
}

/// A field of each shape.
fn field_of(shape: &str) -> &'static str {
    match shape {
        "flat" => "sensor",
        "order" => "customer",
        _ => "f1",
    }
}

fn measure(
    plugin: &Plugin,
    name: &str,
    schemas: Many,
    datum: impl Fn(u32, usize) -> Vec<u8>,
) -> Result<Memory, BenchError> {
    measure_with(plugin, name, schemas, |_, id, at| datum(id, at))
}

fn measure_with(
    plugin: &Plugin,
    name: &str,
    schemas: Many,
    datum: impl Fn(&Many, u32, usize) -> Vec<u8>,
) -> Result<Memory, BenchError> {
    let batches: Vec<MessageBatch> = (0..BATCHES)
        .map(|batch| {
            let id = |row: usize| u32::try_from((row + batch) % SCHEMAS as usize).unwrap_or(0) + 1;
            let values = (0..ROWS).map(|row| {
                let datum = datum(&schemas, id(row), row);
                [&[0][..], &id(row).to_be_bytes(), &datum].concat()
            });
            of(values)
        })
        .collect();
    let before = resident();
    let options = serde_json::json!({});
    let limits = Limits::default();
    let opened = Deserializer::open(plugin, Part::Value, &options, Arc::new(schemas), limits);
    let mut decoder = opened.map_err(BenchError::new)?;
    let opened = decoder.memory_bytes();
    for batch in &batches {
        let decoded = decoder.decode(batch).map_err(BenchError::new)?;
        let rows: usize = decoded.rows.iter().map(|rows| rows.rows.num_rows()).sum();
        if rows != ROWS {
            let why = decoded.errors.first().map(|error| error.reason.clone());
            return Err(BenchError::new(format!(
                "{name}: {rows} rows of {ROWS}: {why:?}"
            )));
        }
    }
    let process = before.and_then(|before| Some(resident()? - before));
    Ok(Memory {
        name: format!("memory/{name}"),
        schemas: SCHEMAS,
        opened,
        used: decoder.memory_bytes(),
        process,
    })
}

fn of(values: impl Iterator<Item = Vec<u8>>) -> MessageBatch {
    let source = TopicPartition {
        topic: "bench".into(),
        partition: 0,
    };
    let mut builder = BatchBuilder::new(source, Capacity::default());
    for (offset, value) in (0..).zip(values) {
        let fits = builder.push(offset, offset, None, Some(&value));
        assert!(fits, "the benchmark's batches are small");
    }
    builder.finish()
}

/// Bytes of this process that are in memory.
fn resident() -> Option<i64> {
    const PAGE: i64 = 4096;
    let said = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: i64 = said.split(' ').nth(1)?.parse().ok()?;
    Some(pages * PAGE)
}

/// A schema for each id, with a field that has the id in its name.
#[derive(Debug)]
struct Many {
    schema_type: SchemaType,
    text: String,
    /// The field as it stands in the text.
    field: String,
}

impl Many {
    fn new(schema_type: SchemaType, text: &str, field: String) -> Self {
        Self {
            schema_type,
            text: text.to_owned(),
            field,
        }
    }

    fn renamed(&self, text: &str, id: u32) -> String {
        let end = self
            .field
            .rfind(|c: char| c.is_alphanumeric())
            .map_or(0, |at| at + 1);
        let (name, rest) = self.field.split_at(end);
        text.replace(&self.field, &format!("{name}x{id}{rest}"))
    }
}

impl SchemaSource for Many {
    fn by_id(&self, id: u32) -> Result<Schema, SchemaError> {
        Ok(Schema {
            schema_type: self.schema_type,
            text: self.renamed(&self.text, id),
            references: Vec::new(),
        })
    }

    fn latest(&self, subject: &str) -> Result<Registered, SchemaError> {
        Err(SchemaError::NotFound(subject.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plug-ins are always optimised, so figures of memory are those of any other build.
    #[test]
    fn a_decoder_with_100_schemas_in_use_stays_small() {
        let engine = PluginEngine::new(None).unwrap();
        for memory in run(&engine).unwrap() {
            assert!(memory.used > memory.opened, "{memory:?}");
            assert!(memory.used < 64 << 20, "{memory:?}");
        }
    }

    /// A plug-in keeps the last 1,000 schemas and is replaced where even those are too much: all is
    /// read, within the bound.
    #[test]
    fn any_number_of_schemas_is_read_within_the_bound() {
        const MIB: usize = 1 << 20;
        let engine = PluginEngine::new(None).unwrap();
        let plugin = Plugin::load(&engine, "avro").unwrap();
        let fixture = weir_avro::fixtures::wide();
        let datum = fixture.datums(1, SEED).unwrap().remove(0);
        let schemas = Many::new(SchemaType::Avro, &fixture.schema, "\"f1\"".to_owned());
        let limits = Limits {
            memory_max_bytes: 64 * MIB,
            memory_recycle_bytes: 24 * MIB,
            ..Limits::default()
        };
        let options = serde_json::json!({});
        let source = Arc::new(schemas);
        let mut decoder =
            Deserializer::open(&plugin, Part::Value, &options, source, limits).unwrap();
        let mut most = 0;
        for first in (1..3_000_u32).step_by(100) {
            let ids = first..first + 100;
            let values = ids.map(|id| [&[0][..], &id.to_be_bytes(), &datum].concat());
            let decoded = decoder.decode(&of(values)).unwrap();
            assert_eq!(decoded.errors, []);
            let rows: usize = decoded.rows.iter().map(|rows| rows.rows.num_rows()).sum();
            assert_eq!(rows, 100);
            most = most.max(decoder.memory_bytes());
        }
        assert!(most <= 24 * MIB, "{most}: one that is larger is replaced");
        assert!(most > 4 * MIB, "{most}: it has many schemas");
    }
}

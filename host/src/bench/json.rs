//! JSON to columns: the built-in component, the same code natively, arrow-json and
//! serde_json.

use std::sync::Arc;

use arrow::json::ReaderBuilder;
use serde_json::Value;
use weir_guest::schemas as guest;
use weir_json::fixtures::{self, Fixture};
use weir_json::{Decoder, Options};

use super::timing::{Way, measure};
use super::{BenchError, Measurement};
use crate::batch::{BatchBuilder, Capacity, MessageBatch, TopicPartition};
use crate::plugin::{Deserializer, Limits, Plugin, PluginEngine};
use crate::schemas::{Schema, SchemaError, SchemaSource, SchemaType};

/// Messages in a batch.
const ROWS: usize = 1_000;
/// Different batches, which repeat.
const BATCHES: usize = 16;
/// The ways, by name.
const COMPONENT: &str = "component";
const NATIVE: &str = "component's code, native";
const ARROW: &str = "arrow-json, native";
const SERDE: &str = "serde_json, native";
/// Of the data.
const SEED: u64 = 7;
/// Bytes before the text.
const PREFIX: usize = 5;

/// Measures the three shapes: `flat` of 5 fields, `order` with a nested array, and `wide` of 50
/// fields.
///
/// # Errors
/// When one of the decoders fails.
pub fn run(engine: &PluginEngine) -> Result<Vec<Measurement>, BenchError> {
    let mut all = Vec::new();
    for fixture in fixtures::all() {
        all.extend(shape(engine, &fixture)?);
    }
    Ok(all)
}

fn shape(engine: &PluginEngine, fixture: &Fixture) -> Result<Vec<Measurement>, BenchError> {
    let texts = fixture.texts(ROWS * BATCHES, SEED);
    let batches: Vec<MessageBatch> = texts.chunks(ROWS).map(batch).collect();
    let plugin = Plugin::load(engine, "json").map_err(BenchError::new)?;
    let schemas = Arc::new(OneSchema(fixture.schema.clone()));
    let mut component = Deserializer::open(
        &plugin,
        &serde_json::json!({}),
        Arc::clone(&schemas) as _,
        Limits::default(),
    )
    .map_err(BenchError::new)?;
    let options = Options::parse("{}").map_err(BenchError::new)?;
    let mut native = Decoder::new(options).map_err(BenchError::new)?;

    // arrow-json is told the columns: it has the same work.
    let first = component.decode(&batches[0]).map_err(BenchError::new)?;
    let schema = first.rows.first().map(|rows| rows.rows.schema());
    let schema = schema.ok_or_else(|| BenchError::new("no rows"))?;
    let mut arrow = ReaderBuilder::new(schema)
        .with_batch_size(ROWS)
        .build_decoder()
        .map_err(BenchError::new)?;
    let lines: Vec<Vec<u8>> = texts.chunks(ROWS).map(|texts| texts.join(&b'\n')).collect();

    let name = |what: &str| format!("decode-json/{}/{what}", fixture.name);
    let way = |what: &str, against: &[&str], run| Way {
        name: name(what),
        baselines: against.iter().map(|what| name(what)).collect(),
        records: ROWS,
        run,
    };
    // Each way takes the batches in turns, as it would on a topic.
    let (mut first, mut second) = (batches.iter().cycle(), batches.iter().cycle());
    let (mut third, mut fourth) = (lines.iter().cycle(), batches.iter().cycle());
    measure(vec![
        way(
            COMPONENT,
            &[SERDE, ARROW],
            Box::new(|| {
                let decoded = component
                    .decode(next(&mut first))
                    .map_err(BenchError::new)?;
                expect_all(decoded.rows.iter().map(|rows| rows.rows.num_rows()).sum())
            }),
        ),
        way(
            NATIVE,
            &[SERDE, ARROW],
            Box::new(|| {
                let values = &next(&mut second).values.column;
                let decoded = native
                    .decode_batch(&values.offsets, &values.bytes, None, &*schemas)
                    .map_err(|error| BenchError::new(format!("{error:?}")))?;
                expect_all(decoded.groups.iter().map(|group| group.len as usize).sum())
            }),
        ),
        way(
            ARROW,
            &[SERDE],
            Box::new(|| {
                let lines = next(&mut third);
                if arrow.decode(lines).map_err(BenchError::new)? != lines.len() {
                    return Err(BenchError::new("arrow-json did not take the whole batch"));
                }
                let rows = arrow.flush().map_err(BenchError::new)?;
                expect_all(rows.map_or(0, |rows| rows.num_rows()))
            }),
        ),
        way(
            SERDE,
            &[],
            Box::new(|| {
                let values = &next(&mut fourth).values.column;
                let mut decoded = 0;
                for row in 0..ROWS {
                    let text = &values.get(row)[PREFIX..];
                    let value: Value = serde_json::from_slice(text).map_err(BenchError::new)?;
                    std::hint::black_box(value);
                    decoded += 1;
                }
                expect_all(decoded)
            }),
        ),
    ])
}

/// The next one of a cycle, which has no end.
fn next<'a, T: 'a>(turns: &mut impl Iterator<Item = &'a T>) -> &'a T {
    turns.next().expect("a cycle of batches has no end")
}

fn expect_all(rows: usize) -> Result<(), BenchError> {
    match rows {
        ROWS => Ok(()),
        _ => Err(BenchError::new(format!("{rows} rows of {ROWS} messages"))),
    }
}

/// The messages in the Confluent wire format.
fn batch(texts: &[Vec<u8>]) -> MessageBatch {
    let source = TopicPartition {
        topic: "bench".into(),
        partition: 0,
    };
    let mut builder = BatchBuilder::new(source, Capacity::default());
    for (offset, text) in (0..).zip(texts) {
        let framed = [&[0, 0, 0, 0, 1], &text[..]].concat();
        let fits = builder.push(offset, offset, None, Some(&framed));
        assert!(fits, "the benchmark's batches are small");
    }
    builder.finish()
}

/// A schema by every id.
#[derive(Debug)]
struct OneSchema(String);

impl SchemaSource for OneSchema {
    fn by_id(&self, _: u32) -> Result<Schema, SchemaError> {
        Ok(Schema {
            schema_type: SchemaType::Json,
            text: self.0.clone(),
            references: Vec::new(),
        })
    }

    fn latest(&self, _: &str) -> Result<Schema, SchemaError> {
        self.by_id(1)
    }
}

impl weir_guest::confluent::SchemaLookup for OneSchema {
    fn by_id(&self, _: u32) -> Result<guest::Schema, guest::SchemaError> {
        Ok(guest::Schema {
            schema_type: guest::SchemaType::Json,
            text: self.0.clone(),
            references: Vec::new(),
        })
    }
}

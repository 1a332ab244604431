//! JSON to columns: the built-in component, the same code natively, arrow-json and
//! serde_json.

use std::sync::Arc;

use arrow::json::ReaderBuilder;
use serde_json::Value;
use weir_json::fixtures::{self, Fixture};
use weir_json::{Decoder, Options};

use super::super::timing::{Way, measure};
use super::{BATCHES, COMPONENT, NATIVE, OneSchema, ROWS, SEED, batch, expect_all, next};
use crate::batch::MessageBatch;
use crate::bench::{BenchError, Measurement};
use crate::plugin::{Deserializer, Limits, Plugin, PluginEngine};

/// The others, by name.
const ARROW: &str = "arrow-json, native";
const SERDE: &str = "serde_json, native";
/// Bytes before the text.
const PREFIX: usize = 5;

/// Measures the three shapes: `flat` of 5 fields, `order` with a nested array, and `wide` of 50
/// fields.
///
/// # Errors
/// When one of the decoders fails.
pub(super) fn run(engine: &PluginEngine) -> Result<Vec<Measurement>, BenchError> {
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
    let schemas = Arc::new(OneSchema::json(&fixture.schema));
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

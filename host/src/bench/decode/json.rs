//! JSON to columns: the built-in component, the same code natively, arrow-json and
//! serde_json.

use std::sync::Arc;

use arrow::json::ReaderBuilder;
use serde_json::Value;
use weir_json::fixtures::{self, Fixture};
use weir_json::{Decoder, Options};

use super::super::timing::measure;
use super::{
    BATCHES, COMPONENT, NATIVE, OneSchema, ROWS, SEED, Shape, batch, expect_all, next, open,
};
use crate::batch::MessageBatch;
use crate::bench::{BenchError, Measurement};
use crate::plugin::PluginEngine;

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
    let schemas = Arc::new(OneSchema::json(&fixture.schema));
    let mut component = open(engine, "json", &schemas)?;
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

    let shape = Shape(format!("decode-json/{}", fixture.name));
    // Each way takes the batches in turns, as it would on a topic.
    let turns = || batches.iter().cycle();
    let (mut third, mut fourth) = (lines.iter().cycle(), turns());
    measure(vec![
        shape.way(
            COMPONENT,
            &[SERDE, ARROW],
            super::component(&mut component, turns()),
        ),
        shape.way(
            NATIVE,
            &[SERDE, ARROW],
            super::native(
                |values| native.decode_batch(&values.offsets, &values.bytes, None, &*schemas),
                turns(),
            ),
        ),
        shape.way(
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
        shape.way(
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

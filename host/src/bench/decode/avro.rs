//! Avro to columns: the built-in component, the same code natively, arrow-avro and
//! apache-avro.

use std::sync::Arc;

use apache_avro::Schema as AvroSchema;
use apache_avro::reader::datum::GenericDatumReader;
use arrow_avro::reader::ReaderBuilder;
use arrow_avro::schema::{
    AvroSchema as ArrowAvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore,
};
use weir_avro::fixtures::{self, Fixture};

use super::super::timing::measure;
use super::{
    BATCHES, COMPONENT, ID, NATIVE, OneSchema, ROWS, SEED, Shape, batch, expect_all, next, open,
};
use crate::batch::MessageBatch;
use crate::bench::{BenchError, Measurement};
use crate::plugin::PluginEngine;

/// The others, by name.
const ARROW: &str = "arrow-avro, native";
const APACHE: &str = "apache-avro, native";

/// Measures the three shapes: `flat` of 5 fields, `order` with a nested array, a union and an
/// enum, and `wide` of 50 fields.
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
    let datums = fixture
        .datums(ROWS * BATCHES, SEED)
        .map_err(BenchError::new)?;
    let batches: Vec<MessageBatch> = datums.chunks(ROWS).map(batch).collect();
    let schemas = Arc::new(OneSchema::avro(&fixture.schema));
    let mut component = open(engine, "avro", &schemas)?;
    let mut native = weir_avro::Decoder::default();
    let mut arrow = arrow_avro(&fixture.schema)?;
    let schema = AvroSchema::parse_str(&fixture.schema).map_err(BenchError::new)?;
    let apache = GenericDatumReader::builder(&schema)
        .build()
        .map_err(BenchError::new)?;

    let shape = Shape(format!("decode/{}", fixture.name));
    // Each way takes the batches in turns, as it would on a topic: one batch over and over is
    // what a branch predictor learns by heart.
    let turns = || batches.iter().cycle();
    let (mut third, mut fourth) = (turns(), turns());
    measure(vec![
        shape.way(
            COMPONENT,
            &[APACHE, ARROW],
            super::component(&mut component, turns()),
        ),
        shape.way(
            NATIVE,
            &[APACHE, ARROW],
            super::native(
                |values| native.decode_batch(&values.offsets, &values.bytes, None, &*schemas),
                turns(),
            ),
        ),
        shape.way(
            ARROW,
            &[APACHE],
            Box::new(|| {
                let values = &next(&mut third).values.column;
                if arrow.decode(&values.bytes).map_err(BenchError::new)? != values.bytes.len() {
                    return Err(BenchError::new("arrow-avro did not take the whole batch"));
                }
                let rows = arrow.flush().map_err(BenchError::new)?;
                expect_all(rows.map_or(0, |rows| rows.num_rows()))
            }),
        ),
        shape.way(
            APACHE,
            &[],
            Box::new(|| {
                let values = &next(&mut fourth).values.column;
                let mut decoded = 0;
                for row in 0..ROWS {
                    let mut datum = &values.get(row)[5..];
                    std::hint::black_box(apache.read_value(&mut datum).map_err(BenchError::new)?);
                    decoded += 1;
                }
                expect_all(decoded)
            }),
        ),
    ])
}

fn arrow_avro(schema: &str) -> Result<arrow_avro::reader::Decoder, BenchError> {
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    store
        .set(Fingerprint::Id(ID), ArrowAvroSchema::new(schema.to_owned()))
        .map_err(BenchError::new)?;
    ReaderBuilder::new()
        .with_batch_size(ROWS)
        .with_writer_schema_store(store)
        .with_active_fingerprint(Fingerprint::Id(ID))
        .build_decoder()
        .map_err(BenchError::new)
}

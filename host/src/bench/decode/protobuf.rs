//! Protobuf to columns: the built-in component, the same code natively, prost's generated code
//! and prost-reflect's dynamic messages.

use std::sync::Arc;

use prost_reflect::DynamicMessage;
use weir_protobuf::File;
use weir_protobuf::fixtures::{self, Fixture};

use super::super::timing::{Way, measure};
use super::{BATCHES, COMPONENT, NATIVE, OneSchema, ROWS, SEED, batch, expect_all, next};
use crate::batch::MessageBatch;
use crate::bench::{BenchError, Measurement};
use crate::plugin::{Deserializer, Limits, Plugin, PluginEngine};

/// The others, by name.
const GENERATED: &str = "prost's generated code, native";
const DYNAMIC: &str = "prost-reflect, native";
/// Bytes before the fields: the prefix, and 0 for the first message of the file.
const FRAMING: usize = 6;

/// Measures all shapes.
pub(super) fn run(engine: &PluginEngine) -> Result<Vec<Measurement>, BenchError> {
    let mut all = Vec::new();
    for fixture in fixtures::all() {
        all.extend(shape(engine, &fixture)?);
    }
    Ok(all)
}

fn shape(engine: &PluginEngine, fixture: &Fixture) -> Result<Vec<Measurement>, BenchError> {
    let messages = fixture.messages(ROWS * BATCHES, SEED);
    let batches: Vec<MessageBatch> = messages.chunks(ROWS).map(batch).collect();
    let plugin = Plugin::load(engine, "protobuf").map_err(BenchError::new)?;
    let text = (fixture.schema)();
    let schemas = Arc::new(OneSchema::protobuf(&text));
    let mut component = Deserializer::open(
        &plugin,
        &serde_json::json!({}),
        Arc::clone(&schemas) as _,
        Limits::default(),
    )
    .map_err(BenchError::new)?;
    let mut native = weir_protobuf::Decoder::default();
    let file = weir_guest::confluent::SchemaLookup::by_id(&*schemas, super::ID)
        .map_err(|error| BenchError::new(format!("{error:?}")))?;
    let descriptor = File::parse(&file)
        .and_then(|file| file.only_message())
        .map_err(BenchError::new)?;

    let name = |what: &str| format!("decode/protobuf {}/{what}", fixture.name);
    let way = |what: &str, against: &[&str], run| Way {
        name: name(what),
        baselines: against.iter().map(|what| name(what)).collect(),
        records: ROWS,
        run,
    };
    let turns = || batches.iter().cycle();
    let (mut first, mut second, mut third, mut fourth) = (turns(), turns(), turns(), turns());
    let mut ways = vec![
        way(
            COMPONENT,
            &[DYNAMIC, GENERATED],
            Box::new(|| {
                let decoded = component
                    .decode(next(&mut first))
                    .map_err(BenchError::new)?;
                expect_all(decoded.rows.iter().map(|rows| rows.rows.num_rows()).sum())
            }) as Box<dyn FnMut() -> Result<(), BenchError> + '_>,
        ),
        way(
            NATIVE,
            &[DYNAMIC, GENERATED],
            Box::new(|| {
                let values = &next(&mut second).values.column;
                let decoded = native
                    .decode_batch(&values.offsets, &values.bytes, None, &*schemas)
                    .map_err(|error| BenchError::new(format!("{error:?}")))?;
                expect_all(decoded.groups.iter().map(|group| group.len as usize).sum())
            }),
        ),
        way(
            DYNAMIC,
            &[],
            Box::new(|| {
                let values = &next(&mut third).values.column;
                for row in 0..ROWS {
                    let fields = &values.get(row)[FRAMING..];
                    let message = DynamicMessage::decode(descriptor.clone(), fields);
                    std::hint::black_box(message.map_err(BenchError::new)?);
                }
                Ok(())
            }),
        ),
    ];
    if let Some(generated) = fixture.generated {
        ways.push(way(
            GENERATED,
            &[DYNAMIC],
            Box::new(move || {
                let values = &next(&mut fourth).values.column;
                for row in 0..ROWS {
                    generated(&values.get(row)[FRAMING..]).map_err(BenchError::new)?;
                }
                Ok(())
            }),
        ));
    }
    measure(ways)
}

//! Protobuf to columns: the built-in component, the same code natively, prost's generated code
//! and prost-reflect's dynamic messages.

use std::sync::Arc;

use prost_reflect::DynamicMessage;
use weir_protobuf::File;
use weir_protobuf::fixtures::{self, Fixture};

use super::super::timing::measure;
use super::{BATCHES, COMPONENT, NATIVE, OneSchema, ROWS, SEED, Shape, batch, next, open};
use crate::batch::MessageBatch;
use crate::bench::{BenchError, Measurement};
use crate::plugin::PluginEngine;

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
    let text = (fixture.schema)();
    let schemas = Arc::new(OneSchema::protobuf(&text));
    let mut component = open(engine, "protobuf", &schemas)?;
    let mut native = weir_protobuf::Decoder::default();
    let file = weir_guest::confluent::SchemaLookup::by_id(&*schemas, super::ID)
        .map_err(|error| BenchError::new(format!("{error:?}")))?;
    let descriptor = File::parse(&file)
        .and_then(|file| file.only_message())
        .map_err(BenchError::new)?;

    let shape = Shape(format!("decode/protobuf {}", fixture.name));
    let turns = || batches.iter().cycle();
    let (mut third, mut fourth) = (turns(), turns());
    let mut ways = vec![
        shape.way(
            COMPONENT,
            &[DYNAMIC, GENERATED],
            super::component(&mut component, turns()),
        ),
        shape.way(
            NATIVE,
            &[DYNAMIC, GENERATED],
            super::native(
                |values| native.decode_batch(&values.offsets, &values.bytes, None, &*schemas),
                turns(),
            ),
        ),
        shape.way(
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
        ways.push(shape.way(
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

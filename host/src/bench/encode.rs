//! Columns to messages, format by format: the built-in component, and the row encoders that others
//! use, which are given their own trees of values ready-made: making those from columns is no part
//! of their time. JSON is written from the same columns by arrow-json too.

use std::sync::Arc;

use apache_avro::Schema as AvroSchema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use arrow::json::LineDelimitedWriter;
use prost_reflect::DynamicMessage;
use prost_reflect::prost::Message as _;
use serde_json::json;
use weir_guest::confluent::SchemaLookup as _;
use weir_protobuf::File;

use super::decode::{BATCHES, COMPONENT, ID, OneSchema, ROWS, Run, SEED, Shape, batch, next, open};
use super::timing::{Way, measure};
use super::{BenchError, Measurement};
use crate::batch::TopicPartition;
use crate::plugin::{Limits, Part, Plugin, PluginEngine, Serializer};
use crate::rows::Rows;

/// The others, by name.
const APACHE: &str = "apache-avro, native";
const DYNAMIC: &str = "prost-reflect, native";
const SERDE: &str = "serde_json, native";
/// From columns.
const ARROW: &str = "arrow-json, native";

/// Measures three shapes of each format: those of `weir bench decode`.
///
/// # Errors
/// When one of the encoders fails.
pub fn run(engine: &PluginEngine) -> Result<Vec<Measurement>, BenchError> {
    let mut all = Vec::new();
    for fixture in weir_avro::fixtures::all() {
        all.extend(avro(engine, &fixture)?);
    }
    for fixture in weir_protobuf::fixtures::all() {
        all.extend(protobuf(engine, &fixture)?);
    }
    for fixture in weir_json::fixtures::all() {
        all.extend(json(engine, &fixture)?);
    }
    Ok(all)
}

fn avro(
    engine: &PluginEngine,
    fixture: &weir_avro::fixtures::Fixture,
) -> Result<Vec<Measurement>, BenchError> {
    let datums = fixture.datums(ROWS * BATCHES, SEED);
    let datums = datums.map_err(BenchError::new)?;
    let schema = AvroSchema::parse_str(&fixture.schema).map_err(BenchError::new)?;
    let reader = GenericDatumReader::builder(&schema).build();
    let reader = reader.map_err(BenchError::new)?;
    let values = datums
        .iter()
        .map(|datum| reader.read_value(&mut &datum[..]));
    let values = values
        .collect::<Result<Vec<_>, _>>()
        .map_err(BenchError::new)?;
    let writer = GenericDatumWriter::builder(&schema).build();
    let writer = writer.map_err(BenchError::new)?;
    let schemas = Arc::new(OneSchema::avro(&fixture.schema));
    let mut component = Component::new(engine, ("avro", "avro"), &schemas, &datums)?;
    let shape = Shape(format!("encode/avro {}", fixture.name));
    let mut turns = values.chunks(ROWS).cycle();
    measure(vec![
        component.way(&shape, &[APACHE]),
        row_encoder(&shape, APACHE, move |out| {
            for value in turns.next().unwrap_or_default() {
                let written = writer.write_value_ref(out, value);
                written.map_err(BenchError::new)?;
            }
            Ok(())
        }),
    ])
}

fn protobuf(
    engine: &PluginEngine,
    fixture: &weir_protobuf::fixtures::Fixture,
) -> Result<Vec<Measurement>, BenchError> {
    /// Before the fields: 0, for the first message of the file.
    const INDEXES: usize = 1;
    let messages = fixture.messages(ROWS * BATCHES, SEED);
    let schemas = Arc::new(OneSchema::protobuf(&(fixture.schema)()));
    let schema = schemas
        .by_id(ID)
        .map_err(|error| BenchError::new(format!("{error:?}")))?;
    let descriptor = File::parse(&schema)
        .and_then(|file| file.only_message())
        .map_err(BenchError::new)?;
    let decode =
        |message: &Vec<u8>| DynamicMessage::decode(descriptor.clone(), &message[INDEXES..]);
    let values = messages.iter().map(decode).collect::<Result<Vec<_>, _>>();
    let values = values.map_err(BenchError::new)?;
    let mut component = Component::new(engine, ("protobuf", "protobuf"), &schemas, &messages)?;
    let shape = Shape(format!("encode/protobuf {}", fixture.name));
    let mut turns = values.chunks(ROWS).cycle();
    measure(vec![
        component.way(&shape, &[DYNAMIC]),
        row_encoder(&shape, DYNAMIC, move |out| {
            for value in turns.next().unwrap_or_default() {
                value.encode(out).map_err(BenchError::new)?;
            }
            Ok(())
        }),
    ])
}

fn json(
    engine: &PluginEngine,
    fixture: &weir_json::fixtures::Fixture,
) -> Result<Vec<Measurement>, BenchError> {
    let texts = fixture.texts(ROWS * BATCHES, SEED);
    let values = texts.iter().map(|text| serde_json::from_slice(text));
    let values = values.collect::<Result<Vec<serde_json::Value>, _>>();
    let values = values.map_err(BenchError::new)?;
    let schemas = Arc::new(OneSchema::json(&fixture.schema));
    let mut component = Component::new(engine, ("json", "json-schema"), &schemas, &texts)?;
    let shape = Shape(format!("encode/json {}", fixture.name));
    let mut turns = values.chunks(ROWS).cycle();
    let columns = component.batches.clone();
    let mut columns = columns.iter().cycle();
    measure(vec![
        component.way(&shape, &[SERDE, ARROW]),
        row_encoder(&shape, ARROW, move |out| {
            let mut writer = LineDelimitedWriter::new(out);
            let rows = &next(&mut columns).rows;
            writer.write(rows).map_err(BenchError::new)?;
            writer.finish().map_err(BenchError::new)
        }),
        row_encoder(&shape, SERDE, move |out| {
            for value in turns.next().unwrap_or_default() {
                serde_json::to_writer(&mut *out, value).map_err(BenchError::new)?;
            }
            Ok(())
        }),
    ])
}

/// The built-in serializer of a format, with the rows that its deserializer makes of messages.
struct Component {
    serializer: Serializer,
    batches: Vec<Rows>,
}

impl Component {
    fn new(
        engine: &PluginEngine,
        (reader, writer): (&str, &str),
        schemas: &Arc<OneSchema>,
        messages: &[Vec<u8>],
    ) -> Result<Self, BenchError> {
        let mut deserializer = open(engine, reader, schemas)?;
        let mut batches = Vec::with_capacity(BATCHES);
        for messages in messages.chunks(ROWS) {
            let decoded = deserializer
                .decode(&batch(messages))
                .map_err(BenchError::new)?;
            batches.extend(decoded.rows);
        }
        let plugin = Plugin::load_serializer(engine, writer).map_err(BenchError::new)?;
        let schemas = Arc::clone(schemas);
        let serializer = Serializer::open(
            &plugin,
            Part::Value,
            &json!({ "use.latest.version": true }),
            schemas,
            Limits::default(),
        );
        Ok(Self {
            serializer: serializer.map_err(BenchError::new)?,
            batches,
        })
    }

    fn way<'a>(&'a mut self, shape: &Shape, against: &[&str]) -> Way<'a> {
        let topic: Arc<str> = "bench".into();
        let source = TopicPartition {
            topic: Arc::clone(&topic),
            partition: 0,
        };
        let offsets = Arc::new((0..).take(ROWS).collect());
        let mut turns = self.batches.iter().cycle();
        let serializer = &mut self.serializer;
        let run: Run<'a> = Box::new(move || {
            let rows = &next(&mut turns).rows;
            let encoded = serializer.encode(&topic, rows, &source, &offsets);
            let encoded = encoded.map_err(BenchError::new)?;
            match &encoded.parts[..] {
                [part] if encoded.errors.is_empty() => {
                    std::hint::black_box(part);
                    Ok(())
                }
                _ => Err(BenchError::new("not all rows were encoded")),
            }
        });
        shape.way(COMPONENT, against, run)
    }
}

fn row_encoder<'a>(
    shape: &Shape,
    name: &str,
    mut encode: impl FnMut(&mut Vec<u8>) -> Result<(), BenchError> + 'a,
) -> Way<'a> {
    let mut out = Vec::new();
    let run: Run<'a> = Box::new(move || {
        out.clear();
        encode(&mut out)?;
        std::hint::black_box(&out);
        Ok(())
    });
    shape.way(name, &[], run)
}

//! Arbitrary bytes through the built-in deserializers as components, in the runtime that pipelines
//! have: schemas and messages that nobody would write, each beside good ones.
//!
//! A few seconds of it are a test; `WEIR_ARBITRARY_SECONDS=600` makes it last, with another seed each
//! time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use weir_guest::random::Random;

use super::{Deserializer, Limits, Part, Plugin, PluginEngine};
use crate::batch::{BatchBuilder, Capacity, MessageBatch, TopicPartition};
use crate::schemas::{Registered, Schema, SchemaError, SchemaSource, SchemaType};

/// The schema that good messages have.
const GOOD: u32 = 1;
/// Schemas that are made up in each round.
const MADE_UP: u32 = 5;
/// Rounds of a test.
const ROUNDS: u32 = 100;
/// Good messages of a round; as many others are between them.
const MESSAGES: usize = 24;

/// A format, its schema, and payloads of it without the id.
struct Format {
    plugin: &'static str,
    schema_type: SchemaType,
    schema: String,
    payloads: Vec<Vec<u8>>,
}

fn formats() -> Vec<Format> {
    let mut all = Vec::new();
    for fixture in weir_avro::fixtures::all() {
        all.push(Format {
            plugin: "avro",
            schema_type: SchemaType::Avro,
            payloads: fixture.datums(200, 3).unwrap(),
            schema: fixture.schema,
        });
    }
    for fixture in weir_protobuf::fixtures::all() {
        all.push(Format {
            plugin: "protobuf",
            schema_type: SchemaType::Protobuf,
            schema: (fixture.schema)(),
            payloads: fixture.messages(200, 3),
        });
    }
    for fixture in weir_json::fixtures::all() {
        all.push(Format {
            plugin: "json",
            schema_type: SchemaType::Json,
            payloads: fixture.texts(200, 3),
            schema: fixture.schema,
        });
    }
    all
}

/// Schemas by id, of which those that are made up change.
#[derive(Debug)]
struct Schemas {
    schema_type: SchemaType,
    texts: Mutex<HashMap<u32, String>>,
}

impl SchemaSource for Schemas {
    fn by_id(&self, id: u32) -> Result<Schema, SchemaError> {
        let texts = self.texts.lock().unwrap();
        let text = texts.get(&id).cloned();
        Ok(Schema {
            schema_type: self.schema_type,
            text: text.ok_or_else(|| SchemaError::NotFound("no such id".to_owned()))?,
            references: Vec::new(),
        })
    }

    fn latest(&self, subject: &str) -> Result<Registered, SchemaError> {
        Err(SchemaError::NotFound(subject.to_owned()))
    }
}

/// Changes some bytes, cuts some out, repeats some, or makes all anew.
fn mutated(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let len = u32::try_from(bytes.len()).unwrap();
        let (from, to) = (random.below(len + 1), random.below(len + 1));
        let (from, to) = (from.min(to) as usize, from.max(to) as usize);
        match random.below(7) {
            0 if len > 0 => bytes[from.min(len as usize - 1)] ^= 1 << random.below(8),
            1 if len > 0 => bytes[from.min(len as usize - 1)] = random.next().to_le_bytes()[0],
            2 => bytes.truncate(from),
            3 => drop(bytes.drain(from..to.min(from + 8))),
            4 => {
                let again = bytes[from..to.min(from + 40)].to_vec();
                bytes.splice(to..to, again);
            }
            5 => bytes.splice(from..from, [0xff; 9]).for_each(drop),
            _ => {
                let long = (0..random.below(40)).map(|_| random.next().to_le_bytes()[0]);
                bytes.splice(from..from, long).for_each(drop);
            }
        }
    }
    bytes
}

fn framed(id: u32, payload: &[u8]) -> Vec<u8> {
    [&[0][..], &id.to_be_bytes(), payload].concat()
}

fn batch(values: &[Vec<u8>]) -> MessageBatch {
    let source = TopicPartition {
        topic: "arbitrary".into(),
        partition: 0,
    };
    let mut builder = BatchBuilder::new(source, Capacity::default());
    for (offset, value) in (0..).zip(values) {
        assert!(builder.push(offset, offset, None, Some(value)));
    }
    builder.finish()
}

/// Each message's row, if it is one.
fn rows(decoder: &mut Deserializer, values: &[Vec<u8>]) -> Vec<Result<RecordBatch, String>> {
    let decoded = decoder.decode(&batch(values)).unwrap();
    let mut all: Vec<Option<Result<RecordBatch, String>>> = vec![None; values.len()];
    let mut put = |offset: i64, what| {
        let place = &mut all[usize::try_from(offset).unwrap()];
        assert!(place.replace(what).is_none(), "message {offset} twice");
    };
    for rows in &decoded.rows {
        for (row, offset) in rows.offsets().enumerate() {
            put(offset, Ok(rows.rows.slice(row, 1)));
        }
    }
    for error in decoded.errors {
        put(error.offset, Err(error.reason));
    }
    all.into_iter().map(|it| it.expect("an answer")).collect()
}

struct Pair {
    format: Format,
    schemas: Arc<Schemas>,
    /// One for all rounds.
    decoder: Deserializer,
    /// What good messages become.
    expected: Vec<RecordBatch>,
}

impl Pair {
    fn open(plugin: &Plugin, format: Format) -> Self {
        let schemas = Arc::new(Schemas {
            schema_type: format.schema_type,
            texts: Mutex::new(HashMap::from([(GOOD, format.schema.clone())])),
        });
        let open = || {
            let (options, source) = (serde_json::json!({}), Arc::clone(&schemas));
            Deserializer::open(plugin, Part::Value, &options, source, Limits::default()).unwrap()
        };
        let good: Vec<_> = format.payloads.iter().map(|it| framed(GOOD, it)).collect();
        let expected = rows(&mut open(), &good);
        let expected = expected.into_iter().map(Result::unwrap).collect();
        Self {
            decoder: open(),
            format,
            schemas,
            expected,
        }
    }

    /// Good messages with others between them. Returns how many of the others were rows.
    fn round(&mut self, random: &mut Random) -> usize {
        for id in 0..MADE_UP {
            let text = mutated(self.format.schema.as_bytes(), random);
            let text = String::from_utf8_lossy(&text).into_owned();
            // A new id each time: a schema's text never changes.
            let id = GOOD + 1 + id + (random.below(1 << 20) << 8);
            self.schemas.texts.lock().unwrap().insert(id, text);
        }
        let known: Vec<u32> = self.schemas.texts.lock().unwrap().keys().copied().collect();
        let count = u32::try_from(self.format.payloads.len()).unwrap();
        let (mut values, mut chosen) = (Vec::new(), Vec::new());
        for _ in 0..MESSAGES {
            let good = random.below(count) as usize;
            chosen.push(good);
            values.push(framed(GOOD, &self.format.payloads[good]));
            let payload = &self.format.payloads[random.below(count) as usize];
            let len = u32::try_from(known.len()).unwrap();
            values.push(match random.below(4) {
                0 => mutated(&framed(GOOD, payload), random),
                1 => framed(known[random.below(len) as usize], payload),
                2 => framed(known[random.below(len) as usize], &mutated(payload, random)),
                _ => framed(GOOD, &mutated(payload, random)),
            });
        }
        let answers = rows(&mut self.decoder, &values);
        for (at, answer) in answers.iter().enumerate() {
            let shown = || format!("{} {at}: {:02x?}", self.format.plugin, values[at]);
            match answer {
                Ok(row) if at % 2 == 0 => {
                    assert_eq!(*row, self.expected[chosen[at / 2]], "{}", shown());
                }
                Ok(_) => {}
                Err(reason) => {
                    assert!(at % 2 == 1, "{reason}: {}", shown());
                    for broken in ["trapped", "ran for longer", "needs more memory"] {
                        assert!(
                            !reason.contains(&format!("the plug-in {broken}")),
                            "{reason}: {}",
                            shown()
                        );
                    }
                    assert!(
                        !reason.contains("the plug-in's answer"),
                        "{reason}: {}",
                        shown()
                    );
                }
            }
        }
        // Some, for later rounds.
        let mut texts = self.schemas.texts.lock().unwrap();
        if texts.len() > 60 {
            texts.retain(|id, _| *id == GOOD);
        }
        answers.iter().skip(1).step_by(2).flatten().count()
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "what was tried, for who lets it last")]
fn arbitrary_bytes_break_nothing() {
    let seconds = std::env::var("WEIR_ARBITRARY_SECONDS").ok();
    let seconds: Option<u64> = seconds.map(|seconds| seconds.parse().expect("a number"));
    let started = Instant::now();
    let seed = seconds.map_or(11, |_| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.unwrap().as_secs()
    });
    let engine = PluginEngine::new(None).unwrap();
    let plugins = ["avro", "protobuf", "json"];
    let plugins = plugins.map(|name| (name, Plugin::load(&engine, name).unwrap()));
    let open = |format: Format| {
        let mut plugins = plugins.iter();
        let plugin = plugins.find(|(name, _)| *name == format.plugin);
        Pair::open(&plugin.unwrap().1, format)
    };
    let mut pairs: Vec<Pair> = formats().into_iter().map(open).collect();
    let mut random = Random::new(seed);
    let (mut rounds, mut read) = (0_u32, 0);
    while seconds.map_or(rounds < ROUNDS, |seconds| {
        started.elapsed() < Duration::from_secs(seconds)
    }) {
        let pair = random.below(u32::try_from(pairs.len()).unwrap());
        read += pairs[pair as usize].round(&mut random);
        rounds += 1;
    }
    let arbitrary = rounds as usize * MESSAGES;
    assert!(read > 0 && read < arbitrary, "{read} of {arbitrary}");
    println!("seed {seed}: {rounds} batches, {arbitrary} arbitrary messages, {read} of them rows");
}

//! One week of real earthquakes as Avro messages, in the order in which they were reported.
//!
//! The source and its licence (public domain) are in `data/README.md`. Event times are
//! truly out of order: some networks report after minutes, some after days.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};

use apache_avro::Schema;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use flate2::read::GzDecoder;

const EVENTS: &[u8] = include_bytes!("data/earthquakes.ndjson.gz");

/// The first writer schema, and its id.
const V1: (u32, &str) = (
    1,
    include_str!("../../../examples/earthquakes/earthquake-v1.avsc"),
);
/// The second writer schema: three fields more.
const V2: (u32, &str) = (
    2,
    include_str!("../../../examples/earthquakes/earthquake-v2.avsc"),
);

/// The networks that move to version 2 after a third of the messages. The others follow
/// after two thirds.
const EARLY: [&str; 2] = ["ci", "us"];

/// A message of the demo's topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoMessage {
    /// The network that reports, such as `ak`: messages of one network keep their order.
    pub key: Vec<u8>,
    /// When the report was made, in ms since the epoch; never decreasing.
    pub timestamp_ms: i64,
    /// The Confluent wire format: a zero byte, the schema id in 4 bytes, big-endian, and
    /// the Avro datum.
    pub value: Vec<u8>,
    /// The network's number, the busiest first. The remainder by the number of partitions
    /// makes a partition that is the same for equal keys, and loads few partitions evenly.
    pub lane: i32,
}

/// Why the data set cannot be made into messages. It is built in, and a test reads all of it,
/// so that this means a broken build.
#[derive(Debug, thiserror::Error)]
pub enum DataSetError {
    /// The compressed text cannot be read.
    #[error("the built-in data set: {0}")]
    Text(#[from] std::io::Error),
    /// A line is not a JSON object with the expected fields.
    #[error("the built-in data set: {0}")]
    Json(#[from] serde_json::Error),
    /// A schema cannot be parsed, or a line does not fit its schema.
    #[error("the built-in data set: {0}")]
    Avro(Box<apache_avro::Error>),
}

impl From<apache_avro::Error> for DataSetError {
    fn from(error: apache_avro::Error) -> Self {
        Self::Avro(Box::new(error))
    }
}

/// The schemas that the messages name: id and Avro text, in the order of their versions.
#[must_use]
pub fn schemas() -> Vec<(u32, String)> {
    [V1, V2].map(|(id, text)| (id, text.to_owned())).into()
}

/// All 1,707 messages, in the order of their reports.
///
/// # Errors
/// [`DataSetError`], in a broken build only.
pub fn messages() -> Result<Vec<DemoMessage>, DataSetError> {
    let events = events()?;
    let lanes = lanes(&events);
    let schemas = [
        (V1.0, Schema::parse_str(V1.1)?),
        (V2.0, Schema::parse_str(V2.1)?),
    ];
    let count = events.len();
    let encoded = events.into_iter().enumerate().map(|(index, event)| {
        let moved = index * 3
            >= if EARLY.contains(&&*event.network) {
                count
            } else {
                2 * count
            };
        let (id, schema) = &schemas[usize::from(moved)];
        let datum = avro(event.fields).resolve(schema)?;
        let mut value = vec![0];
        value.extend(id.to_be_bytes());
        GenericDatumWriter::builder(schema)
            .build()?
            .write_value(&mut value, datum)?;
        Ok(DemoMessage {
            lane: lanes.get(&event.network).copied().unwrap_or_default(),
            key: event.network.into_bytes(),
            timestamp_ms: event.updated_at,
            value,
        })
    });
    encoded.collect()
}

struct Event {
    network: String,
    updated_at: i64,
    fields: serde_json::Value,
}

fn events() -> Result<Vec<Event>, DataSetError> {
    #[derive(serde::Deserialize)]
    struct Envelope {
        network: String,
        updated_at: i64,
    }
    let lines = BufReader::new(GzDecoder::new(EVENTS)).lines();
    lines
        .map(|line| {
            let line = line?;
            let Envelope {
                network,
                updated_at,
            } = serde_json::from_str(&line)?;
            Ok(Event {
                network,
                updated_at,
                fields: serde_json::from_str(&line)?,
            })
        })
        .collect()
}

/// The value without a schema; resolution makes enums, unions and timestamps of it.
fn avro(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Boolean(value),
        Json::Number(number) => match number.as_i64() {
            Some(value) => Value::Long(value),
            None => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(text),
        Json::Array(items) => Value::Array(items.into_iter().map(avro).collect()),
        Json::Object(fields) => Value::Record(
            fields
                .into_iter()
                .map(|(name, value)| (name, avro(value)))
                .collect(),
        ),
    }
}

fn lanes(events: &[Event]) -> HashMap<String, i32> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for event in events {
        *counts.entry(&event.network).or_default() += 1;
    }
    let mut networks: Vec<(&str, usize)> = counts.into_iter().collect();
    networks.sort_by_key(|&(network, count)| (std::cmp::Reverse(count), network));
    networks
        .into_iter()
        .map(|(network, _)| network.to_owned())
        .zip(0..)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use apache_avro::reader::datum::GenericDatumReader;

    use super::*;

    fn decoded() -> Vec<(u32, BTreeMap<String, Value>)> {
        let schemas: HashMap<u32, Schema> = schemas()
            .into_iter()
            .map(|(id, text)| (id, Schema::parse_str(&text).unwrap()))
            .collect();
        let decode = |message: DemoMessage| {
            assert_eq!(message.value[0], 0);
            let id = u32::from_be_bytes(message.value[1..5].try_into().unwrap());
            let mut datum = &message.value[5..];
            let reader = GenericDatumReader::builder(&schemas[&id]).build().unwrap();
            let Value::Record(fields) = reader.read_value(&mut datum).unwrap() else {
                panic!()
            };
            assert!(datum.is_empty());
            (id, fields.into_iter().collect())
        };
        messages().unwrap().into_iter().map(decode).collect()
    }

    fn time(fields: &BTreeMap<String, Value>, name: &str) -> i64 {
        match fields[name] {
            Value::TimestampMillis(ms) => ms,
            ref other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_message_is_read_back() {
        let rows = decoded();
        assert_eq!(rows.len(), 1_707);
        let (id, first) = &rows[0];
        assert_eq!(*id, 1);
        assert_eq!(
            first["place"],
            Value::String("81km WNW of Skagway, Alaska".to_owned())
        );
        assert_eq!(
            first["magnitude"],
            Value::Union(1, Box::new(Value::Double(2.3)))
        );
        assert_eq!(first["magnitude_type"], Value::Enum(3, "ml".to_owned()));
        assert_eq!(first["stations"], Value::Union(0, Box::new(Value::Null)));
        assert_eq!(time(first, "occurred_at"), 1_517_365_101_235);
        let Value::Record(location) = &first["location"] else {
            panic!()
        };
        assert_eq!(location[0], ("latitude".to_owned(), Value::Double(59.8411)));
        assert!(!first.contains_key("tsunami"));
        assert!(
            rows.iter()
                .any(|(_, row)| row.get("tsunami") == Some(&Value::Boolean(true)))
        );
        assert!(
            rows.iter()
                .any(|(_, row)| matches!(row.get("felt_reports"), Some(Value::Union(1, _))))
        );
        assert!(
            rows.iter()
                .any(|(_, row)| matches!(row.get("alert"), Some(Value::Union(1, _))))
        );
    }

    #[test]
    fn both_schemas_are_in_use_at_the_same_time() {
        let ids: Vec<u32> = decoded().into_iter().map(|(id, _)| id).collect();
        let share = |ids: &[u32]| ids.iter().filter(|&&id| id == 2).count() * 100 / ids.len();
        assert_eq!(share(&ids[..569]), 0);
        assert!((10..60).contains(&share(&ids[569..1_138])));
        assert_eq!(share(&ids[1_138..]), 100);
    }

    #[test]
    fn reports_are_in_order_and_events_are_not() {
        let reported: Vec<i64> = messages().unwrap().iter().map(|m| m.timestamp_ms).collect();
        assert!(reported.is_sorted());
        let rows = decoded();
        let mut latest = i64::MIN;
        let mut behind = 0;
        for ((_, row), reported) in rows.iter().zip(reported) {
            assert_eq!(time(row, "updated_at"), reported);
            let occurred = time(row, "occurred_at");
            assert!(occurred < reported);
            behind += usize::from(occurred < latest);
            latest = latest.max(occurred);
        }
        assert_eq!(behind, 1_295);
    }

    #[test]
    fn lanes_follow_keys_and_fill_the_partitions() {
        let mut lanes: BTreeMap<Vec<u8>, i32> = BTreeMap::new();
        let mut partitions = [0; 4];
        for message in messages().unwrap() {
            assert_eq!(
                *lanes.entry(message.key).or_insert(message.lane),
                message.lane
            );
            partitions[usize::try_from(message.lane % 4).unwrap()] += 1;
        }
        assert_eq!(lanes.len(), 12);
        assert_eq!(lanes[b"ci".as_slice()], 0);
        assert!(
            partitions.iter().all(|&count| count > 250),
            "{partitions:?}"
        );
    }
}

//! What it costs to hand messages to a component: columns that it asks for, columns as
//! arguments, and a list of records.

use std::sync::Arc;

use super::timing::{Way, measure};
use super::{BenchError, Measurement};
use crate::batch::{BatchBuilder, Capacity, MessageBatch, TopicPartition};
use crate::plugin::{CrossingGuest, CrossingMessage, PluginEngine, Reads};

/// Sizes of batches.
const BATCHES: [usize; 4] = [1, 100, 1_000, 10_000];
/// Bytes of each value.
const VALUE_BYTES: usize = 200;
const KEY: &[u8] = b"customer-123";
const HEADERS: [(&[u8], &[u8]); 2] = [(b"trace-id", b"00f067aa0ba902b7"), (b"source", b"checkout")];

/// One way of handing a batch to the guest.
type Form<'a> = Box<dyn FnMut(&mut CrossingGuest) -> wasmtime::Result<u64> + 'a>;

/// Measures batches of 200-byte values with a key and two headers each, and the empty call.
///
/// # Errors
/// When the forms do not agree on what they read.
pub fn run(engine: &PluginEngine) -> Result<Vec<Measurement>, BenchError> {
    let mut guest = CrossingGuest::new(engine).map_err(BenchError::new)?;
    let empty = Way {
        name: "crossing/empty call".into(),
        baselines: Vec::new(),
        records: 1,
        run: Box::new(|| guest.empty().map_err(BenchError::new)),
    };
    let mut all = measure(vec![empty])?;
    for rows in BATCHES {
        all.extend(batch(engine, rows)?);
    }
    Ok(all)
}

fn batch(engine: &PluginEngine, rows: usize) -> Result<Vec<Measurement>, BenchError> {
    let values: Vec<Vec<u8>> = (0..rows)
        .map(|row| {
            (0..VALUE_BYTES)
                .map(|at| u8::try_from((row * 31 + at * 7) % 256).unwrap_or(0))
                .collect()
        })
        .collect();
    let (columns, capacity) = pack(&values, Capacity::default());
    let records = Arc::new(records(&values));
    let mut guests: Vec<CrossingGuest> = (0..8)
        .map(|_| CrossingGuest::new(engine))
        .collect::<Result<_, _>>()
        .map_err(BenchError::new)?;
    let sums = [
        guests[0]
            .lend(&columns, Reads::All, true)
            .map_err(BenchError::new)?,
        guests[0].pass(&columns, true).map_err(BenchError::new)?,
        guests[0].records(&records, true).map_err(BenchError::new)?,
    ];
    if sums[0] != sums[1] || sums[0] != sums[2] {
        return Err(BenchError::new(format!(
            "the forms read different messages: {sums:?}"
        )));
    }

    let name = |what: &str| format!("crossing/{rows} a batch/{what}");
    let baseline = name("list of records");
    let (columns, records, values) = (&columns, &records, &values);
    let forms: Vec<(&str, Form<'_>)> = vec![
        (
            "columns, none read",
            Box::new(|g| g.lend(columns, Reads::Nothing, false)),
        ),
        (
            "columns, headers read",
            Box::new(|g| g.lend(columns, Reads::Headers, false)),
        ),
        (
            "columns, values read",
            Box::new(|g| g.lend(columns, Reads::Values, false)),
        ),
        (
            "columns, all read",
            Box::new(|g| g.lend(columns, Reads::All, false)),
        ),
        (
            "columns, all read and looked at",
            Box::new(|g| g.lend(columns, Reads::All, true)),
        ),
        ("columns as arguments", Box::new(|g| g.pass(columns, false))),
        (
            "packing and columns, all read",
            Box::new(|g| g.lend(&pack(values, capacity).0, Reads::All, false)),
        ),
        ("list of records", Box::new(|g| g.records(records, false))),
    ];
    let mut ways = Vec::with_capacity(forms.len());
    for ((what, mut form), guest) in forms.into_iter().zip(&mut guests) {
        let name = name(what);
        ways.push(Way {
            baselines: (name != baseline)
                .then(|| baseline.clone())
                .into_iter()
                .collect(),
            name,
            records: rows,
            run: Box::new(move || form(guest).map(drop).map_err(BenchError::new)),
        });
    }
    measure(ways)
}

fn pack(values: &[Vec<u8>], capacity: Capacity) -> (MessageBatch, Capacity) {
    let source = TopicPartition {
        topic: "bench".into(),
        partition: 0,
    };
    let mut builder = BatchBuilder::new(source, capacity);
    // A consumer does not know how long they are before it sees them.
    let (key, headers) = std::hint::black_box((KEY, HEADERS));
    for (offset, value) in (0..).zip(values) {
        let fits = builder.push(offset, offset, Some(key), Some(value));
        assert!(fits, "the benchmark's batches are small");
        for (name, value) in headers {
            builder.push_header(name, Some(value));
        }
    }
    builder.finish_with_capacity()
}

fn records(values: &[Vec<u8>]) -> Vec<CrossingMessage> {
    let record = |(offset, value): (i64, &Vec<u8>)| CrossingMessage {
        key: Some(KEY.to_vec()),
        value: Some(value.clone()),
        headers: HEADERS
            .map(|(name, value)| (name.to_vec(), Some(value.to_vec())))
            .to_vec(),
        timestamp: offset,
        offset,
    };
    (0..).zip(values).map(record).collect()
}

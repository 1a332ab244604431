//! What tracking event time costs: the pass over a batch, and bringing the combined watermark up
//! to date.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, RecordBatch, TimestampMicrosecondArray};

use super::timing::{Way, measure};
use super::{BenchError, Measurement};
use crate::batch::{BatchBuilder, Capacity, TopicPartition};
use crate::config::{ColumnUnit, EventTimeFrom};
use crate::event_time::{
    Bounds, EventTime, Observation, PartitionId, Settings, Times, Tracker, event_times,
};
use crate::rows::{ColumnPath, RowOrigins, Rows};

/// Rows in a batch.
const ROWS: i64 = 1_000;
/// Different batches, which repeat.
const BATCHES: i64 = 16;
/// Numbers of partitions.
const PARTITIONS: [usize; 3] = [10, 1_000, 10_000];
/// Updates in one call, so that the clock is not what is measured.
const UPDATES: usize = 1_000;

/// Measures all that a batch of 1,000 costs a pipeline, with the records' own timestamps and with a
/// column of timestamps; the pass over it alone, with nothing and with a tenth late; and one batch
/// of one partition among up to 10,000.
///
/// # Errors
/// When rows cannot be made.
pub fn run() -> Result<Vec<Measurement>, BenchError> {
    let batches: Vec<Times> = (0..BATCHES)
        .map(|batch| {
            let rows = 0..ROWS;
            Times::new(
                rows.map(|row| 10_000 + row * 7_919 % 1_000 + batch)
                    .collect(),
            )
        })
        .collect();
    let scan = |what: &str, watermark| {
        let bounds = Bounds::new(Some(watermark), None, Some(1_000_000));
        let mut turns = batches.iter().cycle();
        Way {
            name: format!("event-time/pass over a batch of 1,000, {what}"),
            baselines: Vec::new(),
            records: 1_000,
            run: Box::new(move || {
                if let Some(times) = turns.next() {
                    black_box(bounds.scan(black_box(times)));
                }
                Ok(())
            }),
        }
    };
    let rows = (0..BATCHES).map(rows).collect::<Result<Vec<_>, _>>()?;
    let column = EventTimeFrom::Column {
        path: ColumnPath::new("at"),
        unit: ColumnUnit::Millis,
    };
    let tracked = |what: &str, from: EventTimeFrom| {
        let event_time = EventTime::new(settings(), None, 1_000_000, Instant::now());
        let source = source();
        event_time.assign(1, source);
        let mut turns = rows.iter().cycle();
        Way {
            name: format!("event-time/tracking by {what}, batches of 1,000"),
            baselines: Vec::new(),
            records: 1_000,
            run: Box::new(move || {
                let Some(rows) = turns.next() else {
                    return Ok(());
                };
                event_time.read(1);
                let times = event_times(&from, black_box(rows)).map_err(BenchError::new)?;
                let bounds = event_time.bounds(1, None, 1_000_000);
                let scan = bounds.scan(&times);
                black_box(event_time.observe(1, &scan, None));
                Ok(())
            }),
        }
    };
    let mut ways = vec![
        tracked("record timestamps", EventTimeFrom::Timestamp),
        tracked("a column", column),
        scan("none late", 9_000),
        scan("a tenth late", 10_100),
    ];
    for partitions in PARTITIONS {
        let mut partitioned = Partitioned::new(partitions);
        ways.push(Way {
            name: format!("event-time/one update, {partitions} partitions"),
            baselines: Vec::new(),
            records: UPDATES,
            run: Box::new(move || {
                partitioned.update();
                Ok(())
            }),
        });
    }
    measure(ways)
}

fn settings() -> Settings {
    Settings {
        max_out_of_orderness: 1_000,
        idle_timeout: Some(Duration::from_secs(30)),
    }
}

fn source() -> TopicPartition {
    TopicPartition {
        topic: "orders".into(),
        partition: 0,
    }
}

/// A batch with a column `at` of timestamps in µs, and the same timestamps in its records.
fn rows(batch: i64) -> Result<Rows, BenchError> {
    let times = (0..ROWS).map(|row| 10_000 + row * 7_919 % 1_000 + batch);
    let mut messages = BatchBuilder::new(source(), Capacity::default());
    for (offset, time) in (0..).zip(times.clone()) {
        if !messages.push(offset, time, None, Some(b"")) {
            return Err(BenchError::new("a batch is full"));
        }
    }
    let at = TimestampMicrosecondArray::from_iter_values(times.map(|ms| ms * 1_000));
    let at: ArrayRef = Arc::new(at);
    Ok(Rows {
        rows: RecordBatch::try_from_iter([("at", at)]).map_err(BenchError::new)?,
        messages: messages.finish().envelopes(),
        origins: RowOrigins::Identity,
        event_times: None,
        watermark: None,
        encoded: Default::default(),
        tombstones: None,
    })
}

/// Partitions that move on in turns, each at its own pace, so that their order changes.
struct Partitioned {
    tracker: Tracker,
    ids: Vec<PartitionId>,
    state: u64,
    now: Duration,
    time: i64,
}

impl Partitioned {
    fn new(count: usize) -> Self {
        let mut tracker = Tracker::new(settings());
        let ids = (0..count).map(|_| tracker.assign(Duration::ZERO)).collect();
        Partitioned {
            tracker,
            ids,
            state: 1,
            now: Duration::ZERO,
            time: 0,
        }
    }

    fn update(&mut self) {
        for _ in 0..UPDATES {
            // Knuth's MMIX generator: its upper bits are random enough.
            self.state = self
                .state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let random = usize::try_from(self.state >> 33).unwrap_or(0);
            let id = self.ids[random % self.ids.len()];
            self.now += Duration::from_micros(1);
            self.time += 1;
            let ahead = i64::try_from(self.state >> 54).unwrap_or(0);
            let observation = Observation {
                max: Some(self.time + ahead),
                watermark: None,
            };
            self.tracker.read(id, self.now);
            black_box(self.tracker.observe(id, self.now, &observation));
        }
    }
}

//! What is read, and from where to where: topics, partitions, and the modes to start and stop.

mod group;
mod offsets;
mod times;
mod topics;
mod transactions;

use std::ops::Range;
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_tests::records::produce;
use weir_tests::registry::Registry;
use weir_tests::weir::{Project, Running};
use weir_tests::{Broker, orders};

const PATIENCE: Duration = Duration::from_secs(60);

const NONE: [i64; 0] = [];

/// A registry that has the schema of orders, and its id.
struct Orders {
    registry: Registry,
    id: u32,
}

impl Orders {
    fn start() -> Self {
        let (registry, id) = orders::registry();
        Self { registry, id }
    }

    /// A pipeline named `name`, so in the group `weir-<name>`. `source` has the keys of the
    /// source that a test is about, one a line.
    fn pipeline(&self, broker: &dyn Broker, name: &str, source: &[&str]) -> String {
        let source: String = source.iter().map(|line| format!("  {line}\n")).collect();
        format!(
            "name: {name}
source:
  bootstrap.servers: {}
{source}{}schema.registry.url: {}
deserializer: avro
",
            broker.brokers(),
            broker.source_keys(),
            self.registry.url()
        )
    }

    /// The ids that a pipeline reads until it ends by itself, sorted.
    fn read(&self, broker: &dyn Broker, name: &str, source: &[&str]) -> Vec<i64> {
        let yaml = self.pipeline(broker, name, source);
        sorted(&Project::new().run(&yaml).finish().with_code(0).rows())
    }

    /// Ten orders on each partition: partition 2 has those from 20 to 29.
    fn tens(&self, broker: &dyn Broker, topic: &str, partitions: i32) {
        broker.create_topic(topic, partitions);
        let records = (0..partitions).flat_map(|partition| {
            let first = i64::from(partition) * 10;
            let records = orders::records(topic, self.id, first..first + 10);
            records.into_iter().map(move |r| r.partition(partition))
        });
        produce(broker.brokers(), &records.collect::<Vec<_>>());
    }
}

fn sorted(rows: &[Value]) -> Vec<i64> {
    let mut ids: Vec<i64> = rows.iter().map(orders::id).collect();
    ids.sort_unstable();
    ids
}

fn ids(range: Range<i64>) -> Vec<i64> {
    range.collect()
}

fn in_all<const N: usize>(ranges: [Range<i64>; N]) -> Vec<i64> {
    ranges.into_iter().flatten().collect()
}

/// Waits until members of one group have read this many rows together.
fn wait_for_all(members: &[&Running<'_>], count: usize) {
    let deadline = Instant::now() + PATIENCE;
    let read = || members.iter().map(|m| m.rows().len()).sum::<usize>();
    while read() < count {
        assert!(
            Instant::now() < deadline,
            "{} rows of {count}\n{}",
            read(),
            members.iter().map(|m| m.stderr()).collect::<String>()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

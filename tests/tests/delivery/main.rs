//! Nothing is lost: whoever stops, crashes, joins, leaves, is slow or is down.

mod backlog;
mod crash;
mod faults;
mod group;
mod log;
mod offsets;
mod signals;

use std::collections::BTreeSet;

use serde_json::Value;
use weir_tests::registry::Registry;
use weir_tests::{Broker, orders};

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

    /// A pipeline of a topic, in the group `weir-<topic>`, that goes on for ever and commits
    /// often. `source` has more keys of the source.
    fn pipeline(&self, broker: &dyn Broker, topic: &str, source: &str) -> String {
        format!(
            "name: {topic}
source:
  bootstrap.servers: {}
  topics: [{topic}]
  commit.interval.ms: 100
{source}{}schema.registry.url: {}
deserializer: {{ value: {{ plugin: avro }} }}
",
            broker.brokers(),
            broker.source_keys(),
            self.registry.url()
        )
    }
}

fn ids(rows: &[Value]) -> Vec<i64> {
    rows.iter().map(orders::id).collect()
}

fn distinct(rows: &[Value]) -> BTreeSet<i64> {
    rows.iter().map(orders::id).collect()
}

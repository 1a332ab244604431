//! The brokers that are measured against: given ones, or one in this process.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use super::BenchError;
use crate::demo::cluster::EmbeddedCluster;
use crate::demo::publisher::prepare_topic;

/// Brokers, and topics of a name that nobody else has.
pub(super) struct Cluster {
    embedded: Option<EmbeddedCluster>,
    address: String,
    prefix: String,
    topics: Cell<u32>,
}

impl Cluster {
    pub(super) fn open(brokers: Option<&str>) -> Result<Self, BenchError> {
        let embedded = match brokers {
            Some(_) => None,
            None => Some(EmbeddedCluster::start().map_err(BenchError::new)?),
        };
        let address = brokers.or(embedded.as_ref().map(EmbeddedCluster::brokers));
        let started = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(BenchError::new)?;
        Ok(Self {
            address: address.unwrap_or_default().to_owned(),
            embedded,
            prefix: format!("weir-bench-{}-{}", std::process::id(), started.as_millis()),
            topics: Cell::new(0),
        })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// In names of measurements.
    pub(super) fn kind(&self) -> &'static str {
        match self.embedded {
            Some(_) => "embedded broker",
            None => "broker",
        }
    }

    /// How many messages of so many bytes to measure with: the embedded broker's partitions
    /// hold 5 MiB each.
    pub(super) fn messages(&self, bytes: usize, partitions: i32) -> usize {
        /// What a real broker gets.
        const MOST: usize = 1_000_000;
        const MOST_BYTES: usize = 300 << 20;
        let most = match self.embedded {
            Some(_) => (3 << 20) * usize::try_from(partitions).unwrap_or(1),
            None => MOST_BYTES,
        };
        (most / bytes.max(1)).min(MOST)
    }

    /// Makes a topic.
    pub(super) fn topic(&self, partitions: i32) -> Result<String, BenchError> {
        let number = self.topics.get();
        self.topics.set(number + 1);
        let topic = format!("{}-{number}", self.prefix);
        match &self.embedded {
            Some(cluster) => cluster
                .create_topic(&topic, partitions)
                .map_err(BenchError::new)?,
            None => {
                prepare_topic(&self.address, &topic, partitions).map_err(BenchError::new)?;
            }
        }
        Ok(topic)
    }
}

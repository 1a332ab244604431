//! librdkafka's mock cluster: an embedded broker for tests without Java.
//!
//! Never assert exactly-once on it: it shows aborted records and does not fence.
//! A partition keeps 5 MiB or 100,000 batches, whichever is less.

use std::time::Duration;

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use weir::demo::cluster::EmbeddedCluster;

/// A mock cluster; it goes when dropped.
pub struct Mock(EmbeddedCluster);

impl Mock {
    /// A cluster of one broker.
    #[must_use]
    pub fn start() -> Self {
        Self::with_brokers(1)
    }

    /// A cluster of `count` brokers, numbered from 1.
    ///
    /// # Panics
    ///
    /// If librdkafka cannot open its listeners on loopback.
    #[must_use]
    pub fn with_brokers(count: u16) -> Self {
        Self(EmbeddedCluster::with_brokers(count).expect("the mock cluster starts"))
    }

    /// The cluster's `bootstrap.servers`.
    #[must_use]
    pub fn brokers(&self) -> &str {
        self.0.brokers()
    }

    /// Creates a topic, replicated once; the mock has no CreateTopics request.
    ///
    /// # Panics
    ///
    /// If there is one of that name.
    pub fn create_topic(&self, name: &str, partitions: i32) {
        self.0
            .create_topic(name, partitions)
            .expect("the topic is created");
    }

    /// Fails the next requests of the kind `key`, one for each error, in that order.
    pub fn fail_requests(&self, key: RDKafkaApiKey, errors: &[RDKafkaRespErr]) {
        self.0.mock().request_errors(key, errors);
    }

    /// Fails every request for a topic until called with `RD_KAFKA_RESP_ERR_NO_ERROR`.
    ///
    /// # Panics
    ///
    /// If there is no such topic.
    pub fn fail_topic(&self, topic: &str, error: RDKafkaRespErr) {
        self.0
            .mock()
            .topic_error(topic, error)
            .expect("the topic exists");
    }

    /// Cuts all connections of a broker and refuses new ones.
    ///
    /// # Panics
    ///
    /// If there is no such broker.
    pub fn broker_down(&self, id: i32) {
        self.0.mock().broker_down(id).expect("the broker exists");
    }

    /// Takes connections again after [`Mock::broker_down`].
    ///
    /// # Panics
    ///
    /// If there is no such broker.
    pub fn broker_up(&self, id: i32) {
        self.0.mock().broker_up(id).expect("the broker exists");
    }

    /// Delays every answer of a broker.
    ///
    /// # Panics
    ///
    /// If there is no such broker.
    pub fn slow_down(&self, id: i32, delay: Duration) {
        self.0
            .mock()
            .broker_round_trip_time(id, delay)
            .expect("the broker exists");
    }

    /// Moves the leadership of a partition to a broker, or to none.
    ///
    /// # Panics
    ///
    /// If there is no such partition or broker.
    pub fn move_leader(&self, topic: &str, partition: i32, broker: Option<i32>) {
        self.0
            .mock()
            .partition_leader(topic, partition, broker)
            .expect("the partition and the broker exist");
    }
}

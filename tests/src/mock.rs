//! librdkafka's mock cluster: an embedded broker for tests without Java.
//!
//! Never assert exactly-once on it: it shows aborted records and does not fence.
//! A partition keeps 5 MiB or 100,000 batches, whichever is less.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::bindings::{
    rd_kafka_handle_mock_cluster, rd_kafka_mock_group_initial_rebalance_delay_ms,
};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, DefaultProducerContext, Producer as _};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

/// A mock cluster; it goes when dropped.
pub struct Mock {
    owner: BaseProducer,
    brokers: String,
}

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
        let owner: BaseProducer = ClientConfig::new()
            .set("test.mock.num.brokers", count.to_string())
            .set_log_level(RDKafkaLogLevel::Emerg)
            .create()
            .expect("the mock cluster starts");
        no_rebalance_delay(&owner);
        let brokers = owner
            .client()
            .mock_cluster()
            .expect("the producer has a mock cluster")
            .bootstrap_servers();
        Self { owner, brokers }
    }

    /// The cluster's `bootstrap.servers`.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Creates a topic, replicated once; the mock has no CreateTopics request.
    ///
    /// # Panics
    ///
    /// If there is one of that name.
    pub fn create_topic(&self, name: &str, partitions: i32) {
        self.cluster()
            .create_topic(name, partitions, 1)
            .expect("the topic is created");
    }

    /// Fails the next requests of the kind `key`, one for each error, in that order.
    pub fn fail_requests(&self, key: RDKafkaApiKey, errors: &[RDKafkaRespErr]) {
        self.cluster().request_errors(key, errors);
    }

    /// Fails every request for a topic until called with `RD_KAFKA_RESP_ERR_NO_ERROR`.
    ///
    /// # Panics
    ///
    /// If there is no such topic.
    pub fn fail_topic(&self, topic: &str, error: RDKafkaRespErr) {
        self.cluster()
            .topic_error(topic, error)
            .expect("the topic exists");
    }

    /// Cuts all connections of a broker and refuses new ones.
    ///
    /// # Panics
    ///
    /// If there is no such broker.
    pub fn broker_down(&self, id: i32) {
        self.cluster().broker_down(id).expect("the broker exists");
    }

    /// Takes connections again after [`Mock::broker_down`].
    ///
    /// # Panics
    ///
    /// If there is no such broker.
    pub fn broker_up(&self, id: i32) {
        self.cluster().broker_up(id).expect("the broker exists");
    }

    /// Delays every answer of a broker.
    ///
    /// # Panics
    ///
    /// If there is no such broker.
    pub fn slow_down(&self, id: i32, delay: Duration) {
        self.cluster()
            .broker_round_trip_time(id, delay)
            .expect("the broker exists");
    }

    /// Moves the leadership of a partition to a broker, or to none.
    ///
    /// # Panics
    ///
    /// If there is no such partition or broker.
    pub fn move_leader(&self, topic: &str, partition: i32, broker: Option<i32>) {
        self.cluster()
            .partition_leader(topic, partition, broker)
            .expect("the partition and the broker exist");
    }

    fn cluster(&self) -> MockCluster<'_, DefaultProducerContext> {
        self.owner
            .client()
            .mock_cluster()
            .expect("the producer has a mock cluster")
    }
}

/// Without this, a group's first member waits 3 s for others. rdkafka does not expose it.
#[expect(unsafe_code, reason = "rdkafka does not expose the call")]
fn no_rebalance_delay(owner: &BaseProducer) {
    // SAFETY: the native client is alive while `owner` is borrowed, and it owns the
    // cluster that it hands out, which is not null because `owner` was made with one.
    unsafe {
        let cluster = rd_kafka_handle_mock_cluster(owner.client().native_ptr());
        assert!(!cluster.is_null(), "the producer has a mock cluster");
        rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
    }
}

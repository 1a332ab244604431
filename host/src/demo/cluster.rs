//! librdkafka's mock cluster as an embedded broker.
//!
//! Good for groups, commits, rebalances and injected faults. Not for transactions, offsets
//! by time, TLS or SASL: there it answers what a broker would not. A partition keeps 5 MiB or
//! 100,000 batches.

use rdkafka::ClientConfig;
use rdkafka::bindings::{
    rd_kafka_handle_mock_cluster, rd_kafka_mock_group_initial_rebalance_delay_ms,
};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, DefaultProducerContext, Producer};

/// A cluster on loopback ports, which lives as long as this value.
pub struct EmbeddedCluster {
    owner: BaseProducer,
    brokers: String,
}

impl EmbeddedCluster {
    /// Starts one broker.
    ///
    /// # Errors
    /// When librdkafka cannot open a port.
    pub fn start() -> Result<Self, KafkaError> {
        Self::with_brokers(1)
    }

    /// Starts some brokers, numbered from 1.
    ///
    /// # Errors
    /// When there are to be none, or librdkafka cannot open a port.
    pub fn with_brokers(count: u16) -> Result<Self, KafkaError> {
        let owner: BaseProducer = ClientConfig::new()
            .set("test.mock.num.brokers", count.to_string())
            .set_log_level(RDKafkaLogLevel::Emerg)
            .create()?;
        let brokers = owner
            .client()
            .mock_cluster()
            .ok_or(KafkaError::Global(RDKafkaErrorCode::InvalidArgument))?
            .bootstrap_servers();
        join_groups_at_once(&owner);
        Ok(EmbeddedCluster { owner, brokers })
    }

    /// Its `bootstrap.servers`.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Makes a topic.
    ///
    /// # Errors
    /// When there is one of that name.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), KafkaError> {
        self.mock().create_topic(name, partitions, 1)
    }

    /// librdkafka's own handle, to inject faults by.
    ///
    /// # Panics
    /// Never: a cluster without one does not start.
    #[must_use]
    pub fn mock(&self) -> MockCluster<'_, DefaultProducerContext> {
        let mock = self.owner.client().mock_cluster();
        mock.expect("the owner was started with a mock cluster")
    }
}

/// Without this the first member of a group waits three seconds for others.
#[expect(unsafe_code, reason = "rdkafka has no binding for it")]
fn join_groups_at_once(owner: &BaseProducer) {
    // SAFETY: the caller has seen that there is a cluster. It belongs to the producer, which is
    // alive; this sets a number in it.
    unsafe {
        let cluster = rd_kafka_handle_mock_cluster(owner.client().native_ptr());
        rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
    }
}

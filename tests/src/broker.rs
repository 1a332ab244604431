//! What a test needs of a broker, whichever it is.

use crate::kafka::Kafka;
use crate::mock::Mock;

/// A broker, for tests that run on the mock cluster and on Apache Kafka alike.
pub trait Broker {
    /// The `bootstrap.servers`.
    fn brokers(&self) -> &str;

    /// Creates a topic.
    fn create_topic(&self, name: &str, partitions: i32);

    /// Keys for the `source` of a pipeline file that make it quick on this broker, one a line.
    fn source_keys(&self) -> &'static str;
}

impl Broker for Mock {
    fn brokers(&self) -> &str {
        self.brokers()
    }

    fn create_topic(&self, name: &str, partitions: i32) {
        self.create_topic(name, partitions);
    }

    /// An empty fetch is not woken by a record. And a group whose last member has left takes
    /// new ones only a second before the session of the old one would end.
    fn source_keys(&self) -> &'static str {
        "  fetch.wait.max.ms: 10
  session.timeout.ms: 2000
  heartbeat.interval.ms: 200
"
    }
}

impl Broker for Kafka {
    fn brokers(&self) -> &str {
        self.brokers()
    }

    fn create_topic(&self, name: &str, partitions: i32) {
        self.create_topic(name, partitions);
    }

    fn source_keys(&self) -> &'static str {
        "  fetch.wait.max.ms: 100\n"
    }
}

/// Makes two tests of each function that takes a `&dyn Broker`: one on the mock cluster,
/// one on the Apache Kafka that the tests of a binary share.
#[macro_export]
macro_rules! on_both_brokers {
    ($($test:ident),+ $(,)?) => {
        mod on_the_mock {
            $(#[test]
            fn $test() {
                super::$test(&$crate::mock::Mock::start());
            })+
        }

        mod on_kafka {
            $(#[test]
            fn $test() {
                if let Some(kafka) = $crate::available($crate::kafka::Kafka::shared()) {
                    super::$test(kafka);
                }
            })+
        }
    };
}

//! What a test asks of its broker beyond the defaults.

use std::fmt::{self, Write as _};
use std::path::Path;

/// The `security.protocol` of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// No encryption, no authentication.
    Plaintext,
    /// TLS; with client certificates if the properties ask for them.
    Ssl,
    /// SASL without encryption.
    SaslPlaintext,
    /// SASL over TLS.
    SaslSsl,
}

/// Listeners, users and properties of a broker. The plaintext listener is always there.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub(super) listeners: Vec<(String, Protocol)>,
    pub(super) users: Vec<String>,
    pub(super) java_options: Vec<String>,
    /// Below `tests/kafka/java`.
    pub(super) java_sources: Vec<&'static str>,
    properties: Vec<(String, String)>,
}

impl Settings {
    /// Adds a listener; [`super::Kafka::brokers_of`] gives its address.
    #[must_use]
    pub fn listener(mut self, name: &str, protocol: Protocol) -> Self {
        self.listeners.push((name.to_owned(), protocol));
        self
    }

    /// Adds a SCRAM user, in the form of `kafka-storage --add-scram`:
    /// `SCRAM-SHA-512=[name=alice,password=secret]`.
    #[must_use]
    pub fn scram_user(mut self, user: &str) -> Self {
        self.users.push(user.to_owned());
        self
    }

    /// Sets a property of `server.properties`; it wins over the harness's own.
    #[must_use]
    pub fn property(mut self, key: &str, value: &str) -> Self {
        self.properties.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Adds an option of the Java machine, such as `-Djava.security.krb5.conf=…`.
    #[must_use]
    pub fn java_option(mut self, option: &str) -> Self {
        self.java_options.push(option.to_owned());
        self
    }

    /// Compiles a file below `tests/kafka/java`, for the broker to load its class.
    #[must_use]
    pub fn java_source(mut self, file: &'static str) -> Self {
        self.java_sources.push(file);
        self
    }

    pub(super) fn server_properties(
        &self,
        folder: &Path,
        controller: u16,
        plaintext: &str,
        others: &[u16],
    ) -> String {
        let mut listeners = format!("PLAINTEXT://{plaintext}");
        let mut protocols = "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT".to_owned();
        for ((name, protocol), port) in self.listeners.iter().zip(others) {
            let _ = write!(listeners, ",{name}://127.0.0.1:{port}");
            let _ = write!(protocols, ",{name}:{protocol}");
        }
        let mut text = format!(
            "\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listeners=CONTROLLER://127.0.0.1:{controller},{listeners}
advertised.listeners={listeners}
listener.security.protocol.map={protocols}
log.dirs={}
{DEFAULTS}",
            folder.join("data").display()
        );
        // The last of two equal keys wins in a Java properties file.
        for (key, value) in &self.properties {
            let _ = writeln!(text, "{key}={value}");
        }
        text
    }
}

/// The session is short because a killed broker waits for its own to expire when it returns.
const DEFAULTS: &str = "\
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=4194304
";

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        })
    }
}

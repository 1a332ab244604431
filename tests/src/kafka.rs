//! Apache Kafka itself: one node in KRaft mode, on loopback.

mod acl;
mod client;
mod listener;
mod options;
mod sasl;
mod scram;
mod secure;
mod settings;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tempfile::TempDir;

use crate::watched::Watched;
use crate::{Unavailable, ports, script};

pub use acl::{Acl, Operation, Resource};
pub use client::Client;
pub use listener::Listener;
pub use options::Options;
pub use sasl::{Mechanism, User};
pub use secure::SecureKafka;
pub use settings::{Protocol, Settings};

const READY_WITHIN: Duration = Duration::from_secs(60);
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// The heap is small and only the quick compiler runs: tests want a broker that
/// starts soon and leaves the cores to others.
const JAVA_OPTIONS: [&str; 5] = [
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
];

/// A broker with its data, on ports that stay the same over restarts.
///
/// It is stopped when dropped, and when the test process ends in any other way.
#[derive(Debug)]
pub struct Kafka {
    libs: PathBuf,
    settings: Settings,
    ports: Ports,
    folder: TempDir,
    process: Option<Watched>,
}

#[derive(Debug)]
struct Ports {
    controller: u16,
    plaintext: String,
    others: Vec<u16>,
}

impl Kafka {
    /// Starts a broker of one's own and waits until it serves.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if Java or Maven is missing, or Maven cannot resolve Kafka's jars.
    pub fn start() -> Result<Self, Unavailable> {
        Self::start_with(Settings::default())
    }

    /// The broker that all tests of this binary share; topics tell them apart.
    ///
    /// # Errors
    ///
    /// As for [`Kafka::start`].
    pub fn shared() -> Result<&'static Self, Unavailable> {
        static SHARED: OnceLock<Result<Kafka, Unavailable>> = OnceLock::new();
        SHARED
            .get_or_init(Self::start)
            .as_ref()
            .map_err(Clone::clone)
    }

    /// Starts a broker with more listeners, users or properties.
    ///
    /// # Errors
    ///
    /// As for [`Kafka::start`].
    ///
    /// # Panics
    ///
    /// If the broker does not come up; the end of its log is in the message.
    pub fn start_with(settings: Settings) -> Result<Self, Unavailable> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::start_in(folder, settings)
    }

    /// With a folder that may have files which `settings` refer to: it goes with the broker.
    fn start_in(folder: TempDir, settings: Settings) -> Result<Self, Unavailable> {
        let libs = script::path_from("kafka-libs").map_err(|reason| Unavailable {
            peer: "Apache Kafka",
            reason,
            required_by: "WEIR_REQUIRE_KAFKA",
        })?;
        let ports = Ports {
            controller: ports::free(),
            plaintext: format!("127.0.0.1:{}", ports::free()),
            others: settings.listeners.iter().map(|_| ports::free()).collect(),
        };
        let mut kafka = Self {
            libs,
            settings,
            ports,
            folder,
            process: None,
        };
        kafka.compile()?;
        kafka.format();
        kafka.restart();
        Ok(kafka)
    }

    /// The `bootstrap.servers` of the plaintext listener, which is always there.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.ports.plaintext
    }

    /// The `bootstrap.servers` of the listener `name` of [`Settings::listener`].
    ///
    /// # Panics
    ///
    /// If there is no such listener.
    #[must_use]
    pub fn brokers_of(&self, name: &str) -> String {
        let mut listeners = self.settings.listeners.iter().zip(&self.ports.others);
        let (_, port) = listeners
            .find(|((listener, _), _)| listener == name)
            .unwrap_or_else(|| panic!("no listener {name}"));
        format!("127.0.0.1:{port}")
    }

    /// Creates a topic and waits until its partitions have a leader.
    pub fn create_topic(&self, name: &str, partitions: i32) {
        self.create_topic_with(name, partitions, &[]);
    }

    /// As [`Kafka::create_topic`], with the topic's own properties, such as `cleanup.policy`.
    ///
    /// # Panics
    ///
    /// If the broker refuses.
    pub fn create_topic_with(&self, name: &str, partitions: i32, properties: &[(&str, &str)]) {
        let admin: AdminClient<DefaultClientContext> =
            self.client().create().expect("an admin client");
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in properties {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(10)));
        let results =
            block_on(admin.create_topics([&topic], &options)).expect("the broker answers");
        for result in results {
            result.unwrap_or_else(|(topic, error)| panic!("cannot create {topic}: {error}"));
        }
    }

    /// Deletes a topic, and waits until its name is free again.
    ///
    /// # Panics
    ///
    /// If the broker refuses, or the topic is still there after some time.
    pub fn delete_topic(&self, name: &str) {
        let admin: AdminClient<DefaultClientContext> =
            self.client().create().expect("an admin client");
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(10)));
        let results = block_on(admin.delete_topics(&[name], &options)).expect("the broker answers");
        for result in results {
            result.unwrap_or_else(|(topic, error)| panic!("cannot delete {topic}: {error}"));
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        let is_there = || {
            let all = admin.inner().fetch_metadata(None, Duration::from_secs(10));
            let all = all.expect("the broker answers");
            all.topics().iter().any(|topic| topic.name() == name)
        };
        while is_there() {
            assert!(Instant::now() < deadline, "{name} is still there");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops the broker as an operator would, leaving data and ports for [`Kafka::restart`].
    ///
    /// # Panics
    ///
    /// If it does not stop by itself.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            assert!(
                process.stop(STOP_WITHIN),
                "the broker does not stop\n{}",
                self.log_tail()
            );
        }
    }

    /// Kills the broker with SIGKILL, leaving data and ports for [`Kafka::restart`].
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// Starts the broker again, with the same data on the same ports, and waits until it serves.
    ///
    /// # Panics
    ///
    /// If the broker does not come up; the end of its log is in the message.
    pub fn restart(&mut self) {
        self.stop();
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.expect("the broker's log opens");
        let mut command = self.java("kafka.Kafka");
        command.arg(self.properties()).stdin(Stdio::null());
        command
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log);
        self.process = Some(Watched::spawn(&mut command, self.folder.path()));
        self.wait_until_ready();
    }

    /// Gives a user of SCRAM-SHA-512 another password, while the broker runs.
    ///
    /// # Panics
    ///
    /// If the broker refuses.
    pub fn set_scram_password(&self, user: &str, password: &str) {
        scram::set_password(self.brokers(), user, password);
    }

    /// The folder in which the broker keeps its properties, data and log.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sets a property for the next [`Kafka::restart`], in place of the one that there is.
    ///
    /// # Panics
    ///
    /// If the properties cannot be written.
    pub fn set_property(&self, key: &str, value: &str) {
        let mut properties =
            std::fs::read_to_string(self.properties()).expect("the properties are readable");
        // The last of two equal keys wins in a Java properties file.
        properties.push_str(&format!("{key}={value}\n"));
        std::fs::write(self.properties(), properties).expect("the properties are written");
    }

    fn compile(&self) -> Result<(), Unavailable> {
        for source in &self.settings.java_sources {
            let output = Command::new("javac")
                .args(["-nowarn", "-d"])
                .arg(self.classes())
                .arg("-cp")
                .arg(self.libs.join("*"))
                .arg(script::root().join("tests/kafka/java").join(source))
                .output()
                .map_err(|_| Unavailable {
                    peer: "Apache Kafka with a class of its own",
                    reason: "javac is missing (scripts/setup --test installs it)".to_owned(),
                    required_by: "WEIR_REQUIRE_KAFKA",
                })?;
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{source}: {errors}");
        }
        Ok(())
    }

    fn classes(&self) -> PathBuf {
        self.folder.path().join("classes")
    }

    fn format(&self) {
        let properties = self.settings.server_properties(
            self.folder.path(),
            self.ports.controller,
            &self.ports.plaintext,
            &self.ports.others,
        );
        std::fs::write(self.properties(), properties).expect("the properties are written");
        let output = self
            .java("kafka.tools.StorageTool")
            .args([
                "format",
                "--cluster-id",
                "weir-tests-of-one-node",
                "--config",
            ])
            .arg(self.properties())
            .args(
                self.settings
                    .users
                    .iter()
                    .flat_map(|user| ["--add-scram", user]),
            )
            .output()
            .expect("java runs");
        assert!(
            output.status.success(),
            "cannot format the broker's storage: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn java(&self, class: &str) -> Command {
        let mut command = Command::new("java");
        command
            .args(JAVA_OPTIONS)
            .args(&self.settings.java_options)
            .arg("-cp")
            .arg(format!(
                "{}:{}",
                self.classes().display(),
                self.libs.join("*").display()
            ))
            .arg(class);
        command
    }

    /// Ready is when the node itself says that it is a member of the cluster and not fenced.
    fn wait_until_ready(&mut self) {
        let client: BaseConsumer = self.client().create().expect("a client");
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let ended = self.process.as_mut().and_then(Watched::ended);
            if let Some(status) = ended {
                panic!("the broker ended with {status}\n{}", self.log_tail());
            }
            let metadata = client.fetch_metadata(None, Duration::from_millis(500));
            if metadata.is_ok_and(|metadata| !metadata.brokers().is_empty()) {
                return;
            }
            if Instant::now() > deadline {
                panic!(
                    "the broker is not ready after {READY_WITHIN:?}\n{}",
                    self.log_tail()
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.brokers());
        config
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "100");
        config.set_log_level(RDKafkaLogLevel::Emerg);
        config
    }

    fn properties(&self) -> PathBuf {
        self.folder.path().join("server.properties")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("broker.log")
    }

    /// From the first error on, which a shutdown's many lines would push out.
    fn log_tail(&self) -> String {
        let log = std::fs::read(self.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let error = lines.iter().position(|line| line.contains(" ERROR "));
        let start = error.unwrap_or(lines.len().saturating_sub(40));
        lines[start..]
            .iter()
            .take(40)
            .fold(String::new(), |text, line| text + line + "\n")
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.kill();
    }
}

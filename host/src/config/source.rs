//! `source`: which topics to read, and how.

use std::time::Duration;

use regex::Regex;

use super::choice::choice;
use super::keys;
use super::librdkafka::{self, Properties};
use super::reader::{At, Given, Reader};

/// The topics to read, and how.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// `host:port`, with commas between several.
    pub bootstrap_servers: String,
    /// What to read.
    pub topics: Topics,
    /// The consumer group.
    pub group_id: String,
    /// How brokers name this client.
    pub client_id: String,
    /// Where to start.
    pub startup_mode: StartupMode,
    /// When to stop.
    pub stop_mode: StopMode,
    /// The most messages in one batch: 1 to 65,536.
    pub batch_max_rows: usize,
    /// The most bytes in one batch. A larger message is a batch of its own.
    pub batch_max_bytes: usize,
    /// How long a message waits for its batch to fill.
    pub batch_max_wait: Duration,
    /// How often offsets are committed.
    pub commit_interval: Duration,
    /// Whether records of aborted and open transactions are read.
    pub isolation_level: IsolationLevel,
    /// How long the group waits for a silent member.
    pub session_timeout: Duration,
    /// How long the group waits for a member that takes no messages.
    pub max_poll_interval: Duration,
    /// Bytes that a broker gathers before it answers.
    pub fetch_min_bytes: u32,
    /// How long a broker waits for those.
    pub fetch_wait_max: Duration,
    /// Messages per partition to keep fetched ahead.
    pub queued_min_messages: u32,
    /// The most memory for those, in KiB.
    pub queued_max_messages_kbytes: u32,
    /// How to connect.
    pub security_protocol: SecurityProtocol,
    /// Properties of librdkafka that weir has no key for.
    pub librdkafka: Properties,
}

/// Which topics to read.
#[derive(Clone, Debug)]
pub enum Topics {
    /// These; at least one, each once.
    Names(Vec<String>),
    /// All that match.
    Pattern(TopicPattern),
}

/// A regular expression for whole topic names: `orders` does not match `orders-dlq`.
#[derive(Clone, Debug)]
pub struct TopicPattern {
    /// As written in the file.
    pub pattern: String,
    /// The same, anchored at both ends.
    pub regex: Regex,
}

choice! {
    /// Where to start.
    pub enum StartupMode {
        /// At the group's committed offsets; at the earliest where it has none.
        GroupOffsets = "group-offsets",
        /// At the earliest offset, whatever the group has committed.
        Earliest = "earliest",
        /// At the latest offset, whatever the group has committed.
        Latest = "latest",
    }
}

choice! {
    /// When to stop.
    pub enum StopMode {
        /// Never.
        Never = "never",
        /// At the offsets that were the latest at the start.
        Latest = "latest",
    }
}

choice! {
    /// Which records of transactions are read.
    pub enum IsolationLevel {
        /// Those of committed transactions.
        ReadCommitted = "read_committed",
        /// All.
        ReadUncommitted = "read_uncommitted",
    }
}

choice! {
    /// How to connect to brokers.
    pub enum SecurityProtocol {
        /// Neither encrypted nor authenticated.
        Plaintext = "plaintext",
    }
}

impl Topics {
    /// Whether a topic is one of them.
    #[must_use]
    pub fn contains(&self, topic: &str) -> bool {
        match self {
            Self::Names(names) => names.iter().any(|name| name == topic),
            Self::Pattern(pattern) => pattern.regex.is_match(topic),
        }
    }
}

impl TopicPattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// What is wrong with it as a regular expression.
    pub fn new(pattern: &str) -> Result<Self, regex::Error> {
        Regex::new(pattern)?;
        Ok(Self {
            pattern: pattern.to_owned(),
            regex: Regex::new(&format!("^(?:{pattern})$"))?,
        })
    }
}

pub(super) fn read(reader: &mut Reader<'_>, pipeline: &str) -> SourceConfig {
    let config = SourceConfig {
        bootstrap_servers: servers(reader, &keys::BOOTSTRAP_SERVERS),
        topics: topics(reader),
        group_id: match reader.text(&keys::GROUP_ID) {
            Some(given) => given.value,
            None => format!("weir-{pipeline}"),
        },
        client_id: reader.string(&keys::CLIENT_ID),
        startup_mode: reader
            .choice(&keys::STARTUP_MODE)
            .unwrap_or(StartupMode::GroupOffsets),
        stop_mode: reader.choice(&keys::STOP_MODE).unwrap_or(StopMode::Never),
        batch_max_rows: reader.integer(&keys::BATCH_MAX_ROWS),
        batch_max_bytes: reader.integer(&keys::BATCH_MAX_BYTES),
        batch_max_wait: reader.millis(&keys::BATCH_MAX_WAIT),
        commit_interval: reader.millis(&keys::COMMIT_INTERVAL),
        isolation_level: reader
            .choice(&keys::ISOLATION_LEVEL)
            .unwrap_or(IsolationLevel::ReadCommitted),
        session_timeout: reader.millis(&keys::SESSION_TIMEOUT),
        max_poll_interval: reader.millis(&keys::MAX_POLL_INTERVAL),
        fetch_min_bytes: reader.integer(&keys::FETCH_MIN_BYTES),
        fetch_wait_max: reader.millis(&keys::FETCH_WAIT_MAX),
        queued_min_messages: reader.integer(&keys::QUEUED_MIN_MESSAGES),
        queued_max_messages_kbytes: reader.integer(&keys::QUEUED_MAX_KBYTES),
        security_protocol: reader
            .choice(&keys::SECURITY_PROTOCOL)
            .unwrap_or(SecurityProtocol::Plaintext),
        librdkafka: librdkafka::read(reader, &keys::SOURCE_LIBRDKAFKA),
    };
    if config.max_poll_interval < config.session_timeout {
        let key = match reader.given(&keys::MAX_POLL_INTERVAL) {
            Some(_) => &keys::MAX_POLL_INTERVAL,
            None => &keys::SESSION_TIMEOUT,
        };
        reader.contradiction(
            key,
            format!(
                "`max.poll.interval.ms` ({}) must not be smaller than `session.timeout.ms` ({})",
                config.max_poll_interval.as_millis(),
                config.session_timeout.as_millis()
            ),
        );
    }
    check_fetch_wait(reader, &config);
    config
}

/// librdkafka refuses a fetch that may outlast its connection's timeout, and needs a
/// second between the two.
fn check_fetch_wait(reader: &mut Reader<'_>, config: &SourceConfig) {
    let socket_timeout = config.librdkafka.0.get("socket.timeout.ms");
    let socket_timeout = socket_timeout.and_then(|text| text.parse().ok());
    let socket_timeout = Duration::from_millis(socket_timeout.unwrap_or(60_000));
    if config.fetch_wait_max + Duration::from_secs(1) > socket_timeout {
        let key = match reader.given(&keys::FETCH_WAIT_MAX) {
            Some(_) => &keys::FETCH_WAIT_MAX,
            None => &keys::SOURCE_LIBRDKAFKA,
        };
        let message = format!(
            "`fetch.wait.max.ms` ({}) has to be 1000 below librdkafka's `socket.timeout.ms` ({})",
            config.fetch_wait_max.as_millis(),
            socket_timeout.as_millis()
        );
        reader.contradiction(key, message);
    }
}

/// Brokers, each checked to be `host:port` or `host`.
pub(super) fn servers(reader: &mut Reader<'_>, at: impl Into<At>) -> String {
    let at = at.into();
    let servers = reader.list(at);
    for server in &servers {
        if let Err(why) = check_server(&server.value) {
            let message = format!("`{}` {why}: write host:port", server.shown);
            reader.invalid(at, server.span, message);
        }
    }
    let names: Vec<String> = servers.into_iter().map(|server| server.value).collect();
    names.join(",")
}

fn check_server(server: &str) -> Result<(), &'static str> {
    let address = match server.split_once("://") {
        Some((scheme, address)) if scheme.eq_ignore_ascii_case("plaintext") => address,
        Some(_) => return Err("is not a broker's address"),
        None => server,
    };
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (address, None),
    };
    if host.is_empty() || host.contains([' ', '/', '@']) {
        return Err("is not a broker's address");
    }
    match port.map(str::parse::<u16>) {
        None | Some(Ok(1..)) => Ok(()),
        Some(_) => Err("has a port that is not a number from 1 to 65535"),
    }
}

fn topics(reader: &mut Reader<'_>) -> Topics {
    match (
        reader.given(&keys::TOPICS),
        reader.given(&keys::TOPIC_PATTERN),
    ) {
        (Some(_), Some(_)) => {
            reader.contradiction(
                &keys::TOPIC_PATTERN,
                "given beside `topics`: keep one of the two",
            );
            Topics::Names(Vec::new())
        }
        (None, Some(_)) => pattern(reader),
        (Some(_), None) => Topics::Names(names(reader)),
        (None, None) => {
            reader.missing(
                &keys::TOPICS,
                "`topics: [orders]`, or `topic.pattern: orders-.*`",
            );
            Topics::Names(Vec::new())
        }
    }
}

fn names(reader: &mut Reader<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for topic in reader.list(&keys::TOPICS) {
        check_topic(reader, &keys::TOPICS, &topic);
        if names.contains(&topic.value) {
            let message = format!("`{}` is there twice: remove one", topic.shown);
            reader.invalid(&keys::TOPICS, topic.span, message);
        } else {
            names.push(topic.value);
        }
    }
    names
}

/// Checks Kafka's rule for topic names.
pub(super) fn check_topic(reader: &mut Reader<'_>, at: impl Into<At>, topic: &Given) {
    let at = at.into();
    let name = topic.value.as_str();
    let legal = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if !legal || name.len() > 249 || matches!(name, "." | "..") {
        let message = format!(
            "`{}` is not a topic's name: those have up to 249 letters, digits, `.`, `_` and `-`{}",
            topic.shown,
            if at.name() == keys::TOPICS.name {
                " (for a regular expression there is `topic.pattern`)"
            } else {
                ""
            }
        );
        reader.invalid(at, topic.span, message);
    }
}

fn pattern(reader: &mut Reader<'_>) -> Topics {
    let Some(given) = reader.text(&keys::TOPIC_PATTERN) else {
        return Topics::Names(Vec::new());
    };
    match TopicPattern::new(&given.value) {
        Ok(pattern) => Topics::Pattern(pattern),
        Err(error) => {
            let error = error.to_string();
            let why = error.lines().last().unwrap_or_default();
            let why = why.strip_prefix("error: ").unwrap_or(why);
            let message = format!("not a regular expression: {why}");
            reader.invalid(&keys::TOPIC_PATTERN, given.span, message);
            Topics::Names(Vec::new())
        }
    }
}

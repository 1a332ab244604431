//! `source`: which topics to read, from where to where, and how.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use regex::Regex;

use super::choice::{Choice, choice};
use super::client::{self, ClientProperties};
use super::key::{Key, Kind};
use super::keys::{connection, consumer, source as keys};
use super::metadata::{self, MetadataColumn};
use super::moment::{self, Moment};
use super::offsets::{self, PartitionOffsets};
use super::reader::{At, Given, Reader};
use super::security::{self, ConnectionKeys};

/// The topics to read, and how.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// What to read.
    pub topics: Topics,
    /// How often to look for new topics and partitions.
    pub discovery_interval: Duration,
    /// Where to start.
    pub start: Start,
    /// When to stop.
    pub stop: StopAt,
    /// The most messages in one batch: 1 to 65,536.
    pub batch_max_rows: usize,
    /// The most bytes in one batch. A larger message is a batch of its own.
    pub batch_max_bytes: usize,
    /// How long a message waits for its batch to fill.
    pub batch_max_wait: Duration,
    /// How often offsets are committed.
    pub commit_interval: Duration,
    /// How much may be read.
    pub rate_limit: RateLimit,
    /// Columns beside those of the value.
    pub metadata_columns: Vec<MetadataColumn>,
    /// The consumer group.
    pub group_id: String,
    /// How long the group waits for a silent member.
    pub session_timeout: Duration,
    /// What librdkafka is told.
    pub client: ClientProperties,
}

/// The most that may be read, or delivered, in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Messages, or rows; `None` for no limit.
    pub count: Option<u64>,
    /// Bytes of keys, values and headers; `None` for no limit.
    pub bytes: Option<u64>,
    /// What may be caught up on after a time in which the limit was not used up.
    pub burst: Duration,
}

/// Which topics to read.
#[derive(Clone, Debug)]
pub enum Topics {
    /// These; at least one, each once.
    Names(Vec<String>),
    /// All that match.
    Pattern(TopicPattern),
    /// These partitions of these topics, whatever others of the group read.
    Partitions(BTreeMap<String, BTreeSet<i32>>),
}

/// A regular expression for whole topic names: `orders` does not match `orders-dlq`.
#[derive(Clone, Debug)]
pub struct TopicPattern {
    /// As written in the file.
    pub pattern: String,
    /// The same, anchored at both ends.
    include: Regex,
    /// What is left out all the same.
    exclude: Option<Regex>,
}

/// Where to start a partition that is read for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the group's committed offset; at the earliest where it has none.
    GroupOffsets,
    /// At the earliest offset, whatever the group has committed.
    Earliest,
    /// At the latest offset, whatever the group has committed.
    Latest,
    /// At the first message of this time or later; at the latest offset where there is none.
    Timestamp(Moment),
    /// At these offsets; others as for [`Start::GroupOffsets`].
    Offsets(PartitionOffsets),
}

/// When to stop. Bounds are fixed at the start, and held against positions, not messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopAt {
    /// Never.
    Never,
    /// At the offsets that were the latest.
    Latest,
    /// At the offsets that the group had committed.
    GroupOffsets,
    /// Before the first message of this time or later; at the latest offset where there is
    /// none.
    Timestamp(Moment),
    /// Before these offsets. Partitions without one are not read.
    Offsets(PartitionOffsets),
}

choice! {
    /// Where to start.
    pub enum StartupMode {
        /// At the group's committed offsets; at the earliest where it has none.
        GroupOffsets = "group-offsets",
        /// At the earliest offset.
        Earliest = "earliest",
        /// At the latest offset.
        Latest = "latest",
        /// At a time.
        Timestamp = "timestamp",
        /// At offsets by partition.
        SpecificOffsets = "specific-offsets",
    }
}

choice! {
    /// When to stop.
    pub enum StopMode {
        /// Never.
        Never = "never",
        /// At the offsets that were the latest at the start.
        Latest = "latest",
        /// At the offsets that the group had committed at the start.
        GroupOffsets = "group-offsets",
        /// At a time.
        Timestamp = "timestamp",
        /// At offsets by partition.
        SpecificOffsets = "specific-offsets",
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
    /// Who decides how a group shares its partitions.
    pub enum GroupProtocol {
        /// One of the members.
        Classic = "classic",
        /// The broker (KIP-848).
        Consumer = "consumer",
    }
}

impl Topics {
    /// Whether a topic is one of them.
    #[must_use]
    pub fn contains(&self, topic: &str) -> bool {
        match self {
            Self::Names(names) => names.iter().any(|name| name == topic),
            Self::Pattern(pattern) => pattern.is_match(topic),
            Self::Partitions(partitions) => partitions.contains_key(topic),
        }
    }

    /// The topic, where it is known to be only one.
    #[must_use]
    pub fn only(&self) -> Option<&str> {
        match self {
            Self::Names(names) => match &names[..] {
                [only] => Some(only),
                _ => None,
            },
            Self::Pattern(_) => None,
            Self::Partitions(partitions) => match partitions.len() {
                1 => partitions.keys().next().map(String::as_str),
                _ => None,
            },
        }
    }
}

impl TopicPattern {
    /// Compiles a pattern, and one for what to leave out.
    ///
    /// # Errors
    /// What is wrong with one of them as a regular expression.
    pub fn new(pattern: &str, exclude: Option<&str>) -> Result<Self, regex::Error> {
        Ok(Self {
            pattern: pattern.to_owned(),
            include: anchored(pattern)?,
            exclude: exclude.map(anchored).transpose()?,
        })
    }

    /// Whether a topic's whole name matches.
    #[must_use]
    pub fn is_match(&self, topic: &str) -> bool {
        let excluded = self.exclude.as_ref();
        self.include.is_match(topic) && !excluded.is_some_and(|exclude| exclude.is_match(topic))
    }
}

fn anchored(pattern: &str) -> Result<Regex, regex::Error> {
    // By itself first, so that an error speaks of what was written.
    Regex::new(pattern)?;
    Regex::new(&format!("^(?:{pattern})$"))
}

/// librdkafka's default of `message.max.bytes`.
const MESSAGE_MAX_BYTES: u64 = 1_000_000;

/// The connection keys of the source.
pub(super) const CONNECTION: ConnectionKeys = ConnectionKeys {
    prefix: "source.",
    keys: connection::source::ALL,
};

pub(super) fn read(reader: &mut Reader<'_>, pipeline: &str) -> SourceConfig {
    let servers = servers(reader, &keys::BOOTSTRAP_SERVERS);
    let topics = topics(reader);
    let start = start(reader, &topics);
    let stop = stop(reader, &topics);
    let own = [
        &keys::BOOTSTRAP_SERVERS,
        &keys::DISCOVERY_INTERVAL,
        &keys::ISOLATION_LEVEL,
    ];
    let keys = own.into_iter().chain(consumer::ALL.iter().copied());
    let keys = keys.chain(connection::source::ALL.iter().copied());
    let mut client = client::read(reader, keys, &keys::LIBRDKAFKA);
    security::read(reader, &CONNECTION, &mut client, &servers);
    check_group(reader, &mut client);
    check_fetch_wait(reader, &client);
    // librdkafka refuses a fetch that is smaller than the messages which it would send.
    if let Some(fetch) = client.number("fetch.max.bytes")
        && fetch
            < client
                .number("message.max.bytes")
                .unwrap_or(MESSAGE_MAX_BYTES)
    {
        client.set_by_weir("message.max.bytes", &fetch.to_string());
    }
    let group_id = match client.get("group.id") {
        Some(given) => given.to_owned(),
        None => format!("weir-{pipeline}"),
    };
    for (property, value) in [
        ("group.id", group_id.as_str()),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("enable.partition.eof", "true"),
        // Positions are always given: one that is not in the log is data lost.
        ("auto.offset.reset", "error"),
    ] {
        if client.get(property) != Some(value) {
            client.set_by_weir(property, value);
        }
    }
    SourceConfig {
        topics,
        discovery_interval: reader.millis(&keys::DISCOVERY_INTERVAL),
        start,
        stop,
        batch_max_rows: reader.integer(&keys::BATCH_MAX_ROWS),
        batch_max_bytes: reader.integer(&keys::BATCH_MAX_BYTES),
        batch_max_wait: reader.millis(&keys::BATCH_MAX_WAIT),
        commit_interval: reader.millis(&keys::COMMIT_INTERVAL),
        rate_limit: rate_limit(
            reader,
            [&keys::RATE_MESSAGES, &keys::RATE_BYTES, &keys::RATE_BURST],
        ),
        metadata_columns: metadata::read(reader),
        group_id,
        session_timeout: reader.millis(&consumer::SESSION_TIMEOUT),
        client,
    }
}

pub(super) fn rate_limit(
    reader: &mut Reader<'_>,
    [count, bytes, burst]: [&'static Key; 3],
) -> RateLimit {
    let mut given = |key| reader.given(key).map(|_| reader.integer(key));
    RateLimit {
        count: given(count),
        bytes: given(bytes),
        burst: reader.millis(burst),
    }
}

fn start(reader: &mut Reader<'_>, topics: &Topics) -> Start {
    let moment = moment::read(reader, &keys::STARTUP_TIMESTAMP);
    let offsets = offsets::read(reader, &keys::STARTUP_OFFSETS, topics);
    let along = [
        (&keys::STARTUP_TIMESTAMP, StartupMode::Timestamp),
        (&keys::STARTUP_OFFSETS, StartupMode::SpecificOffsets),
    ];
    match mode_with(reader, &keys::STARTUP_MODE, along) {
        Some(StartupMode::Earliest) => Start::Earliest,
        Some(StartupMode::Latest) => Start::Latest,
        Some(StartupMode::Timestamp) => moment.map_or(Start::GroupOffsets, Start::Timestamp),
        Some(StartupMode::SpecificOffsets) => offsets.map_or(Start::GroupOffsets, Start::Offsets),
        Some(StartupMode::GroupOffsets) | None => Start::GroupOffsets,
    }
}

fn stop(reader: &mut Reader<'_>, topics: &Topics) -> StopAt {
    let moment = moment::read(reader, &keys::STOP_TIMESTAMP);
    let offsets = offsets::read(reader, &keys::STOP_OFFSETS, topics);
    let along = [
        (&keys::STOP_TIMESTAMP, StopMode::Timestamp),
        (&keys::STOP_OFFSETS, StopMode::SpecificOffsets),
    ];
    match mode_with(reader, &keys::STOP_MODE, along) {
        Some(StopMode::Latest) => StopAt::Latest,
        Some(StopMode::GroupOffsets) => StopAt::GroupOffsets,
        Some(StopMode::Timestamp) => moment.map_or(StopAt::Never, StopAt::Timestamp),
        Some(StopMode::SpecificOffsets) => offsets.map_or(StopAt::Never, StopAt::Offsets),
        Some(StopMode::Never) | None => StopAt::Never,
    }
}

/// A mode, of which some values need another key, which has no effect without them.
fn mode_with<M: Choice + PartialEq>(
    reader: &mut Reader<'_>,
    mode_key: &'static Key,
    along: [(&'static Key, M); 2],
) -> Option<M> {
    let mode = reader.choice::<M>(mode_key)?;
    let leaf = |key: &Key| key.name.trim_start_matches("source.").to_owned();
    for (key, needed) in along {
        let named = M::VALUES.iter().find(|(_, value)| *value == needed);
        let name = named.map_or("", |(name, _)| *name);
        match (mode == needed, reader.given(key).is_some()) {
            (false, true) => {
                let message = format!("has no effect without `{}: {name}`", leaf(mode_key));
                reader.contradiction(key, message);
            }
            (true, false) => {
                let example = match key.kind {
                    Kind::Moment => "2026-03-01T12:00:00Z",
                    _ => "{ orders: { 0: 42 } }",
                };
                let (key, mode) = (leaf(key), leaf(mode_key));
                reader.missing(
                    mode_key,
                    &format!("`{key}: {example}` beside this `{mode}`"),
                );
            }
            _ => {}
        }
    }
    Some(mode)
}

/// With the broker's protocol, sessions, heartbeats and assignors are the broker's.
fn check_group(reader: &mut Reader<'_>, client: &mut ClientProperties) {
    let protocol = reader.choice(&consumer::GROUP_PROTOCOL);
    let classic = [
        &consumer::SESSION_TIMEOUT,
        &consumer::HEARTBEAT_INTERVAL,
        &consumer::ASSIGNMENT_STRATEGY,
    ];
    if protocol == Some(GroupProtocol::Consumer) {
        for key in classic {
            if reader.given(key).is_some() {
                reader.contradiction(
                    key,
                    "the broker decides this with `group.protocol: consumer` (KIP-848): remove it",
                );
            }
            client.remove(key.librdkafka.unwrap_or_default());
        }
        return;
    }
    if reader.given(&consumer::REMOTE_ASSIGNOR).is_some() {
        reader.contradiction(
            &consumer::REMOTE_ASSIGNOR,
            "has no effect without `group.protocol: consumer`",
        );
    }
    let strategies = reader.list(&consumer::ASSIGNMENT_STRATEGY);
    const KNOWN: [&str; 3] = ["cooperative-sticky", "range", "roundrobin"];
    for strategy in &strategies {
        if !KNOWN.contains(&strategy.value.as_str()) {
            let message = format!("`{}` is not one of {}", strategy.shown, KNOWN.join(", "));
            reader.invalid(&consumer::ASSIGNMENT_STRATEGY, strategy.span, message);
        }
    }
    if strategies.len() > 1 && strategies.iter().any(|s| s.value == KNOWN[0]) {
        reader.contradiction(
            &consumer::ASSIGNMENT_STRATEGY,
            "librdkafka cannot mix cooperative-sticky with the others: keep it alone, or leave it \
             out",
        );
    }
    smaller(
        reader,
        client,
        (&consumer::HEARTBEAT_INTERVAL, "heartbeat.interval.ms"),
        (&consumer::SESSION_TIMEOUT, "session.timeout.ms"),
    );
    smaller(
        reader,
        client,
        (&consumer::SESSION_TIMEOUT, "session.timeout.ms"),
        (&consumer::MAX_POLL_INTERVAL, "max.poll.interval.ms"),
    );
}

/// Reports that the first of two numbers is larger than the second.
fn smaller(
    reader: &mut Reader<'_>,
    client: &ClientProperties,
    (low_key, low): (&'static Key, &str),
    (high_key, high): (&'static Key, &str),
) {
    let (Some(low_value), Some(high_value)) = (client.number(low), client.number(high)) else {
        return;
    };
    if low_value > high_value {
        let key = match reader.given(high_key) {
            Some(_) => high_key,
            None => low_key,
        };
        reader.contradiction(
            key,
            format!("`{high}` ({high_value}) must not be smaller than `{low}` ({low_value})"),
        );
    }
}

/// librdkafka refuses a fetch that may outlast its connection's timeout, and needs a
/// second between the two.
fn check_fetch_wait(reader: &mut Reader<'_>, client: &ClientProperties) {
    let (Some(wait), Some(timeout)) = (
        client.number("fetch.wait.max.ms"),
        client.number("socket.timeout.ms"),
    ) else {
        return;
    };
    if wait + 1_000 > timeout {
        let key = match reader.given(&consumer::FETCH_MAX_WAIT) {
            Some(_) => &consumer::FETCH_MAX_WAIT,
            None => CONNECTION.key("socket.timeout.ms"),
        };
        let message = format!(
            "`fetch.max.wait.ms` ({wait}) has to be 1000 below `socket.timeout.ms` ({timeout})"
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

fn is_protocol(scheme: &str) -> bool {
    let names = security::SecurityProtocol::NAMES.iter();
    names
        .into_iter()
        .any(|name| scheme.eq_ignore_ascii_case(name))
}

fn check_server(server: &str) -> Result<(), &'static str> {
    let address = match server.split_once("://") {
        Some((scheme, address)) if is_protocol(scheme) => address,
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
    let ways = [&keys::TOPICS, &keys::TOPIC_PATTERN, &keys::PARTITIONS];
    let given: Vec<_> = ways
        .into_iter()
        .filter(|key| reader.given(*key).is_some())
        .collect();
    for other in given.iter().skip(1) {
        let first = given[0].name.trim_start_matches("source.");
        let message = format!("given beside `{first}`: keep one of the two");
        reader.contradiction(*other, message);
    }
    let exclude = reader.given(&keys::TOPIC_EXCLUDE).is_some();
    if exclude && reader.given(&keys::TOPIC_PATTERN).is_none() && !given.is_empty() {
        reader.contradiction(
            &keys::TOPIC_EXCLUDE,
            "has no effect without `topic.pattern`",
        );
    }
    match given[..] {
        [] => {
            reader.missing(
                &keys::TOPICS,
                "`topics: [orders]`, or `topic.pattern: orders-.*`",
            );
            Topics::Names(Vec::new())
        }
        [key] if key.name == keys::TOPICS.name => Topics::Names(names(reader)),
        [key] if key.name == keys::PARTITIONS.name => {
            Topics::Partitions(offsets::read_partitions(reader, &keys::PARTITIONS))
        }
        [_] => pattern(reader),
        _ => Topics::Names(Vec::new()),
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

/// Kafka's rule for the names of topics.
#[must_use]
pub fn is_topic_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=249).contains(&name.len()) && name.chars().all(legal) && !matches!(name, "." | "..")
}

/// Checks that a topic can be one.
pub(super) fn check_topic(reader: &mut Reader<'_>, at: impl Into<At>, topic: &Given) {
    let at = at.into();
    if !is_topic_name(&topic.value) {
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
    let none = Topics::Names(Vec::new());
    let Some(given) = reader.text(&keys::TOPIC_PATTERN) else {
        return none;
    };
    let exclude = reader.text(&keys::TOPIC_EXCLUDE);
    let mut right = true;
    for (key, given) in [
        (&keys::TOPIC_PATTERN, Some(&given)),
        (&keys::TOPIC_EXCLUDE, exclude.as_ref()),
    ] {
        let Some(given) = given else { continue };
        if let Err(error) = anchored(&given.value) {
            let error = error.to_string();
            let why = error.lines().last().unwrap_or_default();
            let why = why.strip_prefix("error: ").unwrap_or(why);
            let message = format!("not a regular expression: {why}");
            reader.invalid(key, given.span, message);
            right = false;
        }
    }
    let exclude = exclude.as_ref().map(|given| given.value.as_str());
    match TopicPattern::new(&given.value, exclude) {
        Ok(pattern) if right => Topics::Pattern(pattern),
        _ => none,
    }
}

//! `source`: which topics to read, from where to where, and how.

mod group;
mod modes;
mod servers;
mod topics;

use std::time::Duration;

use super::choice::choice;
use super::client::{self, ClientProperties};
use super::key::Key;
use super::keys::{connection, consumer, source as keys};
use super::metadata::{self, MetadataColumn};
use super::reader::Reader;
use super::security::{self, ConnectionKeys};

pub use group::GroupProtocol;
pub use modes::{Start, StartupMode, StopAt, StopMode};
pub(super) use servers::servers;
pub(super) use topics::check_topic;
pub use topics::{TopicPattern, Topics, is_topic_name};

use group::check_group;

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

choice! {
    /// Which records of transactions are read.
    pub enum IsolationLevel {
        /// Those of committed transactions.
        ReadCommitted = "read_committed",
        /// All.
        ReadUncommitted = "read_uncommitted",
    }
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
    let topics = topics::topics(reader);
    let start = modes::start(reader, &topics);
    let stop = modes::stop(reader, &topics);
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

//! Keys of the consumer: its group, and how it fetches ahead.

use crate::config::key::{Key, Unit};
use crate::config::source::GroupProtocol;

pub(in crate::config) static GROUP_ID: Key = Key::text("source.group.id", "The consumer group.")
    .or_else("`weir-` and the pipeline's name")
    .sets("group.id");

pub(in crate::config) static GROUP_INSTANCE_ID: Key = Key::text(
    "source.group.instance.id",
    "Makes this a static member (KIP-345): a restart within the session timeout causes no \
     rebalance. One of its own for each process.",
)
.sets("group.instance.id");

pub(in crate::config) static GROUP_PROTOCOL: Key = Key::choice(
    "source.group.protocol",
    GroupProtocol::NAMES,
    "How the group shares partitions: `classic`, or `consumer` (KIP-848, brokers 4.0 and later), \
     where the broker decides, sessions and heartbeats included.",
)
.or("classic")
.sets("group.protocol");

pub(in crate::config) static REMOTE_ASSIGNOR: Key = Key::text(
    "source.group.remote.assignor",
    "The broker's assignor, with `group.protocol: consumer`: uniform or range.",
)
.or_else("the broker's choice")
.sets("group.remote.assignor");

pub(in crate::config) static ASSIGNMENT_STRATEGY: Key = Key::list(
    "source.partition.assignment.strategy",
    "How partitions are shared, with `group.protocol: classic`: cooperative-sticky, or range and \
     roundrobin.",
)
.or("cooperative-sticky")
.sets("partition.assignment.strategy");

pub(in crate::config) static SESSION_TIMEOUT: Key = Key::integer(
    "source.session.timeout.ms",
    (1, 3_600_000),
    Unit::Milliseconds,
    "How long the group waits for a member that has gone silent, with `group.protocol: classic`.",
)
.or("45000")
.sets("session.timeout.ms");

pub(in crate::config) static HEARTBEAT_INTERVAL: Key = Key::integer(
    "source.heartbeat.interval.ms",
    (1, 3_600_000),
    Unit::Milliseconds,
    "How often a member says that it lives, with `group.protocol: classic`. Below the session \
     timeout.",
)
.or("3000")
.sets("heartbeat.interval.ms");

pub(in crate::config) static MAX_POLL_INTERVAL: Key = Key::integer(
    "source.max.poll.interval.ms",
    (1, 86_400_000),
    Unit::Milliseconds,
    "How long the group waits for a member that lives but takes no messages.",
)
.or("300000")
.sets("max.poll.interval.ms");

pub(in crate::config) static FETCH_MIN_BYTES: Key = Key::integer(
    "source.fetch.min.bytes",
    (1, 100_000_000),
    Unit::Bytes,
    "How much a broker gathers before it answers a fetch.",
)
.by_profile(["1", "1", "65536"])
.sets("fetch.min.bytes");

pub(in crate::config) static FETCH_MAX_BYTES: Key = Key::integer(
    "source.fetch.max.bytes",
    (1_000, 2_147_483_135),
    Unit::Bytes,
    "The most that a broker sends in one answer. A larger message comes all the same.",
)
.or("52428800")
.sets("fetch.max.bytes");

pub(in crate::config) static FETCH_MAX_WAIT: Key = Key::integer(
    "source.fetch.max.wait.ms",
    (0, 300_000),
    Unit::Milliseconds,
    "How long a broker waits for `fetch.min.bytes`.",
)
.alias(&["source.fetch.wait.max.ms"])
.or("500")
.sets("fetch.wait.max.ms");

pub(in crate::config) static MAX_PARTITION_FETCH: Key = Key::integer(
    "source.max.partition.fetch.bytes",
    (1, 1_000_000_000),
    Unit::Bytes,
    "The most that a broker sends of one partition in one answer. A larger message comes all the \
     same.",
)
.alias(&["source.fetch.message.max.bytes"])
.or("1048576")
.sets("fetch.message.max.bytes");

pub(in crate::config) static QUEUED_MIN_MESSAGES: Key = Key::integer(
    "source.queued.min.messages",
    (1, 10_000_000),
    Unit::Messages,
    "How many messages per partition to keep fetched ahead.",
)
.by_profile(["1000", "100000", "1000000"])
.sets("queued.min.messages");

pub(in crate::config) static QUEUED_MAX_KBYTES: Key = Key::integer(
    "source.queued.max.messages.kbytes",
    (1, 2_097_151),
    Unit::Kibibytes,
    "The most memory for messages fetched ahead. Goes before `queued.min.messages`.",
)
.by_profile(["16384", "65536", "262144"])
.sets("queued.max.messages.kbytes");

pub(in crate::config) static FETCH_QUEUE_BACKOFF: Key = Key::integer(
    "source.fetch.queue.backoff.ms",
    (0, 300_000),
    Unit::Milliseconds,
    "How long to put off fetching a partition of which enough is fetched ahead. librdkafka's own \
     default of 1000 leaves fast pipelines waiting.",
)
.or("20")
.sets("fetch.queue.backoff.ms");

pub(in crate::config) static CLIENT_RACK: Key = Key::text(
    "source.client.rack",
    "Where this client is, so that it can fetch from a replica that is near (KIP-392).",
)
.sets("client.rack");

pub(in crate::config) static CHECK_CRCS: Key = Key::boolean(
    "source.check.crcs",
    "Whether checksums of messages are verified.",
)
.or("false")
.sets("check.crcs");

pub(in crate::config) static ALL: &[&Key] = &[
    &GROUP_ID,
    &GROUP_INSTANCE_ID,
    &GROUP_PROTOCOL,
    &REMOTE_ASSIGNOR,
    &ASSIGNMENT_STRATEGY,
    &SESSION_TIMEOUT,
    &HEARTBEAT_INTERVAL,
    &MAX_POLL_INTERVAL,
    &FETCH_MIN_BYTES,
    &FETCH_MAX_BYTES,
    &FETCH_MAX_WAIT,
    &MAX_PARTITION_FETCH,
    &QUEUED_MIN_MESSAGES,
    &QUEUED_MAX_KBYTES,
    &FETCH_QUEUE_BACKOFF,
    &CLIENT_RACK,
    &CHECK_CRCS,
];

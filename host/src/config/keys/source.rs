//! Keys of the source: what to read, from where to where, in what portions.

use crate::config::key::{Key, Kind, Unit};
use crate::config::source::{IsolationLevel, StartupMode, StopMode};

pub(in crate::config) static BOOTSTRAP_SERVERS: Key = Key::list(
    "source.bootstrap.servers",
    "Brokers to find the cluster by, as host:port.",
)
.required("localhost:9092")
.sets("bootstrap.servers");

pub(in crate::config) static TOPICS: Key = Key::list(
    "source.topics",
    "The topics to read. This, `source.topic.pattern` or `source.partitions`.",
);

pub(in crate::config) static TOPIC_PATTERN: Key = Key::new(
    "source.topic.pattern",
    Kind::Pattern,
    "Reads every topic whose whole name matches, those created later too.",
);

pub(in crate::config) static TOPIC_EXCLUDE: Key = Key::new(
    "source.topic.exclude.pattern",
    Kind::Pattern,
    "Leaves out the topics whose whole name matches this, though they match \
     `source.topic.pattern`.",
);

pub(in crate::config) static PARTITIONS: Key = Key::new(
    "source.partitions",
    Kind::Partitions,
    "Reads these partitions, whatever others of the group read: a map from topics to lists of \
     partitions and ranges, such as `{ orders: [0, 4-7] }`. Offsets are committed under \
     `source.group.id`, which must have no members: brokers take no offsets from outside such a \
     group.",
);

pub(in crate::config) static DISCOVERY_INTERVAL: Key = Key::integer(
    "source.partition.discovery.interval.ms",
    (1_000, 3_600_000),
    Unit::Milliseconds,
    "How often to look for new topics and partitions. They are read from their earliest offset.",
)
.alias(&["source.topic.metadata.refresh.interval.ms"])
.or("30000")
.sets("topic.metadata.refresh.interval.ms");

pub(in crate::config) static STARTUP_MODE: Key = Key::choice(
    "source.startup.mode",
    StartupMode::NAMES,
    "Where to start: at the group's committed offsets (where there are none, at the earliest); \
     or, whatever the group has committed, at the earliest or latest offset, at a timestamp, or \
     at specific offsets.",
)
.or("group-offsets");

pub(in crate::config) static STARTUP_TIMESTAMP: Key = Key::new(
    "source.startup.timestamp.ms",
    Kind::Moment,
    "Where to start with `startup.mode: timestamp`: at the first message of this time or later. \
     Past the end of a partition, at its latest offset.",
);

pub(in crate::config) static STARTUP_OFFSETS: Key = Key::new(
    "source.startup.specific.offsets",
    Kind::Offsets,
    "Where to start with `startup.mode: specific-offsets`. Partitions that are not named start \
     at the group's committed offsets.",
);

pub(in crate::config) static STOP_MODE: Key = Key::choice(
    "source.stop.mode",
    StopMode::NAMES,
    "When to stop: never; or, with bounds that are fixed at the start, at the latest offsets, at \
     those that the group has committed, at a timestamp, or at specific offsets.",
)
.or("never");

pub(in crate::config) static STOP_TIMESTAMP: Key = Key::new(
    "source.stop.timestamp.ms",
    Kind::Moment,
    "Where to stop with `stop.mode: timestamp`: before the first message of this time or later. \
     Past the end of a partition, at its latest offset.",
);

pub(in crate::config) static STOP_OFFSETS: Key = Key::new(
    "source.stop.specific.offsets",
    Kind::Offsets,
    "Where to stop with `stop.mode: specific-offsets`: before these. Partitions that are not \
     named are not read.",
);

pub(in crate::config) static BATCH_MAX_ROWS: Key = Key::integer(
    "source.batch.max.rows",
    (1, 65_536),
    Unit::Rows,
    "The most messages that a plug-in gets in one call.",
)
.by_profile(["1000", "1000", "4000"]);

pub(in crate::config) static BATCH_MAX_BYTES: Key = Key::integer(
    "source.batch.max.bytes",
    (1, 128 << 20),
    Unit::Bytes,
    "The most bytes that a plug-in gets in one call. A larger message is a batch of its own.",
)
.or("1048576");

pub(in crate::config) static BATCH_MAX_WAIT: Key = Key::integer(
    "source.batch.max.wait.ms",
    (0, 60_000),
    Unit::Milliseconds,
    "How long a message waits for others to fill its batch.",
)
.by_profile(["5", "50", "200"]);

pub(in crate::config) static COMMIT_INTERVAL: Key = Key::integer(
    "source.commit.interval.ms",
    (1, 86_400_000),
    Unit::Milliseconds,
    "How often offsets are committed: those of records that are delivered, and of no others.",
)
.alias(&["source.auto.commit.interval.ms"])
.or("5000");

pub(in crate::config) static ISOLATION_LEVEL: Key = Key::choice(
    "source.isolation.level",
    IsolationLevel::NAMES,
    "Whether records of aborted and open transactions are read.",
)
.or("read_committed")
.sets("isolation.level");

pub(in crate::config) static RATE_MESSAGES: Key = Key::integer(
    "source.rate.limit.messages",
    (0, 1_000_000_000),
    Unit::MessagesPerSecond,
    "The most messages that are read; 0 stops reading. Changed while the pipeline runs: write \
     another value and send SIGHUP.",
)
.or_else("no limit");

pub(in crate::config) static RATE_BYTES: Key = Key::integer(
    "source.rate.limit.bytes",
    (0, 1 << 40),
    Unit::BytesPerSecond,
    "The most bytes of keys, values and headers that are read; 0 stops reading. Changed in the \
     same way.",
)
.or_else("no limit");

pub(in crate::config) static RATE_BURST: Key = Key::integer(
    "source.rate.limit.burst.ms",
    (1, 60_000),
    Unit::Milliseconds,
    "What a limit may catch up on after a time in which it was not used up.",
)
.or("1000");

pub(in crate::config) static METADATA_COLUMNS: Key = Key::new(
    "source.metadata.columns",
    Kind::Metadata,
    "Columns beside those of the value: a list of `topic`, `partition`, `offset`, `timestamp`, \
     `timestamp.type`, `leader.epoch`, `key` and `headers` (as bytes), `key.text` and \
     `headers.text`; or a map that gives them other names, such as `{ kafka_offset: offset }`. A \
     value with a field of the same name stops the pipeline.",
)
.or_else("none");

pub(in crate::config) static INCLUDE_HEADERS: Key = Key::boolean(
    "source.include.headers",
    "The same as `headers` among `metadata.columns`.",
)
.or("false");

pub(in crate::config) static LIBRDKAFKA: Key = Key::new(
    "source.librdkafka",
    Kind::Properties,
    "Properties of librdkafka for the consumer that weir has no key for.",
)
.or_else("none");

pub(super) static ALL: &[&Key] = &[
    &BOOTSTRAP_SERVERS,
    &TOPICS,
    &TOPIC_PATTERN,
    &TOPIC_EXCLUDE,
    &PARTITIONS,
    &DISCOVERY_INTERVAL,
    &STARTUP_MODE,
    &STARTUP_TIMESTAMP,
    &STARTUP_OFFSETS,
    &STOP_MODE,
    &STOP_TIMESTAMP,
    &STOP_OFFSETS,
    &BATCH_MAX_ROWS,
    &BATCH_MAX_BYTES,
    &BATCH_MAX_WAIT,
    &COMMIT_INTERVAL,
    &ISOLATION_LEVEL,
    &RATE_MESSAGES,
    &RATE_BYTES,
    &RATE_BURST,
    &METADATA_COLUMNS,
    &INCLUDE_HEADERS,
];

//! The table of keys: each is declared here, once, and nowhere else. It is long because
//! it is a table: there is no logic in it.

use super::delivery::{DeliveryGuarantee, Tolerance};
use super::key::{Key, Kind, Unit};
use super::sink::{Codec, FileCompression, FileFormat, Serializer};
use super::source::{IsolationLevel, SecurityProtocol, StartupMode, StopMode};

/// A part of the file that holds keys.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Dotted name. `[]` stands for each entry of a list.
    pub name: &'static str,
    /// The key that is meant when a plain value stands in the section's place.
    pub shorthand: Option<&'static Key>,
    /// What it is about.
    pub doc: &'static str,
}

/// Every section, in the order of the reference page.
pub static SECTIONS: &[Section] = &[
    section("source", "The topics to read, and how."),
    section(
        "interceptors",
        "Plug-ins that see messages before they are decoded, in order.",
    ),
    short("interceptors[]", &INTERCEPTOR_PLUGIN, "One interceptor."),
    short(
        "deserializer",
        &VALUE_PLUGIN,
        "The plug-ins that decode messages.",
    ),
    short(
        "deserializer.value",
        &VALUE_PLUGIN,
        "The plug-in that decodes values.",
    ),
    section(
        "sink",
        "Where rows go: `stdout`, `file` or `kafka`. Default: `stdout`.",
    ),
    section("sink.stdout", "One JSON object a row, on standard output."),
    section("sink.file", "Files in a directory."),
    section("sink.kafka", "Another topic."),
    short(
        "sink.serializer",
        &SERIALIZER_PLUGIN,
        "How rows become messages.",
    ),
    section("errors", "What happens to records that cannot be decoded."),
];

/// Every key, in the order of the reference page.
pub static KEYS: &[&Key] = &[
    &NAME,
    &BOOTSTRAP_SERVERS,
    &TOPICS,
    &TOPIC_PATTERN,
    &GROUP_ID,
    &CLIENT_ID,
    &STARTUP_MODE,
    &STARTUP_TIMESTAMP,
    &STARTUP_OFFSETS,
    &STOP_MODE,
    &BATCH_MAX_ROWS,
    &BATCH_MAX_BYTES,
    &BATCH_MAX_WAIT,
    &COMMIT_INTERVAL,
    &ISOLATION_LEVEL,
    &SESSION_TIMEOUT,
    &MAX_POLL_INTERVAL,
    &FETCH_MIN_BYTES,
    &FETCH_WAIT_MAX,
    &QUEUED_MIN_MESSAGES,
    &QUEUED_MAX_KBYTES,
    &SECURITY_PROTOCOL,
    &SOURCE_SASL,
    &SOURCE_SSL,
    &INCLUDE_HEADERS,
    &SOURCE_LIBRDKAFKA,
    &REGISTRY_URL,
    &REGISTRY_USER_INFO,
    &REGISTRY_TIMEOUT,
    &REGISTRY_SSL,
    &SCHEMA_FILES,
    &INTERCEPTOR_PLUGIN,
    &INTERCEPTOR_OPTIONS,
    &INTERCEPTOR_GRANTS,
    &VALUE_PLUGIN,
    &VALUE_OPTIONS,
    &VALUE_GRANTS,
    &KEY_DESERIALIZER,
    &PLUGIN_MEMORY_MAX,
    &PLUGIN_MEMORY_RECYCLE,
    &PLUGIN_CALL_TIMEOUT,
    &WATERMARK,
    &TRANSFORMS,
    &FILE_PATH,
    &FILE_FORMAT,
    &FILE_ROLL_ROWS,
    &FILE_ROLL_BYTES,
    &FILE_ROLL_INTERVAL,
    &FILE_COMPRESSION,
    &SINK_TOPIC,
    &SINK_BOOTSTRAP_SERVERS,
    &SINK_COMPRESSION,
    &SINK_SECURITY,
    &SINK_SASL,
    &SINK_SSL,
    &SINK_LIBRDKAFKA,
    &SERIALIZER_PLUGIN,
    &ERRORS_TOLERANCE,
    &ERRORS_DLQ,
    &DELIVERY_GUARANTEE,
];

pub(super) static NAME: Key = Key::new(
    "name",
    Kind::Text,
    "The pipeline's name, in logs, metrics and the default consumer group. Up to 200 letters, \
     digits, `.`, `_` and `-`.",
)
.or_else("the name of the file, without its extension");

pub(super) static BOOTSTRAP_SERVERS: Key = Key::new(
    "source.bootstrap.servers",
    Kind::List,
    "Brokers to find the cluster by, as host:port.",
)
.required("localhost:9092")
.sets("bootstrap.servers");

pub(super) static TOPICS: Key = Key::new(
    "source.topics",
    Kind::List,
    "The topics to read. Either this or `source.topic.pattern`.",
);

pub(super) static TOPIC_PATTERN: Key = Key::new(
    "source.topic.pattern",
    Kind::Pattern,
    "Reads every topic whose whole name matches, those created later too.",
);

pub(super) static GROUP_ID: Key = Key::new("source.group.id", Kind::Text, "The consumer group.")
    .or_else("`weir-` and the pipeline's name")
    .sets("group.id");

pub(super) static CLIENT_ID: Key = Key::new(
    "source.client.id",
    Kind::Text,
    "How brokers name this client in logs and quotas.",
)
.or("weir")
.sets("client.id");

pub(super) static STARTUP_MODE: Key = Key::choice(
    "source.startup.mode",
    StartupMode::NAMES,
    "Where to start: at the group's committed offsets (where there are none, at the earliest), \
     or at the earliest or latest offset whatever the group has committed.",
)
.not_yet(
    &["timestamp", "specific-offsets"],
    "this build starts at group-offsets, earliest or latest",
)
.or("group-offsets");

pub(super) static STARTUP_TIMESTAMP: Key = Key::later(
    "source.startup.timestamp.ms",
    "this build starts at group-offsets, earliest or latest",
    "Where to start, in milliseconds since 1970.",
);

pub(super) static STARTUP_OFFSETS: Key = Key::later(
    "source.startup.specific.offsets",
    "this build starts at group-offsets, earliest or latest",
    "Where to start, per partition.",
);

pub(super) static STOP_MODE: Key = Key::choice(
    "source.stop.mode",
    StopMode::NAMES,
    "When to stop: never, or at the offsets that were the latest when the pipeline started.",
)
.not_yet(
    &["group-offsets", "timestamp", "specific-offsets"],
    "this build stops never or at latest",
)
.or("never");

pub(super) static BATCH_MAX_ROWS: Key = Key::integer(
    "source.batch.max.rows",
    (1, 65_536),
    Unit::Rows,
    "The most messages that a plug-in gets in one call.",
)
.or("1000");

pub(super) static BATCH_MAX_BYTES: Key = Key::integer(
    "source.batch.max.bytes",
    (1, 128 << 20),
    Unit::Bytes,
    "The most bytes that a plug-in gets in one call. A larger message is a batch of its own.",
)
.or("1048576");

pub(super) static BATCH_MAX_WAIT: Key = Key::integer(
    "source.batch.max.wait.ms",
    (0, 60_000),
    Unit::Milliseconds,
    "How long a message waits for others to fill its batch.",
)
.or("50");

pub(super) static COMMIT_INTERVAL: Key = Key::integer(
    "source.commit.interval.ms",
    (1, 86_400_000),
    Unit::Milliseconds,
    "How often offsets are committed: those of records that are delivered, and of no others.",
)
.or("5000");

pub(super) static ISOLATION_LEVEL: Key = Key::choice(
    "source.isolation.level",
    IsolationLevel::NAMES,
    "Whether records of aborted and open transactions are read.",
)
.or("read_committed")
.sets("isolation.level");

pub(super) static SESSION_TIMEOUT: Key = Key::integer(
    "source.session.timeout.ms",
    (1, 3_600_000),
    Unit::Milliseconds,
    "How long the group waits for a member that has gone silent.",
)
.or("45000")
.sets("session.timeout.ms");

pub(super) static MAX_POLL_INTERVAL: Key = Key::integer(
    "source.max.poll.interval.ms",
    (1, 86_400_000),
    Unit::Milliseconds,
    "How long the group waits for a member that lives but takes no messages.",
)
.or("300000")
.sets("max.poll.interval.ms");

pub(super) static FETCH_MIN_BYTES: Key = Key::integer(
    "source.fetch.min.bytes",
    (1, 100_000_000),
    Unit::Bytes,
    "How much a broker gathers before it answers a fetch.",
)
.or("1")
.sets("fetch.min.bytes");

pub(super) static FETCH_WAIT_MAX: Key = Key::integer(
    "source.fetch.wait.max.ms",
    (0, 300_000),
    Unit::Milliseconds,
    "How long a broker waits for `fetch.min.bytes`.",
)
.or("500")
.sets("fetch.wait.max.ms");

pub(super) static QUEUED_MIN_MESSAGES: Key = Key::integer(
    "source.queued.min.messages",
    (1, 10_000_000),
    Unit::Messages,
    "How many messages per partition to keep fetched ahead.",
)
.or("100000")
.sets("queued.min.messages");

pub(super) static QUEUED_MAX_KBYTES: Key = Key::integer(
    "source.queued.max.messages.kbytes",
    (1, 2_097_151),
    Unit::Kibibytes,
    "The most memory for messages fetched ahead. Goes before `queued.min.messages`.",
)
.or("65536")
.sets("queued.max.messages.kbytes");

const PLAINTEXT_ONLY: &str = "this build connects by plaintext only";

pub(super) static SECURITY_PROTOCOL: Key = Key::choice(
    "source.security.protocol",
    SecurityProtocol::NAMES,
    "How to connect to brokers.",
)
.not_yet(&["ssl", "sasl_plaintext", "sasl_ssl"], PLAINTEXT_ONLY)
.or("plaintext")
.sets("security.protocol");

pub(super) static SOURCE_SASL: Key = Key::later(
    "source.sasl",
    PLAINTEXT_ONLY,
    "How to prove who one is to brokers.",
);

pub(super) static SOURCE_SSL: Key =
    Key::later("source.ssl", PLAINTEXT_ONLY, "TLS certificates and keys.");

pub(super) static INCLUDE_HEADERS: Key = Key::later(
    "source.include.headers",
    "this build gives the fields of the value only",
    "Adds a column with the headers.",
);

pub(super) static SOURCE_LIBRDKAFKA: Key = Key::new(
    "source.librdkafka",
    Kind::Properties,
    "Properties of librdkafka for the consumer that weir has no key for.",
)
.or_else("none");

pub(super) static REGISTRY_URL: Key = Key::new(
    "schema.registry.url",
    Kind::Url,
    "The schema registry. Either this or `schema.files`.",
);

pub(super) static REGISTRY_USER_INFO: Key = Key::new(
    "schema.registry.basic.auth.user.info",
    Kind::Text,
    "The registry's credentials, as user:password.",
)
.secret();

pub(super) static REGISTRY_TIMEOUT: Key = Key::integer(
    "schema.registry.request.timeout.ms",
    (1, 300_000),
    Unit::Milliseconds,
    "How long one request to the registry may take, connecting included.",
)
.or("5000");

pub(super) static REGISTRY_SSL: Key = Key::later(
    "schema.registry.ssl",
    "this build trusts the public certificate authorities and sends no certificate",
    "TLS certificates and keys for the registry.",
);

pub(super) static SCHEMA_FILES: Key = Key::new(
    "schema.files",
    Kind::Files,
    "Schemas from files instead of a registry: from a schema id (a number) or a subject to an \
     .avsc, .proto or .json file.",
);

const PLUGIN_DOC: &str = "The plug-in: a built-in name, or a path such as ./mine.wasm.";
const OPTIONS_DOC: &str = "What the plug-in itself understands.";
const GRANTS_NOTE: &str = "a plug-in gets no rights in this build";

pub(super) static INTERCEPTOR_PLUGIN: Key =
    Key::new("interceptors[].plugin", Kind::Plugin, PLUGIN_DOC).required("./mine.wasm");

pub(super) static INTERCEPTOR_OPTIONS: Key =
    Key::new("interceptors[].options", Kind::Options, OPTIONS_DOC).or_else("none");

pub(super) static INTERCEPTOR_GRANTS: Key =
    Key::later("interceptors[].grants", GRANTS_NOTE, "Rights beyond none.");

pub(super) static VALUE_PLUGIN: Key =
    Key::new("deserializer.value.plugin", Kind::Plugin, PLUGIN_DOC).required("avro");

pub(super) static VALUE_OPTIONS: Key =
    Key::new("deserializer.value.options", Kind::Options, OPTIONS_DOC).or_else("none");

pub(super) static VALUE_GRANTS: Key = Key::later(
    "deserializer.value.grants",
    GRANTS_NOTE,
    "Rights beyond none.",
);

pub(super) static KEY_DESERIALIZER: Key = Key::later(
    "deserializer.key",
    "this build decodes values only",
    "The plug-in that decodes keys.",
);

pub(super) static PLUGIN_MEMORY_MAX: Key = Key::integer(
    "plugin.memory.max.bytes",
    (1 << 20, 4 << 30),
    Unit::Bytes,
    "The most memory for one instance of a plug-in.",
)
.or("268435456");

pub(super) static PLUGIN_MEMORY_RECYCLE: Key = Key::integer(
    "plugin.memory.recycle.bytes",
    (1 << 20, 4 << 30),
    Unit::Bytes,
    "An instance that has grown past this is replaced between batches: a plug-in's memory \
     never shrinks by itself.",
)
.or("134217728");

pub(super) static PLUGIN_CALL_TIMEOUT: Key = Key::integer(
    "plugin.call.timeout.ms",
    (1, 3_600_000),
    Unit::Milliseconds,
    "How long one call of a plug-in may take.",
)
.or("5000");

pub(super) static WATERMARK: Key = Key::later(
    "watermark",
    "this build tracks no event time",
    "Event time, and how late records may be.",
);

pub(super) static TRANSFORMS: Key = Key::later(
    "transforms",
    "rows go to the sink as the deserializer made them",
    "Plug-ins that change rows.",
);

pub(super) static FILE_PATH: Key = Key::new(
    "sink.file.path",
    Kind::Path,
    "The directory for the files. It is made where it does not exist.",
)
.required("./out");

pub(super) static FILE_FORMAT: Key = Key::choice(
    "sink.file.format",
    FileFormat::NAMES,
    "The format of the files.",
)
.required("parquet");

pub(super) static FILE_ROLL_ROWS: Key = Key::integer(
    "sink.file.roll.max.rows",
    (1, 1_000_000_000),
    Unit::Rows,
    "A file is finished when it has this many rows.",
)
.or("1000000");

pub(super) static FILE_ROLL_BYTES: Key = Key::integer(
    "sink.file.roll.max.bytes",
    (1, 64 << 30),
    Unit::Bytes,
    "A file is finished when it is about this large.",
)
.or("134217728");

pub(super) static FILE_ROLL_INTERVAL: Key = Key::integer(
    "sink.file.roll.interval.ms",
    (1, 86_400_000),
    Unit::Milliseconds,
    "A file is finished when it has been open for this long. Offsets are committed when a file \
     is finished, so this bounds what is read again after a crash.",
)
.or("60000");

pub(super) static FILE_COMPRESSION: Key = Key::choice(
    "sink.file.compression",
    FileCompression::NAMES,
    "How files are compressed: ndjson takes none or gzip, parquet none or zstd, arrow none.",
)
.or_else("zstd for parquet, none for the others");

pub(super) static SINK_TOPIC: Key =
    Key::new("sink.kafka.topic", Kind::Text, "The topic to write.").required("orders-clean");

pub(super) static SINK_BOOTSTRAP_SERVERS: Key = Key::new(
    "sink.kafka.bootstrap.servers",
    Kind::List,
    "Brokers of the cluster to write to, as host:port.",
)
.or_else("those of the source")
.sets("bootstrap.servers");

pub(super) static SINK_COMPRESSION: Key = Key::choice(
    "sink.kafka.compression.type",
    Codec::NAMES,
    "How batches of messages are compressed.",
)
.or("none")
.sets("compression.type");

pub(super) static SINK_SECURITY: Key = Key::choice(
    "sink.kafka.security.protocol",
    SecurityProtocol::NAMES,
    "How to connect to brokers.",
)
.not_yet(&["ssl", "sasl_plaintext", "sasl_ssl"], PLAINTEXT_ONLY)
.or("plaintext")
.sets("security.protocol");

pub(super) static SINK_SASL: Key = Key::later(
    "sink.kafka.sasl",
    PLAINTEXT_ONLY,
    "How to prove who one is to brokers.",
);

pub(super) static SINK_SSL: Key = Key::later(
    "sink.kafka.ssl",
    PLAINTEXT_ONLY,
    "TLS certificates and keys.",
);

pub(super) static SINK_LIBRDKAFKA: Key = Key::new(
    "sink.kafka.librdkafka",
    Kind::Properties,
    "Properties of librdkafka for the producer that weir has no key for.",
)
.or_else("none");

pub(super) static SERIALIZER_PLUGIN: Key = Key::choice(
    "sink.serializer.plugin",
    Serializer::NAMES,
    "How rows become the values of messages.",
)
.not_yet(
    &["avro", "protobuf", "json-schema"],
    "this build writes json only",
)
.or("json");

pub(super) static ERRORS_TOLERANCE: Key = Key::choice(
    "errors.tolerance",
    Tolerance::NAMES,
    "`all`: each bad record is reported and counted, and the others go on. `none`: the pipeline \
     stops at the first.",
)
.or("all");

pub(super) static ERRORS_DLQ: Key = Key::later(
    "errors.dead.letter.queue",
    "bad records are reported and counted",
    "A topic for bad records.",
);

pub(super) static DELIVERY_GUARANTEE: Key = Key::choice(
    "delivery.guarantee",
    DeliveryGuarantee::NAMES,
    "What a crash may do to records: at-least-once repeats some and loses none.",
)
.not_yet(
    &["exactly-once", "none"],
    "this build delivers at-least-once",
)
.or("at-least-once");

const fn section(name: &'static str, doc: &'static str) -> Section {
    Section {
        name,
        shorthand: None,
        doc,
    }
}

const fn short(name: &'static str, key: &'static Key, doc: &'static str) -> Section {
    Section {
        name,
        shorthand: Some(key),
        doc,
    }
}

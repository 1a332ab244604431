//! Keys of the Kafka sink: what is written, and how it is produced.

use crate::config::key::{Key, Kind, Unit};
use crate::config::sink::{Acks, Codec, FromInput, Partitioner, Passing, Timestamp};

pub(in crate::config) static TOPIC: Key = Key::text(
    "sink.kafka.topic",
    "The topic to write. Beside `topic.field`, the topic of rows where that is null.",
);

pub(in crate::config) static TOPIC_FIELD: Key = Key::text(
    "sink.kafka.topic.field",
    "A column with the topic of each row. A column inside a struct is named with dots, as in \
     `customer.id`.",
);

pub(in crate::config) static KEY: Key = Key::choice(
    "sink.kafka.key",
    FromInput::NAMES,
    "The key of each message: that of the message that the row came from, or none.",
)
.or("input");

pub(in crate::config) static KEY_FIELD: Key = Key::text(
    "sink.kafka.key.field",
    "A column with the key of each message, in place of `key`: text and bytes as they are, others \
     as in the rows' JSON; null for no key.",
);

pub(in crate::config) static TOMBSTONES: Key = Key::choice(
    "sink.kafka.tombstones",
    Passing::NAMES,
    "Whether messages without a value, which delete what their key stands for, are passed on: with \
     their key, headers and timestamp, in order with the rows of their partition. `skip` leaves them \
     out.",
)
.or_else("pass with `key: input` and one topic; skip where key or topic come from a column");

pub(in crate::config) static HEADERS: Key = Key::choice(
    "sink.kafka.headers",
    FromInput::NAMES,
    "The headers of each message: those of the message that the row came from, in their order, or \
     none. Headers that say by which schema the value was written are left out.",
)
.or("input");

pub(in crate::config) static TIMESTAMP: Key = Key::choice(
    "sink.kafka.timestamp",
    Timestamp::NAMES,
    "The timestamp of each message: that of the message that the row came from, or the time of \
     producing. A topic with `message.timestamp.type=LogAppendTime` sets its own.",
)
.or("input");

pub(in crate::config) static TIMESTAMP_FIELD: Key = Key::text(
    "sink.kafka.timestamp.field",
    "A column with the timestamp of each message, in place of `timestamp`: a timestamp, a date, or \
     ms since 1970; null for the time of producing.",
);

pub(in crate::config) static WATERMARK_HEADER: Key = Key::text(
    "sink.kafka.watermark.header",
    "The name of a header that each message gets, such as `watermark`: how far event time had come \
     before it, in ms since the epoch, as decimal digits. Neither this message nor any that is \
     produced after it has an event time below that, unless it is late. Messages before the first \
     watermark have none.",
);

pub(in crate::config) static BOOTSTRAP_SERVERS: Key = Key::list(
    "sink.kafka.bootstrap.servers",
    "Brokers of the cluster to write to, as host:port. Without it, rows go to the cluster of the \
     source, and the source's security, socket and connection keys hold here too unless they are \
     given anew.",
)
.or_else("those of the source")
.sets("bootstrap.servers");

pub(in crate::config) static ACKS: Key = Key::choice(
    "sink.kafka.acks",
    Acks::NAMES,
    "Which replicas must have a message before it counts as delivered: `all` in sync, the leader \
     alone (`1`), or none (`0`), which can lose messages.",
)
.also(&[("-1", "all")])
.alias(&["sink.kafka.request.required.acks"])
.or("all")
.sets("request.required.acks");

pub(in crate::config) static IDEMPOTENCE: Key = Key::boolean(
    "sink.kafka.enable.idempotence",
    "Whether retries are kept from duplicating or reordering messages.",
)
.or("true")
.sets("enable.idempotence");

pub(in crate::config) static IN_FLIGHT: Key = Key::integer(
    "sink.kafka.max.in.flight.requests.per.connection",
    (1, 1_000_000),
    Unit::Requests,
    "Requests under way to one broker. At most 5 with idempotence.",
)
.alias(&["sink.kafka.max.in.flight"])
.or("5")
.sets("max.in.flight.requests.per.connection");

pub(in crate::config) static RETRIES: Key = Key::integer(
    "sink.kafka.retries",
    (0, 2_147_483_647),
    Unit::Times,
    "How often sending is tried again, within the delivery timeout.",
)
.alias(&["sink.kafka.message.send.max.retries"])
.or("2147483647")
.sets("message.send.max.retries");

pub(in crate::config) static DELIVERY_TIMEOUT: Key = Key::integer(
    "sink.kafka.delivery.timeout.ms",
    (0, 2_147_483_647),
    Unit::Milliseconds,
    "How long delivering one message may take, retries included; 0 for ever. The pipeline stops \
     when it passes: nothing is lost, as offsets are not committed.",
)
.alias(&["sink.kafka.message.timeout.ms"])
.or("300000")
.sets("message.timeout.ms");

pub(in crate::config) static REQUEST_TIMEOUT: Key = Key::integer(
    "sink.kafka.request.timeout.ms",
    (1, 900_000),
    Unit::Milliseconds,
    "How long a broker may wait for the replicas that `acks` asks for.",
)
.or("30000")
.sets("request.timeout.ms");

pub(in crate::config) static LINGER: Key = Key::integer(
    "sink.kafka.linger.ms",
    (0, 900_000),
    Unit::Milliseconds,
    "How long a message waits for others to fill its batch.",
)
.alias(&["sink.kafka.queue.buffering.max.ms"])
.by_profile(["0", "5", "50"])
.sets("queue.buffering.max.ms");

pub(in crate::config) static BATCH_SIZE: Key = Key::integer(
    "sink.kafka.batch.size",
    (1, 2_147_483_647),
    Unit::Bytes,
    "The most bytes in one batch of messages.",
)
.or("1000000")
.sets("batch.size");

pub(in crate::config) static BATCH_MESSAGES: Key = Key::integer(
    "sink.kafka.batch.num.messages",
    (1, 1_000_000),
    Unit::Messages,
    "The most messages in one batch.",
)
.or("10000")
.sets("batch.num.messages");

pub(in crate::config) static MESSAGE_MAX: Key = Key::integer(
    "sink.kafka.max.request.size",
    (1_000, 1_000_000_000),
    Unit::Bytes,
    "The largest message that is sent. The topic's `max.message.bytes` has to allow it too.",
)
.alias(&["sink.kafka.message.max.bytes"])
.or("1000000")
.sets("message.max.bytes");

pub(in crate::config) static QUEUE_MESSAGES: Key = Key::integer(
    "sink.kafka.queue.buffering.max.messages",
    (1, 2_147_483_647),
    Unit::Messages,
    "The most messages that wait to be sent or acknowledged.",
)
.by_profile(["100000", "100000", "1000000"])
.sets("queue.buffering.max.messages");

pub(in crate::config) static QUEUE_KBYTES: Key = Key::integer(
    "sink.kafka.queue.buffering.max.kbytes",
    (1, 2_147_483_647),
    Unit::Kibibytes,
    "The most memory for those. librdkafka's own default is 1 GiB.",
)
.alias(&["sink.kafka.buffer.memory.kbytes"])
.by_profile(["65536", "65536", "262144"])
.sets("queue.buffering.max.kbytes");

pub(in crate::config) static COMPRESSION: Key = Key::choice(
    "sink.kafka.compression.type",
    Codec::NAMES,
    "How batches of messages are compressed.",
)
.alias(&["sink.kafka.compression.codec"])
.by_profile(["none", "none", "lz4"])
.sets("compression.codec");

pub(in crate::config) static COMPRESSION_LEVEL: Key = Key::integer(
    "sink.kafka.compression.level",
    (0, 12),
    Unit::Level,
    "How hard to compress: 0 to 9 for gzip, 0 to 12 for lz4, 0 for snappy. zstd takes its own \
     default.",
)
.or_else("the codec's own")
.sets("compression.level");

pub(in crate::config) static PARTITIONER: Key = Key::choice(
    "sink.kafka.partitioner",
    Partitioner::NAMES,
    "How keys become partitions. `murmur2_random` is what the Java client does, so that equal \
     keys meet whoever produces them; messages without a key are spread.",
)
.or("murmur2_random")
.sets("partitioner");

pub(in crate::config) static STICKY_LINGER: Key = Key::integer(
    "sink.kafka.sticky.partitioning.linger.ms",
    (0, 900_000),
    Unit::Milliseconds,
    "How long messages without a key keep going to one partition, so that batches fill (KIP-480).",
)
.or("10")
.sets("sticky.partitioning.linger.ms");

pub(in crate::config) static LIBRDKAFKA: Key = Key::new(
    "sink.kafka.librdkafka",
    Kind::Properties,
    "Properties of librdkafka for the producer that weir has no key for.",
)
.or_else("none");

pub(in crate::config) static KEY_FIELDS: Key = Key::list(
    "sink.kafka.key.fields",
    "Columns that make up the key of each message, in place of `key.field`: a record of them, or a \
     JSON object where keys have no serializer.",
)
.or_else("none");

pub(in crate::config) static SERIALIZER_PLUGIN: Key = Key::new(
    "sink.kafka.serializer.plugin",
    Kind::Plugin,
    "How rows become the values of messages: plain JSON, or a plug-in, by its built-in name or a \
     path such as ./mine.wasm.",
)
.or("json");

pub(in crate::config) static SERIALIZER_OPTIONS: Key = Key::new(
    "sink.kafka.serializer.options",
    Kind::Options,
    "What the plug-in itself understands.",
)
.or_else("none");

pub(in crate::config) static SERIALIZER_GRANTS: Key = Key::later(
    "sink.kafka.serializer.grants",
    "a plug-in gets no rights in this build",
    "Rights beyond none.",
);

pub(in crate::config) static KEY_SERIALIZER_PLUGIN: Key = Key::new(
    "sink.kafka.key.serializer.plugin",
    Kind::Plugin,
    "The plug-in that makes keys of `key.field` or `key.fields`. Without one, keys are text.",
)
.or_else("none");

pub(in crate::config) static KEY_SERIALIZER_OPTIONS: Key = Key::new(
    "sink.kafka.key.serializer.options",
    Kind::Options,
    "What the plug-in itself understands.",
)
.or_else("none");

pub(in crate::config) static KEY_SERIALIZER_GRANTS: Key = Key::later(
    "sink.kafka.key.serializer.grants",
    "a plug-in gets no rights in this build",
    "Rights beyond none.",
);

pub(in crate::config) static ALL: &[&Key] = &[
    &TOPIC,
    &TOPIC_FIELD,
    &KEY,
    &KEY_FIELD,
    &KEY_FIELDS,
    &KEY_SERIALIZER_PLUGIN,
    &KEY_SERIALIZER_OPTIONS,
    &KEY_SERIALIZER_GRANTS,
    &SERIALIZER_PLUGIN,
    &SERIALIZER_OPTIONS,
    &SERIALIZER_GRANTS,
    &TOMBSTONES,
    &HEADERS,
    &TIMESTAMP,
    &TIMESTAMP_FIELD,
    &WATERMARK_HEADER,
    &BOOTSTRAP_SERVERS,
    &ACKS,
    &IDEMPOTENCE,
    &IN_FLIGHT,
    &RETRIES,
    &DELIVERY_TIMEOUT,
    &REQUEST_TIMEOUT,
    &LINGER,
    &BATCH_SIZE,
    &BATCH_MESSAGES,
    &MESSAGE_MAX,
    &QUEUE_MESSAGES,
    &QUEUE_KBYTES,
    &COMPRESSION,
    &COMPRESSION_LEVEL,
    &PARTITIONER,
    &STICKY_LINGER,
];

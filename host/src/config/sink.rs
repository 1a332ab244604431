//! `sink`: where rows go.

use std::path::PathBuf;
use std::time::Duration;

use super::choice::choice;
use super::client::{self, ClientProperties, Origin, Property};
use super::error::Problem;
use super::key::Key;
use super::keys::{self, connection, kafka_sink};
use super::plugin::{self, PluginConfig, PluginRef, PluginRole};
use super::reader::{At, Reader};
use super::security::{self, ConnectionKeys, is_security};
use super::source::{SourceConfig, check_topic, servers};
use super::watermark::{LateRecords, WatermarkConfig};

/// Where rows go.
#[derive(Clone, Debug)]
pub enum SinkConfig {
    /// One JSON object a row, on standard output.
    Stdout,
    /// Files in a directory.
    File(FileSinkConfig),
    /// A topic.
    Kafka(Box<KafkaSinkConfig>),
}

/// Where files go, and when one is finished: at the first of the three limits.
#[derive(Clone, Debug)]
pub struct FileSinkConfig {
    /// The directory; made if there is none.
    pub path: PathBuf,
    /// The format.
    pub format: FileFormat,
    /// Rows. A batch is not divided, so a file may have more by less than one batch.
    pub roll_max_rows: u64,
    /// Bytes in the file, with an estimate for what is still in memory.
    pub roll_max_bytes: u64,
    /// Time since the file's first rows. Rows become durable after this long at the latest.
    pub roll_interval: Duration,
    /// One of [`FileFormat::compressions`].
    pub compression: FileCompression,
    /// Whether there is a directory for each hour or day.
    pub partition_by: PartitionBy,
}

/// A topic to write.
#[derive(Clone, Debug)]
pub struct KafkaSinkConfig {
    /// Its name; with `topic_field`, for rows where that is null. One of the two is there.
    pub topic: Option<String>,
    /// A column with the topic of each row.
    pub topic_field: Option<String>,
    /// Where keys come from.
    pub key: MessageKey,
    /// Whether messages without a value are passed on.
    pub tombstones: bool,
    /// Whether the headers of the source's messages are passed on.
    pub headers: bool,
    /// Where timestamps come from.
    pub timestamp: MessageTimestamp,
    /// The header for the watermark.
    pub watermark_header: Option<String>,
    /// How rows become the values of messages; `None` for plain JSON.
    pub serializer: Option<PluginConfig>,
    /// How columns become the keys of messages; `None` for text.
    pub key_serializer: Option<PluginConfig>,
    /// What librdkafka is told.
    pub client: ClientProperties,
}

impl SinkConfig {
    /// The plug-ins that it names, by the keys that name them.
    pub(crate) fn plugins(&self) -> impl Iterator<Item = (&'static str, &PluginConfig)> {
        let kafka = match self {
            Self::Kafka(kafka) => Some(kafka),
            Self::Stdout | Self::File(_) => None,
        };
        kafka.into_iter().flat_map(|kafka| {
            let keys = kafka.key_serializer.iter();
            let keys = keys.map(|plugin| (kafka_sink::KEY_SERIALIZER_PLUGIN.name, plugin));
            let values = kafka.serializer.iter();
            keys.chain(values.map(|plugin| (kafka_sink::SERIALIZER_PLUGIN.name, plugin)))
        })
    }
}

impl KafkaSinkConfig {
    /// Where it writes to, in words.
    #[must_use]
    pub fn target(&self) -> String {
        match (&self.topic_field, &self.topic) {
            (Some(field), _) => format!("the topics that column {field} names"),
            (None, topic) => format!("topic {}", topic.as_deref().unwrap_or_default()),
        }
    }
}

/// The key of a produced message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageKey {
    /// That of the message that the row came from.
    Input,
    /// None.
    None,
    /// What is in this column.
    Field(String),
    /// What is in these columns, together.
    Fields(Vec<String>),
}

/// The timestamp of a produced message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageTimestamp {
    /// That of the message that the row came from.
    Input,
    /// The time of producing.
    Now,
    /// What is in this column.
    Field(String),
}

choice! {
    /// Whether a part of the source's message is passed on.
    pub enum FromInput {
        /// It is.
        Input = "input",
        /// It is not.
        None = "none",
    }
}

choice! {
    /// Whether messages without a value are passed on.
    pub enum Passing {
        /// They are.
        Pass = "pass",
        /// They are left out.
        Skip = "skip",
    }
}

choice! {
    /// Whether the source's timestamps are passed on.
    pub enum Timestamp {
        /// They are.
        Input = "input",
        /// The time of producing takes their place.
        Now = "now",
    }
}

choice! {
    /// Formats of files.
    pub enum FileFormat {
        /// JSON lines, one object a row.
        Ndjson = "ndjson",
        /// The Arrow IPC file format, also known as Feather version 2. Dictionaries are written
        /// as their values, since a file can have only one dictionary for each column.
        Arrow = "arrow",
        /// Parquet.
        Parquet = "parquet",
    }
}

choice! {
    /// Compression of files.
    pub enum FileCompression {
        /// None.
        None = "none",
        /// gzip, for ndjson.
        Gzip = "gzip",
        /// Zstandard, for parquet.
        Zstd = "zstd",
    }
}

choice! {
    /// Directories by event time.
    pub enum PartitionBy {
        /// There are none.
        None = "none",
        /// One for each hour.
        EventTimeHour = "event-time-hour",
        /// One for each day.
        EventTimeDay = "event-time-day",
    }
}

choice! {
    /// Kafka's compression of batches of messages.
    pub enum Codec {
        /// None.
        None = "none",
        /// gzip.
        Gzip = "gzip",
        /// Snappy.
        Snappy = "snappy",
        /// LZ4.
        Lz4 = "lz4",
        /// Zstandard.
        Zstd = "zstd",
    }
}

choice! {
    /// Which replicas must have a message.
    pub enum Acks {
        /// All in sync.
        All = "all",
        /// The leader.
        Leader = "1",
        /// None.
        None = "0",
    }
}

choice! {
    /// How keys become partitions.
    pub enum Partitioner {
        /// As the Java client; messages without a key are spread.
        Murmur2Random = "murmur2_random",
        /// The same; messages without a key go to one partition.
        Murmur2 = "murmur2",
        /// CRC32, as librdkafka's default; messages without a key are spread.
        ConsistentRandom = "consistent_random",
        /// The same; messages without a key go to one partition.
        Consistent = "consistent",
        /// FNV-1a, as Sarama; messages without a key are spread.
        Fnv1aRandom = "fnv1a_random",
        /// The same; messages without a key go to one partition.
        Fnv1a = "fnv1a",
        /// Whatever the key.
        Random = "random",
    }
}

impl FileFormat {
    /// The compressions that it takes, the default first.
    #[must_use]
    pub const fn compressions(self) -> &'static [FileCompression] {
        match self {
            Self::Ndjson => &[FileCompression::None, FileCompression::Gzip],
            Self::Arrow => &[FileCompression::None],
            Self::Parquet => &[FileCompression::Zstd, FileCompression::None],
        }
    }
}

const SINKS: [&str; 3] = ["sink.stdout", "sink.file", "sink.kafka"];

pub(super) fn read(reader: &mut Reader<'_>, source: &SourceConfig) -> SinkConfig {
    let chosen = chosen(reader);
    match chosen {
        "sink.file" => SinkConfig::File(file(reader)),
        "sink.kafka" => SinkConfig::Kafka(Box::new(kafka(reader, source))),
        _ => SinkConfig::Stdout,
    }
}

/// Serializers are called before it is known which rows are late.
pub(super) fn check_late_records(
    reader: &mut Reader<'_>,
    sink: &SinkConfig,
    watermark: Option<&WatermarkConfig>,
) {
    let adds_column = watermark.is_some_and(|it| it.late == LateRecords::Column);
    if adds_column && let Some((key, _)) = sink.plugins().next() {
        let message = format!(
            "`column` and `{key}`: rows are serialized before it is known which of them are late; \
             write `deliver`, `drop` or `side-topic`"
        );
        reader.contradiction(&keys::watermark::LATE_RECORDS, message);
    }
}

/// The one sink that the file has; `sink.stdout` where it has none.
fn chosen(reader: &mut Reader<'_>) -> &'static str {
    let given: Vec<_> = SINKS
        .iter()
        .filter_map(|sink| place(reader, sink).map(|span| (*sink, span)))
        .collect();
    for (sink, span) in given.iter().skip(1) {
        let first = given[0].0;
        let message =
            format!("given beside `{first}`: a pipeline has one sink, keep one of the two");
        reader.errors.push(
            reader
                .text
                .error(*span, sink, Problem::Contradiction(message)),
        );
    }
    given.first().map_or("sink.stdout", |(sink, _)| sink)
}

/// Where a sink is named, as a section or by its first key.
fn place(reader: &Reader<'_>, sink: &str) -> Option<super::yaml::Span> {
    let prefix = format!("{sink}.");
    let keys = reader.entries.keys.iter();
    reader.entries.sections.get(sink).copied().or_else(|| {
        keys.filter(|(name, _)| name.starts_with(&prefix))
            .map(|(_, entry)| entry.name)
            .min()
    })
}

fn file(reader: &mut Reader<'_>) -> FileSinkConfig {
    let path = reader.path(&keys::files::FILE_PATH);
    let given_format = reader.choice(&keys::files::FILE_FORMAT);
    let format = given_format.unwrap_or(FileFormat::Ndjson);
    let compression = reader.choice(&keys::files::FILE_COMPRESSION);
    if let (Some(format), Some(compression)) = (given_format, compression)
        && !format.compressions().contains(&compression)
    {
        let names: Vec<_> = format.compressions().iter().map(|c| c.as_str()).collect();
        let message = format!(
            "`{}` does not go with `format: {}`, which takes {}",
            compression.as_str(),
            format.as_str(),
            names.join(" or ")
        );
        reader.contradiction(&keys::files::FILE_COMPRESSION, message);
    }
    FileSinkConfig {
        path,
        format,
        roll_max_rows: reader.integer(&keys::files::FILE_ROLL_ROWS),
        roll_max_bytes: reader.integer(&keys::files::FILE_ROLL_BYTES),
        roll_interval: reader.millis(&keys::files::FILE_ROLL_INTERVAL),
        compression: compression.unwrap_or(format.compressions()[0]),
        partition_by: reader
            .choice(&keys::files::FILE_PARTITION_BY)
            .unwrap_or(PartitionBy::None),
    }
}

/// The connection keys of the Kafka sink.
pub(super) const CONNECTION: ConnectionKeys = ConnectionKeys {
    prefix: "sink.kafka.",
    keys: connection::sink::ALL,
};

fn kafka(reader: &mut Reader<'_>, source: &SourceConfig) -> KafkaSinkConfig {
    let same_cluster = reader.given(&kafka_sink::BOOTSTRAP_SERVERS).is_none();
    let servers = if same_cluster {
        source
            .client
            .get("bootstrap.servers")
            .unwrap_or_default()
            .to_owned()
    } else {
        servers(reader, &kafka_sink::BOOTSTRAP_SERVERS)
    };
    let topic_field = column(reader, &kafka_sink::TOPIC_FIELD);
    if reader.given(&kafka_sink::TOPIC).is_none()
        && reader.given(&kafka_sink::TOPIC_FIELD).is_none()
    {
        reader.missing(
            &kafka_sink::TOPIC,
            "`topic: orders-clean`, or `topic.field: COLUMN`",
        );
    }
    let topic = reader.text(&kafka_sink::TOPIC);
    if let Some(topic) = &topic {
        check_topic(reader, &kafka_sink::TOPIC, topic);
    }
    let keys = kafka_sink::ALL.iter().chain(connection::sink::ALL);
    let mut client = client::read(reader, keys.copied(), &kafka_sink::LIBRDKAFKA);
    let own_security = CONNECTION
        .keys
        .iter()
        .filter(|key| reader.given(**key).is_some())
        .any(|key| is_security(key.name.trim_start_matches(CONNECTION.prefix)));
    if same_cluster && !own_security {
        client.retain(|name, _| !is_security(name));
        inherit(&mut client, source, |_, name, _| is_security(name));
    } else {
        security::read(reader, &CONNECTION, &mut client, &servers);
    }
    if same_cluster {
        inherit(&mut client, source, is_shared_connection);
    }
    check_producer(reader, &client);
    if let Some(topic) = &topic
        && client.get("bootstrap.servers") == source.client.get("bootstrap.servers")
        && source.topics.contains(&topic.value)
    {
        reader.contradiction(
            &kafka_sink::TOPIC,
            format!(
                "the source reads `{}`: the pipeline would read what it writes",
                topic.shown
            ),
        );
    }
    let key = message_key(reader);
    let key_serializer = key_serializer(reader, &key);
    KafkaSinkConfig {
        topic: topic.map(|topic| topic.value),
        tombstones: tombstones(reader, &key, topic_field.is_some()),
        topic_field,
        key,
        headers: reader.choice(&kafka_sink::HEADERS) != Some(FromInput::None),
        timestamp: timestamp(reader),
        watermark_header: reader
            .text(&kafka_sink::WATERMARK_HEADER)
            .map(|given| given.value),
        serializer: value_serializer(reader),
        key_serializer,
        client,
    }
}

fn message_key(reader: &mut Reader<'_>) -> MessageKey {
    let field = field_instead_of(reader, &kafka_sink::KEY_FIELD, &kafka_sink::KEY);
    if reader.given(&kafka_sink::KEY_FIELDS).is_some() {
        for (key, leaf) in [
            (&kafka_sink::KEY, "key"),
            (&kafka_sink::KEY_FIELD, "key.field"),
        ] {
            if reader.given(key).is_some() {
                let message = format!("given beside `{leaf}`: keep one of the two");
                reader.contradiction(&kafka_sink::KEY_FIELDS, message);
            }
        }
        let fields = reader.list(&kafka_sink::KEY_FIELDS);
        return MessageKey::Fields(fields.into_iter().map(|field| field.value).collect());
    }
    match (field, reader.choice(&kafka_sink::KEY)) {
        (Some(field), _) => MessageKey::Field(field),
        (None, Some(FromInput::None)) => MessageKey::None,
        (None, _) => MessageKey::Input,
    }
}

/// A tombstone has no columns, and one without a key deletes nothing.
fn tombstones(reader: &mut Reader<'_>, key: &MessageKey, has_topic_field: bool) -> bool {
    let why = match key {
        MessageKey::None => Some("`key: none`: they would delete nothing"),
        MessageKey::Field(_) | MessageKey::Fields(_) => {
            Some("`key.field`: they have no columns to take a key from")
        }
        MessageKey::Input if has_topic_field => {
            Some("`topic.field`: they have no columns to take a topic from")
        }
        MessageKey::Input => None,
    };
    let wanted = reader.choice(&kafka_sink::TOMBSTONES);
    if let (Some(Passing::Pass), Some(why)) = (wanted, why) {
        let message = format!("tombstones cannot be passed on with {why}");
        reader.contradiction(&kafka_sink::TOMBSTONES, message);
    }
    wanted != Some(Passing::Skip) && why.is_none()
}

fn timestamp(reader: &mut Reader<'_>) -> MessageTimestamp {
    let field = field_instead_of(reader, &kafka_sink::TIMESTAMP_FIELD, &kafka_sink::TIMESTAMP);
    match (field, reader.choice(&kafka_sink::TIMESTAMP)) {
        (Some(field), _) => MessageTimestamp::Field(field),
        (None, Some(Timestamp::Now)) => MessageTimestamp::Now,
        (None, _) => MessageTimestamp::Input,
    }
}

/// The plug-in for values; `None` for JSON, which weir writes itself.
fn value_serializer(reader: &mut Reader<'_>) -> Option<PluginConfig> {
    let options = &kafka_sink::SERIALIZER_OPTIONS;
    let read = plugin::read(
        reader,
        At::from(&kafka_sink::SERIALIZER_PLUGIN),
        At::from(options),
        PluginRole::Serializer,
    )?;
    if read.plugin != PluginRef::BuiltIn("json".to_owned()) {
        return Some(read);
    }
    if reader.given(options).is_some() {
        reader.contradiction(options, "`json` has no options: it writes rows as they are");
    }
    None
}

/// The plug-in for keys; `None` where there is none, too.
fn key_serializer(reader: &mut Reader<'_>, key: &MessageKey) -> Option<PluginConfig> {
    let (plugin, options) = (
        &kafka_sink::KEY_SERIALIZER_PLUGIN,
        &kafka_sink::KEY_SERIALIZER_OPTIONS,
    );
    if reader.given(plugin).is_none() {
        if reader.given(options).is_some() {
            reader.contradiction(options, "has no effect without `key.serializer.plugin`");
        }
        return None;
    }
    if matches!(key, MessageKey::Input | MessageKey::None) {
        let message = "makes keys of columns: name them by `key.field` or `key.fields`";
        reader.contradiction(plugin, message);
    }
    let read = plugin::read(
        reader,
        At::from(plugin),
        At::from(options),
        PluginRole::Serializer,
    )?;
    if read.plugin == PluginRef::BuiltIn("json".to_owned()) {
        let message = "keys are text, and JSON where they are not text, without a serializer: \
                       remove this";
        reader.contradiction(plugin, message);
    }
    Some(read)
}

/// A column that takes the place of what another key says.
fn field_instead_of(
    reader: &mut Reader<'_>,
    key: &'static Key,
    other: &'static Key,
) -> Option<String> {
    let field = column(reader, key);
    if reader.given(key).is_some() && reader.given(other).is_some() {
        let leaf = other.name.trim_start_matches(CONNECTION.prefix);
        reader.contradiction(key, format!("given beside `{leaf}`: keep one of the two"));
    }
    field
}

fn column(reader: &mut Reader<'_>, key: &'static Key) -> Option<String> {
    reader.text(key).map(|given| given.value)
}

/// Takes over those properties of the source that are `wanted`.
fn inherit(
    client: &mut ClientProperties,
    source: &SourceConfig,
    wanted: impl Fn(&ClientProperties, &str, &Property) -> bool,
) {
    for (name, property) in source.client.iter() {
        if wanted(client, name, property) {
            let mut property = property.clone();
            property.origin = Origin::Source;
            client.insert(name, property);
        }
    }
}

/// Whether the source was given this for its connections, and the sink nothing of its own.
fn is_shared_connection(client: &ClientProperties, name: &str, property: &Property) -> bool {
    let is_connection = connection::source::ALL
        .iter()
        .any(|key| key.librdkafka == Some(name));
    let has_own = client.property(name).is_some_and(Property::is_given);
    name == "bootstrap.servers" || is_connection && property.is_given() && !has_own
}

/// What idempotence needs (KIP-98), and what librdkafka refuses.
fn check_producer(reader: &mut Reader<'_>, client: &ClientProperties) {
    if client.get("enable.idempotence") == Some("true") {
        let mut needs = |key, right: bool, what: &str| {
            if !right {
                let message = format!(
                    "idempotence, which is on by default, needs {what}: change this, or write \
                     `enable.idempotence: false`"
                );
                reader.contradiction(key, message);
            }
        };
        needs(
            &kafka_sink::ACKS,
            client.get("request.required.acks") == Some("all"),
            "`acks: all`",
        );
        let in_flight = client.number("max.in.flight.requests.per.connection");
        needs(&kafka_sink::IN_FLIGHT, in_flight <= Some(5), "at most 5");
        needs(
            &kafka_sink::RETRIES,
            client.number("message.send.max.retries") >= Some(1),
            "retries",
        );
    }
    if let (Some(timeout @ 1..), Some(linger)) = (
        client.number("message.timeout.ms"),
        client.number("queue.buffering.max.ms"),
    ) && timeout < linger
    {
        let message = format!(
            "`delivery.timeout.ms` ({timeout}) must not be smaller than `linger.ms` ({linger})"
        );
        reader.contradiction(&kafka_sink::DELIVERY_TIMEOUT, message);
    }
    let most = match client.get("compression.codec") {
        Some("gzip") => 9,
        Some("lz4") => 12,
        _ => 0,
    };
    if client
        .number("compression.level")
        .is_some_and(|level| level > most)
        && reader.given(&kafka_sink::COMPRESSION_LEVEL).is_some()
    {
        let codec = client.get("compression.codec").unwrap_or("none");
        let message = format!("above what `compression.type: {codec}` takes, which is {most}");
        reader.contradiction(&kafka_sink::COMPRESSION_LEVEL, message);
    }
}

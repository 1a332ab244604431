//! `sink`: where rows go.

use std::path::PathBuf;
use std::time::Duration;

use super::choice::choice;
use super::error::Problem;
use super::keys;
use super::librdkafka::{self, Properties};
use super::reader::Reader;
use super::source::{SecurityProtocol, SourceConfig, check_topic, servers};

/// Where rows go.
#[derive(Clone, Debug)]
pub enum SinkConfig {
    /// One JSON object a row, on standard output.
    Stdout,
    /// Files in a directory.
    File(FileSinkConfig),
    /// A topic.
    Kafka(KafkaSinkConfig),
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
}

/// A topic to write.
#[derive(Clone, Debug)]
pub struct KafkaSinkConfig {
    /// `host:port`, with commas between several.
    pub bootstrap_servers: String,
    /// Its name.
    pub topic: String,
    /// For batches of messages.
    pub compression_type: Codec,
    /// How rows become the values of messages.
    pub serializer: Serializer,
    /// How to connect.
    pub security_protocol: SecurityProtocol,
    /// Properties of librdkafka that weir has no key for. None of those that weir sets.
    pub librdkafka: Properties,
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
    /// How rows become the values of messages.
    pub enum Serializer {
        /// One JSON object a row.
        Json = "json",
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
    let serializer = reader.choice(&keys::SERIALIZER_PLUGIN);
    if chosen != "sink.kafka" && reader.given(&keys::SERIALIZER_PLUGIN).is_some() {
        reader.contradiction(
            &keys::SERIALIZER_PLUGIN,
            "only `sink.kafka` takes a serializer",
        );
    }
    match chosen {
        "sink.file" => SinkConfig::File(file(reader)),
        "sink.kafka" => {
            let serializer = serializer.unwrap_or(Serializer::Json);
            SinkConfig::Kafka(kafka(reader, source, serializer))
        }
        _ => SinkConfig::Stdout,
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
    let path = reader.path(&keys::FILE_PATH);
    let given_format = reader.choice(&keys::FILE_FORMAT);
    let format = given_format.unwrap_or(FileFormat::Ndjson);
    let compression = reader.choice(&keys::FILE_COMPRESSION);
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
        reader.contradiction(&keys::FILE_COMPRESSION, message);
    }
    FileSinkConfig {
        path,
        format,
        roll_max_rows: reader.integer(&keys::FILE_ROLL_ROWS),
        roll_max_bytes: reader.integer(&keys::FILE_ROLL_BYTES),
        roll_interval: reader.millis(&keys::FILE_ROLL_INTERVAL),
        compression: compression.unwrap_or(format.compressions()[0]),
    }
}

fn kafka(
    reader: &mut Reader<'_>,
    source: &SourceConfig,
    serializer: Serializer,
) -> KafkaSinkConfig {
    let bootstrap_servers = match reader.given(&keys::SINK_BOOTSTRAP_SERVERS) {
        Some(_) => servers(reader, &keys::SINK_BOOTSTRAP_SERVERS),
        None => source.bootstrap_servers.clone(),
    };
    let topic = reader.text(&keys::SINK_TOPIC);
    if let Some(topic) = &topic {
        check_topic(reader, &keys::SINK_TOPIC, topic);
        if bootstrap_servers == source.bootstrap_servers && source.topics.contains(&topic.value) {
            reader.contradiction(
                &keys::SINK_TOPIC,
                format!(
                    "the source reads `{}`: the pipeline would read what it writes",
                    topic.shown
                ),
            );
        }
    }
    KafkaSinkConfig {
        bootstrap_servers,
        topic: topic.map(|topic| topic.value).unwrap_or_default(),
        compression_type: reader
            .choice(&keys::SINK_COMPRESSION)
            .unwrap_or(Codec::None),
        serializer,
        security_protocol: reader
            .choice(&keys::SINK_SECURITY)
            .unwrap_or(SecurityProtocol::Plaintext),
        librdkafka: librdkafka::read(reader, &keys::SINK_LIBRDKAFKA),
    }
}

//! The pipeline file: YAML in, plain typed structs out, and every mistake in it shown
//! at its line with what to write instead.
//!
//! ```text
//! text ─► yaml (a tree with places) ─► entries (dotted names, by the table in keys)
//!      ─► reader (typed values, substituted and checked) ─► PipelineConfig
//! ```
//!
//! ```
//! use std::path::Path;
//! use weir::config::PipelineConfig;
//!
//! let text = "source:\n  bootstrap.servers: localhost:9092\n  topic: [orders]\ndeserializer: avro\n";
//! let errors = PipelineConfig::parse(text, Path::new("orders.yaml"), &|_| None).unwrap_err();
//! assert!(errors.to_string().starts_with(
//!     "orders.yaml:3:3: source.topic: unknown key; did you mean `topics`?"
//! ));
//! ```

mod choice;
mod client;
mod delivery;
mod entries;
mod error;
mod identity;
mod key;
mod keys;
mod librdkafka;
mod metadata;
mod moment;
mod nearest;
mod offsets;
mod plugin;
mod profile;
mod reader;
pub mod reference;
mod region;
mod schemas;
mod secret;
mod security;
mod sink;
mod source;
mod substitute;
#[cfg(test)]
mod tests;
mod text;
mod url;
mod watermark;
mod yaml;

use std::fs;
use std::path::Path;

pub use client::{ClientProperties, Origin, Property};
pub use delivery::{DeliveryGuarantee, Tolerance};
pub use error::{ConfigError, ConfigErrors, Location, Problem};
pub use identity::Identity;
pub use key::{Key, Kind, Unit};
pub use keys::{KEYS, SECTIONS, Section};
pub use metadata::{Metadata, MetadataColumn};
pub use moment::Moment;
pub use offsets::PartitionOffsets;
pub use plugin::{BUILT_IN, PluginConfig, PluginLimits, PluginRef, PluginRole};
pub use profile::Profile;
pub use schemas::{
    BearerSource, Declared, OauthConfig, Pem, RegistryAuth, RegistryConfig, RegistryTls, Retries,
    SCHEMA_EXTENSIONS, SCHEMA_EXTENSIONS_SHOWN, SchemaFile, SchemaFiles, SchemaName, SchemasConfig,
};
pub use secret::Secret;
pub use security::{HostNameCheck, SaslMechanism, SecurityProtocol};
pub use sink::{
    Acks, Codec, FileCompression, FileFormat, FileSinkConfig, FromInput, KafkaSinkConfig,
    MessageKey, MessageTimestamp, PartitionBy, Partitioner, Passing, SinkConfig, Timestamp,
};
pub use source::{
    GroupProtocol, IsolationLevel, RateLimit, SourceConfig, Start, StartupMode, StopAt, StopMode,
    TopicPattern, Topics, is_topic_name,
};
pub use watermark::{
    AlignmentConfig, AlignmentGroup, AlignmentMode, ColumnUnit, EventTimeFrom, LateRecords,
    WatermarkConfig,
};

use error::Problem::{File as FileProblem, Unreadable};
use reader::{At, Reader};
use substitute::Outside;
use text::SourceText;
use yaml::YamlProblem;

/// The largest pipeline file, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// One pipeline, checked.
#[derive(Clone, Debug)]
pub struct PipelineConfig {
    /// Up to 200 letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// What it is tuned for.
    pub profile: Profile,
    /// The topics to read.
    pub source: SourceConfig,
    /// Where plug-ins get schemas from.
    pub schemas: SchemasConfig,
    /// What sees messages before they are decoded, in order.
    pub interceptors: Vec<PluginConfig>,
    /// What makes rows of messages.
    pub deserializer: DeserializerConfig,
    /// What every instance of a plug-in may use.
    pub limits: PluginLimits,
    /// How event time is tracked; `None` where it is not.
    pub watermark: Option<WatermarkConfig>,
    /// Where rows go.
    pub sink: SinkConfig,
    /// What happens to bad records.
    pub errors: ErrorsConfig,
    /// What a crash may do to records.
    pub delivery_guarantee: DeliveryGuarantee,
    /// How much may go to the sink.
    pub rate_limit: RateLimit,
    /// Where to answer for figures, as host:port.
    pub metrics_listen: Option<String>,
}

/// What makes rows of messages.
#[derive(Clone, Debug)]
pub struct DeserializerConfig {
    /// For the values of messages.
    pub value: PluginConfig,
    /// For their keys, if they are decoded.
    pub key: Option<KeyDeserializerConfig>,
}

/// What decodes keys.
#[derive(Clone, Debug)]
pub struct KeyDeserializerConfig {
    /// The plug-in.
    pub plugin: PluginConfig,
    /// The column that keys become.
    pub column: String,
}

/// What happens to bad records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorsConfig {
    /// Whether the pipeline goes on.
    pub tolerance: Tolerance,
}

impl PipelineConfig {
    /// Reads a pipeline file. `env` answers for `${env:NAME}`.
    ///
    /// # Errors
    /// Everything that is wrong with the file. Files that it names are not looked for,
    /// except for `${file:PATH}`: see [`PipelineConfig::check_files`].
    pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let text = fs::read_to_string(path).map_err(|error| {
            let text = SourceText::new(path.display().to_string(), "");
            let message = format!("cannot read the pipeline file: {error}");
            whole_file(&text, Unreadable(message))
        })?;
        Self::parse(&text, path, env)
    }

    /// Parses a pipeline file's text. `path` names it in errors, names the pipeline where
    /// the file does not, and its folder is the one that other paths are relative to.
    ///
    /// # Errors
    /// As for [`PipelineConfig::load`].
    pub fn parse(
        text: &str,
        path: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigErrors> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut source_text = SourceText::new(path.display().to_string(), text);
        if text.len() > MAX_BYTES {
            let message = format!("larger than {MAX_BYTES} bytes: not a pipeline file");
            return Err(whole_file(&source_text, Unreadable(message)));
        }
        let (root, duplicates) = yaml::parse(text).map_err(|error| ConfigErrors {
            errors: vec![yaml_error(&source_text, error)],
        })?;
        source_text.mask(&root);
        let mut errors: Vec<ConfigError> = duplicates
            .into_iter()
            .map(|error| yaml_error(&source_text, error))
            .collect();
        let entries = entries::flatten(root, &source_text, &mut errors);
        let mut reader = Reader {
            entries,
            text: &source_text,
            outside: Outside {
                env,
                folder: path.parent().unwrap_or(Path::new("")),
            },
            errors,
            profile: Profile::Balanced,
        };
        let config = read(&mut reader, path);
        let mut errors = reader.errors;
        errors.sort_by_key(place);
        match config {
            Some(config) if errors.is_empty() => Ok(config),
            _ => Err(ConfigErrors { errors }),
        }
    }

    /// Looks whether the files that the pipeline names are there: plug-ins, schemas,
    /// certificates and keys.
    /// A step of its own, as they may be built or mounted later than the file is written.
    ///
    /// # Errors
    /// One for each file that is not there, or is no file.
    pub fn check_files(&self) -> Result<(), ConfigErrors> {
        let plugins = self
            .interceptors
            .iter()
            .map(|plugin| ("interceptors", plugin));
        let plugins = plugins.chain([("deserializer.value.plugin", &self.deserializer.value)]);
        let key = self.deserializer.key.iter();
        let plugins = plugins.chain(key.map(|key| ("deserializer.key.plugin", &key.plugin)));
        let plugins = plugins.chain(self.sink.plugins());
        let plugins = plugins.filter_map(|(key, plugin)| match &plugin.plugin {
            PluginRef::Path(path) => Some((key, path.as_path(), &plugin.declared)),
            PluginRef::BuiltIn(_) => None,
        });
        let schemas = match &self.schemas {
            SchemasConfig::Files(files) => files.files.as_slice(),
            SchemasConfig::None | SchemasConfig::Registry(_) => &[],
        };
        let registry = match &self.schemas {
            SchemasConfig::Registry(registry) => Some(registry.files()),
            SchemasConfig::None | SchemasConfig::Files(_) => None,
        };
        let schemas = schemas.iter().flat_map(|file| {
            let paths = file.paths.iter();
            paths.map(|path| ("schema.files", path.as_path(), &file.declared))
        });
        let sink = match &self.sink {
            SinkConfig::Kafka(sink) => Some(&sink.client),
            SinkConfig::Stdout | SinkConfig::File(_) => None,
        };
        let clients = [Some(&self.source.client), sink].into_iter().flatten();
        let certificates = clients.flat_map(ClientProperties::files);
        let mut errors: Vec<ConfigError> = plugins
            .chain(schemas)
            .chain(certificates)
            .chain(registry.into_iter().flatten())
            .filter_map(|(key, path, declared)| {
                let why = match fs::metadata(path) {
                    Ok(metadata) if metadata.is_file() => return None,
                    Ok(_) => "not a file".to_owned(),
                    Err(error) => error.to_string(),
                };
                Some(ConfigError {
                    location: declared.clone(),
                    key: key.to_owned(),
                    problem: FileProblem(format!("{}: {why}", path.display())),
                })
            })
            .collect();
        errors.sort_by_key(place);
        if errors.is_empty() {
            Ok(())
        } else {
            Err(ConfigErrors { errors })
        }
    }
}

/// Reads every part, so that the errors of all are found; `None` only after one.
fn read(reader: &mut Reader<'_>, path: &Path) -> Option<PipelineConfig> {
    let name = name(reader, path);
    if let Some(profile) = reader.choice(&keys::pipeline::PROFILE) {
        reader.profile = profile;
    }
    let source = source::read(reader, &name);
    let sink = sink::read(reader, &source);
    let schemas = schemas::read(reader);
    let interceptors = plugin::read_interceptors(reader);
    let deserializer = plugin::read_deserializers(reader, &source.metadata_columns);
    let limits = plugin::read_limits(reader);
    let watermark = watermark::read(reader);
    check_topics(reader, &source, watermark.as_ref());
    if let (SinkConfig::Kafka(kafka), None) = (&sink, &watermark)
        && kafka.watermark_header.is_some()
    {
        let message = "needs event time, which `enable.watermark.tracking: false` turns off";
        reader.contradiction(&keys::kafka_sink::WATERMARK_HEADER, message);
    }
    if let (SinkConfig::File(files), None) = (&sink, &watermark)
        && files.partition_by != PartitionBy::None
    {
        let message = "needs event time, which `enable.watermark.tracking: false` turns off";
        reader.contradiction(&keys::files::FILE_PARTITION_BY, message);
    }
    sink::check_late_records(reader, &sink, watermark.as_ref());
    let tolerance = reader.choice(&keys::pipeline::ERRORS_TOLERANCE);
    let delivery_guarantee = reader.choice(&keys::pipeline::DELIVERY_GUARANTEE);
    Some(PipelineConfig {
        name,
        profile: reader.profile,
        source,
        schemas,
        interceptors,
        deserializer: deserializer?,
        limits,
        watermark,
        sink,
        errors: ErrorsConfig {
            tolerance: tolerance?,
        },
        delivery_guarantee: delivery_guarantee?,
        rate_limit: source::rate_limit(
            reader,
            [
                &keys::pipeline::RATE_ROWS,
                &keys::pipeline::RATE_BYTES,
                &keys::pipeline::RATE_BURST,
            ],
        ),
        metrics_listen: metrics_listen(reader),
    })
}

/// A pipeline that read what it writes of event time would never end.
fn check_topics(
    reader: &mut Reader<'_>,
    source: &SourceConfig,
    watermark: Option<&WatermarkConfig>,
) {
    let Some(watermark) = watermark else { return };
    let group = watermark.group.as_ref().map(|group| &group.topic);
    for (key, topic) in [
        (&keys::watermark::SIDE_TOPIC, watermark.side_topic.as_ref()),
        (&keys::watermark::GROUP_TOPIC, group),
    ] {
        if let Some(topic) = topic.filter(|topic| source.topics.contains(topic)) {
            let message =
                format!("the source reads `{topic}`: name another, or leave it out of the source");
            reader.contradiction(key, message);
        }
    }
}

fn metrics_listen(reader: &mut Reader<'_>) -> Option<String> {
    let key = &keys::pipeline::METRICS_LISTEN;
    let given = reader.text(key)?;
    let port = given.value.rsplit_once(':');
    if !port.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) {
        let message = format!(
            "`{}` is not host:port: write for example 127.0.0.1:9464",
            given.shown
        );
        reader.invalid(key, given.span, message);
    }
    Some(given.value)
}

fn place(error: &ConfigError) -> (usize, usize) {
    (error.location.line, error.location.column)
}

fn name(reader: &mut Reader<'_>, path: &Path) -> String {
    let at = At::from(&keys::pipeline::NAME);
    let (name, place, what) = match reader.text(at) {
        Some(given) => (given.value, given.span, format!("`{}`", given.shown)),
        None if reader.given(at).is_some() => return String::new(),
        None => {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let what = format!("the file's name, `{stem}`,");
            (stem.into_owned(), reader.place(at), what)
        }
    };
    let legal = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if !legal || name.is_empty() || name.len() > 200 {
        let message = format!(
            "{what} cannot be a pipeline's name: write `name:` with up to 200 letters, digits, \
             `.`, `_` and `-`"
        );
        reader.invalid(at, place, message);
    }
    name
}

fn yaml_error(text: &SourceText, error: yaml::YamlError) -> ConfigError {
    match error.problem {
        YamlProblem::Syntax(mut message) => {
            if text.line(error.span.line).contains("${") {
                message.push_str("; inside `{ }` and `[ ]`, put a `${…}` in quotes");
            }
            text.error(error.span, "", Unreadable(message))
        }
        YamlProblem::Duplicate { name, first_line } => {
            text.error(error.span, &name, Problem::Duplicate { first_line })
        }
    }
}

fn whole_file(text: &SourceText, problem: Problem) -> ConfigErrors {
    ConfigErrors {
        errors: vec![text.error(yaml::Span::default(), "", problem)],
    }
}

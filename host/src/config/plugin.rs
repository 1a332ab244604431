//! Plug-ins: what to load, with which options, within which limits.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use saphyr::Scalar;
use serde_json::{Map, Number, Value as Json};

use super::error::{Location, Problem};
use super::keys;
use super::metadata::MetadataColumn;
use super::nearest::nearest;
use super::reader::{At, Given, Reader};
use super::substitute::Outside;
use super::yaml::{Node, Value};
use super::{DeserializerConfig, KeyDeserializerConfig};

/// A plug-in to load.
#[derive(Clone)]
pub struct PluginConfig {
    /// Which.
    pub plugin: PluginRef,
    /// What the plug-in itself understands: always an object.
    pub options: Json,
    /// Where the pipeline file names it.
    pub declared: Location,
}

/// Where a plug-in comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginRef {
    /// One of [`BUILT_IN`].
    BuiltIn(String),
    /// A file.
    Path(PathBuf),
}

/// What a plug-in does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginRole {
    /// Sees messages before they are decoded.
    ConsumerInterceptor,
    /// Makes rows of messages.
    Deserializer,
    /// Makes messages of rows.
    Serializer,
}

/// The plug-ins that come with weir, and the serializer `json`, which is weir itself.
pub const BUILT_IN: &[(&str, PluginRole)] = &[
    ("avro", PluginRole::Deserializer),
    ("protobuf", PluginRole::Deserializer),
    ("drop-by-header", PluginRole::ConsumerInterceptor),
    ("json", PluginRole::Deserializer),
    ("json", PluginRole::Serializer),
    ("avro", PluginRole::Serializer),
    ("protobuf", PluginRole::Serializer),
    ("json-schema", PluginRole::Serializer),
];

/// What an instance of a plug-in may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PluginLimits {
    /// The most memory, in bytes.
    pub memory_max_bytes: u64,
    /// An instance with more memory than this, in bytes, is replaced between batches.
    /// Not above `memory_max_bytes`.
    pub memory_recycle_bytes: u64,
    /// For one call.
    pub call_timeout: Duration,
}

impl PluginRole {
    /// With its article, as in an error message.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::ConsumerInterceptor => "an interceptor",
            Self::Deserializer => "a deserializer",
            Self::Serializer => "a serializer",
        }
    }
}

impl fmt::Display for PluginRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(name) => f.write_str(name),
            Self::Path(path) => path.display().fmt(f),
        }
    }
}

/// Options may hold secrets: only their names are shown.
impl fmt::Debug for PluginConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self
            .options
            .as_object()
            .map_or_else(Vec::new, |map| map.keys().collect());
        f.debug_struct("PluginConfig")
            .field("plugin", &self.plugin)
            .field("options", &names)
            .finish_non_exhaustive()
    }
}

pub(super) fn read_limits(reader: &mut Reader<'_>) -> PluginLimits {
    let mut limits = PluginLimits {
        memory_max_bytes: reader.integer(&keys::plugins::PLUGIN_MEMORY_MAX),
        memory_recycle_bytes: reader.integer(&keys::plugins::PLUGIN_MEMORY_RECYCLE),
        call_timeout: reader.millis(&keys::plugins::PLUGIN_CALL_TIMEOUT),
    };
    if limits.memory_recycle_bytes > limits.memory_max_bytes {
        if reader
            .given(&keys::plugins::PLUGIN_MEMORY_RECYCLE)
            .is_some()
        {
            reader.contradiction(
                &keys::plugins::PLUGIN_MEMORY_RECYCLE,
                format!(
                    "above `plugin.memory.max.bytes` ({}), so it would never be reached",
                    limits.memory_max_bytes
                ),
            );
        }
        limits.memory_recycle_bytes = limits.memory_max_bytes;
    }
    limits
}

pub(super) fn read_interceptors(reader: &mut Reader<'_>) -> Vec<PluginConfig> {
    let count = reader.entries.lengths.get("interceptors").copied();
    (0..count.unwrap_or_default())
        .filter_map(|index| {
            read(
                reader,
                At::new(&keys::plugins::INTERCEPTOR_PLUGIN, index),
                At::new(&keys::plugins::INTERCEPTOR_OPTIONS, index),
                PluginRole::ConsumerInterceptor,
            )
        })
        .collect()
}

/// The deserializers, or `None` after an error.
pub(super) fn read_deserializers(
    reader: &mut Reader<'_>,
    metadata: &[MetadataColumn],
) -> Option<DeserializerConfig> {
    let (plugin, options) = (&keys::plugins::VALUE_PLUGIN, &keys::plugins::VALUE_OPTIONS);
    let value = read(
        reader,
        plugin.into(),
        options.into(),
        PluginRole::Deserializer,
    );
    let key = read_key_deserializer(reader, metadata);
    Some(DeserializerConfig { value: value?, key })
}

/// `None` where there is none, too.
fn read_key_deserializer(
    reader: &mut Reader<'_>,
    metadata: &[MetadataColumn],
) -> Option<KeyDeserializerConfig> {
    let (plugin, options) = (&keys::plugins::KEY_PLUGIN, &keys::plugins::KEY_OPTIONS);
    let column = &keys::plugins::KEY_COLUMN;
    if reader.given(plugin).is_none() {
        for key in [options, column] {
            if reader.given(key).is_some() {
                let message = "has no effect without `deserializer.key.plugin`";
                reader.contradiction(key, message);
            }
        }
        return None;
    }
    let name = reader.string(column);
    if metadata.iter().any(|metadata| metadata.name == name) {
        let message =
            format!("`metadata.columns` has a column `{name}` already: give one another name");
        reader.contradiction(column, message);
    }
    let plugin = read(
        reader,
        plugin.into(),
        options.into(),
        PluginRole::Deserializer,
    );
    Some(KeyDeserializerConfig {
        plugin: plugin?,
        column: name,
    })
}

/// One plug-in, or `None` after an error.
pub(super) fn read(
    reader: &mut Reader<'_>,
    at: At,
    options: At,
    role: PluginRole,
) -> Option<PluginConfig> {
    let plugin = reader.text(at).and_then(|given| {
        parse_ref(&given, role, &reader.outside)
            .map_err(|problem| reader.report(at, given.span, problem))
            .ok()
    });
    let options = read_options(reader, options);
    Some(PluginConfig {
        plugin: plugin?,
        options: Json::Object(options),
        declared: reader.location(at),
    })
}

fn parse_ref(given: &Given, role: PluginRole, outside: &Outside<'_>) -> Result<PluginRef, Problem> {
    let (text, shown) = (given.value.as_str(), given.shown.as_str());
    if text.starts_with("oci:") || text.contains("@sha256:") {
        return Err(Problem::NotYet {
            what: "a plug-in from an OCI registry is ".to_owned(),
            note: "this build loads built-in plug-ins and files",
        });
    }
    if text.contains("://") {
        let message = "a plug-in is a built-in name or a path, not a URL: download the file first";
        return Err(Problem::Invalid(message.to_owned()));
    }
    if text.contains('/') || text.ends_with(".wasm") {
        return Ok(PluginRef::Path(outside.resolve(text)));
    }
    if BUILT_IN.contains(&(text, role)) {
        return Ok(PluginRef::BuiltIn(text.to_owned()));
    }
    match BUILT_IN.iter().find(|(name, _)| *name == text) {
        Some((_, other)) => Err(Problem::Invalid(format!(
            "`{shown}` is {}, and this is the place of {}",
            other.describe(),
            role.describe()
        ))),
        None => {
            let names = BUILT_IN
                .iter()
                .filter(|(_, built_in)| *built_in == role)
                .map(|(name, _)| *name);
            let hint = match nearest(text, names.clone()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!(
                    "there is {}; for a file of your own write its path, such as ./mine.wasm",
                    names.collect::<Vec<_>>().join(", ")
                ),
            };
            Err(Problem::Invalid(format!(
                "`{shown}` is not a built-in plug-in; {hint}"
            )))
        }
    }
}

fn read_options(reader: &mut Reader<'_>, at: At) -> Map<String, Json> {
    reader
        .map(at)
        .into_iter()
        .filter_map(|(name, _, node)| Some((name, to_json(reader, at, &node)?)))
        .collect()
}

/// Numbers, booleans and null as YAML 1.2 reads them; text with `${…}` stays text
/// whatever it becomes.
fn to_json(reader: &mut Reader<'_>, at: At, node: &Node) -> Option<Json> {
    match &node.value {
        Value::List(nodes) => nodes.iter().map(|node| to_json(reader, at, node)).collect(),
        Value::Map(entries) => {
            let json: Option<Map<String, Json>> = entries
                .iter()
                .map(|(name, node)| Some((name.text.clone(), to_json(reader, at, node)?)))
                .collect();
            json.map(Json::Object)
        }
        Value::Scalar { .. } if node.is_null() => Some(Json::Null),
        Value::Scalar { text, plain } if !plain || text.contains("${") => {
            match reader.outside.substitute(text) {
                Ok(text) => Some(Json::String(text)),
                Err(message) => {
                    reader.report(at, node.span, Problem::Substitution(message));
                    None
                }
            }
        }
        Value::Scalar { text, .. } => {
            let json = plain_to_json(text);
            if json.is_none() {
                let message = format!("`{text}` is not a number that JSON has");
                reader.invalid(at, node.span, message);
            }
            json
        }
    }
}

fn plain_to_json(text: &str) -> Option<Json> {
    if let Ok(number) = text.parse::<u64>() {
        return Some(Json::Number(number.into()));
    }
    match Scalar::parse_from_cow(text.into()) {
        Scalar::Null => Some(Json::Null),
        Scalar::Boolean(value) => Some(Json::Bool(value)),
        Scalar::Integer(value) => Some(Json::Number(value.into())),
        Scalar::FloatingPoint(value) => Number::from_f64(value.into_inner()).map(Json::Number),
        Scalar::String(text) => Some(Json::String(text.into_owned())),
    }
}

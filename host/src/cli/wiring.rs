//! From a checked pipeline file to the parts of a pipeline.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::SystemTime;

use super::CliError;
use crate::config::{
    ConfigError, PipelineConfig, PluginConfig, PluginRef, Problem, SchemasConfig, SinkConfig,
};
use crate::pipeline::{Parts, Plugins, default_workers};
use crate::plugin::{
    ConsumerInterceptor, Deserializer, Limits, Part, Plugin, PluginEngine, Serializer,
};
use crate::schemas::{self, SchemaSource};
use crate::sink::file::FileSink;
use crate::sink::kafka::KafkaSink;
use crate::sink::{Sink, stdout};

/// The environment, as configuration reads it.
pub(super) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The engine that commands use; without a cache when there is no place for one.
pub(super) fn engine() -> Result<PluginEngine, CliError> {
    PluginEngine::new(PluginEngine::default_cache_directory(&env)).map_err(CliError::config)
}

/// Loads the plug-ins of a pipeline.
pub(super) fn plugins(config: &PipelineConfig, engine: &PluginEngine) -> Result<Plugins, CliError> {
    let interceptors = config
        .interceptors
        .iter()
        .map(|plugin| load(plugin, engine))
        .collect::<Result<Vec<_>, _>>()?;
    let deserializer = load(&config.deserializer.value, engine)?;
    let key = config.deserializer.key.as_ref();
    let key_deserializer = key.map(|key| load(&key.plugin, engine)).transpose()?;
    let (serializer, key_serializer) = match &config.sink {
        SinkConfig::Kafka(kafka) => (kafka.serializer.as_ref(), kafka.key_serializer.as_ref()),
        SinkConfig::Stdout | SinkConfig::File(_) => (None, None),
    };
    let serializer_of = |plugin| load_serializer(plugin, engine);
    let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let limits = Limits {
        memory_max_bytes: bytes(config.limits.memory_max_bytes),
        memory_recycle_bytes: bytes(config.limits.memory_recycle_bytes),
        call_timeout: config.limits.call_timeout,
    };
    Ok(Plugins {
        interceptors,
        deserializer,
        key_deserializer,
        serializer: serializer.map(serializer_of).transpose()?,
        key_serializer: key_serializer.map(serializer_of).transpose()?,
        limits,
    })
}

fn load(
    config: &PluginConfig,
    engine: &PluginEngine,
) -> Result<(Plugin, serde_json::Value), CliError> {
    let plugin = match &config.plugin {
        PluginRef::BuiltIn(name) => Plugin::load(engine, name),
        PluginRef::Path(path) => Plugin::load_file(engine, path),
    };
    let plugin = plugin.map_err(|error| at(config, error))?;
    Ok((plugin, config.options.clone()))
}

fn load_serializer(
    config: &PluginConfig,
    engine: &PluginEngine,
) -> Result<(Plugin, serde_json::Value), CliError> {
    let plugin = match &config.plugin {
        PluginRef::BuiltIn(name) => Plugin::load_serializer(engine, name),
        PluginRef::Path(path) => Plugin::load_file(engine, path),
    };
    let plugin = plugin.map_err(|error| at(config, error))?;
    Ok((plugin, config.options.clone()))
}

/// Opens each plug-in once, so that what it says of its options is shown at its line.
pub(super) fn try_options(
    config: &PipelineConfig,
    plugins: &Plugins,
    schemas: &Arc<dyn SchemaSource>,
) -> Result<(), CliError> {
    for ((plugin, options), declared) in plugins.interceptors.iter().zip(&config.interceptors) {
        ConsumerInterceptor::open(plugin, options, Arc::clone(schemas), plugins.limits)
            .map_err(|error| at(declared, error))?;
    }
    let try_deserializer = |(plugin, options): &(Plugin, _), part, declared| {
        Deserializer::open(plugin, part, options, Arc::clone(schemas), plugins.limits)
            .map_err(|error| at(declared, error))
    };
    if let (Some(key), Some(declared)) = (&plugins.key_deserializer, &config.deserializer.key) {
        try_deserializer(key, Part::Key, &declared.plugin)?;
    }
    let value = &config.deserializer.value;
    try_deserializer(&plugins.deserializer, Part::Value, value)?;
    let SinkConfig::Kafka(sink) = &config.sink else {
        return Ok(());
    };
    let serializers = [
        (&plugins.key_serializer, &sink.key_serializer, Part::Key),
        (&plugins.serializer, &sink.serializer, Part::Value),
    ];
    for (plugin, declared, part) in serializers {
        if let (Some((plugin, options)), Some(declared)) = (plugin, declared) {
            Serializer::open(plugin, part, options, Arc::clone(schemas), plugins.limits)
                .map_err(|error| at(declared, error))?;
        }
    }
    Ok(())
}

/// An error of a plug-in, at its place in the pipeline file.
fn at(plugin: &PluginConfig, error: impl std::fmt::Display) -> CliError {
    CliError::config(ConfigError {
        location: plugin.declared.clone(),
        key: String::new(),
        problem: Problem::Invalid(error.to_string()),
    })
}

/// Opens the source of schemas.
pub(super) fn schemas(config: &SchemasConfig) -> Result<Arc<dyn SchemaSource>, CliError> {
    let env = |name: &str| std::env::var(name).ok();
    let cache = PluginEngine::default_cache_directory(&env);
    schemas::open(config, cache.as_deref()).map_err(|error| {
        CliError::config(ConfigError {
            location: *error.declared,
            key: error.key.to_owned(),
            problem: Problem::Invalid(error.message),
        })
    })
}

/// Opens the sink.
fn sink(config: &PipelineConfig) -> Result<Box<dyn Sink>, CliError> {
    Ok(match &config.sink {
        SinkConfig::Stdout => Box::new(stdout::stdout()),
        SinkConfig::File(files) => Box::new(
            FileSink::open(files, &config.name, SystemTime::now(), random())
                .map_err(CliError::failed)?,
        ),
        SinkConfig::Kafka(topic) => Box::new(KafkaSink::new(topic).map_err(CliError::config)?),
    })
}

/// A number that no other process has drawn, nor this one before.
fn random() -> u32 {
    let drawn = RandomState::new().build_hasher().finish().to_be_bytes();
    u32::from_be_bytes([drawn[0], drawn[1], drawn[2], drawn[3]])
}

/// All parts of a pipeline.
pub(super) fn parts(config: &PipelineConfig, workers: Option<usize>) -> Result<Parts, CliError> {
    let plugins = plugins(config, &engine()?)?;
    let schemas = schemas(&config.schemas)?;
    try_options(config, &plugins, &schemas)?;
    Ok(Parts {
        plugins,
        schemas,
        sink: sink(config)?,
        workers: workers.unwrap_or_else(default_workers),
    })
}

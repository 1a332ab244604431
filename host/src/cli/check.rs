//! `weir check`.

use std::time::Duration;

use indicatif::MultiProgress;

use super::{CheckArgs, CliError, connect, log, show, wiring};
use crate::config::{ClientProperties, PipelineConfig, SinkConfig};
use crate::plugin::Plugin;

#[expect(clippy::print_stdout, reason = "the command's answer")]
pub(super) fn check(args: &CheckArgs) -> Result<(), CliError> {
    let file = &args.file;
    log::start(&MultiProgress::new());
    let config = PipelineConfig::load(file, &wiring::env).map_err(CliError::config)?;
    config.check_files().map_err(CliError::config)?;
    let plugins = wiring::plugins(&config, &wiring::engine()?)?;
    let schemas = wiring::schemas(&config.schemas)?;
    wiring::try_options(&config, &plugins, &schemas)?;

    println!(
        "{} is right: {}",
        file.display(),
        show::source(&config.source)
    );
    let mut all: Vec<(&Plugin, &str)> = Vec::new();
    all.extend(plugins.interceptors.iter().map(|(plugin, _)| (plugin, "")));
    all.extend(
        plugins
            .key_deserializer
            .iter()
            .map(|(plugin, _)| (plugin, " of keys")),
    );
    all.push((&plugins.deserializer.0, ""));
    let keys = plugins.key_serializer.iter();
    all.extend(keys.map(|(plugin, _)| (plugin, " of keys")));
    all.extend(plugins.serializer.iter().map(|(plugin, _)| (plugin, "")));
    for (plugin, of) in all {
        let about = plugin.description();
        println!(
            "  ─► {} {} ({}{of})",
            about.name,
            about.version,
            plugin.kind()
        );
    }
    println!("  ─► {}", show::sink(&config.sink));
    if args.explain {
        println!("\n{}", properties("source", &config.source.client)?);
        if let SinkConfig::Kafka(sink) = &config.sink {
            println!("\n{}", properties("sink.kafka", &sink.client)?);
        }
    }
    if args.connect {
        let timeout = Duration::from_secs(args.timeout.into());
        return connect::connect(&config, &schemas, timeout);
    }
    Ok(())
}

/// Every property that a client of librdkafka gets, those that nobody set included.
fn properties(whose: &str, client: &ClientProperties) -> Result<String, CliError> {
    let effective = crate::kafka::effective(client)
        .map_err(|error| CliError::Config(format!("{whose}: librdkafka refuses this: {error}")))?;
    let width = effective.iter().map(|(name, _)| name.len()).max();
    let width = width.unwrap_or(0);
    let mut lines = format!("{whose}: what librdkafka gets");
    for (name, value) in &effective {
        let (shown, why) = match client.property(name) {
            Some(property) => (property.shown(), property.origin.to_string()),
            None => (value.as_str(), "librdkafka's default".to_owned()),
        };
        lines.push_str(&format!("\n  {name:width$}  {shown}  ({why})"));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::config::SchemaFiles;
    use crate::plugin::PluginEngine;
    use crate::schemas::{FileSource, SchemaSource};

    #[test]
    fn the_options_in_examples_are_right() {
        let env = |name: &str| match name {
            "SCHEMA_REGISTRY" => Some("http://localhost:8081".to_owned()),
            _ => Some("localhost:9092".to_owned()),
        };
        let engine = PluginEngine::new(None).unwrap();
        for example in [
            "orders-stdout.yaml",
            "earthquakes/pipeline.yaml",
            "earthquakes/parquet.yaml",
        ] {
            let file = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../examples")
                .join(example);
            let config = PipelineConfig::load(&file, &env).unwrap();
            let schemas: Arc<dyn SchemaSource> =
                Arc::new(FileSource::open(&SchemaFiles::default()).unwrap());
            let tried = wiring::plugins(&config, &engine)
                .and_then(|plugins| wiring::try_options(&config, &plugins, &schemas));
            if let Err(CliError::Config(error) | CliError::Failed(error)) = tried {
                panic!("{error}");
            }
        }
    }
}

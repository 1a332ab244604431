//! `weir check`.

use std::path::Path;
use std::sync::Arc;

use indicatif::MultiProgress;

use super::{CliError, log, wiring};
use crate::config::{PipelineConfig, SinkConfig, Topics};
use crate::plugin::{ConsumerInterceptor, Deserializer};

#[expect(clippy::print_stdout, reason = "the command's answer")]
pub(super) fn check(file: &Path) -> Result<(), CliError> {
    log::start(&MultiProgress::new());
    let config = PipelineConfig::load(file, &wiring::env).map_err(CliError::config)?;
    config.check_files().map_err(CliError::config)?;
    let plugins = wiring::plugins(&config, &wiring::engine()?)?;
    let schemas = wiring::schemas(&config.schemas)?;
    for (plugin, options) in &plugins.interceptors {
        ConsumerInterceptor::open(plugin, options, Arc::clone(&schemas), plugins.limits)
            .map_err(CliError::config)?;
    }
    let (plugin, options) = &plugins.deserializer;
    Deserializer::open(plugin, options, schemas, plugins.limits).map_err(CliError::config)?;

    let topics = match &config.source.topics {
        Topics::Names(names) => names.join(", "),
        Topics::Pattern(pattern) => format!("all that match {}", pattern.pattern),
    };
    let sink = match &config.sink {
        SinkConfig::Stdout => "standard output".to_owned(),
        SinkConfig::File(file) => {
            format!("{} files in {}", file.format.as_str(), file.path.display())
        }
        SinkConfig::Kafka(kafka) => format!("topic {}", kafka.topic),
    };
    println!(
        "{} is right: {topics} at {}",
        file.display(),
        config.source.bootstrap_servers
    );
    for (plugin, _) in plugins.interceptors.iter().chain([&plugins.deserializer]) {
        let about = plugin.description();
        println!("  ─► {} {} ({})", about.name, about.version, plugin.kind());
    }
    println!("  ─► {sink}");
    Ok(())
}

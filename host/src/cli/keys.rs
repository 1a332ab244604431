//! `weir keys`: the table of keys, for people, pages and editors.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::CliError;
use crate::config::{KEYS, Key, Kind, reference};

/// How the keys are listed.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Name, what it takes, default
    Table,
    /// The reference page
    Markdown,
    /// One JSON object a line
    Json,
    /// A JSON Schema of pipeline files, for editors
    Schema,
}

#[derive(Args)]
pub(super) struct KeysArgs {
    /// Only keys whose name begins so, such as `source`, `sink.kafka` or `source.ssl`
    prefix: Option<String>,
    /// Only keys of the source
    #[arg(long)]
    source: bool,
    /// Only keys of the sink
    #[arg(long)]
    sink: bool,
    /// How to list them
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Write to a file in place of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn keys(args: &KeysArgs) -> Result<(), CliError> {
    let prefixes: Vec<&str> = [
        args.prefix.as_deref(),
        args.source.then_some("source"),
        args.sink.then_some("sink"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let wanted = |key: &Key| {
        let starts = |prefix: &&str| {
            let rest = key.name.strip_prefix(*prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        prefixes.is_empty() || prefixes.iter().any(starts)
    };
    let keys: Vec<&Key> = KEYS.iter().copied().filter(|key| wanted(key)).collect();
    if keys.is_empty() {
        return Err(CliError::Config(format!(
            "no key begins with `{}`: `weir keys` lists all",
            prefixes.join("` or `")
        )));
    }
    let text = match args.format {
        Format::Table => table(&keys),
        Format::Markdown => reference::page_of(&keys),
        Format::Json => keys.iter().map(|key| format!("{}\n", json(key))).collect(),
        Format::Schema => format!("{:#}\n", reference::json_schema(&keys)),
    };
    match &args.output {
        Some(path) => std::fs::write(path, text)
            .map_err(|error| CliError::Failed(format!("{}: {error}", path.display()))),
        None => {
            super::show::answer(&text);
            Ok(())
        }
    }
}

fn table(keys: &[&Key]) -> String {
    let keys = keys
        .iter()
        .filter(|key| !matches!(key.kind, Kind::Later(_)));
    let width = keys.clone().map(|key| key.name.len()).max().unwrap_or(0);
    keys.map(|key| {
        let (takes, default) = (reference::takes(key.kind), reference::default_of(key));
        let takes = takes.replace('`', "");
        let default = default.replace('`', "");
        let default = match default.as_str() {
            "" => String::new(),
            default => format!("  [{default}]"),
        };
        format!("{:width$}  {takes}{default}\n", key.name)
    })
    .collect()
}

fn json(key: &Key) -> serde_json::Value {
    serde_json::json!({
        "name": key.name,
        "aliases": key.aliases,
        "takes": reference::takes(key.kind).replace('`', ""),
        "default": key.default,
        "profiles": key.profiles,
        "required": key.required.is_some(),
        "secret": key.secret,
        "librdkafka": key.librdkafka,
        "supported": !matches!(key.kind, Kind::Later(_)),
        "doc": key.doc,
    })
}

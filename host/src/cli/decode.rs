//! `weir decode`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgGroup, Args};
use indicatif::MultiProgress;

use super::{CliError, log, show, wiring};
use crate::batch::{BatchBuilder, Capacity, TopicPartition};
use crate::config::{Location, RegistryConfig, SchemaFile, SchemaFiles, SchemaName};
use crate::plugin::{Deserializer, Limits, Part, Plugin};
use crate::schemas::{FileSource, Registered, RegistrySource, Schema, SchemaError, SchemaSource};
use crate::sink::{Sink, SinkError, stdout};

/// One request to a registry.
const REGISTRY_TIMEOUT: Duration = Duration::from_secs(10);
/// Messages in one call of the plug-in.
const BATCH: usize = 1000;

#[derive(Args)]
#[command(group = ArgGroup::new("input").required(true))]
pub(super) struct DecodeArgs {
    /// A built-in plug-in's name, or a .wasm file
    #[arg(long)]
    plugin: String,
    /// The plug-in's options, as a JSON object
    #[arg(long, default_value = "{}")]
    options: String,
    #[command(flatten)]
    schemas: SchemaArgs,
    /// One payload, in hexadecimal
    #[arg(long, group = "input")]
    hex: Option<String>,
    /// A file that is one payload, `-` for standard input
    #[arg(long, group = "input", value_name = "FILE")]
    file: Option<PathBuf>,
    /// A file with a payload, as text, on each line, `-` for standard input
    #[arg(long, group = "input", value_name = "FILE")]
    lines: Option<PathBuf>,
    /// A file with a payload, in hexadecimal, on each line, `-` for standard input
    #[arg(long, group = "input", value_name = "FILE")]
    hex_lines: Option<PathBuf>,
}

/// Where a plug-in gets schemas from.
#[derive(Args)]
pub(super) struct SchemaArgs {
    /// A schema that the plug-in may ask for, in an .avsc, .proto or .json file; more than once
    #[arg(long, value_name = "ID=FILE", conflicts_with = "registry")]
    schema: Vec<String>,
    /// A schema registry that the plug-in may ask
    #[arg(long, value_name = "URL")]
    registry: Option<String>,
}

/// A plug-in's options.
pub(super) fn options(text: &str) -> Result<serde_json::Value, CliError> {
    serde_json::from_str(text)
        .ok()
        .filter(serde_json::Value::is_object)
        .ok_or_else(|| CliError::Config(format!("--options: {text} is not a JSON object")))
}

pub(super) fn decode(args: &DecodeArgs) -> Result<(), CliError> {
    log::start(&MultiProgress::new());
    let options = options(&args.options)?;
    let payloads = payloads(args)?;
    let plugin = Plugin::load(&wiring::engine()?, &args.plugin).map_err(CliError::config)?;
    let schemas = args.schemas.open(false)?;
    let mut deserializer =
        Deserializer::open(&plugin, Part::Value, &options, schemas, Limits::default())
            .map_err(CliError::config)?;

    let mut sink = stdout::stdout();
    let mut bad = 0;
    for (batch, part) in payloads.chunks(BATCH).enumerate() {
        let source = TopicPartition {
            topic: "decode".into(),
            partition: 0,
        };
        let mut builder = BatchBuilder::new(source, Capacity::default());
        for (row, payload) in part.iter().enumerate() {
            let number = i64::try_from(batch * BATCH + row).unwrap_or(i64::MAX);
            if !builder.push(number, -1, None, Some(payload)) {
                return Err(CliError::Config(
                    "the payloads are larger than 4 GiB".into(),
                ));
            }
        }
        let decoded = deserializer
            .decode(&builder.finish())
            .map_err(CliError::failed)?;
        for rows in &decoded.rows {
            match sink.write(rows) {
                Err(SinkError::Closed) => return Ok(()),
                written => written.map_err(CliError::failed)?,
            }
        }
        for error in &decoded.errors {
            show::error(&format!("payload {}: {}", error.offset + 1, error.reason));
        }
        bad += decoded.errors.len();
    }
    match bad {
        0 => Ok(()),
        _ => Err(CliError::Failed(format!(
            "{bad} of {} payloads could not be decoded",
            payloads.len()
        ))),
    }
}

fn payloads(args: &DecodeArgs) -> Result<Vec<Vec<u8>>, CliError> {
    if let Some(text) = &args.hex {
        return Ok(vec![
            hex(text).map_err(|why| CliError::Config(format!("--hex: {why}")))?,
        ]);
    }
    if let Some(path) = &args.file {
        return Ok(vec![read(path)?]);
    }
    let as_hex = args.hex_lines.is_some();
    let path = args
        .hex_lines
        .as_ref()
        .or(args.lines.as_ref())
        .expect("the group is required");
    let text = read(path)?;
    let lines = text
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut payloads: Vec<Vec<u8>> = Vec::new();
    for (number, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
        payloads.push(if as_hex {
            let line = String::from_utf8_lossy(line);
            hex(&line).map_err(|why| {
                CliError::Config(format!("{}:{}: {why}", path.display(), number + 1))
            })?
        } else {
            line.to_vec()
        });
    }
    Ok(payloads)
}

/// All of a file, or of standard input.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let read = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.map_err(|error| CliError::Config(format!("{}: {error}", path.display())))
}

/// Bytes of hexadecimal digits; white space and a leading `0x` do not count.
fn hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<char> = text
        .trim()
        .trim_start_matches("0x")
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    if digits.len() % 2 == 1 {
        return Err(format!(
            "{} hexadecimal digits do not make whole bytes",
            digits.len()
        ));
    }
    let digit = |c: char| {
        c.to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
            .ok_or(format!("`{c}` is not a hexadecimal digit"))
    };
    digits
        .chunks(2)
        .map(|pair| Ok(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

impl SchemaArgs {
    /// `register` says whether a plug-in may register schemas.
    pub(super) fn open(&self, register: bool) -> Result<Arc<dyn SchemaSource>, CliError> {
        if let Some(url) = &self.registry {
            if !url.starts_with("http://") && !url.starts_with("https://") {
                let text = format!("--registry: write {url} with http:// or https://");
                return Err(CliError::Config(text));
            }
            let config = RegistryConfig {
                request_timeout: REGISTRY_TIMEOUT,
                auto_register: register,
                ..RegistryConfig::new(url)
            };
            let source = RegistrySource::open(&config, None).map_err(CliError::failed)?;
            return Ok(Arc::new(source));
        }
        if self.schema.is_empty() {
            return Ok(Arc::new(NoSchemas));
        }
        let files = self.schema.iter().map(|given| schema_file(given));
        let source = FileSource::open(&SchemaFiles {
            files: files.collect::<Result<Vec<_>, _>>()?,
            import_paths: Vec::new(),
        })
        .map_err(|error| CliError::Config(format!("--schema: {error}")))?;
        Ok(Arc::new(source))
    }
}

fn schema_file(given: &str) -> Result<SchemaFile, CliError> {
    let (name, path) = given.split_once('=').ok_or_else(|| {
        CliError::Config(format!(
            "--schema: {given} is not ID=FILE, such as 1={given}"
        ))
    })?;
    let name = name
        .parse()
        .map_or_else(|_| SchemaName::Subject(name.to_owned()), SchemaName::Id);
    Ok(SchemaFile {
        name,
        paths: vec![path.into()],
        declared: Location::default(),
    })
}

/// For a command line that names no schemas.
struct NoSchemas;

impl SchemaSource for NoSchemas {
    fn by_id(&self, id: u32) -> Result<Schema, SchemaError> {
        let message = format!("give it by --schema {id}=FILE, or a registry by --registry URL");
        Err(SchemaError::Refused(message))
    }

    fn latest(&self, subject: &str) -> Result<Registered, SchemaError> {
        let message =
            format!("give it by --schema {subject}=FILE, or a registry by --registry URL");
        Err(SchemaError::Refused(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_read_as_people_paste_it() {
        assert_eq!(hex("0x00 00 00 00 01 FF"), Ok(vec![0, 0, 0, 0, 1, 255]));
        assert!(hex("abc").is_err());
        assert!(hex("zz").is_err());
    }
}

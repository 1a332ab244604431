//! `weir encode`.

use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use arrow::json::ReaderBuilder;
use arrow::json::reader::infer_json_schema;
use clap::{ArgGroup, Args, ValueEnum};
use indicatif::MultiProgress;

use super::decode::{SchemaArgs, options, read};
use super::{CliError, log, show, wiring};
use crate::batch::TopicPartition;
use crate::plugin::{Limits, Part, Plugin, Serializer};

/// Rows in one call of the plug-in.
const BATCH: usize = 1000;
/// What an Arrow file begins with; a stream does not.
const ARROW_FILE: &[u8] = b"ARROW1";

#[derive(Args)]
#[command(group = ArgGroup::new("input").required(true))]
pub(super) struct EncodeArgs {
    /// A built-in serializer's name, or a .wasm file
    #[arg(long)]
    plugin: String,
    /// The plug-in's options, as a JSON object
    #[arg(long, default_value = "{}")]
    options: String,
    /// Whether keys or values are made
    #[arg(long, default_value = "value")]
    part: PartName,
    /// The topic that the messages would go to: subjects are named by it
    #[arg(long, default_value = "encode")]
    topic: String,
    #[command(flatten)]
    schemas: SchemaArgs,
    /// Let the plug-in register schemas
    #[arg(long, requires = "registry")]
    register: bool,
    /// A file with a row, as a JSON object, on each line, `-` for standard input; the columns are
    /// inferred from all of them
    #[arg(long, group = "input", value_name = "FILE")]
    rows: Option<PathBuf>,
    /// An Arrow IPC file or stream, `-` for standard input
    #[arg(long, group = "input", value_name = "FILE")]
    arrow: Option<PathBuf>,
    /// Print payloads as text, and not in hexadecimal
    #[arg(long)]
    text: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum PartName {
    Key,
    Value,
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
pub(super) fn encode(args: &EncodeArgs) -> Result<(), CliError> {
    log::start(&MultiProgress::new());
    let options = options(&args.options)?;
    let batches = batches(args)?;
    let engine = wiring::engine()?;
    let plugin = Plugin::load_serializer(&engine, &args.plugin).map_err(CliError::config)?;
    let part = match args.part {
        PartName::Key => Part::Key,
        PartName::Value => Part::Value,
    };
    let schemas = args.schemas.open(args.register)?;
    let mut serializer = Serializer::open(&plugin, part, &options, schemas, Limits::default())
        .map_err(CliError::config)?;
    let topic: Arc<str> = args.topic.as_str().into();
    let source = TopicPartition {
        topic: Arc::clone(&topic),
        partition: 0,
    };
    let (mut bad, mut first) = (0, 0);
    for batch in &batches {
        let offsets = Arc::new((0_i64..).take(batch.num_rows()).collect());
        let done = serializer
            .encode(&topic, batch, &source, &offsets)
            .map_err(CliError::failed)?;
        for part in &done.parts {
            for place in 0..part.payloads.column.offsets.len() - 1 {
                let row = part.start + place;
                if done.errors.iter().any(|error| error.row == row) {
                    continue;
                }
                println!("{}", printed(part.payloads.get(place), args.text));
            }
        }
        for error in &done.errors {
            let row = first + error.row + 1;
            show::error(&format!("row {row}: {}", error.error.reason));
        }
        bad += done.errors.len();
        first += batch.num_rows();
    }
    match bad {
        0 => Ok(()),
        _ => Err(CliError::Failed(format!(
            "{bad} of {first} rows could not be encoded"
        ))),
    }
}

/// A payload on a line.
fn printed(payload: Option<&[u8]>, as_text: bool) -> String {
    match payload {
        None => "null".to_owned(),
        Some(payload) if as_text => String::from_utf8_lossy(payload).into_owned(),
        Some(payload) => payload.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

fn batches(args: &EncodeArgs) -> Result<Vec<RecordBatch>, CliError> {
    let path = args
        .rows
        .as_ref()
        .or(args.arrow.as_ref())
        .expect("the group is required");
    let bytes = read(path)?;
    let batches = if args.rows.is_some() {
        of_json(&bytes)
    } else if bytes.starts_with(ARROW_FILE) {
        FileReader::try_new(Cursor::new(bytes), None).and_then(Iterator::collect)
    } else {
        StreamReader::try_new(Cursor::new(bytes), None).and_then(Iterator::collect)
    };
    let batches: Vec<RecordBatch> =
        batches.map_err(|error| CliError::Config(format!("{}: {error}", path.display())))?;
    let parts = batches.iter().flat_map(|batch| {
        let starts = (0..batch.num_rows()).step_by(BATCH);
        starts.map(|start| batch.slice(start, BATCH.min(batch.num_rows() - start)))
    });
    Ok(parts.collect())
}

fn of_json(bytes: &[u8]) -> Result<Vec<RecordBatch>, ArrowError> {
    let (schema, _) = infer_json_schema(Cursor::new(bytes), None)?;
    ReaderBuilder::new(Arc::new(schema))
        .with_batch_size(BATCH)
        .build(Cursor::new(bytes))?
        .collect()
}

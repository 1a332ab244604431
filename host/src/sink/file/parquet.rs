//! Parquet.

use std::io;
use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::FileEncoder;
use super::output::Output;
use crate::sink::SinkError;

/// A row group is in memory until it is complete: this bounds the memory.
const ROW_GROUP_BYTES: usize = 64 * 1024 * 1024;

pub(super) struct Parquet {
    writer: ArrowWriter<Output>,
}

impl Parquet {
    pub(super) fn new(output: Output, schema: &SchemaRef) -> Result<Self, ArrowError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .build();
        let writer = ArrowWriter::try_new(output, Arc::clone(schema), Some(properties));
        Ok(Self { writer: writer.map_err(as_arrow)? })
    }
}

impl FileEncoder for Parquet {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.writer.write(batch).map_err(as_arrow)
    }

    fn bytes(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    fn finish(self: Box<Self>) -> Result<Output, ArrowError> {
        self.writer.into_inner().map_err(as_arrow)
    }
}

/// Refuses a schema with a type that Parquet has no room for.
///
/// # Errors
/// [`SinkError::Unsupported`], naming the innermost column at fault.
pub(super) fn check(schema: &Schema) -> Result<(), SinkError> {
    match schema.fields().iter().find(|field| !is_writable(field)) {
        None => Ok(()),
        Some(field) => {
            let (column, data_type) = culprit(field);
            Err(SinkError::Unsupported { format: "Parquet", column, data_type })
        }
    }
}

/// Asks the writer itself, so that a new version of it is known at once.
fn is_writable(field: &FieldRef) -> bool {
    let field = field.as_ref().clone().with_nullable(true);
    let column = new_null_array(field.data_type(), 1);
    let schema = Arc::new(Schema::new(vec![field]));
    let trial = || {
        let mut writer = ArrowWriter::try_new(io::sink(), Arc::clone(&schema), None)?;
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), vec![column])?)?;
        writer.close()
    };
    trial().is_ok()
}

fn culprit(field: &FieldRef) -> (String, DataType) {
    match children(field).iter().find(|child| !is_writable(child)) {
        None => (field.name().clone(), field.data_type().clone()),
        Some(child) => {
            let (path, data_type) = culprit(child);
            (format!("{}.{path}", field.name()), data_type)
        }
    }
}

fn children(field: &Field) -> Vec<FieldRef> {
    match field.data_type() {
        DataType::Struct(fields) => fields.iter().cloned().collect(),
        DataType::List(child)
        | DataType::LargeList(child)
        | DataType::FixedSizeList(child, _)
        | DataType::Map(child, _) => vec![Arc::clone(child)],
        _ => Vec::new(),
    }
}

/// Keeps the system's own errors apart from the format's.
fn as_arrow(error: ParquetError) -> ArrowError {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => (*source).into(),
            Err(source) => ArrowError::ExternalError(source),
        },
        error => error.into(),
    }
}

//! Parquet.

use std::io;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, Schema, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::FileEncoder;
use super::output::Output;
use crate::config::FileCompression;
use crate::sink::SinkError;

/// A row group is in memory until it is complete: this bounds the memory.
const ROW_GROUP_BYTES: usize = 64 * 1024 * 1024;

pub(super) struct Parquet {
    writer: ArrowWriter<Output>,
}

impl Parquet {
    pub(super) fn new(
        output: Output,
        schema: &SchemaRef,
        compression: FileCompression,
    ) -> Result<Self, ArrowError> {
        let compression = match compression {
            FileCompression::Zstd => Compression::ZSTD(ZstdLevel::default()),
            FileCompression::None | FileCompression::Gzip => Compression::UNCOMPRESSED,
        };
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .build();
        let writer = ArrowWriter::try_new(output, Arc::clone(schema), Some(properties));
        Ok(Self {
            writer: writer.map_err(as_arrow)?,
        })
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

/// Refuses a schema with a type that Parquet, or its writer, has no room for.
///
/// # Errors
/// [`SinkError::Unsupported`], naming the innermost column at fault.
pub(super) fn check(schema: &Schema) -> Result<(), SinkError> {
    match schema.fields().iter().find_map(culprit) {
        None => Ok(()),
        Some((column, data_type)) => Err(SinkError::Unsupported {
            format: "Parquet",
            column,
            data_type,
        }),
    }
}

/// The path and the type of the first unwritable column in this one.
fn culprit(field: &FieldRef) -> Option<(String, DataType)> {
    let inner = match field.data_type() {
        DataType::Interval(IntervalUnit::MonthDayNano) | DataType::Union(_, _) => None,
        DataType::Struct(fields) if fields.is_empty() => None,
        DataType::Struct(fields) => Some(fields.iter().find_map(culprit)?),
        DataType::List(child)
        | DataType::LargeList(child)
        | DataType::ListView(child)
        | DataType::LargeListView(child)
        | DataType::FixedSizeList(child, _)
        | DataType::Map(child, _) => Some(culprit(child)?),
        DataType::Dictionary(_, values) => {
            culprit(&Arc::new(Field::new("", values.as_ref().clone(), true)))?;
            None
        }
        _ => return None,
    };
    Some(match inner {
        None => (field.name().clone(), field.data_type().clone()),
        Some((path, data_type)) => (format!("{}.{path}", field.name()), data_type),
    })
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

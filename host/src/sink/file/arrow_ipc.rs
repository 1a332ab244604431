//! The Arrow IPC file format.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;

use super::FileEncoder;
use super::output::Output;

pub(super) struct ArrowIpc {
    writer: FileWriter<Output>,
    /// The schema of the file: that of the rows, without dictionaries.
    schema: SchemaRef,
    plain: bool,
}

impl ArrowIpc {
    pub(super) fn new(output: Output, schema: &SchemaRef) -> Result<Self, ArrowError> {
        let fields: Fields = schema.fields().iter().map(without_dictionaries).collect();
        let plain = fields == *schema.fields();
        let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
        Ok(Self { writer: FileWriter::try_new(output, &schema)?, schema, plain })
    }
}

impl FileEncoder for ArrowIpc {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        if self.plain {
            return self.writer.write(batch);
        }
        let columns = batch
            .columns()
            .iter()
            .zip(self.schema.fields())
            .map(|(column, field)| cast(column, field.data_type()))
            .collect::<Result<_, _>>()?;
        self.writer.write(&RecordBatch::try_new(self.schema.clone(), columns)?)
    }

    fn bytes(&self) -> u64 {
        self.writer.get_ref().written()
    }

    fn finish(mut self: Box<Self>) -> Result<Output, ArrowError> {
        self.writer.finish()?;
        self.writer.into_inner()
    }
}

fn without_dictionaries(field: &FieldRef) -> FieldRef {
    let one = |inner: &FieldRef| without_dictionaries(inner);
    let data_type = match field.data_type() {
        DataType::Dictionary(_, values) => {
            let values = Arc::new(Field::new("", values.as_ref().clone(), true));
            without_dictionaries(&values).data_type().clone()
        }
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(one).collect()),
        DataType::List(item) => DataType::List(one(item)),
        DataType::LargeList(item) => DataType::LargeList(one(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(one(item), *size),
        DataType::Map(entries, sorted) => DataType::Map(one(entries), *sorted),
        _ => return Arc::clone(field),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

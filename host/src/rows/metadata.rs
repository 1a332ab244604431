//! Columns made of what messages have beside their values.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Int32Array, Int64Array, ListArray, RecordBatch, StringArray,
    StringBuilder, StructArray, TimestampMillisecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, SchemaRef, TimeUnit};

use super::{Rows, Widening};
use crate::batch::{Envelopes, TimestampType};
use crate::config::{Metadata, MetadataColumn};

/// Adds columns to rows, after those of the value.
#[derive(Clone, Debug)]
pub struct MetadataColumns {
    /// What each column holds.
    holds: Vec<Metadata>,
    widening: Widening,
}

/// Why the columns cannot be added.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// The value has a field of that name.
    #[error(
        "source.metadata.columns: the values have a field `{0}` of their own: give the column \
         another name, as in `metadata.columns: {{ kafka_{0}: {1} }}`"
    )]
    Taken(String, &'static str),
    /// A key or the headers, once for each row of their message, exceed 2 GiB.
    #[error(
        "source.metadata.columns: the column `{0}` would be larger than 2 GiB: lower \
         `batch.max.rows`, or leave it out"
    )]
    TooLarge(String),
}

impl MetadataColumns {
    /// What adds these columns; with none, rows stay as they are.
    #[must_use]
    pub fn new(columns: &[MetadataColumn]) -> Self {
        Self {
            holds: columns.iter().map(|column| column.holds).collect(),
            widening: Widening::new(columns.iter().map(field).collect()),
        }
    }

    /// The rows with the columns.
    ///
    /// # Errors
    /// See [`MetadataError`].
    pub fn add(&mut self, mut rows: Rows) -> Result<Rows, MetadataError> {
        if self.holds.is_empty() {
            return Ok(rows);
        }
        let schema = self.schema(&rows.rows.schema())?;
        let mut columns = rows.rows.columns().to_vec();
        for (holds, field) in self.holds.iter().zip(self.widening.added()) {
            let too_large = || MetadataError::TooLarge(field.name().clone());
            columns.push(column(*holds, field, &rows).ok_or_else(too_large)?);
        }
        rows.rows = RecordBatch::try_new(schema, columns)
            .expect("each column has the type of its field, and a value for each row");
        Ok(rows)
    }

    fn schema(&mut self, of_values: &SchemaRef) -> Result<SchemaRef, MetadataError> {
        let taken = match self.widening.widened(of_values) {
            Ok(schema) => return Ok(schema),
            Err(taken) => taken.name().clone(),
        };
        let mut columns = self.holds.iter().zip(self.widening.added());
        let holds = columns.find(|(_, field)| *field.name() == taken);
        let holds = holds.map_or("", |(holds, _)| holds.as_str());
        Err(MetadataError::Taken(taken, holds))
    }
}

fn field(column: &MetadataColumn) -> FieldRef {
    let (data_type, nullable) = match column.holds {
        Metadata::Topic => (DataType::Utf8, false),
        Metadata::Partition => (DataType::Int32, false),
        Metadata::Offset => (DataType::Int64, false),
        Metadata::Timestamp => {
            let utc = Some(Arc::from("UTC"));
            (DataType::Timestamp(TimeUnit::Millisecond, utc), true)
        }
        Metadata::TimestampType | Metadata::KeyText => (DataType::Utf8, true),
        Metadata::LeaderEpoch => (DataType::Int32, true),
        Metadata::Key => (DataType::Binary, true),
        Metadata::Headers => (DataType::List(header(DataType::Binary)), false),
        Metadata::HeadersText => (DataType::List(header(DataType::Utf8)), false),
    };
    Arc::new(Field::new(&column.name, data_type, nullable))
}

fn header(value: DataType) -> FieldRef {
    let fields = Fields::from(vec![
        Field::new("name", DataType::Utf8, false),
        Field::new("value", value, true),
    ]);
    Arc::new(Field::new_struct("item", fields, false))
}

/// `None` when the values exceed what one column can hold.
fn column(holds: Metadata, field: &FieldRef, rows: &Rows) -> Option<ArrayRef> {
    let messages = &rows.messages;
    let keys = || -> Vec<Option<&[u8]>> {
        let keys = rows.each_message();
        keys.map(|message| messages.keys.get(message)).collect()
    };
    Some(match holds {
        Metadata::Topic => {
            let topic = &*messages.source.topic;
            fits(topic.len().checked_mul(rows.len())?)?;
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
                topic,
                rows.len(),
            )))
        }
        Metadata::Partition => Arc::new(Int32Array::from_value(
            messages.source.partition,
            rows.len(),
        )),
        Metadata::Offset => Arc::new(Int64Array::from_iter_values(rows.offsets())),
        Metadata::Timestamp => {
            let has_none = messages.timestamp_type == TimestampType::NotAvailable;
            let known = rows
                .timestamps()
                .map(|ms| (ms != -1 && !has_none).then_some(ms));
            let array = TimestampMillisecondArray::from_iter(known);
            Arc::new(array.with_data_type(field.data_type().clone()))
        }
        Metadata::TimestampType => {
            let name = match messages.timestamp_type {
                TimestampType::CreateTime => Some("CreateTime"),
                TimestampType::LogAppendTime => Some("LogAppendTime"),
                TimestampType::NotAvailable => None,
            };
            Arc::new(StringArray::from_iter(std::iter::repeat_n(
                name,
                rows.len(),
            )))
        }
        Metadata::LeaderEpoch => Arc::new(Int32Array::from_iter(std::iter::repeat_n(
            messages.leader_epoch,
            rows.len(),
        ))),
        Metadata::Key => bytes(&keys())?,
        Metadata::KeyText => text(&keys())?,
        Metadata::Headers => headers(rows, field, bytes)?,
        Metadata::HeadersText => headers(rows, field, text)?,
    })
}

/// Offsets of Arrow's binary and utf8 are 32-bit.
fn fits(bytes: usize) -> Option<i32> {
    i32::try_from(bytes).ok()
}

fn bytes(values: &[Option<&[u8]>]) -> Option<ArrayRef> {
    let sum = values.iter().flatten().map(|value| value.len()).sum();
    fits(sum)?;
    let mut array = BinaryBuilder::with_capacity(values.len(), sum);
    values.iter().for_each(|value| array.append_option(*value));
    Some(Arc::new(array.finish()))
}

fn text(values: &[Option<&[u8]>]) -> Option<ArrayRef> {
    let sum: usize = values.iter().flatten().map(|value| value.len()).sum();
    // U+FFFD has three bytes, and stands for at least one.
    fits(sum.checked_mul(3)?)?;
    let mut array = StringBuilder::with_capacity(values.len(), sum);
    for value in values {
        array.append_option(value.map(String::from_utf8_lossy));
    }
    Some(Arc::new(array.finish()))
}

fn headers(
    rows: &Rows,
    field: &FieldRef,
    column: impl FnOnce(&[Option<&[u8]>]) -> Option<ArrayRef>,
) -> Option<ArrayRef> {
    let DataType::List(item) = field.data_type() else {
        unreachable!("headers are a list: see `field`");
    };
    let DataType::Struct(fields) = item.data_type() else {
        unreachable!("of structs");
    };
    let mut ends = Vec::with_capacity(rows.len() + 1);
    ends.push(0);
    let (mut names, mut values) = (Vec::new(), Vec::new());
    let mut name_bytes = 0;
    for message in rows.each_message() {
        for (name, value) in headers_of(&rows.messages, message) {
            let name = readable(name);
            name_bytes += name.len();
            names.push(name);
            values.push(value);
        }
        ends.push(fits(names.len())?);
    }
    fits(name_bytes)?;
    let names = StringArray::from_iter_values(names);
    let items: Vec<ArrayRef> = vec![Arc::new(names), column(&values)?];
    let items = StructArray::new(fields.clone(), items, None);
    let ends = OffsetBuffer::new(ends.into());
    Some(Arc::new(ListArray::new(
        Arc::clone(item),
        ends,
        Arc::new(items),
        None,
    )))
}

fn headers_of(
    messages: &Envelopes,
    message: usize,
) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    let headers = messages.headers.iter();
    headers.flat_map(move |headers| headers.each(message))
}

/// A header's name as text from which the name can be had back: a byte that is not UTF-8
/// is `\xff`, and `\` is `\\`.
fn readable(name: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(name)
        && !text.contains('\\')
    {
        return text.into();
    }
    let mut readable = String::with_capacity(name.len() + 8);
    for chunk in name.utf8_chunks() {
        readable.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            readable.push_str(&format!("\\x{byte:02x}"));
        }
    }
    readable.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchBuilder, Capacity, MessageBatch, TopicPartition};
    use crate::rows::RowOrigins;
    use crate::sink::json::JsonRows;

    fn batch() -> MessageBatch {
        let source = TopicPartition {
            topic: "orders".into(),
            partition: 3,
        };
        let mut batch = BatchBuilder::new(source, Capacity::default());
        batch.timestamp_type = TimestampType::CreateTime;
        batch.leader_epoch = Some(5);
        assert!(batch.push(7, 1_000, Some(b"k\xff"), Some(b"")));
        batch.push_header(b"a", Some(b"1"));
        batch.push_header(b"a", None);
        batch.push_header(b"\xffb\\", Some(b"\xff"));
        assert!(batch.push(9, -1, None, Some(b"")));
        batch.finish()
    }

    fn rows(names: &[&str], origins: RowOrigins, len: i64) -> Rows {
        let columns = names.iter().map(|name| {
            let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..len));
            (*name, column)
        });
        Rows {
            rows: RecordBatch::try_from_iter(columns).unwrap(),
            messages: batch().envelopes(),
            origins,
            event_times: None,
            watermark: None,
            encoded: Default::default(),
            tombstones: None,
        }
    }

    fn columns(holds: &[(&str, Metadata)]) -> MetadataColumns {
        let columns: Vec<MetadataColumn> = holds
            .iter()
            .map(|(name, holds)| MetadataColumn {
                name: (*name).to_owned(),
                holds: *holds,
            })
            .collect();
        MetadataColumns::new(&columns)
    }

    #[test]
    fn everything_that_a_message_has() {
        let all: Vec<(&str, Metadata)> = crate::config::Metadata::NAMES
            .iter()
            .copied()
            .zip([
                Metadata::Topic,
                Metadata::Partition,
                Metadata::Offset,
                Metadata::Timestamp,
                Metadata::TimestampType,
                Metadata::LeaderEpoch,
                Metadata::Key,
                Metadata::KeyText,
                Metadata::Headers,
                Metadata::HeadersText,
            ])
            .collect();
        let added = columns(&all)
            .add(rows(&["n"], RowOrigins::Identity, 2))
            .unwrap();
        let mut json = JsonRows::default();
        json.encode(&added.rows).unwrap();
        let lines: Vec<&str> = json
            .rows()
            .map(|row| std::str::from_utf8(row).unwrap())
            .collect();
        assert_eq!(
            lines,
            [
                r#"{"n":0,"topic":"orders","partition":3,"offset":7,"timestamp":"1970-01-01T00:00:01.000Z","timestamp.type":"CreateTime","leader.epoch":5,"key":"a/8=","key.text":"k�","headers":[{"name":"a","value":"MQ=="},{"name":"a","value":null},{"name":"\\xffb\\\\","value":"/w=="}],"headers.text":[{"name":"a","value":"1"},{"name":"a","value":null},{"name":"\\xffb\\\\","value":"�"}]}"#,
                r#"{"n":1,"topic":"orders","partition":3,"offset":9,"timestamp":null,"timestamp.type":"CreateTime","leader.epoch":5,"key":null,"key.text":null,"headers":[],"headers.text":[]}"#,
            ]
        );
    }

    #[test]
    fn each_row_has_what_its_own_message_has() {
        let mut offset = columns(&[("at", Metadata::Offset)]);
        let origins = RowOrigins::Messages(vec![0, 1, 1]);
        let added = offset.add(rows(&["n"], origins, 3)).unwrap();
        let column = added.rows.column_by_name("at").unwrap();
        assert_eq!(column.as_ref(), &Int64Array::from(vec![7, 9, 9]));
    }

    #[test]
    fn equal_schemas_stay_one() {
        let mut offset = columns(&[("at", Metadata::Offset)]);
        let rows = rows(&["n"], RowOrigins::Identity, 2);
        let first = offset.add(rows.clone()).unwrap().rows.schema();
        let same = offset.add(rows).unwrap().rows.schema();
        assert!(Arc::ptr_eq(&first, &same));
        let another = super::tests::rows(&["n"], RowOrigins::Identity, 2);
        let equal = offset.add(another).unwrap().rows.schema();
        assert!(Arc::ptr_eq(&first, &equal));
    }

    #[test]
    fn a_name_that_the_value_has_is_refused() {
        let error = columns(&[("n", Metadata::Offset)])
            .add(rows(&["n"], RowOrigins::Identity, 2))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "source.metadata.columns: the values have a field `n` of their own: give the column \
             another name, as in `metadata.columns: { kafka_n: offset }`"
        );
    }

    #[test]
    fn names_can_be_had_back() {
        for (name, expected) in [
            (&b"plain"[..], "plain"),
            (b"", ""),
            (b"\\xff", "\\\\xff"),
            (b"\xff", "\\xff"),
            ("é".as_bytes(), "é"),
        ] {
            assert_eq!(readable(name), expected);
        }
    }
}

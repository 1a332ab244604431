//! Values of one column, as keys and topics of messages.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, FieldRef, Schema, TimeUnit, TimestampMillisecondType};
use arrow::error::ArrowError;

use crate::config::{KafkaSinkConfig, is_topic_name};
use crate::rows::{ColumnPath, Rows};
use crate::sink::SinkError;
use crate::sink::json::{JsonCells, JsonRows};

/// The values of a column as bytes: text and binary as they are, others as the sink's JSON
/// has them, without quotes.
pub(super) enum Bytes {
    Text(ArrayRef),
    Binary(ArrayRef),
    FixedSize(ArrayRef),
    Json(JsonCells, ArrayRef),
}

impl Bytes {
    /// `key` is the one of the pipeline file that names the column.
    pub(super) fn of(rows: &Rows, path: &str, key: &'static str) -> Result<Self, SinkError> {
        let (field, values) = column(rows, path, key)?;
        Ok(match values.data_type() {
            DataType::Utf8 => Self::Text(values),
            DataType::Binary => Self::Binary(values),
            DataType::FixedSizeBinary(_) => Self::FixedSize(values),
            _ => {
                let cells = JsonCells::encode(&field, &values).map_err(|source| {
                    let what = format!("sink.kafka.{key}: {path}");
                    SinkError::Format { what, source }
                })?;
                Self::Json(cells, values)
            }
        })
    }

    /// The bytes that are a JSON object of these columns.
    pub(super) fn object(
        rows: &Rows,
        paths: &[String],
        key: &'static str,
    ) -> Result<JsonRows, SinkError> {
        let columns = paths.iter().map(|path| column(rows, path, key));
        let (fields, values): (Vec<_>, Vec<_>) =
            columns.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let mut json = JsonRows::default();
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), values, &options)
            .and_then(|columns| json.encode(&columns))
            .map_err(|source| {
                let what = format!("sink.kafka.{key}");
                SinkError::Format { what, source }
            })?;
        Ok(json)
    }

    pub(super) fn get(&self, row: usize) -> Option<&[u8]> {
        let (Self::Text(values)
        | Self::Binary(values)
        | Self::FixedSize(values)
        | Self::Json(_, values)) = self;
        if values.is_null(row) {
            return None;
        }
        Some(match self {
            Self::Text(values) => values.as_string::<i32>().value(row).as_bytes(),
            Self::Binary(values) => values.as_binary::<i32>().value(row),
            Self::FixedSize(values) => values.as_fixed_size_binary().value(row),
            Self::Json(cells, _) => {
                let cell = cells.get(row);
                let unquoted = cell.strip_prefix(b"\"");
                unquoted
                    .and_then(|rest| rest.strip_suffix(b"\""))
                    .unwrap_or(cell)
            }
        })
    }
}

/// The topic of each row.
pub(crate) struct Topics<'a> {
    named: Option<Bytes>,
    fallback: Option<&'a str>,
}

impl<'a> Topics<'a> {
    /// As the pipeline file says.
    ///
    /// # Errors
    /// [`SinkError::NoColumn`].
    pub(crate) fn of(config: &'a KafkaSinkConfig, rows: &Rows) -> Result<Self, SinkError> {
        let named = config.topic_field.as_deref();
        let named = named.map(|path| Bytes::of(rows, path, "topic.field"));
        Ok(Self {
            named: named.transpose()?,
            fallback: config.topic.as_deref(),
        })
    }

    /// The topic of all rows, where no column names it.
    pub(crate) fn only(&self) -> Option<&'a str> {
        self.fallback.filter(|_| self.named.is_none())
    }

    /// The topic of one.
    ///
    /// # Errors
    /// [`SinkError::NoTopic`].
    pub(crate) fn of_row(&self, rows: &Rows, row: usize) -> Result<&str, SinkError> {
        let none = |found: String| SinkError::NoTopic {
            source_partition: rows.messages.source.clone(),
            offset: rows.messages.offsets[rows.message(row)],
            found,
        };
        match self.named.as_ref().and_then(|topics| topics.get(row)) {
            None => self
                .fallback
                .ok_or_else(|| none("is null there".to_owned())),
            Some(name) => match std::str::from_utf8(name) {
                Ok(name) if is_topic_name(name) => Ok(name),
                _ => Err(none(format!(
                    "has {:?}, which is not a topic's name",
                    String::from_utf8_lossy(&name[..name.len().min(100)])
                ))),
            },
        }
    }
}

/// The column at `path`; `key` is the one of the pipeline file that names it.
///
/// # Errors
/// [`SinkError::NoColumn`].
pub(crate) fn column(
    rows: &Rows,
    path: &str,
    key: &'static str,
) -> Result<(FieldRef, ArrayRef), SinkError> {
    ColumnPath::new(path)
        .find(&rows.rows)
        .ok_or_else(|| SinkError::NoColumn {
            key,
            path: path.to_owned(),
            source_partition: rows.messages.source.clone(),
            columns: rows
                .rows
                .schema()
                .fields()
                .iter()
                .map(|field| field.name().as_str())
                .collect::<Vec<_>>()
                .join(", "),
        })
}

/// The values of a column as ms since the epoch.
pub(super) fn millis(rows: &Rows, path: &str, key: &'static str) -> Result<ArrayRef, SinkError> {
    let (_, values) = column(rows, path, key)?;
    let ms = DataType::Timestamp(TimeUnit::Millisecond, None);
    let is_time = matches!(
        values.data_type(),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 | DataType::Int64
    );
    let cast = if is_time {
        arrow::compute::cast(&values, &ms)
    } else {
        let found = values.data_type();
        Err(ArrowError::CastError(format!(
            "a column of type {found} has no times: name a timestamp, a date, or ms as int64"
        )))
    };
    cast.map_err(|source| {
        let what = format!("sink.kafka.{key}: {path}");
        SinkError::Format { what, source }
    })
}

/// One of [`millis`].
pub(super) fn millis_at(values: &ArrayRef, row: usize) -> Option<i64> {
    (!values.is_null(row)).then(|| values.as_primitive::<TimestampMillisecondType>().value(row))
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        BinaryArray, BooleanArray, Decimal128Array, Int64Array, StringArray, TimestampSecondArray,
    };

    use super::*;
    use crate::sink::testing::rows_of;

    fn rows(values: ArrayRef) -> Rows {
        rows_of(RecordBatch::try_from_iter([("c", values)]).unwrap())
    }

    fn bytes(values: ArrayRef) -> Vec<Option<String>> {
        let rows = rows(values);
        let bytes = Bytes::of(&rows, "c", "key.field").unwrap();
        (0..rows.len())
            .map(|row| {
                let value = bytes.get(row)?;
                Some(String::from_utf8_lossy(value).into_owned())
            })
            .collect()
    }

    fn some(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|text| Some((*text).to_owned())).collect()
    }

    #[test]
    fn text_and_bytes_are_themselves() {
        let text = StringArray::from(vec![Some("\"a\""), None, Some("")]);
        assert_eq!(
            bytes(Arc::new(text)),
            [Some("\"a\"".to_owned()), None, Some(String::new())]
        );
        let binary = BinaryArray::from_vec(vec![b"a", b"b"]);
        assert_eq!(bytes(Arc::new(binary)), some(&["a", "b"]));
    }

    #[test]
    fn others_are_json_without_quotes() {
        let numbers = Int64Array::from(vec![Some(-7), None]);
        assert_eq!(bytes(Arc::new(numbers)), [Some("-7".to_owned()), None]);
        let truth = BooleanArray::from(vec![true]);
        assert_eq!(bytes(Arc::new(truth)), some(&["true"]));
        let times = TimestampSecondArray::from(vec![60]);
        assert_eq!(bytes(Arc::new(times)), some(&["1970-01-01T00:01:00"]));
        let decimals = Decimal128Array::from(vec![1234])
            .with_precision_and_scale(10, 2)
            .unwrap();
        assert_eq!(bytes(Arc::new(decimals)), some(&["12.34"]));
    }

    #[test]
    fn times_are_ms() {
        let times = |values| millis(&rows(values), "c", "timestamp.field");
        let seconds = times(Arc::new(TimestampSecondArray::from(vec![Some(60), None]))).unwrap();
        assert_eq!(
            (millis_at(&seconds, 0), millis_at(&seconds, 1)),
            (Some(60_000), None)
        );
        let numbers = times(Arc::new(Int64Array::from(vec![5]))).unwrap();
        assert_eq!(millis_at(&numbers, 0), Some(5));
        let error = times(Arc::new(StringArray::from(vec!["now"]))).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("sink.kafka.timestamp.field: c: "),
            "{error}"
        );
    }

    #[test]
    fn a_column_that_is_not_there_is_named_beside_those_that_are() {
        let rows = rows(Arc::new(Int64Array::from(vec![1])));
        let error = Bytes::of(&rows, "d", "key.field").err();
        assert_eq!(
            error.map(|error| error.to_string()).as_deref(),
            Some("sink.kafka.key.field: the rows of orders[3] have no column `d`; they have c")
        );
    }
}

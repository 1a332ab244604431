//! From a column of rows to event times.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Fields, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt32Type, UInt64Type,
};
use jiff::civil;
use jiff::tz::TimeZone;

use super::scan::Times;
use crate::config::{ColumnUnit, EventTimeFrom};
use crate::rows::{ColumnPath, RowOrigins, Rows};

const DAY_MS: i64 = 86_400_000;

/// Why rows have no event time: what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// There is no such column.
    #[error("watermark.event.time: rows have no column `{path}`; there are {columns}")]
    Missing {
        /// As in the pipeline file.
        path: ColumnPath,
        /// Those that there are.
        columns: String,
    },
    /// It is of a type that says nothing of time.
    #[error(
        "watermark.event.time: column `{path}` is of type {data_type}; event times are timestamps, dates, integers \
         or RFC 3339 texts"
    )]
    Type {
        /// As in the pipeline file.
        path: ColumnPath,
        /// What it is.
        data_type: DataType,
    },
}

/// The event times of rows. A text that is no time is none.
///
/// # Errors
/// [`ColumnError`], which is the same for all rows of one schema.
pub fn event_times(from: &EventTimeFrom, rows: &Rows) -> Result<Times, ColumnError> {
    match from {
        EventTimeFrom::Timestamp => Ok(Times::of_records(match &rows.origins {
            RowOrigins::Identity => Arc::clone(&rows.messages.timestamps),
            RowOrigins::Messages(_) => Arc::new(rows.timestamps().collect()),
        })),
        // Plug-ins say it of messages, beside the rows.
        EventTimeFrom::Plugin => Ok(Times::new(vec![Times::NONE; rows.len()])),
        EventTimeFrom::Column { path, unit } => {
            let (_, column) = path.find(&rows.rows).ok_or_else(|| ColumnError::Missing {
                path: path.clone(),
                columns: names(rows.rows.schema().fields()),
            })?;
            let times = times(&column, *unit).ok_or_else(|| ColumnError::Type {
                path: path.clone(),
                data_type: column.data_type().clone(),
            })?;
            Ok(Times::new(times))
        }
    }
}

fn names(fields: &Fields) -> String {
    /// As many as fit a line.
    const SHOWN: usize = 12;
    let mut names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
    if names.len() > SHOWN {
        names.truncate(SHOWN);
        names.push("…");
    }
    names.join(", ")
}

/// In ms since the epoch; `None` for a type that says nothing of time.
fn times(column: &ArrayRef, unit: ColumnUnit) -> Option<Vec<i64>> {
    let in_unit = |value: i64| match unit {
        ColumnUnit::Seconds => value.saturating_mul(1_000),
        ColumnUnit::Millis => value,
        ColumnUnit::Micros => value.div_euclid(1_000),
        ColumnUnit::Nanos => value.div_euclid(1_000_000),
    };
    Some(match column.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => {
            numbers::<TimestampSecondType>(column, |s| s.saturating_mul(1_000))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            numbers::<TimestampMillisecondType>(column, |ms| ms)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            numbers::<TimestampMicrosecondType>(column, |us| us.div_euclid(1_000))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            numbers::<TimestampNanosecondType>(column, |ns| ns.div_euclid(1_000_000))
        }
        DataType::Date32 => numbers::<Date32Type>(column, |days| i64::from(days) * DAY_MS),
        DataType::Date64 => numbers::<Date64Type>(column, |ms| ms),
        DataType::Int32 => numbers::<Int32Type>(column, |value| in_unit(i64::from(value))),
        DataType::UInt32 => numbers::<UInt32Type>(column, |value| in_unit(i64::from(value))),
        DataType::Int64 => numbers::<Int64Type>(column, in_unit),
        DataType::UInt64 => numbers::<UInt64Type>(column, |value| {
            in_unit(i64::try_from(value).unwrap_or(i64::MAX))
        }),
        DataType::Utf8 => texts(column.as_string::<i32>().iter()),
        DataType::LargeUtf8 => texts(column.as_string::<i64>().iter()),
        DataType::Utf8View => texts(column.as_string_view().iter()),
        _ => return None,
    })
}

fn numbers<T: ArrowPrimitiveType>(column: &ArrayRef, to_ms: impl Fn(T::Native) -> i64) -> Vec<i64> {
    let column = column.as_primitive::<T>();
    if column.null_count() == 0 {
        return column.values().iter().map(|value| to_ms(*value)).collect();
    }
    let value = |value: Option<T::Native>| value.map_or(Times::NONE, &to_ms);
    column.iter().map(value).collect()
}

fn texts<'t>(texts: impl Iterator<Item = Option<&'t str>>) -> Vec<i64> {
    texts
        .map(|text| text.and_then(parse).unwrap_or(Times::NONE))
        .collect()
}

/// RFC 3339, or a date or a time of day without an offset, which is taken as UTC.
fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(floor_ms(instant));
    }
    let local: civil::DateTime = text.parse().ok()?;
    let instant = local.to_zoned(TimeZone::UTC).ok()?;
    Some(floor_ms(instant.timestamp()))
}

/// A library's own conversion cuts towards 1970.
fn floor_ms(instant: jiff::Timestamp) -> i64 {
    let below = instant.subsec_nanosecond() % 1_000_000 < 0;
    instant.as_millisecond() - i64::from(below)
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        BooleanArray, Date32Array, Date64Array, Float64Array, Int32Array, Int64Array, RecordBatch,
        StringArray, StringViewArray, StructArray, TimestampMicrosecondArray,
        TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
    };
    use arrow::buffer::NullBuffer;
    use arrow::datatypes::Field;

    use super::*;
    use crate::batch::{BatchBuilder, Capacity, TopicPartition};

    const NONE: i64 = Times::NONE;

    fn of(
        path: &str,
        unit: ColumnUnit,
        columns: Vec<(&str, ArrayRef)>,
    ) -> Result<Times, ColumnError> {
        let rows = RecordBatch::try_from_iter_with_nullable(
            columns
                .into_iter()
                .map(|(name, column)| (name, column, true)),
        )
        .unwrap();
        let from = EventTimeFrom::Column {
            path: ColumnPath::new(path),
            unit,
        };
        event_times(&from, &rows_of(rows))
    }

    fn rows_of(rows: RecordBatch) -> Rows {
        let source = TopicPartition {
            topic: "t".into(),
            partition: 0,
        };
        let mut batch = BatchBuilder::new(source, Capacity::default());
        for offset in (0..).take(rows.num_rows()) {
            assert!(batch.push(offset, offset - 1, None, Some(b"value")));
        }
        Rows {
            rows,
            messages: batch.finish().envelopes(),
            origins: RowOrigins::Identity,
            event_times: None,
            watermark: None,
            encoded: Default::default(),
            tombstones: None,
        }
    }

    fn values(unit: ColumnUnit, column: impl Array + 'static) -> Vec<i64> {
        let times = of("at", unit, vec![("at", Arc::new(column))]).unwrap();
        times.values.to_vec()
    }

    #[test]
    fn each_type_in_ms_rounded_down() {
        use ColumnUnit::{Micros, Millis, Nanos, Seconds};
        let seconds = TimestampSecondArray::from(vec![Some(-1), None]);
        assert_eq!(values(Millis, seconds), [-1_000, NONE]);
        let millis = TimestampMillisecondArray::from(vec![7]).with_timezone("+02:00");
        assert_eq!(values(Seconds, millis), [7], "an instant is in UTC");
        let micros = TimestampMicrosecondArray::from(vec![1_999, -1]);
        assert_eq!(values(Millis, micros), [1, -1]);
        let nanos = TimestampNanosecondArray::from(vec![1_999_999, -1]);
        assert_eq!(values(Millis, nanos), [1, -1]);
        assert_eq!(values(Millis, Date32Array::from(vec![1])), [DAY_MS]);
        assert_eq!(values(Millis, Date64Array::from(vec![5])), [5]);

        let number = || Int64Array::from(vec![Some(-1_500), None]);
        assert_eq!(values(Seconds, number()), [-1_500_000, NONE]);
        assert_eq!(values(Millis, number()), [-1_500, NONE]);
        assert_eq!(values(Micros, number()), [-2, NONE]);
        assert_eq!(values(Nanos, number()), [-1, NONE]);
        assert_eq!(
            values(Seconds, Int64Array::from(vec![i64::MAX])),
            [i64::MAX]
        );
        assert_eq!(values(Seconds, Int32Array::from(vec![3])), [3_000]);
        assert_eq!(
            values(Millis, UInt64Array::from(vec![u64::MAX])),
            [i64::MAX]
        );
    }

    #[test]
    fn texts_are_rfc_3339_or_in_utc() {
        let texts = [
            Some("1970-01-01T00:00:01.5Z"),
            Some("1970-01-01T01:00:00+01:00"),
            Some(" 1970-01-02 00:00:00 "),
            Some("1970-01-02"),
            Some("1969-12-31T23:59:59.9999Z"),
            Some("yesterday"),
            Some(""),
            None,
        ];
        let expected = [1_500, 0, DAY_MS, DAY_MS, -1, NONE, NONE, NONE];
        let column = StringArray::from(texts.to_vec());
        assert_eq!(values(ColumnUnit::Millis, column), expected);
        let column = StringViewArray::from(texts.to_vec());
        assert_eq!(values(ColumnUnit::Millis, column), expected);
    }

    #[test]
    fn a_path_goes_into_structs_and_through_dots() {
        let at: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let field = |name| Arc::new(Field::new(name, DataType::Int64, true));
        let order = StructArray::new(
            vec![field("created.at")].into(),
            vec![at],
            Some(NullBuffer::from(vec![true, false])),
        );
        let columns = || -> Vec<(&str, ArrayRef)> {
            let ordered: ArrayRef = Arc::new(BooleanArray::from(vec![true, true]));
            vec![("ordered", ordered), ("order", Arc::new(order.clone()))]
        };
        let times = of("order.created.at", ColumnUnit::Millis, columns()).unwrap();
        assert_eq!(
            times.values.to_vec(),
            [1, NONE],
            "within null there is nothing"
        );
        let error = |path| {
            of(path, ColumnUnit::Millis, columns())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            error("order.at"),
            "watermark.event.time: rows have no column `order.at`; there are ordered, order"
        );
        assert!(error("order").contains("is of type Struct"));
        let float: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
        let error = of("at", ColumnUnit::Millis, vec![("at", float)]).unwrap_err();
        assert!(error.to_string().contains("is of type Float64"), "{error}");
    }

    #[test]
    fn record_timestamps_are_shared_unless_rows_are_not_messages() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let mut rows = rows_of(RecordBatch::try_from_iter([("n", column)]).unwrap());
        let times = event_times(&EventTimeFrom::Timestamp, &rows).unwrap();
        assert!(Arc::ptr_eq(&times.values, &rows.messages.timestamps));
        assert_eq!((times.get(0), times.get(1)), (None, Some(0)));
        rows.origins = RowOrigins::Messages(vec![1, 1]);
        let times = event_times(&EventTimeFrom::Timestamp, &rows).unwrap();
        assert_eq!((times.get(0), times.get(1)), (Some(0), Some(0)));
    }
}

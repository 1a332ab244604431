//! Columns through Arrow, with all of its checks, to one JSON value a row.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, MapArray, make_array};
use arrow::buffer::Buffer;
use arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Field, Fields, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, IntervalMonthDayNanoType, IntervalUnit, TimeUnit, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use serde_json::{Map, Value, json};
use weir_guest::rows::{self, RowGroup};

/// One JSON value for each row of a group: an object of its columns.
pub(crate) fn rows_of(fields: &[rows::Field], group: &RowGroup) -> Vec<Value> {
    let mut at = 0;
    let mut columns = Vec::new();
    while at < fields.len() {
        let field = field(fields, &mut at);
        let mut index = columns
            .iter()
            .map(|(_, _, used): &(_, _, usize)| used)
            .sum();
        let start = index;
        let array = array(&field, &group.arrays, &mut index);
        assert_eq!(array.len(), group.len as usize, "{field:?}");
        columns.push((field, array, index - start));
    }
    let used: usize = columns.iter().map(|(_, _, used)| used).sum();
    assert_eq!(used, group.arrays.len());
    let row = |row| {
        let columns = columns.iter();
        let columns =
            columns.map(|(field, array, _)| (field.name().clone(), value(field, array, row)));
        Value::Object(columns.collect::<Map<_, _>>())
    };
    (0..group.len as usize).map(row).collect()
}

fn field(fields: &[rows::Field], at: &mut usize) -> Field {
    let this = &fields[*at];
    *at += 1;
    let children: Vec<_> = (0..this.children)
        .map(|_| Arc::new(field(fields, at)))
        .collect();
    let child = || Arc::clone(&children[0]);
    let data_type = match this.format.as_str() {
        "n" => DataType::Null,
        "b" => DataType::Boolean,
        "c" => DataType::Int8,
        "s" => DataType::Int16,
        "i" => DataType::Int32,
        "l" => DataType::Int64,
        "C" => DataType::UInt8,
        "S" => DataType::UInt16,
        "I" => DataType::UInt32,
        "L" => DataType::UInt64,
        "f" => DataType::Float32,
        "g" => DataType::Float64,
        "z" => DataType::Binary,
        "u" => DataType::Utf8,
        "tdD" => DataType::Date32,
        "tts" => DataType::Time32(TimeUnit::Second),
        "ttm" => DataType::Time32(TimeUnit::Millisecond),
        "ttu" => DataType::Time64(TimeUnit::Microsecond),
        "ttn" => DataType::Time64(TimeUnit::Nanosecond),
        "tsm:" => DataType::Timestamp(TimeUnit::Millisecond, None),
        "tsu:" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "tsn:" => DataType::Timestamp(TimeUnit::Nanosecond, None),
        "tss:UTC" => DataType::Timestamp(TimeUnit::Second, Some("UTC".into())),
        "tsm:UTC" => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        "tsu:UTC" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "tsn:UTC" => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        "tDn" => DataType::Duration(TimeUnit::Nanosecond),
        "tDu" => DataType::Duration(TimeUnit::Microsecond),
        "tin" => DataType::Interval(IntervalUnit::MonthDayNano),
        "+s" => DataType::Struct(Fields::from(children)),
        "+l" => DataType::List(child()),
        "+m" => DataType::Map(child(), false),
        other => parametric(other),
    };
    let metadata: std::collections::HashMap<_, _> = this.metadata.iter().cloned().collect();
    Field::new(&this.name, data_type, this.nullable).with_metadata(metadata)
}

fn parametric(format: &str) -> DataType {
    if let Some(size) = format.strip_prefix("w:") {
        return DataType::FixedSizeBinary(size.parse().unwrap());
    }
    let numbers: Vec<&str> = format.strip_prefix("d:").unwrap().split(',').collect();
    let (precision, scale) = (numbers[0].parse().unwrap(), numbers[1].parse().unwrap());
    match numbers.get(2) {
        None => DataType::Decimal128(precision, scale),
        Some(&"256") => DataType::Decimal256(precision, scale),
        Some(other) => panic!("{other}"),
    }
}

fn array(field: &Field, arrays: &[rows::Array], at: &mut usize) -> ArrayRef {
    let this = &arrays[*at];
    *at += 1;
    let children: Vec<ArrayData> = match field.data_type() {
        DataType::List(child) | DataType::Map(child, _) => vec![array(child, arrays, at).to_data()],
        DataType::Struct(fields) => fields
            .iter()
            .map(|child| array(child, arrays, at).to_data())
            .collect(),
        _ => vec![],
    };
    let mut buffers = this
        .buffers
        .iter()
        .map(|buffer| Buffer::from_vec(buffer.clone()));
    let mut builder = ArrayData::builder(field.data_type().clone())
        .len(this.len as usize)
        .child_data(children)
        .align_buffers(true);
    if *field.data_type() == DataType::Null {
        assert_eq!(this.null_count, this.len);
    } else {
        let validity = buffers.next().unwrap();
        if validity.is_empty() {
            assert_eq!(this.null_count, 0);
        } else {
            assert!(field.is_nullable() && this.null_count > 0);
            builder = builder.null_bit_buffer(Some(validity));
        }
    }
    let data = builder.buffers(buffers.collect()).build().unwrap();
    data.validate_full().unwrap();
    if *field.data_type() != DataType::Null {
        assert_eq!(data.null_count(), this.null_count as usize);
    }
    make_array(data)
}

fn value(field: &Field, array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    let is_json = field
        .metadata()
        .get("ARROW:extension:name")
        .is_some_and(|name| name == "arrow.json");
    match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(row).into(),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().value(row).into(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).into(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float32 => float(array.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 if is_json => {
            serde_json::from_str(array.as_string::<i32>().value(row)).unwrap()
        }
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::Binary => hex(array.as_binary::<i32>().value(row)),
        DataType::FixedSizeBinary(_) => hex(array.as_fixed_size_binary().value(row)),
        DataType::Date32 | DataType::Time32(_) => {
            let data = array.to_data();
            data.buffers()[0].typed_data::<i32>()[row].into()
        }
        DataType::Time64(_) | DataType::Timestamp(..) | DataType::Duration(_) => {
            let data = array.to_data();
            data.buffers()[0].typed_data::<i64>()[row].into()
        }
        DataType::Decimal128(..) => array
            .as_primitive::<Decimal128Type>()
            .value(row)
            .to_string()
            .into(),
        DataType::Decimal256(..) => array
            .as_primitive::<Decimal256Type>()
            .value(row)
            .to_string()
            .into(),
        DataType::Interval(_) => {
            let value = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            json!([value.months, value.days, value.nanoseconds])
        }
        DataType::List(child) => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len())
                .map(|item| value(child, &items, item))
                .collect()
        }
        DataType::Map(..) => map(array.as_map(), row),
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            let columns =
                columns.map(|(field, column)| (field.name().clone(), value(field, column, row)));
            Value::Object(columns.collect())
        }
        other => panic!("{other}"),
    }
}

fn map(array: &MapArray, row: usize) -> Value {
    let entries: ArrayRef = Arc::new(array.value(row));
    let DataType::Struct(fields) = entries.data_type() else {
        panic!()
    };
    let columns = entries.as_struct().columns();
    let key = |row| match value(&fields[0], &columns[0], row) {
        Value::String(key) => key,
        key => key.to_string(),
    };
    let entries = (0..entries.len()).map(|row| (key(row), value(&fields[1], &columns[1], row)));
    // A key that is there twice keeps its last value, as in apache-avro's hash map.
    let entries: BTreeMap<String, Value> = entries.collect();
    entries
        .into_iter()
        .map(|(key, value)| json!([key, value]))
        .collect()
}

/// By their bits: NaN is a value like others here.
pub(crate) fn float(value: f64) -> Value {
    json!({ "float": value.to_bits() })
}

pub(crate) fn hex(bytes: &[u8]) -> Value {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "hex": digits })
}

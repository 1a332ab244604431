use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array,
    DictionaryArray, DurationMillisecondArray, FixedSizeBinaryArray, Float32Array, Float64Array,
    Int8Array, Int32Array, Int64Array, IntervalMonthDayNanoArray, IntervalYearMonthArray,
    ListArray, MapBuilder, NullArray, StringArray, StringBuilder, Time32MillisecondArray,
    Time64MicrosecondArray, Time64NanosecondArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use arrow::datatypes::{Int32Type, IntervalMonthDayNano, Schema};
use arrow::record_batch::RecordBatchOptions;

use super::*;

fn column(array: impl Array + 'static) -> Vec<String> {
    let batch = RecordBatch::try_from_iter_with_nullable([("c", Arc::new(array) as _, true)]);
    let batch = batch.unwrap();
    let mut json = JsonRows::default();
    json.encode(&batch).unwrap();
    let rows: Vec<String> = (0..batch.num_rows())
        .map(|row| {
            let row = json.get(row);
            serde_json::from_slice::<serde_json::Value>(row).unwrap();
            let text = std::str::from_utf8(row).unwrap();
            text.strip_prefix("{\"c\":")
                .unwrap()
                .strip_suffix('}')
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        json.lines().iter().filter(|&&byte| byte == b'\n').count(),
        rows.len()
    );
    rows
}

#[test]
fn scalars() {
    assert_eq!(column(NullArray::new(2)), ["null", "null"]);
    assert_eq!(
        column(BooleanArray::from(vec![Some(true), None])),
        ["true", "null"]
    );
    assert_eq!(column(Int8Array::from(vec![-128, 127])), ["-128", "127"]);
    assert_eq!(
        column(Int64Array::from(vec![i64::MIN, i64::MAX])),
        ["-9223372036854775808", "9223372036854775807"]
    );
    assert_eq!(
        column(StringArray::from(vec![Some("a\"\n\u{1}ü"), None, Some("")])),
        [r#""a\"\n\u0001ü""#, "null", "\"\""]
    );
}

#[test]
fn floats_that_json_lacks_are_null() {
    let values = vec![1.5, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300];
    assert_eq!(
        column(Float64Array::from(values)),
        ["1.5", "-0.0", "null", "null", "null", "1.0e300"]
    );
    assert_eq!(
        column(Float32Array::from(vec![0.1, f32::NAN])),
        ["0.1", "null"]
    );
}

#[test]
fn decimals_keep_every_digit() {
    let array = Decimal128Array::from(vec![
        Some(-1),
        Some(123_456_789_012_345_678_901_234_567),
        None,
    ])
    .with_precision_and_scale(38, 4)
    .unwrap();
    assert_eq!(
        column(array),
        ["-0.0001", "12345678901234567890123.4567", "null"]
    );
}

#[test]
fn bytes_are_base64() {
    let values: Vec<Option<&[u8]>> = vec![Some(b""), Some(b"\xff\xfe"), Some(b"weir"), None];
    assert_eq!(
        column(BinaryArray::from(values)),
        ["\"\"", "\"//4=\"", "\"d2Vpcg==\"", "null"]
    );
    let fixed = FixedSizeBinaryArray::try_from_sparse_iter_with_size(
        [Some([0_u8; 3]), None].into_iter(),
        3,
    );
    assert_eq!(column(fixed.unwrap()), ["\"AAAA\"", "null"]);
}

#[test]
fn dates() {
    let days = vec![
        0,
        -1,
        19_782,
        11_016,
        -719_528,
        -719_529,
        2_932_897,
        i32::MAX,
        i32::MIN,
    ];
    assert_eq!(
        column(Date32Array::from(days)),
        [
            "\"1970-01-01\"",
            "\"1969-12-31\"",
            "\"2024-02-29\"",
            "\"2000-02-29\"",
            "\"0000-01-01\"",
            "\"-0001-12-31\"",
            "\"+10000-01-01\"",
            "\"+5881580-07-11\"",
            "\"-5877641-06-23\"",
        ]
    );
    assert_eq!(
        column(Date64Array::from(vec![1])),
        ["\"1970-01-01T00:00:00.001\""]
    );
}

#[test]
fn dates_agree_with_chrono() {
    let days: Vec<i32> = (-800_000..3_000_000).step_by(7).collect();
    let ours = column(Date32Array::from(days.clone()));
    let theirs = Date32Array::from(days);
    for (row, ours) in ours.iter().enumerate() {
        let date = theirs.value_as_date(row).unwrap().to_string();
        assert_eq!(ours.trim_matches('"'), date);
    }
}

#[test]
fn times_of_day() {
    let ms = vec![Some(0), Some(86_399_999), Some(90_000_000), Some(-1), None];
    assert_eq!(
        column(Time32MillisecondArray::from(ms)),
        [
            "\"00:00:00.000\"",
            "\"23:59:59.999\"",
            "\"25:00:00.000\"",
            "\"-00:00:00.001\"",
            "null"
        ]
    );
    assert_eq!(
        column(Time64MicrosecondArray::from(vec![1])),
        ["\"00:00:00.000001\""]
    );
    assert_eq!(
        column(Time64NanosecondArray::from(vec![i64::MIN])),
        ["\"-2562047:47:16.854775808\""]
    );
}

#[test]
fn timestamps() {
    let ms = vec![
        Some(0),
        Some(-1),
        Some(1_709_251_199_999),
        None,
        Some(i64::MAX),
        Some(i64::MIN),
    ];
    let local = TimestampMillisecondArray::from(ms);
    let instants = local.clone().with_timezone("+02:00");
    let expected = [
        "\"1970-01-01T00:00:00.000\"",
        "\"1969-12-31T23:59:59.999\"",
        "\"2024-02-29T23:59:59.999\"",
        "null",
        "\"+292278994-08-17T07:12:55.807\"",
        "\"-292275055-05-16T16:47:04.192\"",
    ];
    assert_eq!(column(local), expected);
    let with_zone = expected.map(|text| match text.strip_suffix('"') {
        Some(text) => format!("{text}Z\""),
        None => text.to_owned(),
    });
    assert_eq!(column(instants), with_zone);
    assert_eq!(
        column(TimestampSecondArray::from(vec![0])),
        ["\"1970-01-01T00:00:00\""]
    );
    assert_eq!(
        column(TimestampMicrosecondArray::from(vec![-1])),
        ["\"1969-12-31T23:59:59.999999\""]
    );
    assert_eq!(
        column(TimestampNanosecondArray::from(vec![1])),
        ["\"1970-01-01T00:00:00.000000001\""]
    );
    column(TimestampSecondArray::from(vec![i64::MAX, i64::MIN]));
}

#[test]
fn durations_and_intervals() {
    assert_eq!(
        column(DurationMillisecondArray::from(vec![0, 1_500, -1_500, -1])),
        [
            "\"PT0.000S\"",
            "\"PT1.500S\"",
            "\"PT-1.500S\"",
            "\"PT-0.001S\""
        ]
    );
    let intervals = [
        IntervalMonthDayNano::new(0, 0, 0),
        IntervalMonthDayNano::new(1, -2, 3_500_000_000),
        IntervalMonthDayNano::new(0, 2, 0),
        IntervalMonthDayNano::new(0, 0, 1_000_000_001),
        IntervalMonthDayNano::new(i32::MIN, i32::MAX, i64::MIN),
    ];
    assert_eq!(
        column(IntervalMonthDayNanoArray::from(intervals.to_vec())),
        [
            "\"PT0S\"",
            "\"P1M-2DT3.500S\"",
            "\"P2D\"",
            "\"PT1.000000001S\"",
            "\"P-2147483648M2147483647DT-9223372036.854775808S\"",
        ]
    );
    assert_eq!(column(IntervalYearMonthArray::from(vec![14])), ["\"P14M\""]);
}

#[test]
fn nested() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
    ]);
    assert_eq!(column(list), ["[1,null]", "null", "[]"]);

    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    map.keys().append_value("k");
    map.values().append_null();
    map.append(true).unwrap();
    map.append(false).unwrap();
    map.append(true).unwrap();
    assert_eq!(column(map.finish()), ["{\"k\":null}", "null", "{}"]);

    let inner: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None, None]));
    let when: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![0, 0, 0]));
    let record = StructArray::try_new(
        vec![
            Field::new("x", DataType::Int32, true),
            Field::new("t", when.data_type().clone(), false),
        ]
        .into(),
        vec![inner, when],
        Some(vec![true, true, false].into()),
    );
    assert_eq!(
        column(record.unwrap()),
        [
            "{\"x\":7,\"t\":\"1970-01-01T00:00:00.000\"}",
            "{\"x\":null,\"t\":\"1970-01-01T00:00:00.000\"}",
            "null"
        ]
    );
    assert_eq!(column(StructArray::new_empty_fields(2, None)), ["{}", "{}"]);
}

#[test]
fn dictionaries_with_nulls_on_either_side() {
    let keys = Int32Array::from(vec![Some(0), Some(1), None]);
    let array = |values| DictionaryArray::new(keys.clone(), Arc::new(StringArray::from(values)));
    assert_eq!(
        column(array(vec![Some("RED"), Some("BLUE")])),
        ["\"RED\"", "\"BLUE\"", "null"]
    );
    assert_eq!(
        column(array(vec![Some("RED"), None])),
        ["\"RED\"", "null", "null"]
    );
}

#[test]
fn no_rows_and_no_columns() {
    let mut json = JsonRows::default();
    let options = RecordBatchOptions::new().with_row_count(Some(2));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options);
    json.encode(&batch.unwrap()).unwrap();
    assert_eq!(json.lines(), b"{}\n{}\n");
    json.encode(&RecordBatch::new_empty(Arc::new(Schema::empty())))
        .unwrap();
    assert_eq!(json.lines(), b"");
}

#[test]
fn an_unwritable_column_is_named() {
    let mut keys = MapBuilder::new(
        None,
        arrow::array::Int32Builder::new(),
        StringBuilder::new(),
    );
    keys.append(true).unwrap();
    let batch = RecordBatch::try_from_iter([
        ("fine", Arc::new(Int32Array::from(vec![1])) as ArrayRef),
        ("by_number", Arc::new(keys.finish()) as ArrayRef),
    ]);
    let error = JsonRows::default()
        .encode(&batch.unwrap())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("column \"by_number\"") && error.contains("Int32"),
        "{error}"
    );
}

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow::array::{
    Array, ArrayRef, DictionaryArray, Int32Array, IntervalMonthDayNanoArray, ListArray,
    StringArray, StructArray, new_empty_array, new_null_array,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{
    DataType, Field, Fields, IntervalMonthDayNano, IntervalUnit, TimeUnit, UnionFields, UnionMode,
};
use arrow::ipc::reader::FileReader;
use flate2::read::GzDecoder;
use tempfile::TempDir;

use super::*;
use crate::config::PartitionBy;
use crate::sink::testing::{numbers, rows_of, words};

const FORMATS: [FileFormat; 3] = [FileFormat::Ndjson, FileFormat::Arrow, FileFormat::Parquet];

struct Setup {
    directory: TempDir,
    config: FileSinkConfig,
}

impl Setup {
    fn new(format: FileFormat) -> Self {
        let directory = TempDir::new().unwrap();
        let config = FileSinkConfig {
            path: directory.path().join("made"),
            format,
            compression: format.compressions()[0],
            roll_max_rows: u64::MAX,
            roll_max_bytes: u64::MAX,
            roll_interval: Duration::from_secs(60),
            partition_by: PartitionBy::None,
        };
        Self { directory, config }
    }

    fn sink(&self, run: u32) -> FileSink {
        let started = UNIX_EPOCH + Duration::from_secs(1_709_251_199);
        FileSink::open(&self.config, "orders", started, run).unwrap()
    }

    fn names(&self) -> BTreeSet<String> {
        fs::read_dir(self.directory.path().join("made"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    fn complete(&self) -> Vec<PathBuf> {
        let names = self
            .names()
            .into_iter()
            .filter(|name| !name.starts_with('.'));
        names.map(|name| self.config.path.join(name)).collect()
    }

    fn hidden(&self) -> usize {
        self.names().len() - self.complete().len()
    }
}

fn read(path: &Path) -> RecordBatch {
    let file = File::open(path).unwrap();
    let batches: Vec<RecordBatch> = match path.extension().unwrap().to_str().unwrap() {
        "arrow" => FileReader::try_new(file, None)
            .unwrap()
            .map(Result::unwrap)
            .collect(),
        "parquet" => {
            let reader = ParquetRecordBatchReaderBuilder::try_new(file)
                .unwrap()
                .build()
                .unwrap();
            reader.map(Result::unwrap).collect()
        }
        other => panic!("{other}"),
    };
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

fn lines(path: &Path) -> Vec<String> {
    BufReader::new(File::open(path).unwrap())
        .lines()
        .map(Result::unwrap)
        .collect()
}

fn row_count(path: &Path) -> usize {
    match path.extension().unwrap().to_str().unwrap() {
        "ndjson" => lines(path).len(),
        _ => read(path).num_rows(),
    }
}

#[test]
fn what_is_written_is_read_back() {
    for format in [FileFormat::Arrow, FileFormat::Parquet] {
        let setup = Setup::new(format);
        let mut sink = setup.sink(1);
        sink.write(&rows_of(numbers(0..500))).unwrap();
        sink.write(&rows_of(numbers(500..1_000))).unwrap();
        assert_eq!(sink.durable(Instant::now()).unwrap(), 0);
        assert_eq!((setup.complete().len(), setup.hidden()), (0, 1));
        sink.flush().unwrap();
        assert_eq!(sink.durable(Instant::now()).unwrap(), 2);
        assert_eq!((setup.complete().len(), setup.hidden()), (1, 0));
        assert_eq!(read(&setup.complete()[0]), numbers(0..1_000));
    }
}

#[test]
fn json_lines_are_read_back() {
    let setup = Setup::new(FileFormat::Ndjson);
    let mut sink = setup.sink(1);
    sink.write(&rows_of(words(&["a", "b\n"]))).unwrap();
    sink.write(&rows_of(words(&["c"]))).unwrap();
    sink.flush().unwrap();
    let expected = [r#"{"word":"a"}"#, r#"{"word":"b\n"}"#, r#"{"word":"c"}"#];
    assert_eq!(lines(&setup.complete()[0]), expected);
}

#[test]
fn compressed_json_lines_are_read_back() {
    let mut setup = Setup::new(FileFormat::Ndjson);
    setup.config.compression = FileCompression::Gzip;
    setup.config.roll_max_bytes = 20_000;
    let mut sink = setup.sink(1);
    for batch in 0..40 {
        sink.write(&rows_of(numbers(batch * 1_000..batch * 1_000 + 1_000)))
            .unwrap();
    }
    sink.flush().unwrap();
    let files = setup.complete();
    assert!(files.len() > 2, "{}", files.len());
    let mut lines = Vec::new();
    for path in files {
        assert!(path.to_string_lossy().ends_with(".ndjson.gz"));
        let text = BufReader::new(GzDecoder::new(File::open(path).unwrap()));
        lines.extend(text.lines().map(Result::unwrap));
    }
    let expected: Vec<String> = (0..40_000).map(|n| format!(r#"{{"n":{n}}}"#)).collect();
    assert_eq!(lines, expected);
}

#[test]
fn parquet_is_compressed_as_configured() {
    for (compression, expected) in [
        (FileCompression::Zstd, "ZSTD"),
        (FileCompression::None, "UNCOMPRESSED"),
    ] {
        let mut setup = Setup::new(FileFormat::Parquet);
        setup.config.compression = compression;
        let mut sink = setup.sink(1);
        sink.write(&rows_of(numbers(0..1_000))).unwrap();
        sink.flush().unwrap();
        let file = File::open(&setup.complete()[0]).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let column = reader.metadata().row_group(0).column(0);
        assert!(format!("{:?}", column.compression()).starts_with(expected));
        assert_eq!(read(&setup.complete()[0]), numbers(0..1_000));
    }
}

#[test]
fn names_say_prefix_start_run_schema_and_number() {
    let setup = Setup::new(FileFormat::Parquet);
    let mut sink = setup.sink(0xab);
    sink.write(&rows_of(numbers(0..1))).unwrap();
    sink.flush().unwrap();
    sink.write(&rows_of(numbers(1..2))).unwrap();
    sink.flush().unwrap();
    let schema = format!("{:08x}", fingerprint(numbers(0..0).schema_ref()));
    let names: Vec<String> = setup.names().into_iter().collect();
    let start = format!("orders-20240229T235959Z-000000ab-{schema}");
    assert_eq!(
        names,
        [
            format!("{start}-000001.parquet"),
            format!("{start}-000002.parquet")
        ]
    );
}

#[test]
fn a_prefix_neither_hides_nor_leaves_the_directory() {
    assert_eq!(visible("orders.v2_eu-ü"), "orders.v2_eu-ü");
    assert_eq!(visible("../etc/passwd"), "---etc-passwd");
    assert_eq!(visible("_a b"), "-a-b");
    assert_eq!(visible(""), "");
}

#[test]
fn runs_do_not_meet_and_nothing_is_overwritten() {
    let setup = Setup::new(FileFormat::Ndjson);
    for run in 1..=2 {
        let mut sink = setup.sink(run);
        sink.write(&rows_of(numbers(0..1))).unwrap();
        sink.flush().unwrap();
    }
    assert_eq!(setup.complete().len(), 2);

    let mut same_run = setup.sink(1);
    let error = same_run.write(&rows_of(numbers(0..1))).unwrap_err();
    assert!(matches!(error, SinkError::Io { .. }), "{error}");
    assert_eq!(setup.complete().len(), 2);
}

#[test]
fn rolled_by_rows() {
    for format in FORMATS {
        let mut setup = Setup::new(format);
        setup.config.roll_max_rows = 10;
        let mut sink = setup.sink(1);
        for batch in 0..7 {
            sink.write(&rows_of(numbers(batch * 4..batch * 4 + 4)))
                .unwrap();
        }
        assert_eq!(sink.durable(Instant::now()).unwrap(), 6);
        assert_eq!((setup.complete().len(), setup.hidden()), (2, 1));
        assert!(setup.complete().iter().all(|path| row_count(path) == 12));
    }
}

#[test]
fn rolled_by_bytes() {
    for format in FORMATS {
        let mut setup = Setup::new(format);
        setup.config.roll_max_bytes = 40_000;
        let mut sink = setup.sink(1);
        for batch in 0..40 {
            sink.write(&rows_of(numbers(batch * 1_000..batch * 1_000 + 1_000)))
                .unwrap();
        }
        sink.flush().unwrap();
        let files = setup.complete();
        assert!(files.len() > 2, "{format:?}: {}", files.len());
        assert_eq!(
            files.iter().map(|path| row_count(path)).sum::<usize>(),
            40_000
        );
        let largest = files
            .iter()
            .map(|path| fs::metadata(path).unwrap().len())
            .max()
            .unwrap();
        assert!(
            (10_000..100_000).contains(&largest),
            "{format:?}: {largest}"
        );
    }
}

#[test]
fn rolled_by_time() {
    for format in FORMATS {
        let setup = Setup::new(format);
        let mut sink = setup.sink(1);
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        sink.write(&rows_of(numbers(0..1))).unwrap();
        assert_eq!(sink.durable(start).unwrap(), 0);
        sink.write(&rows_of(words(&["a"]))).unwrap();
        assert_eq!(sink.durable(after(30)).unwrap(), 0);
        assert_eq!(sink.durable(after(59)).unwrap(), 0);
        assert_eq!(sink.durable(after(60)).unwrap(), 1);
        assert_eq!(sink.durable(after(89)).unwrap(), 1);
        assert_eq!(sink.durable(after(90)).unwrap(), 2);
        assert_eq!(setup.hidden(), 0);
    }
}

#[test]
fn empty_batches_make_no_files() {
    for format in FORMATS {
        let setup = Setup::new(format);
        let mut sink = setup.sink(1);
        sink.write(&rows_of(numbers(0..0))).unwrap();
        assert_eq!(sink.durable(Instant::now()).unwrap(), 1);
        sink.write(&rows_of(numbers(0..1))).unwrap();
        sink.write(&rows_of(words(&[]))).unwrap();
        assert_eq!(sink.durable(Instant::now()).unwrap(), 1);
        sink.flush().unwrap();
        assert_eq!(sink.durable(Instant::now()).unwrap(), 3);
        assert_eq!(setup.complete().len(), 1);
    }
}

/// Writes of four schemas in an order without a pattern, against a model of the rule:
/// a write is durable if its rows are in complete files, and `durable` counts a prefix.
#[test]
fn the_durable_prefix_of_interleaved_schemas() {
    for seed in 1..=20_u64 {
        let mut setup = Setup::new(FileFormat::Ndjson);
        setup.config.roll_max_rows = 5;
        let mut sink = setup.sink(1);
        let mut random = seed;
        let mut next = |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) % below
        };
        let mut pending: Vec<(u64, u64, u64)> = Vec::new();
        for write in 0..100_u64 {
            let (schema, rows) = (next(4), next(4));
            let column: ArrayRef =
                Arc::new(Int32Array::from(vec![1; usize::try_from(rows).unwrap()]));
            let batch = RecordBatch::try_from_iter([(format!("c{schema}"), column)]).unwrap();
            sink.write(&rows_of(batch)).unwrap();
            if rows > 0 {
                pending.push((schema, write, rows));
            }
            let of_schema = pending.iter().filter(|it| it.0 == schema);
            if of_schema.map(|it| it.2).sum::<u64>() >= 5 {
                pending.retain(|it| it.0 != schema);
            }
            let expected = pending.first().map_or(write + 1, |it| it.1);
            assert_eq!(
                sink.durable(Instant::now()).unwrap(),
                expected,
                "seed {seed}"
            );
        }
        sink.flush().unwrap();
        assert_eq!(sink.durable(Instant::now()).unwrap(), 100);
        assert_eq!(setup.hidden(), 0);
    }
}

#[test]
fn schemas_do_not_exhaust_the_open_files() {
    let setup = Setup::new(FileFormat::Arrow);
    let mut sink = setup.sink(1);
    for schema in 0..MAX_OPEN + 3 {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        let batch = RecordBatch::try_from_iter([(format!("c{schema}"), column)]).unwrap();
        sink.write(&rows_of(batch)).unwrap();
    }
    assert_eq!((setup.complete().len(), setup.hidden()), (3, MAX_OPEN));
    assert_eq!(sink.durable(Instant::now()).unwrap(), 3);
}

#[test]
fn leftovers_of_a_crash_are_left_alone() {
    for format in FORMATS {
        let setup = Setup::new(format);
        let mut crashed = setup.sink(1);
        crashed.write(&rows_of(numbers(0..9))).unwrap();
        std::mem::forget(crashed);
        let leftover = setup.names();
        assert_eq!(leftover.len(), 1);

        let mut sink = setup.sink(2);
        sink.write(&rows_of(numbers(0..2))).unwrap();
        sink.flush().unwrap();
        assert!(setup.names().is_superset(&leftover));
        assert_eq!(
            setup
                .complete()
                .iter()
                .map(|path| row_count(path))
                .sum::<usize>(),
            2
        );
    }
}

#[test]
fn a_dropped_sink_takes_its_open_files_with_it() {
    for format in FORMATS {
        let setup = Setup::new(format);
        let mut sink = setup.sink(1);
        sink.write(&rows_of(numbers(0..9))).unwrap();
        drop(sink);
        assert_eq!(setup.names().len(), 0);
    }
}

#[test]
fn a_directory_that_goes_away_is_an_error() {
    let setup = Setup::new(FileFormat::Parquet);
    let mut sink = setup.sink(1);
    fs::remove_dir(&setup.config.path).unwrap();
    let error = sink.write(&rows_of(numbers(0..1))).unwrap_err();
    assert!(matches!(error, SinkError::Io { .. }), "{error}");
    assert!(error.to_string().contains("orders-"), "{error}");
}

/// Every type that decoding Avro can give.
fn decodable() -> Vec<DataType> {
    use DataType::*;
    let utc = || Some(Arc::from("+00:00"));
    let item = |data_type| Arc::new(Field::new("item", data_type, true));
    let entries = Fields::from(vec![
        Field::new("key", Utf8, false),
        Field::new("value", Dictionary(Box::new(Int32), Box::new(Utf8)), true),
    ]);
    vec![
        Null,
        Boolean,
        Int32,
        Int64,
        Float32,
        Float64,
        Utf8,
        Binary,
        FixedSizeBinary(16),
        Decimal128(38, 10),
        Date32,
        Time32(TimeUnit::Millisecond),
        Time64(TimeUnit::Microsecond),
        Timestamp(TimeUnit::Millisecond, utc()),
        Timestamp(TimeUnit::Microsecond, utc()),
        Timestamp(TimeUnit::Nanosecond, None),
        Dictionary(Box::new(Int32), Box::new(Utf8)),
        List(item(Dictionary(Box::new(Int32), Box::new(Utf8)))),
        Struct(
            vec![
                Field::new("x", Float64, true),
                Field::new("l", List(item(Utf8)), true),
            ]
            .into(),
        ),
        Map(
            Arc::new(Field::new("entries", Struct(entries), false)),
            false,
        ),
    ]
}

#[test]
fn every_decodable_type_can_be_written() {
    let columns: Vec<(String, ArrayRef)> = decodable()
        .into_iter()
        .enumerate()
        .map(|(index, data_type)| (format!("c{index}"), new_null_array(&data_type, 3)))
        .collect();
    let nullable = columns
        .into_iter()
        .map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(nullable).unwrap();
    for format in FORMATS {
        let setup = Setup::new(format);
        let mut sink = setup.sink(1);
        sink.write(&rows_of(batch.clone())).unwrap();
        sink.flush().unwrap();
        let path = &setup.complete()[0];
        assert_eq!(row_count(path), 3);
        if format == FileFormat::Parquet {
            assert_eq!(read(path), batch);
        }
    }
}

#[test]
fn intervals_go_everywhere_but_to_parquet() {
    let interval: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(vec![
        IntervalMonthDayNano::new(1, 2, 3),
    ]));
    let data_type = interval.data_type().clone();
    let record = StructArray::from(vec![(
        Arc::new(Field::new("kept_for", data_type.clone(), true)),
        interval,
    )]);
    let batch = RecordBatch::try_from_iter([("policy", Arc::new(record) as ArrayRef)]).unwrap();
    for format in [FileFormat::Ndjson, FileFormat::Arrow] {
        let setup = Setup::new(format);
        setup.sink(1).write(&rows_of(batch.clone())).unwrap();
    }

    let setup = Setup::new(FileFormat::Parquet);
    let error = setup.sink(1).write(&rows_of(batch)).unwrap_err();
    let SinkError::Unsupported {
        column,
        data_type: named,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!((column.as_str(), named), ("policy.kept_for", &data_type));
    assert_eq!(data_type, DataType::Interval(IntervalUnit::MonthDayNano));
    assert!(setup.names().is_empty());
}

#[test]
fn dictionaries_may_differ_between_batches() {
    let batch = |values: Vec<&str>| {
        let keys = Int32Array::from(vec![Some(0), None]);
        let enums = DictionaryArray::new(keys, Arc::new(StringArray::from(values)));
        let item = Arc::new(Field::new("item", enums.data_type().clone(), true));
        let offsets = arrow::buffer::OffsetBuffer::from_lengths([2, 0]);
        let list = ListArray::new(item, offsets, Arc::new(enums.clone()), None);
        RecordBatch::try_from_iter_with_nullable([
            ("e", Arc::new(enums) as ArrayRef, true),
            ("l", Arc::new(list) as ArrayRef, true),
        ])
        .unwrap()
    };
    for format in FORMATS {
        let setup = Setup::new(format);
        let mut sink = setup.sink(1);
        sink.write(&rows_of(batch(vec!["RED"]))).unwrap();
        sink.write(&rows_of(batch(vec!["BLUE", "RED"]))).unwrap();
        sink.flush().unwrap();
        let path = &setup.complete()[0];
        if format == FileFormat::Ndjson {
            let null = r#"{"e":null,"l":[]}"#;
            let expected = [
                r#"{"e":"RED","l":["RED",null]}"#,
                null,
                r#"{"e":"BLUE","l":["BLUE",null]}"#,
                null,
            ];
            assert_eq!(lines(path), expected);
            continue;
        }
        let enums = arrow::compute::cast(read(path).column(0), &DataType::Utf8).unwrap();
        let expected = StringArray::from(vec![Some("RED"), None, Some("BLUE"), None]);
        assert_eq!(enums.as_ref(), &expected as &dyn Array, "{format:?}");
    }
}

/// The writer panics on unions: `check` is what keeps them from it.
#[test]
fn parquet_refuses_unions() {
    let fields = UnionFields::try_new([0], [Field::new("a", DataType::Int32, true)]).unwrap();
    let union = DataType::Union(fields, UnionMode::Sparse);
    let inside = DataType::Struct(vec![Field::new("b", union.clone(), true)].into());
    for (data_type, path) in [(union, "c"), (inside, "c.b")] {
        let schema = Schema::new(vec![Field::new("c", data_type, true)]);
        match parquet::check(&schema) {
            Err(SinkError::Unsupported { column, .. }) => assert_eq!(column, path),
            other => panic!("{other:?}"),
        }
    }
}

/// `check` has to know what the writer refuses, and no more.
#[test]
fn the_parquet_check_agrees_with_the_writer() {
    use DataType::*;
    let item = |data_type| Arc::new(Field::new("item", data_type, true));
    let interval = || Interval(IntervalUnit::MonthDayNano);
    let more = [
        UInt8,
        UInt64,
        Float16,
        LargeUtf8,
        LargeBinary,
        Utf8View,
        BinaryView,
        Decimal256(76, 10),
        Date64,
        Time32(TimeUnit::Second),
        Duration(TimeUnit::Microsecond),
        Interval(IntervalUnit::YearMonth),
        Interval(IntervalUnit::DayTime),
        interval(),
        Struct(Fields::empty()),
        Dictionary(Box::new(Int8), Box::new(Decimal128(5, 2))),
        LargeList(item(Int8)),
        FixedSizeList(item(Int8), 2),
        ListView(item(Int8)),
        List(item(interval())),
        List(item(Struct(Fields::empty()))),
    ];
    for data_type in decodable().into_iter().chain(more) {
        let column = new_null_array(&data_type, 1);
        let batch = RecordBatch::try_from_iter_with_nullable([("c", column, true)]).unwrap();
        let setup = Setup::new(FileFormat::Parquet);
        let output = Output::create(&setup.directory.path().join("x")).unwrap();
        let written = parquet::Parquet::new(output, batch.schema_ref(), FileCompression::Zstd)
            .and_then(|mut file| {
                file.write(&batch)?;
                Box::new(file).finish()
            });
        let checked = parquet::check(batch.schema_ref());
        assert_eq!(
            checked.is_ok(),
            written.is_ok(),
            "{data_type}: {checked:?}, {written:?}"
        );
    }
}

#[test]
fn rows_without_columns_do_not_panic() {
    let options = arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(2));
    let empty_struct =
        RecordBatch::try_from_iter([("e", new_empty_array(&DataType::Struct(Fields::empty())))]);
    let none =
        RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options).unwrap();
    for format in FORMATS {
        let setup = Setup::new(format);
        let mut sink = setup.sink(1);
        let outcome = sink
            .write(&rows_of(none.clone()))
            .and_then(|()| sink.flush());
        assert!(
            outcome.is_ok() || format == FileFormat::Parquet,
            "{format:?}: {outcome:?}"
        );
    }
    assert!(parquet::check(empty_struct.unwrap().schema_ref()).is_err());
}

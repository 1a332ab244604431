//! `weir run`: what is on a topic comes out of the sink, once, and is committed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use weir_tests::groups::{committed, ends};
use weir_tests::mock::Mock;
use weir_tests::records::{Reader, Record, produce};
use weir_tests::registry::NewSchema;
use weir_tests::weir::Project;
use weir_tests::{Broker, avro, on_both_brokers, orders};

/// How long a group waits by default for a member that did not leave it.
const SESSION: Duration = Duration::from_secs(45);

on_both_brokers!(
    a_topic_comes_out_once_and_is_committed,
    a_pattern_matches_whole_names,
    rows_go_to_another_topic_as_json,
    tombstones_move_the_offset_and_have_no_row,
    two_writer_schemas_keep_the_order_of_their_messages,
    an_interceptor_drops_by_header,
    a_rate_limit_is_changed_while_it_runs,
    a_rate_limit_of_the_sink_lets_an_ending_pipeline_deliver,
);

/// A bounded pipeline named `name`, so in the group `weir-<name>`, that decodes Avro.
fn pipeline(broker: &dyn Broker, name: &str, topics: &str, rest: &str) -> String {
    format!(
        "name: {name}
source:
  bootstrap.servers: {}
  {topics}
  stop.mode: latest
{}deserializer: {{ value: {{ plugin: avro }} }}
{rest}",
        broker.brokers(),
        broker.source_keys()
    )
}

fn orders_in(range: std::ops::Range<i64>) -> Vec<Value> {
    range.map(orders::row).collect()
}

fn a_topic_comes_out_once_and_is_committed(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("once", 3);
    produce(broker.brokers(), &orders::records("once", id, 0..500));
    let yaml = pipeline(
        broker,
        "once",
        "topics: [once]",
        &format!("schema.registry.url: {}\n", registry.url()),
    );
    let project = Project::new();

    let first = project.run(&yaml).finish().with_code(0);
    assert_eq!(orders::by_id(first.rows()), orders_in(0..500));
    assert!(
        first.summary().contains("once: 500 rows of 500 messages, "),
        "{}",
        first.summary()
    );
    let all = ends(broker.brokers(), "once", 3);
    assert!(all.iter().all(|end| *end > Some(0)), "{all:?}");
    assert_eq!(committed(broker.brokers(), "weir-once", "once", 3), all);

    let second = project.run(&yaml).finish().with_code(0);
    assert_eq!(second.stdout, "");
    assert!(second.summary().contains("0 rows of 0 messages"));
    assert!(
        second.took < SESSION / 2,
        "the first has not left the group: {:?}",
        second.took
    );

    produce(broker.brokers(), &orders::records("once", id, 500..510));
    let third = project.run(&yaml).finish().with_code(0);
    assert_eq!(orders::by_id(third.rows()), orders_in(500..510));
}

fn a_pattern_matches_whole_names(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    let topics = ["shop-eu", "shop-us", "shop-us-dlq", "my-shop-us"];
    for (topic, n) in topics.into_iter().zip(0..) {
        broker.create_topic(topic, 1);
        produce(broker.brokers(), &orders::records(topic, id, n..n + 1));
    }
    let rest = format!("schema.registry.url: {}\n", registry.url());
    let rows = |name: &str, pattern: &str| {
        let topics = format!("topic.pattern: {pattern}");
        let yaml = pipeline(broker, name, &topics, &rest);
        orders::by_id(Project::new().run(&yaml).finish().with_code(0).rows())
    };

    assert_eq!(rows("pattern-one", "shop-us"), orders_in(1..2));
    assert_eq!(rows("pattern-two", "shop-(eu|us)"), orders_in(0..2));
}

fn rows_go_to_another_topic_as_json(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("copy-in", 1);
    broker.create_topic("copy-out", 1);
    let records: Vec<Record> = (0..100)
        .zip(orders::records("copy-in", id, 0..100))
        .map(|(n, record)| record.timestamp(1_600_000_000_000 + n))
        .collect();
    produce(broker.brokers(), &records);
    let rest = format!(
        "schema.registry.url: {}\nsink: {{ kafka: {{ topic: copy-out, compression.type: zstd, serializer: json }} }}\n",
        registry.url()
    );

    let yaml = pipeline(broker, "copy", "topics: [copy-in]", &rest);
    let run = Project::new().run(&yaml).finish().with_code(0);

    assert_eq!(run.stdout, "");
    let copied = Reader::new(broker.brokers(), "copy-out").to_end();
    let json = |record: &Record| {
        serde_json::from_slice::<Value>(record.value.as_ref().expect("a value")).expect("JSON")
    };
    assert_eq!(
        copied.iter().map(json).collect::<Vec<_>>(),
        orders_in(0..100)
    );
    let times = |records: &[Record]| records.iter().map(|r| r.timestamp).collect::<Vec<_>>();
    assert_eq!(times(&copied), times(&records));
    assert_eq!(
        committed(broker.brokers(), "weir-copy", "copy-in", 1),
        [Some(100)]
    );
}

fn tombstones_move_the_offset_and_have_no_row(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("gone", 1);
    let order = |n| Record::new("gone").value(orders::framed(id, n));
    produce(
        broker.brokers(),
        &[
            order(0).header("a", "1").null_header("a"),
            Record::new("gone").key("order-0"),
            Record::new("gone"),
            order(1).key("").header("", ""),
            Record::new("gone").key("order-1"),
        ],
    );
    let rest = format!("schema.registry.url: {}\n", registry.url());

    let yaml = pipeline(broker, "gone", "topics: [gone]", &rest);
    let run = Project::new().run(&yaml).finish().with_code(0);

    assert_eq!(run.rows(), orders_in(0..2));
    assert!(
        run.summary().contains("2 rows of 5 messages") && run.summary().ends_with(", 3 tombstones"),
        "{}",
        run.summary()
    );
    assert_eq!(
        committed(broker.brokers(), "weir-gone", "gone", 1),
        [Some(5)]
    );
}

fn two_writer_schemas_keep_the_order_of_their_messages(broker: &dyn Broker) {
    use apache_avro::{Schema, types::Value as Avro};
    const CLICK: &str =
        r#"{"type":"record","name":"Click","fields":[{"name":"page","type":"string"}]}"#;
    let (registry, order_id) = orders::registry();
    let click_id = registry.register("clicks-value", NewSchema::avro(CLICK));
    let click_schema = Schema::parse_str(CLICK).expect("Avro");
    broker.create_topic("mixed", 1);
    let is_click = |n: i64| n % 5 == 0 || n % 7 == 3;
    let records = (0..60).map(|n| {
        let value = if is_click(n) {
            let page = Avro::String(format!("/{n}"));
            let click = Avro::Record(vec![("page".into(), page)]);
            avro::framed(click_id, &click_schema, click)
        } else {
            orders::framed(order_id, n)
        };
        Record::new("mixed").value(value)
    });
    produce(broker.brokers(), &records.collect::<Vec<_>>());
    let rest = format!("schema.registry.url: {}\n", registry.url());

    let yaml = pipeline(broker, "mixed", "topics: [mixed]", &rest);
    let run = Project::new().run(&yaml).finish().with_code(0);

    let expected = (0..60).map(|n| match is_click(n) {
        true => json!({ "page": format!("/{n}") }),
        false => orders::row(n),
    });
    assert_eq!(run.rows(), expected.collect::<Vec<_>>());
}

fn an_interceptor_drops_by_header(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("loadtest", 1);
    let records = orders::records("loadtest", id, 0..40).into_iter().zip(0..);
    let records = records.map(|(record, n)| match n % 4 {
        0 => record.header("source", "load-test"),
        1 => record.header("source", "shop"),
        2 => record.header("other", "load-test").null_header("source"),
        _ => record,
    });
    produce(broker.brokers(), &records.collect::<Vec<_>>());
    let rest = format!(
        "schema.registry.url: {}
interceptors:
  - {{ plugin: drop-by-header, options: {{ name: source, value: load-test }} }}
",
        registry.url()
    );

    let yaml = pipeline(broker, "loadtest", "topics: [loadtest]", &rest);
    let run = Project::new().run(&yaml).finish().with_code(0);

    let kept = (0..40).filter(|n| n % 4 != 0).map(orders::row);
    assert_eq!(run.rows(), kept.collect::<Vec<_>>());
    assert!(run.summary().ends_with(", 10 dropped"), "{}", run.summary());
    assert_eq!(
        committed(broker.brokers(), "weir-loadtest", "loadtest", 1),
        [Some(40)]
    );
}

#[test]
fn schemas_come_from_files_where_there_is_no_registry() {
    let mock = Mock::start();
    mock.create_topic("files", 1);
    produce(mock.brokers(), &orders::records("files", 7, 0..3));
    let project = Project::new();
    project.write("order.avsc", orders::SCHEMA);

    let yaml = pipeline(
        &mock,
        "files",
        "topics: [files]",
        "schema.files: { 7: ./order.avsc }\n",
    );
    let run = project.run(&yaml).finish().with_code(0);

    assert_eq!(run.rows(), orders_in(0..3));
}

#[test]
fn files_hold_the_rows_in_each_format() {
    let mock = Mock::start();
    let (registry, id) = orders::registry();
    mock.create_topic("lake", 1);
    produce(mock.brokers(), &orders::records("lake", id, 0..250));

    for (format, read) in [
        ("ndjson", read_ndjson as fn(&Path) -> Vec<Value>),
        ("arrow", |path| as_json(&read_arrow(path))),
        ("parquet", |path| as_json(&read_parquet(path))),
    ] {
        let project = Project::new();
        let rest = format!(
            "schema.registry.url: {}
sink: {{ file: {{ path: ./out, format: {format}, roll.max.rows: 100 }} }}
",
            registry.url()
        );
        let topics = "topics: [lake]\n  batch.max.rows: 50";
        let yaml = pipeline(&mock, format, topics, &rest);
        let run = project.run(&yaml).finish().with_code(0);

        assert_eq!(run.stdout, "");
        let files = files_in(&project.path().join("out"), format);
        assert_eq!(files.len(), 3, "{files:?}");
        let rows: Vec<Value> = files.iter().flat_map(|file| read(file)).collect();
        assert_eq!(rows, orders_in(0..250), "{format}");
        assert_eq!(
            committed(mock.brokers(), &format!("weir-{format}"), "lake", 1),
            [Some(250)]
        );
    }
}

/// All files of a folder in the order of their names, which have to end in `extension`.
fn files_in(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the sink made the folder");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    for file in &files {
        assert_eq!(file.extension(), Some(extension.as_ref()), "{file:?}");
    }
    files
}

fn read_ndjson(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn read_arrow(path: &Path) -> Vec<RecordBatch> {
    let file = std::fs::File::open(path).expect("it opens");
    let reader = arrow::ipc::reader::FileReader::try_new(file, None).expect("an Arrow file");
    reader.map(|batch| batch.expect("a batch")).collect()
}

fn read_parquet(path: &Path) -> Vec<RecordBatch> {
    let file = std::fs::File::open(path).expect("it opens");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
    let reader = reader.build().expect("a reader");
    reader.map(|batch| batch.expect("a batch")).collect()
}

/// By arrow's own writer, which is not the one that the sinks use.
fn as_json(batches: &[RecordBatch]) -> Vec<Value> {
    let mut writer = arrow::json::WriterBuilder::new()
        .with_explicit_nulls(true)
        .with_timestamp_format("%Y-%m-%dT%H:%M:%S%.3fZ".into())
        .build::<_, arrow::json::writer::JsonArray>(Vec::new());
    for batch in batches {
        let batch = without_zone(batch, "occurred_at");
        writer.write(&batch).expect("arrow writes it as JSON");
    }
    writer.finish().expect("the array is closed");
    serde_json::from_slice(&writer.into_inner()).expect("a JSON array")
}

/// Takes the zone, which has to be UTC, off a column: arrow knows no zones without a database.
fn without_zone(batch: &RecordBatch, name: &str) -> RecordBatch {
    let index = batch.schema().index_of(name).expect("the column is there");
    let utc = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    assert_eq!(*batch.column(index).data_type(), utc);
    let instants = batch
        .column(index)
        .as_primitive::<TimestampMillisecondType>()
        .clone()
        .with_timezone_opt(None::<&str>);
    let mut columns = batch.columns().to_vec();
    columns[index] = Arc::new(instants);
    let names = batch.schema();
    let names = names.fields().iter().map(|field| field.name().clone());
    RecordBatch::try_from_iter_with_nullable(
        names
            .zip(columns)
            .map(|(name, column)| (name, column, true)),
    )
    .expect("columns of one length")
}

fn a_rate_limit_is_changed_while_it_runs(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("limited", 1);
    produce(broker.brokers(), &orders::records("limited", id, 0..300));
    let yaml = |limit: &str| {
        let keys = format!("topics: [limited]\n  rate.limit.messages: {limit}");
        let rest = format!("schema.registry.url: {}\n", registry.url());
        pipeline(broker, "limited", &keys, &rest).replace("  stop.mode: latest\n", "")
    };
    let project = Project::new();
    let mut run = project.run(&yaml("0")).env("WEIR_LOG", "info").start();
    run.wait_for_stderr("1 partitions assigned");
    std::thread::sleep(Duration::from_millis(500));
    assert!(run.rows().is_empty(), "{:?}", run.rows());

    project.write("pipeline.yaml", yaml("-1"));
    run.hang_up();
    run.wait_for_stderr("pipeline.yaml:5:24: source.rate.limit.messages: `-1` is not");
    project.write("pipeline.yaml", yaml("100"));
    run.hang_up();
    run.wait_for_stderr("pipeline.yaml: took its rate limits");
    assert_eq!(orders::by_id(run.wait_for_rows(300)), orders_in(0..300));
    run.terminate();
    let _ = run.finish().with_code(0);
}

fn a_rate_limit_of_the_sink_lets_an_ending_pipeline_deliver(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("held", 1);
    produce(broker.brokers(), &orders::records("held", id, 0..20));
    let rest = format!(
        "schema.registry.url: {}\nrate.limit.rows: 0\n",
        registry.url()
    );
    let yaml = pipeline(broker, "held", "topics: [held]", &rest);
    let project = Project::new();
    let mut run = project.run(&yaml).env("WEIR_LOG", "info").start();
    run.wait_for_stderr("1 partitions assigned");
    std::thread::sleep(Duration::from_millis(500));
    assert!(run.rows().is_empty(), "{:?}", run.rows());

    run.terminate();
    let run = run.finish().with_code(0);
    assert_eq!(run.rows(), orders_in(0..20));
    assert_eq!(
        committed(broker.brokers(), "weir-held", "held", 1),
        [Some(20)]
    );
}

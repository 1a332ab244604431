use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Int64Array, RecordBatch, StringArray};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;
use crate::config::{Codec, PipelineConfig, SinkConfig};
use crate::sink::testing::{Message, numbers, rows_from, rows_of, words};

const TOPIC: &str = "clean";
const PARTITIONS: i32 = 4;
const PATIENCE: Duration = Duration::from_secs(30);

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster() -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, PARTITIONS, 1).unwrap();
    cluster
}

/// What a pipeline file with these keys under `sink.kafka` says.
fn config(cluster: &Cluster, keys: &[(&str, &str)]) -> KafkaSinkConfig {
    let brokers = cluster.bootstrap_servers();
    let mut text = format!(
        "source: {{ bootstrap.servers: '{brokers}', topics: [other] }}\ndeserializer: avro\n\
         sink.kafka.topic: {TOPIC}\n"
    );
    for (key, value) in keys {
        text.push_str(&format!("sink.kafka.{key}: {value}\n"));
    }
    let config = PipelineConfig::parse(&text, "sink.yaml".as_ref(), &|_| None).unwrap();
    match config.sink {
        SinkConfig::Kafka(config) => *config,
        other => panic!("{other:?}"),
    }
}

fn sink(cluster: &Cluster, properties: &[(&str, &str)]) -> KafkaSink {
    KafkaSink::new(&config(cluster, properties)).unwrap()
}

/// Waits for `expected` messages, and a while longer for those that should not be there.
fn consume(cluster: &Cluster, expected: usize) -> Vec<(String, i64)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("group.id", "reader")
        .set("fetch.wait.max.ms", "10")
        .create()
        .unwrap();
    let mut all = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        all.add_partition_offset(TOPIC, partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&all).unwrap();
    let mut messages = Vec::new();
    let mut deadline = Instant::now() + PATIENCE;
    let mut complete = false;
    while Instant::now() < deadline {
        if let Some(message) = consumer.poll(Duration::from_millis(10)) {
            let message = message.unwrap();
            assert_eq!(message.key(), None);
            let payload = String::from_utf8(message.payload().unwrap().to_vec()).unwrap();
            messages.push((payload, message.timestamp().to_millis().unwrap()));
        }
        if messages.len() >= expected && !complete {
            complete = true;
            deadline = Instant::now() + Duration::from_millis(300);
        }
    }
    messages
}

/// That the topic holds `{"n":0}` to `{"n":count-1}`, each once.
fn assert_each_once(cluster: &Cluster, count: usize) {
    let mut seen = BTreeMap::new();
    for (payload, _) in consume(cluster, count) {
        *seen.entry(payload).or_insert(0) += 1;
    }
    for n in 0..count {
        assert_eq!(seen.remove(&format!("{{\"n\":{n}}}")), Some(1), "n = {n}");
    }
    assert!(seen.is_empty(), "{seen:?}");
}

fn eventually_durable(sink: &mut KafkaSink, writes: u64) {
    let deadline = Instant::now() + PATIENCE;
    while sink.durable(Instant::now()).unwrap() < writes {
        assert!(Instant::now() < deadline, "still not durable");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn one_message_a_row_with_the_source_timestamp() {
    let cluster = cluster();
    let mut sink = sink(&cluster, &[]);
    sink.write(&rows_of(words(&["a", "b"]))).unwrap();
    sink.write(&rows_of(words(&[]))).unwrap();
    sink.flush().unwrap();
    assert_eq!(sink.durable(Instant::now()).unwrap(), 2);
    let mut messages = consume(&cluster, 2);
    messages.sort();
    let expected = [
        (r#"{"word":"a"}"#.to_owned(), 1_000),
        (r#"{"word":"b"}"#.to_owned(), 1_001),
    ];
    assert_eq!(messages, expected);
}

/// What arrives of one row, in the columns `word` and `at`, from one message with a key and
/// headers: topic, key, timestamp and headers.
fn produced(
    keys: &[(&str, &str)],
) -> Result<(String, Option<String>, i64, Vec<String>), SinkError> {
    let cluster = cluster();
    cluster.create_topic("other", 1, 1).unwrap();
    let mut sink = sink(&cluster, keys);
    let words: ArrayRef = Arc::new(StringArray::from(vec!["other"]));
    let at: ArrayRef = Arc::new(Int64Array::from(vec![77]));
    let none: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
    let rows = RecordBatch::try_from_iter([("word", words), ("at", at), ("none", none)]).unwrap();
    let message = Message {
        key: Some(b"k"),
        headers: vec![
            (b"a", Some(b"1")),
            (b"__value_schema_id", Some(b"x")),
            (b"a", None),
        ],
    };
    sink.write(&rows_from(rows, &[message]))?;
    sink.flush()?;

    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("group.id", "reader")
        .create()
        .unwrap();
    let mut all = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        all.add_partition_offset(TOPIC, partition, Offset::Beginning)
            .unwrap();
    }
    all.add_partition_offset("other", 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&all).unwrap();
    let message = consumer.poll(PATIENCE).expect("a message").unwrap();
    let headers = message.headers().map_or(Vec::new(), |headers| {
        headers
            .iter()
            .map(|h| format!("{}={:?}", h.key, h.value.map(String::from_utf8_lossy)))
            .collect()
    });
    let key = message
        .key()
        .map(|key| String::from_utf8_lossy(key).into_owned());
    let timestamp = message.timestamp().to_millis().unwrap();
    Ok((message.topic().to_owned(), key, timestamp, headers))
}

#[test]
fn key_headers_and_timestamp_of_the_source_are_passed_on() {
    let headers = vec!["a=Some(\"1\")".to_owned(), "a=None".to_owned()];
    assert_eq!(
        produced(&[]).unwrap(),
        (TOPIC.to_owned(), Some("k".to_owned()), 1_000, headers)
    );
}

#[test]
fn or_they_are_not() {
    let (_, key, timestamp, headers) =
        produced(&[("key", "none"), ("headers", "none"), ("timestamp", "now")]).unwrap();
    assert_eq!((key, headers), (None, vec![]));
    assert!(timestamp > 1_700_000_000_000);
}

#[test]
fn or_they_come_from_columns() {
    let fields = [
        ("key.field", "at"),
        ("timestamp.field", "at"),
        ("topic.field", "word"),
    ];
    let (topic, key, timestamp, _) = produced(&fields).unwrap();
    assert_eq!(
        (topic.as_str(), key.as_deref(), timestamp),
        ("other", Some("77"), 77)
    );
}

#[test]
fn a_row_without_a_topic_takes_the_one_of_the_file() {
    let (topic, ..) = produced(&[("topic.field", "none")]).unwrap();
    assert_eq!(topic, TOPIC);
}

#[test]
fn columns_that_are_not_there_are_errors() {
    for key in ["key.field", "timestamp.field", "topic.field"] {
        let error = produced(&[(key, "wrd")]).unwrap_err();
        let expected = format!(
            "sink.kafka.{key}: the rows of orders[3] have no column `wrd`; they have word, at, none"
        );
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.remedy(), Remedy::Person);
    }
}

#[test]
fn every_codec_is_there() {
    let cluster = cluster();
    for (batch, codec) in (0..).zip(Codec::NAMES) {
        let mut sink = sink(&cluster, &[("compression.type", codec)]);
        sink.write(&rows_of(numbers(batch * 100..batch * 100 + 100)))
            .unwrap();
        sink.flush().unwrap();
    }
    assert_each_once(&cluster, 500);
}

#[test]
fn messages_without_a_timestamp_get_the_time_of_producing() {
    let cluster = cluster();
    let mut sink = sink(&cluster, &[]);
    let mut rows = rows_of(numbers(0..1));
    rows.messages.timestamps = vec![-1].into();
    sink.write(&rows).unwrap();
    sink.flush().unwrap();
    assert!(consume(&cluster, 1)[0].1 > 1_700_000_000_000);
}

#[test]
fn writes_become_durable_without_a_flush() {
    let cluster = cluster();
    let mut sink = sink(&cluster, &[]);
    for batch in 0..20 {
        sink.write(&rows_of(numbers(batch * 50..batch * 50 + 50)))
            .unwrap();
    }
    eventually_durable(&mut sink, 20);
    assert_each_once(&cluster, 1_000);
}

#[test]
fn a_full_queue_is_back_pressure() {
    let cluster = cluster();
    let mut sink = sink(&cluster, &[("queue.buffering.max.messages", "10")]);
    for batch in 0..4 {
        sink.write(&rows_of(numbers(batch * 100..batch * 100 + 100)))
            .unwrap();
        assert!(sink.acks(Acks::outstanding) <= 10);
    }
    sink.flush().unwrap();
    assert_eq!(sink.durable(Instant::now()).unwrap(), 4);
    assert_each_once(&cluster, 400);
}

fn writes_under_faults(faults: &[RDKafkaRespErr], properties: &[(&str, &str)]) {
    let cluster = cluster();
    let quick = [("retry.backoff.ms", "10"), ("linger.ms", "0")];
    let mut sink = sink(&cluster, &[&quick, properties].concat());
    cluster.request_errors(RDKafkaApiKey::Produce, faults);
    for batch in 0..10 {
        sink.write(&rows_of(numbers(batch * 20..batch * 20 + 20)))
            .unwrap();
        sink.durable(Instant::now()).unwrap();
    }
    eventually_durable(&mut sink, 10);
    assert_each_once(&cluster, 200);
}

#[test]
fn produce_errors_neither_lose_nor_repeat() {
    use RDKafkaRespErr::*;
    let faults = [
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    ];
    writes_under_faults(&faults, &[]);
}

/// One request at a time: the mock does not compare sequence numbers outside of transactions,
/// so that requests whose answers a closed connection takes along would be written twice.
#[test]
fn closed_connections_neither_lose_nor_repeat() {
    let faults = [RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT; 3];
    writes_under_faults(&faults, &[("max.in.flight.requests.per.connection", "1")]);
}

#[test]
fn a_broker_that_is_down_for_a_while() {
    let cluster = cluster();
    let mut sink = sink(&cluster, &[("reconnect.backoff.max.ms", "100")]);
    sink.write(&rows_of(numbers(0..10))).unwrap();
    sink.flush().unwrap();
    cluster.broker_down(1).unwrap();
    sink.write(&rows_of(numbers(10..20))).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(sink.durable(Instant::now()).unwrap(), 1);
    cluster.broker_up(1).unwrap();
    eventually_durable(&mut sink, 2);
    assert_each_once(&cluster, 20);
}

#[test]
fn a_broker_that_stays_down_is_a_failure_with_topic_and_reason() {
    let cluster = cluster();
    let mut sink = sink(&cluster, &[("message.timeout.ms", "4000")]);
    sink.write(&rows_of(numbers(0..10))).unwrap();
    sink.flush().unwrap();
    cluster.broker_down(1).unwrap();
    sink.write(&rows_of(numbers(10..20))).unwrap();
    let error = sink.flush().unwrap_err();
    assert!(matches!(error, SinkError::Kafka { .. }));
    assert!(error.to_string().contains("topic clean"), "{error}");
    assert!(error.to_string().contains("timed out"), "{error}");
    assert!(sink.durable(Instant::now()).is_err());
    assert_eq!(sink.acks(Acks::durable), 1);
    assert_eq!(error.remedy(), Remedy::Restart);
}

#[test]
fn a_full_queue_without_a_broker_ends() {
    let cluster = cluster();
    let limits = [
        ("message.timeout.ms", "300"),
        ("queue.buffering.max.messages", "10"),
    ];
    let mut sink = sink(&cluster, &limits);
    cluster.broker_down(1).unwrap();
    let error = sink.write(&rows_of(numbers(0..100))).unwrap_err();
    assert!(error.to_string().contains("timed out"), "{error}");
}

#[test]
fn a_row_too_large_names_its_source() {
    let cluster = cluster();
    let mut sink = sink(&cluster, &[("message.max.bytes", "1000")]);
    let large = "x".repeat(2_000);
    let error = sink.write(&rows_of(words(&["small", &large]))).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the row of orders[3] at offset 101"),
        "{error}"
    );
    assert_eq!(error.remedy(), Remedy::Person);
}

#[test]
fn refused_properties_are_an_error() {
    let cluster = cluster();
    let refused = KafkaSink::new(&config(
        &cluster,
        &[
            ("security.protocol", "ssl"),
            ("ssl.ca.location", "nowhere.pem"),
        ],
    ));
    assert_eq!(
        refused.err().map(|error| error.remedy()),
        Some(Remedy::Person)
    );
}

#[test]
fn a_new_client_takes_over_all_that_the_old_one_had() {
    let cluster = cluster();
    // So that there is something on its way each time.
    let config = config(&cluster, &[("linger.ms", "50")]);
    let mut sink = KafkaSink::new(&config).unwrap();
    let (new, renewals) = crossbeam_channel::unbounded();
    sink.renew_from(renewals);
    for n in 0..40 {
        sink.write(&rows_of(numbers(n..n + 1))).unwrap();
        if n % 10 == 9 {
            let client = config.client.clone();
            new.send(Renewal::Client(client)).unwrap();
            sink.take_renewals().unwrap();
            let written = u64::try_from(n + 1).unwrap();
            assert_eq!(sink.durable(Instant::now()).unwrap(), written);
        }
    }
    assert_each_once(&cluster, 40);
}

#[test]
fn a_client_that_cannot_be_made_leaves_the_old_one() {
    let cluster = cluster();
    let config = config(&cluster, &[]);
    let mut sink = KafkaSink::new(&config).unwrap();
    let mut client = config.client.clone();
    client.set_by_weir("security.protocol", "ssl");
    client.set_by_weir("ssl.ca.location", "/nowhere/ca.pem");
    let (new, renewals) = crossbeam_channel::unbounded();
    sink.renew_from(renewals);
    new.send(Renewal::Client(client)).unwrap();
    sink.write(&rows_of(numbers(0..3))).unwrap();
    sink.durable(Instant::now()).unwrap();
    sink.flush().unwrap();
    assert_each_once(&cluster, 3);
}

/// A new client while a write waits for room in the queue of the old one.
fn renewed_in_a_write(is_turned_away: bool) {
    let cluster = cluster();
    let limit = [("queue.buffering.max.messages", "10"), ("linger.ms", "50")];
    let config = config(&cluster, &limit);
    let mut sink = KafkaSink::new(&config).unwrap();
    sink.write(&rows_of(numbers(0..5))).unwrap();
    sink.flush().unwrap();
    let (new, renewals) = crossbeam_channel::unbounded();
    sink.renew_from(renewals);
    new.send(Renewal::Client(config.client.clone())).unwrap();
    let context = sink.producer.get().context();
    context
        .account
        .turned_away
        .store(is_turned_away, Ordering::Relaxed);
    if is_turned_away {
        cluster.broker_down(1).unwrap();
    }
    // The cluster stays on the thread that made it.
    std::thread::scope(|scope| {
        let sink = &mut sink;
        scope.spawn(move || {
            sink.write(&rows_of(numbers(5..100))).unwrap();
            sink.flush().unwrap();
        });
        std::thread::sleep(Duration::from_millis(300));
        cluster.broker_up(1).unwrap();
    });
    assert_eq!(sink.durable(Instant::now()).unwrap(), 2);
    assert_each_once(&cluster, 100);
}

#[test]
fn a_client_is_replaced_in_the_middle_of_a_write() {
    renewed_in_a_write(false);
}

#[test]
fn what_a_client_has_that_is_turned_away_goes_to_the_next() {
    renewed_in_a_write(true);
}

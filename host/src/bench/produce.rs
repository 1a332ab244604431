//! Rows to a topic as JSON, against a bare producer that is given the same bytes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;

use super::cluster::Cluster;
use super::profiles::{Case, ROUNDS};
use super::timing::{Clocks, PerRecord, in_turns};
use super::{BenchError, Measurement};
use crate::batch::{BatchBuilder, Capacity, TopicPartition};
use crate::config::{KafkaSinkConfig, PipelineConfig, SinkConfig};
use crate::kafka::client_config;
use crate::rows::{RowOrigins, Rows};
use crate::sink::Sink;
use crate::sink::json::JsonRows;
use crate::sink::kafka::KafkaSink;

/// Rows in one write.
const ROWS: usize = 1_000;
/// How long the last messages may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Measures the sink of a pipeline file, JSON included, against rdkafka's own producer with
/// the same properties.
pub(super) fn run(cluster: &Cluster, case: &Case) -> Result<Vec<Measurement>, BenchError> {
    let rows = rows(case.bytes)?;
    let mut json = JsonRows::default();
    json.encode(&rows.rows).map_err(BenchError::new)?;
    let payloads: Vec<Vec<u8>> = json.rows().map(<[u8]>::to_vec).collect();
    let count = cluster.messages(case.bytes, case.partitions) / ROWS * ROWS;
    let config = || config(cluster, case);
    in_turns(
        ["bare producer", "sink"].map(|who| format!("produce/{}/{who}", case.name(cluster))),
        ROUNDS,
        || bare(&config()?, &payloads, count),
        || sink(&config()?, &rows, count),
    )
}

fn config(cluster: &Cluster, case: &Case) -> Result<KafkaSinkConfig, BenchError> {
    let text = format!(
        "profile: {}\nsource: {{ bootstrap.servers: '{}', topics: [none] }}\ndeserializer: avro\n\
         sink.kafka.topic: {}\n",
        case.profile.as_str(),
        cluster.address(),
        cluster.topic(case.partitions)?
    );
    let config = PipelineConfig::parse(&text, "bench.yaml".as_ref(), &|_| None);
    match config.map_err(BenchError::new)?.sink {
        SinkConfig::Kafka(sink) => Ok(*sink),
        SinkConfig::Stdout | SinkConfig::File(_) => unreachable!("the text says kafka"),
    }
}

/// Rows of one text column, each as JSON of so many bytes, of messages without keys.
fn rows(bytes: usize) -> Result<Rows, BenchError> {
    let text = |row: usize| -> String {
        let letter =
            |at: usize| char::from(b'a' + u8::try_from((row * 7 + at * 3) % 26).unwrap_or(0));
        (0..bytes.saturating_sub(r#"{"text":""}"#.len()))
            .map(letter)
            .collect()
    };
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..ROWS).map(text)));
    let source = TopicPartition {
        topic: "bench".into(),
        partition: 0,
    };
    let mut messages = BatchBuilder::new(source, Capacity::default());
    for (offset, _) in (0..).zip(0..ROWS) {
        let fits = messages.push(offset, 1_700_000_000_000 + offset, None, None);
        assert!(fits, "there are no bytes in it");
    }
    Ok(Rows {
        rows: RecordBatch::try_from_iter([("text", texts)]).map_err(BenchError::new)?,
        messages: messages.finish().envelopes(),
        origins: RowOrigins::Identity,
        event_times: None,
        watermark: None,
        encoded: Default::default(),
        tombstones: None,
    })
}

/// From the first message to the last acknowledgement.
fn sink(config: &KafkaSinkConfig, rows: &Rows, count: usize) -> Result<PerRecord, BenchError> {
    let mut sink = KafkaSink::new(config).map_err(BenchError::new)?;
    // Metadata, a producer id and connections are not what is measured.
    sink.write(rows)
        .and_then(|()| sink.flush())
        .map_err(BenchError::new)?;
    let started = Clocks::now();
    for _ in 0..count / ROWS {
        sink.write(rows).map_err(BenchError::new)?;
        sink.durable(Instant::now()).map_err(BenchError::new)?;
    }
    sink.flush().map_err(BenchError::new)?;
    Ok(started.until(Clocks::now(), count))
}

fn bare(
    config: &KafkaSinkConfig,
    payloads: &[Vec<u8>],
    count: usize,
) -> Result<PerRecord, BenchError> {
    let producer: BaseProducer = client_config(&config.client)
        .create()
        .map_err(BenchError::new)?;
    let topic = config.topic.as_deref().unwrap_or_default();
    send(&producer, topic, payloads.iter())?;
    producer.flush(PATIENCE).map_err(BenchError::new)?;
    let started = Clocks::now();
    send(&producer, topic, payloads.iter().cycle().take(count))?;
    producer.flush(PATIENCE).map_err(BenchError::new)?;
    Ok(started.until(Clocks::now(), count))
}

fn send<'a>(
    producer: &BaseProducer,
    topic: &str,
    payloads: impl Iterator<Item = &'a Vec<u8>>,
) -> Result<(), BenchError> {
    for (n, payload) in payloads.enumerate() {
        let mut record = BaseRecord::<(), [u8]>::to(topic)
            .payload(payload)
            .timestamp(1_700_000_000_000);
        while let Err((error, back)) = producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(BenchError::new(error));
            }
            producer.poll(Duration::from_millis(1));
            record = back;
        }
        if n % ROWS == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    Ok(())
}

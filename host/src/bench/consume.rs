//! A topic to decoded rows, held against a bare consumer loop that only counts bytes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use weir_avro::fixtures;

use super::cluster::Cluster;
use super::decode::{OneSchema, framed};
use super::profiles::Case;
use super::timing::{Clocks, PerRecord, in_turns};
use super::{BenchError, Measurement};
use crate::config::{PipelineConfig, Profile};
use crate::kafka::client_config;
use crate::pipeline::{self, Parts, Plugins};
use crate::plugin::{Limits, Plugin, PluginEngine};
use crate::rows::Rows;
use crate::sink::{Sink, SinkError};

/// Different messages; they repeat.
const DISTINCT: usize = 10_000;
/// Rounds in which both have their turn; the fastest counts.
const ROUNDS: usize = 5;
/// How long a bare consumer waits for the next message.
const SILENCE: Duration = Duration::from_secs(20);

/// Measures orders of about 66 bytes on one partition, of `brokers` or of the embedded one,
/// which runs in the same process and so counts in CPU time and throughput of both sides.
///
/// # Errors
/// When the brokers cannot be used, or messages are missing.
pub fn run(engine: &PluginEngine, brokers: Option<&str>) -> Result<Vec<Measurement>, BenchError> {
    let cluster = Cluster::open(brokers)?;
    let order = fixtures::order();
    let datums = order.datums(DISTINCT, 7).map_err(BenchError::new)?;
    let topic = Topic::filled(&cluster, &datums, &order.schema, 1)?;
    compare(
        engine,
        &cluster,
        &topic,
        (Profile::Balanced, ROUNDS),
        cluster.kind(),
    )
}

/// A topic of byte strings, in Avro, of so many bytes each.
pub(super) fn payloads(
    cluster: &Cluster,
    bytes: usize,
    partitions: i32,
) -> Result<Topic, BenchError> {
    let schema = r#"{ "type": "record", "name": "Payload", "fields": [ { "name": "payload", "type": "bytes" } ] }"#;
    let datum = |n: usize| -> Vec<u8> {
        // A length takes two bytes, up to 8,191.
        let payload = bytes - framed(&[]).len() - 2;
        let zigzag = payload * 2;
        let mut datum = vec![0x80 | low_byte(zigzag & 0x7f), low_byte(zigzag >> 7)];
        datum.extend((0..payload).map(|at| low_byte(n * 31 + at * 7)));
        datum
    };
    let datums: Vec<Vec<u8>> = (0..DISTINCT).map(datum).collect();
    Topic::filled(cluster, &datums, schema, partitions)
}

fn low_byte(n: usize) -> u8 {
    n.to_le_bytes()[0]
}

/// Measures one case on a topic of [`payloads`].
pub(super) fn profile(
    engine: &PluginEngine,
    cluster: &Cluster,
    case: &Case,
    topic: &Topic,
) -> Result<Vec<Measurement>, BenchError> {
    let rounds = (case.profile, super::profiles::ROUNDS);
    compare(engine, cluster, topic, rounds, &case.name(cluster))
}

/// A topic with messages in Avro.
pub(super) struct Topic {
    name: String,
    schema: String,
    count: usize,
}

impl Topic {
    /// Makes one, and fills its partitions evenly with the datums in turns.
    fn filled(
        cluster: &Cluster,
        datums: &[Vec<u8>],
        schema: &str,
        partitions: i32,
    ) -> Result<Self, BenchError> {
        let sum: usize = datums.iter().map(|datum| framed(datum).len()).sum();
        let count = cluster.messages(sum.div_ceil(datums.len()), partitions);
        let name = cluster.topic(partitions)?;
        publish(cluster.address(), &name, datums, (count, partitions))?;
        Ok(Self {
            name,
            schema: schema.to_owned(),
            count,
        })
    }
}

fn compare(
    engine: &PluginEngine,
    cluster: &Cluster,
    topic: &Topic,
    (profile, rounds): (Profile, usize),
    name: &str,
) -> Result<Vec<Measurement>, BenchError> {
    let group = std::cell::Cell::new(0);
    let config = || {
        group.set(group.get() + 1);
        let group = format!("{}-{}-{}", topic.name, profile.as_str(), group.get());
        config(cluster.address(), &topic.name, &group, profile)
    };
    in_turns(
        ["bare consumer", "decoded rows"].map(|who| format!("consume/{name}/{who}")),
        rounds,
        || bare(&config()?, topic),
        || weir(engine, &config()?, topic),
    )
}

fn publish(
    brokers: &str,
    topic: &str,
    datums: &[Vec<u8>],
    (count, partitions): (usize, i32),
) -> Result<(), BenchError> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("linger.ms", "20")
        .set("batch.num.messages", "10000")
        .create()
        .map_err(BenchError::new)?;
    let partitions = (0..partitions).cycle();
    for (datum, partition) in datums.iter().cycle().take(count).zip(partitions) {
        let value = framed(datum);
        let mut record = BaseRecord::<(), [u8]>::to(topic)
            .payload(&value)
            .partition(partition);
        while let Err((error, back)) = producer.send(record) {
            if error.rdkafka_error_code() != Some(rdkafka::types::RDKafkaErrorCode::QueueFull) {
                return Err(BenchError::new(error));
            }
            producer.poll(Duration::from_millis(10));
            record = back;
        }
    }
    producer
        .flush(Duration::from_secs(60))
        .map_err(BenchError::new)
}

/// The same settings for both sides.
fn config(
    brokers: &str,
    topic: &str,
    group: &str,
    profile: Profile,
) -> Result<PipelineConfig, BenchError> {
    let text = format!(
        "name: bench\nprofile: {}\nsource:\n  bootstrap.servers: {brokers}\n  topics: [{topic}]\n  group.id: {group}\n  \
         startup.mode: earliest\n  stop.mode: latest\n  fetch.wait.max.ms: 10\ndeserializer: avro\n",
        profile.as_str()
    );
    PipelineConfig::parse(&text, "bench.yaml".as_ref(), &|_| None).map_err(BenchError::new)
}

/// From the first records to the last: joining the group is not what is measured.
#[derive(Clone, Copy, Debug)]
struct Span {
    expected: usize,
    records: usize,
    /// How many the first records were, and the clocks when they were there.
    first: Option<(usize, Clocks)>,
    last: Option<Clocks>,
}

impl Span {
    fn new(expected: usize) -> Self {
        Span {
            expected,
            records: 0,
            first: None,
            last: None,
        }
    }

    fn add(&mut self, records: usize) {
        self.records += records;
        if self.first.is_none() {
            self.first = Some((self.records, Clocks::now()));
        }
        if self.records >= self.expected {
            self.last = Some(Clocks::now());
        }
    }

    fn per_record(&self) -> Result<PerRecord, BenchError> {
        match (self.first, self.last) {
            (Some((first, start)), Some(end)) if self.records == self.expected => {
                Ok(start.until(end, self.expected - first))
            }
            _ => Err(BenchError::new(format!(
                "{} of {} messages arrived",
                self.records, self.expected
            ))),
        }
    }
}

/// A sink that drops rows and notes the time.
struct TimedSink {
    span: Arc<Mutex<Span>>,
    writes: u64,
}

impl Sink for TimedSink {
    fn write(&mut self, rows: &Rows) -> Result<(), SinkError> {
        self.writes += 1;
        self.span
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(rows.len());
        Ok(())
    }

    fn durable(&mut self, _now: Instant) -> Result<u64, SinkError> {
        Ok(self.writes)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

fn bare(config: &PipelineConfig, topic: &Topic) -> Result<PerRecord, BenchError> {
    let consumer: BaseConsumer = client_config(&config.source.client)
        .set("enable.partition.eof", "false")
        .set("auto.offset.reset", "earliest")
        .create()
        .map_err(BenchError::new)?;
    consumer
        .subscribe(&[&topic.name])
        .map_err(BenchError::new)?;
    let mut span = Span::new(topic.count);
    let mut bytes = 0;
    let mut last = Instant::now();
    while span.records < topic.count {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                bytes += message.payload().map_or(0, <[u8]>::len);
                span.add(1);
            }
            Some(Err(error)) => return Err(BenchError::new(error)),
            None if last.elapsed() > SILENCE => break,
            None => continue,
        }
        if span.records.is_multiple_of(1024) {
            last = Instant::now();
        }
    }
    std::hint::black_box(bytes);
    span.per_record()
}

fn weir(
    engine: &PluginEngine,
    config: &PipelineConfig,
    topic: &Topic,
) -> Result<PerRecord, BenchError> {
    let plugin = Plugin::load(engine, "avro").map_err(BenchError::new)?;
    let span = Arc::new(Mutex::new(Span::new(topic.count)));
    let parts = Parts {
        plugins: Plugins {
            interceptors: Vec::new(),
            deserializer: (plugin, serde_json::json!({})),
            key_deserializer: None,
            serializer: None,
            key_serializer: None,
            limits: Limits::default(),
        },
        schemas: Arc::new(OneSchema::avro(&topic.schema)),
        sink: Box::new(TimedSink {
            span: Arc::clone(&span),
            writes: 0,
        }),
        workers: 1,
    };
    pipeline::start(config, parts)
        .and_then(pipeline::Running::wait)
        .map_err(BenchError::new)?;
    let span = *span.lock().unwrap_or_else(PoisonError::into_inner);
    span.per_record()
}

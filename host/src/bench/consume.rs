//! A topic to decoded rows, held against a bare consumer loop that only counts bytes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use weir_avro::fixtures;

use super::decode::{OneSchema, framed};
use super::{BenchError, Measurement};
use crate::config::PipelineConfig;
use crate::demo::cluster::EmbeddedCluster;
use crate::demo::publisher::prepare_topic;
use crate::kafka::client_config;
use crate::pipeline::{self, Parts, Plugins};
use crate::plugin::{Limits, Plugin, PluginEngine};
use crate::rows::Rows;
use crate::sink::{Sink, SinkError};

/// Messages in the topic of the embedded broker, whose partitions hold 5 MiB.
const EMBEDDED_MESSAGES: usize = 40_000;
/// Messages in the topic of a real broker.
const MESSAGES: usize = 1_000_000;
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
    let embedded = match brokers {
        Some(_) => None,
        None => Some(EmbeddedCluster::start().map_err(BenchError::new)?),
    };
    let address = brokers
        .or(embedded.as_ref().map(EmbeddedCluster::brokers))
        .unwrap_or_default();
    let started = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(BenchError::new)?;
    let topic = format!("weir-bench-{}-{}", std::process::id(), started.as_millis());
    let count = match &embedded {
        Some(cluster) => {
            cluster.create_topic(&topic, 1).map_err(BenchError::new)?;
            EMBEDDED_MESSAGES
        }
        None => {
            prepare_topic(address, &topic, 1).map_err(BenchError::new)?;
            MESSAGES
        }
    };
    let order = fixtures::order();
    publish(
        address,
        &topic,
        &order.datums(DISTINCT, 7).map_err(BenchError::new)?,
        count,
    )?;

    let kind = if embedded.is_some() {
        "embedded broker"
    } else {
        "broker"
    };
    let bare_name = format!("consume/{kind}/bare consumer");
    let mut best: [Option<(f64, f64)>; 2] = [None, None];
    for round in 0..ROUNDS {
        let config = |who: &str| config(address, &topic, &format!("{topic}-{who}-{round}"));
        let bare = bare(&config("bare")?, &topic, count)?;
        let weir = weir(engine, &config("weir")?, &order.schema, count)?;
        for (best, now) in best.iter_mut().zip([bare, weir]) {
            if best.is_none_or(|best| now.0 < best.0) {
                *best = Some(now);
            }
        }
    }
    let names = [bare_name.clone(), format!("consume/{kind}/decoded rows")];
    let measured = best
        .into_iter()
        .flatten()
        .zip(names)
        .map(|((wall, cpu), name)| Measurement {
            ns_per_record: wall,
            cpu_ns_per_record: Some(cpu),
            baselines: (name != bare_name)
                .then(|| bare_name.clone())
                .into_iter()
                .collect(),
            name,
        });
    Ok(measured.collect())
}

fn publish(brokers: &str, topic: &str, datums: &[Vec<u8>], count: usize) -> Result<(), BenchError> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("linger.ms", "20")
        .set("batch.num.messages", "10000")
        .create()
        .map_err(BenchError::new)?;
    for datum in datums.iter().cycle().take(count) {
        let value = framed(datum);
        let mut record = BaseRecord::<(), [u8]>::to(topic)
            .payload(&value)
            .partition(0);
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
fn config(brokers: &str, topic: &str, group: &str) -> Result<PipelineConfig, BenchError> {
    let text = format!(
        "name: bench\nsource:\n  bootstrap.servers: {brokers}\n  topics: [{topic}]\n  group.id: {group}\n  \
         startup.mode: earliest\n  stop.mode: latest\n  fetch.wait.max.ms: 10\ndeserializer: avro\n"
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

/// Wall clock and CPU time.
type Clocks = (Instant, Duration);

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
            self.first = Some((self.records, (Instant::now(), cpu_time())));
        }
        if self.records >= self.expected {
            self.last = Some((Instant::now(), cpu_time()));
        }
    }

    /// Wall and CPU time of one record, in ns.
    fn per_record(&self) -> Result<(f64, f64), BenchError> {
        match (self.first, self.last) {
            (Some((first, start)), Some(end)) if self.records == self.expected => {
                let records = (self.expected - first).max(1) as f64;
                let cpu = end.1.saturating_sub(start.1);
                Ok((
                    (end.0 - start.0).as_nanos() as f64 / records,
                    cpu.as_nanos() as f64 / records,
                ))
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

/// CPU time of this process so far; zero where the system does not tell.
fn cpu_time() -> Duration {
    /// Clock ticks a second, which Linux has fixed for what it reports.
    const TICKS: u64 = 100;
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Fields 14 and 15, counted from 1; the second is a name in parentheses.
    let fields = text
        .rsplit_once(')')
        .map_or("", |(_, rest)| rest)
        .split_whitespace()
        .skip(11)
        .take(2);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / TICKS)
}

fn bare(config: &PipelineConfig, topic: &str, count: usize) -> Result<(f64, f64), BenchError> {
    let consumer: BaseConsumer = client_config(&config.source.client)
        .set("enable.partition.eof", "false")
        .set("auto.offset.reset", "earliest")
        .create()
        .map_err(BenchError::new)?;
    consumer.subscribe(&[topic]).map_err(BenchError::new)?;
    let mut span = Span::new(count);
    let mut bytes = 0;
    let mut last = Instant::now();
    while span.records < count {
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
    schema: &str,
    count: usize,
) -> Result<(f64, f64), BenchError> {
    let plugin = Plugin::load(engine, "avro").map_err(BenchError::new)?;
    let span = Arc::new(Mutex::new(Span::new(count)));
    let parts = Parts {
        plugins: Plugins {
            interceptors: Vec::new(),
            deserializer: (plugin, serde_json::json!({})),
            limits: Limits::default(),
        },
        schemas: Arc::new(OneSchema::avro(schema)),
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

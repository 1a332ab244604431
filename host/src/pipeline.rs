//! A running pipeline: the threads, the channels between them, and how they end.
//!
//! ```text
//! source ──batches──► worker 0..n ──rows──► sink
//!    ▲                                       │
//!    └───────────────delivered───────────────┘
//! ```
//!
//! Every channel is bounded but the last, which holds one small report for each batch under
//! way. A pipeline ends when the source stops and drops its channels: the workers then
//! run dry, the sink makes durable what it has, and the source commits that.

mod aligning;
mod delivery;
mod keys;
mod serializing;
mod stamping;
mod worker;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, bounded};

use self::delivery::Delivery;
use self::keys::KeyStage;
use self::serializing::Serializing;
use self::stamping::Stamping;
use crate::batch::{MessageBatch, TopicPartition};
use crate::config::{PipelineConfig, RateLimit, SinkConfig, Tolerance};
use crate::kafka::{AlignmentError, LatestStatistics, Links, Renewal, SourceError, run_source};
use crate::metrics::{Figures, PluginFigures};
use crate::plugin::{ConsumerInterceptor, Deserializer, Limits, OpenError, Part, Plugin};
use crate::progress::Progress;
use crate::rows::{KeyColumnError, MetadataColumns, MetadataError, Rows};
use crate::schemas::SchemaSource;
use crate::sink::aside::SideTopic;
use crate::sink::{Sink, SinkError};
use crate::stop::Stop;

/// Batches that wait between two threads.
const CHANNEL_BATCHES: usize = 4;
/// Workers by default, when the machine has that many cores.
const WORKERS_MAX: usize = 4;

/// The parts of a pipeline that are made before it starts, so that all that can be wrong
/// with them is known by then.
pub struct Parts {
    /// The plug-ins, loaded.
    pub plugins: Plugins,
    /// Where they get schemas from.
    pub schemas: Arc<dyn SchemaSource>,
    /// Where rows go.
    pub sink: Box<dyn Sink>,
    /// Threads that decode. Each has instances of all plug-ins.
    pub workers: usize,
}

/// Plug-ins in the order in which messages meet them, each with its options, a JSON object.
#[derive(Clone, Debug)]
pub struct Plugins {
    /// Consumer interceptors.
    pub interceptors: Vec<(Plugin, serde_json::Value)>,
    /// Deserializer of values.
    pub deserializer: (Plugin, serde_json::Value),
    /// Deserializer of keys, if they are decoded.
    pub key_deserializer: Option<(Plugin, serde_json::Value)>,
    /// Serializer of values, if rows become messages by one.
    pub serializer: Option<(Plugin, serde_json::Value)>,
    /// Serializer of keys, if they are made by one.
    pub key_serializer: Option<(Plugin, serde_json::Value)>,
    /// For each instance.
    pub limits: Limits,
}

/// Why a pipeline ended other than as asked. Everything delivered until then is committed.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// A plug-in could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Reading failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Writing failed.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A plug-in cannot go on.
    #[error("{0}")]
    Plugin(String),
    /// A bad record, where `errors.tolerance` is `none`.
    #[error(
        "{source_partition} at offset {offset}: {reason}; stopped because errors.tolerance is none. Nothing of \
         its batch is committed"
    )]
    BadRecord {
        /// Where.
        source_partition: TopicPartition,
        /// Which.
        offset: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// The pipeline cannot take part in its alignment group.
    #[error(transparent)]
    Alignment(#[from] AlignmentError),
    /// Rows have no event time, or cannot be marked as late.
    #[error("{0}")]
    EventTime(String),
    /// The column of the key cannot be there.
    #[error(transparent)]
    KeyColumn(#[from] KeyColumnError),
    /// A column of metadata cannot be there.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A thread panicked: a bug in weir.
    #[error("the {0} thread panicked: this is a bug in weir, please report it")]
    Panicked(&'static str),
}

/// A pipeline under way.
pub struct Running {
    stop: Stop,
    progress: Arc<Progress>,
    failure: Failure,
    rate_limits: RateLimits,
    plugins: Vec<PluginFigures>,
    clients: Vec<(&'static str, LatestStatistics)>,
    renewals: Renewals,
    schemas: Arc<dyn SchemaSource>,
    source: JoinHandle<Result<(), SourceError>>,
    others: Vec<(&'static str, JoinHandle<()>)>,
}

/// Changes the limits of a pipeline while it runs.
#[derive(Clone, Debug)]
pub struct RateLimits {
    source: Sender<RateLimit>,
    sink: Sender<RateLimit>,
}

impl RateLimits {
    /// Takes the limits of this configuration.
    pub fn set(&self, config: &PipelineConfig) {
        // What they were for may have ended meanwhile.
        let _ = self.source.send(config.source.rate_limit);
        let _ = self.sink.send(config.rate_limit);
    }
}

/// How to give a running pipeline new certificates and secrets. Sends fail once it has ended.
#[derive(Clone, Debug)]
pub struct Renewals {
    /// For the source.
    pub source: Sender<Renewal>,
    /// For the member of an alignment group, whose brokers are those of the source.
    pub alignment: Sender<Renewal>,
    /// For the topic of what is put aside, whose brokers are those of the source.
    pub side_topic: Sender<Renewal>,
    /// For the sink; one that has no client takes none.
    pub sink: Sender<Renewal>,
}

/// What one worker does with rows: hands them to the sink in order.
#[derive(Debug)]
pub(crate) enum SinkItem {
    /// All that came of one batch of messages: possibly nothing.
    Delivery {
        /// Which batch.
        delivered: crate::kafka::Delivered,
        /// Its rows.
        rows: Vec<Rows>,
        /// Of the keys, values and headers of those messages.
        bytes: usize,
        /// What a plug-in has said: no row of the partition below this comes after the batch.
        watermark: Option<i64>,
        /// The messages as they were read, where some may be put aside.
        messages: Option<Box<MessageBatch>>,
    },
    /// Make durable what there is.
    Flush,
}

/// The first failure of any thread.
#[derive(Clone, Default)]
pub(crate) struct Failure(Arc<Mutex<Option<PipelineError>>>);

impl Failure {
    /// Keeps the error, unless there is one, and asks the pipeline to stop.
    pub(crate) fn report(&self, error: PipelineError, stop: &Stop) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
        stop.request();
    }

    fn take(&self) -> Option<PipelineError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The default of [`Parts::workers`] on this machine.
#[must_use]
pub fn default_workers() -> usize {
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(WORKERS_MAX)
}

/// Starts a pipeline.
///
/// # Errors
/// When a plug-in refuses its options: see [`OpenError`].
pub fn start(config: &PipelineConfig, parts: Parts) -> Result<Running, PipelineError> {
    let stop = Stop::default();
    let progress = Arc::new(Progress::default());
    let failure = Failure::default();
    let mut stages = Vec::with_capacity(parts.workers);
    for _ in 0..parts.workers.max(1) {
        let mut stage = open(config, &parts.plugins, &parts.schemas)?;
        stage.serializing = Serializing::open(&config.sink, &parts.plugins, &parts.schemas)?;
        stages.push(stage);
    }

    let plugins = stages.iter().enumerate();
    let plugins = plugins
        .flat_map(|(worker, stages)| stages.figures(worker))
        .collect();
    let statistics = LatestStatistics::default();
    let mut clients = vec![("source", statistics.clone())];
    clients.extend(
        parts
            .sink
            .statistics()
            .map(|statistics| ("sink", statistics)),
    );

    let (renew_side_topic, side_renewals) = crossbeam_channel::unbounded();
    let side_topic = config
        .watermark
        .as_ref()
        .and_then(|w| w.side_topic.as_ref());
    let side_topic = side_topic
        .map(|topic| SideTopic::new(topic, &config.source.client, side_renewals))
        .transpose()?;
    let (delivered_in, delivered) = crossbeam_channel::unbounded();
    let (rows_in, rows) = bounded(CHANNEL_BATCHES);
    let retrying = worker::Retrying {
        stop: stop.clone(),
        progress: Arc::clone(&progress),
    };
    let mut batches = Vec::with_capacity(stages.len());
    let mut others = Vec::with_capacity(stages.len() + 1);
    for stages in stages {
        let (batches_in, taken) = bounded(CHANNEL_BATCHES);
        batches.push(batches_in);
        let worker = worker::Worker {
            stages,
            batches: taken,
            rows: rows_in.clone(),
            tolerate: config.errors.tolerance == Tolerance::All,
            keep_messages: side_topic.is_some(),
            event_time: config
                .watermark
                .clone()
                .map(|watermark| watermark.event_time),
            without_time: None,
            retrying: retrying.clone(),
            failure: failure.clone(),
        };
        others.push(("worker", spawn("weir-worker", move || worker.run())));
    }
    drop(rows_in);
    let event_time = config.watermark.as_ref().map(aligning::event_time);
    let stamping = config.watermark.as_ref().zip(event_time.clone());
    let stamping = stamping.map(|(watermark, event_time)| {
        progress.follow(event_time.clone());
        let progress = Arc::clone(&progress);
        Stamping::new(event_time, watermark, progress)
    });
    let (sink_limits, new_sink_limits) = crossbeam_channel::unbounded();
    let (renew_sink, sink_renewals) = crossbeam_channel::unbounded();
    let (renew_source, source_renewals) = crossbeam_channel::unbounded();
    let mut sink = parts.sink;
    let settles = sink.settles();
    sink.renew_from(sink_renewals);
    let delivery = Delivery::new(
        sink,
        rows,
        delivered_in,
        &retrying,
        (stamping, side_topic),
        (&config.rate_limit, new_sink_limits),
    );
    let (sink_failure, sink_stop) = (failure.clone(), stop.clone());
    let run_sink = move || {
        if let Err(error) = delivery.run() {
            sink_failure.report(error, &sink_stop);
        }
    };
    others.push(("sink", spawn("weir-sink", run_sink)));
    let (source_limits, new_limits) = crossbeam_channel::unbounded();
    let links = Links {
        rate_limits: new_limits,
        renewals: source_renewals,
        batches,
        delivered,
        stop: stop.clone(),
        progress: Arc::clone(&progress),
        statistics,
        event_time,
        settles,
    };
    let source_config = config.source.clone();
    let (source_runs, source_ended) = bounded(0);
    let (renew_member, member_renewals) = crossbeam_channel::unbounded();
    let member = aligning::Links {
        event_time: links.event_time.clone(),
        source: source_ended,
        renewals: member_renewals,
        stop: stop.clone(),
        failure: failure.clone(),
    };
    if let Some(member) = aligning::start(config, member) {
        others.push(("alignment", member));
    }
    let source = spawn("weir-source", move || {
        let outcome = run_source(&source_config, links);
        drop::<Sender<()>>(source_runs);
        outcome
    });
    Ok(Running {
        stop,
        progress,
        failure,
        rate_limits: RateLimits {
            source: source_limits,
            sink: sink_limits,
        },
        plugins,
        clients,
        renewals: Renewals {
            source: renew_source,
            alignment: renew_member,
            side_topic: renew_side_topic,
            sink: renew_sink,
        },
        schemas: parts.schemas,
        source,
        others,
    })
}

fn open(
    config: &PipelineConfig,
    plugins: &Plugins,
    schemas: &Arc<dyn SchemaSource>,
) -> Result<worker::Stages, OpenError> {
    let interceptors = plugins
        .interceptors
        .iter()
        .map(|(plugin, options)| {
            ConsumerInterceptor::open(plugin, options, Arc::clone(schemas), plugins.limits)
        })
        .collect::<Result<_, _>>()?;
    let deserializer = |(plugin, options): &(Plugin, serde_json::Value), part| {
        Deserializer::open(plugin, part, options, Arc::clone(schemas), plugins.limits)
    };
    let key = plugins.key_deserializer.as_ref();
    let key = key.map(|key| deserializer(key, Part::Key)).transpose()?;
    let key_config = config.deserializer.key.as_ref();
    Ok(worker::Stages {
        interceptors,
        keys: key
            .zip(key_config)
            .map(|(key, config)| KeyStage::new(key, &config.column)),
        deserializer: deserializer(&plugins.deserializer, Part::Value)?,
        metadata: MetadataColumns::new(&config.source.metadata_columns),
        passes_tombstones: matches!(&config.sink, SinkConfig::Kafka(sink) if sink.tombstones),
        serializing: None,
    })
}

fn spawn<T: Send + 'static>(name: &str, run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .expect("the system can start a thread")
}

impl Running {
    /// How to ask it to stop.
    #[must_use]
    pub fn stopper(&self) -> Stop {
        self.stop.clone()
    }

    /// How to change the limits of what is read and delivered.
    #[must_use]
    pub fn rate_limits(&self) -> RateLimits {
        self.rate_limits.clone()
    }

    /// How to give it new certificates and secrets.
    #[must_use]
    pub fn renewals(&self) -> Renewals {
        self.renewals.clone()
    }

    /// Where its plug-ins get schemas from, to give that new secrets.
    #[must_use]
    pub fn schemas(&self) -> Arc<dyn SchemaSource> {
        Arc::clone(&self.schemas)
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// What it counts.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures {
            progress: self.progress(),
            plugins: self.plugins.clone(),
            clients: self.clients.clone(),
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.source.is_finished()
    }

    /// Waits for the end: of the topics when reading is bounded, else when asked to stop.
    ///
    /// # Errors
    /// See [`PipelineError`]; the first one that occurred.
    pub fn wait(self) -> Result<(), PipelineError> {
        let mut panicked = None;
        let source = self.source.join().unwrap_or_else(|_| {
            panicked = Some(PipelineError::Panicked("source"));
            Ok(())
        });
        for (name, thread) in self.others {
            if thread.join().is_err() {
                panicked = Some(PipelineError::Panicked(name));
            }
        }
        match self.failure.take().or(panicked) {
            Some(failure) => Err(failure),
            None => Ok(source?),
        }
    }
}

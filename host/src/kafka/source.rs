//! The Kafka source: one thread that polls, cuts batches, hands them on, and commits
//! what is reported as delivered.

mod topics;
mod reader;
mod rebalancing;
mod positions;
mod start;
mod handing_on;
mod aligning;
mod committing;
mod lists;
mod lookup;
mod others;
mod plan;
mod renewing;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use self::aligning::Waiting;
use self::lookup::Lookup;
use self::others::Counts;
pub(crate) use self::plan::{Found, PlannedPosition, explore};
use self::reader::Reader;
use super::batching::BatchLimits;
use super::native::EventQueue;
use super::offsets::{Delivered, Offsets};
use super::statistics::LatestStatistics;
use super::{LoggingContext, Renewal, Tokens, client_config};
use crate::batch::{MessageBatch, TopicPartition};
use crate::config::{ClientProperties, RateLimit, SourceConfig};
use crate::event_time::EventTime;
use crate::progress::Progress;
use crate::rate::Limiter;
use crate::stop::Stop;

/// Why reading has ended other than as asked.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// librdkafka refused the configuration.
    #[error("source: the Kafka client cannot be made: {0}")]
    Client(KafkaError),
    /// The cluster refused a request, and asking again does not help.
    #[error("source: {what}: {source}")]
    Request {
        /// What was asked for.
        what: String,
        /// librdkafka's error.
        source: KafkaError,
    },
    /// The cluster has no such topic.
    #[error(
        "source: there is no topic {0} on the cluster; with stop.mode, topics must exist at the start"
    )]
    NoTopic(String),
    /// The group's offset is not in the log any more, or not yet: data may be lost.
    #[error(
        "source: the committed offset {committed} of {partition} is not in the log, which has {low} to {high}: \
         messages were deleted before they were read, or the topic was made anew. To accept the loss, set \
         startup.mode to earliest or latest for one run"
    )]
    OffsetLost {
        /// Where.
        partition: TopicPartition,
        /// What the group has.
        committed: i64,
        /// The first offset there is.
        low: i64,
        /// The offset after the last.
        high: i64,
    },
    /// An offset of the pipeline file is not in the log.
    #[error(
        "source: startup.specific.offsets has {offset} for {partition}, and its log has {low} to {high}"
    )]
    OffsetOutOfRange {
        /// Where.
        partition: TopicPartition,
        /// Which.
        offset: i64,
        /// The first offset there is.
        low: i64,
        /// The offset after the last.
        high: i64,
    },
    /// The client cannot go on.
    #[error("source: {text}")]
    Fatal {
        /// librdkafka's error code.
        code: RDKafkaErrorCode,
        /// Its text.
        text: String,
    },
}

/// A batch, and the assignment in which it was read.
#[derive(Debug)]
pub(crate) struct SourcedBatch {
    pub(crate) batch: MessageBatch,
    pub(crate) assignment: u64,
}

/// What the source hands on.
#[derive(Debug)]
pub(crate) enum SourceItem {
    Batch(SourcedBatch),
    /// The sink should make durable what it has: partitions are about to be given up.
    Flush,
}

/// How the source is joined to the rest of a pipeline.
pub(crate) struct Links {
    /// One for each worker. A partition always goes to the same.
    pub(crate) batches: Vec<Sender<SourceItem>>,
    /// Closes when everything handed on is delivered or given up.
    pub(crate) delivered: Receiver<Delivered>,
    /// New limits for what is read.
    pub(crate) rate_limits: Receiver<RateLimit>,
    /// New certificates and secrets.
    pub(crate) renewals: Receiver<Renewal>,
    pub(crate) stop: Stop,
    pub(crate) progress: Arc<Progress>,
    pub(crate) statistics: LatestStatistics,
    /// Told which partitions there are and what is read, if event time is tracked.
    pub(crate) event_time: Option<EventTime>,
    /// Whether the sink has to know how far all partitions of the consumer group are: then what
    /// is committed says so.
    pub(crate) settles: bool,
}

/// Reads until the end of what was asked for, or until asked to stop; then waits for the
/// rest of the pipeline and commits.
///
/// # Errors
/// See [`SourceError`]. What was delivered until then is committed all the same.
pub(crate) fn run(config: &SourceConfig, links: Links) -> Result<(), SourceError> {
    let mut reader = reader(config, create(&config.client)?, links);
    let outcome = reader.subscribe().and_then(|()| reader.read());
    let committed = reader.finish();
    outcome.and(committed)
}

fn create(client: &ClientProperties) -> Result<Arc<BaseConsumer<LoggingContext>>, SourceError> {
    let consumer = client_config(client).create_with_context(LoggingContext);
    consumer.map(Arc::new).map_err(SourceError::Client)
}

/// A reader that has read nothing yet.
fn reader(
    config: &SourceConfig,
    consumer: Arc<BaseConsumer<LoggingContext>>,
    links: Links,
) -> Reader<'_> {
    Reader {
        tokens: Tokens::for_consumer(&config.client, &consumer),
        queue: EventQueue::of(&consumer),
        consumer,
        config,
        limits: BatchLimits {
            max_rows: config.batch_max_rows,
            max_bytes: config.batch_max_bytes,
            max_wait: config.batch_max_wait,
        },
        links,
        partitions: Vec::new(),
        lookup: Lookup::default(),
        seen: HashSet::new(),
        stops: HashMap::new(),
        assignments: 0,
        offsets: Offsets::default(),
        outbox: VecDeque::new(),
        waiting: Waiting::default(),
        blocked_since: None,
        paused: false,
        next_commit: Instant::now() + config.commit_interval,
        next_cut: None,
        next_refresh: None,
        subscribed: Vec::new(),
        started: committing::epoch_ms(),
        existing: None,
        counts: Counts::default(),
        assigned_before: false,
        limiter: Limiter::new(&config.rate_limit, Instant::now()),
        is_permitted: false,
        turned_away: false,
        complaints: Vec::new(),
    }
}

//! The Kafka source: one thread that polls, cuts batches, hands them on, and commits
//! what is reported as delivered.

mod positions;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender};
use rdkafka::ClientConfig;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::Offset;

use super::LoggingContext;
use super::batching::{BatchLimits, Filling, MessageParts};
use super::native::{Event, EventQueue, Message};
use super::offsets::{Delivered, Offsets};
use crate::batch::{MessageBatch, TopicPartition};
use crate::config::{SourceConfig, StopMode, Topics};
use crate::progress::{PartitionProgress, Progress};
use crate::stop::Stop;

/// How long one look at the event queue takes at most.
const POLL_MAX: Duration = Duration::from_millis(100);
/// Messages taken between two looks at everything else.
const MESSAGES_PER_ROUND: usize = 1024;
/// How long a full pipeline may hold the polling up before partitions are paused. Pausing
/// throws away what librdkafka has fetched ahead, so short stalls just wait.
const PAUSE_AFTER: Duration = Duration::from_secs(1);
/// How often topics are looked up when they are given by a pattern.
const TOPICS_REFRESH: Duration = Duration::from_secs(30);
/// How often a passing error that goes on is logged.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);
/// One request to the cluster.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

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
    pub(crate) stop: Stop,
    pub(crate) progress: Arc<Progress>,
}

/// Reads until the end of what was asked for, or until asked to stop; then waits for the
/// rest of the pipeline and commits.
///
/// # Errors
/// See [`SourceError`]. What was delivered until then is committed all the same.
pub(crate) fn run(config: &SourceConfig, links: Links) -> Result<(), SourceError> {
    let consumer: BaseConsumer<LoggingContext> = client_config(config)
        .create_with_context(LoggingContext)
        .map_err(SourceError::Client)?;
    let mut reader = Reader {
        queue: EventQueue::of(&consumer),
        consumer: &consumer,
        config,
        limits: BatchLimits {
            max_rows: config.batch_max_rows,
            max_bytes: config.batch_max_bytes,
            max_wait: config.batch_max_wait,
        },
        links,
        partitions: Vec::new(),
        lookup: HashMap::new(),
        seen: HashSet::new(),
        stops: HashMap::new(),
        assignments: 0,
        offsets: Offsets::default(),
        outbox: VecDeque::new(),
        blocked_since: None,
        paused: false,
        next_commit: Instant::now() + config.commit_interval,
        next_cut: None,
        next_refresh: None,
        subscribed: Vec::new(),
        complaints: Vec::new(),
    };
    let outcome = reader.subscribe().and_then(|()| reader.read());
    let committed = reader.finish();
    outcome.and(committed)
}

pub(crate) fn client_config(config: &SourceConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    for (key, value) in &config.librdkafka.0 {
        client.set(key, value);
    }
    client
        .set("bootstrap.servers", &config.bootstrap_servers)
        .set("group.id", &config.group_id)
        .set("client.id", &config.client_id)
        .set("security.protocol", config.security_protocol.as_str())
        .set("isolation.level", config.isolation_level.as_str())
        .set(
            "session.timeout.ms",
            config.session_timeout.as_millis().to_string(),
        )
        .set(
            "max.poll.interval.ms",
            config.max_poll_interval.as_millis().to_string(),
        )
        .set("fetch.min.bytes", config.fetch_min_bytes.to_string())
        .set(
            "fetch.wait.max.ms",
            config.fetch_wait_max.as_millis().to_string(),
        )
        .set(
            "queued.min.messages",
            config.queued_min_messages.to_string(),
        )
        .set(
            "queued.max.messages.kbytes",
            config.queued_max_messages_kbytes.to_string(),
        )
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        // Positions are always given: one that is not in the log is data lost.
        .set("auto.offset.reset", "error");
    client
}

struct Reader<'c> {
    consumer: &'c BaseConsumer<LoggingContext>,
    queue: EventQueue<'c>,
    config: &'c SourceConfig,
    limits: BatchLimits,
    links: Links,
    /// Those assigned.
    partitions: Vec<Partition>,
    /// From topic handle and partition number to an index of `partitions`; forgotten at
    /// each rebalance.
    lookup: HashMap<(usize, i32), usize>,
    /// Partitions that were assigned before: `startup.mode` is for the first time.
    seen: HashSet<TopicPartition>,
    /// Where bounded reading ends, fixed when a partition is first assigned.
    stops: HashMap<TopicPartition, i64>,
    assignments: u64,
    offsets: Offsets,
    /// Cut, and not handed on yet.
    outbox: VecDeque<SourcedBatch>,
    blocked_since: Option<Instant>,
    paused: bool,
    next_commit: Instant,
    next_cut: Option<Instant>,
    next_refresh: Option<Instant>,
    subscribed: Vec<String>,
    /// The passing errors that were logged lately, and when.
    complaints: Vec<(RDKafkaErrorCode, Instant)>,
}

struct Partition {
    source: TopicPartition,
    assignment: u64,
    filling: Filling,
    /// Bounded reading ends here.
    stop_at: Option<i64>,
    finished: bool,
}

impl Reader<'_> {
    fn subscribe(&mut self) -> Result<(), SourceError> {
        let topics = match &self.config.topics {
            Topics::Names(names) => names.clone(),
            Topics::Pattern(_) => {
                self.next_refresh = Some(Instant::now() + TOPICS_REFRESH);
                self.matching_topics()?
            }
        };
        self.subscribe_to(topics)
    }

    fn subscribe_to(&mut self, topics: Vec<String>) -> Result<(), SourceError> {
        if !topics.is_empty() {
            let names: Vec<&str> = topics.iter().map(String::as_str).collect();
            self.consumer
                .subscribe(&names)
                .map_err(|source| SourceError::Request {
                    what: format!("subscribing to {}", names.join(", ")),
                    source,
                })?;
        } else if let Topics::Pattern(pattern) = &self.config.topics {
            if self.config.stop_mode == StopMode::Latest {
                return Err(SourceError::NoTopic(format!(
                    "that matches `{}`",
                    pattern.pattern
                )));
            }
            tracing::warn!("no topic matches `{}` yet", pattern.pattern);
        }
        self.subscribed = topics;
        Ok(())
    }

    fn read(&mut self) -> Result<(), SourceError> {
        // Between a revocation and the assignment that follows it, having no partitions
        // does not mean to be through with them.
        let mut assigned = false;
        while !self.links.stop.is_requested() {
            self.take_reports();
            let now = Instant::now();
            self.commit_if_due(now);
            self.refresh_topics(now)?;
            if !self.hand_on(now)? && !self.paused {
                continue;
            }
            for round in 0..MESSAGES_PER_ROUND {
                let timeout = if round == 0 {
                    self.patience(now)
                } else {
                    Duration::ZERO
                };
                match self.queue.poll(timeout) {
                    None => break,
                    Some(Event::Message(message)) => self.take(&message, now),
                    Some(other) => {
                        match other {
                            Event::Assign(_) => assigned = true,
                            Event::Revoke(_) => assigned = false,
                            _ => {}
                        }
                        self.handle(other)?;
                        break;
                    }
                }
                if !self.outbox.is_empty() {
                    break;
                }
            }
            self.cut_if_due(Instant::now());
            let bounded = self.config.stop_mode == StopMode::Latest;
            if bounded
                && assigned
                && self.outbox.is_empty()
                && self.partitions.iter().all(|p| p.finished)
            {
                break;
            }
        }
        Ok(())
    }

    /// How long to wait for an event when there is none.
    fn patience(&self, now: Instant) -> Duration {
        let due = [Some(self.next_commit), self.next_cut]
            .into_iter()
            .flatten()
            .min();
        let due = due.map_or(POLL_MAX, |due| due.saturating_duration_since(now));
        if self.outbox.is_empty() {
            due.min(POLL_MAX)
        } else {
            Duration::from_millis(10)
        }
    }

    fn take(&mut self, message: &Message, now: Instant) {
        let key = (message.topic_handle(), message.partition());
        let index = match self.lookup.get(&key) {
            Some(index) => *index,
            None => {
                let topic = message.topic();
                let found = self
                    .partitions
                    .iter()
                    .position(|p| p.source.partition == key.1 && *p.source.topic == *topic);
                // A message of a partition that was just given up: its next owner has it.
                let Some(index) = found else { return };
                self.lookup.insert(key, index);
                index
            }
        };
        let partition = &mut self.partitions[index];
        let offset = message.offset();
        if partition.stop_at.is_some_and(|stop| offset >= stop) {
            self.finish_partition(index);
            return;
        }
        let parts = MessageParts {
            offset,
            timestamp: message.timestamp(),
            key: message.key(),
            value: message.value(),
        };
        let (outbox, offsets, assignment) =
            (&mut self.outbox, &mut self.offsets, partition.assignment);
        partition.filling.push(
            &self.limits,
            now,
            &parts,
            |each| message.headers(each),
            |batch| post(outbox, offsets, batch, assignment),
        );
        let is_last = partition.stop_at == Some(offset + 1);
        if let Some(due) = partition.filling.due(&self.limits) {
            self.next_cut = Some(self.next_cut.map_or(due, |next| next.min(due)));
        }
        if is_last {
            self.finish_partition(index);
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), SourceError> {
        match event {
            Event::Message(message) => self.take(&message, Instant::now()),
            Event::EndOfPartition {
                topic,
                partition,
                offset,
            } => self.end_of_partition(&topic, partition, offset),
            Event::Assign(partitions) => self.assign(&partitions)?,
            Event::Revoke(partitions) => self.revoke(&partitions)?,
            Event::CommitFailed(code) => {
                tracing::warn!("offsets were not committed, and will be tried again: {code}");
                self.offsets.commit_failed();
            }
            Event::Error {
                code,
                text,
                partition,
                fatal,
            } => self.error(code, text, partition, fatal)?,
            Event::Other => {}
        }
        Ok(())
    }

    fn end_of_partition(&mut self, topic: &str, number: i32, offset: i64) {
        let found = self
            .partitions
            .iter()
            .position(|p| p.source.partition == number && *p.source.topic == *topic);
        let Some(index) = found else { return };
        let partition = &mut self.partitions[index];
        // Whoever is slow should not wait for a batch to fill that has nothing to fill it.
        if let Some(batch) = partition.filling.cut() {
            post(
                &mut self.outbox,
                &mut self.offsets,
                batch,
                partition.assignment,
            );
        }
        let source = partition.source.clone();
        let finished = partition.stop_at.is_some_and(|stop| offset >= stop);
        self.offsets.skipped_to(&source, offset);
        self.links
            .progress
            .update(&source, |p| p.position = p.position.max(offset));
        if finished {
            self.finish_partition(index);
        }
    }

    fn finish_partition(&mut self, index: usize) {
        let partition = &mut self.partitions[index];
        if let Some(batch) = partition.filling.cut() {
            post(
                &mut self.outbox,
                &mut self.offsets,
                batch,
                partition.assignment,
            );
        }
        if !partition.finished {
            partition.finished = true;
            let only = list([(&partition.source, Offset::Invalid)]);
            if let Err(error) = self.consumer.pause(&only) {
                tracing::debug!("pausing {}, which is through: {error}", partition.source);
            }
        }
    }

    fn error(
        &mut self,
        code: RDKafkaErrorCode,
        text: String,
        partition: Option<(String, i32)>,
        fatal: bool,
    ) -> Result<(), SourceError> {
        match code {
            RDKafkaErrorCode::AutoOffsetReset => {
                let at = partition.map_or_else(String::new, |(topic, number)| {
                    format!("{topic}[{number}]: ")
                });
                Err(SourceError::Fatal {
                    code,
                    text: format!(
                        "{at}{text}: messages were deleted before they were read, or the topic was made anew. To \
                         accept the loss, set startup.mode to earliest or latest for one run"
                    ),
                })
            }
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
                if self.config.stop_mode == StopMode::Latest =>
            {
                Err(SourceError::NoTopic(self.subscribed.join(", ")))
            }
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::Authentication => Err(SourceError::Fatal { code, text }),
            _ if fatal => Err(SourceError::Fatal { code, text }),
            _ => {
                // librdkafka says so with each attempt, many times a second.
                let now = Instant::now();
                self.complaints
                    .retain(|(_, said)| now.duration_since(*said) < COMPLAINT_INTERVAL);
                if !self.complaints.iter().any(|(known, _)| *known == code) {
                    self.complaints.push((code, now));
                    tracing::warn!("{text} ({code}); still trying");
                }
                Ok(())
            }
        }
    }

    /// Hands on what is cut. Returns false when the pipeline is full, after waiting for it
    /// a little.
    fn hand_on(&mut self, now: Instant) -> Result<bool, SourceError> {
        while let Some(item) = self.outbox.pop_front() {
            let worker = worker_of(&item.batch.source, self.links.batches.len());
            let wait = if self.paused {
                Duration::ZERO
            } else {
                POLL_MAX
            };
            let (rows, bytes) = (item.batch.len(), item.batch.payload_bytes());
            let (source, last) = (
                item.batch.source.clone(),
                item.batch.offsets.last().copied(),
            );
            match self.links.batches[worker].send_timeout(SourceItem::Batch(item), wait) {
                Ok(()) => {
                    self.links.progress.messages.add(rows);
                    self.links.progress.bytes.add(bytes);
                    if let Some(last) = last {
                        self.links
                            .progress
                            .update(&source, |p| p.position = p.position.max(last + 1));
                    }
                }
                Err(SendTimeoutError::Timeout(SourceItem::Batch(item))) => {
                    self.outbox.push_front(item);
                    let since = *self.blocked_since.get_or_insert(now);
                    if !self.paused && now.duration_since(since) >= PAUSE_AFTER {
                        self.pause(true)?;
                    }
                    return Ok(false);
                }
                // The pipeline has ended on its own, and knows why.
                Err(_) => {
                    self.links.stop.request();
                    return Ok(false);
                }
            }
        }
        self.blocked_since = None;
        if self.paused {
            self.pause(false)?;
        }
        Ok(true)
    }

    /// Pauses all partitions but those that are through, or resumes them.
    fn pause(&mut self, pause: bool) -> Result<(), SourceError> {
        let open = list(
            self.partitions
                .iter()
                .filter(|p| !p.finished)
                .map(|p| (&p.source, Offset::Invalid)),
        );
        let done = if pause {
            self.consumer.pause(&open)
        } else {
            self.consumer.resume(&open)
        };
        let what = if pause { "pausing" } else { "resuming" };
        tracing::debug!("{what} {} partitions", open.count());
        self.paused = pause;
        done.map_err(|source| SourceError::Request {
            what: format!("{what} partitions"),
            source,
        })
    }

    fn cut_if_due(&mut self, now: Instant) {
        if self.next_cut.is_none_or(|due| now < due) {
            return;
        }
        self.next_cut = None;
        for partition in &mut self.partitions {
            match partition.filling.due(&self.limits) {
                Some(due) if due <= now => {
                    if let Some(batch) = partition.filling.cut() {
                        post(
                            &mut self.outbox,
                            &mut self.offsets,
                            batch,
                            partition.assignment,
                        );
                    }
                }
                Some(due) => self.next_cut = Some(self.next_cut.map_or(due, |next| next.min(due))),
                None => {}
            }
        }
    }

    fn take_reports(&mut self) {
        while let Ok(report) = self.links.delivered.try_recv() {
            self.note(&report);
        }
    }

    fn note(&mut self, report: &Delivered) {
        self.offsets.delivered(report);
        self.links.progress.update(&report.source, |p| {
            p.delivered = p.delivered.max(report.next)
        });
    }

    fn commit_if_due(&mut self, now: Instant) {
        if now < self.next_commit {
            return;
        }
        self.next_commit = now + self.config.commit_interval;
        if let Err(error) = self.commit(CommitMode::Async) {
            tracing::warn!("offsets were not committed, and will be tried again: {error}");
        }
    }

    fn commit(&mut self, mode: CommitMode) -> Result<(), KafkaError> {
        let due = self.offsets.to_commit();
        if due.is_empty() {
            return Ok(());
        }
        self.consumer.commit(
            &list(
                due.iter()
                    .map(|(source, offset)| (source, Offset::Offset(*offset))),
            ),
            mode,
        )?;
        self.offsets.committed(&due);
        Ok(())
    }

    fn assign(&mut self, partitions: &TopicPartitionList) -> Result<(), SourceError> {
        let positions = self.positions(partitions)?;
        self.lookup.clear();
        let start = list(
            positions
                .iter()
                .map(|p| (&p.source, Offset::Offset(p.start))),
        );
        let assigned = match self.consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => self.consumer.incremental_assign(&start),
            _ => self.consumer.assign(&start),
        };
        assigned.map_err(|source| SourceError::Request {
            what: "taking partitions".into(),
            source,
        })?;
        for position in positions {
            self.assignments += 1;
            let source = position.source;
            self.offsets.assign(
                source.clone(),
                self.assignments,
                position.start,
                position.committed,
            );
            self.links.progress.assign(
                source.clone(),
                PartitionProgress {
                    start: position.start,
                    position: position.start,
                    delivered: position.start,
                    end: position.stop_at,
                },
            );
            self.partitions.push(Partition {
                filling: Filling::new(source.clone()),
                source,
                assignment: self.assignments,
                stop_at: position.stop_at,
                finished: position.stop_at.is_some_and(|stop| position.start >= stop),
            });
        }
        tracing::info!("{} partitions assigned", self.partitions.len());
        if self.paused {
            self.pause(true)?;
        }
        Ok(())
    }

    /// Gives partitions up: waits for what is under way, commits, and lets go.
    fn revoke(&mut self, revoked: &TopicPartitionList) -> Result<(), SourceError> {
        let revoked: HashSet<TopicPartition> =
            revoked.elements().iter().map(partition_of).collect();
        self.outbox
            .retain(|item| !revoked.contains(&item.batch.source));
        self.lookup.clear();
        // What was cut and not handed on is the next owner's.
        let waiting: Vec<TopicPartition> = revoked.iter().cloned().collect();
        let deadline = Instant::now() + self.config.session_timeout / 2;
        for worker in &self.links.batches {
            // A worker that is gone has said why, and one that stays full is waited for below.
            let _ = worker.send_deadline(SourceItem::Flush, deadline);
        }
        while !self.offsets.all_delivered(waiting.iter()) {
            match self.links.delivered.recv_deadline(deadline) {
                Ok(report) => self.note(&report),
                Err(RecvTimeoutError::Timeout) => {
                    tracing::warn!(
                        "partitions are given up before all of their messages are delivered: some will be delivered twice"
                    );
                    break;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if let Err(error) = self.commit(CommitMode::Sync) {
            tracing::warn!(
                "offsets were not committed at a rebalance: {error}; some messages will be delivered twice"
            );
        }
        let released = match self.consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => self.consumer.incremental_unassign(&list(
                revoked.iter().map(|source| (source, Offset::Invalid)),
            )),
            _ => self.consumer.unassign(),
        };
        for source in &revoked {
            self.offsets.revoke(source);
            self.links.progress.revoke(source);
        }
        self.partitions.retain(|p| !revoked.contains(&p.source));
        tracing::info!(
            "{} partitions revoked, {} left",
            revoked.len(),
            self.partitions.len()
        );
        released.map_err(|source| SourceError::Request {
            what: "giving partitions up".into(),
            source,
        })
    }

    /// Lets the pipeline run dry, and commits what it delivered.
    fn finish(&mut self) -> Result<(), SourceError> {
        self.links.batches.clear();
        while let Ok(report) = self.links.delivered.recv() {
            self.note(&report);
        }
        self.commit(CommitMode::Sync)
            .map_err(|source| SourceError::Request {
                what: "committing the last offsets".into(),
                source,
            })
    }

    fn refresh_topics(&mut self, now: Instant) -> Result<(), SourceError> {
        if self.next_refresh.is_none_or(|due| now < due)
            || self.config.stop_mode == StopMode::Latest
        {
            return Ok(());
        }
        self.next_refresh = Some(now + TOPICS_REFRESH);
        let topics = self.matching_topics()?;
        if topics != self.subscribed {
            tracing::info!("topics that match are now {}", topics.join(", "));
            self.subscribe_to(topics)?;
        }
        Ok(())
    }
}

/// Puts a batch where it is handed on from.
fn post(
    outbox: &mut VecDeque<SourcedBatch>,
    offsets: &mut Offsets,
    batch: MessageBatch,
    assignment: u64,
) {
    if let Some(last) = batch.offsets.last() {
        offsets.sent(&batch.source, last + 1);
    }
    outbox.push_back(SourcedBatch { batch, assignment });
}

fn list<'a>(
    partitions: impl IntoIterator<Item = (&'a TopicPartition, Offset)>,
) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (source, offset) in partitions {
        list.add_partition_offset(&source.topic, source.partition, offset)
            .expect("offsets that come from Kafka fit a list");
    }
    list
}

fn partition_of(
    element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>,
) -> TopicPartition {
    TopicPartition {
        topic: element.topic().into(),
        partition: element.partition(),
    }
}

fn worker_of(source: &TopicPartition, workers: usize) -> usize {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    source.hash(&mut hasher);
    usize::try_from(hasher.finish() % workers as u64).expect("less than the number of workers")
}

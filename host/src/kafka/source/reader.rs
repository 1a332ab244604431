//! The loop that polls, and what it does with each event.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::Offset;

use super::aligning::{self, Waiting};
use super::lists::list;
use super::lookup::Lookup;
use super::others::Counts;
use super::{Links, SourceError, SourcedBatch};
use crate::batch::{MessageBatch, TopicPartition};
use crate::config::{SourceConfig, StopAt, Topics};
use crate::event_time::EventTime;
use crate::kafka::batching::{BatchLimits, Filling, MessageParts};
use crate::kafka::native::{Event, EventQueue, Message};
use crate::kafka::offsets::Offsets;
use crate::kafka::statistics::Statistics;
use crate::kafka::{LoggingContext, Tokens};
use crate::rate::Limiter;

/// How long one look at the event queue takes at most.
pub(super) const POLL_MAX: Duration = Duration::from_millis(100);
/// Messages taken between two looks at everything else.
const MESSAGES_PER_ROUND: usize = 1024;
/// How often a passing error that goes on is logged.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);
/// What is said of a connection on which a token was refused: why comes with the next one.
const NO_REASON: [&str; 2] = [
    "mechanism handshake failed: Broker: Request not valid in current SASL state",
    "mechanism handshake failed: Local: Broker transport failure",
];

pub(super) struct Reader<'c> {
    /// Those of `consumer`, if it needs any.
    pub(super) tokens: Tokens,
    /// Shared with `queue` only.
    pub(super) consumer: Arc<BaseConsumer<LoggingContext>>,
    pub(super) queue: EventQueue,
    pub(super) config: &'c SourceConfig,
    pub(super) limits: BatchLimits,
    pub(super) links: Links,
    /// Those assigned.
    pub(super) partitions: Vec<Partition>,
    /// From topic handle and partition number to an index of `partitions`; forgotten at
    /// each rebalance.
    pub(super) lookup: Lookup,
    /// Partitions that were assigned before: `startup.mode` is for the first time.
    pub(super) seen: HashSet<TopicPartition>,
    /// Where bounded reading ends, fixed when a partition is first assigned.
    pub(super) stops: HashMap<TopicPartition, i64>,
    pub(super) assignments: u64,
    pub(super) offsets: Offsets,
    /// Cut, and not handed on yet.
    pub(super) outbox: VecDeque<SourcedBatch>,
    /// What waits for other partitions to come closer in event time.
    pub(super) waiting: Waiting,
    pub(super) blocked_since: Option<Instant>,
    pub(super) paused: bool,
    pub(super) next_commit: Instant,
    pub(super) next_cut: Option<Instant>,
    pub(super) next_refresh: Option<Instant>,
    pub(super) subscribed: Vec<String>,
    /// When the pipeline started, in ms since the epoch.
    pub(super) started: i64,
    /// The partitions that were there at the start, where `startup.mode` has to know.
    pub(super) existing: Option<HashSet<TopicPartition>>,
    /// How many partitions the topics have, where others may have some of them.
    pub(super) counts: Counts,
    /// Whether partitions have been assigned already.
    pub(super) assigned_before: bool,
    pub(super) limiter: Limiter,
    /// Whether the first batch of the outbox has its permit from that.
    pub(super) is_permitted: bool,
    /// Whether brokers have turned this client away since they last had anything for it.
    pub(super) turned_away: bool,
    /// The passing errors that were logged lately, and when.
    pub(super) complaints: Vec<(RDKafkaErrorCode, Instant)>,
}

pub(super) struct Partition {
    pub(super) source: TopicPartition,
    pub(super) assignment: u64,
    pub(super) filling: Filling,
    /// Bounded reading ends here.
    pub(super) stop_at: Option<i64>,
    pub(super) finished: bool,
    /// Paused, because enough of it waits for other partitions.
    pub(super) parked: bool,
}

impl Reader<'_> {
    pub(super) fn read(&mut self) -> Result<(), SourceError> {
        // Between a revocation and the assignment that follows it, having no partitions
        // does not mean to be through with them.
        // Partitions that the pipeline file names are there from the start.
        let mut assigned = matches!(self.config.topics, Topics::Partitions(_));
        while !self.links.stop.is_requested() {
            self.take_reports();
            let now = Instant::now();
            self.commit_if_due(now);
            while let Ok(limit) = self.links.rate_limits.try_recv() {
                self.limiter = Limiter::new(&limit, now);
            }
            while let Ok(renewal) = self.links.renewals.try_recv() {
                if self.renew(&renewal)? {
                    assigned = matches!(self.config.topics, Topics::Partitions(_));
                }
            }
            self.refresh_topics(now)?;
            if let Some(event_time) = &self.links.event_time {
                event_time.tick(now, self.blocked_since.is_none());
            }
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
            let bounded = self.is_bounded();
            if bounded
                && assigned
                && self.outbox.is_empty()
                && self.waiting.is_empty()
                && self.partitions.iter().all(|p| p.finished)
            {
                break;
            }
        }
        Ok(())
    }

    /// Whether reading ends by itself.
    pub(super) fn is_bounded(&self) -> bool {
        self.config.stop != StopAt::Never
    }

    /// How long to wait for an event when there is none.
    pub(super) fn patience(&self, now: Instant) -> Duration {
        let due = [Some(self.next_commit), self.next_cut]
            .into_iter()
            .flatten()
            .min();
        let due = due.map_or(POLL_MAX, |due| due.saturating_duration_since(now));
        if !self.outbox.is_empty() {
            Duration::from_millis(10)
        } else if !self.waiting.is_empty() {
            aligning::LOOK
        } else {
            due.min(POLL_MAX)
        }
    }

    pub(super) fn take(&mut self, message: &Message, now: Instant) {
        let key = (message.topic_handle(), message.partition());
        let partitions = &self.partitions;
        let found = self.lookup.get(key, || {
            let topic = message.topic();
            partitions
                .iter()
                .position(|p| p.source.partition == key.1 && *p.source.topic == *topic)
        });
        // A message of a partition that was just given up: its next owner has it.
        let Some(index) = found else { return };
        let partition = &mut self.partitions[index];
        let offset = message.offset();
        if partition.stop_at.is_some_and(|stop| offset >= stop) {
            self.finish_partition(index);
            return;
        }
        let parts = MessageParts {
            offset,
            timestamp: message.timestamp(),
            leader_epoch: message.leader_epoch(),
            key: message.key(),
            value: message.value(),
        };
        let (outbox, offsets, assignment) =
            (&mut self.outbox, &mut self.offsets, partition.assignment);
        let event_time = self.links.event_time.as_ref();
        partition.filling.push(
            &self.limits,
            now,
            &parts,
            |each| message.headers(each),
            |batch| post(outbox, offsets, event_time, batch, assignment),
        );
        let is_last = partition.stop_at == Some(offset + 1);
        if let Some(due) = partition.filling.due(&self.limits) {
            self.next_cut = Some(self.next_cut.map_or(due, |next| next.min(due)));
        }
        if is_last {
            self.finish_partition(index);
        }
    }

    pub(super) fn handle(&mut self, event: Event) -> Result<(), SourceError> {
        match event {
            Event::Message(message) => self.take(&message, Instant::now()),
            Event::EndOfPartition {
                topic,
                partition,
                offset,
            } => self.end_of_partition(&topic, partition, offset),
            Event::Assign(partitions) => self.assign(&partitions)?,
            Event::Revoke(partitions) => self.revoke(&partitions)?,
            Event::Committed(Ok(offsets)) => {
                self.turned_away = false;
                self.offsets.confirmed(&offsets);
            }
            Event::Committed(Err(code)) => {
                tracing::warn!("offsets were not committed, and will be tried again: {code}");
                self.offsets.commit_failed();
            }
            Event::Error {
                code,
                text,
                partition,
                fatal,
            } => self.error(code, text, partition, fatal)?,
            Event::Statistics(json) => self.take_statistics(&json),
            Event::Other => {}
        }
        Ok(())
    }

    fn take_statistics(&self, json: &[u8]) {
        let Some(statistics) = Statistics::parse(json) else {
            return;
        };
        let isolation = self.config.client.get("isolation.level");
        for (topic, partition, end) in statistics.ends(isolation != Some("read_uncommitted")) {
            let topic = topic.into();
            let source = TopicPartition { topic, partition };
            self.links
                .progress
                .update(&source, |p| p.log_end = Some(end));
        }
        self.links.statistics.put(Arc::new(statistics));
    }

    pub(super) fn end_of_partition(&mut self, topic: &str, number: i32, offset: i64) {
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
                self.links.event_time.as_ref(),
                batch,
                partition.assignment,
            );
        }
        let source = partition.source.clone();
        let finished = partition.stop_at.is_some_and(|stop| offset >= stop);
        // What lies beyond the bound was left out, and is not to be committed.
        let offset = partition.stop_at.map_or(offset, |stop| offset.min(stop));
        self.offsets.skipped_to(&source, offset);
        self.links
            .progress
            .update(&source, |p| p.position = p.position.max(offset));
        if finished {
            self.finish_partition(index);
        }
    }

    pub(super) fn finish_partition(&mut self, index: usize) {
        let partition = &mut self.partitions[index];
        if let Some(batch) = partition.filling.cut() {
            post(
                &mut self.outbox,
                &mut self.offsets,
                self.links.event_time.as_ref(),
                batch,
                partition.assignment,
            );
        }
        if !partition.finished {
            partition.finished = true;
            if let Some(event_time) = &self.links.event_time {
                event_time.finish(partition.assignment);
            }
            let source = partition.source.clone();
            self.stop_fetching(&source);
        }
    }

    /// Pauses a partition that is through.
    pub(super) fn stop_fetching(&self, source: &TopicPartition) {
        let only = list([(source, Offset::Invalid)]);
        if let Err(error) = self.consumer.pause(&only) {
            tracing::debug!("pausing {source}, which is through: {error}");
        }
    }

    pub(super) fn error(
        &mut self,
        code: RDKafkaErrorCode,
        text: String,
        partition: Option<(String, i32)>,
        fatal: bool,
    ) -> Result<(), SourceError> {
        self.turned_away |= code == RDKafkaErrorCode::Authentication
            || crate::kafka::is_refused_handshake(code, &text);
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
                if self.is_bounded() =>
            {
                Err(SourceError::NoTopic(self.subscribed.join(", ")))
            }
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed => {
                let topic = partition.as_ref().map(|(topic, _)| topic.as_str());
                let acl = self.missing_acl(code, topic).unwrap_or_default();
                let text = format!("{text}: {acl}");
                Err(SourceError::Fatal { code, text })
            }
            // Who was let in once may be again: with what the files will say, or when whoever
            // gives tokens is back. Likewise, the next broker may have other certificates.
            RDKafkaErrorCode::Authentication if self.assignments == 0 => {
                Err(SourceError::Fatal { code, text })
            }
            _ if self.assignments == 0 && crate::kafka::is_refused_handshake(code, &text) => {
                Err(SourceError::Fatal {
                    code,
                    text: crate::kafka::explained(&self.config.client, &text),
                })
            }
            _ if fatal => Err(SourceError::Fatal { code, text }),
            RDKafkaErrorCode::Authentication
                if NO_REASON.iter().any(|no_reason| text.contains(no_reason)) =>
            {
                tracing::debug!("{text} ({code})");
                Ok(())
            }
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

    /// What would allow what is refused.
    pub(super) fn missing_acl(
        &self,
        code: RDKafkaErrorCode,
        topic: Option<&str>,
    ) -> Option<String> {
        let resource = match code {
            RDKafkaErrorCode::GroupAuthorizationFailed => {
                format!("--group {}", self.config.group_id)
            }
            RDKafkaErrorCode::TopicAuthorizationFailed => {
                let topic = topic.or(self.config.topics.only());
                format!("--topic {}", topic.unwrap_or("TOPIC"))
            }
            _ => return None,
        };
        Some(crate::kafka::acl(&self.config.client, "Read", &resource))
    }

    pub(super) fn cut_if_due(&mut self, now: Instant) {
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
                            self.links.event_time.as_ref(),
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
}

/// Puts a batch where it is handed on from.
fn post(
    outbox: &mut VecDeque<SourcedBatch>,
    offsets: &mut Offsets,
    event_time: Option<&EventTime>,
    batch: MessageBatch,
    assignment: u64,
) {
    if let Some(event_time) = event_time {
        event_time.read(assignment);
    }
    if let Some(last) = batch.offsets.last() {
        offsets.sent(&batch.source, last + 1);
    }
    outbox.push_back(SourcedBatch { batch, assignment });
}

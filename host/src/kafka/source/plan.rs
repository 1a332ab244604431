//! What a run would read, found out without running: nothing is joined, committed or kept.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::metadata::Metadata;
use rdkafka::topic_partition_list::Offset;

use super::LatestStatistics;
use super::lists::list;
use super::positions::Position;
use super::reader::Reader;
use super::{Links, SourceError, create, reader};
use crate::batch::TopicPartition;
use crate::config::{SourceConfig, Topics};
use crate::kafka::native::Event;
use crate::kafka::native::access;
use crate::kafka::reach::{self, Finding, Unreached, Use, acl, attempt};
use crate::stop::Stop;

/// Topics of which a message is fetched, to see whether that works.
const FETCHED_TOPICS: usize = 10;
/// How long fetching may take.
const FETCH_WITHIN: Duration = Duration::from_secs(5);

/// What is found out, one thing after the other.
pub(crate) enum Found {
    /// How one thing is.
    Finding(Finding),
    /// Where a partition would be read from, and up to where.
    Position(PlannedPosition),
}

/// Where a run would start and stop in one partition.
#[derive(Clone, Debug)]
pub(crate) struct PlannedPosition {
    pub(crate) source: TopicPartition,
    pub(crate) committed: Option<i64>,
    pub(crate) start: i64,
    /// `None` when reading goes on for ever.
    pub(crate) stop_at: Option<i64>,
    /// The offset after the last.
    pub(crate) end: i64,
}

/// Finds out, until the deadline.
pub(crate) fn explore(config: &SourceConfig, deadline: Instant, report: &mut dyn FnMut(Found)) {
    let consumer = match create(&config.client) {
        Ok(consumer) => consumer,
        Err(error) => {
            let wrong = Finding::wrong("client", error.to_string(), "correct what it names");
            return report(Found::Finding(wrong));
        }
    };
    let stop = Stop::default();
    let timer = stop.clone();
    // Ends what the source would ask for ever. Not waited for.
    let timed = std::thread::Builder::new().spawn(move || {
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        timer.request();
    });
    if timed.is_err() {
        stop.request();
    }
    let (_delivering, delivered) = crossbeam_channel::unbounded();
    let (_limits, rate_limits) = crossbeam_channel::unbounded();
    let (_renewing, renewals) = crossbeam_channel::unbounded();
    let links = Links {
        batches: Vec::new(),
        delivered,
        rate_limits,
        renewals,
        stop,
        progress: std::sync::Arc::default(),
        statistics: LatestStatistics::default(),
        event_time: None,
        settles: false,
    };
    let mut reader = reader(config, consumer, links);
    Explorer {
        reader: &mut reader,
        deadline,
        report,
    }
    .explore();
}

struct Explorer<'e, 'c> {
    reader: &'e mut Reader<'c>,
    deadline: Instant,
    report: &'e mut dyn FnMut(Found),
}

impl Explorer<'_, '_> {
    fn say(&mut self, finding: Finding) {
        (self.report)(Found::Finding(finding));
    }

    fn explore(&mut self) {
        let config = self.reader.config;
        let metadata = match self.reach() {
            Ok(metadata) => metadata,
            Err(unreached) => return self.say(unreached.finding(&config.client)),
        };
        let servers = config.client.get("bootstrap.servers").unwrap_or_default();
        let count = metadata.brokers().len();
        let plural = if count == 1 { "broker" } else { "brokers" };
        self.say(Finding::fine(
            "brokers",
            format!("{count} {plural}, reached at {servers}"),
        ));

        let topics = match &config.topics {
            Topics::Names(names) => names.clone(),
            Topics::Partitions(partitions) => partitions.keys().cloned().collect(),
            Topics::Pattern(pattern) => match self.reader.matching_topics() {
                Ok(topics) => {
                    if topics.is_empty() {
                        self.say(Finding::wrong(
                            "topics",
                            format!("none that may be seen matches {}", pattern.pattern),
                            acl(&config.client, "Read", "--topic NAME"),
                        ));
                    }
                    topics
                }
                Err(error) => return self.failed("topics", &error),
            },
        };
        let readable = self.topics(&topics, &metadata);
        let has_group = self.group();
        if readable.is_empty() || !has_group {
            return;
        }
        let positions = self.positions(&readable);
        self.fetch(&positions);
    }

    /// Asks until brokers answer, or say that they never will.
    fn reach(&mut self) -> Result<Metadata, Unreached> {
        let mut trouble = Unreached::timed_out();
        while let Some(timeout) = attempt(self.deadline) {
            match self.reader.consumer.fetch_metadata(None, timeout) {
                Ok(metadata) => return Ok(metadata),
                Err(error) => {
                    // Also that it was not asked because nobody is there.
                    tracing::debug!("asking for the cluster's topics: {error}");
                }
            }
            while let Some(event) = self.reader.queue.poll(Duration::ZERO) {
                if let Event::Error { code, text, .. } = event {
                    // What comes after it says less.
                    if !matches!(code, Code::AllBrokersDown)
                        || trouble.code == Code::OperationTimedOut
                    {
                        trouble = Unreached { code, text };
                    }
                    if trouble.is_final() {
                        return Err(trouble);
                    }
                }
            }
        }
        Err(trouble)
    }

    /// The partitions of the topics that may be read.
    fn topics(&mut self, topics: &[String], metadata: &Metadata) -> Vec<TopicPartition> {
        let config = self.reader.config;
        let client = self.reader.consumer.client();
        let all = reach::topics(client, topics, metadata, self.deadline);
        let mut readable = Vec::new();
        for topic in &all {
            let finding = reach::topic(topic, Use::Read, &config.client);
            let is_wrong = matches!(finding.outcome, reach::Outcome::Wrong { .. });
            self.say(finding);
            let Ok(numbers) = &topic.partitions else {
                continue;
            };
            let wanted: BTreeSet<i32> = match &config.topics {
                Topics::Partitions(named) => named.get(&topic.name).cloned().unwrap_or_default(),
                _ => numbers.iter().copied().collect(),
            };
            for number in &wanted {
                if !numbers.contains(number) {
                    self.say(Finding::wrong(
                        format!("{}[{number}]", topic.name),
                        format!("the topic has {} partitions, counted from 0", numbers.len()),
                        "correct source.partitions",
                    ));
                } else if !is_wrong {
                    readable.push(TopicPartition {
                        topic: topic.name.as_str().into(),
                        partition: *number,
                    });
                }
            }
        }
        readable
    }

    /// Whether the group's offsets may be looked up.
    fn group(&mut self) -> bool {
        let config = self.reader.config;
        let client = self.reader.consumer.client();
        let answer = loop {
            let timeout = attempt(self.deadline).unwrap_or(Duration::ZERO) * 5;
            match access::group(client, &config.group_id, timeout) {
                // In a cluster that is new, there is none before somebody asks.
                Err(refused) if refused.is_passing() && Instant::now() < self.deadline => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                answer => break answer,
            }
        };
        let may_ask =
            !matches!(&answer, Err(refused) if refused.code == Code::GroupAuthorizationFailed);
        self.say(reach::group(&config.group_id, answer, &config.client));
        may_ask
    }

    /// By the source's own way. Where one partition stands in the way of all, each by itself.
    fn positions(&mut self, partitions: &[TopicPartition]) -> Vec<Position> {
        if let Err(error) = self.reader.note_existing() {
            self.failed("topics", &error);
            return Vec::new();
        }
        let whole = self.position(partitions);
        let positions = match whole {
            Err(SourceError::OffsetLost { .. } | SourceError::OffsetOutOfRange { .. }) => {
                let mut positions = Vec::new();
                for partition in partitions {
                    match self.position(std::slice::from_ref(partition)) {
                        Ok(found) => positions.extend(found),
                        Err(error) => self.failed(&partition.to_string(), &error),
                    }
                }
                positions
            }
            Err(error) => {
                self.failed("positions", &error);
                return Vec::new();
            }
            Ok(positions) => positions,
        };
        for position in &positions {
            (self.report)(Found::Position(PlannedPosition {
                source: position.source.clone(),
                committed: position.committed,
                start: position.start,
                stop_at: position.stop_at,
                end: position.end,
            }));
        }
        if positions.len() < partitions.len() && self.reader.links.stop.is_requested() {
            let wrong = Finding::wrong("positions", "no answer in time", "give more --timeout");
            self.say(wrong);
        }
        positions
    }

    fn position(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Position>, SourceError> {
        // Each time is a first time: nothing is assigned.
        self.reader.seen.clear();
        self.reader.stops.clear();
        self.reader.assigned_before = false;
        let partitions = list(partitions.iter().map(|source| (source, Offset::Invalid)));
        self.reader.positions(&partitions)
    }

    /// Fetches from one partition of some topics, without the group.
    fn fetch(&mut self, positions: &[Position]) {
        let mut asked: HashMap<&str, &Position> = HashMap::new();
        for position in positions {
            let kept = asked.entry(&position.source.topic).or_insert(position);
            // Better one that has something.
            if kept.start >= kept.end {
                *kept = position;
            }
        }
        let mut asked: Vec<&Position> = asked.into_values().collect();
        asked.sort_by(|a, b| a.source.cmp(&b.source));
        asked.truncate(FETCHED_TOPICS);
        let start = list(asked.iter().map(|p| (&p.source, Offset::Offset(p.start))));
        if let Err(error) = self.reader.consumer.assign(&start) {
            let wrong = Finding::wrong("fetching", error.to_string(), "ask who runs the cluster");
            return self.say(wrong);
        }
        let deadline = self.deadline.min(Instant::now() + FETCH_WITHIN);
        while !asked.is_empty() && Instant::now() < deadline {
            let (topic, number, outcome) = match self.reader.queue.poll(reader::POLL_MAX) {
                Some(Event::Message(message)) => {
                    (message.topic(), message.partition(), Ok("a message came"))
                }
                Some(Event::EndOfPartition {
                    topic, partition, ..
                }) => (topic, partition, Ok("at the end")),
                Some(Event::Error {
                    code,
                    text,
                    partition: Some((topic, number)),
                    ..
                }) => (topic, number, Err((code, text))),
                _ => continue,
            };
            let is_it = |p: &&Position| p.source.partition == number && *p.source.topic == *topic;
            let Some(index) = asked.iter().position(is_it) else {
                continue;
            };
            let position = asked.remove(index);
            let what = format!("fetch {}", position.source);
            let client = &self.reader.config.client;
            let finding = match outcome {
                Ok(result) => Finding::fine(what, result),
                Err((Code::TopicAuthorizationFailed, _)) => Finding::wrong(
                    what,
                    "Read is not allowed",
                    acl(client, "Read", &format!("--topic {topic}")),
                ),
                Err((_, text)) => Finding::wrong(what, text, "ask who runs the cluster"),
            };
            self.say(finding);
        }
        for position in asked {
            let what = format!("fetch {}", position.source);
            let fix = "give more --timeout; the partition's leader may not be reachable from here";
            self.say(Finding::wrong(what, "nothing came", fix));
        }
        if let Err(error) = self.reader.consumer.unassign() {
            tracing::debug!("letting the partitions go: {error}");
        }
    }

    fn failed(&mut self, what: &str, error: &SourceError) {
        let fix = match error {
            // Its text has the fix.
            SourceError::OffsetLost { .. } => "see startup.mode",
            SourceError::OffsetOutOfRange { .. } => "correct startup.specific.offsets",
            _ => "ask who runs the cluster",
        };
        self.say(Finding::wrong(what, error.to_string(), fix));
    }
}

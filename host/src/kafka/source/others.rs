//! The partitions that other members of the consumer group have: how far they are, by what is
//! committed with their offsets. Asked for only where a sink has to know.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::Offset;

use super::committing::claim_of;
use super::lists::list;
use super::positions::committed;
use super::reader::Reader;
use crate::batch::TopicPartition;
use crate::config::Topics;
use crate::event_time::Others;

/// Short, as nothing is read meanwhile. Whoever does not answer is asked again.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long the numbers of partitions are believed.
const COUNTED_FOR: Duration = Duration::from_secs(30);

/// How many partitions topics have.
#[derive(Debug, Default)]
pub(super) struct Counts {
    known: HashMap<String, i32>,
    until: Option<Instant>,
}

impl Reader<'_> {
    /// Whether there may be others. Partitions that the pipeline file names are nobody else's.
    pub(super) fn has_others(&self) -> bool {
        self.links.settles && !matches!(self.config.topics, Topics::Partitions(_))
    }

    /// The partitions of this member are about to be others.
    pub(super) fn forget_others(&mut self) {
        if let Some(event_time) = self.links.event_time.as_ref().filter(|_| self.has_others()) {
            event_time.see_others(Others::Unknown);
        }
    }

    /// Looks how far they are. What was known stays where brokers do not answer.
    pub(super) fn look_at_others(&mut self, now: Instant) {
        if !self.has_others() {
            return;
        }
        let others = self.count(now).and_then(|()| self.ask_others());
        match (others, &self.links.event_time) {
            (Ok(others), Some(event_time)) => event_time.see_others(others),
            (Err(error), _) => tracing::debug!("what others have committed: {error}"),
            (Ok(_), None) => {}
        }
    }

    fn count(&mut self, now: Instant) -> Result<(), KafkaError> {
        let is_known = self
            .subscribed
            .iter()
            .all(|topic| self.counts.known.contains_key(topic));
        if is_known && self.counts.until.is_some_and(|until| now < until) {
            return Ok(());
        }
        let mut known = HashMap::new();
        for topic in &self.subscribed {
            let metadata = self.consumer.fetch_metadata(Some(topic), TIMEOUT)?;
            let topics = metadata.topics().iter();
            let count = topics.map(|topic| topic.partitions().len()).sum::<usize>();
            known.insert(topic.clone(), i32::try_from(count).unwrap_or(i32::MAX));
        }
        self.counts = Counts {
            known,
            until: Some(now + COUNTED_FOR),
        };
        Ok(())
    }

    fn ask_others(&self) -> Result<Others, KafkaError> {
        let counts = self.counts.known.iter();
        let all = counts.flat_map(|(topic, count)| {
            (0..*count).map(|partition| TopicPartition {
                topic: topic.as_str().into(),
                partition,
            })
        });
        let others: Vec<TopicPartition> = all
            .filter(|source| !self.partitions.iter().any(|p| p.source == *source))
            .collect();
        if others.is_empty() {
            return Ok(Others::Nobody);
        }
        let others = list(others.iter().map(|source| (source, Offset::Invalid)));
        let committed = committed(&self.consumer, &others, TIMEOUT)?;
        let elements = committed.elements();
        Ok(Others::of(
            elements.iter().map(|one| claim_of(one.metadata())),
        ))
    }
}

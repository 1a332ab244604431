//! Which topics are read.

use std::collections::HashSet;
use std::time::Instant;

use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::Offset;

use super::SourceError;
use super::lists::list;
use super::positions::REQUEST_TIMEOUT;
use super::reader::Reader;
use crate::batch::TopicPartition;
use crate::config::{Start, Topics};

impl Reader<'_> {
    pub(super) fn subscribe(&mut self) -> Result<(), SourceError> {
        self.forget_others();
        self.note_existing()?;
        let topics = match &self.config.topics {
            Topics::Names(names) => names.clone(),
            Topics::Partitions(_) => return self.assign_fixed(),
            Topics::Pattern(_) => {
                self.next_refresh = Some(Instant::now() + self.config.discovery_interval);
                self.matching_topics()?
            }
        };
        self.subscribe_to(topics)
    }

    /// The partitions that are there at the start: those that come later are new. Only where
    /// that makes a difference.
    pub(super) fn note_existing(&mut self) -> Result<(), SourceError> {
        if !matches!(self.config.start, Start::Latest | Start::Timestamp(_)) {
            return Ok(());
        }
        let metadata = self.ask("the cluster's topics", |reader| {
            reader.consumer.fetch_metadata(None, REQUEST_TIMEOUT)
        })?;
        let Some(metadata) = metadata else {
            return Ok(());
        };
        let mut existing = HashSet::new();
        for topic in metadata.topics() {
            if self.config.topics.contains(topic.name()) {
                existing.extend(topic.partitions().iter().map(|partition| TopicPartition {
                    topic: topic.name().into(),
                    partition: partition.id(),
                }));
            }
        }
        self.existing = Some(existing);
        Ok(())
    }

    /// Takes the partitions that the pipeline file names, without the group's say.
    fn assign_fixed(&mut self) -> Result<(), SourceError> {
        let Topics::Partitions(partitions) = &self.config.topics else {
            return Ok(());
        };
        let named: Vec<TopicPartition> = partitions
            .iter()
            .flat_map(|(topic, numbers)| {
                numbers.iter().map(|number| TopicPartition {
                    topic: topic.as_str().into(),
                    partition: *number,
                })
            })
            .collect();
        self.assign(&list(named.iter().map(|source| (source, Offset::Invalid))))?;
        self.subscribed = partitions.keys().cloned().collect();
        Ok(())
    }

    pub(super) fn subscribe_to(&mut self, topics: Vec<String>) -> Result<(), SourceError> {
        if !topics.is_empty() {
            let names: Vec<&str> = topics.iter().map(String::as_str).collect();
            self.consumer
                .subscribe(&names)
                .map_err(|source| SourceError::Request {
                    what: format!("subscribing to {}", names.join(", ")),
                    source,
                })?;
        } else if let Topics::Pattern(pattern) = &self.config.topics {
            if self.is_bounded() {
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

    pub(super) fn refresh_topics(&mut self, now: Instant) -> Result<(), SourceError> {
        if self.next_refresh.is_none_or(|due| now < due) || self.is_bounded() {
            return Ok(());
        }
        self.next_refresh = Some(now + self.config.discovery_interval);
        let topics = self.matching_topics()?;
        if topics != self.subscribed {
            tracing::info!("topics that match are now {}", topics.join(", "));
            self.subscribe_to(topics)?;
        }
        Ok(())
    }

    /// The topics that the pattern matches now.
    pub(super) fn matching_topics(&mut self) -> Result<Vec<String>, SourceError> {
        let Topics::Pattern(pattern) = &self.config.topics else {
            return Ok(self.subscribed.clone());
        };
        let metadata = self.ask("the cluster's topics", |reader| {
            reader.consumer.fetch_metadata(None, REQUEST_TIMEOUT)
        })?;
        let Some(metadata) = metadata else {
            return Ok(self.subscribed.clone());
        };
        let mut topics: Vec<String> = metadata
            .topics()
            .iter()
            .map(|topic| topic.name().to_owned())
            .filter(|name| pattern.is_match(name))
            .collect();
        topics.sort();
        Ok(topics)
    }
}

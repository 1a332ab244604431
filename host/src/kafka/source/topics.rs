//! Which topics are read.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;

use super::SourceError;
use super::positions::REQUEST_TIMEOUT;
use super::reader::Reader;
use crate::config::{StopMode, Topics};

/// How often topics are looked up when they are given by a pattern.
const TOPICS_REFRESH: Duration = Duration::from_secs(30);

impl Reader<'_> {
    pub(super) fn subscribe(&mut self) -> Result<(), SourceError> {
        let topics = match &self.config.topics {
            Topics::Names(names) => names.clone(),
            Topics::Pattern(_) => {
                self.next_refresh = Some(Instant::now() + TOPICS_REFRESH);
                self.matching_topics()?
            }
        };
        self.subscribe_to(topics)
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

    pub(super) fn refresh_topics(&mut self, now: Instant) -> Result<(), SourceError> {
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
            .filter(|name| pattern.regex.is_match(name))
            .collect();
        topics.sort();
        Ok(topics)
    }
}

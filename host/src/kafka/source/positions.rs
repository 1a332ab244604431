//! Where reading of newly assigned partitions begins and ends.

use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::Offset;

use super::SourceError;
use super::lists::partition_of;
use super::reader::Reader;
use crate::batch::TopicPartition;
use crate::config::{StartupMode, StopMode};

/// One request to the cluster.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait before a request is made again.
const RETRY_AFTER: Duration = Duration::from_millis(300);

/// Where one partition begins and ends.
#[derive(Debug)]
pub(super) struct Position {
    pub(super) source: TopicPartition,
    pub(super) start: i64,
    /// What the group has.
    pub(super) committed: Option<i64>,
    pub(super) stop_at: Option<i64>,
}

impl Reader<'_> {
    /// Finds out, asking the cluster as often as it takes.
    pub(super) fn positions(
        &mut self,
        partitions: &TopicPartitionList,
    ) -> Result<Vec<Position>, SourceError> {
        if partitions.count() == 0 {
            return Ok(Vec::new());
        }
        let committed = self.ask("the group's committed offsets", |reader| {
            reader
                .consumer
                .committed_offsets(partitions.clone(), REQUEST_TIMEOUT)
        })?;
        let Some(committed) = committed else {
            return Ok(Vec::new());
        };
        let mut positions = Vec::with_capacity(partitions.count());
        for element in committed.elements() {
            let committed = match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            let Some(position) = self.position(partition_of(&element), committed)? else {
                return Ok(Vec::new());
            };
            positions.push(position);
        }
        Ok(positions)
    }

    /// `None` when the pipeline is asked to stop meanwhile.
    fn position(
        &mut self,
        source: TopicPartition,
        committed: Option<i64>,
    ) -> Result<Option<Position>, SourceError> {
        let watermarks = self.ask(&format!("the offsets of {source}"), |reader| {
            reader
                .consumer
                .fetch_watermarks(&source.topic, source.partition, REQUEST_TIMEOUT)
        })?;
        let Some((low, high)) = watermarks else {
            return Ok(None);
        };
        let mode = if self.seen.insert(source.clone()) {
            self.config.startup_mode
        } else {
            StartupMode::GroupOffsets
        };
        let start = match (mode, committed) {
            (StartupMode::Earliest, _) | (StartupMode::GroupOffsets, None) => low,
            (StartupMode::Latest, _) => high,
            (StartupMode::GroupOffsets, Some(offset)) if (low..=high).contains(&offset) => offset,
            (StartupMode::GroupOffsets, Some(committed)) => {
                return Err(SourceError::OffsetLost {
                    partition: source,
                    committed,
                    low,
                    high,
                });
            }
        };
        let stop_at = match self.config.stop_mode {
            StopMode::Never => None,
            StopMode::Latest => Some(*self.stops.entry(source.clone()).or_insert(high)),
        };
        Ok(Some(Position {
            source,
            start,
            committed,
            stop_at,
        }))
    }

    /// Makes a request until it succeeds or cannot; `None` when asked to stop meanwhile.
    pub(super) fn ask<T>(
        &mut self,
        what: &str,
        request: impl Fn(&Self) -> Result<T, KafkaError>,
    ) -> Result<Option<T>, SourceError> {
        while !self.links.stop.is_requested() {
            match request(self) {
                Ok(answer) => return Ok(Some(answer)),
                Err(error) if is_transient(&error) => {
                    tracing::warn!("asking for {what}: {error}; still trying")
                }
                Err(source) => {
                    return Err(SourceError::Request {
                        what: format!("asking for {what}"),
                        source,
                    });
                }
            }
            // Reports are taken meanwhile, so that delivery is not held up.
            match self.links.delivered.recv_timeout(RETRY_AFTER) {
                Ok(report) => self.note(&report),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
        Ok(None)
    }
}

fn is_transient(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::TimedOutQueue
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::CoordinatorLoadInProgress
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::NotCoordinator
                | RDKafkaErrorCode::WaitingForCoordinator
                | RDKafkaErrorCode::NetworkException
                | RDKafkaErrorCode::UnknownTopicOrPartition
        )
    )
}

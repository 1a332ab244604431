//! Where reading of newly assigned partitions begins and ends.

use std::collections::HashMap;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionListElem};

use super::SourceError;
use super::committing::{claim_of, committed_at};
use super::lists::{list, partition_of};
use super::reader::Reader;
use super::start::{self, Known, OutOfRange};
use crate::batch::TopicPartition;
use crate::config::{Moment, Start, StopAt};
use crate::event_time::Claim;

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
    /// What was committed beside it, if the start is there.
    pub(super) claim: Claim,
    pub(super) stop_at: Option<i64>,
    /// The offset after the last.
    pub(super) end: i64,
}

impl Reader<'_> {
    /// Finds out, asking the cluster as often as it takes. Nothing when asked to stop
    /// meanwhile.
    pub(super) fn positions(
        &mut self,
        partitions: &TopicPartitionList,
    ) -> Result<Vec<Position>, SourceError> {
        self.try_positions(partitions)
            .map(Option::unwrap_or_default)
    }

    fn try_positions(
        &mut self,
        partitions: &TopicPartitionList,
    ) -> Result<Option<Vec<Position>>, SourceError> {
        if partitions.count() == 0 {
            return Ok(None);
        }
        let committed = self.ask("the group's committed offsets", |reader| {
            committed(&reader.consumer, partitions, REQUEST_TIMEOUT)
        })?;
        let Some(committed) = committed else {
            return Ok(None);
        };
        let start_time = match self.config.start {
            Start::Timestamp(moment) => Some(moment),
            _ => None,
        };
        let stop_time = match self.config.stop {
            StopAt::Timestamp(moment) => Some(moment),
            _ => None,
        };
        let Some(at_start) = self.offsets_at(start_time, partitions)? else {
            return Ok(None);
        };
        let Some(at_stop) = self.offsets_at(stop_time, partitions)? else {
            return Ok(None);
        };
        let mut positions = Vec::with_capacity(partitions.count());
        for element in committed.elements() {
            let source = partition_of(&element);
            let watermarks = self.ask(&format!("the offsets of {source}"), |reader| {
                reader
                    .consumer
                    .fetch_watermarks(&source.topic, source.partition, REQUEST_TIMEOUT)
            })?;
            let Some((low, high)) = watermarks else {
                return Ok(None);
            };
            let committed = offset_of(&element);
            let is_new = self
                .existing
                .as_ref()
                .is_some_and(|existing| !existing.contains(&source));
            let is_first = self.seen.insert(source.clone()) && !self.is_handed_over(&element);
            let known = Known {
                low,
                high,
                committed,
                at_start: at_start.get(&source).copied(),
                at_stop: at_stop.get(&source).copied(),
                is_first,
                is_new,
            };
            let claim = claim_of(element.metadata());
            positions.push(self.position(source, &known, claim)?);
        }
        self.assigned_before = true;
        Ok(Some(positions))
    }

    fn position(
        &mut self,
        source: TopicPartition,
        known: &Known,
        claim: Claim,
    ) -> Result<Position, SourceError> {
        let Known { low, high, .. } = *known;
        let start = start::start(&self.config.start, &source, known);
        let start = start.map_err(|OutOfRange(wanted)| match known.committed {
            Some(committed) if committed == wanted => SourceError::OffsetLost {
                partition: source.clone(),
                committed,
                low,
                high,
            },
            _ => SourceError::OffsetOutOfRange {
                partition: source.clone(),
                offset: wanted,
                low,
                high,
            },
        })?;
        let stop_at = match self.stops.get(&source) {
            Some(fixed) => Some(*fixed),
            None => start::stop(&self.config.stop, &source, known),
        };
        if let Some(stop) = stop_at {
            self.stops.insert(source.clone(), stop);
        }
        Ok(Position {
            source,
            start,
            committed: known.committed,
            claim: match known.committed == Some(start) {
                true => claim,
                false => Claim::default(),
            },
            stop_at,
            end: high,
        })
    }

    /// Whether another member of the group has given this partition up since the pipeline
    /// started: then it goes on where that one was, whatever `startup.mode` says. Members
    /// leave the time with what they commit.
    fn is_handed_over(&self, element: &TopicPartitionListElem<'_>) -> bool {
        offset_of(element).is_some()
            && (self.assigned_before
                || committed_at(element.metadata()).is_some_and(|at| at > self.started))
    }

    /// The offset of the first message of this time or later, for the partitions that have
    /// one. `None` when asked to stop meanwhile.
    fn offsets_at(
        &mut self,
        moment: Option<Moment>,
        partitions: &TopicPartitionList,
    ) -> Result<Option<HashMap<TopicPartition, i64>>, SourceError> {
        let Some(moment) = moment else {
            return Ok(Some(HashMap::new()));
        };
        let time = moment.resolve(self.started);
        let sources: Vec<TopicPartition> = partitions.elements().iter().map(partition_of).collect();
        let times = list(sources.iter().map(|source| (source, Offset::Offset(time))));
        let found = self.ask("offsets by time", |reader| {
            let found = reader
                .consumer
                .offsets_for_times(times.clone(), REQUEST_TIMEOUT)?;
            found.elements().iter().try_for_each(|e| e.error())?;
            Ok(found)
        })?;
        let offset = |element: &TopicPartitionListElem<'_>| {
            offset_of(element).map(|offset| (partition_of(element), offset))
        };
        Ok(found.map(|found| found.elements().iter().filter_map(offset).collect()))
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
                    let what = format!("asking for {what}");
                    let code = source.rdkafka_error_code();
                    return Err(match code.and_then(|code| self.missing_acl(code, None)) {
                        Some(acl) => SourceError::Fatal {
                            code: code.unwrap_or(RDKafkaErrorCode::Unknown),
                            text: format!("{what}: {source}: {acl}"),
                        },
                        None => SourceError::Request { what, source },
                    });
                }
            }
            // Before anything is subscribed to, there is nothing but errors in the queue: one
            // may say that asking again does not help.
            while self.subscribed.is_empty()
                && let Some(event) = self.queue.poll(Duration::ZERO)
            {
                self.handle(event)?;
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

/// What the group has committed. An error of one partition is one of the request: taken for "nothing
/// committed", it would have the partition read anew, or skipped. Of a partition that is not there,
/// nothing is committed indeed.
pub(super) fn committed<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    partitions: &TopicPartitionList,
    timeout: Duration,
) -> Result<TopicPartitionList, KafkaError> {
    let committed = consumer.committed_offsets(partitions.clone(), timeout)?;
    let not_there = RDKafkaErrorCode::UnknownTopicOrPartition;
    match first_error(&committed, Some(not_there)) {
        Some(error) => Err(error),
        None => Ok(committed),
    }
}

/// The first error of a partition, other than this one.
fn first_error(
    partitions: &TopicPartitionList,
    other_than: Option<RDKafkaErrorCode>,
) -> Option<KafkaError> {
    let elements = partitions.elements();
    let mut errors = elements.iter().filter_map(|e| e.error().err());
    errors.find(|error| other_than.is_none() || error.rdkafka_error_code() != other_than)
}

fn offset_of(element: &TopicPartitionListElem<'_>) -> Option<i64> {
    match element.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
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

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;
    use rdkafka::consumer::CommitMode;
    use rdkafka::mocking::MockCluster;

    use super::*;

    #[test]
    fn an_error_of_one_partition_is_not_taken_for_nothing_committed() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 2, 1).unwrap();
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .set("group.id", "g")
            .create()
            .unwrap();
        let partitions = |numbers: &[i32]| {
            let sources: Vec<_> = numbers
                .iter()
                .map(|&partition| TopicPartition {
                    topic: "t".into(),
                    partition,
                })
                .collect();
            list(sources.iter().map(|source| (source, Offset::Offset(7))))
        };
        consumer
            .commit(&partitions(&[0]), CommitMode::Sync)
            .unwrap();
        let offsets = committed(&consumer, &partitions(&[0, 1]), REQUEST_TIMEOUT).unwrap();
        let offsets: Vec<_> = offsets.elements().iter().map(offset_of).collect();
        assert_eq!(offsets, [Some(7), None]);

        // The mock has an error for a partition that is not there, beside an answer for the other.
        let unknown = RDKafkaErrorCode::UnknownTopicOrPartition;
        let answer = committed(&consumer, &partitions(&[0, 9]), REQUEST_TIMEOUT).unwrap();
        assert!(first_error(&answer, Some(unknown)).is_none());
        let error = first_error(&answer, Some(RDKafkaErrorCode::NotCoordinator)).unwrap();
        assert_eq!(error.rdkafka_error_code(), Some(unknown), "{error}");
    }
}

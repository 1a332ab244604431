//! Committing what is delivered.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::Offset;

use super::SourceError;
use super::lists::list;
use super::reader::Reader;
use crate::batch::TopicPartition;
use crate::config::Start;
use crate::event_time::Claim;
use crate::kafka::offsets::Delivered;

/// What weir's metadata of committed offsets begins with.
const COMMITTED_AT: &str = "weir:";

impl Reader<'_> {
    pub(super) fn take_reports(&mut self) {
        while let Ok(report) = self.links.delivered.try_recv() {
            self.note(&report);
        }
    }

    pub(super) fn note(&mut self, report: &Delivered) {
        self.offsets.delivered(report);
        self.links.progress.update(&report.source, |p| {
            p.delivered = p.delivered.max(report.next)
        });
    }

    pub(super) fn commit_if_due(&mut self, now: Instant) {
        if now < self.next_commit {
            return;
        }
        self.next_commit = now + self.config.commit_interval;
        self.update_claims();
        let due = self.offsets.to_commit();
        if !due.is_empty() {
            match self.queue.commit(&self.to_commit(&due)) {
                Ok(()) => self.offsets.asked(&due),
                Err(code) => {
                    tracing::warn!("offsets were not committed, and will be tried again: {code}");
                }
            }
        }
        self.look_at_others(now);
    }

    fn update_claims(&mut self) {
        if let Some(event_time) = self
            .links
            .event_time
            .as_ref()
            .filter(|_| self.links.settles)
        {
            self.offsets
                .claim(|assignment| event_time.claim(assignment));
        }
    }

    fn to_commit(&self, due: &[(TopicPartition, i64)]) -> TopicPartitionList {
        offsets_of(due, epoch_ms(), |source| self.offsets.claim_of(source))
    }

    /// Commits and waits, also for what was asked for and has no answer yet: it may fail.
    pub(super) fn commit_now(&mut self) -> Result<(), KafkaError> {
        self.update_claims();
        let due = self.offsets.unconfirmed();
        if due.is_empty() {
            return Ok(());
        }
        self.consumer
            .commit(&self.to_commit(&due), CommitMode::Sync)?;
        self.offsets.asked(&due);
        self.offsets.confirmed(&due);
        Ok(())
    }

    /// Commits these once more, even if nothing of them was read: see [`committed_at`].
    pub(super) fn commit_handed_over(
        &mut self,
        partitions: &[TopicPartition],
    ) -> Result<(), KafkaError> {
        let offsets = self.offsets.delivered_of(partitions.iter());
        if self.config.start == Start::GroupOffsets || offsets.is_empty() {
            return Ok(());
        }
        let offsets = self.to_commit(&offsets);
        self.consumer.commit(&offsets, CommitMode::Sync)
    }

    /// Lets the pipeline run dry, and commits what it delivered.
    pub(super) fn finish(&mut self) -> Result<(), SourceError> {
        self.look_at_others(Instant::now());
        self.links.batches.clear();
        while let Ok(report) = self.links.delivered.recv() {
            self.note(&report);
        }
        match self.commit_now() {
            Ok(()) => Ok(()),
            // The group has gone on without this member, and whoever has its partitions now
            // starts at what was committed before: that repeats some, and loses none.
            Err(error) if has_left_group(&error) => {
                tracing::warn!(
                    "the last offsets were not committed: {error}; some messages will be delivered twice"
                );
                Ok(())
            }
            Err(source) => Err(SourceError::Request {
                what: "committing the last offsets".into(),
                source,
            }),
        }
    }
}

fn has_left_group(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::RebalanceInProgress
        )
    )
}

/// What is committed, with the time, so that whoever takes a partition over can tell whether
/// that is from before its own start: see [`committed_at`]. After it comes how far the partition
/// is, if that is asked for: see [`claim_of`].
fn offsets_of(
    due: &[(TopicPartition, i64)],
    now: i64,
    claim: impl Fn(&TopicPartition) -> Claim,
) -> TopicPartitionList {
    let offsets = list(
        due.iter()
            .map(|(source, offset)| (source, Offset::Offset(*offset))),
    );
    for (source, _) in due {
        if let Some(mut element) = offsets.find_partition(&source.topic, source.partition) {
            let claim = claim(source);
            element.set_metadata(match claim == Claim::default() {
                true => format!("{COMMITTED_AT}{now}"),
                false => format!("{COMMITTED_AT}{now}:{claim}"),
            });
        }
    }
    offsets
}

/// When an offset was committed, in ms since the epoch, if a weir did so.
pub(super) fn committed_at(metadata: &str) -> Option<i64> {
    let at = metadata.strip_prefix(COMMITTED_AT)?;
    at.split_once(':').map_or(at, |(at, _)| at).parse().ok()
}

/// How far a partition was, if a weir committed that.
pub(super) fn claim_of(metadata: &str) -> Claim {
    let committed = metadata.strip_prefix(COMMITTED_AT);
    let claim = committed.and_then(|committed| committed.split_once(':'));
    claim.map_or(Claim::default(), |(_, claim)| Claim::parse(claim))
}

pub(super) fn epoch_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_beside_an_offset_comes_back() {
        let source = TopicPartition {
            topic: "t".into(),
            partition: 0,
        };
        let metadata = |claim: Claim| {
            let offsets = offsets_of(&[(source.clone(), 7)], 1_234, |_| claim);
            offsets.elements()[0].metadata().to_owned()
        };
        for (watermark, idle) in [
            (None, false),
            (None, true),
            (Some(-5), false),
            (Some(5), true),
        ] {
            let claim = Claim { watermark, idle };
            let metadata = metadata(claim);
            assert_eq!(committed_at(&metadata), Some(1_234), "{metadata}");
            assert_eq!(claim_of(&metadata), claim, "{metadata}");
        }
        assert_eq!(metadata(Claim::default()), "weir:1234");
        for foreign in ["", "1234:5", "weir:", "weir:x:y"] {
            assert_eq!(committed_at(foreign), None);
            assert_eq!(claim_of(foreign), Claim::default());
        }
    }
}

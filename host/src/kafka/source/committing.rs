//! Committing what is delivered.

use std::time::Instant;

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::Offset;

use super::SourceError;
use super::lists::list;
use super::reader::Reader;
use crate::kafka::offsets::Delivered;

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
        if let Err(error) = self.commit(CommitMode::Async) {
            tracing::warn!("offsets were not committed, and will be tried again: {error}");
        }
    }

    pub(super) fn commit(&mut self, mode: CommitMode) -> Result<(), KafkaError> {
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

    /// Lets the pipeline run dry, and commits what it delivered.
    pub(super) fn finish(&mut self) -> Result<(), SourceError> {
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
}

//! Committing what is delivered.

use std::time::Instant;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::Offset;

use super::SourceError;
use super::lists::list;
use super::reader::Reader;
use crate::batch::TopicPartition;
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
        let due = self.offsets.to_commit();
        if due.is_empty() {
            return;
        }
        match self.queue.commit(&offsets_of(&due)) {
            Ok(()) => self.offsets.asked(&due),
            Err(code) => {
                tracing::warn!("offsets were not committed, and will be tried again: {code}");
            }
        }
    }

    /// Commits and waits, also for what was asked for and has no answer yet: it may fail.
    pub(super) fn commit_now(&mut self) -> Result<(), KafkaError> {
        let due = self.offsets.unconfirmed();
        if due.is_empty() {
            return Ok(());
        }
        self.consumer.commit(&offsets_of(&due), CommitMode::Sync)?;
        self.offsets.asked(&due);
        self.offsets.confirmed(&due);
        Ok(())
    }

    /// Lets the pipeline run dry, and commits what it delivered.
    pub(super) fn finish(&mut self) -> Result<(), SourceError> {
        self.links.batches.clear();
        while let Ok(report) = self.links.delivered.recv() {
            self.note(&report);
        }
        self.commit_now().map_err(|source| SourceError::Request {
            what: "committing the last offsets".into(),
            source,
        })
    }
}

fn offsets_of(due: &[(TopicPartition, i64)]) -> TopicPartitionList {
    list(
        due.iter()
            .map(|(source, offset)| (source, Offset::Offset(*offset))),
    )
}

//! Partitions that wait for others, because they are ahead of them in event time.
//!
//! What was fetched of them is kept: pausing a partition throws away what librdkafka has fetched
//! ahead (librdkafka#5343), which short waits are not worth. Only when what is kept grows too
//! large is the partition paused.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::Offset;

use super::lists::list;
use super::reader::Reader;
use super::{SourceError, SourcedBatch};
use crate::batch::TopicPartition;
use crate::event_time::Gate;

/// Batches that are kept of one partition before it is paused.
const KEPT_BATCHES: usize = 4;
/// Bytes that are kept of all, before those that wait are paused at once.
const KEPT_BYTES: usize = 64 << 20;
/// How soon it is noticed that a partition need not wait any more.
pub(super) const LOOK: Duration = Duration::from_millis(2);

/// Batches that wait, by assignment.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    batches: BTreeMap<u64, VecDeque<SourcedBatch>>,
    bytes: usize,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    fn has(&self, assignment: u64) -> bool {
        self.batches.contains_key(&assignment)
    }

    fn push_back(&mut self, item: SourcedBatch) {
        self.bytes += item.batch.payload_bytes();
        self.batches
            .entry(item.assignment)
            .or_default()
            .push_back(item);
    }

    fn push_front(&mut self, item: SourcedBatch) {
        self.bytes += item.batch.payload_bytes();
        self.batches
            .entry(item.assignment)
            .or_default()
            .push_front(item);
    }

    fn pop(&mut self, assignment: u64) -> Option<SourcedBatch> {
        let batches = self.batches.get_mut(&assignment)?;
        let item = batches.pop_front();
        if batches.is_empty() {
            self.batches.remove(&assignment);
        }
        self.bytes -= item.as_ref().map_or(0, |item| item.batch.payload_bytes());
        item
    }

    fn is_too_much(&self, assignment: u64) -> bool {
        self.bytes > KEPT_BYTES
            || self
                .batches
                .get(&assignment)
                .is_some_and(|batches| batches.len() >= KEPT_BATCHES)
    }

    /// Takes out what waits of a partition; the offset of its first message.
    pub(super) fn withdraw(&mut self, assignment: u64) -> Option<i64> {
        let batches = self.batches.remove(&assignment)?;
        let bytes = |item: &SourcedBatch| item.batch.payload_bytes();
        self.bytes -= batches.iter().map(bytes).sum::<usize>();
        batches.front().map(|item| item.batch.offsets[0])
    }
}

/// Where a batch was that is handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Outbox,
    Waiting,
}

impl Reader<'_> {
    /// The assignments of which something waits and may go on now.
    pub(super) fn let_go(&self) -> VecDeque<u64> {
        let waiting = self.waiting.batches.keys().copied();
        waiting
            .filter(|assignment| self.may_go(*assignment))
            .collect()
    }

    /// The next batch that may go on: of those that have waited, which are tried in turn, then of
    /// the others.
    pub(super) fn next_batch(
        &mut self,
        let_go: &mut VecDeque<u64>,
    ) -> Result<Option<(SourcedBatch, Place)>, SourceError> {
        while let Some(assignment) = let_go.pop_front() {
            if self.may_go(assignment)
                && let Some(item) = self.waiting.pop(assignment)
            {
                if self.waiting.has(assignment) {
                    let_go.push_back(assignment);
                } else {
                    self.park(assignment, false)?;
                }
                return Ok(Some((item, Place::Waiting)));
            }
        }
        while let Some(item) = self.outbox.pop_front() {
            let assignment = item.assignment;
            if !self.waiting.has(assignment) && self.may_go(assignment) {
                return Ok(Some((item, Place::Outbox)));
            }
            self.waiting.push_back(item);
            if self.waiting.is_too_much(assignment) {
                self.park(assignment, true)?;
            }
        }
        Ok(None)
    }

    /// A batch that could not be handed on goes back, before all others of its partition.
    pub(super) fn put_back(&mut self, item: SourcedBatch, from: Place) {
        match from {
            Place::Outbox => self.outbox.push_front(item),
            Place::Waiting => self.waiting.push_front(item),
        }
    }

    fn may_go(&self, assignment: u64) -> bool {
        let event_time = self.links.event_time.as_ref();
        event_time.is_none_or(|event_time| event_time.gate(assignment) == Gate::Open)
    }

    /// Pauses a partition of which enough is kept, or resumes it.
    fn park(&mut self, assignment: u64, parked: bool) -> Result<(), SourceError> {
        let found = self
            .partitions
            .iter_mut()
            .find(|p| p.assignment == assignment && p.parked != parked);
        let Some(partition) = found else {
            return Ok(());
        };
        partition.parked = parked;
        // Those are paused for another reason, and not resumed for this one.
        if self.paused || partition.finished {
            return Ok(());
        }
        let source = partition.source.clone();
        self.fetch(&source, !parked)
    }

    pub(super) fn fetch(&self, source: &TopicPartition, fetch: bool) -> Result<(), SourceError> {
        let only = list([(source, Offset::Invalid)]);
        let (what, done) = match fetch {
            true => ("resuming", self.consumer.resume(&only)),
            false => ("pausing", self.consumer.pause(&only)),
        };
        tracing::debug!("{what} {source}, for the sake of alignment");
        done.map_err(|error| SourceError::Request {
            what: format!("{what} {source}"),
            source: error,
        })
    }
}

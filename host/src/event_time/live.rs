//! The tracker of a running pipeline, shared by the threads that know something: the source
//! which partitions there are and what is read, the sink's thread what the rows say.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::alignment::Alignment;
use super::clock::ReadingClock;
use super::group::Standing;
use super::scan::{Bounds, Scan};
use super::settled::{Claim, Others};
use super::tracker::{Observation, PartitionId, PartitionTime, Settings, Tracker};
use crate::batch::TopicPartition;

/// Event time of a running pipeline. A clone is the same one.
///
/// Partitions are named by the number of their assignment, which every batch carries along: what
/// comes of an earlier assignment counts for none.
#[derive(Clone, Debug)]
pub struct EventTime(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    tracker: Tracker,
    clock: ReadingClock,
    alignment: Option<Alignment>,
    max_future: i64,
    parts: HashMap<u64, Part>,
    group: Option<GroupView>,
    others: Others,
}

#[derive(Debug)]
struct Part {
    id: PartitionId,
    source: TopicPartition,
    /// Batches that are with the workers or the sink.
    under_way: i64,
    /// What a batch has moved the watermark by lately, at most, in ms; `None` before the second.
    stride: Option<i64>,
    held: bool,
}

/// Whether the next batch of a partition may go to the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// It may.
    Open,
    /// What is under way may bring the partition to its limit: that is waited for.
    Wait,
    /// The partition is too far ahead of the others.
    Held,
}

/// What came of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    /// The combined watermark after it, in ms since the epoch.
    pub(crate) combined: Option<i64>,
    /// Its partition's own.
    pub(crate) own: Option<i64>,
    /// How far the partition is ahead of the others, in ms.
    pub(crate) ahead: i64,
    /// Whether those are pipelines of its group, and not partitions of its own.
    pub(crate) of_group: bool,
}

/// Event time as it stands, for whoever shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventTimeView {
    /// The combined watermark, in ms since the epoch.
    pub watermark: Option<i64>,
    /// The partition that is behind all others that are waited for.
    pub holder: Option<TopicPartition>,
    /// Every assigned partition.
    pub partitions: Vec<(TopicPartition, PartitionTime)>,
    /// The alignment group, if there is one.
    pub group: Option<GroupView>,
}

/// The other members of an alignment group, as far as they are known here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupView {
    /// The group.
    pub id: String,
    /// Whether everything is read that they had said when this member started.
    pub known: bool,
    /// How many there are.
    pub members: usize,
    /// The least of their watermarks, in ms since the epoch.
    pub floor: Option<i64>,
    /// Whose that is.
    pub holder: Option<String>,
}

impl EventTime {
    /// Without partitions, from now on. `max_future` in ms.
    #[must_use]
    pub fn new(
        settings: Settings,
        alignment: Option<Alignment>,
        max_future: i64,
        now: Instant,
    ) -> Self {
        EventTime(Arc::new(Mutex::new(Inner {
            tracker: Tracker::new(settings),
            clock: ReadingClock::new(now),
            alignment,
            max_future,
            parts: HashMap::new(),
            group: None,
            others: Others::default(),
        })))
    }

    /// The combined watermark, in ms since the epoch.
    #[must_use]
    pub fn watermark(&self) -> Option<i64> {
        self.inner().tracker.combined()
    }

    /// Everything, by partition.
    #[must_use]
    pub fn view(&self) -> EventTimeView {
        let inner = self.inner();
        let holder = inner.tracker.holder();
        let mut view = EventTimeView {
            watermark: inner.tracker.combined(),
            group: inner.group.clone(),
            ..EventTimeView::default()
        };
        for part in inner.parts.values() {
            if Some(part.id) == holder {
                view.holder = Some(part.source.clone());
            }
            if let Some(time) = inner.tracker.partition(part.id) {
                view.partitions.push((part.source.clone(), time));
            }
        }
        view.partitions.sort_by(|(a, _), (b, _)| a.cmp(b));
        view
    }

    pub(crate) fn assign(&self, assignment: u64, source: TopicPartition) {
        let mut inner = self.inner();
        let now = inner.clock.now();
        let part = Part {
            id: inner.tracker.assign(now),
            source,
            under_way: 0,
            stride: None,
            held: false,
        };
        inner.parts.insert(assignment, part);
    }

    /// What was committed with the offset from which on a partition is read.
    pub(crate) fn restore(&self, assignment: u64, claim: Claim) {
        let mut inner = self.inner();
        if let Some(id) = inner.parts.get(&assignment).map(|part| part.id) {
            inner.tracker.restore(id, claim);
        }
    }

    /// What may be committed of a partition of which all that was read is delivered.
    pub(crate) fn claim(&self, assignment: u64) -> Option<Claim> {
        let inner = self.inner();
        let part = inner.parts.get(&assignment)?;
        inner.tracker.claim(part.id)
    }

    /// How far the partitions are that other members of the consumer group have. Before this is
    /// told first, there are none.
    pub(crate) fn see_others(&self, others: Others) {
        self.inner().others = others;
    }

    /// How far all partitions of the consumer group are: [`Tracker::settled`].
    #[must_use]
    pub fn settled(&self) -> Option<i64> {
        let inner = self.inner();
        inner.tracker.settled(inner.others)
    }

    pub(crate) fn revoke(&self, assignments: impl IntoIterator<Item = u64>) {
        let mut inner = self.inner();
        let ids: Vec<PartitionId> = assignments
            .into_iter()
            .filter_map(|assignment| inner.parts.remove(&assignment))
            .map(|part| part.id)
            .collect();
        inner.tracker.revoke(ids);
    }

    /// A batch was cut.
    pub(crate) fn read(&self, assignment: u64) {
        let mut inner = self.inner();
        let now = inner.clock.now();
        if let Some(id) = inner.parts.get(&assignment).map(|part| part.id) {
            inner.tracker.read(id, now);
        }
    }

    /// A batch was handed on, as [`EventTime::gate`] has allowed.
    pub(crate) fn handed_on(&self, assignment: u64) {
        if let Some(part) = self.inner().parts.get_mut(&assignment) {
            part.under_way += 1;
        }
    }

    /// The last batch of a partition was cut.
    pub(crate) fn finish(&self, assignment: u64) {
        let mut inner = self.inner();
        if let Some(id) = inner.parts.get(&assignment).map(|part| part.id) {
            inner.tracker.finish(id);
        }
    }

    /// How far the others of the group are. Before this is told first, there is no group; until
    /// it is known, whoever would wait for them waits.
    pub(crate) fn see_group(&self, group: GroupView) {
        self.inner().group = Some(group);
    }

    /// What the others of the group are told.
    pub(crate) fn standing(&self) -> Standing {
        self.inner().tracker.standing()
    }

    /// Time passes; `reading` says whether the source has been reading in it.
    pub(crate) fn tick(&self, now: Instant, reading: bool) {
        let mut inner = self.inner();
        let now = inner.clock.look(now, reading);
        inner.tracker.tick(now);
    }

    /// Whether the next batch of a partition may go on. Where nobody waits for others, always, once
    /// it is known how far the group is.
    ///
    /// A partition that is far from its limit may have any number of batches under way; near to
    /// it, one after the other, since nobody knows what is in them. So it exceeds its limit by
    /// one batch at most, as long as batches bring about as much as those before them.
    pub(crate) fn gate(&self, assignment: u64) -> Gate {
        let mut inner = self.inner();
        // Whatever happens to those that are ahead.
        if inner.group.as_ref().is_some_and(|group| !group.known) {
            return Gate::Wait;
        }
        let Inner {
            tracker,
            clock,
            alignment: Some(alignment),
            parts,
            group,
            ..
        } = &mut *inner
        else {
            return Gate::Open;
        };
        let Some(part) = parts.get_mut(&assignment) else {
            return Gate::Open;
        };
        let floor = floor(tracker, group.as_ref(), part.id);
        let watermark = tracker.partition(part.id).and_then(|time| time.watermark);
        let held = alignment.is_held(part.held, watermark, floor);
        if held != part.held {
            part.held = held;
            tracker.pause(part.id, held, clock.now());
        }
        if held {
            return Gate::Held;
        }
        if part.under_way <= 0 {
            return Gate::Open;
        }
        let (Some(watermark), Some(stride)) = (watermark, part.stride) else {
            return Gate::Wait;
        };
        let expected = watermark.saturating_add(stride.saturating_mul(part.under_way));
        match alignment.is_held(false, Some(expected), floor) {
            true => Gate::Wait,
            false => Gate::Open,
        }
    }

    /// What the rows of a partition's next batch are held against. `excess_drift`, in ms, is how
    /// far they may be ahead of the others; `epoch_ms` is the machine's clock.
    pub(crate) fn bounds(
        &self,
        assignment: u64,
        excess_drift: Option<i64>,
        epoch_ms: i64,
    ) -> Bounds {
        let inner = self.inner();
        let excess = excess_drift.and_then(|drift| {
            let part = inner.parts.get(&assignment)?;
            let floor = floor(&inner.tracker, inner.group.as_ref(), part.id)?;
            // Rows are ahead of their watermark by the bound.
            let bound = inner.tracker.settings().max_out_of_orderness;
            Some(floor.saturating_add(drift).saturating_add(bound))
        });
        let future = epoch_ms.saturating_add(inner.max_future);
        Bounds::new(inner.tracker.combined(), excess, Some(future))
    }

    /// A batch is handled; `given` is a watermark of a plug-in's.
    pub(crate) fn observe(&self, assignment: u64, scan: &Scan, given: Option<i64>) -> Observed {
        let mut inner = self.inner();
        let now = inner.clock.now();
        let Inner {
            tracker,
            parts,
            group,
            ..
        } = &mut *inner;
        let Some(part) = parts.get_mut(&assignment) else {
            return Observed {
                combined: tracker.combined(),
                ..Observed::default()
            };
        };
        part.under_way -= 1;
        let before = tracker.partition(part.id).and_then(|time| time.watermark);
        let observation = Observation {
            max: scan.max,
            watermark: given,
        };
        let combined = tracker.observe(part.id, now, &observation);
        let own = tracker.partition(part.id).and_then(|time| time.watermark);
        if let (Some(before), Some(after)) = (before, own) {
            let stride = after.saturating_sub(before);
            // Forgotten little by little, as a backlog is followed by what is live.
            let before = part.stride.unwrap_or(0);
            part.stride = Some(stride.max(before - before / 8));
        }
        let floor = floor(tracker, group.as_ref(), part.id);
        let ahead = own.zip(floor).map(|(own, floor)| own.saturating_sub(floor));
        Observed {
            combined,
            own,
            ahead: ahead.unwrap_or(0),
            of_group: floor != tracker.floor_of_others(part.id),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a partition may be ahead of, in this pipeline and in its group.
fn floor(tracker: &Tracker, group: Option<&GroupView>, id: PartitionId) -> Option<i64> {
    let others = group.and_then(|group| group.floor);
    let own = tracker.floor_of_others(id);
    own.into_iter().chain(others).min()
}

#[cfg(test)]
mod tests;

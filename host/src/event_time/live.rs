//! The tracker of a running pipeline, shared by the threads that know something: the source
//! which partitions there are and what is read, the sink's thread what the rows say.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::alignment::Alignment;
use super::clock::ReadingClock;
use super::scan::{Bounds, Scan};
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

/// Event time as it stands, for whoever shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventTimeView {
    /// The combined watermark, in ms since the epoch.
    pub watermark: Option<i64>,
    /// The partition that is behind all others that are waited for.
    pub holder: Option<TopicPartition>,
    /// Every assigned partition.
    pub partitions: Vec<(TopicPartition, PartitionTime)>,
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

    /// Time passes; `reading` says whether the source has been reading in it.
    pub(crate) fn tick(&self, now: Instant, reading: bool) {
        let mut inner = self.inner();
        let now = inner.clock.look(now, reading);
        inner.tracker.tick(now);
    }

    /// Whether the next batch of a partition may go on. Without alignment, always.
    ///
    /// A partition that is far from its limit may have any number of batches under way; near to
    /// it, one after the other, since nobody knows what is in them. So it exceeds its limit by
    /// one batch at most, as long as batches bring about as much as those before them.
    pub(crate) fn gate(&self, assignment: u64) -> Gate {
        let mut inner = self.inner();
        let Inner {
            tracker,
            clock,
            alignment: Some(alignment),
            parts,
            ..
        } = &mut *inner
        else {
            return Gate::Open;
        };
        let Some(part) = parts.get_mut(&assignment) else {
            return Gate::Open;
        };
        let floor = tracker.floor_of_others(part.id);
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
            let floor = inner.tracker.floor_of_others(part.id)?;
            // Rows are ahead of their watermark by the bound.
            let bound = inner.tracker.settings().max_out_of_orderness;
            Some(floor.saturating_add(drift).saturating_add(bound))
        });
        let future = epoch_ms.saturating_add(inner.max_future);
        Bounds::new(inner.tracker.combined(), excess, Some(future))
    }

    /// A batch is handled. Returns the combined watermark after it, and how far its partition is
    /// ahead of the others, in ms.
    pub(crate) fn observe(&self, assignment: u64, scan: &Scan) -> (Option<i64>, i64) {
        let mut inner = self.inner();
        let now = inner.clock.now();
        let Inner { tracker, parts, .. } = &mut *inner;
        let Some(part) = parts.get_mut(&assignment) else {
            return (tracker.combined(), 0);
        };
        part.under_way -= 1;
        let before = tracker.partition(part.id).and_then(|time| time.watermark);
        let observation = Observation {
            max: scan.max,
            watermark: None,
        };
        let combined = tracker.observe(part.id, now, &observation);
        let after = tracker.partition(part.id).and_then(|time| time.watermark);
        if let (Some(before), Some(after)) = (before, after) {
            let stride = after.saturating_sub(before);
            // Forgotten little by little, as a backlog is followed by what is live.
            let before = part.stride.unwrap_or(0);
            part.stride = Some(stride.max(before - before / 8));
        }
        let ahead = match (after, tracker.floor_of_others(part.id)) {
            (Some(after), Some(floor)) => after.saturating_sub(floor),
            _ => 0,
        };
        (combined, ahead)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn source(partition: i32) -> TopicPartition {
        TopicPartition {
            topic: "t".into(),
            partition,
        }
    }

    /// Two partitions of which the first batch has brought them to these event times.
    fn live(drift: i64, times: [i64; 2]) -> EventTime {
        let settings = Settings {
            max_out_of_orderness: 0,
            idle_timeout: Some(Duration::from_secs(10)),
        };
        let alignment = Some(Alignment::new(drift));
        let live = EventTime::new(settings, alignment, 1_000, Instant::now());
        for (assignment, partition) in [(7, 0), (8, 1)] {
            live.assign(assignment, source(partition));
        }
        for (assignment, time) in [(7, times[0]), (8, times[1])] {
            assert_eq!(live.gate(assignment), Gate::Open);
            go(&live, assignment);
            assert_eq!(live.gate(assignment), Gate::Wait, "not heard of yet");
            come(&live, assignment, time);
        }
        live
    }

    fn go(live: &EventTime, assignment: u64) {
        live.read(assignment);
        live.handed_on(assignment);
    }

    fn come(live: &EventTime, assignment: u64, time: i64) -> (Option<i64>, i64) {
        let scan = Scan {
            max: Some(time),
            ..Scan::default()
        };
        live.observe(assignment, &scan)
    }

    #[test]
    fn near_its_limit_a_partition_goes_on_one_batch_at_a_time() {
        let live = live(1_000, [0, 0]);
        go(&live, 8);
        assert_eq!(come(&live, 8, 300), (Some(0), 300));
        for _ in 0..3 {
            assert_eq!(live.gate(8), Gate::Open);
            go(&live, 8);
        }
        assert_eq!(live.gate(8), Gate::Wait, "those under way may bring 900");
        come(&live, 8, 600);
        assert_eq!(live.gate(8), Gate::Wait);
        come(&live, 8, 900);
        assert_eq!(live.gate(8), Gate::Wait);
        come(&live, 8, 1_200);
        assert_eq!(live.gate(8), Gate::Held);
        assert_eq!(live.gate(7), Gate::Open);
        assert_eq!(live.view().holder, Some(source(0)));
        go(&live, 7);
        come(&live, 7, 449);
        assert_eq!(live.gate(8), Gate::Held);
        go(&live, 7);
        come(&live, 7, 450);
        assert_eq!(live.gate(8), Gate::Open);
    }

    #[test]
    fn who_is_behind_all_others_goes_on_as_far_as_the_next() {
        let live = live(100, [0, 5_000]);
        go(&live, 7);
        come(&live, 7, 1_000);
        for _ in 0..5 {
            assert_eq!(live.gate(7), Gate::Open, "whatever a batch brings");
            go(&live, 7);
        }
        assert_eq!(live.gate(7), Gate::Wait, "for then it might be ahead");
        live.revoke([8]);
        assert_eq!(live.gate(7), Gate::Open, "of nobody");
    }

    #[test]
    fn who_leaves_is_not_held_and_holds_nobody() {
        let live = live(100, [0, 500]);
        assert_eq!(live.gate(8), Gate::Held);
        live.revoke([7]);
        assert_eq!(live.gate(8), Gate::Open);
        assert_eq!(live.gate(7), Gate::Open, "withdrawn elsewhere");
        assert_eq!(come(&live, 7, 9_000), (Some(500), 0));
        assert_eq!(live.view().partitions.len(), 1);
    }

    #[test]
    fn rows_are_held_against_what_is_known_before_their_batch() {
        let live = live(100, [50, 60]);
        let bounds = |assignment| live.bounds(assignment, Some(100), 1_000_000);
        assert_eq!(bounds(7), Bounds::new(Some(50), Some(160), Some(1_001_000)));
        assert_eq!(bounds(8), Bounds::new(Some(50), Some(150), Some(1_001_000)));
        let without = live.bounds(7, None, i64::MAX);
        assert_eq!(without, Bounds::new(Some(50), None, Some(i64::MAX)));
        live.revoke([8]);
        let alone = Bounds::new(Some(50), None, Some(1_001_000));
        assert_eq!(bounds(7), alone, "nobody to be ahead of");
    }
}

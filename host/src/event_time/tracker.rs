//! The watermarks of the partitions of one pipeline, and the one that they combine to.

mod idle;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::Duration;

use self::idle::IdleClock;
use super::edges::{Edge, Wrong};
use super::group::Standing;
use super::settled::{Claim, Others};

/// How event time is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// How far behind the latest one an event time may come, in ms.
    pub max_out_of_orderness: i64,
    /// How long a partition may say nothing before the others do not wait for it any more;
    /// `None` for as long as it likes.
    pub idle_timeout: Option<Duration>,
}

/// One partition in one assignment: what is left of an earlier one names nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PartitionId {
    slot: u32,
    assignment: u32,
}

/// What a batch of one partition says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// The latest event time of its rows, in ms since the epoch, if one counts.
    pub max: Option<i64>,
    /// A watermark that a plug-in gave, in ms since the epoch: nothing below it will come.
    pub watermark: Option<i64>,
}

/// What holds for a partition in the combination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The others wait for it.
    Active,
    /// It has said nothing for too long, and the others do not wait for it.
    Idle,
    /// Nothing more will come of it.
    Finished,
}

/// How far a partition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionTime {
    /// The latest event time, in ms since the epoch; `None` when there was none yet.
    pub event_time: Option<i64>,
    /// Its own watermark, in ms since the epoch: nothing below it is expected.
    pub watermark: Option<i64>,
    /// Whether the others wait for it.
    pub state: State,
    /// Whether it is paused.
    pub paused: bool,
}

/// Watermarks by partition, and the combined one: no clock and no I/O.
///
/// A watermark `w` says that no row with an event time below `w` is expected any more; a row
/// that comes all the same is late. (Flink's is `w - 1`: there, a row *at* the watermark is.)
///
/// Time is what a [`ReadingClock`](super::ReadingClock) shows. An update of one partition costs
/// the same, but for a logarithm, however many there are.
#[derive(Debug, Default)]
pub struct Tracker {
    settings: Settings,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Those that are waited for, least watermark first, and first of all those that were never
    /// heard of.
    active: BTreeSet<(Option<i64>, u32)>,
    /// When to look whether a partition is idle, its slot and its assignment: one entry for each
    /// at most, never too late, often too early.
    looks: BinaryHeap<Reverse<(Duration, u32, u32)>>,
    combined: Option<i64>,
    /// The least of the first watermarks, while there is no combined one.
    first: Option<i64>,
    pub(super) wrong: Wrong,
}

#[derive(Debug)]
struct Slot {
    assignment: u32,
    is_assigned: bool,
    event_time: Option<i64>,
    watermark: Option<i64>,
    state: State,
    /// Becomes [`State::Finished`] when nothing is in flight any more.
    is_through: bool,
    paused: bool,
    /// Batches that are read and not observed.
    in_flight: u32,
    idle: IdleClock,
    /// Whether `looks` has an entry.
    has_look: bool,
    /// What was committed with the offset from which on it is read.
    restored: Claim,
}

impl Tracker {
    /// Without partitions.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Tracker {
            settings,
            ..Tracker::default()
        }
    }

    /// How event time is judged.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A partition comes in, afresh, whatever was known of it: it holds the watermark back until
    /// it is heard of, or idle.
    pub fn assign(&mut self, now: Duration) -> PartitionId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 partitions")
        });
        let fresh = &mut self.slots[slot as usize];
        let kept = match self.wrong.is(Edge::ComesBackAsBefore) {
            true => fresh.watermark,
            false => None,
        };
        *fresh = Slot {
            assignment: fresh.assignment.wrapping_add(1),
            is_assigned: true,
            watermark: kept,
            idle: IdleClock::At(now),
            ..Slot::default()
        };
        let id = PartitionId {
            slot,
            assignment: fresh.assignment,
        };
        self.active.insert((kept, slot));
        self.restart_idle_clock(slot, now);
        id
    }

    /// What was committed with the offset from which on a partition is read, that just came in.
    /// That counts for [`Tracker::settled`] alone: for all else it is known afresh.
    pub fn restore(&mut self, id: PartitionId, claim: Claim) {
        if let Some(slot) = self.slot(id) {
            slot.restored = claim;
        }
    }

    /// Partitions leave the combination, all at once: were it one after the other, the watermark
    /// would follow those that leave last.
    pub fn revoke(&mut self, ids: impl IntoIterator<Item = PartitionId>) {
        let wrong = self.wrong;
        for id in ids {
            let Some(slot) = self.slot(id) else { continue };
            if wrong.is(Edge::LeavesNothing) {
                continue;
            }
            let entry = (slot.watermark, id.slot);
            slot.is_assigned = false;
            self.active.remove(&entry);
            self.free.push(id.slot);
            if wrong.is(Edge::LeavesOneByOne) {
                self.combine();
            }
        }
        self.combine();
    }

    /// A batch was read, and is on its way to be observed: until it is, the partition is not
    /// idle, and one that was is waited for again.
    pub fn read(&mut self, id: PartitionId, now: Duration) {
        let Some(slot) = self.slot(id) else { return };
        slot.in_flight += 1;
        if !self.wrong.is(Edge::WakesLate) {
            self.wake(id.slot, now);
        }
        self.set_idle_clock(id.slot, now);
    }

    /// A batch is handled, in the order of reading. Returns the combined watermark after it.
    pub fn observe(
        &mut self,
        id: PartitionId,
        now: Duration,
        observation: &Observation,
    ) -> Option<i64> {
        let id = match self.wrong.is(Edge::StaleCounts) {
            true => self.any_assignment(id),
            false => id,
        };
        let bound = match self.wrong.is(Edge::NoBound) {
            true => 0,
            false => self.settings.max_out_of_orderness,
        };
        let Some(slot) = self.slot(id) else {
            return self.combined;
        };
        slot.in_flight = slot.in_flight.saturating_sub(1);
        slot.event_time = slot.event_time.max(observation.max);
        let reached = observation
            .max
            .map(|time| time.saturating_sub(bound))
            .max(observation.watermark);
        if !self.wrong.is(Edge::NoneIsNoActivity) || observation.max.is_some() {
            self.wake(id.slot, now);
            self.restart_idle_clock(id.slot, now);
        }
        self.set_idle_clock(id.slot, now);
        self.raise(id.slot, reached);
        self.finish_if_through(id.slot);
        self.combine();
        self.combined
    }

    /// Nothing more is read of a partition. It leaves the combination once what was read is
    /// observed.
    pub fn finish(&mut self, id: PartitionId) {
        let Some(slot) = self.slot(id) else { return };
        slot.is_through = true;
        self.finish_if_through(id.slot);
        self.combine();
    }

    /// Stops the idle clock of a partition that is not read for a while, or lets it go on.
    pub fn pause(&mut self, id: PartitionId, paused: bool, now: Duration) {
        let Some(slot) = self.slot(id) else { return };
        slot.paused = paused;
        let entry = (slot.watermark, id.slot);
        self.set_idle_clock(id.slot, now);
        if self.wrong.is(Edge::HeldLeaves) {
            match paused {
                true => self.active.remove(&entry),
                false => self.active.insert(entry),
            };
            self.combine();
        }
    }

    /// The combined watermark, in ms since the epoch: of all partitions that are waited for, the
    /// least; where none is, the greatest. Never goes back. `None` while a partition that was
    /// never heard of holds it back.
    #[must_use]
    pub fn combined(&self) -> Option<i64> {
        self.combined
    }

    /// How far these partitions are for those of other pipelines: the combined watermark; before
    /// there is one, the first that was heard of.
    #[must_use]
    pub fn floor(&self) -> Option<i64> {
        self.combined.or(self.first)
    }

    /// What a partition may be ahead of: the least of the others that are waited for, as far as
    /// the combined watermark at least. `None` where there are no others.
    #[must_use]
    pub fn floor_of_others(&self, id: PartitionId) -> Option<i64> {
        let mut others = self.active.iter().filter(|(_, slot)| *slot != id.slot);
        let (watermark, _) = others.next()?;
        (*watermark).max(self.combined).or(self.first)
    }

    /// How far all rows are that may still come, of these partitions and of those that others
    /// have: nothing below it does, but late rows. Unlike the combined watermark it follows a
    /// partition back that comes in behind the others, and a partition that was not heard of yet
    /// counts with what was committed of it. `None` while one is not known at all.
    #[must_use]
    pub fn settled(&self, others: Others) -> Option<i64> {
        if self.wrong.is(Edge::SettlesAsCombined) {
            return self.combined;
        }
        let others = match self.wrong.is(Edge::SettlesAlone) {
            true => Others::Nobody,
            false => others,
        };
        let mut own: Option<i64> = None;
        for (watermark, slot) in &self.active {
            if watermark.is_none() && self.wrong.is(Edge::SettlesUnheard) {
                continue;
            }
            let restored = self.slots[*slot as usize].restored;
            let reached = match watermark {
                Some(watermark) => *watermark,
                // Somebody found it idle, and it is waited for again.
                None if restored.idle => return None,
                None => restored.watermark?,
            };
            own = Some(own.map_or(reached, |least| least.min(reached)));
            if watermark.is_some() {
                break;
            }
        }
        match (own, others) {
            (_, Others::Unknown) => None,
            (Some(own), Others::At(others)) => Some(own.min(others)),
            (Some(settled), Others::Nobody) | (None, Others::At(settled)) => Some(settled),
            // As the combined watermark, the greatest where all are idle.
            (None, Others::Nobody) => {
                let assigned = self.slots.iter().filter(|slot| slot.is_assigned);
                let restored = assigned.filter_map(|slot| slot.restored.watermark).max();
                self.combined.max(restored)
            }
        }
    }

    /// What may be committed of a partition of which all that was read is delivered.
    #[must_use]
    pub fn claim(&self, id: PartitionId) -> Option<Claim> {
        let slot = self.slots.get(id.slot as usize)?;
        if !slot.is_assigned || slot.assignment != id.assignment {
            return None;
        }
        let idle = slot.state != State::Active;
        // It would go on at the combined watermark.
        let combined = self.combined.filter(|_| idle);
        Some(Claim {
            watermark: match slot.watermark.max(combined) {
                None => slot.restored.watermark,
                reached => reached,
            },
            idle,
        })
    }

    /// What an alignment group is told of these partitions.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let watermark = match self.floor() {
            _ if self.active.is_empty() => None,
            floor if self.wrong.is(Edge::PublishesMaximum) => self
                .active
                .last()
                .and_then(|(watermark, _)| *watermark)
                .max(floor),
            floor => floor,
        };
        watermark.map_or(Standing::Idle, |watermark| Standing::At { watermark })
    }

    /// The partition that holds the watermark back: the least of those that are waited for.
    #[must_use]
    pub fn holder(&self) -> Option<PartitionId> {
        let (_, slot) = self.active.first()?;
        Some(PartitionId {
            slot: *slot,
            assignment: self.slots[*slot as usize].assignment,
        })
    }

    /// How far a partition is; `None` when it is not assigned any more.
    #[must_use]
    pub fn partition(&self, id: PartitionId) -> Option<PartitionTime> {
        let slot = self.slots.get(id.slot as usize)?;
        (slot.is_assigned && slot.assignment == id.assignment).then_some(PartitionTime {
            event_time: slot.event_time,
            watermark: slot.watermark,
            state: slot.state,
            paused: slot.paused,
        })
    }

    fn slot(&mut self, id: PartitionId) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        (slot.is_assigned && slot.assignment == id.assignment).then_some(slot)
    }

    fn any_assignment(&self, id: PartitionId) -> PartitionId {
        PartitionId {
            assignment: self.slots[id.slot as usize].assignment,
            ..id
        }
    }

    /// The others wait for a partition again. It goes on at the combined watermark.
    fn wake(&mut self, index: u32, now: Duration) {
        let combined = match self.wrong.is(Edge::WakesBehind) {
            true => None,
            false => self.combined,
        };
        let slot = &mut self.slots[index as usize];
        if slot.state != State::Idle {
            return;
        }
        slot.state = State::Active;
        let before = (slot.watermark, index);
        slot.watermark = slot.watermark.max(combined);
        let entry = (slot.watermark, index);
        self.active.remove(&before);
        self.active.insert(entry);
        self.restart_idle_clock(index, now);
    }

    fn raise(&mut self, index: u32, reached: Option<i64>) {
        let slot = &mut self.slots[index as usize];
        if reached <= slot.watermark {
            return;
        }
        let before = (slot.watermark, index);
        if slot.watermark.is_none()
            && self.combined.is_none()
            && self.first.is_none_or(|first| reached < Some(first))
        {
            self.first = reached;
        }
        slot.watermark = reached;
        if self.active.remove(&before) {
            self.active.insert((reached, index));
        }
    }

    fn finish_if_through(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        if slot.is_through && (slot.in_flight == 0 || self.wrong.is(Edge::FinishesEarly)) {
            slot.state = State::Finished;
            let entry = (slot.watermark, index);
            if !self.wrong.is(Edge::FinishedHolds) {
                self.active.remove(&entry);
            }
        }
    }

    fn combine(&mut self) {
        let unseen_holds = !self.wrong.is(Edge::UnseenDoesNotHold);
        let mut waited_for = self.active.iter();
        let least = match unseen_holds {
            true => waited_for.next(),
            false => waited_for.find(|(watermark, _)| watermark.is_some()),
        };
        let reached = match least {
            Some((watermark, _)) => *watermark,
            None if self.wrong.is(Edge::AllIdleStays) => None,
            // Looks at each, and seldom: when the last one that was waited for is idle.
            None => {
                let assigned = self.slots.iter().filter(|slot| slot.is_assigned);
                assigned.filter_map(|slot| slot.watermark).max()
            }
        };
        if self.wrong.is(Edge::GoesBack) && reached.is_some() {
            self.combined = reached;
        }
        self.combined = self.combined.max(reached);
    }
}

impl Default for Slot {
    fn default() -> Self {
        Slot {
            assignment: 0,
            is_assigned: false,
            event_time: None,
            watermark: None,
            state: State::Active,
            is_through: false,
            paused: false,
            in_flight: 0,
            idle: IdleClock::Left(Duration::ZERO),
            has_look: false,
            restored: Claim::default(),
        }
    }
}

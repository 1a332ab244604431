//! Which partitions are idle: each has a clock that is put back when it says something, and that
//! stands while nobody listens.

use std::cmp::Reverse;
use std::time::Duration;

use super::{State, Tracker};
use crate::event_time::edges::Edge;

/// When a partition will be idle, if nothing happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum IdleClock {
    At(Duration),
    /// The clock is stopped with so much left.
    Left(Duration),
}

impl Tracker {
    /// Time passes: finds the partitions that are idle by now. Returns the combined watermark.
    pub fn tick(&mut self, now: Duration) -> Option<i64> {
        let mut any = false;
        while let Some(Reverse((due, index, assignment))) = self.looks.peek().copied() {
            if due > now {
                break;
            }
            self.looks.pop();
            let slot = &mut self.slots[index as usize];
            if slot.assignment != assignment {
                continue;
            }
            slot.has_look = false;
            let is_waited_for = slot.is_assigned && slot.state == State::Active;
            match slot.idle {
                IdleClock::At(due) if is_waited_for && due <= now => {
                    slot.state = State::Idle;
                    let entry = (slot.watermark, index);
                    if !self.wrong.is(Edge::IdleHolds) {
                        self.active.remove(&entry);
                    }
                    any = true;
                }
                IdleClock::At(due) if is_waited_for => self.look_at(index, due),
                // Looked at again when it wakes, or its clock goes on.
                _ => {}
            }
        }
        if any {
            self.combine();
        }
        self.combined
    }

    /// Lets the idle clock run or stand, as the partition's own state asks.
    pub(super) fn set_idle_clock(&mut self, index: u32, now: Duration) {
        let slot = &mut self.slots[index as usize];
        let stands = slot.paused && !self.wrong.is(Edge::RunsWhilePaused)
            || slot.in_flight > 0 && !self.wrong.is(Edge::RunsInFlight);
        match slot.idle {
            IdleClock::At(due) if stands => {
                slot.idle = IdleClock::Left(due.saturating_sub(now));
            }
            IdleClock::Left(left) if !stands => {
                slot.idle = IdleClock::At(now + left);
                self.look_at(index, now + left);
            }
            _ => {}
        }
    }

    /// Something was heard of the partition.
    pub(super) fn restart_idle_clock(&mut self, index: u32, now: Duration) {
        let Some(timeout) = self.settings.idle_timeout else {
            self.slots[index as usize].idle = IdleClock::Left(Duration::ZERO);
            return;
        };
        let idle = &mut self.slots[index as usize].idle;
        match idle {
            IdleClock::At(due) => {
                *due = now + timeout;
                self.look_at(index, now + timeout);
            }
            IdleClock::Left(left) => *left = timeout,
        }
    }

    fn look_at(&mut self, index: u32, due: Duration) {
        let slot = &mut self.slots[index as usize];
        // An entry that is there already is due earlier: idle clocks are only put back.
        if !slot.has_look && self.settings.idle_timeout.is_some() {
            slot.has_look = true;
            self.looks.push(Reverse((due, index, slot.assignment)));
        }
    }
}

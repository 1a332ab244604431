//! What a tracker should say, worked out from scratch each time.

use std::time::Duration;

use super::super::settled::{Claim, Others};
use super::super::tracker::{Settings, State};

/// A partition in one assignment.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) event_time: Option<i64>,
    pub(super) watermark: Option<i64>,
    pub(super) state: State,
    pub(super) paused: bool,
    pub(super) in_flight: usize,
    pub(super) through: bool,
    /// The combined watermark when the others began to wait for it.
    pub(super) since: Option<i64>,
    /// What was committed before it came in.
    pub(super) restored: Claim,
    silent: Duration,
}

/// All partitions that are assigned, and the combined watermark.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) settings: Settings,
    pub(super) parts: Vec<Part>,
    pub(super) combined: Option<i64>,
}

impl Model {
    pub(super) fn new(settings: Settings) -> Self {
        Model {
            settings,
            parts: Vec::new(),
            combined: None,
        }
    }

    pub(super) fn assign(&mut self, restored: Claim) {
        self.parts.push(Part {
            event_time: None,
            watermark: None,
            state: State::Active,
            paused: false,
            in_flight: 0,
            through: false,
            since: self.combined,
            restored,
            silent: Duration::ZERO,
        });
    }

    pub(super) fn wake(&mut self, index: usize) {
        let part = &mut self.parts[index];
        if part.state == State::Idle {
            part.state = State::Active;
            part.watermark = part.watermark.max(self.combined);
            part.since = self.combined;
            part.silent = Duration::ZERO;
        }
    }

    pub(super) fn observe(&mut self, index: usize, latest: Option<i64>, given: Option<i64>) {
        self.wake(index);
        let bound = self.settings.max_out_of_orderness;
        let part = &mut self.parts[index];
        part.in_flight -= 1;
        part.silent = Duration::ZERO;
        part.event_time = part.event_time.max(latest);
        part.watermark = part.watermark.max(latest.map(|t| t - bound)).max(given);
        self.settle();
    }

    /// Time passes in which the source reads.
    pub(super) fn pass(&mut self, time: Duration) {
        let Some(timeout) = self.settings.idle_timeout else {
            return;
        };
        for part in &mut self.parts {
            if !part.paused && part.in_flight == 0 && part.state == State::Active {
                part.silent += time;
                if part.silent >= timeout {
                    part.state = State::Idle;
                }
            }
        }
        self.settle();
    }

    pub(super) fn settle(&mut self) {
        for part in &mut self.parts {
            if part.through && part.in_flight == 0 {
                part.state = State::Finished;
            }
        }
        let active = self.parts.iter().filter(|p| p.state == State::Active);
        let reached = match active.clone().count() {
            0 => self.parts.iter().filter_map(|p| p.watermark).max(),
            _ if active.clone().any(|p| p.watermark.is_none()) => None,
            _ => active.filter_map(|p| p.watermark).min(),
        };
        self.combined = self.combined.max(reached);
    }

    /// How far all partitions are, with those that others have.
    pub(super) fn settled(&self, others: Others) -> Option<i64> {
        let others = match others {
            Others::Unknown => return None,
            Others::Nobody => None,
            Others::At(least) => Some(least),
        };
        let mut all: Vec<i64> = others.into_iter().collect();
        for part in self.parts.iter().filter(|p| p.state == State::Active) {
            let restored = part.restored.watermark.filter(|_| !part.restored.idle);
            all.push(part.watermark.or(restored)?);
        }
        let known = self.parts.iter().filter_map(|p| p.restored.watermark);
        match all.into_iter().min() {
            None => self.combined.max(known.max()),
            least => least,
        }
    }
}

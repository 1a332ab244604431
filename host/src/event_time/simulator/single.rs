//! One source and its tracker: reading, handling, pausing, rebalances, silence.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::super::clock::ReadingClock;
use super::super::edges::Wrong;
use super::super::random::Random;
use super::super::scan::{Bounds, Times};
use super::super::settled::{Claim, Others};
use super::super::tracker::{Observation, PartitionId, Settings, State, Tracker};
use super::model::Model;
use super::rows::{MAX_FUTURE, Rows, WALL};

const STEPS: usize = 150;
const BOUND: i64 = 40;

struct World {
    random: Random,
    /// For what is committed, so that it leaves the rest as it is.
    committed: Random,
    tracker: Tracker,
    clock: ReadingClock,
    now: Instant,
    blocked: bool,
    model: Model,
    /// The partitions that are assigned, in the order of the model.
    parts: Vec<Part>,
    /// What was read and not handled: of each partition the first, in any order.
    pipeline: VecDeque<Batch>,
    wrong: Wrong,
}

struct Part {
    id: PartitionId,
    rows: Rows,
    /// Whether it keeps the bound since it was assigned, as its rows and its watermarks say.
    honest: bool,
}

struct Batch {
    id: PartitionId,
    times: Times,
    watermark: Option<i64>,
}

/// Runs the world that this seed makes. What broke, if something did.
pub(super) fn run(seed: u64, wrong: Wrong) -> Result<(), String> {
    let mut random = Random::new(seed);
    let settings = Settings {
        max_out_of_orderness: random.between(0, BOUND),
        idle_timeout: (!random.one_in(5)).then_some(Duration::from_millis(3_000)),
    };
    let now = Instant::now();
    let mut world = World {
        tracker: Tracker::new(settings),
        clock: ReadingClock::new(now),
        now,
        blocked: false,
        model: Model::new(settings),
        parts: Vec::new(),
        pipeline: VecDeque::new(),
        random,
        committed: Random::new(seed ^ 0x5e77_1ed0),
        wrong,
    };
    world.tracker.wrong = wrong;
    world.clock.wrong = wrong;
    for _ in 0..world.random.below(5) {
        world.assign();
    }
    for step in 0..STEPS {
        let before = world.tracker.combined();
        let what = world.step()?;
        world
            .check(before)
            .map_err(|broken| format!("step {step}, {what}: {broken}"))?;
    }
    world.end()
}

impl World {
    fn step(&mut self) -> Result<&'static str, String> {
        match self.random.below(16) {
            0..=4 => {
                self.read();
                Ok("reading")
            }
            5..=9 => self.handle().map(|()| "handling"),
            10..=12 => {
                let most = if self.random.one_in(8) { 9_000 } else { 900 };
                let ms = self.random.between(0, most);
                self.pass(Duration::from_millis(ms.unsigned_abs()));
                Ok("time passing")
            }
            13 => {
                self.look();
                self.blocked = !self.blocked;
                Ok("blocking")
            }
            14 => {
                self.pause();
                Ok("pausing")
            }
            _ => {
                self.rebalance();
                Ok("a rebalance")
            }
        }
    }

    fn any(&mut self) -> Option<usize> {
        (!self.parts.is_empty()).then(|| self.random.below(self.parts.len()))
    }

    fn assign(&mut self) {
        let id = self.tracker.assign(self.clock.now());
        let restored = match self.committed.below(3) {
            0 => Claim::default(),
            _ => Claim {
                watermark: Some(self.committed.between(0, 2_000)),
                idle: self.committed.one_in(4),
            },
        };
        self.tracker.restore(id, restored);
        // Some are far behind the others, or far ahead.
        let front = self.random.between(0, 2_000);
        let rows = Rows::new(&mut self.random, front, BOUND);
        let honest = rows.disorder <= self.model.settings.max_out_of_orderness;
        self.parts.push(Part { id, rows, honest });
        self.model.assign(restored);
    }

    fn read(&mut self) {
        let Some(index) = self.any() else { return };
        let model = &mut self.model.parts[index];
        if self.blocked || model.paused || model.through || self.pipeline.len() > 12 {
            return;
        }
        model.in_flight += 1;
        self.model.wake(index);
        let part = &mut self.parts[index];
        let times = part.rows.batch(&mut self.random);
        let watermark = self.random.one_in(10).then(|| {
            // True if it leaves room for the disorder.
            let rows = &part.rows;
            rows.front - self.random.between(rows.disorder, rows.disorder + 50)
        });
        self.tracker.read(part.id, self.clock.now());
        let batch = Batch {
            id: part.id,
            times,
            watermark,
        };
        self.pipeline.push_back(batch);
        if self.random.one_in(40) {
            self.model.parts[index].through = true;
            self.tracker.finish(self.parts[index].id);
        }
        self.model.settle();
    }

    fn handle(&mut self) -> Result<(), String> {
        if self.pipeline.is_empty() {
            return Ok(());
        }
        let any = self.pipeline[self.random.below(self.pipeline.len())].id;
        let first = self.pipeline.iter().position(|batch| batch.id == any);
        let Some(batch) = first.and_then(|first| self.pipeline.remove(first)) else {
            return Ok(());
        };
        let mut bounds = Bounds::new(self.tracker.combined(), None, Some(WALL + MAX_FUTURE));
        bounds.wrong = self.wrong;
        let scan = bounds.scan(&batch.times);
        let observation = Observation {
            max: scan.max,
            watermark: batch.watermark,
        };
        let now = self.clock.now();
        let after = self.tracker.observe(batch.id, now, &observation);
        if after != self.tracker.combined() {
            return Err("observing says another watermark than there is".into());
        }

        let (mut latest, mut late, mut future, mut none) = (None, 0, 0, 0);
        let index = self.parts.iter().position(|part| part.id == batch.id);
        for time in (0..batch.times.values.len()).map(|row| batch.times.get(row)) {
            let Some(time) = time else {
                none += 1;
                continue;
            };
            if time > WALL + MAX_FUTURE {
                future += 1;
                continue;
            }
            latest = latest.max(Some(time));
            if Some(time) < self.model.combined {
                late += 1;
                // The heart of it: of whoever keeps the bound, nothing is late that was not
                // when the others began to wait for it.
                if let Some(index) = index
                    && self.parts[index].honest
                    && Some(time) >= self.model.parts[index].since
                {
                    return Err(format!("{time} is late without fault"));
                }
            }
        }
        if (scan.late, scan.future, scan.none) != (late, future, none) {
            return Err(format!("{scan:?}, not {late} late, {future}, {none}"));
        }
        if let Some(index) = index {
            self.model.observe(index, latest, batch.watermark);
        }
        Ok(())
    }

    fn look(&mut self) -> Duration {
        self.clock.look(self.now, !self.blocked)
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        let reading = self.look();
        self.tracker.tick(reading);
        if !self.blocked {
            // Nobody who reads looks less often than once a second.
            self.model.pass(time.min(Duration::from_secs(1)));
        }
    }

    fn pause(&mut self) {
        let Some(index) = self.any() else { return };
        let paused = !self.model.parts[index].paused;
        self.model.parts[index].paused = paused;
        let now = self.clock.now();
        self.tracker.pause(self.parts[index].id, paused, now);
    }

    fn rebalance(&mut self) {
        let all = self.random.one_in(3);
        let mut revoked = Vec::new();
        for index in (0..self.parts.len()).rev() {
            if all || self.random.one_in(4) {
                revoked.push(self.parts.remove(index).id);
                self.model.parts.remove(index);
            }
        }
        self.model.settle();
        self.tracker.revoke(revoked);
        for _ in 0..self.random.below(3) {
            if self.parts.len() < 6 {
                self.assign();
            }
        }
    }

    fn check(&mut self, before: Option<i64>) -> Result<(), String> {
        let combined = self.tracker.combined();
        if combined < before {
            return Err(format!("from {before:?} back to {combined:?}"));
        }
        if combined != self.model.combined {
            return Err(format!("{combined:?}, not {:?}", self.model.combined));
        }
        let others = match self.committed.below(4) {
            0 => Others::Unknown,
            1 => Others::At(self.committed.between(0, 3_000)),
            _ => Others::Nobody,
        };
        let settled = self.tracker.settled(others);
        if settled != self.model.settled(others) {
            let expected = self.model.settled(others);
            return Err(format!("{settled:?} is settled, not {expected:?}"));
        }
        for (part, model) in self.parts.iter().zip(&self.model.parts) {
            let Some(seen) = self.tracker.partition(part.id) else {
                return Err("a partition is not known".into());
            };
            let same = seen.watermark == model.watermark
                && seen.event_time == model.event_time
                && seen.state == model.state
                && seen.paused == model.paused;
            if !same {
                return Err(format!("{seen:?}, not {model:?}"));
            }
        }
        let active = self.model.parts.iter();
        let active = active.filter(|part| part.state == State::Active);
        let least = active.map(|part| part.watermark).min();
        let holder = self.tracker.holder();
        let held_back_by = holder.and_then(|id| self.tracker.partition(id));
        if held_back_by.map(|part| part.watermark) != least {
            return Err(format!("held back by {held_back_by:?}, not by {least:?}"));
        }
        Ok(())
    }

    /// Everything is handled, and nothing comes any more: nobody is waited for in the end.
    fn end(&mut self) -> Result<(), String> {
        while !self.pipeline.is_empty() {
            self.handle()?;
        }
        self.look();
        self.blocked = false;
        for index in 0..self.parts.len() {
            self.model.parts[index].paused = false;
            self.tracker
                .pause(self.parts[index].id, false, self.clock.now());
        }
        for _ in 0..5 {
            self.pass(Duration::from_millis(800));
        }
        self.check(self.tracker.combined())?;
        let greatest = self.parts.iter().filter_map(|part| {
            let seen = self.tracker.partition(part.id)?;
            seen.watermark
        });
        let greatest = greatest.max();
        if self.model.settings.idle_timeout.is_some() && self.tracker.combined() < greatest {
            return Err(format!("in the end not {greatest:?}"));
        }
        Ok(())
    }
}

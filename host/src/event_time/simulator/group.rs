//! Several processes that align over a topic: each with a tracker, clocks that disagree, and a
//! life that may end at any time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::alignment::Alignment;
use super::super::edges::Wrong;
use super::super::group::{Membership, Pace, Report};
use super::super::random::Random;
use super::super::tracker::{Observation, PartitionId, Settings, State, Tracker};

/// How long one round takes.
const TICK: Duration = Duration::from_millis(100);
const ROUNDS: usize = 160;
const IDLE: Duration = Duration::from_millis(2_000);
const BOUND: i64 = 20;
const DRIFT: i64 = 400;
const PACE: Pace = Pace {
    interval: Duration::from_millis(300),
    least: Duration::from_millis(100),
    step: DRIFT / 4,
    timeout: Duration::from_millis(3_000),
};
/// The longest that the topic takes to hand a report on.
const DELAY: Duration = Duration::from_millis(300);
/// What a member is known by to all others after this long.
const KNOWN: Duration = Duration::from_millis(900);

struct World {
    random: Random,
    now: Duration,
    members: Vec<Member>,
    /// What was published, and when it reaches whom.
    sent: Vec<(Duration, usize, Report)>,
    /// What the topic has, by member: compacted.
    topic: BTreeMap<String, Report>,
    started: usize,
    /// When a process last came or went.
    changed: Duration,
    wrong: Wrong,
}

struct Member {
    name: String,
    tracker: Tracker,
    membership: Membership,
    alignment: Alignment,
    parts: Vec<Part>,
    /// How wrong its clock is, in ms.
    skew: i64,
    life: Life,
    /// Since when it is, or is not, waited for as it is now.
    since: Duration,
    /// What the model says of its combined watermark.
    combined: Option<i64>,
    was_idle: bool,
    /// The latest report of each other that has arrived.
    heard: BTreeMap<String, Report>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    /// Says and does nothing: dead, or hanging until then.
    Silent(Option<Duration>),
    Left,
}

struct Part {
    id: PartitionId,
    front: i64,
    /// How much event time a batch brings at most.
    pace: i64,
    /// Nothing comes before this.
    quiet_until: Duration,
    watermark: Option<i64>,
    held: bool,
    held_at_the_floor: Duration,
}

/// Runs the world that this seed makes. What broke, if something did.
pub(super) fn run(seed: u64, wrong: Wrong) -> Result<(), String> {
    let mut world = World {
        random: Random::new(seed),
        now: Duration::ZERO,
        members: Vec::new(),
        sent: Vec::new(),
        topic: BTreeMap::new(),
        started: 0,
        changed: Duration::ZERO,
        wrong,
    };
    for _ in 0..=world.random.below(3) {
        world.join();
    }
    for round in 0..ROUNDS {
        world.now += TICK;
        if round < ROUNDS / 2 {
            world.fate();
        }
        if round == ROUNDS / 2 {
            world.nothing_more_comes();
        }
        for index in 0..world.members.len() {
            world
                .live(index)
                .and_then(|()| world.check(index))
                .map_err(|broken| format!("round {round}, member {index}: {broken}"))?;
        }
    }
    world.end()
}

impl Member {
    /// What the rows of its partitions come to, whatever the tracker says. Returns whether nobody
    /// of them is waited for.
    fn combine(&mut self) -> bool {
        let tracker = &self.tracker;
        let state = |part: &Part| tracker.partition(part.id).map(|p| p.state);
        let active = self
            .parts
            .iter()
            .filter(|p| state(p) == Some(State::Active));
        let least = active.map(|part| part.watermark).min();
        let greatest = || self.parts.iter().filter_map(|part| part.watermark).max();
        self.combined = self.combined.max(least.unwrap_or_else(greatest));
        least.is_none()
    }
}

impl World {
    fn join(&mut self) {
        if self.members.len() == 4 {
            return;
        }
        self.started += 1;
        self.changed = self.now;
        let name = format!("m{}", self.started);
        let settings = Settings {
            max_out_of_orderness: BOUND,
            idle_timeout: Some(IDLE),
        };
        let mut member = Member {
            tracker: Tracker::new(settings),
            membership: Membership::new("g".into(), name.clone(), PACE),
            alignment: Alignment::new(DRIFT),
            parts: Vec::new(),
            skew: self.random.between(-100_000, 100_000),
            life: Life::Running,
            since: self.now,
            combined: None,
            was_idle: true,
            heard: self.topic.clone(),
            name,
        };
        member.tracker.wrong = self.wrong;
        member.membership.wrong = self.wrong;
        member.alignment.wrong = self.wrong;
        for _ in 0..self.random.below(4) {
            member.parts.push(Part {
                id: member.tracker.assign(self.now),
                front: self.random.between(0, 1_500),
                pace: self.random.between(0, 120),
                quiet_until: match self.random.below(5) {
                    0 => Duration::MAX,
                    _ => Duration::ZERO,
                },
                watermark: None,
                held: false,
                held_at_the_floor: Duration::ZERO,
            });
        }
        // A member that joins starts from what the topic says.
        for report in self.topic.values() {
            member
                .membership
                .receive(report, self.now)
                .expect("they are few");
        }
        self.members.push(member);
    }

    /// What may happen to a process, and to what it reads.
    fn fate(&mut self) {
        if self.random.one_in(40) {
            self.join();
        }
        for index in 0..self.members.len() {
            let member = &mut self.members[index];
            let before = member.life;
            match self.random.below(240) {
                0 => member.life = Life::Silent(None),
                1 | 2 if member.life == Life::Running => {
                    let long = self.random.between(0, 4_000).unsigned_abs();
                    member.life = Life::Silent(Some(self.now + Duration::from_millis(long)));
                }
                3 if member.life == Life::Running => {
                    member.life = Life::Left;
                    member.since = self.now;
                    let leave = member.membership.leave(self.now, 0);
                    if let Some(report) = leave {
                        self.topic.remove(&report.member);
                        self.publish(report);
                    }
                }
                4..=11 => {
                    let long = self.random.between(0, 6_000).unsigned_abs();
                    let until = self.now + Duration::from_millis(long);
                    if let Some(part) = member.parts.first_mut() {
                        part.quiet_until = part.quiet_until.max(until);
                    }
                }
                _ => {}
            }
            if self.members[index].life != before {
                self.changed = self.now;
            }
        }
    }

    fn nothing_more_comes(&mut self) {
        let parts = self.members.iter_mut().flat_map(|m| &mut m.parts);
        parts.for_each(|part| part.quiet_until = Duration::MAX);
    }

    /// At least once, and not always in order: producers retry, consumers rebalance.
    fn publish(&mut self, report: Report) {
        for to in 0..self.members.len() {
            for _ in 0..=usize::from(self.random.one_in(8)) {
                let most = i64::try_from(DELAY.as_millis()).expect("small");
                let delay = self.random.between(0, most).unsigned_abs();
                let at = self.now + Duration::from_millis(delay);
                self.sent.push((at, to, report.clone()));
            }
        }
    }

    /// One round of a process.
    fn live(&mut self, index: usize) -> Result<(), String> {
        let now = self.now;
        let member = &mut self.members[index];
        match member.life {
            Life::Running => {}
            Life::Silent(Some(until)) if until <= now => {
                member.life = Life::Running;
                member.since = now;
                self.changed = now;
            }
            _ => return Ok(()),
        }
        let epoch_ms = i64::try_from(now.as_millis()).expect("small") + member.skew;

        // In any order of those that have arrived.
        let mut waiting = Vec::new();
        for (at, to, report) in self.sent.drain(..) {
            if to == index && at <= now {
                let taken = member.membership.receive(&report, now);
                taken.expect("they are few");
                let heard = member.heard.entry(report.member.clone());
                let heard = heard.or_insert_with(|| report.clone());
                if heard.sequence < report.sequence {
                    *heard = report;
                }
            } else {
                waiting.push((at, to, report));
            }
        }
        self.sent = waiting;
        let member = &mut self.members[index];
        for (name, standing) in member.membership.others() {
            if member.heard.get(name).map(|report| report.standing) != Some(standing) {
                return Err(format!("{name} has not said last that it is {standing:?}"));
            }
        }

        let expired = self.members[index].membership.expire(now, epoch_ms);
        for name in &expired {
            if let Some(other) = self.members.iter().find(|m| m.name == *name)
                && other.life == Life::Running
                && now.saturating_sub(other.since) > KNOWN
                && now.saturating_sub(self.members[index].since) > KNOWN
            {
                return Err(format!("{name} is alive, and counts as dead"));
            }
            self.topic.remove(name);
        }

        self.align_and_read(index)?;

        let member = &mut self.members[index];
        member.tracker.tick(now);
        let standing = member.tracker.standing();
        if let Some(report) = member.membership.due(standing, now, epoch_ms) {
            self.topic.insert(report.member.clone(), report.clone());
            self.publish(report);
        }
        Ok(())
    }

    fn align_and_read(&mut self, index: usize) -> Result<(), String> {
        let now = self.now;
        for number in 0..self.members[index].parts.len() {
            let truth = self.true_floor(KNOWN + TICK);
            let least = self.true_floor(Duration::ZERO);
            let member = &mut self.members[index];
            let part = &mut member.parts[number];
            let own = member.tracker.floor_of_others(part.id);
            let floor = member.membership.floor(own);
            let watermark = member.tracker.partition(part.id).and_then(|p| p.watermark);
            let held = member.alignment.is_held(part.held, watermark, floor);
            if part.held && !held && floor.is_some() && watermark > floor.map(|f| f + DRIFT * 3 / 4)
            {
                return Err(format!("let go at {watermark:?}, with {floor:?}"));
            }
            if held != part.held {
                member.tracker.pause(part.id, held, now);
                part.held = held;
            }
            // Somebody always goes on: whoever is behind all others.
            let is_behind = watermark.is_some() && watermark <= least;
            part.held_at_the_floor = match held && is_behind {
                true => part.held_at_the_floor + TICK,
                false => Duration::ZERO,
            };
            let long = part.held_at_the_floor.min(now.saturating_sub(self.changed));
            if long > PACE.timeout + KNOWN {
                return Err(format!("{watermark:?} is held, and the least is {least:?}"));
            }
            if held || part.quiet_until > now || self.random.one_in(3) {
                continue;
            }
            if let (Some(watermark), Some(truth)) = (watermark, truth)
                && watermark > truth + DRIFT
                && now.saturating_sub(member.since) > KNOWN
            {
                return Err(format!("{watermark} goes on, and the least is {truth}"));
            }
            part.front += self.random.between(0, part.pace);
            let observation = Observation {
                max: Some(part.front),
                watermark: None,
            };
            member.tracker.read(part.id, now);
            member.tracker.observe(part.id, now, &observation);
            let reached = part.watermark.max(Some(part.front - BOUND));
            part.watermark = reached;
            member.combine();
        }
        Ok(())
    }

    /// The least watermark of all who have been waited for at least for so long, as the rows of
    /// their partitions say.
    fn true_floor(&self, long: Duration) -> Option<i64> {
        let known = self.members.iter().filter(|m| {
            m.life == Life::Running && !m.was_idle && self.now.saturating_sub(m.since) >= long
        });
        known.filter_map(|m| m.combined).min()
    }

    fn check(&mut self, index: usize) -> Result<(), String> {
        let now = self.now;
        let member = &mut self.members[index];
        let is_idle = member.combine() || member.combined.is_none();
        if is_idle != member.was_idle {
            member.was_idle = is_idle;
            member.since = now;
        }

        // Nobody is waited for who is gone.
        let watching = member.life == Life::Running && now.saturating_sub(member.since) > KNOWN;
        let gone = |name: &str| {
            let member = self.members.iter().find(|m| m.name == name)?;
            (member.life == Life::Left && now.saturating_sub(member.since) > DELAY + TICK)
                .then_some(())
        };
        for (name, standing) in self.members[index].membership.others() {
            if watching && gone(name).is_some() {
                return Err(format!("{name} has left, and is still at {standing:?}"));
            }
        }
        Ok(())
    }

    /// Nothing comes any more, and some are dead: nobody is held in the end, and nobody who is
    /// dead is known.
    fn end(&self) -> Result<(), String> {
        for (index, member) in self.members.iter().enumerate() {
            if member.life != Life::Running {
                continue;
            }
            if member.parts.iter().any(|part| part.held) {
                return Err(format!("member {index} is held for ever"));
            }
            for (name, standing) in member.membership.others() {
                let other = self.members.iter().find(|m| m.name == name);
                if other.is_none_or(|m| m.life != Life::Running) {
                    return Err(format!("{name} is dead, and still at {standing:?}"));
                }
            }
        }
        Ok(())
    }
}

//! A simulator: what partitions, sources and processes do to event time, in any order that a
//! seed makes up, and what must hold after each step whatever they do.
//!
//! [`single`] drives one tracker and compares it with a model that is as simple as can be;
//! [`group`] lets several processes with trackers of their own align, over a topic that delays,
//! repeats and reorders. Neither knows how the code under test does it.
//!
//! `MUTATIONS` has, for each edge that is easy to get wrong, a seed with which the simulator
//! notices when it is.

mod group;
mod model;
mod rows;
mod single;

use super::edges::{Edge, Wrong};

/// Runs of each world in the suite.
const RUNS: u64 = 3_000;
/// How many seeds are tried to find a mistake, before it counts as never found.
const SEARCHED: u64 = 3_000;

/// Which world a mistake shows in.
type World = fn(u64, Wrong) -> Result<(), String>;

const MUTATIONS: &[(Edge, World, u64)] = &[
    (Edge::GoesBack, single::run, 5),
    (Edge::NoBound, single::run, 0),
    (Edge::UnseenDoesNotHold, single::run, 0),
    (Edge::IdleHolds, single::run, 1),
    (Edge::FinishedHolds, single::run, 1),
    (Edge::FinishesEarly, single::run, 1),
    (Edge::AllIdleStays, single::run, 2),
    (Edge::WakesBehind, single::run, 3),
    (Edge::WakesLate, single::run, 1),
    (Edge::LeavesOneByOne, single::run, 0),
    (Edge::LeavesNothing, single::run, 0),
    (Edge::StaleCounts, single::run, 3),
    (Edge::ComesBackAsBefore, single::run, 0),
    (Edge::RunsWhilePaused, single::run, 1),
    (Edge::RunsInFlight, single::run, 20),
    (Edge::RunsWhileBlocked, single::run, 1),
    (Edge::FutureCounts, single::run, 1),
    (Edge::NoneIsNoActivity, single::run, 43),
    (Edge::NoneIsATime, single::run, 1),
    (Edge::LateAtWatermark, single::run, 6),
    (Edge::HeldLeaves, group::run, 1),
    (Edge::NoHysteresis, group::run, 0),
    (Edge::HeldForGood, group::run, 27),
    (Edge::DeadHolds, group::run, 1),
    (Edge::TrustsClocks, group::run, 0),
    (Edge::OldReportCounts, group::run, 2),
    (Edge::IdleMemberHolds, group::run, 0),
    (Edge::PublishesMaximum, group::run, 0),
    (Edge::LeavesSilently, group::run, 1),
    (Edge::SettlesUnheard, single::run, 0),
    (Edge::SettlesAsCombined, single::run, 0),
    (Edge::SettlesAlone, single::run, 0),
];

fn all_hold(name: &str, world: World) {
    for seed in 0..RUNS {
        if let Err(broken) = world(seed, Wrong::NOTHING) {
            panic!("{name}, seed {seed}: {broken}");
        }
    }
}

#[test]
fn one_tracker_holds_whatever_happens() {
    all_hold("single", single::run);
}

#[test]
fn a_group_holds_whatever_happens() {
    all_hold("group", group::run);
}

#[test]
fn each_mistake_is_found() {
    assert_eq!(
        MUTATIONS.len(),
        Edge::SettlesAlone as usize + 1,
        "all edges"
    );
    let mut stale = Vec::new();
    for (i, (edge, world, seed)) in MUTATIONS.iter().enumerate() {
        let again = MUTATIONS[..i].iter().any(|(other, ..)| other == edge);
        assert!(!again, "{edge:?} is there twice");
        let finds = |seed| world(seed, Wrong(Some(*edge))).is_err();
        if !finds(*seed) {
            let found = (0..SEARCHED).find(|seed| finds(*seed));
            stale.push(format!("{edge:?}: not by {seed}, first by {found:?}"));
        }
    }
    assert!(stale.is_empty(), "{}", stale.join("\n"));
}

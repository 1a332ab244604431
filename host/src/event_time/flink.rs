//! What Flink's own tests say of event time, as scenarios for this tracker. Each names the test
//! class and the test that it follows; where weir decides otherwise, it says so. Times are
//! Flink's: its watermark `w` is weir's `w + 1`, which no scenario here depends on.
//!
//! From `WatermarkOutputMultiplexerTest` (which is the test of `CombinedWatermarkStatus` too; its
//! variants with deferred output are of how Flink calls generators), `StatusWatermarkValveTest`,
//! `WatermarksWithIdlenessTest`, `SourceOperatorAlignmentTest`,
//! `SourceOperatorSplitWatermarkAlignmentTest`, `SourceCoordinatorAlignmentTest` and
//! `WatermarkAlignmentITCase`. `testStopWhileWaitingForWatermarkAlignment` needs a pipeline: it is
//! in `tests/tests/alignment.rs`. Those of serializing and restoring coordinators have nothing here.

mod idleness;

use std::time::Duration;

use super::alignment::Alignment;
use super::group::{Membership, Pace, Report, Standing, VERSION};
use super::tracker::{Observation, PartitionId, Settings, State, Tracker};

const TIMEOUT: Duration = Duration::from_millis(100);
const START: Duration = Duration::ZERO;

/// Partitions, each with a watermark that follows its event times at once.
struct Splits {
    tracker: Tracker,
    ids: Vec<PartitionId>,
}

impl Splits {
    fn new(count: usize) -> Self {
        let mut tracker = Tracker::new(Settings {
            max_out_of_orderness: 0,
            idle_timeout: Some(TIMEOUT),
        });
        let ids = (0..count).map(|_| tracker.assign(START)).collect();
        Splits { tracker, ids }
    }

    fn emit(&mut self, split: usize, time: i64) -> Option<i64> {
        self.emit_at(split, time, START)
    }

    fn emit_at(&mut self, split: usize, time: i64, now: Duration) -> Option<i64> {
        let seen = Observation {
            max: Some(time),
            watermark: None,
        };
        self.tracker.observe(self.ids[split], now, &seen)
    }

    /// Lets all splits but these be idle. Their clocks start again.
    fn idle_but(&mut self, kept: &[usize]) -> Option<i64> {
        for split in kept {
            self.tracker.pause(self.ids[*split], true, START);
        }
        self.tracker.tick(TIMEOUT)
    }

    fn state(&self, split: usize) -> State {
        let part = self.tracker.partition(self.ids[split]);
        part.expect("it is assigned").state
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// `WatermarkOutputMultiplexerTest`: `singleImmediateWatermark`, `singleImmediateIdleness`,
/// `singleImmediateWatermarkAfterIdleness`.
#[test]
fn a_single_split() {
    let mut splits = Splits::new(1);
    assert_eq!(splits.emit(0, 0), Some(0));

    let mut splits = Splits::new(1);
    assert_eq!(splits.tracker.tick(TIMEOUT), None);
    assert_eq!(splits.state(0), State::Idle);
    assert_eq!(splits.emit_at(0, 0, TIMEOUT), Some(0));
    assert_eq!(splits.state(0), State::Active);
}

/// `WatermarkOutputMultiplexerTest`: `multipleImmediateWatermark`,
/// `whenImmediateOutputBecomesIdleWatermarkAdvances`,
/// `combinedWatermarkDoesNotRegressWhenIdleOutputRegresses`.
#[test]
fn the_least_of_those_that_are_not_idle() {
    let mut splits = Splits::new(3);
    assert_eq!(splits.emit(0, 2), None);
    assert_eq!(splits.emit(1, 5), None, "the third was not heard of");
    assert_eq!(splits.idle_but(&[0, 1]), Some(2));

    let mut splits = Splits::new(2);
    splits.emit(0, 2);
    assert_eq!(splits.emit(1, 5), Some(2));
    assert_eq!(splits.idle_but(&[1]), Some(5));
    assert_eq!(splits.emit_at(0, 3, TIMEOUT), Some(5));
}

/// `WatermarkOutputMultiplexerTest`: `noCombinedDeferredUpdateWhenWeHaveZeroOutputs`,
/// `testNotEmittingIdleAfterAllSplitsRemoved`, `testRemoveNotRegisteredReturnValue`.
#[test]
fn without_splits_nothing_moves() {
    let mut splits = Splits::new(0);
    assert_eq!(splits.tracker.tick(ms(1_000)), None);

    let mut splits = Splits::new(1);
    splits.emit(0, 1);
    splits.tracker.revoke([splits.ids[0]]);
    splits.tracker.revoke([splits.ids[0]]);
    assert_eq!(splits.tracker.tick(ms(1_000)), Some(1));
}

/// `WatermarkOutputMultiplexerTest`: `testRemoveUnblocksWatermarks`,
/// `testRemoveOfHighestDoesNotRetractWatermark`. Flink has
/// `testRemoveOfLowestDoesNotImmediatelyAdvanceWatermark` too; here it does advance, since
/// nothing is gained by waiting for the next row.
#[test]
fn splits_that_leave() {
    let mut splits = Splits::new(2);
    splits.emit(0, 156_765);
    splits.tracker.revoke([splits.ids[0]]);
    assert_eq!(splits.emit(1, 156_775), Some(156_775));

    let mut splits = Splits::new(1);
    assert_eq!(splits.emit(0, 2), Some(2));
    splits.tracker.revoke([splits.ids[0]]);
    splits.ids.push(splits.tracker.assign(START));
    assert_eq!(splits.emit(1, 1), Some(2));

    let mut splits = Splits::new(2);
    splits.emit(0, -4_343);
    assert_eq!(splits.emit(1, -4_333), Some(-4_343));
    splits.tracker.revoke([splits.ids[0]]);
    assert_eq!(splits.tracker.combined(), Some(-4_333));
}

/// `StatusWatermarkValveTest`: `testMultipleInputYieldsWatermarkOnlyWhenAllChannelsReceivesWatermarks`,
/// `testMultipleInputIncreasingWatermarks`, `testMultipleInputDecreasingWatermarksYieldsNoOutput`.
#[test]
fn all_inputs_have_to_say_something() {
    let mut splits = Splits::new(3);
    assert_eq!(splits.emit(0, 0), None);
    assert_eq!(splits.emit(1, 0), None);
    assert_eq!(splits.emit(2, 0), Some(0));
    assert_eq!(splits.emit(0, 12), Some(0));
    assert_eq!(splits.emit(2, 10), Some(0));
    assert_eq!(splits.emit(1, 15), Some(10));
    assert_eq!(splits.emit(2, 17), Some(12));
    assert_eq!(splits.emit(0, 20), Some(15));
    for split in 0..3 {
        assert_eq!(splits.emit(split, 3), Some(15));
    }
}

/// `StatusWatermarkValveTest`: `testMultipleInputWatermarkAdvancingWithPartiallyIdleChannels`,
/// `testMultipleInputWatermarkAdvancingAsChannelsIndividuallyBecomeIdle`.
#[test]
fn the_watermark_advances_as_inputs_become_idle_one_by_one() {
    let mut splits = Splits::new(3);
    splits.emit_at(0, 25, ms(0));
    splits.emit_at(1, 10, ms(40));
    assert_eq!(splits.emit_at(2, 17, ms(20)), Some(10));
    assert_eq!(splits.tracker.tick(ms(100)), Some(10), "the first is idle");
    assert_eq!(splits.emit_at(1, 12, ms(110)), Some(12));
    splits.tracker.tick(ms(120));
    assert_eq!(splits.state(2), State::Idle);
    assert_eq!(splits.tracker.combined(), Some(12));
    assert_eq!(splits.tracker.tick(ms(210)), Some(25), "all are idle");
}

/// `StatusWatermarkValveTest.testMultipleInputFlushMaxWatermarkAndStreamStatusOnceAllInputsBecomeIdle`.
#[test]
fn when_all_are_idle_the_greatest_counts() {
    let mut splits = Splits::new(3);
    splits.emit_at(1, 5, ms(1));
    splits.emit_at(2, 3, ms(2));
    assert_eq!(splits.emit_at(0, 10, ms(0)), Some(3));
    assert_eq!(splits.tracker.tick(ms(102)), Some(10));
    assert_eq!(splits.tracker.holder(), None);
}

/// `StatusWatermarkValveTest`: `testMultipleInputWatermarkRealignmentAfterResumeActive`,
/// `testNoOutputWhenAllActiveChannelsAreUnaligned`, `testUnalignedActiveChannelBecomesIdle`.
/// Flink leaves an input out that wakes behind the watermark, until it has caught up; here it
/// counts at once, at the watermark, as in Flink's own combination of splits: what it has had to
/// say by then is late, and what comes after is not, however far the others are.
#[test]
fn an_input_that_wakes_goes_on_at_the_watermark() {
    let mut splits = Splits::new(3);
    splits.emit(0, 10);
    splits.emit(1, 7);
    splits.emit(2, 3);
    assert_eq!(splits.idle_but(&[0, 1]), Some(7));
    assert_eq!(splits.emit_at(2, 5, TIMEOUT), Some(7));
    let woken = splits.tracker.partition(splits.ids[2]);
    assert_eq!(woken.and_then(|part| part.watermark), Some(7));
    assert_eq!(splits.emit_at(1, 9, TIMEOUT), Some(7));
    assert_eq!(splits.emit_at(2, 8, TIMEOUT), Some(8));
    assert_eq!(splits.emit_at(2, 11, TIMEOUT), Some(9));
    splits.tracker.pause(splits.ids[1], false, TIMEOUT);
    splits.tracker.pause(splits.ids[0], false, TIMEOUT);
    assert_eq!(splits.tracker.tick(ms(500)), Some(11));
}

/// `SourceOperatorSplitWatermarkAlignmentTest.testBackpressureAndIdleness` (FLIP-471): neither a
/// watermark nor idleness comes of silence while rows wait.
#[test]
fn back_pressure_is_not_idleness() {
    let mut splits = Splits::new(2);
    splits.emit(0, 42);
    for split in 0..2 {
        splits.tracker.read(splits.ids[split], START);
    }
    for round in 1..=20 {
        assert_eq!(splits.tracker.tick(TIMEOUT * round), None);
    }
    for split in 0..2 {
        splits
            .tracker
            .observe(splits.ids[split], ms(2_000), &Observation::default());
    }
    assert_eq!(splits.tracker.tick(ms(2_099)), None);
    assert_eq!(splits.tracker.tick(ms(2_100)), Some(42));
    assert_eq!(
        (splits.state(0), splits.state(1)),
        (State::Idle, State::Idle)
    );
}

/// `SourceOperatorSplitWatermarkAlignmentTest`: `testSplitWatermarkAlignment`,
/// `testMultiSplitWatermarkAlignmentAndIdleness`, and the example of FLIP-471: a split that is
/// held does not become idle, so the watermark does not pass it when the others jump ahead.
#[test]
fn a_held_split_is_not_idle() {
    let alignment = Alignment::new(1);
    let mut splits = Splits::new(2);
    splits.emit(0, 5);
    splits.emit(1, 3);
    let held = |splits: &Splits, split: usize, was: bool| {
        let part = splits.tracker.partition(splits.ids[split]);
        let watermark = part.and_then(|part| part.watermark);
        alignment.is_held(was, watermark, splits.tracker.floor())
    };
    assert!(held(&splits, 0, false));
    assert!(!held(&splits, 1, false));
    splits.tracker.pause(splits.ids[0], true, START);
    let mut now = START;
    for _ in 0..6 {
        now += TIMEOUT - ms(1);
        splits.tracker.tick(now);
        assert_eq!(splits.emit_at(1, 3, now), Some(3));
    }
    assert_eq!(splits.state(0), State::Active);
    assert_eq!(
        splits.emit_at(1, 105, now),
        Some(5),
        "not past the held one"
    );
    assert!(!held(&splits, 0, true));
    assert!(held(&splits, 1, false));
}

/// `SourceOperatorSplitWatermarkAlignmentTest.testSingleSplitWatermarkAlignmentAndIdleness`.
#[test]
fn the_only_split_held_by_others_is_not_idle() {
    let mut splits = Splits::new(1);
    splits.emit(0, 5);
    let alignment = Alignment::new(0);
    assert!(alignment.is_held(false, Some(5), Some(4)));
    splits.tracker.pause(splits.ids[0], true, START);
    splits.tracker.tick(TIMEOUT * 10);
    assert_eq!(splits.state(0), State::Active);
}

/// `SourceOperatorSplitWatermarkAlignmentTest.testSplitWatermarkAlignmentWithFinishedSplit`, and
/// FLINK-38477: whoever is through is like one that is idle, and not at the end of time.
#[test]
fn a_finished_split_neither_waits_nor_is_waited_for() {
    let mut splits = Splits::new(2);
    splits.emit(0, 5);
    splits.emit(1, 3);
    splits.tracker.finish(splits.ids[1]);
    assert_eq!(splits.tracker.combined(), Some(5));
    assert_eq!(splits.emit(0, 6), Some(6));
    splits.tracker.finish(splits.ids[0]);
    assert_eq!(splits.tracker.combined(), Some(6));
    assert_eq!(splits.tracker.holder(), None);
}

/// `SourceOperatorAlignmentTest.testReportedWatermarkDoNotDecrease`.
#[test]
fn what_others_are_told_does_not_decrease() {
    let mut splits = Splits::new(1);
    splits.emit(0, 2_000);
    splits.ids.push(splits.tracker.assign(START));
    splits.emit(1, 1_000);
    let standing = splits.tracker.standing();
    assert_eq!(standing, Standing::At { watermark: 2_000 });
}

/// `SourceOperatorAlignmentTest`: `testWatermarkAlignmentWithoutSplit`,
/// `testWatermarkAlignmentWithIdleness`: who has nothing, or is idle, is not waited for, and
/// goes on at what it had when it is active again.
#[test]
fn who_is_idle_is_not_waited_for() {
    assert_eq!(Splits::new(0).tracker.standing(), Standing::Idle);
    let mut splits = Splits::new(1);
    assert_eq!(splits.tracker.standing(), Standing::Idle);
    splits.emit(0, 1);
    splits.tracker.tick(TIMEOUT);
    assert_eq!(splits.tracker.standing(), Standing::Idle);
    splits.tracker.read(splits.ids[0], TIMEOUT);
    assert_eq!(splits.tracker.standing(), Standing::At { watermark: 1 });
}

/// The subtasks and coordinators of `SourceCoordinatorAlignmentTest`, as members that hear of
/// each other.
struct Coordinator {
    membership: Membership,
    sequence: u64,
}

impl Coordinator {
    fn of(group: &str) -> Self {
        let pace = Pace {
            interval: ms(1),
            least: ms(1),
            step: 1,
            timeout: ms(1_000),
        };
        Coordinator {
            membership: Membership::new(group.into(), "announcer".into(), pace),
            sequence: 0,
        }
    }

    /// Reports, and returns up to where everybody may go with a drift of 1,000.
    fn report(&mut self, group: &str, subtask: usize, standing: Standing) -> Option<i64> {
        self.sequence += 1;
        let report = Report {
            version: VERSION,
            group: group.into(),
            member: subtask.to_string(),
            sequence: self.sequence,
            standing,
            sent_at: 0,
        };
        self.membership.receive(&report, START).unwrap();
        Alignment::new(1_000).limit(self.membership.floor(None))
    }
}

fn at(watermark: i64) -> Standing {
    Standing::At { watermark }
}

/// `SourceCoordinatorAlignmentTest`: `testWatermarkAlignment`,
/// `testWatermarkAlignmentWithIdleness`. Flink reports an idle subtask as one at the end of time.
#[test]
fn a_group_goes_as_far_as_the_least_and_the_drift() {
    let mut group = Coordinator::of("group1");
    let mut report = |subtask, standing| group.report("group1", subtask, standing);
    assert_eq!(report(0, at(42)), Some(1_042));
    assert_eq!(report(1, at(44)), Some(1_042));
    assert_eq!(report(0, at(5_000)), Some(1_044));
    assert_eq!(report(0, at(42)), Some(1_042));
    assert_eq!(report(0, Standing::Idle), Some(1_044));
    assert_eq!(report(0, at(42)), Some(1_042));
    assert_eq!(report(0, Standing::Idle), Some(1_044));
    assert_eq!(report(1, Standing::Idle), None, "no limit");
    assert_eq!(report(0, at(42)), Some(1_042));
    assert_eq!(report(1, at(46)), Some(1_042));
}

/// `SourceCoordinatorAlignmentTest.testWatermarkAlignmentWithTwoGroups`.
#[test]
fn groups_do_not_wait_for_each_other() {
    let mut one = Coordinator::of("group1");
    let mut two = Coordinator::of("group2");
    let mut report = |group: &str, subtask, standing| {
        let one = one.report(group, subtask, standing);
        (one, two.report(group, subtask, standing))
    };
    assert_eq!(report("group1", 0, at(42)), (Some(1_042), None));
    assert_eq!(report("group2", 1, at(44)), (Some(1_042), Some(1_044)));
    assert_eq!(report("group1", 0, at(5_000)), (Some(6_000), Some(1_044)));
}

/// `SourceCoordinatorAlignmentTest.testWatermarkAggregator`.
#[test]
fn the_least_of_a_group_follows_each_report() {
    let mut group = Coordinator::of("g");
    let mut report = |subtask, standing| {
        let limit = group.report("g", subtask, standing);
        limit.map(|limit| limit - 1_000)
    };
    assert_eq!(report(0, at(10)), Some(10));
    assert_eq!(report(1, at(12)), Some(10));
    assert_eq!(report(2, at(13)), Some(10));
    assert_eq!(report(1, at(9)), Some(9));
    assert_eq!(report(1, Standing::Idle), Some(10));
    assert_eq!(report(1, at(8)), Some(8));
    assert_eq!(report(1, at(20)), Some(10));
    assert_eq!(report(0, at(23)), Some(13));
    assert_eq!(report(2, at(22)), Some(20));
}

//! Idleness of one input, and alignment where one of two is through.

use super::*;

/// `WatermarksWithIdlenessTest`: `testInitiallyActive`, `testIdleWithoutEvents`,
/// `testRepeatedIdleChecks`. Flink's timer starts with the first look, weir's with the assignment.
#[test]
fn an_input_is_idle_once_its_time_is_over_and_stays_so() {
    let mut splits = Splits::new(1);
    assert_eq!(splits.state(0), State::Active);
    splits.tracker.tick(TIMEOUT - ms(1));
    assert_eq!(splits.state(0), State::Active);
    for later in 0..3 {
        splits.tracker.tick(TIMEOUT + ms(later * 100));
        assert_eq!(splits.state(0), State::Idle);
    }
}

/// `WatermarksWithIdlenessTest`: `testActiveAfterIdleness`, `testIdleActiveIdle`.
#[test]
fn an_input_that_was_idle_has_all_of_its_time_again() {
    let mut splits = Splits::new(1);
    splits.tracker.tick(TIMEOUT);
    splits.emit_at(0, 1, ms(150));
    for (now, state) in [
        (150, State::Active),
        (249, State::Active),
        (250, State::Idle),
    ] {
        splits.tracker.tick(ms(now));
        assert_eq!(splits.state(0), state, "at {now}");
    }
}

/// `WatermarksWithIdlenessTest`: `testZeroTimeout` and `testNegativeTimeout` are errors in Flink.
/// Here 0 waits for ever, as no timeout does in Flink; less is an error of the pipeline file.
#[test]
fn without_a_timeout_nobody_is_idle() {
    let mut tracker = Tracker::new(Settings::default());
    let id = tracker.assign(START);
    tracker.tick(Duration::MAX);
    let state = tracker.partition(id).map(|part| part.state);
    assert_eq!(state, Some(State::Active));
}

/// `SourceOperatorAlignmentTest.testWatermarkAlignment`: held above what the coordinator allows,
/// with what was reported staying; let go when it allows more, and held again after the next row.
#[test]
fn a_source_goes_on_when_the_limit_is_raised_and_no_further() {
    let mut splits = Splits::new(1);
    splits.emit(0, 1_000);
    let alignment = Alignment::new(0);
    let held = |splits: &Splits, was, limit| {
        let part = splits.tracker.partition(splits.ids[0]);
        alignment.is_held(was, part.and_then(|part| part.watermark), Some(limit))
    };
    assert_eq!(splits.tracker.standing(), at(1_000));
    assert!(held(&splits, false, 999));
    assert_eq!(splits.tracker.standing(), at(1_000));
    assert!(!held(&splits, true, 1_001));
    splits.emit(0, 2_000);
    assert_eq!(splits.tracker.standing(), at(2_000));
    assert!(held(&splits, false, 1_001));
}

/// `SourceOperatorAlignmentTest.testWatermarkAlignmentWhileSubtaskFinished`, and
/// `WatermarkAlignmentITCase.testTaskFinishedWithWatermarkAlignmentExecution`: of two subtasks, the
/// one that is through early is not waited for by the other. Flink reports it at the end of time.
#[test]
fn a_subtask_that_is_through_holds_nobody_back() {
    let mut finished = Splits::new(1);
    finished.emit(0, 1);
    finished.tracker.finish(finished.ids[0]);
    assert_eq!(finished.tracker.standing(), Standing::Idle);

    let mut group = Coordinator::of("group");
    assert_eq!(group.report("group", 0, at(1)), Some(1_001));
    assert_eq!(group.report("group", 1, at(50)), Some(1_001));
    let through = finished.tracker.standing();
    assert_eq!(group.report("group", 0, through), Some(1_050));
    assert_eq!(group.report("group", 1, at(9_000)), Some(10_000));
}

/// `SourceOperatorSplitWatermarkAlignmentTest`: the tests named `testStateReporting…`: what is
/// shown of a split is active, idle or paused, and a paused one is not shown as idle.
#[test]
fn what_is_shown_of_a_split_follows_what_it_is() {
    let mut splits = Splits::new(2);
    splits.emit(0, 5);
    splits.emit(1, 3);
    splits.tracker.pause(splits.ids[0], true, START);
    splits.tracker.tick(TIMEOUT * 2);
    let shown = |splits: &Splits, split: usize| {
        let part = splits.tracker.partition(splits.ids[split]);
        part.map(|part| (part.state, part.paused))
    };
    assert_eq!(shown(&splits, 0), Some((State::Active, true)));
    assert_eq!(shown(&splits, 1), Some((State::Idle, false)));
    splits.tracker.pause(splits.ids[0], false, TIMEOUT * 2);
    splits.emit_at(1, 4, TIMEOUT * 2);
    assert_eq!(shown(&splits, 0), Some((State::Active, false)));
    assert_eq!(shown(&splits, 1), Some((State::Active, false)));
}

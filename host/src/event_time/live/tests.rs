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
    live.observe(assignment, &scan, None)
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

fn group(known: bool, floor: Option<i64>) -> GroupView {
    GroupView {
        known,
        members: 1,
        floor,
        ..GroupView::default()
    }
}

#[test]
fn the_others_of_a_group_are_waited_for_as_partitions_are() {
    let live = live(100, [500, 550]);
    live.see_group(group(false, None));
    assert_eq!(live.gate(7), Gate::Wait, "nobody knows how far they are");
    live.see_group(group(true, None));
    assert_eq!(live.gate(7), Gate::Open);
    live.see_group(group(true, Some(400)));
    assert_eq!((live.gate(7), live.gate(8)), (Gate::Open, Gate::Held));
    let bounds = live.bounds(8, Some(100), 0);
    assert_eq!(bounds, Bounds::new(Some(500), Some(500), Some(1_000)));
    live.see_group(group(true, Some(600)));
    assert_eq!((live.gate(7), live.gate(8)), (Gate::Open, Gate::Open));
    // Alone in its process, it is held against the group.
    live.revoke([7]);
    live.see_group(group(true, Some(449)));
    assert_eq!(live.gate(8), Gate::Held);
    assert_eq!(live.bounds(8, Some(100), 0).excess_above, 549);
    assert_eq!(live.standing(), Standing::At { watermark: 550 });
    live.see_group(group(true, None));
    assert_eq!(live.gate(8), Gate::Open);
}

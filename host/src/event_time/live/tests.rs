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
    let observed = live.observe(assignment, &scan, None);
    (observed.combined, observed.ahead)
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

/// Also where nobody is held: else rows that are too far ahead would go on at the start.
#[test]
fn without_alignment_a_group_is_waited_for_until_it_is_known() {
    let settings = Settings::default();
    let live = EventTime::new(settings, None, 1_000, Instant::now());
    live.assign(7, source(0));
    assert_eq!(live.gate(7), Gate::Open);
    live.see_group(group(false, None));
    assert_eq!(live.gate(7), Gate::Wait);
    live.see_group(group(true, Some(400)));
    assert_eq!(live.gate(7), Gate::Open);
}

#[test]
fn who_is_ahead_is_told_of_whom() {
    let live = live(100, [500, 550]);
    let ahead = |assignment, time| {
        let scan = Scan {
            max: Some(time),
            ..Scan::default()
        };
        let observed = live.observe(assignment, &scan, None);
        (observed.ahead, observed.of_group)
    };
    assert_eq!(ahead(8, 560), (60, false));
    live.see_group(group(true, Some(400)));
    assert_eq!(ahead(8, 570), (170, true));
    assert_eq!(ahead(7, 500), (100, true));
    live.see_group(group(true, Some(600)));
    assert_eq!(ahead(8, 580), (80, false));
}

#[test]
fn what_was_committed_counts_until_a_partition_is_heard_of() {
    let settings = Settings {
        max_out_of_orderness: 0,
        idle_timeout: Some(Duration::from_secs(10)),
    };
    let start = Instant::now();
    let live = EventTime::new(settings, None, 1_000, start);
    for (assignment, partition) in [(7, 0), (8, 1)] {
        live.assign(assignment, source(partition));
    }
    let at = |watermark| Claim {
        watermark: Some(watermark),
        idle: false,
    };
    live.restore(7, at(500));
    assert_eq!(live.settled(), None, "of the other one nothing is known");
    live.restore(8, at(300));
    assert_eq!((live.settled(), live.watermark()), (Some(300), None));
    assert_eq!(live.claim(8), Some(at(300)), "it is committed again");
    come(&live, 8, 900);
    assert_eq!((live.settled(), live.watermark()), (Some(500), None));
    live.see_others(Others::At(450));
    assert_eq!(live.settled(), Some(450));
    live.see_others(Others::Unknown);
    assert_eq!(live.settled(), None);
    live.see_others(Others::Nobody);

    // The first one stays silent.
    for second in 1..=10 {
        live.read(8);
        come(&live, 8, 900 + second);
        live.tick(
            start + Duration::from_millis(1_001) * u32::try_from(second).unwrap(),
            true,
        );
    }
    assert_eq!(live.settled(), Some(910));
    let idle = Claim {
        idle: true,
        ..at(910)
    };
    assert_eq!(live.claim(7), Some(idle), "where it would go on");
    live.revoke([7, 8]);
    assert_eq!((live.claim(7), live.settled()), (None, Some(910)));
    live.see_others(Others::At(70));
    assert_eq!(live.settled(), Some(70));
}

/// Partitions that come in are behind, and the combined watermark stays where it is.
#[test]
fn what_is_settled_follows_who_comes_in() {
    let live = live(100, [500, 550]);
    assert_eq!(live.settled(), Some(500));
    live.assign(9, source(2));
    assert_eq!((live.settled(), live.watermark()), (None, Some(500)));
    come(&live, 9, 200);
    assert_eq!((live.settled(), live.watermark()), (Some(200), Some(500)));
}

//! Tests of the tracker. The simulator has more.

use super::*;

fn seen(max: i64) -> Observation {
    Observation {
        max: Some(max),
        watermark: None,
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn tracker() -> Tracker {
    Tracker::new(Settings {
        max_out_of_orderness: 10,
        idle_timeout: Some(ms(100)),
    })
}

#[test]
fn a_rebalance_that_gives_all_partitions_back_moves_nothing() {
    let mut tracker = tracker();
    let ids = [tracker.assign(ms(0)), tracker.assign(ms(0))];
    tracker.observe(ids[0], ms(0), &seen(1_000));
    assert_eq!(tracker.observe(ids[1], ms(0), &seen(50)), Some(40));
    tracker.revoke(ids);
    let again = [tracker.assign(ms(1)), tracker.assign(ms(1))];
    assert_eq!(tracker.combined(), Some(40));
    assert_eq!(tracker.observe(ids[1], ms(1), &seen(5_000)), Some(40));
    assert_eq!(tracker.observe(again[0], ms(1), &seen(1_010)), Some(40));
    assert_eq!(tracker.observe(again[1], ms(1), &seen(60)), Some(50));
}

#[test]
fn a_given_watermark_counts_beside_event_times() {
    let mut tracker = tracker();
    let id = tracker.assign(ms(0));
    let given = Observation {
        max: Some(100),
        watermark: Some(99),
    };
    assert_eq!(tracker.observe(id, ms(0), &given), Some(99));
    let lower = Observation {
        watermark: Some(5),
        ..given
    };
    assert_eq!(tracker.observe(id, ms(0), &lower), Some(99));
    assert_eq!(tracker.observe(id, ms(0), &seen(120)), Some(110));
}

#[test]
fn without_a_timeout_everybody_is_waited_for() {
    let mut tracker = Tracker::new(Settings::default());
    let (heard, silent) = (tracker.assign(ms(0)), tracker.assign(ms(0)));
    tracker.observe(heard, ms(0), &seen(7));
    assert_eq!(tracker.tick(Duration::MAX), None);
    assert_eq!(tracker.holder(), Some(silent));
    assert_eq!(tracker.floor(), Some(7));
}

#[test]
fn the_ends_of_time_are_event_times_too() {
    let mut tracker = tracker();
    let id = tracker.assign(ms(0));
    assert_eq!(tracker.observe(id, ms(0), &seen(i64::MIN)), Some(i64::MIN));
    let end = Some(i64::MAX - 10);
    assert_eq!(tracker.observe(id, ms(0), &seen(i64::MAX)), end);
}

#[test]
fn ten_thousand_partitions_agree_with_a_scan_of_all() {
    let mut random = crate::event_time::random::Random::new(3);
    let mut tracker = tracker();
    let ids: Vec<_> = (0..10_000).map(|_| tracker.assign(ms(0))).collect();
    let mut watermarks = vec![None; ids.len()];
    for round in 0..30_000 {
        let index = if round < ids.len() {
            round
        } else {
            random.below(ids.len())
        };
        let time = random.between(0, 1_000) + i64::try_from(round).unwrap();
        tracker.observe(ids[index], ms(0), &seen(time));
        watermarks[index] = watermarks[index].max(Some(time - 10));
        if round % 1_000 == 999 {
            let least = watermarks.iter().min().copied().flatten();
            let holder = tracker.holder().and_then(|id| tracker.partition(id));
            assert_eq!(holder.and_then(|part| part.watermark), least);
            assert!(tracker.combined() >= least);
        }
    }
}

use super::*;

const PACE: Pace = Pace {
    interval: Duration::from_millis(1_000),
    least: Duration::from_millis(50),
    step: 100,
    timeout: Duration::from_millis(10_000),
};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn at(watermark: i64) -> Standing {
    Standing::At { watermark }
}

fn report(member: &str, sequence: u64, standing: Standing) -> Report {
    Report {
        version: VERSION,
        group: "g".into(),
        member: member.into(),
        sequence,
        standing,
        sent_at: 0,
    }
}

fn membership() -> Membership {
    Membership::new("g".into(), "me".into(), PACE)
}

#[test]
fn the_floor_is_the_least_of_the_others_that_are_waited_for() {
    let mut group = membership();
    assert_eq!(group.floor(None), None);
    group.receive(&report("a", 1, at(500)), ms(0)).unwrap();
    group.receive(&report("b", 1, at(400)), ms(0)).unwrap();
    group.receive(&report("me", 1, at(1)), ms(0)).unwrap();
    let elsewhere = Report {
        group: "other".into(),
        ..report("c", 1, at(2))
    };
    group.receive(&elsewhere, ms(0)).unwrap();
    assert_eq!(group.floor(None), Some(400));
    assert_eq!(group.floor(Some(300)), Some(300));
    assert_eq!(group.floor(Some(600)), Some(400));
    group
        .receive(&report("b", 2, Standing::Idle), ms(1))
        .unwrap();
    assert_eq!(group.floor(None), Some(500));
    group.receive(&report("b", 1, at(3)), ms(2)).unwrap();
    assert_eq!(group.floor(None), Some(500), "overtaken");
    group
        .receive(&report("a", 3, Standing::Left), ms(3))
        .unwrap();
    group.receive(&report("a", 2, at(4)), ms(4)).unwrap();
    assert_eq!(group.floor(None), None);
    assert_eq!(group.others().count(), 1);
    assert_eq!(group.expire(ms(20_000), 0), ["b"]);
}

#[test]
fn a_silent_member_is_forgotten_and_comes_back_by_itself() {
    let mut group = membership();
    group.receive(&report("a", 1, at(500)), ms(100)).unwrap();
    assert!(group.expire(ms(10_100), 0).is_empty());
    assert_eq!(group.expire(ms(10_101), 0), ["a"]);
    assert_eq!(group.floor(None), None);
    group.receive(&report("a", 9, at(700)), ms(12_000)).unwrap();
    assert_eq!(group.floor(None), Some(700));
}

#[test]
fn speaks_when_something_changes_and_never_too_often() {
    let mut group = membership();
    let mut says = |standing, now| group.due(standing, ms(now), 0).map(|r| r.sequence);
    assert_eq!(says(at(1_000), 0), Some(1));
    assert_eq!(says(at(1_099), 60), None, "less than a step");
    assert_eq!(says(at(1_100), 60), Some(2));
    assert_eq!(says(at(9_000), 100), None, "too soon");
    assert_eq!(says(at(9_000), 110), Some(3));
    assert_eq!(says(at(9_001), 1_109), None);
    assert_eq!(says(at(9_001), 1_110), Some(4), "the interval is over");
    assert_eq!(says(at(9_001), 4_443), None, "nothing has changed");
    assert_eq!(says(at(9_001), 4_444), Some(5), "still alive");
    assert_eq!(says(Standing::Idle, 4_500), Some(6));
    assert_eq!(says(Standing::Left, 4_501), Some(7), "at once");
}

#[test]
fn reports_are_readable_in_the_topic() {
    let text = report("a", 3, at(-5)).to_json();
    let expected = r#"{"version":1,"group":"g","member":"a","sequence":3,"standing":{"at":{"watermark":-5}},"sent_at":0}"#;
    assert_eq!(str::from_utf8(&text).unwrap(), expected);
    assert_eq!(Report::from_json(&text), Ok(report("a", 3, at(-5))));
    let idle = serde_json::to_string(&Standing::Idle).unwrap();
    assert_eq!(idle, r#""idle""#);
}

#[test]
fn what_others_write_into_the_topic_is_not_taken() {
    let other = br#"{"version":2,"group":"g","speaks":"otherwise"}"#;
    assert_eq!(Report::from_json(other), Err(NoReport::Version(2)));
    let long = format!("{{\"version\":1,\"x\":\"{}\"}}", "x".repeat(5_000));
    let garbage = [
        &b""[..],
        b"\xff\x00",
        b"7",
        b"{}",
        br#"{"version":1,"group":"g"}"#,
        br#"{"version":-1}"#,
        br#"{"version":1,"group":"g","member":"a","sequence":-3,"standing":"idle","sent_at":0}"#,
        br#"{"version":1,"group":"g","member":"a","sequence":3,"standing":"dead","sent_at":0}"#,
        long.as_bytes(),
        &[b'['; 4_000],
    ];
    for value in garbage {
        let read = Report::from_json(value);
        assert!(matches!(read, Err(NoReport::Garbage(_))), "{read:?}");
    }
}

#[test]
fn members_that_somebody_makes_up_take_no_memory_without_end() {
    let mut group = membership();
    for n in 0..MEMBERS_MAX {
        let made_up = report(&n.to_string(), 1, at(5));
        group.receive(&made_up, ms(0)).unwrap();
    }
    let one_more = group.receive(&report("x", 1, at(1)), ms(0));
    assert_eq!(one_more, Err(NoReport::TooMany));
    group.receive(&report("7", 2, at(3)), ms(0)).unwrap();
    assert_eq!(group.floor(None), Some(3));
}

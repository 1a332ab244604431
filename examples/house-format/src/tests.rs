use weir_guest::rows::Origin;
use weir_guest::{Deserializer, Part, Sample};

use super::*;

fn open(options: &str) -> HouseFormat {
    HouseFormat::open(Part::Value, options).unwrap()
}

#[test]
fn good_lines_become_rows_and_bad_ones_errors() {
    let sample = Sample::of_values([
        "2026-03-01T12:00:00Z|pump-7|bar=3.25|ok\n",
        "2026-03-01T12:00:01Z|pump-7|bar=lots|ok\n",
        "2026-03-01T12:00:02Z|pump-8|bar=-|fail",
        "2026-03-01T12:00:03Z|pump-8|bar=1|asleep",
    ]);
    let decoded = open("{}").decode(&sample.batch()).unwrap();

    let errors: Vec<_> = decoded
        .errors
        .iter()
        .map(|e| (e.row, e.reason.as_str()))
        .collect();
    assert_eq!(
        errors,
        [(1, "`lots` is not a number"), (3, "unknown state `asleep`")]
    );

    let [group] = decoded.groups.as_slice() else {
        panic!("one schema, one group")
    };
    assert!(matches!(&group.origin, Origin::Messages(rows) if rows == &[0, 2]));
    let [read_at, sensor, _, value, _] = group.arrays.as_slice() else {
        panic!("five columns")
    };
    assert_eq!(read_at.buffers[1][..8], 1_772_366_400_000_i64.to_le_bytes());
    assert_eq!(sensor.buffers[2], b"pump-7pump-8");
    assert_eq!(
        (value.null_count, value.buffers[0].as_slice()),
        (1, [0b01].as_slice())
    );
}

#[test]
fn options_change_the_separator_and_the_states() {
    let mut plugin = open(r#"{ "separator": ";", "states": ["asleep"] }"#);
    let sample = Sample::of_values(["2026-03-01T12:00:03Z;pump-8;bar=1;asleep"]);
    let decoded = plugin.decode(&sample.batch()).unwrap();
    assert!(decoded.errors.is_empty());
    assert!(matches!(decoded.groups[0].origin, Origin::Identity));
}

#[test]
fn a_tombstone_is_skipped() {
    let mut sample = Sample::of_values(["unused"]);
    sample.messages[0].value = None;
    let decoded = open("{}").decode(&sample.batch()).unwrap();
    assert!(decoded.groups.is_empty() && decoded.errors.is_empty());
}

#[test]
fn wrong_options_are_named() {
    let error = |options| HouseFormat::open(Part::Value, options).err().unwrap();
    assert!(error(r#"{ "separator": "||" }"#).starts_with("`separator`: "));
    assert!(error(r#"{ "separator": "=" }"#).starts_with("`separator`: "));
    assert!(error(r#"{ "seperator": ";" }"#).starts_with("unknown field `seperator`"));
}

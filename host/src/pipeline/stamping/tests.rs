use arrow::array::{AsArray, Int64Array};

use super::*;
use crate::batch::{BatchBuilder, Capacity, TopicPartition};
use crate::config::EventTimeFrom;
use crate::event_time::Settings;
use crate::rows::RowOrigins;

fn stamping(late: LateRecords, alignment: Option<AlignmentConfig>) -> Stamping {
    let now = Instant::now();
    let event_time = EventTime::new(Settings::default(), None, 1_000, now);
    for partition in 0..2 {
        event_time.assign(7 + u64::from(partition > 0), source(partition));
    }
    let config = WatermarkConfig {
        event_time: EventTimeFrom::Timestamp,
        max_out_of_orderness: 0,
        idle_timeout: None,
        max_future: 1_000,
        late,
        side_topic: (late == LateRecords::SideTopic).then(|| "aside".to_owned()),
        alignment,
        group: None,
    };
    Stamping::new(event_time, &config, Arc::default())
}

fn source(partition: i32) -> TopicPartition {
    TopicPartition {
        topic: "t".into(),
        partition,
    }
}

fn rows(partition: i32, times: &[i64], column: &str) -> Rows {
    let mut batch = BatchBuilder::new(source(partition), Capacity::default());
    for (offset, time) in (0..).zip(times) {
        assert!(batch.push(offset, *time, None, Some(b"")));
    }
    let values: ArrayRef = Arc::new(Int64Array::from(times.to_vec()));
    Rows {
        rows: RecordBatch::try_from_iter([(column, values)]).unwrap(),
        messages: batch.finish().envelopes(),
        origins: RowOrigins::Identity,
        event_times: Some(Times::new(times.to_vec())),
        watermark: None,
        encoded: Default::default(),
        tombstones: None,
    }
}

fn stamp(stamping: &mut Stamping, partition: i32, times: &[i64]) -> Vec<Rows> {
    stamp_rows(stamping, partition, vec![rows(partition, times, "n")]).unwrap()
}

fn stamp_rows(
    stamping: &mut Stamping,
    partition: i32,
    rows: Vec<Rows>,
) -> Result<Vec<Rows>, PipelineError> {
    let delivered = Delivered {
        source: source(partition),
        assignment: 7 + u64::from(partition > 0),
        next: 0,
        watermark: None,
    };
    let stamped = stamping.stamp(&delivered, rows, None, Instant::now(), 10_000);
    stamped.map(|stamped| stamped.rows)
}

#[test]
fn rows_are_held_against_the_watermark_before_their_batch_and_have_the_one_after_it() {
    let mut stamping = stamping(LateRecords::Drop, None);
    assert_eq!(stamp(&mut stamping, 0, &[100])[0].watermark, None);
    assert_eq!(stamp(&mut stamping, 1, &[70, 50])[0].watermark, Some(70));
    // 60 is late, 71 would be by the watermark after the batch.
    let stamped = stamp(&mut stamping, 1, &[71, 60, 90, 12_000]);
    assert_eq!(stamped[0].watermark, Some(90));
    let kept = stamped[0]
        .rows
        .column(0)
        .as_primitive::<arrow::datatypes::Int64Type>();
    assert_eq!(kept.values(), &[71, 90, 12_000]);
    assert_eq!(stamped[0].offsets().collect::<Vec<_>>(), [0, 2, 3]);
    let times = stamped[0].event_times.as_ref().unwrap();
    assert_eq!(times.values.to_vec(), [71, 90, 12_000]);
    let progress = Arc::clone(&stamping.progress);
    assert_eq!((progress.late.get(), progress.late_dropped.get()), (1, 1));
    assert_eq!(progress.future.get(), 1);
    assert_eq!(stamp(&mut stamping, 1, &[1, 2]).len(), 0, "nothing is left");
}

#[test]
fn rows_of_several_schemas_are_one_batch() {
    let mut stamping = stamping(LateRecords::Column, None);
    stamp(&mut stamping, 0, &[100]);
    stamp(&mut stamping, 1, &[50]);
    let both = vec![rows(1, &[60], "a"), rows(1, &[40, 55], "b")];
    let stamped = stamp_rows(&mut stamping, 1, both).unwrap();
    let late = |rows: &Rows| {
        let column = rows.rows.column_by_name("late").unwrap();
        column
            .as_boolean()
            .iter()
            .map(Option::unwrap)
            .collect::<Vec<_>>()
    };
    assert_eq!(late(&stamped[0]), [false]);
    assert_eq!(late(&stamped[1]), [true, false]);
    assert!(stamped.iter().all(|rows| rows.watermark == Some(60)));
}

#[test]
fn equal_schemas_stay_one_and_a_column_of_that_name_is_an_error() {
    let mut stamping = stamping(LateRecords::Column, None);
    let first = rows(0, &[1], "n");
    let mut second = rows(0, &[2], "n");
    second.rows = second.rows.with_schema(first.rows.schema()).unwrap();
    let stamped = stamp_rows(&mut stamping, 0, vec![first, second]).unwrap();
    assert!(Arc::ptr_eq(
        &stamped[0].rows.schema(),
        &stamped[1].rows.schema()
    ));
    let error = stamp_rows(&mut stamping, 0, vec![rows(0, &[3], "late")]).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("have a column `late` of their own"),
        "{error}"
    );
}

#[test]
fn rows_too_far_ahead_of_the_others_are_dropped_until_those_follow() {
    let alignment = AlignmentConfig {
        max_drift: 100,
        mode: AlignmentMode::DropExcess,
        check_interval: Duration::from_secs(1),
    };
    let mut stamping = stamping(LateRecords::Deliver, Some(alignment));
    stamp(&mut stamping, 0, &[100]);
    stamp(&mut stamping, 1, &[100]);
    assert_eq!(stamp(&mut stamping, 0, &[200, 201])[0].rows.num_rows(), 1);
    assert_eq!(stamp(&mut stamping, 0, &[9_000]).len(), 0);
    assert_eq!(stamping.progress.excess.get(), 2);
    // The other jumps as well: it is not ahead of anybody.
    assert_eq!(stamp(&mut stamping, 1, &[9_050])[0].rows.num_rows(), 1);
    assert_eq!(stamp(&mut stamping, 0, &[9_060])[0].rows.num_rows(), 1);
}

#[test]
fn what_is_put_aside_says_why_and_each_message_comes_once() {
    let alignment = AlignmentConfig {
        max_drift: 100,
        mode: AlignmentMode::DropExcess,
        check_interval: Duration::from_secs(1),
    };
    let mut stamping = stamping(LateRecords::SideTopic, Some(alignment));
    stamp(&mut stamping, 0, &[100]);
    stamp(&mut stamping, 1, &[100]);
    let delivered = Delivered {
        source: source(0),
        assignment: 7,
        next: 0,
        watermark: None,
    };
    let mut both = rows(0, &[99, 150, 201, 98, 100], "n");
    // Two rows of one message, which has the first of them to thank.
    both.origins = RowOrigins::Messages(vec![0, 0, 1, 2, 3]);
    let other = rows(0, &[300], "m");
    let stamped = stamping.stamp(&delivered, vec![both, other], None, Instant::now(), 10_000);
    let stamped = stamped.unwrap();
    let kept: Vec<usize> = stamped.rows.iter().map(Rows::len).collect();
    assert_eq!(kept, [2]);
    let one = |offset, why, event_time, bound| Aside {
        offset,
        why,
        event_time,
        bound,
    };
    let expected = [
        one(0, Why::Late, 99, 100),
        one(1, Why::TooFarAhead, 201, 200),
        one(2, Why::Late, 98, 100),
    ];
    assert_eq!(stamped.aside, expected);
    let progress = &stamping.progress;
    let counts = [&progress.late, &progress.excess, &progress.aside].map(|c| c.get());
    assert_eq!(counts, [2, 2, 3]);
    let dropped = (progress.late_dropped.get(), progress.excess_dropped.get());
    assert_eq!(dropped, (0, 0));
}

#[test]
fn a_given_watermark_counts_without_rows_and_not_in_the_future() {
    let mut stamping = stamping(LateRecords::Deliver, None);
    stamp(&mut stamping, 0, &[100]);
    stamp(&mut stamping, 1, &[100]);
    let mut give = |partition: u8, given| {
        let delivered = Delivered {
            source: source(i32::from(partition)),
            assignment: 7 + u64::from(partition),
            next: 0,
            watermark: None,
        };
        let now = Instant::now();
        let stamped = stamping.stamp(&delivered, Vec::new(), Some(given), now, 10_000);
        assert_eq!(stamped.unwrap().rows.len(), 0);
        stamping.watermark()
    };
    assert_eq!(give(0, 500), Some(100));
    assert_eq!(give(1, 400), Some(400));
    assert_eq!(
        give(1, 11_001),
        Some(400),
        "further than a second ahead of the clock"
    );
    assert_eq!(give(1, 11_000), Some(500));
    assert_eq!(give(1, 3), Some(500), "it never goes back");
}

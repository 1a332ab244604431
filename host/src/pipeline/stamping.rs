//! Stamping rows with the watermark, and what happens to those that are late or too far ahead.
//!
//! This is done on the sink's thread, because that is where the batches of all partitions are in
//! one order: only there can be said what came before the watermark and what after it. The event
//! times themselves are read from the rows by the workers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Field, FieldRef};

use super::PipelineError;
use crate::config::{AlignmentConfig, AlignmentMode, LateRecords};
use crate::event_time::{Bounds, EventTime, Scan, Times, Verdict};
use crate::kafka::Delivered;
use crate::progress::Progress;
use crate::rows::{Rows, Widening};

/// The name of the column that says whether a row is late.
const LATE: &str = "late";

pub(super) struct Stamping {
    event_time: EventTime,
    late: LateRecords,
    alignment: Option<AlignmentConfig>,
    warned: Option<Instant>,
    /// Adds the column that says so.
    widening: Widening,
    progress: Arc<Progress>,
}

fn late_column() -> FieldRef {
    Arc::new(Field::new(LATE, DataType::Boolean, false))
}

impl Stamping {
    pub(super) fn new(
        event_time: EventTime,
        late: LateRecords,
        alignment: Option<AlignmentConfig>,
        progress: Arc<Progress>,
    ) -> Self {
        Stamping {
            event_time,
            late,
            alignment,
            warned: None,
            widening: Widening::new(vec![late_column()]),
            progress,
        }
    }

    /// Stamps all that came of one batch of messages. `epoch_ms` is the machine's clock.
    pub(super) fn stamp(
        &mut self,
        delivered: &Delivered,
        mut rows: Vec<Rows>,
        now: Instant,
        epoch_ms: i64,
    ) -> Result<Vec<Rows>, PipelineError> {
        let excess = self
            .alignment
            .filter(|alignment| alignment.mode == AlignmentMode::DropExcess);
        let excess = excess.map(|alignment| alignment.max_drift);
        let bounds = self
            .event_time
            .bounds(delivered.assignment, excess, epoch_ms);
        let mut all = Scan::default();
        for rows in &mut rows {
            let Some(times) = &rows.event_times else {
                continue;
            };
            let scan = bounds.scan(times);
            self.sort_out(&bounds, &scan, rows)?;
            all.max = all.max.max(scan.max);
            all.late += scan.late;
            all.excess += scan.excess;
            all.future += scan.future;
            all.none += scan.none;
        }
        let (watermark, ahead) = self.event_time.observe(delivered.assignment, &all);
        for rows in &mut rows {
            rows.watermark = watermark;
        }
        self.progress.late.add(all.late);
        if self.late == LateRecords::Drop {
            self.progress.late_dropped.add(all.late);
        }
        self.progress.excess.add(all.excess);
        self.progress.future.add(all.future);
        self.progress.timeless.add(all.none);
        self.warn(delivered, ahead, now);
        rows.retain(|rows| rows.rows.num_rows() > 0 || rows.tombstones.is_some());
        Ok(rows)
    }

    /// Drops or marks rows.
    fn sort_out(
        &mut self,
        bounds: &Bounds,
        scan: &Scan,
        rows: &mut Rows,
    ) -> Result<(), PipelineError> {
        let drops_late = self.late == LateRecords::Drop && scan.late > 0;
        if drops_late || scan.excess > 0 {
            keep(
                rows,
                |verdict| match verdict {
                    Verdict::Late => !drops_late,
                    Verdict::Excess => false,
                    Verdict::Timely | Verdict::Future | Verdict::None => true,
                },
                bounds,
            )?;
        }
        if self.late == LateRecords::Column {
            self.mark(bounds, scan, rows)?;
        }
        Ok(())
    }

    fn mark(&mut self, bounds: &Bounds, scan: &Scan, rows: &mut Rows) -> Result<(), PipelineError> {
        let count = rows.rows.num_rows();
        let late = match &rows.event_times {
            Some(times) if scan.late > 0 => verdicts(bounds, times, |v| v == Verdict::Late),
            _ => BooleanBuffer::new_unset(count),
        };
        let schema = self.widening.widened(&rows.rows.schema()).map_err(|_| {
            PipelineError::EventTime(format!(
                "watermark.late.records: rows have a column `{LATE}` of their own, so `column` cannot add one: \
                 write `deliver` or `drop`"
            ))
        })?;
        let mut columns = rows.rows.columns().to_vec();
        let late: ArrayRef = Arc::new(BooleanArray::new(late, None));
        columns.push(late);
        rows.rows = RecordBatch::try_new(schema, columns).map_err(|error| {
            PipelineError::EventTime(format!("adding column `{LATE}`: {error}"))
        })?;
        Ok(())
    }

    fn warn(&mut self, delivered: &Delivered, ahead: i64, now: Instant) {
        let Some(alignment) = self.alignment else {
            return;
        };
        let is_due = |said: Instant| now.duration_since(said) >= alignment.check_interval;
        if alignment.mode != AlignmentMode::WarnOnly
            || ahead <= alignment.max_drift
            || !self.warned.is_none_or(is_due)
        {
            return;
        }
        self.warned = Some(now);
        let view = self.event_time.view();
        let holder = view
            .holder
            .map_or_else(String::new, |holder| format!(", {holder}"));
        tracing::warn!(
            "{} is {:?} of event time ahead of the partition that is behind all others{holder}",
            delivered.source,
            Duration::from_millis(ahead.unsigned_abs()),
        );
    }
}

fn verdicts(bounds: &Bounds, times: &Times, is: impl Fn(Verdict) -> bool) -> BooleanBuffer {
    BooleanBuffer::collect_bool(times.values.len(), |row| {
        is(bounds.verdict(times.values[row], times.none))
    })
}

/// Keeps only some rows.
fn keep(
    rows: &mut Rows,
    is_kept: impl Fn(Verdict) -> bool,
    bounds: &Bounds,
) -> Result<(), PipelineError> {
    let Some(times) = &rows.event_times else {
        return Ok(());
    };
    let kept = verdicts(bounds, times, is_kept);
    rows.keep(&kept)
        .map_err(|error| PipelineError::EventTime(format!("dropping rows: {error}")))
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array};

    use super::*;
    use crate::batch::{BatchBuilder, Capacity, TopicPartition};
    use crate::event_time::Settings;
    use crate::rows::RowOrigins;

    fn stamping(late: LateRecords, alignment: Option<AlignmentConfig>) -> Stamping {
        let now = Instant::now();
        let event_time = EventTime::new(Settings::default(), None, 1_000, now);
        for partition in 0..2 {
            event_time.assign(7 + u64::from(partition > 0), source(partition));
        }
        Stamping::new(event_time, late, alignment, Arc::default())
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
        };
        stamping.stamp(&delivered, rows, Instant::now(), 10_000)
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
}

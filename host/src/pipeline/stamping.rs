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
use crate::config::{AlignmentConfig, AlignmentMode, LateRecords, WatermarkConfig};
use crate::event_time::{Bounds, EventTime, Observed, Scan, Times, Verdict};
use crate::kafka::Delivered;
use crate::progress::Progress;
use crate::rows::{Rows, Widening};
use crate::sink::aside::{Aside, Why};

/// The name of the column that says whether a row is late.
const LATE: &str = "late";

pub(super) struct Stamping {
    event_time: EventTime,
    late: LateRecords,
    /// Whether there is a topic for what is put aside.
    has_side_topic: bool,
    alignment: Option<AlignmentConfig>,
    warned: Option<Instant>,
    /// Whether a given watermark was not believed.
    told_future: bool,
    /// Adds the column that says so.
    widening: Widening,
    progress: Arc<Progress>,
}

/// All that came of one batch of messages, after stamping.
#[derive(Debug, Default)]
pub(super) struct Stamped {
    /// What goes on.
    pub(super) rows: Vec<Rows>,
    /// What is put aside: each message once, by offset.
    pub(super) aside: Vec<Aside>,
    /// The watermark of the batch's partition after it, in ms since the epoch.
    pub(super) watermark: Option<i64>,
}

fn late_column() -> FieldRef {
    Arc::new(Field::new(LATE, DataType::Boolean, false))
}

impl Stamping {
    pub(super) fn new(
        event_time: EventTime,
        config: &WatermarkConfig,
        progress: Arc<Progress>,
    ) -> Self {
        Stamping {
            event_time,
            late: config.late,
            has_side_topic: config.side_topic.is_some(),
            alignment: config.alignment,
            warned: None,
            told_future: false,
            widening: Widening::new(vec![late_column()]),
            progress,
        }
    }

    /// Stamps all that came of one batch of messages. `given` is a watermark of a plug-in's;
    /// `epoch_ms` is the machine's clock.
    pub(super) fn stamp(
        &mut self,
        delivered: &Delivered,
        mut rows: Vec<Rows>,
        given: Option<i64>,
        now: Instant,
        epoch_ms: i64,
    ) -> Result<Stamped, PipelineError> {
        let excess = self
            .alignment
            .filter(|alignment| alignment.mode == AlignmentMode::DropExcess);
        let excess = excess.map(|alignment| alignment.max_drift);
        let bounds = self
            .event_time
            .bounds(delivered.assignment, excess, epoch_ms);
        let mut all = Scan::default();
        let mut aside = Vec::new();
        for rows in &mut rows {
            let Some(times) = &rows.event_times else {
                continue;
            };
            let scan = bounds.scan(times);
            if self.has_side_topic && scan.late + scan.excess > 0 {
                self.put_aside(&bounds, rows, times, &mut aside);
            }
            self.sort_out(&bounds, &scan, rows)?;
            all.max = all.max.max(scan.max);
            all.late += scan.late;
            all.excess += scan.excess;
            all.future += scan.future;
            all.none += scan.none;
        }
        let given = self.believed(given, &bounds, delivered);
        let observed = self.event_time.observe(delivered.assignment, &all, given);
        for rows in &mut rows {
            rows.watermark = observed.combined;
        }
        self.progress.late.add(all.late);
        if self.late == LateRecords::Drop {
            self.progress.late_dropped.add(all.late);
        }
        self.progress.excess.add(all.excess);
        if !self.has_side_topic {
            self.progress.excess_dropped.add(all.excess);
        }
        self.progress.future.add(all.future);
        self.progress.timeless.add(all.none);
        self.warn(delivered, &observed, now);
        rows.retain(|rows| rows.rows.num_rows() > 0 || rows.tombstones.is_some());
        aside.sort_by_key(|one| one.offset);
        aside.dedup_by_key(|one| one.offset);
        self.progress.aside.add(aside.len());
        Ok(Stamped {
            rows,
            aside,
            watermark: observed.own,
        })
    }

    /// As an event time, a watermark that is too far in the future counts for none: it would make
    /// all rows of all other partitions late.
    fn believed(
        &mut self,
        given: Option<i64>,
        bounds: &Bounds,
        delivered: &Delivered,
    ) -> Option<i64> {
        let is_future = |given: &i64| *given > bounds.future_above;
        if given.as_ref().is_some_and(is_future) && !self.told_future {
            self.told_future = true;
            tracing::warn!(
                "{}: a plug-in gave a watermark that is further in the future than max.future.ms \
                 allows; it counts for none, nor will others like it, which are not told",
                delivered.source
            );
        }
        given.filter(|given| !is_future(given))
    }

    /// The combined watermark as it is now, also while nothing comes.
    pub(super) fn watermark(&self) -> Option<i64> {
        self.event_time.watermark()
    }

    /// How far all partitions of the consumer group are.
    pub(super) fn settled(&self) -> Option<i64> {
        self.event_time.settled()
    }

    fn put_aside(&self, bounds: &Bounds, rows: &Rows, times: &Times, aside: &mut Vec<Aside>) {
        for (row, offset) in rows.offsets().enumerate() {
            let event_time = times.values[row];
            let (why, bound) = match bounds.verdict(event_time, times.none) {
                Verdict::Late if self.late == LateRecords::SideTopic => {
                    (Why::Late, bounds.late_below)
                }
                Verdict::Excess => (Why::TooFarAhead, bounds.excess_above),
                _ => continue,
            };
            aside.push(Aside {
                offset,
                why,
                event_time,
                bound,
            });
        }
    }

    /// Drops or marks rows.
    fn sort_out(
        &mut self,
        bounds: &Bounds,
        scan: &Scan,
        rows: &mut Rows,
    ) -> Result<(), PipelineError> {
        let is_taken_out = matches!(self.late, LateRecords::Drop | LateRecords::SideTopic);
        let drops_late = is_taken_out && scan.late > 0;
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
                 write `deliver`, `drop` or `side-topic`"
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

    fn warn(&mut self, delivered: &Delivered, observed: &Observed, now: Instant) {
        let Some(alignment) = self.alignment else {
            return;
        };
        let is_due = |said: Instant| now.duration_since(said) >= alignment.check_interval;
        if alignment.mode != AlignmentMode::WarnOnly
            || observed.ahead <= alignment.max_drift
            || !self.warned.is_none_or(is_due)
        {
            return;
        }
        self.warned = Some(now);
        let view = self.event_time.view();
        let behind = match view.group {
            Some(group) if observed.of_group => {
                let member = group.holder.unwrap_or_default();
                format!(
                    "pipeline of alignment group {} that is behind all others, {member}",
                    group.id
                )
            }
            _ => {
                let holder = view.holder;
                let holder = holder.map_or_else(String::new, |holder| format!(", {holder}"));
                format!("partition that is behind all others{holder}")
            }
        };
        tracing::warn!(
            "{} is {:?} of event time ahead of the {behind}",
            delivered.source,
            Duration::from_millis(observed.ahead.unsigned_abs()),
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
mod tests;

//! One pass over the event times of a batch.

use std::sync::Arc;

use super::edges::{Edge, Wrong};

/// Event times of rows, in ms since the epoch.
///
/// Shared: record timestamps are taken as they are, without a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// One for each row.
    pub values: Arc<Vec<i64>>,
    /// The value that stands for no event time: -1 among record timestamps, as in Kafka, else
    /// [`Times::NONE`].
    pub none: i64,
}

impl Times {
    /// What stands for no event time where -1 is a time as any other.
    pub const NONE: i64 = i64::MIN;

    /// Times of which `NONE` is none.
    #[must_use]
    pub fn new(values: Vec<i64>) -> Self {
        Times {
            values: Arc::new(values),
            none: Self::NONE,
        }
    }

    /// Timestamps of Kafka records, of which -1 is none.
    #[must_use]
    pub fn of_records(timestamps: Arc<Vec<i64>>) -> Self {
        Times {
            values: timestamps,
            none: -1,
        }
    }

    /// The event time of a row, if it has one.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<i64> {
        let time = self.values[row];
        (time != self.none).then_some(time)
    }
}

/// What a row's event time is held against, in ms since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Rows below this are late: the watermark as of the batch. `i64::MIN` before there is one.
    pub late_below: i64,
    /// Rows above this are too far ahead of the others to be taken. `i64::MAX` for no limit.
    pub excess_above: i64,
    /// An event time above this is not believed. `i64::MAX` for no limit.
    pub future_above: i64,
    pub(super) wrong: Wrong,
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Timely,
    /// It counts, and comes after the watermark has passed it.
    Late,
    /// Too far ahead of the others.
    Excess,
    /// Its event time is not believed.
    Future,
    /// It has none.
    None,
}

/// What a batch has, by what becomes of its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The latest event time that is believed, in ms since the epoch.
    pub max: Option<i64>,
    /// Rows below the watermark.
    pub late: usize,
    /// Rows too far ahead of the others.
    pub excess: usize,
    /// Rows whose event time is not believed.
    pub future: usize,
    /// Rows without one.
    pub none: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds::new(None, None, None)
    }
}

impl Bounds {
    /// Each of them where there is one.
    #[must_use]
    pub fn new(watermark: Option<i64>, excess: Option<i64>, future: Option<i64>) -> Self {
        Bounds {
            late_below: watermark.unwrap_or(i64::MIN),
            excess_above: excess.unwrap_or(i64::MAX),
            future_above: future.unwrap_or(i64::MAX),
            wrong: Wrong::NOTHING,
        }
    }

    /// What becomes of a row with this event time.
    #[must_use]
    #[inline]
    pub fn verdict(&self, time: i64, none: i64) -> Verdict {
        if time == none && !self.wrong.is(Edge::NoneIsATime) {
            Verdict::None
        } else if time > self.future_above && !self.wrong.is(Edge::FutureCounts) {
            Verdict::Future
        } else if time > self.excess_above {
            Verdict::Excess
        } else if time < self.late_below
            || time == self.late_below && self.wrong.is(Edge::LateAtWatermark)
        {
            Verdict::Late
        } else {
            Verdict::Timely
        }
    }

    /// Looks at each event time once.
    #[must_use]
    pub fn scan(&self, times: &Times) -> Scan {
        let Some((min, max)) = range(&times.values) else {
            return Scan::default();
        };
        // Nearly always. What stands for none is below all that count, so it is the minimum
        // where there is one, but for times before 1970 of records, which are counted below.
        let plain = min > times.none
            && min > self.late_below
            && max <= self.excess_above.min(self.future_above);
        if plain {
            return Scan {
                max: Some(max),
                ..Scan::default()
            };
        }
        let mut scan = Scan::default();
        let mut latest = i64::MIN;
        for &time in times.values.iter() {
            match self.verdict(time, times.none) {
                Verdict::Timely => latest = latest.max(time),
                Verdict::Late => {
                    latest = latest.max(time);
                    scan.late += 1;
                }
                // It is dropped, and says all the same how far its partition is: two that are
                // ahead of each other would else drop everything for ever.
                Verdict::Excess => {
                    latest = latest.max(time);
                    scan.excess += 1;
                }
                Verdict::Future => scan.future += 1,
                Verdict::None => scan.none += 1,
            }
        }
        if scan.future + scan.none < times.values.len() {
            scan.max = Some(latest);
        }
        scan
    }
}

/// The least and the greatest.
fn range(times: &[i64]) -> Option<(i64, i64)> {
    /// As many as are compared without waiting for each other.
    const LANES: usize = 4;
    let first = *times.first()?;
    let (mut least, mut greatest) = ([first; LANES], [first; LANES]);
    let mut chunks = times.chunks_exact(LANES);
    for chunk in &mut chunks {
        for lane in 0..LANES {
            least[lane] = least[lane].min(chunk[lane]);
            greatest[lane] = greatest[lane].max(chunk[lane]);
        }
    }
    let rest = chunks.remainder();
    let all = |lanes: [i64; LANES]| lanes.into_iter().chain(rest.iter().copied());
    Some((all(least).min()?, all(greatest).max()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(bounds: Bounds, values: &[i64]) -> Scan {
        bounds.scan(&Times::new(values.to_vec()))
    }

    #[test]
    fn counts_each_row_once() {
        let bounds = Bounds::new(Some(100), Some(500), Some(1_000));
        let values = [99, 100, 500, 501, 1_000, 1_001, Times::NONE, i64::MAX, -5];
        let found = scan(bounds, &values);
        let expected = Scan {
            max: Some(1_000),
            late: 2,
            excess: 2,
            future: 2,
            none: 1,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn without_bounds_everything_counts_up_to_the_ends_of_time() {
        let ends = [i64::MIN + 1, i64::MAX];
        let found = scan(Bounds::default(), &ends);
        assert_eq!((found.max, found.late), (Some(i64::MAX), 0));
        assert_eq!(scan(Bounds::default(), &[]), Scan::default());
        let only = scan(Bounds::default(), &[i64::MIN + 1]);
        assert_eq!(only.max, Some(i64::MIN + 1));
    }

    #[test]
    fn none_is_minus_one_among_record_timestamps_only() {
        let values = vec![-1, -2, 7];
        let records = Times::of_records(Arc::new(values.clone()));
        let found = Bounds::default().scan(&records);
        assert_eq!((found.max, found.none), (Some(7), 1));
        assert_eq!((records.get(0), records.get(1)), (None, Some(-2)));
        let found = scan(Bounds::default(), &values);
        assert_eq!((found.max, found.none), (Some(7), 0));
        let records = Times::of_records(Arc::new(vec![-1, -1]));
        let found = Bounds::default().scan(&records);
        assert_eq!((found.max, found.none), (None, 2));
    }

    /// The short way and the long way say the same.
    #[test]
    fn any_batch_is_as_its_rows_one_by_one() {
        let mut random = super::super::random::Random::new(7);
        for _ in 0..5_000 {
            let bounds = Bounds::new(
                random.maybe(|r| r.between(-20, 20)),
                random.maybe(|r| r.between(-20, 20)),
                random.maybe(|r| r.between(-20, 20)),
            );
            let none = if random.one_in(2) { -1 } else { Times::NONE };
            let values: Vec<i64> = (0..random.below(12))
                .map(|_| match random.below(8) {
                    0 => none,
                    _ => random.between(-25, 25),
                })
                .collect();
            let mut expected = Scan::default();
            for &time in &values {
                match bounds.verdict(time, none) {
                    Verdict::None => expected.none += 1,
                    Verdict::Future => expected.future += 1,
                    counts => {
                        expected.max = expected.max.max(Some(time));
                        expected.late += usize::from(counts == Verdict::Late);
                        expected.excess += usize::from(counts == Verdict::Excess);
                    }
                }
            }
            let values = Arc::new(values);
            let times = Times { values, none };
            assert_eq!(bounds.scan(&times), expected, "{bounds:?} {times:?}");
        }
    }
}

//! Directories by event time, named as Hive names partitions: `dt=2026-11-24/hour=13`, in UTC.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::error::ArrowError;

use crate::config::PartitionBy;
use crate::rows::Rows;

/// Where rows go that have no event time, or one outside of the calendar: Hive's name for null.
const NONE: &str = "__HIVE_DEFAULT_PARTITION__";
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// One directory: hours or days since 1970-01-01 UTC, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Bucket {
    /// All that there is, where nothing is partitioned.
    Whole,
    /// Rows without an event time.
    Timeless,
    /// This hour or day.
    Number(i64),
}

/// Hours or days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Width {
    ms: i64,
}

/// Some rows of a batch, all of one directory.
pub(super) struct Share {
    pub(super) bucket: Bucket,
    pub(super) rows: RecordBatch,
    /// The least and the greatest event time, in ms since the epoch.
    pub(super) times: Option<(i64, i64)>,
    /// Which rows of the batch.
    pub(super) chosen: Vec<usize>,
}

impl Share {
    /// All rows, where nothing is partitioned.
    pub(super) fn whole(rows: &Rows) -> Self {
        Share {
            bucket: Bucket::Whole,
            rows: rows.rows.clone(),
            times: None,
            chosen: Vec::new(),
        }
    }
}

impl Width {
    pub(super) fn of(by: PartitionBy) -> Option<Self> {
        let ms = match by {
            PartitionBy::None => return None,
            PartitionBy::EventTimeHour => HOUR_MS,
            PartitionBy::EventTimeDay => DAY_MS,
        };
        Some(Width { ms })
    }

    pub(super) fn bucket(self, time: i64) -> Bucket {
        let number = time.div_euclid(self.ms);
        match self.directory(Bucket::Number(number)) {
            Some(_) => Bucket::Number(number),
            None => Bucket::Timeless,
        }
    }

    /// Whether all rows of a directory are below this watermark, in ms since the epoch.
    pub(super) fn is_past(self, bucket: Bucket, watermark: i64) -> bool {
        match bucket {
            Bucket::Whole | Bucket::Timeless => false,
            Bucket::Number(number) => (number + 1).saturating_mul(self.ms) <= watermark,
        }
    }

    /// Below the sink's own directory; `None` where the calendar ends.
    pub(super) fn directory(self, bucket: Bucket) -> Option<PathBuf> {
        let number = match bucket {
            Bucket::Whole => return Some(PathBuf::new()),
            Bucket::Timeless if self.ms == HOUR_MS => {
                return Some(Path::new(&format!("dt={NONE}")).join(format!("hour={NONE}")));
            }
            Bucket::Timeless => return Some(PathBuf::from(format!("dt={NONE}"))),
            Bucket::Number(number) => number,
        };
        let start = jiff::Timestamp::from_millisecond(number.checked_mul(self.ms)?).ok()?;
        let start = start.to_zoned(jiff::tz::TimeZone::UTC);
        // Years before 0 and after 9999 have names that do not sort, and no reader takes.
        if !(0..=9999).contains(&start.year()) {
            return None;
        }
        let day = PathBuf::from(format!("dt={}", start.date()));
        Some(match self.ms == HOUR_MS {
            true => day.join(format!("hour={:02}", start.hour())),
            false => day,
        })
    }

    /// Those below `root` that are there, in order. Others are not looked at.
    pub(super) fn existing(self, root: &Path) -> std::io::Result<Vec<(Bucket, PathBuf)>> {
        let mut found = Vec::new();
        for day in subdirectories(root)? {
            let Some(date) = value(&day, "dt=") else {
                continue;
            };
            let Ok(date) = date.parse::<jiff::civil::Date>() else {
                continue;
            };
            let midnight = date.to_zoned(jiff::tz::TimeZone::UTC);
            let Ok(midnight) = midnight.map(|at| at.timestamp().as_millisecond()) else {
                continue;
            };
            if self.ms == DAY_MS {
                found.push((self.bucket(midnight), day));
                continue;
            }
            for hour in subdirectories(&day)? {
                let number = value(&hour, "hour=").and_then(|hour| hour.parse::<i64>().ok());
                if let Some(number @ 0..24) = number {
                    found.push((self.bucket(midnight + number * HOUR_MS), hour));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Divides rows by their directories, in the order of these.
    pub(super) fn shares(self, rows: &Rows) -> Result<Vec<Share>, ArrowError> {
        let mut shares: BTreeMap<Bucket, Chosen> = BTreeMap::new();
        // Rows of one time after the other are the rule.
        let mut last = None;
        for row in 0..rows.len() {
            let time = rows.event_times.as_ref().and_then(|times| times.get(row));
            let number = time.map(|time| time.div_euclid(self.ms));
            let bucket = match last {
                Some((known, bucket)) if known == number => bucket,
                _ => time.map_or(Bucket::Timeless, |time| self.bucket(time)),
            };
            last = Some((number, bucket));
            let share = shares.entry(bucket).or_default();
            share.rows.push(row);
            share.times = joined(share.times, time.map(|time| (time, time)));
        }
        let is_one = shares.len() == 1;
        let share = |(bucket, chosen): (Bucket, Chosen)| {
            let indices = chosen.rows.iter().map(|row| *row as u64);
            Ok(Share {
                bucket,
                rows: match is_one {
                    true => rows.rows.clone(),
                    false => {
                        take_record_batch(&rows.rows, &UInt64Array::from_iter_values(indices))?
                    }
                },
                times: chosen.times,
                chosen: chosen.rows,
            })
        };
        shares.into_iter().map(share).collect()
    }
}

#[derive(Default)]
struct Chosen {
    rows: Vec<usize>,
    times: Option<(i64, i64)>,
}

/// The range that has both.
pub(super) fn joined(a: Option<(i64, i64)>, b: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (a, b) {
        (Some((a, z)), Some((b, y))) => Some((a.min(b), z.max(y))),
        (a, b) => a.or(b),
    }
}

fn subdirectories(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn value<'a>(path: &'a Path, key: &str) -> Option<&'a str> {
    path.file_name()?.to_str()?.strip_prefix(key)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event_time::Times;
    use crate::sink::testing::{numbers, rows_of};

    const HOURS: Width = Width { ms: HOUR_MS };
    const DAYS: Width = Width { ms: DAY_MS };
    /// 2026-11-24T13:00:00Z.
    const AT: i64 = 1_795_525_200_000;

    fn name(width: Width, time: i64) -> String {
        let directory = width.directory(width.bucket(time));
        directory.unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn directories_are_named_as_hive_names_partitions() {
        assert_eq!(name(HOURS, AT), "dt=2026-11-24/hour=13");
        assert_eq!(name(HOURS, AT - 1), "dt=2026-11-24/hour=12");
        assert_eq!(name(DAYS, AT), "dt=2026-11-24");
        assert_eq!(name(HOURS, -1), "dt=1969-12-31/hour=23");
        assert_eq!(name(HOURS, -62_167_219_200_000), "dt=0000-01-01/hour=00");
        assert_eq!(name(HOURS, 253_370_764_800_000), "dt=9999-01-01/hour=00");
    }

    #[test]
    fn times_outside_of_the_calendar_are_as_those_that_are_not_there() {
        for time in [i64::MIN, -62_167_219_200_001, 253_402_300_800_000, i64::MAX] {
            assert_eq!(HOURS.bucket(time), Bucket::Timeless, "{time}");
            assert!(name(DAYS, time).ends_with(NONE));
        }
        assert!(!HOURS.is_past(Bucket::Timeless, i64::MAX));
    }

    #[test]
    fn a_directory_is_past_when_the_watermark_is_at_its_end() {
        let bucket = HOURS.bucket(AT);
        assert!(!HOURS.is_past(bucket, AT + HOUR_MS - 1));
        assert!(HOURS.is_past(bucket, AT + HOUR_MS));
        assert!(!DAYS.is_past(DAYS.bucket(AT), AT + HOUR_MS));
    }

    #[test]
    fn rows_are_divided_in_their_order() {
        let mut rows = rows_of(numbers(0..6));
        let none = Times::NONE;
        let times = vec![AT, AT + HOUR_MS, none, AT + 5, AT + 3, i64::MAX];
        rows.event_times = Some(Times {
            values: Arc::new(times),
            none,
        });
        let shares = HOURS.shares(&rows).unwrap();
        let found: Vec<_> = shares
            .iter()
            .map(|share| (share.bucket, share.chosen.clone(), share.times))
            .collect();
        let number = AT / HOUR_MS;
        let expected = [
            (Bucket::Timeless, vec![2, 5], Some((i64::MAX, i64::MAX))),
            (Bucket::Number(number), vec![0, 3, 4], Some((AT, AT + 5))),
            (
                Bucket::Number(number + 1),
                vec![1],
                Some((AT + HOUR_MS, AT + HOUR_MS)),
            ),
        ];
        assert_eq!(found, expected);
        assert_eq!(shares[1].rows.num_rows(), 3);
        rows.event_times = None;
        assert_eq!(HOURS.shares(&rows).unwrap().len(), 1);
    }

    #[test]
    fn only_directories_by_these_names_are_found() {
        let root = tempfile::tempdir().unwrap();
        for name in [
            "dt=2026-11-24/hour=13",
            "dt=2026-11-24/hour=24",
            "dt=2026-11-24/hour=x",
            "dt=2026-13-24/hour=13",
            "dt=__HIVE_DEFAULT_PARTITION__/hour=__HIVE_DEFAULT_PARTITION__",
            "other/hour=1",
        ] {
            fs::create_dir_all(root.path().join(name)).unwrap();
        }
        let found = HOURS.existing(root.path()).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, HOURS.bucket(AT));
        let days: Vec<Bucket> = DAYS
            .existing(root.path())
            .unwrap()
            .into_iter()
            .map(|(bucket, _)| bucket)
            .collect();
        assert_eq!(days, [DAYS.bucket(AT)]);
    }
}

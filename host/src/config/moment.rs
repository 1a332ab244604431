//! Points in time, as a pipeline file names them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::entries::expected;
use super::key::Key;
use super::reader::Reader;

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// In ms since the epoch.
    At(i64),
    /// Before the pipeline's start.
    Ago(Duration),
}

impl Moment {
    /// In ms since the epoch, for a pipeline that starts at `now`, in ms since the epoch.
    #[must_use]
    pub fn resolve(self, now: i64) -> i64 {
        match self {
            Moment::At(at) => at,
            Moment::Ago(ago) => {
                now.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX))
            }
        }
    }
}

pub(super) fn read(reader: &mut Reader<'_>, key: &'static Key) -> Option<Moment> {
    let given = reader.text(key)?;
    let moment = parse(given.value.trim());
    if moment.is_none() {
        let message = format!("`{}` is not {}", given.shown, expected(key));
        reader.invalid(key, given.span, message);
    }
    moment
}

fn parse(text: &str) -> Option<Moment> {
    if let Ok(ms) = text.parse::<i64>() {
        return (ms >= 0).then_some(Moment::At(ms));
    }
    if let Some(ago) = text.strip_prefix('-') {
        let ago: SignedDuration = ago.trim().parse().ok()?;
        return Duration::try_from(ago).ok().map(Moment::Ago);
    }
    let at: Timestamp = text.parse().ok()?;
    Some(Moment::At(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_ms_times_or_before_the_start() {
        let hour = Duration::from_secs(3600);
        for (text, moment) in [
            ("0", Some(Moment::At(0))),
            ("1772366400000", Some(Moment::At(1_772_366_400_000))),
            ("2026-03-01T12:00:00Z", Some(Moment::At(1_772_366_400_000))),
            (
                "2026-03-01T13:00:00+01:00",
                Some(Moment::At(1_772_366_400_000)),
            ),
            ("-1h", Some(Moment::Ago(hour))),
            ("- 1h 30m", Some(Moment::Ago(hour * 3 / 2))),
            ("-1", None),
            ("1h", None),
            ("2026-03-01", None),
            ("yesterday", None),
        ] {
            assert_eq!(parse(text), moment, "{text}");
        }
        assert_eq!(Moment::Ago(hour).resolve(3_600_001), 1);
        assert_eq!(Moment::At(7).resolve(3_600_001), 7);
    }
}

//! Dates and times from text: RFC 3339, which is ISO 8601 with everything written out.

/// The unit of a time or timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Second,
    Milli,
    Micro,
    Nano,
}

impl Unit {
    /// How many make a second.
    pub(crate) fn per_second(self) -> i64 {
        match self {
            Self::Second => 1,
            Self::Milli => 1_000,
            Self::Micro => 1_000_000,
            Self::Nano => 1_000_000_000,
        }
    }

    /// As in Arrow's format strings and in options.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Second => 's',
            Self::Milli => 'm',
            Self::Micro => 'u',
            Self::Nano => 'n',
        }
    }
}

const DAY: i64 = 86_400;

/// Days since 1970-01-01 of a `YYYY-MM-DD`.
pub(crate) fn date(text: &[u8]) -> Option<i32> {
    let mut reader = Reader(text);
    let days = reader.date()?;
    reader.0.is_empty().then_some(days)
}

/// Time since midnight of a `HH:MM:SS`, with or without a fraction and an offset, which is
/// taken off. Digits behind the unit are cut off.
pub(crate) fn time(text: &[u8], unit: Unit) -> Option<i64> {
    let mut reader = Reader(text);
    let (seconds, nanos) = reader.time()?;
    let offset = reader.offset()?.unwrap_or(0);
    reader.0.is_empty().then_some(())?;
    let seconds = (seconds - offset).rem_euclid(DAY);
    Some(seconds * unit.per_second() + nanos / (1_000_000_000 / unit.per_second()))
}

/// Time since 1970-01-01T00:00:00 of a date and time. With an offset, which must be there, in
/// UTC; as a clock on a wall shows it, without one. `None` also for what 64 bits do not hold.
pub(crate) fn timestamp(text: &[u8], unit: Unit, utc: bool) -> Option<i64> {
    let mut reader = Reader(text);
    let days = reader.date()?;
    reader.one_of(b"Tt ")?;
    let (seconds, nanos) = reader.time()?;
    let offset = match reader.offset()? {
        Some(offset) if utc => offset,
        None if !utc => 0,
        _ => return None,
    };
    reader.0.is_empty().then_some(())?;
    let seconds = i64::from(days) * DAY + seconds - offset;
    let fraction = nanos / (1_000_000_000 / unit.per_second());
    seconds
        .checked_mul(unit.per_second())?
        .checked_add(fraction)
}

/// What is left of the text.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn one_of(&mut self, allowed: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        allowed.contains(first).then_some(*first)
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        digits.iter().try_fold(0, |value, digit| {
            digit
                .is_ascii_digit()
                .then(|| value * 10 + i64::from(digit - b'0'))
        })
    }

    fn date(&mut self) -> Option<i32> {
        let year = self.digits(4)?;
        self.one_of(b"-")?;
        let month = self.digits(2)?;
        self.one_of(b"-")?;
        let day = self.digits(2)?;
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let last = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        (1..=last).contains(&day).then_some(())?;
        i32::try_from(days(year, month, day)).ok()
    }

    /// Seconds since midnight, and nanoseconds. There is no second 60: Arrow has no place for
    /// it.
    fn time(&mut self) -> Option<(i64, i64)> {
        let hour = self.digits(2)?;
        self.one_of(b":")?;
        let minute = self.digits(2)?;
        self.one_of(b":")?;
        let second = self.digits(2)?;
        (hour < 24 && minute < 60 && second < 60).then_some(())?;
        let mut nanos = 0;
        if self.0.first() == Some(&b'.') {
            let digits = self.0[1..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            (digits > 0).then_some(())?;
            let mut unit = 100_000_000;
            for digit in &self.0[1..=digits] {
                nanos += i64::from(digit - b'0') * unit;
                unit /= 10;
            }
            self.0 = &self.0[1 + digits..];
        }
        Some(((hour * 60 + minute) * 60 + second, nanos))
    }

    /// Seconds east of UTC; the inner `None` where there is no offset.
    #[expect(
        clippy::option_option,
        reason = "an offset that is not one is a third thing"
    )]
    fn offset(&mut self) -> Option<Option<i64>> {
        let sign = match self.0.first() {
            None => return Some(None),
            Some(b'Z' | b'z') => {
                self.0 = &self.0[1..];
                return Some(Some(0));
            }
            Some(_) => self.one_of(b"+-")?,
        };
        let hours = self.digits(2)?;
        self.one_of(b":")?;
        let minutes = self.digits(2)?;
        (hours < 24 && minutes < 60).then_some(())?;
        let seconds = (hours * 60 + minutes) * 60;
        Some(Some(if sign == b'-' { -seconds } else { seconds }))
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar (H. Hinnant, `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("1969-12-31", Some(-1)),
            ("2000-02-29", Some(11_016)),
            ("2024-02-29", Some(19_782)),
            ("0000-01-01", Some(-719_528)),
            ("9999-12-31", Some(2_932_896)),
            ("2023-02-29", None),
            ("1900-02-29", None),
            ("2024-13-01", None),
            ("2024-00-01", None),
            ("2024-04-31", None),
            ("2024-04-00", None),
            ("2024-4-1", None),
            ("2024-04-01 ", None),
            ("+2024-04-01", None),
            ("", None),
        ] {
            assert_eq!(date(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn times() {
        for (text, unit, expected) in [
            ("00:00:00", Unit::Micro, Some(0)),
            ("23:59:59.999999999", Unit::Micro, Some(86_399_999_999)),
            ("23:59:59.999999999", Unit::Nano, Some(86_399_999_999_999)),
            ("01:00:00+02:00", Unit::Second, Some(82_800)),
            ("23:30:00-01:00", Unit::Milli, Some(1_800_000)),
            ("10:20:30.5Z", Unit::Milli, Some(37_230_500)),
            ("24:00:00", Unit::Milli, None),
            ("10:60:00", Unit::Milli, None),
            ("23:59:60", Unit::Milli, None),
            ("10:20", Unit::Milli, None),
            ("10:20:30.", Unit::Milli, None),
            ("10:20:30+2", Unit::Milli, None),
            ("10:20:30+24:00", Unit::Milli, None),
        ] {
            assert_eq!(time(text.as_bytes(), unit), expected, "{text}");
        }
    }

    #[test]
    fn timestamps() {
        let utc = |text: &str, unit| timestamp(text.as_bytes(), unit, true);
        assert_eq!(utc("1970-01-01T00:00:00Z", Unit::Nano), Some(0));
        assert_eq!(utc("1969-12-31T23:59:59.9Z", Unit::Milli), Some(-100));
        assert_eq!(
            utc("2024-02-29t12:00:00.123456789+05:30", Unit::Micro),
            Some(1_709_188_200_123_456)
        );
        assert_eq!(
            utc("2024-01-01 00:00:00-00:01", Unit::Second),
            Some(1_704_067_260)
        );
        assert_eq!(
            utc("9999-12-31T23:59:59Z", Unit::Micro),
            Some(253_402_300_799_000_000)
        );
        assert_eq!(utc("9999-12-31T23:59:59Z", Unit::Nano), None);
        assert_eq!(utc("2024-01-01T00:00:00", Unit::Second), None);
        assert_eq!(utc("2024-01-01", Unit::Second), None);
        assert_eq!(utc("2024-01-01T00:00:00Zx", Unit::Second), None);
        let local = |text: &str| timestamp(text.as_bytes(), Unit::Milli, false);
        assert_eq!(local("1970-01-01T00:00:01"), Some(1000));
        assert_eq!(local("1970-01-01T00:00:01Z"), None);
    }
}

//! Dates, times and durations as ISO 8601 text.
//!
//! arrow-json goes through chrono, which writes the text of an error in place of a value
//! that it cannot hold. These columns come from other people's bytes, so every value of
//! the integer behind them has a text here.

use arrow::array::{Array, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, IntervalDayTimeType, IntervalMonthDayNanoType,
    IntervalUnit, IntervalYearMonthType, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};

const DAY: i64 = 86_400;

/// Writes the value of a row. Called for rows that are not null.
pub(super) type Write<'a> = Box<dyn FnMut(usize, &mut Vec<u8>) + 'a>;

/// The writer for a temporal column; `None` for any other.
pub(super) fn encoder(array: &dyn Array) -> Option<Write<'_>> {
    Some(match array.data_type() {
        DataType::Date32 => texts::<Date32Type>(array, |days, out| date(i64::from(days), out)),
        DataType::Date64 => texts::<Date64Type>(array, |ms, out| timestamp(ms, MILLI, false, out)),
        DataType::Timestamp(unit, zone) => timestamps(array, *unit, zone.is_some()),
        DataType::Time32(TimeUnit::Second) => texts::<Time32SecondType>(array, |value, out| {
            time(i64::from(value), SECOND, out);
        }),
        DataType::Time32(_) => texts::<Time32MillisecondType>(array, |value, out| {
            time(i64::from(value), MILLI, out);
        }),
        DataType::Time64(TimeUnit::Microsecond) => {
            texts::<Time64MicrosecondType>(array, |value, out| time(value, MICRO, out))
        }
        DataType::Time64(_) => {
            texts::<Time64NanosecondType>(array, |value, out| time(value, NANO, out))
        }
        DataType::Duration(unit) => durations(array, *unit),
        DataType::Interval(unit) => intervals(array, *unit),
        _ => return None,
    })
}

/// An instant, from seconds since the epoch.
pub(super) fn utc_seconds(seconds: i64, out: &mut Vec<u8>) {
    timestamp(seconds, SECOND, true, out);
}

/// How a unit divides a second.
#[derive(Clone, Copy)]
struct Scale {
    per_second: i64,
    digits: usize,
}

const SECOND: Scale = Scale { per_second: 1, digits: 0 };
const MILLI: Scale = Scale { per_second: 1_000, digits: 3 };
const MICRO: Scale = Scale { per_second: 1_000_000, digits: 6 };
const NANO: Scale = Scale { per_second: 1_000_000_000, digits: 9 };

fn timestamps(array: &dyn Array, unit: TimeUnit, instant: bool) -> Write<'_> {
    match unit {
        TimeUnit::Second => {
            texts::<TimestampSecondType>(array, move |v, out| timestamp(v, SECOND, instant, out))
        }
        TimeUnit::Millisecond => texts::<TimestampMillisecondType>(array, move |v, out| {
            timestamp(v, MILLI, instant, out);
        }),
        TimeUnit::Microsecond => texts::<TimestampMicrosecondType>(array, move |v, out| {
            timestamp(v, MICRO, instant, out);
        }),
        TimeUnit::Nanosecond => {
            texts::<TimestampNanosecondType>(array, move |v, out| timestamp(v, NANO, instant, out))
        }
    }
}

fn durations(array: &dyn Array, unit: TimeUnit) -> Write<'_> {
    match unit {
        TimeUnit::Second => texts::<DurationSecondType>(array, |v, out| duration(v, SECOND, out)),
        TimeUnit::Millisecond => {
            texts::<DurationMillisecondType>(array, |v, out| duration(v, MILLI, out))
        }
        TimeUnit::Microsecond => {
            texts::<DurationMicrosecondType>(array, |v, out| duration(v, MICRO, out))
        }
        TimeUnit::Nanosecond => {
            texts::<DurationNanosecondType>(array, |v, out| duration(v, NANO, out))
        }
    }
}

fn intervals(array: &dyn Array, unit: IntervalUnit) -> Write<'_> {
    match unit {
        IntervalUnit::YearMonth => texts::<IntervalYearMonthType>(array, |months, out| {
            period(months, 0, 0, SECOND, out);
        }),
        IntervalUnit::DayTime => texts::<IntervalDayTimeType>(array, |v, out| {
            period(0, v.days, i64::from(v.milliseconds), MILLI, out);
        }),
        IntervalUnit::MonthDayNano => texts::<IntervalMonthDayNanoType>(array, |v, out| {
            let scale = coarsest(v.nanoseconds);
            let time = v.nanoseconds / (NANO.per_second / scale.per_second);
            period(v.months, v.days, time, scale, out);
        }),
    }
}

fn texts<'a, T: ArrowPrimitiveType>(
    array: &'a dyn Array,
    write: impl Fn(T::Native, &mut Vec<u8>) + 'a,
) -> Write<'a> {
    let array: &PrimitiveArray<T> = array.as_primitive();
    Box::new(move |row, out| {
        out.push(b'"');
        write(array.value(row), out);
        out.push(b'"');
    })
}

fn timestamp(value: i64, scale: Scale, instant: bool, out: &mut Vec<u8>) {
    let seconds = value.div_euclid(scale.per_second);
    date(seconds.div_euclid(DAY), out);
    out.push(b'T');
    clock(seconds.rem_euclid(DAY), value.rem_euclid(scale.per_second), scale, out);
    if instant {
        out.push(b'Z');
    }
}

fn time(value: i64, scale: Scale, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let seconds = (value / scale.per_second).unsigned_abs();
    let fraction = (value % scale.per_second).abs();
    digits(seconds / 3600, 2, out);
    sexagesimal(seconds, out);
    fractional(fraction, scale, out);
}

fn duration(value: i64, scale: Scale, out: &mut Vec<u8>) {
    out.extend_from_slice(b"PT");
    in_seconds(value, scale, out);
}

/// An ISO 8601 period: `P1M2DT3.5S`. Each part has its own sign, and parts of zero are left out.
fn period(months: i32, days: i32, time: i64, scale: Scale, out: &mut Vec<u8>) {
    out.push(b'P');
    for (value, letter) in [(months, b'M'), (days, b'D')] {
        if value != 0 {
            signed(i64::from(value), out);
            out.push(letter);
        }
    }
    if time != 0 {
        out.push(b'T');
        in_seconds(time, scale, out);
    } else if months == 0 && days == 0 {
        out.extend_from_slice(b"T0S");
    }
}

fn in_seconds(value: i64, scale: Scale, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    digits((value / scale.per_second).unsigned_abs(), 1, out);
    fractional((value % scale.per_second).abs(), scale, out);
    out.push(b'S');
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
///
/// A year is counted from March, so that the leap day is its last; 400 years are an era of
/// 146,097 days.
fn date(days: i64, out: &mut Vec<u8>) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);

    // ISO 8601 asks for a sign outside the years 0 to 9999.
    if year < 0 {
        out.push(b'-');
    } else if year > 9_999 {
        out.push(b'+');
    }
    digits(year.unsigned_abs(), 4, out);
    out.push(b'-');
    digits(month.unsigned_abs(), 2, out);
    out.push(b'-');
    digits(day.unsigned_abs(), 2, out);
}

fn clock(second_of_day: i64, fraction: i64, scale: Scale, out: &mut Vec<u8>) {
    let seconds = second_of_day.unsigned_abs();
    digits(seconds / 3600, 2, out);
    sexagesimal(seconds, out);
    fractional(fraction, scale, out);
}

/// `:MM:SS`
fn sexagesimal(seconds: u64, out: &mut Vec<u8>) {
    out.push(b':');
    digits(seconds / 60 % 60, 2, out);
    out.push(b':');
    digits(seconds % 60, 2, out);
}

fn fractional(fraction: i64, scale: Scale, out: &mut Vec<u8>) {
    if scale.digits > 0 {
        out.push(b'.');
        digits(fraction.unsigned_abs(), scale.digits, out);
    }
}

/// The coarsest unit that holds these nanoseconds exactly.
fn coarsest(nanos: i64) -> Scale {
    [SECOND, MILLI, MICRO]
        .into_iter()
        .find(|scale| nanos % (NANO.per_second / scale.per_second) == 0)
        .unwrap_or(NANO)
}

fn signed(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    digits(value.unsigned_abs(), 1, out);
}

/// Decimal, with zeros in front up to `width`.
fn digits(mut value: u64, width: usize, out: &mut Vec<u8>) {
    let mut buffer = [b'0'; 20];
    let mut start = buffer.len();
    while value > 0 || buffer.len() - start < width {
        start -= 1;
        buffer[start] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&buffer[start..]);
}

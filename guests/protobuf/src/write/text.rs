//! Values that Protobuf has no type of its own for: as text, and as its well-known types.

use weir_guest::arrays::Integers;
use weir_guest::arrays::NumberFault;
use weir_guest::arrays::text::{
    push_date, push_decimal, push_period, push_time, push_timestamp, push_uuid,
};

use super::compile::Text;
use super::fault::Fault;
use super::wire::{VARINT, tag, varint};

pub(super) fn whole(values: Integers<'_>, row: usize) -> Result<i64, Fault> {
    let large = |value: u64| Fault::Number(NumberFault::Range(value.into()));
    values.get(row).map_err(large)
}

/// Seconds and nanoseconds. Those of an instant are never negative; those of a duration have the
/// sign of its seconds.
pub(super) fn seconds(value: i64, per_second: i64, is_duration: bool, out: &mut Vec<u8>) {
    let (seconds, rest) = if is_duration {
        (value / per_second, value % per_second)
    } else {
        (value.div_euclid(per_second), value.rem_euclid(per_second))
    };
    let nanos = rest * (1_000_000_000 / per_second);
    for (number, part) in [(1, seconds), (2, nanos)] {
        if part != 0 {
            tag(number, VARINT, out);
            varint(part.cast_unsigned(), out);
        }
    }
}

pub(super) fn wide_text(value: &[u8], text: Text, out: &mut Vec<u8>) {
    let (words, _) = value.as_chunks::<4>();
    let word = |at: usize| i64::from(i32::from_le_bytes(words[at]));
    match text {
        Text::Uuid => push_uuid(value, out),
        Text::Decimal { scale, .. } => push_decimal(value, scale, out),
        Text::Months => push_period(word(0), 0, 0, 1, out),
        Text::DaysMillis => push_period(0, word(0), word(1), 1_000, out),
        Text::MonthsDaysNanos => {
            let nanos = value
                .last_chunk()
                .map_or(0, |nanos| i64::from_le_bytes(*nanos));
            push_period(word(0), word(1), nanos, 1_000_000_000, out);
        }
        Text::Date(_) | Text::Time(_) | Text::LocalTimestamp(_) => {}
    }
}

pub(super) fn time_text(value: i64, text: Text, out: &mut Vec<u8>) -> Option<()> {
    match text {
        Text::Date(per_day) => push_date(value.div_euclid(per_day), out),
        Text::Time(per_second) => push_time(value, per_second, out),
        Text::LocalTimestamp(per_second) => push_timestamp(value, per_second, false, out),
        _ => None,
    }
}

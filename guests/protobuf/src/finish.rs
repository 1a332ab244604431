//! Turns the slots of a complete block into values.

use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage};
use weir_guest::columns::{Column, ColumnFull, Wide, append};

use crate::{
    editions::tidy,
    maps,
    plan::{Enum, Finish, Plan, Slot, Time, TimeUnit},
    run::Stop,
    slots::{Slots, Span, Staged},
    wire::Fault,
};

/// Turns all slots into values. What fails concerns one of the block's messages, which is named
/// only by its column.
pub(crate) fn finish(
    plan: &Plan,
    bytes: &[u8],
    columns: &mut [Column],
    slots: &mut Slots,
) -> Result<(), Stop> {
    for map in &plan.maps {
        maps::keep_last(plan, bytes, columns, slots, *map);
    }
    for (index, finish) in plan.finish.iter().enumerate() {
        let (column, staged) = (&mut columns[index], slots.column(index));
        if plan.kinds[index] == Slot::List {
            staged.base = column.offsets.len() / 4 - 1;
        }
        let done = match *finish {
            Finish::Nothing => continue,
            Finish::Bytes => texts(bytes, column, staged, plan.layout.shapes[index].text),
            Finish::Enum(values) => names(&plan.enums[values as usize], column, staged),
            Finish::Json(message) => {
                let message = &plan.messages[message as usize];
                let nullable = plan.layout.shapes[index].nullable;
                json(message, nullable, bytes, column, staged)
            }
            Finish::Time(unit, time) => times(unit, time, column, staged),
        };
        done.map_err(|(fault, position)| Stop {
            fault,
            column: u32::try_from(index).ok(),
            position,
        })?;
        staged.finished();
    }
    Ok(())
}

/// What failed, and where if that is known.
type At = (Fault, Option<usize>);

/// The bytes themselves, in order.
#[inline(never)]
fn texts(bytes: &[u8], column: &mut Column, staged: &Staged, text: bool) -> Result<(), At> {
    let Column { offsets, data, .. } = column;
    let before = offsets.len();
    offsets.resize(before + staged.spans.len() * 4, 0);
    let (ends, _) = offsets[before..].as_chunks_mut::<4>();
    let room = staged.spans.iter().map(|span| span.len()).sum();
    let appended = append::<ColumnFull>(data, room, |values| {
        for (span, end) in staged.spans.iter().zip(ends) {
            values.push(Wide::new(&bytes[span.start()..], span.len()));
            *end = values.end();
        }
        Ok(())
    });
    appended.map_err(full)?;
    if text && !column.is_utf8_from(staged.base) {
        let value = |span: &&Span| std::str::from_utf8(staged.bytes(bytes, **span)).is_err();
        let bad = staged.spans.iter().find(value);
        return Err((Fault::Utf8, bad.map(|span| span.start())));
    }
    Ok(())
}

/// The names of numbers; the number itself where there is none.
#[inline(never)]
fn names(values: &Enum, column: &mut Column, staged: &Staged) -> Result<(), At> {
    for span in &staged.spans {
        let number = span.as_number().unwrap_or(values.default);
        match values.name(number) {
            Some(name) => name.push(column),
            None => column.push_bytes(number.to_string().as_bytes()),
        }
        .map_err(full)?;
    }
    Ok(())
}

/// Encoded messages in the JSON mapping of proto3.
#[inline(never)]
fn json(
    message: &MessageDescriptor,
    nullable: bool,
    bytes: &[u8],
    column: &mut Column,
    staged: &Staged,
) -> Result<(), At> {
    for (slot, span) in (staged.base..).zip(&staged.spans) {
        if nullable && column.valid[slot] == 0 {
            column.push_bytes(&[]).map_err(full)?;
            continue;
        }
        let position = (span.start() < bytes.len()).then_some(span.start());
        let text = json_text(message, staged.bytes(bytes, *span));
        let text = text.map_err(|why| (Fault::Json(why), position))?;
        column.push_bytes(&text).map_err(full)?;
    }
    Ok(())
}

fn json_text(message: &MessageDescriptor, encoded: &[u8]) -> Result<Vec<u8>, String> {
    let message = DynamicMessage::decode(message.clone(), encoded);
    let mut message = message.map_err(|error| error.to_string())?;
    tidy(&mut message);
    // A value of no kind has no JSON of its own.
    if message.descriptor().full_name() == "google.protobuf.Value" && encoded.is_empty() {
        return Ok(b"null".to_vec());
    }
    serde_json::to_vec(&message).map_err(|error| error.to_string())
}

/// Seconds and nanoseconds as one number of the column's unit.
#[inline(never)]
fn times(unit: TimeUnit, time: Time, column: &mut Column, staged: &Staged) -> Result<(), At> {
    for (slot, (seconds, nanos)) in (staged.base..).zip(&staged.times) {
        let value = if column.valid.get(slot) == Some(&0) {
            0
        } else {
            joined(unit, time, *seconds, *nanos).map_err(|why| (Fault::Time(why), None))?
        };
        column.push(value.to_le_bytes());
    }
    Ok(())
}

fn joined(unit: TimeUnit, time: Time, seconds: i64, nanos: i32) -> Result<i64, String> {
    let fits = match time {
        Time::Timestamp => (0..1_000_000_000).contains(&nanos),
        // Both parts of a duration have the same sign.
        Time::Duration => {
            nanos.unsigned_abs() < 1_000_000_000
                && (seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0))
        }
    };
    if !fits {
        return Err(format!(
            "{seconds} s with {nanos} ns is no valid {}",
            time.name()
        ));
    }
    let per_second = match unit {
        TimeUnit::Nanoseconds => 1_000_000_000,
        TimeUnit::Microseconds => 1_000_000,
    };
    let fraction = i64::from(nanos).div_euclid(1_000_000_000 / per_second);
    // As wide as needed: the seconds of the earliest instant alone do not fit.
    let value = i128::from(seconds) * i128::from(per_second) + i128::from(fraction);
    i64::try_from(value).map_err(|_| match unit {
        TimeUnit::Nanoseconds => format!(
            "a {} of {seconds} s does not fit in 64 bits of ns; the option `time.unit: us` has room for it",
            time.name()
        ),
        TimeUnit::Microseconds => {
            format!("a {} of {seconds} s does not fit in 64 bits of µs", time.name())
        }
    })
}

impl Time {
    fn name(self) -> &'static str {
        match self {
            Time::Timestamp => "timestamp",
            Time::Duration => "duration",
        }
    }
}

fn full(full: ColumnFull) -> At {
    (full.into(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_or_refused() {
        use Time::{Duration, Timestamp};
        use TimeUnit::{Microseconds, Nanoseconds};
        for (unit, time, seconds, nanos, expected) in [
            (Nanoseconds, Timestamp, 1, 5, Some(1_000_000_005)),
            (Nanoseconds, Timestamp, -1, 999_999_999, Some(-1)),
            (Nanoseconds, Timestamp, 0, -1, None),
            (Nanoseconds, Timestamp, 0, 1_000_000_000, None),
            (
                Nanoseconds,
                Timestamp,
                -9_223_372_037,
                145_224_192,
                Some(i64::MIN),
            ),
            (Nanoseconds, Timestamp, -9_223_372_037, 145_224_191, None),
            (
                Nanoseconds,
                Timestamp,
                9_223_372_036,
                854_775_807,
                Some(i64::MAX),
            ),
            (Nanoseconds, Timestamp, 9_223_372_036, 854_775_808, None),
            (Microseconds, Timestamp, -1, 999_999_999, Some(-1)),
            (
                Microseconds,
                Timestamp,
                253_402_300_799,
                999_999_999,
                Some(253_402_300_799_999_999),
            ),
            (Microseconds, Timestamp, i64::MAX, 0, None),
            (
                Nanoseconds,
                Duration,
                -1,
                -500_000_000,
                Some(-1_500_000_000),
            ),
            (Nanoseconds, Duration, 0, -5, Some(-5)),
            (Nanoseconds, Duration, 1, -5, None),
            (Microseconds, Duration, 0, -1, Some(-1)),
        ] {
            assert_eq!(
                joined(unit, time, seconds, nanos).ok(),
                expected,
                "{seconds} {nanos}"
            );
        }
    }
}

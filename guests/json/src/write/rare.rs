//! Values of types that are met seldom: they are written by themselves first.

use weir_guest::arrays::Integers;
use weir_guest::arrays::NumberFault;
use weir_guest::arrays::text::{
    push_base64, push_date, push_decimal, push_period, push_time, push_timestamp, push_uuid,
};
use weir_guest::lanes::{Lane, Short};

use super::bind::{Node, Values};
use super::compile::Interval;
use super::fault::{Fault, Stop};
use crate::types::Written;

impl Node<'_> {
    pub(super) fn write_rare(
        &self,
        before: Short,
        lanes: &mut [Lane],
        out: &mut [u8],
    ) -> Result<(), Stop> {
        let mut text = Vec::new();
        for lane in lanes {
            text.clear();
            self.push(lane.index, &mut text)?;
            before.put(lane, out);
            lane.put_slice(out, &text);
        }
        Ok(())
    }

    /// A value with the quote at its end, where it is a string.
    fn push(&self, row: usize, text: &mut Vec<u8>) -> Result<(), Stop> {
        let time = |pushed: Option<()>| pushed.ok_or_else(|| self.stop(Fault::Time));
        match &self.values {
            Values::Decimal(values, scale, written) => {
                let value = values.get(row);
                match written {
                    Written::Number | Written::Any => {
                        push_decimal(value, *scale, text);
                        return Ok(());
                    }
                    Written::Text => push_decimal(value, *scale, text),
                    Written::Base64 => unscaled(value, text),
                }
            }
            Values::Json(values) => {
                let value = values.get(row);
                // It is a plug-in that says that this is JSON.
                serde_json::from_slice::<serde::de::IgnoredAny>(value)
                    .map_err(|error| self.stop(Fault::Json(error.to_string())))?;
                text.extend_from_slice(value);
                return Ok(());
            }
            Values::Base64(values) => push_base64(values.get(row), text),
            Values::Base64Fixed(values) => push_base64(values.get(row), text),
            Values::Uuid(values) => push_uuid(values.get(row), text),
            Values::Date(values, per_day) => {
                let days = self.whole(*values, row)?.div_euclid(*per_day);
                time(push_date(days, text))?;
            }
            Values::Time(values, per_second) => {
                // RFC 3339 has no time without an offset, and JSON Schema's format follows it.
                time(push_time(self.whole(*values, row)?, *per_second, text))?;
                text.push(b'Z');
            }
            Values::Timestamp(values, per_second, instant) => {
                let value = self.whole(*values, row)?;
                time(push_timestamp(value, *per_second, *instant, text))?;
            }
            Values::Duration(values, per_second) => {
                push_period(0, 0, self.whole(*values, row)?, *per_second, text);
            }
            Values::Interval(values, interval) => {
                let (months, days, time, per_second) = parts(values.get(row), *interval);
                push_period(months, days, time, per_second, text);
            }
            _ => {}
        }
        text.push(b'"');
        Ok(())
    }

    fn whole(&self, values: Integers<'_>, row: usize) -> Result<i64, Stop> {
        let value = values.get(row);
        value.map_err(|value| self.number(NumberFault::Range(value.into())))
    }
}

/// The unscaled value in base64, big-endian and as short as can be, as Kafka Connect writes it.
fn unscaled(value: &[u8], out: &mut Vec<u8>) {
    let sign = if value.last().is_some_and(|last| *last >= 0x80) {
        0xff
    } else {
        0
    };
    let mut size = value.len();
    while size > 1 && value[size - 1] == sign && (value[size - 2] ^ sign) < 0x80 {
        size -= 1;
    }
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(value[..size].iter().rev()) {
        *to = *from;
    }
    push_base64(&bytes[..size], out);
}

/// Months, days, a time, and how much of that is a second.
fn parts(bytes: &[u8], interval: Interval) -> (i64, i64, i64, i64) {
    let (words, _) = bytes.as_chunks::<4>();
    let word = |at: usize| i64::from(i32::from_le_bytes(words[at]));
    match interval {
        Interval::Months => (word(0), 0, 0, 1),
        Interval::DaysMillis => (0, word(0), word(1), 1_000),
        Interval::MonthsDaysNanos => {
            let nanos = bytes
                .last_chunk()
                .map_or(0, |nanos| i64::from_le_bytes(*nanos));
            (word(0), word(1), nanos, 1_000_000_000)
        }
    }
}

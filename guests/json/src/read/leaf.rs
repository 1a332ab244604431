//! Values that hold no others, but for those that are read most.

use super::{
    Reader,
    exact::{decimal, decimal_text, integer, unscaled, uuid},
    string,
    wrong::{mismatch, not_a_timestamp, not_an_integer, out_of_range, quoted, shown, wanted},
};
use crate::{
    base64,
    input::{Input, Read},
    plan::Op,
    time::{self, Unit},
    types::Written,
};

impl Reader<'_> {
    /// What is rarer, or wrong.
    #[inline(never)]
    pub(super) fn uncommon(&mut self, input: &mut Input<'_>, op: Op, column: u32) -> Read<()> {
        let start = input.position();
        let found = match input.peek() {
            Some(b'"') => Found::Text,
            Some(b'-' | b'0'..=b'9') => Found::Number,
            _ => Found::Other,
        };
        let column = &mut self.columns[column as usize];
        let text = &mut self.scratch.text;
        match (op, found) {
            (Op::Json, _) => {
                input.skip()?;
                column.push_bytes(input.since(start))?;
            }
            (Op::Integer { bits, signed }, Found::Number) => {
                let number = input.number()?;
                let value = integer(number, bits, signed)
                    .map_err(|why| not_an_integer(input, start, number, why, bits, signed))?;
                column.push_slice(&value.to_le_bytes()[..usize::from(bits / 8)]);
            }
            (Op::Float32, Found::Number) => {
                let number = input.number()?;
                let value = number
                    .float32()
                    .ok_or_else(|| out_of_range(input, start, number, 32))?;
                column.push(value.to_le_bytes());
            }
            (
                Op::Decimal {
                    precision,
                    scale,
                    written,
                },
                Found::Number,
            ) if written.number() => {
                let number = input.number()?;
                let value = decimal(number, precision, scale)
                    .map_err(|what| input.fault_at(start, what))?;
                column.push(value.to_le_bytes());
            }
            (
                Op::Decimal {
                    precision,
                    scale,
                    written,
                },
                Found::Text,
            ) if !is_number(written) => {
                let digits = string(input, text)?;
                let value = match written {
                    Written::Base64 => unscaled(digits, precision),
                    _ => decimal_text(digits, precision, scale),
                };
                column.push(
                    value
                        .map_err(|what| input.fault_at(start, what))?
                        .to_le_bytes(),
                );
            }
            (Op::Binary, Found::Text) => {
                let digits = string(input, text)?;
                base64::decode(digits, &mut column.data).ok_or_else(|| {
                    input.fault_at(start, quoted("expected base64, found", digits))
                })?;
                column.push_bytes(&[])?;
            }
            (Op::Uuid, Found::Text) => {
                let digits = string(input, text)?;
                let value = uuid(digits).ok_or_else(|| {
                    input.fault_at(start, quoted("expected a UUID, found", digits))
                })?;
                column.push(value);
            }
            (Op::Date(written), Found::Text) if written.text() => {
                let digits = string(input, text)?;
                let what = "expected a date such as 2024-12-31, found";
                let value = time::date(digits)
                    .ok_or_else(|| input.fault_at(start, quoted(what, digits)))?;
                column.push(value.to_le_bytes());
            }
            (Op::Time(unit, written), Found::Text) if written.text() => {
                let digits = string(input, text)?;
                let what = "expected a time such as 23:59:59.999, found";
                let value = time::time(digits, unit)
                    .ok_or_else(|| input.fault_at(start, quoted(what, digits)))?;
                column.push_slice(&value.to_le_bytes()[..time_width(unit)]);
            }
            (Op::Timestamp { unit, utc, written }, Found::Text) if written.text() => {
                let digits = string(input, text)?;
                let value = time::timestamp(digits, unit, utc)
                    .ok_or_else(|| input.fault_at(start, not_a_timestamp(utc, digits)))?;
                column.push(value.to_le_bytes());
            }
            (Op::Date(written), Found::Number) if written.number() => {
                let number = input.number()?;
                let value = integer(number, 32, true)
                    .map_err(|why| not_an_integer(input, start, number, why, 32, true))?;
                column.push_slice(&value.to_le_bytes()[..4]);
            }
            (Op::Time(unit, written), Found::Number) if written.number() => {
                let number = input.number()?;
                let value = number.int64().ok();
                let day = 86_400 * unit.per_second();
                let value = value
                    .filter(|value| (0..day).contains(value))
                    .ok_or_else(|| {
                        let what = format!(
                            "expected a time of day below {day}, found {}",
                            shown(number.text())
                        );
                        input.fault_at(start, what)
                    })?;
                column.push_slice(&value.to_le_bytes()[..time_width(unit)]);
            }
            (Op::Timestamp { written, .. }, Found::Number) if written.number() => {
                let number = input.number()?;
                let value = number
                    .int64()
                    .map_err(|why| not_an_integer(input, start, number, why, 64, true))?;
                column.push(value.to_le_bytes());
            }
            _ => return Err(mismatch(input, wanted(op))),
        }
        Ok(())
    }
}

/// What a value begins as.
#[derive(Clone, Copy)]
enum Found {
    Text,
    Number,
    Other,
}

fn is_number(written: Written) -> bool {
    written == Written::Number
}

fn time_width(unit: Unit) -> usize {
    match unit {
        Unit::Second | Unit::Milli => 4,
        Unit::Micro | Unit::Nano => 8,
    }
}

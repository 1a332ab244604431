//! Values to bytes.

use prost::Message as _;
use prost_reflect::DynamicMessage;
use weir_guest::RowBatch;
use weir_guest::arrays::{Integers, NumberFault, Validity, exact_double, half};
use weir_guest::confluent::PayloadBuilder;

use crate::editions::tidy;

use super::bind::{Bind, Bound, BoundField, BoundForm, Items, Values};
use super::compile::{Bounds, Enum, WritePlan};
use super::fault::{Fault, Stop};
use super::text::{seconds, time_text, whole, wide_text};
use super::wire::{END_GROUP, FIXED32, FIXED64, GROUP, LEN, VARINT, bytes, delimited, tag, varint};

/// Writes all rows of a batch.
pub(super) fn rows(plan: &WritePlan, rows: &RowBatch, payloads: &mut PayloadBuilder) {
    let bind = Bind {
        fields: &plan.fields,
        arrays: &rows.arrays,
    };
    let message = bind.message(&plan.message);
    let key = plan.key.and_then(|key| Validity::of(&rows.arrays[key]));
    for row in 0..rows.len as usize {
        if key.is_none_or(|key| key.is_valid(row)) {
            payloads.row(|out| message.write(row, out).map_err(|stop| stop.reason(plan)));
        } else {
            payloads.null();
        }
    }
}

impl Bound<'_> {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), Stop> {
        for (name, members) in &self.plan.oneofs {
            let is_there = |member: &&usize| self.fields[**member].is_there(row);
            let mut there = members.iter().filter(is_there);
            if let (Some(_), Some(second)) = (there.next(), there.next()) {
                return Err(Stop {
                    column: self.fields[*second].column,
                    fault: Fault::Oneof(name.clone()),
                });
            }
        }
        self.fields
            .iter()
            .try_for_each(|field| field.write(row, out))
    }
}

impl BoundField<'_> {
    fn is_there(&self, row: usize) -> bool {
        self.validity.is_none_or(|validity| validity.is_valid(row))
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), Stop> {
        if !self.is_there(row) {
            return match self.form {
                BoundForm::Single { required: true, .. } => {
                    let (column, fault) = (self.column, Fault::Required);
                    Err(Stop { column, fault })
                }
                _ => Ok(()),
            };
        }
        match &self.form {
            BoundForm::Single {
                value, implicit, ..
            } => {
                let start = out.len();
                tag(self.number, value.wire_type(), out);
                let before = out.len();
                value.write(self.column, self.number, row, out)?;
                // The default of each type is zeros: of bytes, their length.
                if *implicit && out[before..].iter().all(|byte| *byte == 0) {
                    out.truncate(start);
                }
            }
            BoundForm::Repeated(lists, items) => {
                for item in lists.get(row) {
                    tag(self.number, items.values.wire_type(), out);
                    items.write(self.number, item, out)?;
                }
            }
            BoundForm::Packed(lists, items) => {
                let range = lists.get(row);
                if !range.is_empty() {
                    tag(self.number, LEN, out);
                    delimited(out, |out| {
                        range
                            .into_iter()
                            .try_for_each(|item| items.write(self.number, item, out))
                    })?;
                }
            }
            BoundForm::Map(lists, keys, values) => {
                for entry in lists.get(row) {
                    tag(self.number, LEN, out);
                    delimited(out, |out| {
                        tag(1, keys.values.wire_type(), out);
                        keys.write(1, entry, out)?;
                        tag(2, values.values.wire_type(), out);
                        values.write(2, entry, out)
                    })?;
                }
            }
        }
        Ok(())
    }
}

impl Items<'_> {
    fn write(&self, number: u32, row: usize, out: &mut Vec<u8>) -> Result<(), Stop> {
        if self
            .validity
            .is_some_and(|validity| !validity.is_valid(row))
        {
            let (column, fault) = (self.column, Fault::Null);
            return Err(Stop { column, fault });
        }
        self.values.write(self.column, number, row, out)
    }
}

impl Values<'_> {
    fn wire_type(&self) -> u32 {
        match self {
            Self::Bool(_) | Self::Varint(..) | Self::Zigzag(..) | Self::Enum(..) => VARINT,
            Self::Fixed32(..) | Self::Four(_) | Self::HalfToFloat(_) => FIXED32,
            Self::Fixed64(..)
            | Self::Eight(_)
            | Self::FloatToDouble(_)
            | Self::IntegerToDouble(_) => FIXED64,
            Self::Group(_) | Self::Json(_, _, true) => GROUP,
            _ => LEN,
        }
    }

    /// Writes the value of a row, whose tag is written already.
    fn write(&self, column: usize, number: u32, row: usize, out: &mut Vec<u8>) -> Result<(), Stop> {
        let stop = |fault| Stop { column, fault };
        match self {
            Self::Bool(bits) => out.push(u8::from(bits.get(row))),
            Self::Varint(values, bounds) => {
                varint(bounds.get(*values, row).map_err(stop)?, out);
            }
            Self::Zigzag(values, bounds) => {
                let value = bounds.get(*values, row).map_err(stop)?.cast_signed();
                varint((value << 1 ^ value >> 63).cast_unsigned(), out);
            }
            Self::Fixed32(values, bounds) => {
                let value = bounds.get(*values, row).map_err(stop)?;
                out.extend_from_slice(&value.to_le_bytes()[..4]);
            }
            Self::Fixed64(values, bounds) => {
                let value = bounds.get(*values, row).map_err(stop)?;
                out.extend_from_slice(&value.to_le_bytes());
            }
            Self::Four(values) => out.extend_from_slice(&values[row]),
            Self::Eight(values) => out.extend_from_slice(&values[row]),
            Self::HalfToFloat(values) => {
                let value = half(u16::from_le_bytes(values[row]));
                out.extend_from_slice(&value.to_le_bytes());
            }
            Self::FloatToDouble(values) => {
                let value = f64::from(f32::from_le_bytes(values[row]));
                out.extend_from_slice(&value.to_le_bytes());
            }
            Self::IntegerToDouble(values) => {
                let value = whole(*values, row).map_err(stop)?;
                let double = exact_double(value);
                let double =
                    double.ok_or_else(|| stop(Fault::Number(NumberFault::Inexact(value))))?;
                out.extend_from_slice(&double.to_le_bytes());
            }
            Self::Bytes(values) => bytes(values.get(row), out),
            Self::FixedBytes(values) => bytes(values.get(row), out),
            Self::Text(values, text) => delimited(out, |out| {
                wide_text(values.get(row), *text, out);
                Ok::<_, Stop>(())
            })?,
            Self::Time(values, text) => {
                let value = whole(*values, row).map_err(stop)?;
                delimited(out, |out| {
                    time_text(value, *text, out).ok_or_else(|| stop(Fault::Time))
                })?;
            }
            Self::Enum(values, names) => {
                let name = values.get(row);
                let number = names.number(name).ok_or_else(|| stop(Fault::name(name)))?;
                varint(i64::from(number).cast_unsigned(), out);
            }
            Self::Message(message) => delimited(out, |out| message.write(row, out))?,
            Self::Group(message) => {
                message.write(row, out)?;
                tag(number, END_GROUP, out);
            }
            Self::Seconds(values, per_second, is_duration) => {
                let value = whole(*values, row).map_err(stop)?;
                delimited(out, |out| {
                    seconds(value, *per_second, *is_duration, out);
                    Ok::<_, Stop>(())
                })?;
            }
            Self::Wrapped(value) => delimited(out, |out| {
                let start = out.len();
                tag(1, value.wire_type(), out);
                let before = out.len();
                value.write(column, 1, row, out)?;
                if out[before..].iter().all(|byte| *byte == 0) {
                    out.truncate(start);
                }
                Ok(())
            })?,
            Self::Json(values, message, is_group) => {
                let json = |why: String| stop(Fault::Json(why));
                let mut text = serde_json::Deserializer::from_slice(values.get(row));
                let mut message = DynamicMessage::deserialize((*message).clone(), &mut text)
                    .map_err(|error| json(error.to_string()))?;
                tidy(&mut message);
                text.end().map_err(|error| json(error.to_string()))?;
                let encoded = message.encode_to_vec();
                if *is_group {
                    out.extend_from_slice(&encoded);
                    tag(number, END_GROUP, out);
                } else {
                    bytes(&encoded, out);
                }
            }
        }
        Ok(())
    }
}

impl Bounds {
    /// The bits of a number that is within.
    fn get(self, values: Integers<'_>, row: usize) -> Result<u64, Fault> {
        let value = match values.get(row) {
            Ok(value) => value,
            Err(large) if self == Self::U64 => return Ok(large),
            Err(large) => return Err(Fault::Number(NumberFault::Range(large.into()))),
        };
        let fits = match self {
            Self::I32 => i32::try_from(value).is_ok(),
            Self::U32 => u32::try_from(value).is_ok(),
            Self::I64 => true,
            Self::U64 => value >= 0,
        };
        if fits {
            Ok(value.cast_unsigned())
        } else {
            Err(Fault::Number(NumberFault::Range(value.into())))
        }
    }
}

impl Enum {
    /// The number of a name, or of what is a number already: open enums have such values.
    fn number(&self, name: &[u8]) -> Option<i32> {
        self.numbers
            .get(name)
            .copied()
            .or_else(|| std::str::from_utf8(name).ok()?.parse().ok())
    }
}

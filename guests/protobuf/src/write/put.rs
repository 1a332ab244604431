//! Values to bytes.

use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use weir_guest::RowBatch;
use weir_guest::arrays::text::{
    push_date, push_decimal, push_period, push_time, push_timestamp, push_uuid,
};
use weir_guest::arrays::{
    Bits, Integers, Lists, NumberFault, Validity, Variable, Wide, exact_double, fixed, half, path,
};
use weir_guest::confluent::PayloadBuilder;
use weir_guest::rows::{Array, Field};

use crate::editions::tidy;

use super::compile::{Bounds, Enum, Form, Message, Text, Value, WritePlan};

/// Wire types.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LEN: u32 = 2;
const GROUP: u32 = 3;
const END_GROUP: u32 = 4;
const FIXED32: u32 = 5;

/// A message with the values of its fields.
struct Bound<'a> {
    fields: Vec<BoundField<'a>>,
    plan: &'a Message,
}

struct BoundField<'a> {
    column: usize,
    validity: Option<Validity<'a>>,
    number: u32,
    form: BoundForm<'a>,
}

enum BoundForm<'a> {
    Single {
        value: Values<'a>,
        implicit: bool,
        required: bool,
    },
    Repeated(Lists<'a>, Items<'a>),
    Packed(Lists<'a>, Items<'a>),
    Map(Lists<'a>, Items<'a>, Items<'a>),
}

/// The values of a list, or the keys or values of a map.
struct Items<'a> {
    column: usize,
    validity: Option<Validity<'a>>,
    values: Values<'a>,
}

enum Values<'a> {
    Bool(Bits<'a>),
    Varint(Integers<'a>, Bounds),
    Zigzag(Integers<'a>, Bounds),
    Fixed32(Integers<'a>, Bounds),
    Fixed64(Integers<'a>, Bounds),
    Four(&'a [[u8; 4]]),
    Eight(&'a [[u8; 8]]),
    HalfToFloat(&'a [[u8; 2]]),
    FloatToDouble(&'a [[u8; 4]]),
    IntegerToDouble(Integers<'a>),
    Bytes(Variable<'a>),
    FixedBytes(Wide<'a>),
    Text(Wide<'a>, Text),
    Time(Integers<'a>, Text),
    Enum(Variable<'a>, &'a Enum),
    Message(Box<Bound<'a>>),
    Group(Box<Bound<'a>>),
    Seconds(Integers<'a>, i64, bool),
    Wrapped(Box<Values<'a>>),
    Json(Variable<'a>, &'a MessageDescriptor, bool),
}

struct Stop {
    column: usize,
    fault: Fault,
}

enum Fault {
    Null,
    Required,
    Number(NumberFault),
    Name(String),
    Oneof(String),
    Time,
    Json(String),
}

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

struct Bind<'a> {
    fields: &'a [Field],
    arrays: &'a [Array],
}

impl<'a> Bind<'a> {
    fn message(&self, plan: &'a Message) -> Bound<'a> {
        let fields = plan.fields.iter().map(|field| {
            let array = &self.arrays[field.column];
            BoundField {
                column: field.column,
                validity: Validity::of(array),
                number: field.number,
                form: match &field.form {
                    Form::Single {
                        value,
                        implicit,
                        required,
                    } => BoundForm::Single {
                        value: self.values(value, field.column),
                        implicit: *implicit,
                        required: *required,
                    },
                    Form::Repeated { item, value } => {
                        BoundForm::Repeated(Lists::of(array), self.items(value, *item))
                    }
                    Form::Packed { item, value } => {
                        BoundForm::Packed(Lists::of(array), self.items(value, *item))
                    }
                    Form::Map { key, value } => BoundForm::Map(
                        Lists::of(array),
                        self.items(&key.1, key.0),
                        self.items(&value.1, value.0),
                    ),
                },
            }
        });
        Bound {
            fields: fields.collect(),
            plan,
        }
    }

    fn items(&self, value: &'a Value, column: usize) -> Items<'a> {
        Items {
            column,
            validity: Validity::of(&self.arrays[column]),
            values: self.values(value, column),
        }
    }

    fn values(&self, value: &'a Value, column: usize) -> Values<'a> {
        let array = &self.arrays[column];
        // The compiler lets numbers come from columns of numbers only.
        let integers = || {
            let format = &self.fields[column].format;
            Integers::of(format, array).unwrap_or(Integers::I64(&[]))
        };
        match value {
            Value::Bool => Values::Bool(Bits::of(array)),
            Value::Varint(bounds) => Values::Varint(integers(), *bounds),
            Value::Zigzag(bounds) => Values::Zigzag(integers(), *bounds),
            Value::Fixed32(bounds) => Values::Fixed32(integers(), *bounds),
            Value::Fixed64(bounds) => Values::Fixed64(integers(), *bounds),
            Value::Float => Values::Four(fixed(array)),
            Value::Double => Values::Eight(fixed(array)),
            Value::HalfToFloat => Values::HalfToFloat(fixed(array)),
            Value::FloatToDouble => Values::FloatToDouble(fixed(array)),
            Value::IntegerToDouble => Values::IntegerToDouble(integers()),
            Value::Bytes => Values::Bytes(Variable::of(array)),
            Value::FixedBytes(width) => Values::FixedBytes(Wide::of(array, *width)),
            Value::Text(text) => match text {
                Text::Uuid | Text::MonthsDaysNanos => Values::Text(Wide::of(array, 16), *text),
                Text::Decimal { width, .. } => Values::Text(Wide::of(array, *width), *text),
                Text::Months => Values::Text(Wide::of(array, 4), *text),
                Text::DaysMillis => Values::Text(Wide::of(array, 8), *text),
                Text::Date(_) | Text::Time(_) | Text::LocalTimestamp(_) => {
                    Values::Time(integers(), *text)
                }
            },
            Value::Enum(names) => Values::Enum(Variable::of(array), names),
            Value::Message(message) => Values::Message(Box::new(self.message(message))),
            Value::Group(message) => Values::Group(Box::new(self.message(message))),
            Value::Seconds(per_second, is_duration) => {
                Values::Seconds(integers(), *per_second, *is_duration)
            }
            Value::Wrapped(value) => Values::Wrapped(Box::new(self.values(value, column))),
            Value::Json(message, is_group) => Values::Json(Variable::of(array), message, *is_group),
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

fn whole(values: Integers<'_>, row: usize) -> Result<i64, Fault> {
    let large = |value: u64| Fault::Number(NumberFault::Range(value.into()));
    values.get(row).map_err(large)
}

/// Seconds and nanoseconds. Those of an instant are never negative; those of a duration have the
/// sign of its seconds.
fn seconds(value: i64, per_second: i64, is_duration: bool, out: &mut Vec<u8>) {
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

fn wide_text(value: &[u8], text: Text, out: &mut Vec<u8>) {
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

fn time_text(value: i64, text: Text, out: &mut Vec<u8>) -> Option<()> {
    match text {
        Text::Date(per_day) => push_date(value.div_euclid(per_day), out),
        Text::Time(per_second) => push_time(value, per_second, out),
        Text::LocalTimestamp(per_second) => push_timestamp(value, per_second, false, out),
        _ => None,
    }
}

#[inline(always)]
fn tag(number: u32, wire_type: u32, out: &mut Vec<u8>) {
    varint((number << 3 | wire_type).into(), out);
}

/// Seven bits a byte.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the lowest bits are meant")]
pub(super) fn varint(mut bits: u64, out: &mut Vec<u8>) {
    while bits >= 0x80 {
        out.push(bits as u8 | 0x80);
        bits >>= 7;
    }
    out.push(bits as u8);
}

/// A length, and so many bytes.
fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// What is written, after its length, which nearly always takes the one byte that is left for it.
fn delimited<E>(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let at = out.len();
    out.push(0);
    write(out)?;
    let start = at + 1;
    let length = out.len() - start;
    if let Ok(length @ 0..0x80) = u8::try_from(length) {
        out[at] = length;
        return Ok(());
    }
    let mut bits = length as u64;
    let size = (64 - bits.leading_zeros()).div_ceil(7) as usize;
    out.resize(out.len() + size - 1, 0);
    out.copy_within(start..start + length, at + size);
    for byte in &mut out[at..at + size] {
        let [low, ..] = bits.to_le_bytes();
        bits >>= 7;
        *byte = low & 0x7f | if bits > 0 { 0x80 } else { 0 };
    }
    Ok(())
}

impl Fault {
    fn name(value: &[u8]) -> Self {
        let mut shown = String::from_utf8_lossy(value).into_owned();
        shown.truncate(shown.floor_char_boundary(100));
        Self::Name(shown)
    }
}

impl Stop {
    #[cold]
    fn reason(self, plan: &WritePlan) -> String {
        let what = match self.fault {
            Fault::Null => "null, and Protobuf has no nulls in lists and maps".to_owned(),
            Fault::Required => "null, and the field is required".to_owned(),
            Fault::Number(NumberFault::Range(value)) => {
                format!("{value} is out of the range of the field's type")
            }
            Fault::Number(NumberFault::Inexact(value)) => {
                format!("{value} would lose digits in the field's type")
            }
            Fault::Name(value) => format!("`{value}` is no name of the enum"),
            Fault::Oneof(name) => format!("another member of the oneof `{name}` is there too"),
            Fault::Time => {
                "ISO 8601 has no text for it: years are 0 to 9999, and days have 24 hours"
                    .to_owned()
            }
            Fault::Json(why) => why,
        };
        format!("column `{}`: {what}", path(&plan.fields, self.column))
    }
}

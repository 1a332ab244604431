//! Values to text.

use weir_guest::RowBatch;
use weir_guest::arrays::text::{
    push_base64, push_date, push_decimal, push_period, push_text, push_time, push_timestamp,
    push_uuid, signed, unsigned,
};
use weir_guest::arrays::{
    Bits, Integers, Lists, NumberFault, Scale, Validity, Variable, Wide, fixed, half, path,
};
use weir_guest::confluent::PayloadBuilder;
use weir_guest::rows::{Array, Field};

use super::compile::{Interval, Member, Null, Op, Root, Step, WritePlan};
use crate::types::Written;

/// One step with the values that it takes.
struct Node<'a> {
    field: usize,
    validity: Option<Validity<'a>>,
    null: Null,
    values: Values<'a>,
}

enum Values<'a> {
    Null,
    Boolean(Bits<'a>),
    /// As they are, whatever their size.
    Plain(Integers<'a>),
    Integer(Integers<'a>, Scale),
    Float32(&'a [[u8; 4]]),
    Float64(&'a [[u8; 8]]),
    Half(&'a [[u8; 2]]),
    Decimal(Wide<'a>, i32, Written),
    Text(Variable<'a>),
    Json(Variable<'a>),
    Base64(Variable<'a>),
    Base64Fixed(Wide<'a>),
    Uuid(Wide<'a>),
    Date(Integers<'a>, i64),
    Time(Integers<'a>, i64),
    Timestamp(Integers<'a>, i64, bool),
    Duration(Integers<'a>, i64),
    Interval(Wide<'a>, Interval),
    List(Lists<'a>, Box<Node<'a>>),
    Map(Lists<'a>, Keys<'a>, Box<Node<'a>>),
    Object(Vec<(&'a [u8], Node<'a>)>),
}

enum Keys<'a> {
    Text(Variable<'a>),
    Boolean(Bits<'a>),
    Integer(Integers<'a>),
}

struct Stop {
    field: usize,
    fault: Fault,
}

enum Fault {
    Null,
    Number(NumberFault),
    Float,
    Time,
    Json(String),
}

/// Writes all rows of a batch.
pub(super) fn rows(plan: &WritePlan, rows: &RowBatch, payloads: &mut PayloadBuilder) {
    let count = rows.len as usize;
    let reason = |stop: Stop| stop.reason(plan);
    let valid = |text: &[u8]| match &plan.validator {
        None => Ok(()),
        Some(validator) => validator.reason(text).map_or(Ok(()), Err),
    };
    match &plan.root {
        Root::Columns(members) => {
            let nodes = bind_members(members, &plan.fields, &rows.arrays);
            for row in 0..count {
                payloads.row(|out| {
                    let start = out.len();
                    object(&nodes, row, out).map_err(reason)?;
                    valid(&out[start..])
                });
            }
        }
        Root::Value(step) => {
            let node = Node::bind(step, &plan.fields, &rows.arrays);
            for row in 0..count {
                if node.validity.is_none_or(|validity| validity.is_valid(row)) {
                    payloads.row(|out| {
                        let start = out.len();
                        node.write_value(row, out).map_err(reason)?;
                        valid(&out[start..])
                    });
                } else {
                    payloads.null();
                }
            }
        }
    }
}

fn bind_members<'a>(
    members: &'a [Member],
    fields: &'a [Field],
    arrays: &'a [Array],
) -> Vec<(&'a [u8], Node<'a>)> {
    let members = members.iter();
    members
        .map(|member| {
            let node = Node::bind(&member.step, fields, arrays);
            (member.name.as_slice(), node)
        })
        .collect()
}

fn object(members: &[(&[u8], Node<'_>)], row: usize, out: &mut Vec<u8>) -> Result<(), Stop> {
    out.push(b'{');
    let start = out.len();
    for (name, node) in members {
        let is_there = node.validity.is_none_or(|validity| validity.is_valid(row));
        if !is_there && node.null == Null::Omitted {
            continue;
        }
        if out.len() > start {
            out.push(b',');
        }
        out.extend_from_slice(name);
        node.write(row, out)?;
    }
    out.push(b'}');
    Ok(())
}

impl<'a> Node<'a> {
    fn bind(step: &'a Step, fields: &'a [Field], arrays: &'a [Array]) -> Self {
        let array = &arrays[step.field];
        let integers = |values: fn(Integers<'a>) -> Values<'a>| {
            Integers::of(&fields[step.field].format, array).map_or(Values::Null, values)
        };
        let of = |make: &dyn Fn(Integers<'a>) -> Values<'a>| {
            Integers::of(&fields[step.field].format, array).map_or(Values::Null, make)
        };
        let values = match &step.op {
            Op::Null => Values::Null,
            Op::Boolean => Values::Boolean(Bits::of(array)),
            Op::Integer(scale) if *scale == Scale::LONG => integers(Values::Plain),
            Op::Integer(scale) => of(&|values| Values::Integer(values, *scale)),
            Op::Float32 => Values::Float32(fixed(array)),
            Op::Float64 => Values::Float64(fixed(array)),
            Op::Half => Values::Half(fixed(array)),
            Op::Decimal(scale, width, written) => {
                Values::Decimal(Wide::of(array, *width), *scale, *written)
            }
            Op::Text => Values::Text(Variable::of(array)),
            Op::Json => Values::Json(Variable::of(array)),
            Op::Base64 => Values::Base64(Variable::of(array)),
            Op::Base64Fixed(width) => Values::Base64Fixed(Wide::of(array, *width)),
            Op::Uuid => Values::Uuid(Wide::of(array, 16)),
            Op::Date(per_day) => of(&|values| Values::Date(values, *per_day)),
            Op::Time(per_second) => of(&|values| Values::Time(values, *per_second)),
            Op::Timestamp(per_second, instant) => {
                of(&|values| Values::Timestamp(values, *per_second, *instant))
            }
            Op::Duration(per_second) => of(&|values| Values::Duration(values, *per_second)),
            Op::Interval(interval) => {
                let width = match interval {
                    Interval::Months => 4,
                    Interval::DaysMillis => 8,
                    Interval::MonthsDaysNanos => 16,
                };
                Values::Interval(Wide::of(array, width), *interval)
            }
            Op::List(item) => {
                Values::List(Lists::of(array), Box::new(Self::bind(item, fields, arrays)))
            }
            Op::Map(key, value) => {
                let keys = match fields[*key].format.as_str() {
                    "b" => Keys::Boolean(Bits::of(&arrays[*key])),
                    format => match Integers::of(format, &arrays[*key]) {
                        Some(keys) => Keys::Integer(keys),
                        None => Keys::Text(Variable::of(&arrays[*key])),
                    },
                };
                let value = Box::new(Self::bind(value, fields, arrays));
                Values::Map(Lists::of(array), keys, value)
            }
            Op::Object(members) => Values::Object(bind_members(members, fields, arrays)),
        };
        Self {
            field: step.field,
            validity: Validity::of(array),
            null: step.null,
            values,
        }
    }

    #[inline]
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), Stop> {
        if let Some(validity) = self.validity
            && !validity.is_valid(row)
        {
            if self.null == Null::Refused {
                return Err(self.stop(Fault::Null));
            }
            out.extend_from_slice(b"null");
            return Ok(());
        }
        self.write_value(row, out)
    }

    fn write_value(&self, row: usize, out: &mut Vec<u8>) -> Result<(), Stop> {
        match &self.values {
            Values::Null => out.extend_from_slice(b"null"),
            Values::Boolean(bits) => out.extend_from_slice(match bits.get(row) {
                true => b"true",
                false => b"false",
            }),
            Values::Plain(values) => plain(*values, row, out),
            Values::Integer(values, scale) => {
                let number = scale.get(*values, row);
                signed(
                    number.map_err(|fault| self.stop(Fault::Number(fault)))?,
                    out,
                );
            }
            Values::Float32(values) => self.float32(f32::from_le_bytes(values[row]), out)?,
            Values::Half(values) => self.float32(half(u16::from_le_bytes(values[row])), out)?,
            Values::Float64(values) => {
                let value = f64::from_le_bytes(values[row]);
                self.finite(value.is_finite())?;
                self.number(serde_json::to_writer(&mut *out, &value))?;
            }
            Values::Decimal(values, scale, written) => {
                let value = values.get(row);
                match written {
                    Written::Number | Written::Any => push_decimal(value, *scale, out),
                    Written::Text => {
                        out.push(b'"');
                        push_decimal(value, *scale, out);
                        out.push(b'"');
                    }
                    Written::Base64 => unscaled(value, out),
                }
            }
            Values::Text(values) => push_text(values.get(row), out),
            Values::Json(values) => {
                let text = values.get(row);
                // It is a plug-in that says that this is JSON.
                serde_json::from_slice::<serde::de::IgnoredAny>(text)
                    .map_err(|error| self.stop(Fault::Json(error.to_string())))?;
                out.extend_from_slice(text);
            }
            Values::Base64(values) => push_base64(values.get(row), out),
            Values::Base64Fixed(values) => push_base64(values.get(row), out),
            Values::Uuid(values) => self.quoted(out, |out| {
                push_uuid(values.get(row), out);
                Some(())
            })?,
            Values::Date(values, per_day) => {
                let days = self.whole(*values, row)?.div_euclid(*per_day);
                self.quoted(out, |out| push_date(days, out))?;
            }
            Values::Time(values, per_second) => {
                let time = self.whole(*values, row)?;
                // RFC 3339 has no time without an offset, and JSON Schema's format follows it.
                self.quoted(out, |out| {
                    push_time(time, *per_second, out)?;
                    out.push(b'Z');
                    Some(())
                })?;
            }
            Values::Timestamp(values, per_second, instant) => {
                let time = self.whole(*values, row)?;
                self.quoted(out, |out| push_timestamp(time, *per_second, *instant, out))?;
            }
            Values::Duration(values, per_second) => {
                let time = self.whole(*values, row)?;
                self.quoted(out, |out| {
                    push_period(0, 0, time, *per_second, out);
                    Some(())
                })?;
            }
            Values::Interval(values, interval) => {
                let (months, days, time, per_second) = parts(values.get(row), *interval);
                self.quoted(out, |out| {
                    push_period(months, days, time, per_second, out);
                    Some(())
                })?;
            }
            Values::List(lists, item) => {
                out.push(b'[');
                for (at, row) in lists.get(row).enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    item.write(row, out)?;
                }
                out.push(b']');
            }
            Values::Map(lists, keys, value) => {
                out.push(b'{');
                for (at, row) in lists.get(row).enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    keys.write(row, out);
                    out.push(b':');
                    value.write(row, out)?;
                }
                out.push(b'}');
            }
            Values::Object(members) => object(members, row, out)?,
        }
        Ok(())
    }

    fn float32(&self, value: f32, out: &mut Vec<u8>) -> Result<(), Stop> {
        self.finite(value.is_finite())?;
        self.number(serde_json::to_writer(out, &value))
    }

    fn finite(&self, is_finite: bool) -> Result<(), Stop> {
        if is_finite {
            Ok(())
        } else {
            Err(self.stop(Fault::Float))
        }
    }

    fn number(&self, written: serde_json::Result<()>) -> Result<(), Stop> {
        written.map_err(|error| self.stop(Fault::Json(error.to_string())))
    }

    fn whole(&self, values: Integers<'_>, row: usize) -> Result<i64, Stop> {
        values
            .get(row)
            .map_err(|value| self.stop(Fault::Number(NumberFault::Range(value.into()))))
    }

    fn quoted(
        &self,
        out: &mut Vec<u8>,
        push: impl FnOnce(&mut Vec<u8>) -> Option<()>,
    ) -> Result<(), Stop> {
        out.push(b'"');
        push(out).ok_or_else(|| self.stop(Fault::Time))?;
        out.push(b'"');
        Ok(())
    }

    #[cold]
    fn stop(&self, fault: Fault) -> Stop {
        let field = self.field;
        Stop { field, fault }
    }
}

impl Keys<'_> {
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Text(keys) => push_text(keys.get(row), out),
            Self::Boolean(keys) => out.extend_from_slice(match keys.get(row) {
                true => b"\"true\"",
                false => b"\"false\"",
            }),
            Self::Integer(keys) => {
                out.push(b'"');
                plain(*keys, row, out);
                out.push(b'"');
            }
        }
    }
}

fn plain(values: Integers<'_>, row: usize, out: &mut Vec<u8>) {
    match values.get(row) {
        Ok(value) => signed(value, out),
        Err(large) => unsigned(large, out),
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

impl Stop {
    #[cold]
    fn reason(self, plan: &WritePlan) -> String {
        let what = match self.fault {
            Fault::Null => "null, and the schema has no null there".to_owned(),
            Fault::Number(NumberFault::Range(value)) => {
                format!("{value} is out of the range of the schema's type")
            }
            Fault::Number(NumberFault::Inexact(value)) => {
                format!("{value} would lose digits in the schema's type")
            }
            Fault::Float => "NaN and the infinities are no numbers of JSON".to_owned(),
            Fault::Time => {
                "RFC 3339 has no text for it: years are 0 to 9999, and days have 24 hours"
                    .to_owned()
            }
            Fault::Json(why) => format!("not JSON: {why}"),
        };
        format!("column `{}`: {what}", path(&plan.fields, self.field))
    }
}

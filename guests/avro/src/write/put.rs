//! Values to bytes.

use weir_guest::RowBatch;
use weir_guest::arrays::text::push_uuid;
use weir_guest::arrays::{Integers, NumberFault, exact_double, half, path};
use weir_guest::confluent::PayloadBuilder;

use super::bind::{Node, Values};
use super::compile::{Interval, Root, WritePlan};
use super::json::Style;

/// What is wrong with a value, and in which column.
pub(super) struct Stop {
    field: usize,
    fault: Fault,
}

enum Fault {
    Null,
    Number(NumberFault),
    Symbol(String),
    Size(usize, usize),
    Decimal,
    Duration,
    Branches(usize),
    Json(String),
}

/// Writes all rows of a batch.
pub(super) fn rows(plan: &WritePlan, rows: &RowBatch, payloads: &mut PayloadBuilder) {
    let bind = |step| Node::bind(step, &plan.fields, &rows.arrays);
    let count = rows.len as usize;
    match &plan.root {
        Root::Columns(steps) => {
            let nodes: Vec<Node<'_>> = steps.iter().map(bind).collect();
            for row in 0..count {
                payloads.row(|out| {
                    nodes
                        .iter()
                        .try_for_each(|node| node.write(row, out))
                        .map_err(|stop| stop.reason(plan))
                });
            }
        }
        Root::Value(step) => {
            let node = bind(step);
            for row in 0..count {
                if node.validity.is_none_or(|validity| validity.is_valid(row)) {
                    payloads.row(|out| node.write(row, out).map_err(|stop| stop.reason(plan)));
                } else {
                    payloads.null();
                }
            }
        }
    }
}

impl Node<'_> {
    #[inline]
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), Stop> {
        if let Some(validity) = self.validity
            && !validity.is_valid(row)
        {
            let null = self.null.ok_or_else(|| self.stop(Fault::Null))?;
            long(null, out);
            return Ok(());
        }
        if let Some(branch) = self.branch {
            long(branch, out);
        }
        self.write_value(row, out)
    }

    fn write_value(&self, row: usize, out: &mut Vec<u8>) -> Result<(), Stop> {
        match &self.values {
            Values::Null => {}
            Values::Boolean(bits) => out.push(u8::from(bits.get(row))),
            Values::Int(values) => long(i32::from_le_bytes(values[row]).into(), out),
            Values::Long(values) => long(i64::from_le_bytes(values[row]), out),
            Values::Integer(values, scale) => {
                let number = scale.get(*values, row);
                long(
                    number.map_err(|fault| self.stop(Fault::Number(fault)))?,
                    out,
                );
            }
            Values::Four(values) => out.extend_from_slice(&values[row]),
            Values::Eight(values) => out.extend_from_slice(&values[row]),
            Values::HalfToFloat(values) => {
                let value = half(u16::from_le_bytes(values[row]));
                out.extend_from_slice(&value.to_le_bytes());
            }
            Values::FloatToDouble(values) => {
                let value = f64::from(f32::from_le_bytes(values[row]));
                out.extend_from_slice(&value.to_le_bytes());
            }
            Values::IntegerToDouble(values) => {
                let value = self.double(*values, row)?;
                out.extend_from_slice(&value.to_le_bytes());
            }
            Values::Bytes(values) => text(values.get(row), out),
            Values::FixedAsBytes(values) => text(values.get(row), out),
            Values::UuidText(values) => {
                long(36, out);
                push_uuid(values.get(row), out);
            }
            Values::Fixed(values) => out.extend_from_slice(values.get(row)),
            Values::BytesAsFixed(values, size) => {
                let value = values.get(row);
                if value.len() != *size {
                    return Err(self.stop(Fault::Size(value.len(), *size)));
                }
                out.extend_from_slice(value);
            }
            Values::Enum(values, symbols) => {
                let value = values.get(row);
                let found = symbols.binary_search_by(|(name, _)| name.as_bytes().cmp(value));
                let found = found.map_err(|_| self.stop(Fault::symbol(value)))?;
                long(symbols[found].1, out);
            }
            Values::Decimal(values, decimal) => decimal
                .write(values.get(row), out)
                .map_err(|_| self.stop(Fault::Decimal))?,
            Values::Duration(values, interval) => {
                let parts = duration(values.get(row), *interval);
                let parts = parts.ok_or_else(|| self.stop(Fault::Duration))?;
                for part in parts {
                    out.extend_from_slice(&part.to_le_bytes());
                }
            }
            Values::List(lists, item) => {
                let items = lists.get(row);
                if !items.is_empty() {
                    long(count(&items), out);
                    for row in items {
                        item.write(row, out)?;
                    }
                }
                out.push(0);
            }
            Values::Map(lists, keys, value) => {
                let entries = lists.get(row);
                if !entries.is_empty() {
                    long(count(&entries), out);
                    for row in entries {
                        text(keys.get(row), out);
                        value.write(row, out)?;
                    }
                }
                out.push(0);
            }
            Values::Record(nodes) => {
                for node in nodes {
                    node.write(row, out)?;
                }
            }
            Values::Constant(bytes) => out.extend_from_slice(bytes),
            Values::Union(branches) => self.union(branches, row, out)?,
            Values::Json(values, kind) => {
                let stop = |why| self.stop(Fault::Json(why));
                let value = serde_json::from_slice(values.get(row))
                    .map_err(|error| stop(error.to_string()))?;
                kind.write(&value, Style::Text, out).map_err(stop)?;
            }
        }
        Ok(())
    }

    fn union(
        &self,
        branches: &[(i64, Node<'_>)],
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let is_there = |node: &Node<'_>| match node.validity {
            Some(validity) => validity.is_valid(row),
            None => true,
        };
        let mut there = branches.iter().filter(|(_, node)| is_there(node));
        match (there.next(), there.count()) {
            (Some((branch, node)), 0) => {
                long(*branch, out);
                // A branch that is a union itself does not exist in Avro.
                node.write_value(row, out)
            }
            (None, _) => match self.null {
                Some(null) => {
                    long(null, out);
                    Ok(())
                }
                None => Err(self.stop(Fault::Branches(0))),
            },
            (Some(_), others) => Err(self.stop(Fault::Branches(others + 1))),
        }
    }

    fn double(&self, values: Integers<'_>, row: usize) -> Result<f64, Stop> {
        match values.get(row) {
            Ok(value) => exact_double(value)
                .ok_or_else(|| self.stop(Fault::Number(NumberFault::Inexact(value)))),
            Err(value) => Err(self.stop(Fault::Number(NumberFault::Range(value.into())))),
        }
    }

    #[cold]
    fn stop(&self, fault: Fault) -> Stop {
        let field = self.field;
        Stop { field, fault }
    }
}

impl Fault {
    fn symbol(value: &[u8]) -> Self {
        let mut shown = String::from_utf8_lossy(value).into_owned();
        shown.truncate(shown.floor_char_boundary(100));
        Self::Symbol(shown)
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
            Fault::Symbol(value) => format!("`{value}` is no symbol of the enum"),
            Fault::Size(found, size) => format!("{found} bytes, and the fixed has {size}"),
            Fault::Decimal => "it has more digits than the schema's precision or size".to_owned(),
            Fault::Duration => {
                "an Avro duration has months, days and whole ms, each from 0 to 4294967295"
                    .to_owned()
            }
            Fault::Branches(0) => "no branch of the union is there, and it has no null".to_owned(),
            Fault::Branches(count) => {
                format!("{count} branches of the union are there: it has one")
            }
            Fault::Json(why) => why,
        };
        format!("column `{}`: {what}", path(&plan.fields, self.field))
    }
}

/// A whole number: zigzag, then seven bits a byte.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bits are meant"
)]
pub(super) fn long(value: i64, out: &mut Vec<u8>) {
    let mut bits = (value << 1 ^ value >> 63) as u64;
    while bits >= 0x80 {
        out.push(bits as u8 | 0x80);
        bits >>= 7;
    }
    out.push(bits as u8);
}

/// A length, and so many bytes.
#[inline(always)]
pub(super) fn text(bytes: &[u8], out: &mut Vec<u8>) {
    long(i64::try_from(bytes.len()).unwrap_or(i64::MAX), out);
    out.extend_from_slice(bytes);
}

fn count(items: &std::ops::Range<usize>) -> i64 {
    i64::try_from(items.len()).unwrap_or(i64::MAX)
}

/// Months, days and ms.
fn duration(bytes: &[u8], interval: Interval) -> Option<[u32; 3]> {
    let (words, _) = bytes.as_chunks::<4>();
    let word = |at: usize| u32::try_from(i32::from_le_bytes(words[at])).ok();
    match interval {
        Interval::Months => Some([word(0)?, 0, 0]),
        Interval::DaysMillis => Some([0, word(0)?, word(1)?]),
        Interval::MonthsDaysNanos => {
            let nanos = bytes.last_chunk().map(|nanos| i64::from_le_bytes(*nanos))?;
            let millis = (nanos % 1_000_000 == 0).then_some(nanos / 1_000_000)?;
            Some([word(0)?, word(1)?, u32::try_from(millis).ok()?])
        }
    }
}

//! A plan with the buffers of one batch.

use weir_guest::arrays::{Bits, Integers, Lists, Scale, Validity, Variable, Wide, fixed};
use weir_guest::rows::{Array, Field};

use super::compile::{Interval, Op, Step};
use super::json::JsonType;
use crate::decimal::Decimal;

/// One step with the values that it takes.
pub(super) struct Node<'a> {
    pub(super) field: usize,
    pub(super) validity: Option<Validity<'a>>,
    pub(super) null: Option<i64>,
    pub(super) branch: Option<i64>,
    pub(super) values: Values<'a>,
}

pub(super) enum Values<'a> {
    Null,
    Boolean(Bits<'a>),
    /// Plain numbers of 32 bits.
    Int(&'a [[u8; 4]]),
    /// Plain numbers of 64 bits.
    Long(&'a [[u8; 8]]),
    Integer(Integers<'a>, Scale),
    Four(&'a [[u8; 4]]),
    Eight(&'a [[u8; 8]]),
    HalfToFloat(&'a [[u8; 2]]),
    FloatToDouble(&'a [[u8; 4]]),
    IntegerToDouble(Integers<'a>),
    Bytes(Variable<'a>),
    FixedAsBytes(Wide<'a>),
    UuidText(Wide<'a>),
    Fixed(Wide<'a>),
    BytesAsFixed(Variable<'a>, usize),
    Enum(Variable<'a>, &'a [(Box<str>, i64)]),
    Decimal(Wide<'a>, &'a Decimal),
    Duration(Wide<'a>, Interval),
    List(Lists<'a>, Box<Node<'a>>),
    Map(Lists<'a>, Variable<'a>, Box<Node<'a>>),
    Record(Vec<Node<'a>>),
    Constant(&'a [u8]),
    Union(Vec<(i64, Node<'a>)>),
    Json(Variable<'a>, &'a JsonType),
}

impl<'a> Node<'a> {
    pub(super) fn bind(step: &'a Step, fields: &'a [Field], arrays: &'a [Array]) -> Self {
        if let Op::Constant(bytes) = &step.op {
            return Self {
                field: step.field,
                validity: None,
                null: None,
                branch: None,
                values: Values::Constant(bytes),
            };
        }
        let bind = |step: &'a Step| Self::bind(step, fields, arrays);
        let array = &arrays[step.field];
        let field = &fields[step.field];
        let integers = || Integers::of(&field.format, array);
        let values = match &step.op {
            Op::Constant(_) | Op::Null => Values::Null,
            Op::Boolean => Values::Boolean(Bits::of(array)),
            Op::Integer(scale) => match integers() {
                Some(Integers::I32(values)) if *scale == Scale::INT || *scale == Scale::LONG => {
                    Values::Int(values)
                }
                Some(Integers::I64(values)) if *scale == Scale::LONG => Values::Long(values),
                Some(values) => Values::Integer(values, *scale),
                None => Values::Null,
            },
            Op::Float => Values::Four(fixed(array)),
            Op::Double => Values::Eight(fixed(array)),
            Op::HalfToFloat => Values::HalfToFloat(fixed(array)),
            Op::FloatToDouble => Values::FloatToDouble(fixed(array)),
            Op::IntegerToDouble => match integers() {
                Some(values) => Values::IntegerToDouble(values),
                None => Values::Null,
            },
            Op::Bytes => Values::Bytes(Variable::of(array)),
            Op::FixedAsBytes(width) => Values::FixedAsBytes(Wide::of(array, *width)),
            Op::UuidText => Values::UuidText(Wide::of(array, 16)),
            Op::Fixed(width) => Values::Fixed(Wide::of(array, *width)),
            Op::BytesAsFixed(size) => Values::BytesAsFixed(Variable::of(array), *size),
            Op::Enum(symbols) => Values::Enum(Variable::of(array), symbols),
            Op::Decimal(decimal, width) => Values::Decimal(Wide::of(array, *width), decimal),
            Op::Duration(interval) => {
                let width = match interval {
                    Interval::Months => 4,
                    Interval::DaysMillis => 8,
                    Interval::MonthsDaysNanos => 16,
                };
                Values::Duration(Wide::of(array, width), *interval)
            }
            Op::List(item) => Values::List(Lists::of(array), Box::new(bind(item))),
            Op::Map(key, value) => Values::Map(
                Lists::of(array),
                Variable::of(&arrays[*key]),
                Box::new(bind(value)),
            ),
            Op::Record(steps) => Values::Record(steps.iter().map(bind).collect()),
            Op::Union(branches) => {
                let branches = branches.iter();
                Values::Union(
                    branches
                        .map(|(branch, step)| (*branch, bind(step)))
                        .collect(),
                )
            }
            Op::Json(kind) => Values::Json(Variable::of(array), kind),
        };
        Self {
            field: step.field,
            validity: Validity::of(array),
            null: step.null,
            branch: step.branch,
            values,
        }
    }
}

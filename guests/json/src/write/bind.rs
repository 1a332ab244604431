//! A plan with the buffers of one batch.

use std::cell::Cell;

use weir_guest::arrays::{Bits, Integers, Lists, Scale, Validity, Variable, Wide, fixed};
use weir_guest::lanes::Literal;
use weir_guest::rows::{Array, Field};

use super::compile::{Interval, Op, Step};
use super::float::Places;
use crate::scan;
use crate::types::Written;

/// One step with the values that it takes.
pub(super) struct Node<'a> {
    pub(super) field: usize,
    pub(super) validity: Option<Validity<'a>>,
    pub(super) before: &'a Literal,
    pub(super) absent: Option<&'a Literal>,
    pub(super) values: Values<'a>,
}

pub(super) enum Values<'a> {
    Null,
    Boolean(Bits<'a>),
    /// As they are, whatever their size.
    Plain(Integers<'a>),
    Integer(Integers<'a>, Scale),
    Float32(&'a [[u8; 4]]),
    Float64(&'a [[u8; 8]], Cell<Places>),
    Half(&'a [[u8; 2]]),
    Decimal(Wide<'a>, i32, Written),
    /// Without anything that has to be escaped.
    Clean(Variable<'a>),
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
    Object(Vec<Node<'a>>),
}

/// The names in the objects that maps become.
pub(super) enum Keys<'a> {
    Text(Variable<'a>),
    Boolean(Bits<'a>),
    Integer(Integers<'a>),
}

impl<'a> Node<'a> {
    pub(super) fn bind(step: &'a Step, fields: &'a [Field], arrays: &'a [Array]) -> Self {
        let bind = |step: &'a Step| Self::bind(step, fields, arrays);
        let array = &arrays[step.field];
        let of = |make: &dyn Fn(Integers<'a>) -> Values<'a>| {
            Integers::of(&fields[step.field].format, array).map_or(Values::Null, make)
        };
        let values = match &step.op {
            Op::Null => Values::Null,
            Op::Boolean => Values::Boolean(Bits::of(array)),
            Op::Integer(scale) if *scale == Scale::LONG => of(&Values::Plain),
            Op::Integer(scale) => of(&|values| Values::Integer(values, *scale)),
            Op::Float32 => Values::Float32(fixed(array)),
            Op::Float64 => Values::Float64(fixed(array), Cell::default()),
            Op::Half => Values::Half(fixed(array)),
            Op::Decimal(scale, width, written) => {
                Values::Decimal(Wide::of(array, *width), *scale, *written)
            }
            Op::Text => {
                let values = Variable::of(array);
                if scan::has_special(values.all()) {
                    Values::Text(values)
                } else {
                    Values::Clean(values)
                }
            }
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
            Op::List(item) => Values::List(Lists::of(array), Box::new(bind(item))),
            Op::Map(key, value) => {
                let keys = match fields[*key].format.as_str() {
                    "b" => Keys::Boolean(Bits::of(&arrays[*key])),
                    format => match Integers::of(format, &arrays[*key]) {
                        Some(keys) => Keys::Integer(keys),
                        None => Keys::Text(Variable::of(&arrays[*key])),
                    },
                };
                Values::Map(Lists::of(array), keys, Box::new(bind(value)))
            }
            Op::Object(members) => Values::Object(members.iter().map(bind).collect()),
        };
        Self {
            field: step.field,
            validity: Validity::of(array),
            before: &step.before,
            absent: step.absent.as_ref(),
            values,
        }
    }
}

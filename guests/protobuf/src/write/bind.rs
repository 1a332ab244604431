//! A plan with the buffers of one batch.

use prost_reflect::MessageDescriptor;
use weir_guest::arrays::{Bits, Integers, Lists, Validity, Variable, Wide, fixed};
use weir_guest::rows::{Array, Field};

use super::compile::{Bounds, Enum, Form, Message, Text, Value};

/// A message with the values of its fields.
pub(super) struct Bound<'a> {
    pub(super) fields: Vec<BoundField<'a>>,
    pub(super) plan: &'a Message,
}

pub(super) struct BoundField<'a> {
    pub(super) column: usize,
    pub(super) validity: Option<Validity<'a>>,
    pub(super) number: u32,
    pub(super) form: BoundForm<'a>,
}

pub(super) enum BoundForm<'a> {
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
pub(super) struct Items<'a> {
    pub(super) column: usize,
    pub(super) validity: Option<Validity<'a>>,
    pub(super) values: Values<'a>,
}

pub(super) enum Values<'a> {
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

pub(super) struct Bind<'a> {
    pub(super) fields: &'a [Field],
    pub(super) arrays: &'a [Array],
}

impl<'a> Bind<'a> {
    pub(super) fn message(&self, plan: &'a Message) -> Bound<'a> {
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

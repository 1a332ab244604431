//! From a message type and columns to a plan.

use std::collections::HashMap;

use prost_reflect::{
    Cardinality, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor,
};
use weir_guest::Part;
use weir_guest::arrays::{children, decimal, extension, path, roots, unit_ns, width, zone};
use weir_guest::rows::Field;

use crate::compile::{is_json, is_wrapper, time_of};
use crate::editions;
use crate::plan::Time;

/// How rows of one schema are written.
pub struct WritePlan {
    pub(super) fields: Vec<Field>,
    pub(super) message: Message,
    /// For keys, the column that the message is made of: where that is null there is no key.
    pub(super) key: Option<usize>,
    /// The message indexes, as they follow a schema id.
    pub(super) indexes: Vec<u8>,
}

/// The fields of a message that have columns, in the order of their numbers.
#[derive(Default)]
pub(super) struct Message {
    pub(super) fields: Vec<FieldPlan>,
    /// The places of the members of each oneof in `fields`.
    pub(super) oneofs: Vec<(String, Vec<usize>)>,
}

pub(super) struct FieldPlan {
    /// The column, in pre-order.
    pub(super) column: usize,
    pub(super) number: u32,
    pub(super) form: Form,
}

pub(super) enum Form {
    /// One value; `implicit` where the default is not written, `required` where a null cannot be.
    Single {
        value: Value,
        implicit: bool,
        required: bool,
    },
    Repeated {
        item: usize,
        value: Value,
    },
    Packed {
        item: usize,
        value: Value,
    },
    Map {
        key: (usize, Value),
        value: (usize, Value),
    },
}

/// How a value is written.
pub(super) enum Value {
    Bool,
    /// Within bounds, as a varint.
    Varint(Bounds),
    Zigzag(Bounds),
    Fixed32(Bounds),
    Fixed64(Bounds),
    Float,
    HalfToFloat,
    Double,
    FloatToDouble,
    IntegerToDouble,
    Bytes,
    FixedBytes(usize),
    Text(Text),
    Enum(Enum),
    Message(Box<Message>),
    Group(Box<Message>),
    /// With how many of the column make a second, and whether it is a duration.
    Seconds(i64, bool),
    /// What a wrapper wraps.
    Wrapped(Box<Value>),
    /// JSON text, as a message of this type.
    Json(MessageDescriptor, bool),
}

/// The numbers of a type, as 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bounds {
    I32,
    U32,
    I64,
    U64,
}

/// What has no type of its own, as text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    Uuid,
    Decimal { scale: i32, width: usize },
    Date(i64),
    Time(i64),
    LocalTimestamp(i64),
    Months,
    DaysMillis,
    MonthsDaysNanos,
}

/// The numbers of names.
pub(super) struct Enum {
    pub(super) numbers: HashMap<Vec<u8>, i32>,
}

/// A field or an extension.
enum Declared {
    Field(FieldDescriptor),
    Extension(ExtensionDescriptor),
}

impl Declared {
    fn number(&self) -> u32 {
        match self {
            Self::Field(field) => field.number(),
            Self::Extension(field) => field.number(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Field(field) => field.kind(),
            Self::Extension(field) => field.kind(),
        }
    }

    fn cardinality(&self) -> Cardinality {
        match self {
            Self::Field(field) => field.cardinality(),
            Self::Extension(field) => field.cardinality(),
        }
    }

    fn is_packed(&self) -> bool {
        match self {
            Self::Field(field) => field.is_packed(),
            Self::Extension(field) => field.is_packed(),
        }
    }

    fn is_group(&self) -> bool {
        match self {
            Self::Field(field) => field.is_group(),
            Self::Extension(field) => field.is_group(),
        }
    }

    fn has_presence(&self) -> bool {
        match self {
            Self::Field(field) => editions::has_presence(field),
            Self::Extension(_) => true,
        }
    }

    fn oneof(&self) -> Option<String> {
        let Self::Field(field) = self else {
            return None;
        };
        let oneof = field.containing_oneof()?;
        (!oneof.is_synthetic()).then(|| oneof.name().to_owned())
    }
}

pub(super) fn compile(
    message: &MessageDescriptor,
    fields: &[Field],
    part: Part,
) -> Result<WritePlan, String> {
    let compiler = Compiler { fields };
    let mut columns: Vec<usize> = roots(fields).collect();
    let mut key = None;
    if let (Part::Key, [column]) = (part, &columns[..]) {
        key = Some(*column);
        if fields[*column].format == "+s" {
            columns = children(fields, *column).collect();
        }
    }
    Ok(WritePlan {
        fields: fields.to_vec(),
        message: compiler.message(message, &columns)?,
        key,
        indexes: indexes(message),
    })
}

/// The way to a message: its place among those of the file, and so on. `[0]` is a single 0.
fn indexes(message: &MessageDescriptor) -> Vec<u8> {
    let mut path = Vec::new();
    let mut current = message.clone();
    loop {
        let outer = current.parent_message();
        let place = match &outer {
            Some(outer) => outer.child_messages().position(|it| it == current),
            None => current
                .parent_file()
                .messages()
                .position(|it| it == current),
        };
        path.push(i64::try_from(place.unwrap_or(0)).unwrap_or(0));
        match outer {
            Some(outer) => current = outer,
            None => break,
        }
    }
    if path == [0] {
        return vec![0];
    }
    let mut bytes = Vec::new();
    let count = i64::try_from(path.len()).unwrap_or(0);
    for number in [count].into_iter().chain(path.into_iter().rev()) {
        super::wire::varint((number << 1).cast_unsigned(), &mut bytes);
    }
    bytes
}

struct Compiler<'a> {
    fields: &'a [Field],
}

impl Compiler<'_> {
    fn message(&self, message: &MessageDescriptor, columns: &[usize]) -> Result<Message, String> {
        let mut declared = Vec::with_capacity(columns.len());
        for &column in columns {
            let name = self.fields[column].name.as_str();
            let field = message.get_field_by_name(name).map(Declared::Field);
            let extension = || {
                let name = name.strip_prefix('[')?.strip_suffix(']')?;
                let mut all = message.extensions();
                let found = all.find(|extension| extension.full_name() == name)?;
                Some(Declared::Extension(found))
            };
            let field = field.or_else(extension).ok_or_else(|| {
                format!(
                    "column `{}` has no field in the message `{}`: its values would be lost",
                    path(self.fields, column),
                    message.full_name()
                )
            })?;
            declared.push((field, column));
        }
        let is_there = |number| declared.iter().any(|(field, _)| field.number() == number);
        let missing = message.fields().find(|field| {
            field.cardinality() == Cardinality::Required && !is_there(field.number())
        });
        if let Some(missing) = missing {
            return Err(format!(
                "the required field `{}` of the message `{}` has no column",
                missing.name(),
                message.full_name()
            ));
        }
        declared.sort_by_key(|(field, _)| field.number());
        let mut plan = Message::default();
        for (field, column) in declared {
            if let Some(name) = field.oneof() {
                let place = plan.fields.len();
                match plan.oneofs.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, members)) => members.push(place),
                    None => plan.oneofs.push((name, vec![place])),
                }
            }
            plan.fields.push(FieldPlan {
                column,
                number: field.number(),
                form: self.form(&field, column)?,
            });
        }
        Ok(plan)
    }

    fn form(&self, field: &Declared, column: usize) -> Result<Form, String> {
        let misfit = || self.misfit(&field.kind(), column);
        let format = self.fields[column].format.as_str();
        if field.cardinality() != Cardinality::Repeated {
            return Ok(Form::Single {
                value: self.value(field, &field.kind(), column)?,
                implicit: !field.has_presence(),
                required: field.cardinality() == Cardinality::Required,
            });
        }
        let item = children(self.fields, column).next().ok_or_else(misfit)?;
        match field.kind() {
            Kind::Message(entry) if entry.is_map_entry() => {
                let mut pair = children(self.fields, item);
                let (Some(key), Some(value), "+m") = (pair.next(), pair.next(), format) else {
                    return Err(misfit());
                };
                let of = |field: FieldDescriptor, column| {
                    let kind = field.kind();
                    Ok::<_, String>((column, self.value(&Declared::Field(field), &kind, column)?))
                };
                Ok(Form::Map {
                    key: of(entry.map_entry_key_field(), key)?,
                    value: of(entry.map_entry_value_field(), value)?,
                })
            }
            _ if format != "+l" => Err(misfit()),
            kind => {
                let value = self.value(field, &kind, item)?;
                Ok(if field.is_packed() {
                    Form::Packed { item, value }
                } else {
                    Form::Repeated { item, value }
                })
            }
        }
    }

    fn value(&self, field: &Declared, kind: &Kind, column: usize) -> Result<Value, String> {
        let misfit = || self.misfit(kind, column);
        let own = &self.fields[column];
        let format = own.format.as_str();
        let is_integer = matches!(format, "c" | "s" | "i" | "l" | "C" | "S" | "I" | "L");
        let is_json = format == "u" && extension(own) == Some("arrow.json");
        let integer = |value: Value| is_integer.then_some(value).ok_or_else(misfit);
        match (kind, format) {
            (Kind::Bool, "b") => Ok(Value::Bool),
            (Kind::Int32, _) => integer(Value::Varint(Bounds::I32)),
            (Kind::Int64, _) => integer(Value::Varint(Bounds::I64)),
            (Kind::Uint32, _) => integer(Value::Varint(Bounds::U32)),
            (Kind::Uint64, _) => integer(Value::Varint(Bounds::U64)),
            (Kind::Sint32, _) => integer(Value::Zigzag(Bounds::I32)),
            (Kind::Sint64, _) => integer(Value::Zigzag(Bounds::I64)),
            (Kind::Sfixed32, _) => integer(Value::Fixed32(Bounds::I32)),
            (Kind::Fixed32, _) => integer(Value::Fixed32(Bounds::U32)),
            (Kind::Sfixed64, _) => integer(Value::Fixed64(Bounds::I64)),
            (Kind::Fixed64, _) => integer(Value::Fixed64(Bounds::U64)),
            (Kind::Float, "f") => Ok(Value::Float),
            (Kind::Float, "e") => Ok(Value::HalfToFloat),
            (Kind::Double, "g") => Ok(Value::Double),
            (Kind::Double, "f") => Ok(Value::FloatToDouble),
            (Kind::Double, _) => integer(Value::IntegerToDouble),
            (Kind::String, "u") | (Kind::Bytes, "z") => Ok(Value::Bytes),
            (Kind::Bytes, _) => width(format).map(Value::FixedBytes).ok_or_else(misfit),
            (Kind::String, _) => self.text(column).map(Value::Text).ok_or_else(misfit),
            (Kind::Enum(values), "u") if !is_json => Ok(Value::Enum(Enum::of(values))),
            (Kind::Enum(_), _) => integer(Value::Varint(Bounds::I32)),
            (Kind::Message(message), _) => {
                if let Some(time) = time_of(message) {
                    let fits = match time {
                        Time::Timestamp => zone(format).is_some_and(|zone| !zone.is_empty()),
                        Time::Duration => format.starts_with("tD"),
                    };
                    let ns = unit_ns(format).filter(|_| fits).ok_or_else(misfit)?;
                    let is_duration = matches!(time, Time::Duration);
                    return Ok(Value::Seconds(1_000_000_000 / ns, is_duration));
                }
                if is_wrapper(message)
                    && let Some(wrapped) = message.get_field(1)
                {
                    let kind = wrapped.kind();
                    let value = self.value(&Declared::Field(wrapped), &kind, column)?;
                    return Ok(Value::Wrapped(Box::new(value)));
                }
                if is_json || self::is_json(message) && format == "u" {
                    return Ok(Value::Json(message.clone(), field.is_group()));
                }
                if format != "+s" || self::is_json(message) {
                    return Err(misfit());
                }
                let below: Vec<usize> = children(self.fields, column).collect();
                let message = Box::new(self.message(message, &below)?);
                Ok(if field.is_group() {
                    Value::Group(message)
                } else {
                    Value::Message(message)
                })
            }
            _ => Err(misfit()),
        }
    }

    fn text(&self, column: usize) -> Option<Text> {
        let field = &self.fields[column];
        let format = field.format.as_str();
        let per_second = || unit_ns(format).map(|ns| 1_000_000_000 / ns);
        Some(match format {
            "w:16" if extension(field) == Some("arrow.uuid") => Text::Uuid,
            "tdD" => Text::Date(1),
            "tdm" => Text::Date(86_400_000),
            "tiM" => Text::Months,
            "tiD" => Text::DaysMillis,
            "tin" => Text::MonthsDaysNanos,
            _ if zone(format) == Some("") => Text::LocalTimestamp(per_second()?),
            _ if format.starts_with("tt") => Text::Time(per_second()?),
            _ => {
                let (_, scale, width) = decimal(format)?;
                Text::Decimal { scale, width }
            }
        })
    }

    fn misfit(&self, kind: &Kind, column: usize) -> String {
        let kind = match kind {
            Kind::Message(message) => format!("a `{}`", message.full_name()),
            Kind::Enum(values) => format!("a `{}`", values.full_name()),
            other => format!("{other:?}").to_lowercase(),
        };
        format!(
            "column `{}` (Arrow format `{}`) cannot be written as {kind}",
            path(self.fields, column),
            self.fields[column].format
        )
    }
}

impl Enum {
    fn of(values: &EnumDescriptor) -> Self {
        let values = values.values();
        let numbers = values.map(|value| (value.name().as_bytes().to_vec(), value.number()));
        Self {
            numbers: numbers.collect(),
        }
    }
}

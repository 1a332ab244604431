//! From a type and columns to a plan.

use weir_guest::Part;
use weir_guest::arrays::text::push_text;
use weir_guest::arrays::{Scale, children, decimal, extension, path, roots, unit_ns, width, zone};
use weir_guest::lanes::Literal;
use weir_guest::rows::Field;

use crate::time::Unit;
use crate::types::{Kind, Type, Written};
use crate::validate::Validator;

/// How rows of one schema are written.
pub struct WritePlan {
    pub(super) fields: Vec<Field>,
    pub(super) root: Root,
    /// What each message is held against, where that is asked for.
    pub(super) validator: Option<Validator>,
}

pub(super) enum Root {
    /// The columns are the members of an object.
    Columns(Vec<Step>),
    /// The payload is the value of one column, and null where that is null.
    Value(Step),
}

/// What is written of one column.
pub(super) struct Step {
    /// The column, in pre-order.
    pub(super) field: usize,
    /// What comes before a value: the comma and the name of a member, and the quote of a string.
    pub(super) before: Literal,
    /// What takes the place of a null: nothing where the member is left out, `None` where the row
    /// cannot be written.
    pub(super) absent: Option<Literal>,
    pub(super) op: Op,
}

/// How values are written.
pub(super) enum Op {
    Null,
    Boolean,
    Integer(Scale),
    Float32,
    Float64,
    Half,
    /// With the scale, and the bytes of a value in the column.
    Decimal(i32, usize, Written),
    Text,
    /// JSON, as it is.
    Json,
    Base64,
    Base64Fixed(usize),
    Uuid,
    /// With how many of the column make a day.
    Date(i64),
    /// With how many make a second.
    Time(i64),
    Timestamp(i64, bool),
    Duration(i64),
    Interval(Interval),
    List(Box<Step>),
    /// With the column of keys.
    Map(usize, Box<Step>),
    Object(Vec<Step>),
}

/// Arrow's intervals.
#[derive(Clone, Copy, Debug)]
pub(super) enum Interval {
    Months,
    DaysMillis,
    MonthsDaysNanos,
}

impl Op {
    /// Whether values are strings.
    fn is_quoted(&self) -> bool {
        match self {
            Self::Null
            | Self::Boolean
            | Self::Integer(_)
            | Self::Float32
            | Self::Float64
            | Self::Half
            | Self::Json
            | Self::List(_)
            | Self::Map(..)
            | Self::Object(_) => false,
            Self::Decimal(_, _, written) => matches!(written, Written::Text | Written::Base64),
            Self::Text
            | Self::Base64
            | Self::Base64Fixed(_)
            | Self::Uuid
            | Self::Date(_)
            | Self::Time(_)
            | Self::Timestamp(..)
            | Self::Duration(_)
            | Self::Interval(_) => true,
        }
    }
}

const SECOND: i64 = 1_000_000_000;

pub(super) fn compile(row: &Type, fields: &[Field], part: Part) -> Result<WritePlan, String> {
    let compiler = Compiler { fields };
    let columns: Vec<usize> = roots(fields).collect();
    let root = match (&row.kind, part, &columns[..]) {
        (_, Part::Key, [column]) => Root::Value(compiler.step(Some(row), *column, Place::Alone)?),
        (Kind::Struct(members), _, columns) => {
            Root::Columns(compiler.object(Some(members), columns)?)
        }
        (Kind::Json, _, columns) => Root::Columns(compiler.object(None, columns)?),
        (_, _, [column]) => Root::Value(compiler.step(Some(row), *column, Place::Alone)?),
        (_, _, columns) => {
            return Err(format!(
                "the schema is not an object, and there are {} columns: such a schema takes one",
                columns.len()
            ));
        }
    };
    Ok(WritePlan {
        fields: fields.to_vec(),
        root,
        validator: None,
    })
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Behind its name. Objects get their brace in place of the first comma.
    Member,
    /// In an array, which gets its bracket in place of the first comma.
    Item,
    /// With nothing before it, or what is written apart.
    Alone,
}

struct Compiler<'a> {
    fields: &'a [Field],
}

impl Compiler<'_> {
    fn object(
        &self,
        members: Option<&Vec<(String, Type)>>,
        columns: &[usize],
    ) -> Result<Vec<Step>, String> {
        let member = |ty: Option<&Type>, column: usize| self.step(ty, column, Place::Member);
        let Some(members) = members else {
            return columns.iter().map(|column| member(None, *column)).collect();
        };
        let named = |column: usize| {
            let mut members = members.iter();
            members.find(|(name, _)| *name == self.fields[column].name)
        };
        for (name, ty) in members {
            let has_column = columns
                .iter()
                .any(|column| self.fields[*column].name == *name);
            if ty.required && !has_column {
                return Err(format!("the required property `{name}` has no column"));
            }
        }
        let members = columns.iter().map(|column| match named(*column) {
            Some((_, ty)) => member(Some(ty), *column),
            None => Err(format!(
                "column `{}` has no property in the schema: its values would be lost",
                path(self.fields, *column)
            )),
        });
        members.collect()
    }

    fn step(&self, ty: Option<&Type>, field: usize, place: Place) -> Result<Step, String> {
        let kind = ty.map(|ty| &ty.kind).filter(|kind| **kind != Kind::Json);
        let op = self.op(kind, field)?;
        let mut before = Vec::new();
        if place != Place::Alone {
            before.push(b',');
        }
        if place == Place::Member {
            push_text(self.fields[field].name.as_bytes(), &mut before);
            before.push(b':');
        }
        let null = Literal::new(&[&before[..], b"null"].concat());
        let absent = match ty {
            Some(ty) if !ty.nullable && !ty.required && place == Place::Member => {
                Some(Literal::default())
            }
            Some(ty) if !ty.nullable => None,
            _ => Some(null),
        };
        if op.is_quoted() {
            before.push(b'"');
        }
        Ok(Step {
            field,
            before: Literal::new(&before),
            absent,
            op,
        })
    }

    /// Without a kind, as weir writes JSON anywhere.
    fn op(&self, kind: Option<&Kind>, column: usize) -> Result<Op, String> {
        let field = &self.fields[column];
        let format = field.format.as_str();
        let misfit = || self.misfit(kind, column);
        let natural = || self.natural(column);
        let is_integer = matches!(format, "c" | "s" | "i" | "l" | "C" | "S" | "I" | "L");
        let below = || children(self.fields, column).next().ok_or_else(misfit);
        let Some(kind) = kind else {
            return natural();
        };
        Ok(match (kind, format) {
            (_, "n") => Op::Null,
            (Kind::Boolean, "b") => Op::Boolean,
            (Kind::Integer { bits, signed }, _) if is_integer => {
                let most = 1_i64.checked_shl(u32::from(*bits) - u32::from(*signed));
                let most = most.map_or(i64::MAX, |most| most.wrapping_sub(1));
                let least = if *signed { -most - 1 } else { 0 };
                match (bits, format) {
                    // A number of JSON has no width.
                    (64, "L") => Op::Integer(Scale::LONG),
                    _ => Op::Integer(bounded(format, least, most)),
                }
            }
            (Kind::Float32 | Kind::Float64, "e" | "f") => natural()?,
            (Kind::Float64, "g") => natural()?,
            (Kind::Float32 | Kind::Float64, _) if is_integer || decimal(format).is_some() => {
                natural()?
            }
            (Kind::Decimal { scale, written, .. }, _) => {
                let (_, own, width) = decimal(format).ok_or_else(misfit)?;
                if own > i32::from(*scale)
                    || *written == Written::Base64 && own != i32::from(*scale)
                {
                    return Err(misfit());
                }
                Op::Decimal(own, width, *written)
            }
            (Kind::Text, _) if extension(field) == Some("arrow.json") => return Err(misfit()),
            (Kind::Text, "u") => Op::Text,
            (Kind::Text | Kind::Uuid, "w:16") if extension(field) == Some("arrow.uuid") => Op::Uuid,
            (Kind::Uuid, "u") => Op::Text,
            (Kind::Text, _) if format.starts_with('t') => natural()?,
            (Kind::Binary, "z") => Op::Base64,
            (Kind::Binary, _) if width(format).is_some() => natural()?,
            (Kind::Date(written), "tdD" | "tdm") if written.text() => natural()?,
            (Kind::Date(_), "tdD") => Op::Integer(Scale::INT),
            (Kind::Date(_), "tdm") => Op::Integer(Scale::INT.units(1_000_000, 86_400 * SECOND)),
            (Kind::Time(_, written), _) if format.starts_with("tt") && written.text() => natural()?,
            (Kind::Time(unit, _), _) if format.starts_with("tt") => {
                Op::Integer(self.units(column, *unit).ok_or_else(misfit)?)
            }
            (Kind::Timestamp { utc, written, unit }, _)
                if zone(format).is_some_and(|zone| zone.is_empty() != *utc) =>
            {
                if written.text() {
                    natural()?
                } else {
                    Op::Integer(self.units(column, *unit).ok_or_else(misfit)?)
                }
            }
            (Kind::List(item), "+l") => {
                Op::List(Box::new(self.step(Some(item), below()?, Place::Item)?))
            }
            (Kind::Map(value), "+m") => self.map(Some(value), column)?,
            (Kind::Struct(members), "+s") => {
                let below: Vec<usize> = children(self.fields, column).collect();
                Op::Object(self.object(Some(members), &below)?)
            }
            _ => return Err(misfit()),
        })
    }

    fn units(&self, column: usize, unit: Unit) -> Option<Scale> {
        let from = unit_ns(&self.fields[column].format)?;
        Some(Scale::LONG.units(from, SECOND / unit.per_second()))
    }

    fn natural(&self, column: usize) -> Result<Op, String> {
        let field = &self.fields[column];
        let format = field.format.as_str();
        let misfit = || self.misfit(None, column);
        let per_second = || unit_ns(format).map(|ns| SECOND / ns);
        Ok(match format {
            "n" => Op::Null,
            "b" => Op::Boolean,
            "c" | "s" | "i" | "l" | "C" | "S" | "I" | "L" => Op::Integer(Scale::LONG),
            "e" => Op::Half,
            "f" => Op::Float32,
            "g" => Op::Float64,
            "u" if extension(field) == Some("arrow.json") => Op::Json,
            "u" => Op::Text,
            "z" => Op::Base64,
            "w:16" if extension(field) == Some("arrow.uuid") => Op::Uuid,
            "tdD" => Op::Date(1),
            "tdm" => Op::Date(86_400_000),
            "tiM" => Op::Interval(Interval::Months),
            "tiD" => Op::Interval(Interval::DaysMillis),
            "tin" => Op::Interval(Interval::MonthsDaysNanos),
            "+l" => {
                let item = children(self.fields, column).next().ok_or_else(misfit)?;
                Op::List(Box::new(self.step(None, item, Place::Item)?))
            }
            "+m" => self.map(None, column)?,
            "+s" => {
                let below: Vec<usize> = children(self.fields, column).collect();
                Op::Object(self.object(None, &below)?)
            }
            _ => match (zone(format), decimal(format), width(format)) {
                (Some(zone), ..) => {
                    Op::Timestamp(per_second().ok_or_else(misfit)?, !zone.is_empty())
                }
                (_, Some((_, scale, width)), _) => Op::Decimal(scale, width, Written::Number),
                (.., Some(width)) => Op::Base64Fixed(width),
                _ if format.starts_with("tt") => Op::Time(per_second().ok_or_else(misfit)?),
                _ => Op::Duration(per_second().ok_or_else(misfit)?),
            },
        })
    }

    fn map(&self, value: Option<&Type>, column: usize) -> Result<Op, String> {
        let entries = children(self.fields, column).next();
        let mut pair = entries.map(|entries| children(self.fields, entries));
        let (key, values) = match &mut pair {
            Some(pair) => (pair.next(), pair.next()),
            None => (None, None),
        };
        match (key, values) {
            (Some(key), Some(values)) => {
                let format = self.fields[key].format.as_str();
                if !matches!(
                    format,
                    "u" | "b" | "c" | "s" | "i" | "l" | "C" | "S" | "I" | "L"
                ) {
                    return Err(format!(
                        "column `{}`: names of JSON are text, and keys have the Arrow format \
                         `{format}`",
                        path(self.fields, column)
                    ));
                }
                Ok(Op::Map(
                    key,
                    Box::new(self.step(value, values, Place::Alone)?),
                ))
            }
            _ => Err(self.misfit(None, column)),
        }
    }

    fn misfit(&self, kind: Option<&Kind>, column: usize) -> String {
        let field = &self.fields[column];
        format!(
            "column `{}` (Arrow format `{}`) cannot be written as {}",
            path(self.fields, column),
            field.format,
            kind.map_or("JSON", named)
        )
    }
}

/// Numbers of a column within bounds, which are not looked at where none can be outside.
fn bounded(format: &str, least: i64, most: i64) -> Scale {
    let (smallest, largest) = match format {
        "c" => (i8::MIN.into(), i8::MAX.into()),
        "s" => (i16::MIN.into(), i16::MAX.into()),
        "i" => (i32::MIN.into(), i32::MAX.into()),
        "C" => (0, u8::MAX.into()),
        "S" => (0, u16::MAX.into()),
        "I" => (0, u32::MAX.into()),
        _ => (i64::MIN, i64::MAX),
    };
    if least <= smallest && largest <= most {
        Scale::LONG
    } else {
        Scale::within(least, most)
    }
}

/// A kind in words.
fn named(kind: &Kind) -> &'static str {
    match kind {
        Kind::Boolean => "a boolean",
        Kind::Integer { .. } => "an integer",
        Kind::Float32 | Kind::Float64 => "a number",
        Kind::Decimal { .. } => "a decimal of this scale",
        Kind::Text => "a string",
        Kind::Binary => "a string of base64",
        Kind::Uuid => "a UUID",
        Kind::Date(_) => "a date",
        Kind::Time(..) => "a time",
        Kind::Timestamp { utc: true, .. } => "an instant",
        Kind::Timestamp { utc: false, .. } => "a local time",
        Kind::Json => "JSON",
        Kind::List(_) => "an array",
        Kind::Map(_) => "an object of any names",
        Kind::Struct(_) => "an object",
    }
}

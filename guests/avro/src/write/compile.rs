//! From a schema and columns to a plan.

use apache_avro::Schema;
use apache_avro::schema::{InnerDecimalSchema, RecordSchema, UuidSchema};
use weir_guest::Part;
use weir_guest::arrays::{Scale, children, decimal, extension, path, roots, unit_ns, width, zone};
use weir_guest::rows::Field;

use super::json::{JsonType, Style};
use crate::compile::{branch_names, fixed_size};
use crate::decimal::{DIGITS_256, Decimal};
use crate::schema::{Parsed, default_of};

/// How rows of one schema are written.
#[derive(Debug)]
pub struct WritePlan {
    pub(super) fields: Vec<Field>,
    pub(super) root: Root,
}

#[derive(Debug)]
pub(super) enum Root {
    /// The columns are the fields of a record.
    Columns(Vec<Step>),
    /// The payload is the value of one column, and null where that is null.
    Value(Step),
}

/// What is written of one column.
#[derive(Debug)]
pub(super) struct Step {
    /// The column, in pre-order.
    pub(super) field: usize,
    /// The branch of a union that nulls are, where the schema has one.
    pub(super) null: Option<i64>,
    /// The branch of a union that values are, where the schema has a union.
    pub(super) branch: Option<i64>,
    pub(super) op: Op,
}

/// How values are written.
#[derive(Debug)]
pub(super) enum Op {
    Null,
    Boolean,
    /// Both widths of whole numbers, which Avro writes alike.
    Integer(Scale),
    /// Four or eight bytes as they are.
    Float,
    Double,
    HalfToFloat,
    FloatToDouble,
    IntegerToDouble,
    /// A length, and bytes or text.
    Bytes,
    /// A length, and bytes of a fixed width.
    FixedAsBytes(usize),
    /// A UUID of 16 bytes, as text.
    UuidText,
    Fixed(usize),
    /// Bytes of any length, which have to be so many.
    BytesAsFixed(usize),
    /// Symbols in ascending order, with their numbers.
    Enum(Vec<(Box<str>, i64)>),
    /// With the bytes of a value in the column.
    Decimal(Decimal, usize),
    Duration(Interval),
    List(Box<Step>),
    /// Keys are text. With the columns of keys.
    Map(usize, Box<Step>),
    Record(Vec<Step>),
    /// What the schema has in place of a column that is not there.
    Constant(Vec<u8>),
    /// A struct of which one field is there. With the number of each field's branch, and that of
    /// null.
    Union(Vec<(i64, Step)>),
    /// A value as JSON text.
    Json(JsonType),
}

/// Arrow's intervals.
#[derive(Clone, Copy, Debug)]
pub(super) enum Interval {
    Months,
    DaysMillis,
    MonthsDaysNanos,
}

pub(super) fn compile(parsed: &Parsed, fields: &[Field], part: Part) -> Result<WritePlan, String> {
    let compiler = Compiler { parsed, fields };
    let root = parsed
        .resolve(&parsed.root)
        .map_err(|error| error.to_string())?;
    let columns: Vec<usize> = roots(fields).collect();
    let root = match (root, &columns[..]) {
        (Schema::Record(record), columns) if part == Part::Value || columns.len() > 1 => {
            Root::Columns(compiler.record(record, columns)?)
        }
        (other, [column]) => Root::Value(compiler.step(other, *column)?),
        (_, columns) => {
            return Err(format!(
                "the schema is not a record, and there are {} columns: such a schema takes one",
                columns.len()
            ));
        }
    };
    Ok(WritePlan {
        fields: fields.to_vec(),
        root,
    })
}

struct Compiler<'a> {
    parsed: &'a Parsed,
    fields: &'a [Field],
}

impl Compiler<'_> {
    fn record(&self, record: &RecordSchema, columns: &[usize]) -> Result<Vec<Step>, String> {
        let named = |name: &str| {
            let mut columns = columns.iter();
            columns.find(|column| self.fields[**column].name == name)
        };
        if let Some(spare) = columns.iter().find(|column| {
            let name = &self.fields[**column].name;
            !record.fields.iter().any(|field| field.name == *name)
        }) {
            return Err(format!(
                "column `{}` has no field in the record `{}`: its values would be lost",
                path(self.fields, *spare),
                record.name
            ));
        }
        let steps = record.fields.iter().map(|field| match named(&field.name) {
            Some(column) => self.step(&field.schema, *column),
            None => {
                let default = default_of(field).ok_or_else(|| {
                    format!(
                        "the field `{}` of the record `{}` has no column and no default",
                        field.name, record.name
                    )
                })?;
                let mut bytes = Vec::new();
                JsonType::of(&field.schema, self.parsed)?
                    .write(default, Style::Default, &mut bytes)
                    .map_err(|why| format!("the default of the field `{}`: {why}", field.name))?;
                Ok(Step {
                    field: usize::MAX,
                    null: None,
                    branch: None,
                    op: Op::Constant(bytes),
                })
            }
        });
        steps.collect()
    }

    fn step(&self, schema: &Schema, field: usize) -> Result<Step, String> {
        let schema = self.resolve(schema)?;
        let Schema::Union(union) = schema else {
            return Ok(Step {
                field,
                null: None,
                branch: None,
                op: self.op(schema, field)?,
            });
        };
        let branches = union.variants();
        let at = |position: usize| i64::try_from(position).unwrap_or(i64::MAX);
        let is_null = |branch: &Schema| matches!(branch, Schema::Null);
        let null = branches.iter().position(is_null).map(at);
        if self.fields[field].format == "n" {
            let null = null.ok_or_else(|| self.misfit(schema, field))?;
            return Ok(Step {
                field,
                null: Some(null),
                branch: Some(null),
                op: Op::Null,
            });
        }
        let others = branches.iter().filter(|branch| !is_null(branch)).count();
        if others > 1 && self.is_union_of(branches, field) {
            return Ok(Step {
                field,
                null,
                branch: None,
                op: self.wide_union(branches, field)?,
            });
        }
        let mut why = self.misfit(schema, field);
        for (position, branch) in branches.iter().enumerate().filter(|(_, b)| !is_null(b)) {
            match self.resolve(branch).and_then(|it| self.op(it, field)) {
                Ok(op) => {
                    return Ok(Step {
                        field,
                        null,
                        branch: Some(at(position)),
                        op,
                    });
                }
                Err(other) if others == 1 => why = other,
                Err(_) => {}
            }
        }
        Err(why)
    }

    /// Whether a struct has the branches of a union as the deserializer names them.
    fn is_union_of(&self, branches: &[Schema], field: usize) -> bool {
        let names = branch_names(branches);
        let names = || {
            let named = names.iter().zip(branches);
            named.filter_map(|(name, b)| (!matches!(b, Schema::Null)).then_some(name))
        };
        let below = || children(self.fields, field);
        self.fields[field].format == "+s"
            && below().count() == names().count()
            && below().all(|child| names().any(|name| *name == self.fields[child].name))
    }

    fn wide_union(&self, branches: &[Schema], field: usize) -> Result<Op, String> {
        let mut steps = Vec::with_capacity(branches.len());
        for ((branch, name), position) in branches.iter().zip(branch_names(branches)).zip(0..) {
            let mut below = children(self.fields, field);
            let column = below.find(|child| self.fields[*child].name == name);
            if let (false, Some(column)) = (matches!(branch, Schema::Null), column) {
                steps.push((position, self.step(branch, column)?));
            }
        }
        Ok(Op::Union(steps))
    }

    fn op(&self, schema: &Schema, column: usize) -> Result<Op, String> {
        let field = &self.fields[column];
        let format = field.format.as_str();
        let misfit = || self.misfit(schema, column);
        let width = || width(format);
        let is_json = format == "u" && extension(field) == Some("arrow.json");
        Ok(match (schema, format) {
            (Schema::Null, "n") => Op::Null,
            (Schema::Boolean, "b") => Op::Boolean,
            (Schema::Float, "f") => Op::Float,
            (Schema::Float, "e") => Op::HalfToFloat,
            (Schema::Double, "g") => Op::Double,
            (Schema::Double, "f") => Op::FloatToDouble,
            (Schema::Double, "c" | "s" | "i" | "l" | "C" | "S" | "I" | "L") => Op::IntegerToDouble,
            (Schema::String | Schema::Uuid(UuidSchema::String), "u") => Op::Bytes,
            (Schema::Uuid(UuidSchema::String), "w:16") => Op::UuidText,
            (Schema::Bytes | Schema::BigDecimal | Schema::Uuid(UuidSchema::Bytes), "z") => {
                Op::Bytes
            }
            (Schema::Bytes | Schema::Uuid(UuidSchema::Bytes), _) if width().is_some() => {
                Op::FixedAsBytes(width().unwrap_or(0))
            }
            (Schema::Fixed(fixed) | Schema::Uuid(UuidSchema::Fixed(fixed)), _) => {
                let size = fixed_size(fixed, &field.name).map_err(|error| error.to_string())?;
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                match width() {
                    Some(width) if width == size => Op::Fixed(size),
                    None if format == "z" => Op::BytesAsFixed(size),
                    _ => return Err(misfit()),
                }
            }
            (Schema::Enum(symbols), "u") if !is_json => {
                let symbols = symbols.symbols.iter().map(|symbol| symbol.as_str().into());
                let mut symbols: Vec<(Box<str>, i64)> = symbols.zip(0..).collect();
                symbols.sort();
                Op::Enum(symbols)
            }
            (Schema::Decimal(schema), _) => {
                let (_, scale, width) = decimal(format).ok_or_else(misfit)?;
                if usize::try_from(scale) != Ok(schema.scale) || schema.precision > DIGITS_256 {
                    return Err(misfit());
                }
                let size = match &schema.inner {
                    InnerDecimalSchema::Bytes => None,
                    InnerDecimalSchema::Fixed(fixed) => {
                        Some(fixed_size(fixed, &field.name).map_err(|error| error.to_string())?)
                    }
                };
                Op::Decimal(Decimal::new(schema.precision, size), width)
            }
            (Schema::Duration(_), "tiM") => Op::Duration(Interval::Months),
            (Schema::Duration(_), "tiD") => Op::Duration(Interval::DaysMillis),
            (Schema::Duration(_), "tin") => Op::Duration(Interval::MonthsDaysNanos),
            (Schema::Array(array), "+l") => {
                let item = children(self.fields, column).next().ok_or_else(misfit)?;
                Op::List(Box::new(self.step(&array.items, item)?))
            }
            (Schema::Array(array), "+m") => {
                let entries = children(self.fields, column).next().ok_or_else(misfit)?;
                Op::List(Box::new(self.step(&array.items, entries)?))
            }
            (Schema::Map(map), "+m") => {
                let entries = children(self.fields, column).next().ok_or_else(misfit)?;
                let mut pair = children(self.fields, entries);
                match (pair.next(), pair.next()) {
                    (Some(key), Some(value)) if self.fields[key].format == "u" => {
                        Op::Map(key, Box::new(self.step(&map.types, value)?))
                    }
                    _ => return Err(misfit()),
                }
            }
            (Schema::Record(record), "+s") => {
                let below: Vec<usize> = children(self.fields, column).collect();
                Op::Record(self.record(record, &below)?)
            }
            (Schema::Record(_), _) if is_json => Op::Json(JsonType::of(schema, self.parsed)?),
            (_, format) => Op::Integer(integer(schema, format).ok_or_else(misfit)?),
        })
    }

    fn resolve<'s>(&'s self, schema: &'s Schema) -> Result<&'s Schema, String> {
        self.parsed
            .resolve(schema)
            .map_err(|error| error.to_string())
    }

    fn misfit(&self, schema: &Schema, column: usize) -> String {
        let field = &self.fields[column];
        format!(
            "column `{}` (Arrow format `{}`) cannot be written as {}",
            path(self.fields, column),
            field.format,
            named(schema)
        )
    }
}

/// How whole numbers and times become those of a schema.
fn integer(schema: &Schema, format: &str) -> Option<Scale> {
    const DAY: i64 = 86_400_000_000_000;
    let is_plain = matches!(format, "c" | "s" | "i" | "l" | "C" | "S" | "I" | "L");
    let of_units = |kind: &str, scale: Scale, to: i64| {
        if is_plain {
            return Some(scale);
        }
        let from = unit_ns(format).filter(|_| format.starts_with(kind))?;
        Some(scale.units(from, to))
    };
    // An instant has a zone, and what a clock on a wall shows has none.
    let timestamp = |is_instant: bool, to: i64| {
        if zone(format).is_some_and(|zone| zone.is_empty() == is_instant) {
            return None;
        }
        of_units("ts", Scale::LONG, to)
    };
    match schema {
        Schema::Int => is_plain.then_some(Scale::INT),
        Schema::Long => (is_plain || format.starts_with("tD")).then_some(Scale::LONG),
        Schema::Date => match format {
            "tdD" => Some(Scale::INT),
            "tdm" => Some(Scale::INT.units(1_000_000, DAY)),
            _ => is_plain.then_some(Scale::INT),
        },
        Schema::TimeMillis => of_units("tt", Scale::INT, 1_000_000),
        Schema::TimeMicros => of_units("tt", Scale::LONG, 1_000),
        Schema::TimestampMillis => timestamp(true, 1_000_000),
        Schema::TimestampMicros => timestamp(true, 1_000),
        Schema::TimestampNanos => timestamp(true, 1),
        Schema::LocalTimestampMillis => timestamp(false, 1_000_000),
        Schema::LocalTimestampMicros => timestamp(false, 1_000),
        Schema::LocalTimestampNanos => timestamp(false, 1),
        _ => None,
    }
}

/// A type in words.
fn named(schema: &Schema) -> String {
    if let Some(name) = schema.name() {
        return format!("`{}`", name.fullname(None));
    }
    match schema {
        Schema::Union(union) => {
            let branches: Vec<String> = union.variants().iter().map(named).collect();
            format!("a union of {}", branches.join(", "))
        }
        Schema::Decimal(decimal) => {
            format!("decimal({}, {})", decimal.precision, decimal.scale)
        }
        Schema::Array(array) => format!("an array of {}", named(&array.items)),
        Schema::Map(map) => format!("a map of {}", named(&map.types)),
        other => format!("{other:?}").to_lowercase(),
    }
}

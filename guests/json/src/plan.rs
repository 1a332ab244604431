//! What a schema is compiled to: the columns, and for each how its value is read.
//!
//! | type | Arrow format |
//! |---|---|
//! | boolean | `b` |
//! | integers | `c`, `s`, `i`, `l`, `C`, `S`, `I`, `L` |
//! | floats | `f`, `g` |
//! | decimal(p, s) | `d:p,s` |
//! | text | `u` |
//! | binary | `z` |
//! | uuid | `w:16`, extension `arrow.uuid` |
//! | date | `tdD` |
//! | time | `tts`, `ttm`, `ttu`, `ttn` |
//! | timestamp | `ts` and the unit, `:` and `UTC` or no zone |
//! | json | `u`, extension `arrow.json` |
//! | list | `+l` with child `item` |
//! | map | `+m` with child `entries` of `key` and `value` |
//! | object | `+s` |

use weir_guest::columns::{Layout, LayoutError, Storage};
use weir_guest::rows::Field;

use crate::{
    scan::Key,
    time::Unit,
    types::{Kind, Type, Written},
};

/// The column for fields that no column is for.
pub(crate) const EXTRA: &str = "_extra";

/// What becomes of fields that no column is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownFields {
    /// They are left out.
    #[default]
    Ignore,
    /// They are a fault of their message.
    Error,
    /// They are kept as JSON text, in a column of their object.
    Extra,
}

/// Why a type has no columns.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum PlanError {
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(
        "it has a field `{EXTRA}`, which is the name of the column for what is not in the schema: unknown.fields cannot be extra"
    )]
    Extra,
}

/// How the value of a column is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Boolean,
    Int64,
    /// An integer of fewer bits, or without a sign.
    Integer {
        bits: u8,
        signed: bool,
    },
    Float32,
    Float64,
    Decimal {
        precision: u8,
        scale: u8,
        written: Written,
    },
    Text,
    Binary,
    Uuid,
    Date(Written),
    Time(Unit, Written),
    Timestamp {
        unit: Unit,
        utc: bool,
        written: Written,
    },
    Json,
    /// Of the next column.
    List,
    /// Of the entries in the next column, its keys in the one after that, and then its values.
    Map,
    /// An index into [`Plan::objects`].
    Object(u32),
}

/// An object with names that are columns.
#[derive(Debug, Default)]
pub(crate) struct Object {
    /// In the order of the columns.
    pub(crate) fields: Vec<Member>,
    /// Indexes of `fields`, ascending by name.
    sorted: Vec<u32>,
    pub(crate) extra: Option<u32>,
}

/// A field of an object.
#[derive(Debug)]
pub(crate) struct Member {
    /// `"name":` as most senders write it.
    pub(crate) key: Key,
    name: Box<str>,
    pub(crate) column: u32,
    pub(crate) op: Op,
    pub(crate) nullable: bool,
}

impl Member {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Object {
    /// The field of this name, given one that it may well be.
    #[inline(never)]
    pub(crate) fn find(&self, name: &[u8], guess: usize) -> Option<usize> {
        // A field that is left out makes the next but one follow.
        let near = self.fields.iter().enumerate().skip(guess).take(3);
        for (index, field) in near {
            if field.name.as_bytes() == name {
                return Some(index);
            }
        }
        let named = |index: &u32| self.fields[*index as usize].name.as_bytes().cmp(name);
        let found = self.sorted.binary_search_by(named).ok()?;
        Some(self.sorted[found] as usize)
    }
}

/// A compiled schema.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) layout: Layout,
    /// How the value of each column is read, at the same index. That of a map's entries has no
    /// meaning.
    pub(crate) ops: Vec<Op>,
    pub(crate) objects: Vec<Object>,
    /// Whether the row is the value of column 0, and not an object of columns.
    pub(crate) single: bool,
    pub(crate) unknown: UnknownFields,
}

impl Plan {
    /// Compiles the type of a row: an object becomes a column for each field, anything else
    /// one column, `value`.
    pub(crate) fn new(row: &Type, unknown: UnknownFields) -> Result<Self, PlanError> {
        let mut plan = Self {
            unknown,
            ..Self::default()
        };
        if let Kind::Struct(fields) = &row.kind {
            // Reserved: the row itself is object 0.
            plan.objects.push(Object::default());
            plan.fields(0, fields)?;
        } else {
            plan.single = true;
            plan.column("value", row)?;
        }
        Ok(plan)
    }

    /// The Arrow schema of the rows.
    pub(crate) fn fields_of_rows(&self) -> &[Field] {
        &self.layout.fields
    }

    /// Returns the number of direct columns.
    fn fields(&mut self, object: usize, fields: &[(String, Type)]) -> Result<u32, PlanError> {
        let mut members = Vec::with_capacity(fields.len());
        for (name, ty) in fields {
            if self.unknown == UnknownFields::Extra && name == EXTRA {
                return Err(PlanError::Extra);
            }
            let column = self.column(name, ty)?;
            // What a sender writes who escapes nothing that need not be.
            let quoted = format!("{}:", serde_json::Value::from(name.as_str()));
            members.push(Member {
                key: Key::new(quoted.as_bytes()),
                name: name.as_str().into(),
                column,
                op: self.ops[column as usize],
                nullable: ty.nullable,
            });
        }
        let mut count = index(members.len());
        let mut extra = None;
        if self.unknown == UnknownFields::Extra {
            let kind = Type::nullable(Kind::Json);
            extra = Some(self.column(EXTRA, &kind)?);
            count += 1;
        }
        let mut sorted: Vec<u32> = (0..index(members.len())).collect();
        sorted.sort_by(|a, b| members[*a as usize].name.cmp(&members[*b as usize].name));
        self.objects[object] = Object {
            fields: members,
            sorted,
            extra,
        };
        Ok(count)
    }

    fn column(&mut self, name: &str, ty: &Type) -> Result<u32, PlanError> {
        let nullable = ty.nullable;
        match &ty.kind {
            Kind::Text => {
                let column = self.layout.text(name, nullable)?;
                self.ops.push(Op::Text);
                Ok(column)
            }
            Kind::Json => {
                let column = self.layout.text(name, nullable)?;
                self.layout.extension(column, "arrow.json");
                self.ops.push(Op::Json);
                Ok(column)
            }
            Kind::Uuid => {
                let column = self.leaf(name, "w:16", nullable, 16, Op::Uuid)?;
                self.layout.extension(column, "arrow.uuid");
                Ok(column)
            }
            Kind::List(item) => {
                let column = self.add(name, "+l", nullable, Storage::List, Op::List)?;
                self.layout.open();
                self.column("item", item)?;
                self.layout.close(column, 1);
                Ok(column)
            }
            Kind::Map(value) => {
                let column = self.add(name, "+m", nullable, Storage::List, Op::Map)?;
                self.layout.open();
                let entries = self.add("entries", "+s", false, Storage::Struct, Op::Map)?;
                self.layout.open();
                self.layout.text("key", false)?;
                self.ops.push(Op::Text);
                self.column("value", value)?;
                self.layout.close(entries, 2);
                self.layout.close(column, 1);
                Ok(column)
            }
            Kind::Struct(fields) => {
                let object = self.objects.len();
                self.objects.push(Object::default());
                let op = Op::Object(index(object));
                let column = self.add(name, "+s", nullable, Storage::Struct, op)?;
                self.layout.open();
                let children = self.fields(object, fields)?;
                self.layout.close(column, children);
                Ok(column)
            }
            kind => {
                let (format, width, op) = leaf(kind);
                self.leaf(name, &format, nullable, width, op)
            }
        }
    }

    /// `width` 0 is for booleans, 1 and up for that many bytes, [`u32::MAX`] for any number.
    fn leaf(
        &mut self,
        name: &str,
        format: &str,
        nullable: bool,
        width: u32,
        op: Op,
    ) -> Result<u32, PlanError> {
        let storage = match width {
            0 => Storage::Boolean,
            u32::MAX => Storage::Variable,
            width => Storage::Fixed(width),
        };
        self.add(name, format, nullable, storage, op)
    }

    fn add(
        &mut self,
        name: &str,
        format: &str,
        nullable: bool,
        storage: Storage,
        op: Op,
    ) -> Result<u32, PlanError> {
        let column = self.layout.field(name, format, nullable, storage)?;
        self.ops.push(op);
        Ok(column)
    }
}

fn leaf(kind: &Kind) -> (String, u32, Op) {
    let of = |format: &str, width, op| (format.to_owned(), width, op);
    match *kind {
        Kind::Boolean => of("b", 0, Op::Boolean),
        Kind::Integer {
            bits: 64,
            signed: true,
        } => of("l", 8, Op::Int64),
        Kind::Integer { bits, signed } => {
            let format = match (bits, signed) {
                (8, true) => "c",
                (8, false) => "C",
                (16, true) => "s",
                (16, false) => "S",
                (32, true) => "i",
                (32, false) => "I",
                _ => "L",
            };
            of(format, u32::from(bits / 8), Op::Integer { bits, signed })
        }
        Kind::Float32 => of("f", 4, Op::Float32),
        Kind::Decimal {
            precision,
            scale,
            written,
        } => {
            let op = Op::Decimal {
                precision,
                scale,
                written,
            };
            of(&format!("d:{precision},{scale}"), 16, op)
        }
        Kind::Binary => of("z", u32::MAX, Op::Binary),
        Kind::Date(written) => of("tdD", 4, Op::Date(written)),
        Kind::Time(unit, written) => {
            let width = if matches!(unit, Unit::Second | Unit::Milli) {
                4
            } else {
                8
            };
            of(
                &format!("tt{}", unit.letter()),
                width,
                Op::Time(unit, written),
            )
        }
        Kind::Timestamp { unit, utc, written } => {
            let zone = if utc { "UTC" } else { "" };
            let format = format!("ts{}:{zone}", unit.letter());
            of(&format, 8, Op::Timestamp { unit, utc, written })
        }
        // The others are not leaves, or were handled before.
        _ => of("g", 8, Op::Float64),
    }
}

/// Positions within a plan, which the limit of fields keeps far below `u32::MAX`.
fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

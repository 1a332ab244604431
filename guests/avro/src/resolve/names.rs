//! Which types, branches, fields and symbols of two schemas are the same.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use apache_avro::schema::{
    DecimalSchema, EnumSchema, InnerDecimalSchema, RecordField, RecordSchema, Schema, UuidSchema,
};

use super::promotion;
use crate::{
    defaults::fixed,
    schema::{Parsed, SchemaError, default_of, default_symbol},
};

/// What a schema is, or what its logical type annotates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed,
    Enum,
    Array,
    Map,
    Record,
    Union,
    /// A name that is not looked up.
    Ref,
}

/// Two schemas, and what the names of the one are for the other.
pub(crate) struct Names<'a> {
    pub(crate) writer: &'a Parsed,
    pub(crate) reader: &'a Parsed,
    /// The reader's full names by their aliases.
    pub(crate) renamed: HashMap<String, String>,
}

impl Names<'_> {
    /// Why no value of the one type is one of the other, looking no deeper than the fields of
    /// records; `None` where that may be. A writer's union is looked at branch by branch.
    pub(crate) fn mismatch(&self, w: &Schema, r: &Schema) -> Result<Option<String>, SchemaError> {
        self.mismatch_within(w, r, &RefCell::default())
    }

    fn mismatch_within(
        &self,
        w: &Schema,
        r: &Schema,
        open: &RefCell<HashSet<(String, String)>>,
    ) -> Result<Option<String>, SchemaError> {
        let (w, r) = (self.writer.resolve(w)?, self.reader.resolve(r)?);
        let differ = || {
            let (w, r) = (describe(w), describe(r));
            Ok(Some(format!("{w} does not become {r}")))
        };
        if let Some(conflict) = logical_conflict(w, r) {
            return Ok(Some(conflict));
        }
        match (kind(w), kind(r)) {
            (Kind::Union, _) => Ok(None),
            (Kind::Fixed, Kind::Fixed) => {
                let size = |schema| fixed(schema).map(|fixed| fixed.size);
                if !self.same_name(w, r) || size(w) != size(r) {
                    return differ();
                }
                Ok(None)
            }
            (Kind::Enum, Kind::Enum) if !self.same_name(w, r) => differ(),
            (Kind::Record, Kind::Record) => match (w, r) {
                (Schema::Record(w), Schema::Record(r)) => missing(w, r),
                _ => differ(),
            },
            (w, r) if w == r => Ok(None),
            (_, Kind::Union) => {
                let Schema::Union(union) = r else {
                    return differ();
                };
                match self.branch_within(w, union.variants(), open)? {
                    Some(_) => Ok(None),
                    None => differ(),
                }
            }
            (Kind::String, Kind::Bytes) | (Kind::Bytes, Kind::String) => Ok(None),
            (from, to) if promotion(from, to).is_some() => Ok(None),
            _ => differ(),
        }
    }

    /// The first branch of a reader's union that takes a type: one of the same type (and full name),
    /// else one of the same name without namespace or a record of that shape, else one that it is
    /// promoted to.
    pub(crate) fn branch(
        &self,
        w: &Schema,
        branches: &[Schema],
    ) -> Result<Option<usize>, SchemaError> {
        self.branch_within(w, branches, &RefCell::default())
    }

    fn branch_within(
        &self,
        w: &Schema,
        branches: &[Schema],
        open: &RefCell<HashSet<(String, String)>>,
    ) -> Result<Option<usize>, SchemaError> {
        let mut alike: Option<usize> = None;
        for (at, branch) in branches.iter().enumerate() {
            let r = self.reader.resolve(branch)?;
            if kind(w) != kind(r) {
                continue;
            }
            if !matches!(kind(w), Kind::Record | Kind::Enum | Kind::Fixed) {
                return Ok(Some(at));
            }
            if self.name(w) == full_name(r) {
                return Ok(Some(at));
            }
            let fits = match (w, r) {
                (Schema::Record(w), Schema::Record(r)) => {
                    self.is_of_shape(w, r, open)?
                        && (alike.is_none() || w.name.name() == r.name.name())
                }
                _ => alike.is_none() && self.mismatch_within(w, r, open)?.is_none(),
            };
            if fits {
                alike = Some(at);
            }
        }
        if alike.is_some() {
            return Ok(alike);
        }
        for (at, branch) in branches.iter().enumerate() {
            let to = kind(self.reader.resolve(branch)?);
            let is_text = matches!(
                (kind(w), to),
                (Kind::String, Kind::Bytes) | (Kind::Bytes, Kind::String)
            );
            if is_text || promotion(kind(w), to).is_some() {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Whether each field of a record becomes one of the other, or is skipped, and none is missing.
    fn is_of_shape(
        &self,
        w: &RecordSchema,
        r: &RecordSchema,
        open: &RefCell<HashSet<(String, String)>>,
    ) -> Result<bool, SchemaError> {
        let pair = (w.name.fullname(None), r.name.fullname(None));
        if missing(w, r)?.is_some() {
            return Ok(false);
        }
        if !open.borrow_mut().insert(pair.clone()) {
            return Ok(true);
        }
        let mut fits = true;
        for (field, target) in w.fields.iter().zip(targets(w, r)?) {
            if let Some(target) = target {
                let target = &r.fields[target].schema;
                fits &= self.mismatch_within(&field.schema, target, open)?.is_none();
            }
        }
        open.borrow_mut().remove(&pair);
        Ok(fits)
    }

    /// Whether the names are the same without their namespaces, or by an alias.
    fn same_name(&self, w: &Schema, r: &Schema) -> bool {
        let short = |schema: &Schema| schema.name().map(|name| name.name().to_owned());
        short(w) == short(r) || self.name(w) == full_name(r)
    }

    /// What the reader calls a type of the writer.
    fn name(&self, w: &Schema) -> Option<String> {
        let name = full_name(w)?;
        Some(self.renamed.get(&name).cloned().unwrap_or(name))
    }
}

fn full_name(schema: &Schema) -> Option<String> {
    schema.name().map(|name| name.fullname(None))
}

/// The reader's full names by their aliases.
pub(crate) fn aliases(reader: &Parsed) -> HashMap<String, String> {
    let mut renamed = HashMap::new();
    for schema in reader.types() {
        let Some(name) = schema.name() else {
            continue;
        };
        for alias in schema.aliases().into_iter().flatten() {
            renamed.insert(alias.fullname(name.namespace()), name.fullname(None));
        }
    }
    renamed
}

/// Which field of the reader each of the writer's is, by its name or an alias.
pub(crate) fn targets(
    w: &RecordSchema,
    r: &RecordSchema,
) -> Result<Vec<Option<usize>>, SchemaError> {
    let mut targets = Vec::with_capacity(w.fields.len());
    for field in &w.fields {
        let of = |is: &dyn Fn(&RecordField) -> bool| r.fields.iter().position(is);
        let by_alias = of(&|target| target.aliases.contains(&field.name));
        let target = by_alias.or_else(|| of(&|target| target.name == field.name));
        if let Some(twice) = target.filter(|_| targets.contains(&target)) {
            return Err(SchemaError::Aliases(r.fields[twice].name.clone()));
        }
        targets.push(target);
    }
    Ok(targets)
}

/// The first field that the writer does not have, and that has no default.
fn missing(w: &RecordSchema, r: &RecordSchema) -> Result<Option<String>, SchemaError> {
    let targets = targets(w, r)?;
    let mut fields = r.fields.iter().enumerate();
    let missing =
        fields.find(|(at, field)| !targets.contains(&Some(*at)) && default_of(field).is_none());
    Ok(missing.map(|(_, field)| no_default(field)))
}

pub(crate) fn no_default(field: &RecordField) -> String {
    format!(
        "the reader's field `{}` was not written, and has no default",
        field.name
    )
}

/// The reader's symbol for each of the writer's; its default where it has no such one.
pub(crate) fn symbols<'s>(
    w: &'s EnumSchema,
    r: &'s EnumSchema,
) -> impl Iterator<Item = Option<&'s str>> {
    let has = |symbol: &str| r.symbols.iter().any(|known| known == symbol);
    let default = default_symbol(r).filter(|default| has(default));
    let written = w.symbols.iter().map(String::as_str);
    written.map(move |symbol| {
        let known = r.symbols.iter().find(|known| *known == symbol);
        known.map(String::as_str).or(default)
    })
}

/// Why two logical types do not meet: the same number would mean another thing.
fn logical_conflict(w: &Schema, r: &Schema) -> Option<String> {
    let (from, to) = (logical(w)?, logical(r)?);
    let scales = match (w, r) {
        (Schema::Decimal(w), Schema::Decimal(r)) if w.scale != r.scale => {
            format!(" of scales {} and {}", w.scale, r.scale)
        }
        _ if from == to => return None,
        _ => String::new(),
    };
    Some(format!("{from} does not become {to}{scales}"))
}

fn logical(schema: &Schema) -> Option<&'static str> {
    Some(match schema {
        Schema::Decimal(_) => "decimal",
        Schema::BigDecimal => "big-decimal",
        Schema::Uuid(_) => "uuid",
        Schema::Date => "date",
        Schema::TimeMillis => "time-millis",
        Schema::TimeMicros => "time-micros",
        Schema::TimestampMillis => "timestamp-millis",
        Schema::TimestampMicros => "timestamp-micros",
        Schema::TimestampNanos => "timestamp-nanos",
        Schema::LocalTimestampMillis => "local-timestamp-millis",
        Schema::LocalTimestampMicros => "local-timestamp-micros",
        Schema::LocalTimestampNanos => "local-timestamp-nanos",
        Schema::Duration(_) => "duration",
        _ => return None,
    })
}

/// A type, as in a sentence.
pub(crate) fn describe(schema: &Schema) -> String {
    let kind = match kind(schema) {
        Kind::Null => "null",
        Kind::Boolean => "boolean",
        Kind::Int => "int",
        Kind::Long => "long",
        Kind::Float => "float",
        Kind::Double => "double",
        Kind::Bytes => "bytes",
        Kind::String => "string",
        Kind::Fixed => "fixed",
        Kind::Enum => "enum",
        Kind::Array => "array",
        Kind::Map => "map",
        Kind::Record => "record",
        Kind::Union => "union",
        Kind::Ref => "type",
    };
    match (fixed(schema), full_name(schema)) {
        (Some(fixed), Some(name)) => format!("{kind} `{name}` of {} bytes", fixed.size),
        (None, Some(name)) => format!("{kind} `{name}`"),
        _ => kind.to_owned(),
    }
}

/// What a schema is; a name is not looked up.
pub(crate) fn kind(schema: &Schema) -> Kind {
    match schema {
        Schema::Null => Kind::Null,
        Schema::Boolean => Kind::Boolean,
        Schema::Int | Schema::Date | Schema::TimeMillis => Kind::Int,
        Schema::Float => Kind::Float,
        Schema::Double => Kind::Double,
        Schema::Bytes
        | Schema::BigDecimal
        | Schema::Uuid(UuidSchema::Bytes)
        | Schema::Decimal(DecimalSchema {
            inner: InnerDecimalSchema::Bytes,
            ..
        }) => Kind::Bytes,
        Schema::String | Schema::Uuid(UuidSchema::String) => Kind::String,
        Schema::Fixed(_) | Schema::Duration(_) | Schema::Uuid(_) | Schema::Decimal(_) => {
            Kind::Fixed
        }
        Schema::Enum(_) => Kind::Enum,
        Schema::Array(_) => Kind::Array,
        Schema::Map(_) => Kind::Map,
        Schema::Record(_) => Kind::Record,
        Schema::Union(_) => Kind::Union,
        Schema::Ref { .. } => Kind::Ref,
        Schema::Long
        | Schema::TimeMicros
        | Schema::TimestampMillis
        | Schema::TimestampMicros
        | Schema::TimestampNanos
        | Schema::LocalTimestampMillis
        | Schema::LocalTimestampMicros
        | Schema::LocalTimestampNanos => Kind::Long,
    }
}

//! From schemas to types.
//!
//! | JSON Schema | type |
//! |---|---|
//! | `boolean` | boolean |
//! | `integer` | int64 |
//! | `number` | float64 |
//! | `string`, or `enum` and `const` of strings | utf8 |
//! | `string` with `format` `date-time`, `date`, `time` | timestamp(us), date, time(us) |
//! | `string` with `contentEncoding` `base64` | binary |
//! | `array` with `items` of one schema | list |
//! | `object` with `properties` | object |
//! | `object` with `additionalProperties` of one schema, and no `properties` | map |
//! | with `connect.type` | what Connect means, see [`super::connect`] |
//! | with null beside one other type, in `type`, `oneOf` or `anyOf` | that type |
//! | `oneOf`, `anyOf` of objects | an object of all their fields |
//! | `allOf` | all of them together |
//! | a schema within itself, and everything else | json |

use serde_json::Value;
use weir_guest::columns::{LayoutError, MAX_FIELDS};

use super::{
    SchemaError, connect,
    documents::{Index, Place},
    facets::Facets,
};
use crate::{
    time::Unit,
    types::{Kind, Type, Written},
};

/// Types that are nested deeper are JSON text. Lists and maps take two levels of columns each,
/// and the host takes 64.
const MAX_DEPTH: usize = 20;

pub(super) struct Walk<'i, 'a> {
    index: &'i Index<'a>,
    strict: bool,
    /// Whether it is for messages that are written: then null is a value only where the schema
    /// has it, and what may be left out is known.
    writing: bool,
    /// The schemas around the current one.
    open: Vec<&'a Value>,
    depth: usize,
    columns: usize,
}

/// Types of JSON, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Types(u8);

impl Types {
    const NULL: Self = Self(1);
    const BOOLEAN: Self = Self(2);
    const INTEGER: Self = Self(4);
    const NUMBER: Self = Self(8);
    const STRING: Self = Self(16);
    const ARRAY: Self = Self(32);
    const OBJECT: Self = Self(64);
    const ALL: Self = Self(127);

    fn named(name: &str) -> Self {
        match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "integer" => Self::INTEGER,
            "number" => Self::NUMBER.or(Self::INTEGER),
            "string" => Self::STRING,
            "array" => Self::ARRAY,
            "object" => Self::OBJECT,
            _ => Self::ALL,
        }
    }

    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(number) if number.is_f64() => Self::NUMBER.or(Self::INTEGER),
            Value::Number(_) => Self::INTEGER,
            Value::String(_) => Self::STRING,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
        }
    }

    fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    fn without_null(self) -> Self {
        Self(self.0 & !Self::NULL.0)
    }
}

impl<'i, 'a> Walk<'i, 'a> {
    pub(super) fn new(index: &'i Index<'a>, strict: bool) -> Self {
        Self {
            index,
            strict,
            writing: false,
            open: Vec::new(),
            depth: 0,
            columns: 0,
        }
    }

    /// For messages that are written.
    pub(super) fn to_write(index: &'i Index<'a>) -> Self {
        Self {
            writing: true,
            ..Self::new(index, true)
        }
    }

    /// The type of a row.
    pub(super) fn root(&mut self) -> Result<Type, SchemaError> {
        let facets = Facets::of(self.index, [self.index.root()])?;
        self.of(&facets)
    }

    /// The type of values for which all of these schemas hold.
    fn of(&mut self, facets: &Facets<'a>) -> Result<Type, SchemaError> {
        self.columns += 1;
        if self.columns > MAX_FIELDS {
            return Err(LayoutError::TooManyFields.into());
        }
        if facets.is_never() || facets.meets(&self.open) || self.depth > MAX_DEPTH {
            return Ok(Type::nullable(Kind::Json));
        }
        let before = self.open.len();
        self.open.extend(facets.schemas());
        self.depth += 1;
        let found = self.choose(facets);
        self.depth -= 1;
        self.open.truncate(before);
        found
    }

    /// Looks for the one branch that a choice comes down to.
    fn choose(&mut self, facets: &Facets<'a>) -> Result<Type, SchemaError> {
        let choices = facets.each("anyOf").chain(facets.each("oneOf"));
        let choices: Vec<Vec<Place<'a>>> = choices
            .filter_map(|place| {
                let branches = place.schema.as_array()?.iter();
                Some(branches.map(|branch| place.at(branch)).collect())
            })
            .collect();
        match &choices[..] {
            [] => self.plain(facets, true),
            [branches] => self.choice(facets, branches),
            // What choices allow together is for validators.
            _ if self.types(facets)?.without_null() == Types::OBJECT => {
                let branches = choices.concat();
                self.choice(facets, &branches)
            }
            _ => self.plain(facets, true),
        }
    }

    fn choice(&mut self, facets: &Facets<'a>, branches: &[Place<'a>]) -> Result<Type, SchemaError> {
        let (mut null, mut objects) = (false, true);
        let mut types = Vec::new();
        for branch in branches {
            let own = Facets::of(self.index, [branch.clone()])?;
            let branch = facets.with(self.index, branch.clone())?;
            let kinds = self.types(&branch)?;
            if kinds == Types::NULL {
                null = true;
                continue;
            }
            objects &= kinds.without_null() == Types::OBJECT;
            let mut ty = self.branch(&own, &branch)?;
            null |= ty.nullable;
            ty.nullable = true;
            types.push(ty);
        }
        let mut types = types.into_iter();
        let Some(first) = types.next() else {
            return Ok(Type::nullable(Kind::Json));
        };
        let kind = types.try_fold(first.kind, |merged, ty| {
            if merged == ty.kind {
                return Some(merged);
            }
            objects.then(|| merge(merged, ty.kind)).flatten()
        });
        let kind = kind.unwrap_or(Kind::Json);
        let nullable = null || !self.strict || kind == Kind::Json;
        Ok(Type {
            kind,
            nullable,
            required: false,
        })
    }

    /// The type of one branch, together with what holds for all of them. Choices within it are
    /// JSON text.
    fn branch(&mut self, own: &Facets<'a>, all: &Facets<'a>) -> Result<Type, SchemaError> {
        let choices = own.each("anyOf").chain(own.each("oneOf"));
        if choices.count() > 0 || own.meets(&self.open) {
            return Ok(Type::nullable(Kind::Json));
        }
        let before = self.open.len();
        self.open.extend(own.schemas());
        let found = self.plain(all, false);
        self.open.truncate(before);
        found
    }

    /// The types of JSON that these schemas allow.
    fn types(&self, facets: &Facets<'a>) -> Result<Types, SchemaError> {
        let mut types = Types::ALL;
        for schema in facets.schemas() {
            if let Some(named) = schema.get("type") {
                let named = match named {
                    Value::Array(names) => names
                        .iter()
                        .filter_map(Value::as_str)
                        .fold(Types(0), |all, name| all.or(Types::named(name))),
                    named => named.as_str().map_or(Types::ALL, Types::named),
                };
                types = types.and(named);
            }
            if let Some(Value::Array(values)) = schema.get("enum") {
                types = types.and(values.iter().map(Types::of).fold(Types(0), Types::or));
            }
            if let Some(value) = schema.get("const") {
                types = types.and(Types::of(value));
            }
        }
        if types == Types::ALL {
            let has = |keyword: &str| facets.first(keyword).is_some();
            if has("properties") || has("required") {
                // No type, but what it says is about objects.
                return Ok(Types::OBJECT.or(Types::NULL));
            }
            if has("items") {
                return Ok(Types::ARRAY.or(Types::NULL));
            }
        }
        Ok(types)
    }

    fn plain(&mut self, facets: &Facets<'a>, optional: bool) -> Result<Type, SchemaError> {
        let types = self.types(facets)?;
        let kind = self.kind(facets, types.without_null())?;
        let nullable = types.has(Types::NULL) || kind == Kind::Json || (optional && !self.strict);
        Ok(Type {
            kind,
            nullable,
            required: false,
        })
    }

    fn kind(&mut self, facets: &Facets<'a>, types: Types) -> Result<Kind, SchemaError> {
        let connect = |number| connect::kind(|name| facets.first(name), number);
        let number = Types::NUMBER.or(Types::INTEGER);
        Ok(match types {
            Types::BOOLEAN => Kind::Boolean,
            Types::INTEGER => connect(true).unwrap_or(Kind::Integer {
                bits: 64,
                signed: true,
            }),
            types if types == number => connect(true).unwrap_or(Kind::Float64),
            Types::STRING => connect(false).unwrap_or_else(|| string(facets)),
            Types::ARRAY => self.array(facets)?,
            Types::OBJECT => self.object(facets)?,
            _ => Kind::Json,
        })
    }

    fn array(&mut self, facets: &Facets<'a>) -> Result<Kind, SchemaError> {
        let items: Vec<Place<'a>> = facets.each("items").collect();
        // Items that differ by their place are a tuple, for which there is no column.
        let tuple = items.iter().any(|place| place.schema.is_array());
        if items.is_empty() || tuple || facets.first("prefixItems").is_some() {
            return Ok(Kind::Json);
        }
        let mut item = self.of(&Facets::of(self.index, items)?)?;
        item.nullable |= !self.writing;
        Ok(Kind::List(Box::new(item)))
    }

    fn object(&mut self, facets: &Facets<'a>) -> Result<Kind, SchemaError> {
        let mut names: Vec<(i64, &'a str)> = Vec::new();
        let properties: Vec<Place<'a>> = facets.each("properties").collect();
        for place in &properties {
            for (name, schema) in place.schema.as_object().into_iter().flatten() {
                if !names.iter().any(|(_, known)| known == name) {
                    // Where Connect has the order of its own fields.
                    let order = schema.get("connect.index").and_then(Value::as_i64);
                    names.push((order.unwrap_or(0), name));
                }
                if names.len() > MAX_FIELDS {
                    return Err(LayoutError::TooManyFields.into());
                }
            }
        }
        if names.is_empty() {
            return self.map(facets);
        }
        names.sort_by_key(|(order, _)| *order);
        let required: Vec<&Value> = facets
            .each("required")
            .filter_map(|place| place.schema.as_array())
            .flatten()
            .collect();
        let mut fields = Vec::with_capacity(names.len());
        for (_, name) in names {
            let places = properties.iter();
            let places = places.filter_map(|place| Some(place.at(place.schema.get(name)?)));
            let mut ty = self.of(&Facets::of(self.index, places)?)?;
            let is_required = required.iter().any(|it| it.as_str() == Some(name));
            if self.writing {
                ty.required = is_required;
            } else {
                ty.nullable |= !self.strict || !is_required;
            }
            fields.push((name.to_owned(), ty));
        }
        Ok(Kind::Struct(fields))
    }

    fn map(&mut self, facets: &Facets<'a>) -> Result<Kind, SchemaError> {
        let values: Vec<Place<'a>> = facets.each("additionalProperties").collect();
        let is_schema =
            |place: &Place<'a>| place.schema.as_object().is_some_and(|it| !it.is_empty());
        let one = !values.is_empty() && values.iter().all(is_schema);
        if !one || facets.first("patternProperties").is_some() {
            return Ok(Kind::Json);
        }
        let mut value = self.of(&Facets::of(self.index, values)?)?;
        value.nullable |= !self.writing;
        Ok(Kind::Map(Box::new(value)))
    }
}

fn string(facets: &Facets<'_>) -> Kind {
    let text = |keyword: &str| facets.first(keyword).and_then(Value::as_str);
    let written = Written::Text;
    match (text("format"), text("contentEncoding")) {
        (_, Some("base64")) => Kind::Binary,
        (Some("date-time"), _) => Kind::Timestamp {
            unit: Unit::Micro,
            utc: true,
            written,
        },
        (Some("date"), _) => Kind::Date(written),
        (Some("time"), _) => Kind::Time(Unit::Micro, written),
        _ => Kind::Text,
    }
}

/// An object of the fields of two: one that both have, with different types, is JSON text.
fn merge(one: Kind, other: Kind) -> Option<Kind> {
    let (Kind::Struct(mut fields), Kind::Struct(more)) = (loose(one), loose(other)) else {
        return None;
    };
    for (name, Type { kind, .. }) in more {
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) if known.kind == kind => {}
            Some((_, known)) => {
                let was = std::mem::replace(&mut known.kind, Kind::Json);
                known.kind = merge(was, kind).unwrap_or(Kind::Json);
            }
            None => fields.push((name, Type::nullable(kind))),
        }
    }
    Some(Kind::Struct(fields))
}

/// With nothing required: what one branch requires, another may not.
fn loose(kind: Kind) -> Kind {
    let any = |ty: Type| Type::nullable(loose(ty.kind));
    match kind {
        Kind::Struct(fields) => {
            let fields = fields.into_iter().map(|(name, ty)| (name, any(ty)));
            Kind::Struct(fields.collect())
        }
        Kind::List(item) => Kind::List(Box::new(any(*item))),
        Kind::Map(value) => Kind::Map(Box::new(any(*value))),
        other => other,
    }
}

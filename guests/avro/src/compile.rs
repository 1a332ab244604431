//! From a parsed schema to a plan.
//!
//! | Avro | Arrow format |
//! |---|---|
//! | null | `n` |
//! | boolean | `b` |
//! | int, long, float, double | `i`, `l`, `f`, `g` |
//! | bytes, fixed(N) | `z`, `w:N` |
//! | string, enum | `u` |
//! | record | `+s` |
//! | array | `+l` with child `item` |
//! | map | `+m` with child `entries` of `key` and `value` |
//! | union of null and T, in either order | T, nullable |
//! | union of one branch | that branch |
//! | wider union | `+s` with a nullable child for each branch but null, named by its type; one of them is set, or the struct is null |
//! | decimal(p, s) on bytes or fixed | `d:p,s` up to 38 digits, `d:p,s,256` up to 76 |
//! | uuid on fixed(16) | `w:16`, extension `arrow.uuid` |
//! | uuid on string | `u` |
//! | date | `tdD` |
//! | time-millis, time-micros | `ttm`, `ttu` |
//! | timestamp-millis, -micros, -nanos | `tsm:UTC`, `tsu:UTC`, `tsn:UTC` |
//! | local-timestamp-millis, -micros, -nanos | `tsm:`, `tsu:`, `tsn:` |
//! | duration | `tin`: months, days, and ms as ns |
//! | a record inside of itself | `u`, extension `arrow.json` |
//! | any other logical type | the type it annotates |
//!
//! A record at the top becomes one column a field, anything else one column `value`.

use std::ops::Range;

use apache_avro::schema::{FixedSchema, InnerDecimalSchema, RecordSchema, Schema, UuidSchema};
use weir_guest::columns::{Storage, Symbol};

use crate::{
    decimal::{DIGITS_256, Decimal},
    grammar::GrammarCompiler,
    plan::{Branch, Op, Plan, least_bytes},
    schema::{Parsed, SchemaError},
};

/// Compiles a schema whose records are read as they were written.
pub(crate) fn compile(parsed: &Parsed) -> Result<Plan, SchemaError> {
    compile_with_spans(parsed).map(|(plan, _)| plan)
}

/// The same, with where the operations of each column are: of a value in it, whether it is there
/// or not. None for keys and entries of maps.
pub(crate) fn compile_with_spans(
    parsed: &Parsed,
) -> Result<(Plan, Vec<Range<usize>>), SchemaError> {
    let mut compiler = Compiler {
        parsed,
        plan: Plan::default(),
        grammar: GrammarCompiler::new(parsed),
        open: Vec::new(),
        spans: Vec::new(),
    };
    match parsed.resolve(&parsed.root)? {
        Schema::Record(record) => {
            compiler.record_fields(record)?;
        }
        other => {
            compiler.value(other, "value", false)?;
        }
    }
    let mut plan = compiler.plan;
    plan.grammar = compiler.grammar.finish();
    compiler.spans.resize(plan.layout.fields.len(), 0..0);
    Ok((plan, compiler.spans))
}

struct Compiler<'a> {
    parsed: &'a Parsed,
    plan: Plan,
    grammar: GrammarCompiler<'a>,
    /// The records around the current value, by full name.
    open: Vec<&'a str>,
    /// The operations of each column.
    spans: Vec<Range<usize>>,
}

impl<'a> Compiler<'a> {
    /// Adds the column of a value, those below it, and its operations. `nullable` says
    /// that the caller keeps the column's validity. Returns the column.
    fn value(
        &mut self,
        schema: &'a Schema,
        name: &str,
        nullable: bool,
    ) -> Result<u32, SchemaError> {
        let start = self.plan.ops.len();
        let column = self.value_of(schema, name, nullable)?;
        let at = column as usize;
        self.spans.resize(self.spans.len().max(at + 1), 0..0);
        self.spans[at] = start..self.plan.ops.len();
        Ok(column)
    }

    fn value_of(
        &mut self,
        schema: &'a Schema,
        name: &str,
        nullable: bool,
    ) -> Result<u32, SchemaError> {
        use Storage::{Boolean, Fixed, Null, Variable};
        let int = |column| Op::Int { column };
        let long = |column| Op::Long { column };
        let (format, storage, op): (&str, Storage, fn(u32) -> Op) = match self
            .parsed
            .resolve(schema)?
        {
            Schema::Null => return self.field(name, "n", true, Null),
            Schema::Boolean => ("b", Boolean, |column| Op::Boolean { column }),
            Schema::Int => ("i", Fixed(4), int),
            Schema::Long => ("l", Fixed(8), long),
            Schema::Float => ("f", Fixed(4), |column| Op::Float { column }),
            Schema::Double => ("g", Fixed(8), |column| Op::Double { column }),
            Schema::Bytes | Schema::BigDecimal | Schema::Uuid(UuidSchema::Bytes) => {
                ("z", Variable, |column| Op::Bytes { column })
            }
            Schema::String | Schema::Uuid(UuidSchema::String) => return self.text(name, nullable),
            Schema::Date => ("tdD", Fixed(4), int),
            Schema::TimeMillis => ("ttm", Fixed(4), int),
            Schema::TimeMicros => ("ttu", Fixed(8), long),
            Schema::TimestampMillis => ("tsm:UTC", Fixed(8), long),
            Schema::TimestampMicros => ("tsu:UTC", Fixed(8), long),
            Schema::TimestampNanos => ("tsn:UTC", Fixed(8), long),
            Schema::LocalTimestampMillis => ("tsm:", Fixed(8), long),
            Schema::LocalTimestampMicros => ("tsu:", Fixed(8), long),
            Schema::LocalTimestampNanos => ("tsn:", Fixed(8), long),
            Schema::Duration(_) => ("tin", Fixed(16), |column| Op::Duration { column }),
            Schema::Fixed(fixed) => return self.fixed(fixed, name, nullable),
            Schema::Uuid(UuidSchema::Fixed(fixed)) => {
                let column = self.fixed(fixed, name, nullable)?;
                self.extension(column, "arrow.uuid");
                return Ok(column);
            }
            Schema::Decimal(decimal) => {
                let size = match &decimal.inner {
                    InnerDecimalSchema::Bytes => None,
                    InnerDecimalSchema::Fixed(fixed) => Some(fixed_size(fixed, name)?),
                };
                return self.decimal(decimal.precision, decimal.scale, size, name, nullable);
            }
            Schema::Enum(symbols) => {
                let column = self.field(name, "u", nullable, Variable)?;
                let symbols = symbols.symbols.iter().map(|symbol| Symbol::new(symbol));
                self.plan.symbols.push(symbols.collect());
                let symbols = index(self.plan.symbols.len() - 1);
                self.plan.ops.push(Op::Enum { column, symbols });
                return Ok(column);
            }
            Schema::Array(array) => return self.list(&array.items, name, nullable),
            Schema::Map(map) => return self.map(&map.types, name, nullable),
            Schema::Union(union) => return self.union(union.variants(), name),
            Schema::Record(record) if self.open.contains(&record.name.as_ref()) => {
                return self.recursive(schema, name, nullable);
            }
            Schema::Record(record) => {
                let column = self.field(name, "+s", nullable, Storage::Struct)?;
                self.children(column, |this| this.record_fields(record))?;
                return Ok(column);
            }
            Schema::Ref { name } => return Err(SchemaError::Undefined(name.to_string())),
        };
        let column = self.field(name, format, nullable, storage)?;
        self.plan.ops.push(op(column));
        Ok(column)
    }

    fn record_fields(&mut self, record: &'a RecordSchema) -> Result<u32, SchemaError> {
        self.open.push(record.name.as_ref());
        for field in &record.fields {
            self.value(&field.schema, &field.name, false)?;
        }
        self.open.pop();
        Ok(index(record.fields.len()))
    }

    fn text(&mut self, name: &str, nullable: bool) -> Result<u32, SchemaError> {
        let column = self.plan.layout.text(name, nullable)?;
        self.plan.ops.push(Op::Bytes { column });
        Ok(column)
    }

    fn fixed(
        &mut self,
        fixed: &FixedSchema,
        name: &str,
        nullable: bool,
    ) -> Result<u32, SchemaError> {
        let size = fixed_size(fixed, name)?;
        let column = self.field(name, &format!("w:{size}"), nullable, Storage::Fixed(size))?;
        self.plan.ops.push(Op::Fixed { column, size });
        Ok(column)
    }

    fn decimal(
        &mut self,
        precision: usize,
        scale: usize,
        size: Option<u32>,
        name: &str,
        nullable: bool,
    ) -> Result<u32, SchemaError> {
        if precision > DIGITS_256 {
            return Err(SchemaError::Precision {
                field: name.to_owned(),
                precision,
            });
        }
        let decimal = Decimal::new(precision, size);
        let bits = if decimal.width == 32 { ",256" } else { "" };
        let format = format!("d:{precision},{scale}{bits}");
        let column = self.field(name, &format, nullable, Storage::Fixed(decimal.width))?;
        self.plan.decimals.push(decimal);
        let decimal = index(self.plan.decimals.len() - 1);
        self.plan.ops.push(Op::Decimal { column, decimal });
        Ok(column)
    }

    fn list(&mut self, items: &'a Schema, name: &str, nullable: bool) -> Result<u32, SchemaError> {
        let column = self.field(name, "+l", nullable, Storage::List)?;
        self.list_body(column, |this| this.value(items, "item", false))?;
        Ok(column)
    }

    fn map(&mut self, values: &'a Schema, name: &str, nullable: bool) -> Result<u32, SchemaError> {
        let column = self.field(name, "+m", nullable, Storage::List)?;
        self.list_body(column, |this| {
            let entries = this.field("entries", "+s", false, Storage::Struct)?;
            this.children(entries, |this| {
                this.text("key", false)?;
                this.value(values, "value", false)?;
                Ok(2)
            })
        })?;
        Ok(column)
    }

    fn list_body(
        &mut self,
        column: u32,
        item: impl FnOnce(&mut Self) -> Result<u32, SchemaError>,
    ) -> Result<(), SchemaError> {
        let at = self.plan.ops.len();
        self.plan.ops.push(Op::List {
            column,
            item_bytes: 0,
            body: 0,
        });
        self.children(column, |this| item(this).map(|_| 1))?;
        let body = &self.plan.ops[at + 1..];
        self.plan.ops[at] = Op::List {
            column,
            item_bytes: least_bytes(body),
            body: index(body.len()),
        };
        Ok(())
    }

    fn union(&mut self, branches: &'a [Schema], name: &str) -> Result<u32, SchemaError> {
        let null = branches
            .iter()
            .position(|branch| matches!(branch, Schema::Null));
        match (branches, null) {
            ([], _) => Err(SchemaError::EmptyUnion(name.to_owned())),
            ([only], _) => {
                let at = self.reserve_op();
                let column = self.value(only, name, false)?;
                self.plan.ops[at] = Op::Single { column };
                Ok(column)
            }
            ([first, second], Some(null)) => {
                let at = self.reserve_op();
                let value = if null == 0 { second } else { first };
                let column = self.value(value, name, true)?;
                let body = index(self.plan.ops.len() - at - 1);
                self.plan.ops[at] = Op::Optional {
                    column,
                    null: index(null),
                    body,
                };
                Ok(column)
            }
            _ => self.wide_union(branches, name, null.is_some()),
        }
    }

    fn wide_union(
        &mut self,
        branches: &'a [Schema],
        name: &str,
        nullable: bool,
    ) -> Result<u32, SchemaError> {
        let column = self.field(name, "+s", nullable, Storage::Struct)?;
        let at = self.reserve_op();
        let mut compiled = Vec::with_capacity(branches.len());
        let mut jumps = Vec::with_capacity(branches.len());
        self.children(column, |this| {
            for (branch, name) in branches.iter().zip(branch_names(branches)) {
                let start = index(this.plan.ops.len() - at - 1);
                let column = match branch {
                    Schema::Null => None,
                    branch => Some(this.value(branch, &name, true)?),
                };
                compiled.push(Branch { column, start });
                jumps.push(this.reserve_op());
            }
            Ok(index(branches.len() - usize::from(nullable)))
        })?;
        let end = self.plan.ops.len();
        for jump in jumps {
            self.plan.ops[jump] = Op::Jump {
                by: index(end - jump - 1),
            };
        }
        self.plan.unions.push(compiled);
        self.plan.ops[at] = Op::Union {
            column,
            branches: index(self.plan.unions.len() - 1),
            body: index(end - at - 1),
        };
        Ok(column)
    }

    fn recursive(
        &mut self,
        schema: &'a Schema,
        name: &str,
        nullable: bool,
    ) -> Result<u32, SchemaError> {
        let column = self.field(name, "u", nullable, Storage::Variable)?;
        self.extension(column, "arrow.json");
        let node = self.grammar.node(schema)?;
        self.plan.ops.push(Op::Json { column, node });
        Ok(column)
    }

    /// Makes room for an operation that is known only after its body.
    fn reserve_op(&mut self) -> usize {
        self.plan.ops.push(Op::Single { column: 0 });
        self.plan.ops.len() - 1
    }

    fn field(
        &mut self,
        name: &str,
        format: &str,
        nullable: bool,
        storage: Storage,
    ) -> Result<u32, SchemaError> {
        Ok(self.plan.layout.field(name, format, nullable, storage)?)
    }

    /// Adds what is below a column; `add` returns the number of direct children.
    fn children(
        &mut self,
        column: u32,
        add: impl FnOnce(&mut Self) -> Result<u32, SchemaError>,
    ) -> Result<u32, SchemaError> {
        self.plan.layout.open();
        let children = add(self)?;
        self.plan.layout.close(column, children);
        Ok(column)
    }

    fn extension(&mut self, column: u32, name: &str) {
        self.plan.layout.extension(column, name);
    }
}

/// Names each branch by its type: a named one by its name, or by its full name where
/// another branch has that name too.
pub(crate) fn branch_names(branches: &[Schema]) -> Vec<String> {
    let short: Vec<&str> = branches.iter().map(branch_name).collect();
    let is_taken = |name: &str| short.iter().filter(|other| **other == name).count() > 1;
    let names = branches.iter().zip(&short);
    names
        .map(|(branch, short)| match branch.name() {
            Some(name) if is_taken(short) => name.fullname(None),
            _ => (*short).to_owned(),
        })
        .collect()
}

/// The name of a type; that of the underlying one for logical types, as in Avro's own
/// JSON encoding.
fn branch_name(schema: &Schema) -> &str {
    if let Some(name) = schema.name() {
        return name.name();
    }
    match schema {
        Schema::Boolean => "boolean",
        Schema::Int | Schema::Date | Schema::TimeMillis => "int",
        Schema::Float => "float",
        Schema::Double => "double",
        Schema::Bytes
        | Schema::BigDecimal
        | Schema::Decimal(_)
        | Schema::Uuid(UuidSchema::Bytes) => "bytes",
        Schema::String | Schema::Uuid(_) => "string",
        Schema::Array(_) => "array",
        Schema::Map(_) => "map",
        Schema::Null => "null",
        _ => "long",
    }
}

/// The size of a `fixed` as Arrow can hold it.
pub(crate) fn fixed_size(fixed: &FixedSchema, field: &str) -> Result<u32, SchemaError> {
    i32::try_from(fixed.size)
        .ok()
        .and_then(|size| u32::try_from(size).ok())
        .filter(|size| *size > 0)
        .ok_or_else(|| SchemaError::FixedSize {
            field: field.to_owned(),
            size: fixed.size,
        })
}

/// Positions within a plan, which the field limit keeps far below `u32::MAX`.
pub(crate) fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

//! Reading what one schema wrote with another one (Avro 1.12, Schema Resolution).
//!
//! The reader schema says what the columns are, and the writer schema in which order values
//! come. What the one becomes of the other is worked out here, once; the plan has an operation for
//! each value of the writer, and one for each default of the reader.
//!
//! Where the specification leaves open what happens, Avro's own Java library decides. Two schemas
//! that cannot meet are an error of the schema if every value would be one, and else of the values
//! that are: an array without items has none.

mod json;
mod names;

use std::ops::Range;

use apache_avro::schema::{EnumSchema, RecordSchema, Schema};
use weir_guest::columns::{Columns, Symbol};

use self::json::JsonResolver;
use self::names::Names;
pub(crate) use self::names::{Kind, kind};
use crate::{
    compile::{compile_with_spans, index},
    defaults,
    input::Input,
    plan::{Op, Plan, Promotion, Symbols, least_bytes},
    run,
    schema::{Parsed, SchemaError, default_of},
};

/// Compiles a writer schema to a plan whose rows have the fields of the reader schema.
pub(crate) fn resolve(writer: &Parsed, reader: &Parsed) -> Result<Plan, SchemaError> {
    let (mut plan, spans) = compile_with_spans(reader)?;
    let own = std::mem::take(&mut plan.ops);
    let names = Names {
        writer,
        reader,
        renamed: names::aliases(reader),
    };
    let grammar = std::mem::take(&mut plan.grammar);
    let mut resolver = Resolver {
        names: &names,
        json: JsonResolver::new(&names, grammar),
        plan,
        own,
        spans,
        conditions: 0,
    };
    let (root, target) = (writer.resolve(&writer.root)?, reader.resolve(&reader.root)?);
    match (root, target) {
        (Schema::Union(union), Schema::Record(_)) => {
            resolver.top_level_union(union.variants(), &reader.root)?;
        }
        (_, Schema::Record(target)) => match (root, names.mismatch(root, &reader.root)?) {
            (Schema::Record(root), None) => resolver.fields(root, target, 0)?,
            (_, reason) => {
                return Err(SchemaError::Unresolvable {
                    field: "the value".to_owned(),
                    reason: reason.unwrap_or_default(),
                });
            }
        },
        _ => resolver.value(&writer.root, &reader.root, 0)?,
    }
    let mut plan = resolver.plan;
    plan.grammar = resolver.json.finish();
    check_defaults(&plan)?;
    Ok(plan)
}

/// Whether a reader schema has columns, and defaults that are values of their types.
pub(crate) fn check_reader(reader: &Parsed) -> Result<(), SchemaError> {
    compile_with_spans(reader)?;
    for schema in reader.types() {
        let Schema::Record(record) = schema else {
            continue;
        };
        for field in &record.fields {
            if let Some(default) = default_of(field) {
                let encoded = defaults::encode(reader, &field.schema, default, &mut Vec::new());
                encoded.map_err(|reason| SchemaError::Default {
                    field: field.name.clone(),
                    reason,
                })?;
            }
        }
    }
    Ok(())
}

/// Finds the defaults that have the form of their type and are no value of it, such as a decimal
/// with too many digits.
fn check_defaults(plan: &Plan) -> Result<(), SchemaError> {
    for (at, op) in plan.ops.iter().enumerate() {
        let Op::Constant { constant, body } = *op else {
            continue;
        };
        let bytes = &plan.constants[constant as usize];
        let mut columns = Columns::new(&plan.layout);
        columns.clear(&plan.layout);
        let ops = at + 1..at + 1 + body as usize;
        let input = Input::new(bytes, 0, bytes.len());
        let done = run::operations::<true>(plan, &mut columns.values, &mut Vec::new(), ops, input);
        if let Err(stop) = done {
            let column = stop.column.unwrap_or_default();
            return Err(SchemaError::Default {
                field: plan.layout.path(column),
                reason: stop.fault.to_string(),
            });
        }
    }
    Ok(())
}

struct Resolver<'a> {
    names: &'a Names<'a>,
    json: JsonResolver<'a>,
    /// That of the reader, with other operations.
    plan: Plan,
    /// The reader's operations for what it wrote itself, and where those of each column are.
    own: Vec<Op>,
    spans: Vec<Range<usize>>,
    /// Unions, arrays and maps of the writer around the value: whether it comes is open.
    conditions: usize,
}

/// How a column holds what a reader's union has.
enum Form<'a> {
    /// One branch, with nothing that says so.
    Single(&'a Schema),
    /// Null and one other.
    Optional(&'a Schema),
    /// A struct of columns: `branches` is an index into [`Plan::unions`].
    Wide(&'a [Schema], u32),
}

impl<'a> Resolver<'a> {
    /// Adds what makes one value of a column of the writer's.
    fn value(&mut self, w: &'a Schema, r: &'a Schema, column: u32) -> Result<(), SchemaError> {
        let own = self.spans[column as usize].clone();
        let (w, r) = (self.names.writer.resolve(w)?, self.names.reader.resolve(r)?);
        let Schema::Union(union) = r else {
            return match w {
                Schema::Union(writer) => self.choose(writer.variants(), column, |this, w| {
                    this.bare(w, r, column, own.clone())
                }),
                w => self.bare(w, r, column, own),
            };
        };
        let branches = union.variants();
        let null = branches
            .iter()
            .position(|branch| kind(branch) == Kind::Null);
        let form = match (branches, null) {
            ([only], _) => Form::Single(only),
            ([first, second], Some(null)) => Form::Optional(if null == 0 { second } else { first }),
            _ => match self.own.get(own.start) {
                Some(Op::Union { branches: at, .. }) => Form::Wide(branches, *at),
                _ => return self.refuse(column, "the reader's union has no columns".to_owned()),
            },
        };
        // Unions of null and another type are so common that they stay what blocks know.
        if let (Schema::Union(writer), Form::Optional(r)) = (w, &form)
            && let [first, second] = writer.variants()
            && let Some(null) = writer
                .variants()
                .iter()
                .position(|it| kind(it) == Kind::Null)
        {
            let value = if null == 0 { second } else { first };
            let at = self.reserve();
            self.conditions += 1;
            self.bare(value, r, column, own.start + 1..own.end)?;
            self.conditions -= 1;
            self.plan.ops[at] = Op::Optional {
                column,
                null: index(null),
                body: index(self.plan.ops.len() - at - 1),
            };
            return Ok(());
        }
        match w {
            Schema::Union(writer) => self.choose(writer.variants(), column, |this, w| {
                this.in_union(w, branches, &form, column, own.clone())
            }),
            w => self.in_union(w, branches, &form, column, own),
        }
    }

    /// A value that is no union, as one of the reader's.
    fn in_union(
        &mut self,
        w: &'a Schema,
        branches: &'a [Schema],
        form: &Form<'a>,
        column: u32,
        own: Range<usize>,
    ) -> Result<(), SchemaError> {
        let w = self.names.writer.resolve(w)?;
        let Some(chosen) = self.names.branch(w, branches)? else {
            let reason = format!(
                "the reader's union has no branch for {}",
                names::describe(w)
            );
            return self.refuse(column, reason);
        };
        let is_null = kind(w) == Kind::Null;
        match form {
            Form::Single(r) => self.bare(w, r, column, own.start + 1..own.end),
            Form::Optional(_) | Form::Wide(..) if is_null => {
                self.plan.ops.push(Op::Absent { column });
                Ok(())
            }
            Form::Optional(r) => {
                self.plan.ops.push(Op::Present { column });
                self.bare(w, r, column, own.start + 1..own.end)
            }
            Form::Wide(branches, at) => {
                let child = self.plan.unions[*at as usize][chosen].column;
                let child = child.unwrap_or(column);
                self.plan.ops.push(Op::Select {
                    column,
                    branches: *at,
                    branch: index(chosen),
                });
                let own = self.spans[child as usize].clone();
                self.bare(w, &branches[chosen], child, own)
            }
        }
    }

    /// The branches of a writer's union, each made by `branch`.
    fn choose(
        &mut self,
        branches: &'a [Schema],
        column: u32,
        mut branch: impl FnMut(&mut Self, &'a Schema) -> Result<(), SchemaError>,
    ) -> Result<(), SchemaError> {
        let at = self.reserve();
        self.conditions += 1;
        let mut starts = Vec::with_capacity(branches.len());
        let mut jumps = Vec::with_capacity(branches.len());
        for w in branches {
            starts.push(index(self.plan.ops.len() - at - 1));
            let w = self.names.writer.resolve(w)?;
            branch(self, w)?;
            jumps.push(self.reserve());
        }
        self.conditions -= 1;
        let end = self.plan.ops.len();
        for jump in jumps {
            self.plan.ops[jump] = Op::Jump {
                by: index(end - jump - 1),
            };
        }
        self.plan.choices.push(starts);
        self.plan.ops[at] = Op::Choose {
            column,
            choices: index(self.plan.choices.len() - 1),
            body: index(end - at - 1),
        };
        Ok(())
    }

    /// A union at the top, of which a record is made.
    fn top_level_union(
        &mut self,
        branches: &'a [Schema],
        target: &'a Schema,
    ) -> Result<(), SchemaError> {
        let names = self.names;
        let Schema::Record(record) = names.reader.resolve(target)? else {
            return Ok(());
        };
        self.choose(branches, 0, |this, w| match w {
            Schema::Record(root) if names.mismatch(w, target)?.is_none() => {
                this.fields(root, record, 0)
            }
            _ => this.refuse(0, String::new()),
        })
    }

    /// A value of types that are no unions. Whether it is there is said already; `own` are the
    /// reader's operations for one that it wrote.
    fn bare(
        &mut self,
        w: &'a Schema,
        r: &'a Schema,
        column: u32,
        own: Range<usize>,
    ) -> Result<(), SchemaError> {
        let (w, r) = (self.names.writer.resolve(w)?, self.names.reader.resolve(r)?);
        if let Some(reason) = self.names.mismatch(w, r)? {
            return self.refuse(column, reason);
        }
        if let Some(Op::Json { column, .. }) = self.own.get(own.start).copied()
            && own.len() == 1
        {
            let node = self.json.node(w, r)?;
            self.plan.ops.push(Op::Json { column, node });
            return Ok(());
        }
        if let Some(promotion) = promotion(kind(w), kind(r)) {
            self.plan.ops.push(Op::Promote { column, promotion });
            return Ok(());
        }
        match (w, r) {
            (Schema::Record(w), Schema::Record(r)) => self.fields(w, r, column + 1),
            (Schema::Array(w), Schema::Array(r)) => {
                self.list(column, |this| this.value(&w.items, &r.items, column + 1))
            }
            (Schema::Map(w), Schema::Map(r)) => self.list(column, |this| {
                // The entries are a struct of keys and values.
                let key = column + 2;
                this.plan.ops.push(Op::Bytes { column: key });
                let value = this.plan.layout.shapes[key as usize].end;
                this.value(&w.types, &r.types, value)
            }),
            (Schema::Enum(w), Schema::Enum(r)) => {
                self.symbols(w, r, column);
                Ok(())
            }
            _ => {
                self.plan.ops.extend_from_slice(&self.own[own]);
                Ok(())
            }
        }
    }

    /// The fields of a record, whose first column is `first`.
    fn fields(
        &mut self,
        w: &'a RecordSchema,
        r: &'a RecordSchema,
        first: u32,
    ) -> Result<(), SchemaError> {
        let targets = names::targets(w, r)?;
        let mut columns = Vec::with_capacity(r.fields.len());
        let mut next = first;
        for _ in &r.fields {
            columns.push(next);
            next = self.plan.layout.shapes[next as usize].end;
        }
        for (field, target) in w.fields.iter().zip(&targets) {
            match target {
                Some(target) => {
                    self.value(&field.schema, &r.fields[*target].schema, columns[*target])?;
                }
                None => self.skip(&field.schema)?,
            }
        }
        for (target, field) in r.fields.iter().enumerate() {
            if targets.contains(&Some(target)) {
                continue;
            }
            let name = || field.name.clone();
            let Some(default) = default_of(field) else {
                let reason = names::no_default(field);
                return self.refuse(columns[target], reason);
            };
            let mut bytes = Vec::new();
            let encoded = defaults::encode(self.names.reader, &field.schema, default, &mut bytes);
            encoded.map_err(|reason| SchemaError::Default {
                field: name(),
                reason,
            })?;
            let own = self.spans[columns[target] as usize].clone();
            if own.is_empty() {
                continue;
            }
            self.plan.constants.push(bytes);
            self.plan.ops.push(Op::Constant {
                constant: index(self.plan.constants.len() - 1),
                body: index(own.len()),
            });
            self.plan.ops.extend_from_slice(&self.own[own]);
        }
        Ok(())
    }

    fn list(
        &mut self,
        column: u32,
        item: impl FnOnce(&mut Self) -> Result<(), SchemaError>,
    ) -> Result<(), SchemaError> {
        let at = self.reserve();
        self.conditions += 1;
        item(self)?;
        self.conditions -= 1;
        let body = &self.plan.ops[at + 1..];
        self.plan.ops[at] = Op::List {
            column,
            item_bytes: least_bytes(body),
            body: index(body.len()),
        };
        Ok(())
    }

    /// The reader's symbols by the numbers of the writer's.
    fn symbols(&mut self, w: &EnumSchema, r: &EnumSchema, column: u32) {
        let known = names::symbols(w, r);
        let known = known.map(|symbol| symbol.map(Symbol::new));
        let known: Vec<Option<Symbol>> = known.collect();
        let all: Option<Symbols> = known.iter().cloned().collect();
        self.plan.ops.push(match all {
            Some(all) => {
                self.plan.symbols.push(all);
                let symbols = index(self.plan.symbols.len() - 1);
                Op::Enum { column, symbols }
            }
            None => {
                self.plan.some_symbols.push(known);
                let symbols = index(self.plan.some_symbols.len() - 1);
                Op::SomeEnum { column, symbols }
            }
        });
    }

    fn skip(&mut self, w: &'a Schema) -> Result<(), SchemaError> {
        if let Some(node) = self.json.skipped(w)? {
            self.plan.ops.push(Op::Skip { node });
        }
        Ok(())
    }

    /// A value that cannot be: an error of the schema, unless it may not come.
    fn refuse(&mut self, column: u32, reason: String) -> Result<(), SchemaError> {
        if self.conditions == 0 {
            let field = format!("field `{}`", self.plan.layout.path(column));
            return Err(SchemaError::Unresolvable { field, reason });
        }
        self.plan.ops.push(Op::Refuse { column });
        Ok(())
    }

    /// Makes room for an operation that is known only after its body.
    fn reserve(&mut self) -> usize {
        self.plan.ops.push(Op::Jump { by: 0 });
        self.plan.ops.len() - 1
    }
}

/// How a number of one type becomes one of another, if they are different.
fn promotion(w: Kind, r: Kind) -> Option<Promotion> {
    Some(match (w, r) {
        (Kind::Int, Kind::Long) => Promotion::IntToLong,
        (Kind::Int, Kind::Float) => Promotion::IntToFloat,
        (Kind::Int, Kind::Double) => Promotion::IntToDouble,
        (Kind::Long, Kind::Float) => Promotion::LongToFloat,
        (Kind::Long, Kind::Double) => Promotion::LongToDouble,
        (Kind::Float, Kind::Double) => Promotion::FloatToDouble,
        _ => return None,
    })
}

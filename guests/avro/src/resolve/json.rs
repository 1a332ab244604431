//! Values of the reader's recursive types, which are JSON text, and values that are skipped.

use std::collections::HashMap;

use apache_avro::schema::{RecordSchema, Schema};
use weir_guest::columns::{LayoutError, MAX_FIELDS};

use super::names::{self, Names, kind};
use super::promotion;
use crate::{
    defaults,
    grammar::{GrammarCompiler, leaf},
    input::Input,
    json::{Grammar, Node, ResolvedRecord},
    schema::{SchemaError, default_of},
};

/// Adds types to the reader's grammar.
pub(super) struct JsonResolver<'a> {
    names: &'a Names<'a>,
    /// Has the grammar, and the writer's own types.
    writer: GrammarCompiler<'a>,
    /// Records by the names of both.
    records: HashMap<(String, String), u32>,
}

impl<'a> JsonResolver<'a> {
    pub(super) fn new(names: &'a Names<'a>, grammar: Grammar) -> Self {
        Self {
            names,
            writer: GrammarCompiler::with(grammar, names.writer),
            records: HashMap::new(),
        }
    }

    pub(super) fn finish(self) -> Grammar {
        self.writer.finish()
    }

    /// The node of a writer's type that is skipped; `None` for one whose values have no bytes.
    pub(super) fn skipped(&mut self, w: &'a Schema) -> Result<Option<u32>, SchemaError> {
        let node = self.writer.node(w)?;
        Ok(self.writer.grammar.is_sized(node).then_some(node))
    }

    /// The node of a writer's type that becomes one of the reader.
    pub(super) fn node(&mut self, w: &'a Schema, r: &'a Schema) -> Result<u32, SchemaError> {
        if self.writer.grammar.len() > MAX_FIELDS {
            return Err(LayoutError::TooManyFields.into());
        }
        let (w, r) = (self.names.writer.resolve(w)?, self.names.reader.resolve(r)?);
        let node = match (w, r) {
            (Schema::Union(union), _) => {
                let branches = union.variants().iter().map(|branch| self.node(branch, r));
                Node::Union(branches.collect::<Result<_, _>>()?)
            }
            (_, Schema::Union(union)) => match self.names.branch(w, union.variants())? {
                Some(branch) => return self.node(w, &union.variants()[branch]),
                None => Node::Refused,
            },
            _ if self.names.mismatch(w, r)?.is_some() => Node::Refused,
            (Schema::Record(w), Schema::Record(r)) => return self.record(w, r),
            (Schema::Array(w), Schema::Array(r)) => Node::Array(self.node(&w.items, &r.items)?),
            (Schema::Map(w), Schema::Map(r)) => Node::Map(self.node(&w.types, &r.types)?),
            (Schema::Enum(w), Schema::Enum(r)) => {
                let symbols = names::symbols(w, r).map(|symbol| symbol.map(Into::into));
                Node::Enum(symbols.collect())
            }
            _ => match promotion(kind(w), kind(r)) {
                Some(promotion) => Node::Promoted(promotion),
                None => leaf(r)?,
            },
        };
        Ok(self.writer.grammar.push(node))
    }

    fn record(&mut self, w: &'a RecordSchema, r: &'a RecordSchema) -> Result<u32, SchemaError> {
        let pair = (w.name.fullname(None), r.name.fullname(None));
        if let Some(known) = self.records.get(&pair) {
            return Ok(*known);
        }
        let node = self.writer.grammar.reserve();
        self.records.insert(pair, node);
        let targets = names::targets(w, r)?;
        let mut record = ResolvedRecord::default();
        for (field, target) in w.fields.iter().zip(&targets) {
            let node = match target {
                Some(target) => self.node(&field.schema, &r.fields[*target].schema)?,
                None => self.writer.node(&field.schema)?,
            };
            record.steps.push((*target, node));
        }
        for (target, field) in r.fields.iter().enumerate() {
            let default = match default_of(field) {
                Some(default) if !targets.contains(&Some(target)) => self
                    .default(&field.schema, default)
                    .map_err(|reason| SchemaError::Default {
                        field: field.name.clone(),
                        reason,
                    })?,
                _ => String::new(),
            };
            record
                .fields
                .push((field.name.as_str().into(), default.into()));
        }
        self.writer.grammar.set(node, Node::Resolved(record));
        Ok(node)
    }

    /// A default as the JSON text that its value has.
    fn default(&self, r: &'a Schema, default: &serde_json::Value) -> Result<String, String> {
        let mut bytes = Vec::new();
        defaults::encode(self.names.reader, r, default, &mut bytes)?;
        let mut own = GrammarCompiler::new(self.names.reader);
        let node = own.node(r).map_err(|error| error.to_string())?;
        let mut text = String::new();
        let mut input = Input::new(&bytes, 0, bytes.len());
        own.finish()
            .write(node, &mut input, &mut text)
            .map_err(|fault| fault.to_string())?;
        Ok(text)
    }
}

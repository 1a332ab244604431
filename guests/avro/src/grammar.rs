//! From a parsed schema to the grammar of recursive values.

use std::collections::HashMap;

use apache_avro::schema::{InnerDecimalSchema, Schema, UuidSchema};

use weir_guest::columns::{LayoutError, MAX_FIELDS};

use crate::{
    json::{Grammar, Node},
    schema::{Parsed, SchemaError},
};

/// Collects the types that recursive references reach, each record once.
pub(crate) struct GrammarCompiler<'a> {
    parsed: &'a Parsed,
    pub(crate) grammar: Grammar,
    records: HashMap<&'a str, u32>,
}

impl<'a> GrammarCompiler<'a> {
    pub(crate) fn new(parsed: &'a Parsed) -> Self {
        Self::with(Grammar::default(), parsed)
    }

    /// Adds to a grammar.
    pub(crate) fn with(grammar: Grammar, parsed: &'a Parsed) -> Self {
        Self {
            parsed,
            grammar,
            records: HashMap::new(),
        }
    }

    pub(crate) fn finish(self) -> Grammar {
        self.grammar
    }

    /// The node of a type, made on the first call.
    pub(crate) fn node(&mut self, schema: &'a Schema) -> Result<u32, SchemaError> {
        if self.grammar.len() > MAX_FIELDS {
            return Err(LayoutError::TooManyFields.into());
        }
        let node = match self.parsed.resolve(schema)? {
            Schema::Record(record) => {
                let name = record.name.as_ref();
                if let Some(known) = self.records.get(name) {
                    return Ok(*known);
                }
                let node = self.grammar.reserve();
                self.records.insert(name, node);
                let mut fields = Vec::with_capacity(record.fields.len());
                for field in &record.fields {
                    fields.push((field.name.as_str().into(), self.node(&field.schema)?));
                }
                self.grammar.set(node, Node::Record(fields));
                return Ok(node);
            }
            Schema::Array(array) => Node::Array(self.node(&array.items)?),
            Schema::Map(map) => Node::Map(self.node(&map.types)?),
            Schema::Union(union) => {
                let branches = union.variants().iter().map(|branch| self.node(branch));
                Node::Union(branches.collect::<Result<_, _>>()?)
            }
            Schema::Enum(symbols) => Node::Enum(
                symbols
                    .symbols
                    .iter()
                    .map(|symbol| Some(symbol.as_str().into()))
                    .collect(),
            ),
            other => leaf(other)?,
        };
        Ok(self.grammar.push(node))
    }
}

pub(crate) fn leaf(schema: &Schema) -> Result<Node, SchemaError> {
    Ok(match schema {
        Schema::Null => Node::Null,
        Schema::Boolean => Node::Boolean,
        Schema::Int | Schema::Date | Schema::TimeMillis => Node::Int,
        Schema::Float => Node::Float,
        Schema::Double => Node::Double,
        Schema::String | Schema::Uuid(UuidSchema::String) => Node::Text,
        Schema::Bytes | Schema::BigDecimal | Schema::Uuid(UuidSchema::Bytes) => Node::Bytes,
        Schema::Fixed(fixed) | Schema::Duration(fixed) | Schema::Uuid(UuidSchema::Fixed(fixed)) => {
            fixed_node(fixed.size)?
        }
        Schema::Decimal(decimal) => match &decimal.inner {
            InnerDecimalSchema::Bytes => Node::Bytes,
            InnerDecimalSchema::Fixed(fixed) => fixed_node(fixed.size)?,
        },
        _ => Node::Long,
    })
}

fn fixed_node(size: usize) -> Result<Node, SchemaError> {
    u32::try_from(size)
        .map(Node::Fixed)
        .map_err(|_| SchemaError::FixedSize {
            field: "fixed".to_owned(),
            size,
        })
}

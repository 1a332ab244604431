//! Schemas with further columns.

use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema, SchemaRef};

/// Schemas whose wider form is kept.
const SCHEMAS_KEPT: usize = 64;

/// Adds the same columns to schema after schema. Equal schemas stay one `SchemaRef`, so that
/// sinks see that nothing has changed.
#[derive(Clone, Debug)]
pub(crate) struct Widening {
    added: Vec<FieldRef>,
    /// Schemas, each with its wider form, those that were met last.
    known: Vec<(SchemaRef, SchemaRef)>,
}

impl Widening {
    pub(crate) fn new(added: Vec<FieldRef>) -> Self {
        Self {
            added,
            known: Vec::new(),
        }
    }

    /// The columns that are added, in order.
    pub(crate) fn added(&self) -> &[FieldRef] {
        &self.added
    }

    /// The schema with the columns after its own. The error is the first of them whose name the
    /// schema has itself.
    pub(crate) fn widened(&mut self, schema: &SchemaRef) -> Result<SchemaRef, &FieldRef> {
        let mut known = self.known.iter();
        if let Some((_, wider)) = known.find(|(known, _)| Arc::ptr_eq(known, schema)) {
            return Ok(Arc::clone(wider));
        }
        let is_taken = |field: &&FieldRef| schema.column_with_name(field.name()).is_some();
        if let Some(taken) = self.added.iter().find(is_taken) {
            return Err(taken);
        }
        let fields = schema.fields().iter().chain(&self.added);
        let fields: Vec<FieldRef> = fields.cloned().collect();
        let wider = Schema::new_with_metadata(fields, schema.metadata().clone());
        let wider = match self.known.iter().find(|(_, known)| **known == wider) {
            Some((_, known)) => Arc::clone(known),
            None => Arc::new(wider),
        };
        if self.known.len() == SCHEMAS_KEPT {
            self.known.remove(0);
        }
        self.known.push((Arc::clone(schema), Arc::clone(&wider)));
        Ok(wider)
    }
}

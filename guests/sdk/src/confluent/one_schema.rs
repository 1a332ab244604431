//! Messages without framing, all of one schema.

use super::{Compiled, Format, Messages, SchemaKey, SchemaLookup, lookup::usable};
use crate::rows::{Field, MessageError};
use crate::{BatchError, Decoded, Payloads, schemas};

/// What a schema is asked for by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaName {
    /// Its id, behind which a registry never puts another schema.
    Id(u32),
    /// The subject that has it: the latest, asked for with every batch. The host keeps it for a
    /// while.
    Subject(String),
}

/// Decodes batches of messages that all have the same schema and no prefix.
pub struct OneSchema<F: Format> {
    format: F,
    name: SchemaName,
    known: Option<(schemas::Schema, F::Compiled)>,
}

impl<F: Format> OneSchema<F> {
    /// A decoder that has not asked for its schema yet.
    pub fn new(format: F, name: SchemaName) -> Self {
        Self {
            format,
            name,
            known: None,
        }
    }

    /// Decodes one batch. A message in no group and not among the errors is a tombstone.
    ///
    /// # Errors
    /// [`BatchError::Unavailable`] when the schema cannot be had for now.
    /// [`BatchError::Failed`] when the columns contradict each other.
    pub fn decode(
        &mut self,
        payloads: &Payloads,
        lookup: &impl SchemaLookup,
    ) -> Result<Decoded, BatchError> {
        let column = payloads.column();
        let messages = Messages::new(&column.offsets, &column.bytes, payloads.validity())
            .map_err(|error| BatchError::Failed(error.to_string()))?;
        let mut decoded = Decoded {
            groups: Vec::new(),
            errors: Vec::new(),
        };
        match self.compiled(lookup)? {
            Ok(compiled) => {
                compiled.begin(&messages);
                let mut next = 0;
                while next < messages.len() {
                    next = compiled.decode_run(&messages, next);
                }
                compiled.finish(&messages, &mut decoded);
                decoded.errors.sort_by_key(|error| error.row);
            }
            Err(reason) => {
                let rows = (0..messages.len()).filter(|row| messages.is_valid(*row));
                let error = |row| MessageError {
                    row,
                    reason: reason.clone(),
                };
                decoded.errors = rows.map(error).collect();
            }
        }
        Ok(decoded)
    }

    /// The Arrow fields behind a schema number, in pre-order, until the subject has another
    /// schema.
    pub fn schema(&self, number: u32) -> Option<&[Field]> {
        self.known.as_ref()?.1.fields(number)
    }

    /// The schema, compiled anew if it is another one than before. The inner error is the reason
    /// why messages cannot be decoded.
    fn compiled(
        &mut self,
        lookup: &impl SchemaLookup,
    ) -> Result<Result<&mut F::Compiled, String>, BatchError> {
        let (what, id, is_fixed) = match &self.name {
            SchemaName::Id(id) => (format!("schema id {id}"), *id, true),
            SchemaName::Subject(subject) => (format!("the schema of `{subject}`"), 0, false),
        };
        if !(is_fixed && self.known.is_some()) {
            let answer = lookup.by_key(&match &self.name {
                SchemaName::Id(id) => SchemaKey::Id(*id),
                SchemaName::Subject(subject) => SchemaKey::Subject(subject.clone()),
            });
            let schema = match usable(&what, answer)? {
                Ok(schema) => schema,
                Err(reason) => return Ok(Err(reason)),
            };
            let known = self.known.as_ref();
            if !known.is_some_and(|(known, _)| is_same(known, &schema)) {
                match self.format.compile(id, &schema) {
                    Ok(compiled) => self.known = Some((schema, compiled)),
                    Err(error) => return Ok(Err(format!("{what} cannot be used: {error}"))),
                }
            }
        }
        let known = self.known.as_mut().map(|(_, compiled)| compiled);
        Ok(known.ok_or_else(|| format!("{what} is not known")))
    }
}

fn is_same(one: &schemas::Schema, other: &schemas::Schema) -> bool {
    let names = |schema: &schemas::Schema| {
        let references = schema.references.iter();
        references
            .map(|reference| (reference.name.clone(), reference.text.clone()))
            .collect::<Vec<_>>()
    };
    one.schema_type == other.schema_type && one.text == other.text && names(one) == names(other)
}

//! Batches of messages in, groups of rows out.

use std::collections::HashMap;

use weir_guest::{
    BatchError, Decoded,
    rows::{Field, MessageError},
    schemas,
};

use crate::{
    batch::Batch,
    compile::compile,
    framing::schema_id,
    group::Group,
    plan::Plan,
    schema::{Parsed, SchemaError},
};

/// How many compiled schemas a decoder keeps between batches.
pub const MAX_SCHEMAS: usize = 1_000;

/// Where schemas come from: the host, or a map in tests.
pub trait SchemaLookup {
    /// The schema with this id of the Confluent wire format, with all that it refers to.
    ///
    /// # Errors
    /// As the WIT interface `schemas` has them.
    fn by_id(&self, id: u32) -> Result<schemas::Schema, schemas::SchemaError>;
}

/// Compiles one writer schema: what a [`Decoder`] does when it meets its id.
///
/// # Errors
/// The schema is not Avro, or has no Arrow form.
pub fn compile_schema(schema: &schemas::Schema) -> Result<Plan, SchemaError> {
    compile(&Parsed::parse(schema)?)
}

/// Decodes batches of Avro in the Confluent wire format. Between batches it keeps
/// compiled schemas and nothing else.
#[derive(Default)]
pub struct Decoder {
    groups: HashMap<u32, Known>,
    batches: u64,
}

struct Known {
    group: Group,
    /// Number of the last batch that had the schema.
    last_used: u64,
}

/// The messages of one schema in the current batch.
struct Share {
    id: u32,
    messages: Result<Vec<u32>, String>,
}

impl Decoder {
    /// A decoder that knows no schema.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes one batch.
    ///
    /// Message `i` is `bytes[offsets[i]..offsets[i + 1]]`, so there is one offset more
    /// than messages; `validity` is an Arrow bitmap of those that are not null.
    /// The answer has one group for each schema id that has rows, by first appearance;
    /// its schema number is that id. A message in no group and not among the errors is
    /// a tombstone.
    ///
    /// # Errors
    /// [`BatchError::Unavailable`] when a schema cannot be had for now: nothing of the
    /// batch is kept. [`BatchError::Failed`] when the columns contradict each other.
    pub fn decode_batch(
        &mut self,
        offsets: &[u32],
        bytes: &[u8],
        validity: Option<&[u8]>,
        lookup: &impl SchemaLookup,
    ) -> Result<Decoded, BatchError> {
        let batch = Batch::new(offsets, bytes, validity)
            .map_err(|error| BatchError::Failed(error.to_string()))?;
        self.batches += 1;
        self.forget_old();

        let mut decoded = Decoded {
            groups: Vec::new(),
            errors: Vec::new(),
        };
        for share in self.share_out(&batch, lookup, &mut decoded.errors)? {
            let (Ok(messages), Some(known)) = (share.messages, self.groups.get_mut(&share.id))
            else {
                continue;
            };
            let group = known
                .group
                .decode(share.id, &batch, messages, &mut decoded.errors);
            decoded.groups.extend(group);
        }
        decoded.errors.sort_by_key(|error| error.row);
        Ok(decoded)
    }

    /// The Arrow fields behind a schema number, in pre-order, until 1,000 others have
    /// been in use since.
    pub fn schema(&self, number: u32) -> Option<&[Field]> {
        self.groups
            .get(&number)
            .map(|known| known.group.plan().fields())
    }

    /// Finds the schema of each message. A schema that cannot be had fails its messages
    /// and is asked for again in the next batch.
    fn share_out(
        &mut self,
        batch: &Batch<'_>,
        lookup: &impl SchemaLookup,
        errors: &mut Vec<MessageError>,
    ) -> Result<Vec<Share>, BatchError> {
        let mut shares: Vec<Share> = Vec::new();
        let mut by_id: HashMap<u32, usize> = HashMap::new();
        let mut current = usize::MAX;
        for message in 0..u32::try_from(batch.len()).unwrap_or(u32::MAX) {
            if !batch.is_valid(message) {
                continue;
            }
            let (start, end) = batch.range(message);
            let id = match schema_id(&batch.bytes[start..end]) {
                Ok(id) => id,
                Err(error) => {
                    errors.push(MessageError {
                        row: message,
                        reason: error.to_string(),
                    });
                    continue;
                }
            };
            if shares.get(current).is_none_or(|share| share.id != id) {
                current = match by_id.get(&id) {
                    Some(known) => *known,
                    None => {
                        let messages = self.open(id, lookup)?.map(|()| Vec::new());
                        shares.push(Share { id, messages });
                        by_id.insert(id, shares.len() - 1);
                        shares.len() - 1
                    }
                };
            }
            match &mut shares[current].messages {
                Ok(messages) => messages.push(message),
                Err(reason) => errors.push(MessageError {
                    row: message,
                    reason: reason.clone(),
                }),
            }
        }
        Ok(shares)
    }

    /// Makes sure that the plan of a schema is there. The inner error is the reason why
    /// its messages cannot be decoded.
    fn open(
        &mut self,
        id: u32,
        lookup: &impl SchemaLookup,
    ) -> Result<Result<(), String>, BatchError> {
        if let Some(known) = self.groups.get_mut(&id) {
            known.last_used = self.batches;
            return Ok(Ok(()));
        }
        let schema = match lookup.by_id(id) {
            Ok(schema) => schema,
            Err(schemas::SchemaError::NotFound(why)) => {
                return Ok(Err(format!("schema id {id} not found: {why}")));
            }
            Err(schemas::SchemaError::Refused(why)) => {
                return Ok(Err(format!("schema id {id} refused: {why}")));
            }
            Err(schemas::SchemaError::Unavailable(why)) => {
                return Err(BatchError::Unavailable(format!("schema id {id}: {why}")));
            }
        };
        let plan = match compile_schema(&schema) {
            Ok(plan) => plan,
            Err(error) => return Ok(Err(format!("schema id {id} cannot be used: {error}"))),
        };
        let known = Known {
            group: Group::new(plan),
            last_used: self.batches,
        };
        self.groups.insert(id, known);
        Ok(Ok(()))
    }

    /// Drops the plans that were not used for longest, down to [`MAX_SCHEMAS`]. Never
    /// within a batch: the host asks for the schemas of a batch after it.
    fn forget_old(&mut self) {
        let excess = self.groups.len().saturating_sub(MAX_SCHEMAS);
        if excess == 0 {
            return;
        }
        let mut by_age: Vec<(u64, u32)> = self
            .groups
            .iter()
            .map(|(id, known)| (known.last_used, *id))
            .collect();
        by_age.sort_unstable();
        for (_, id) in &by_age[..excess] {
            self.groups.remove(id);
        }
    }
}

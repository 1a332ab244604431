//! Batches of messages in, groups of rows out.

use std::collections::{HashMap, hash_map::Entry};
use std::hash::{BuildHasherDefault, Hasher};

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
    schemas: ById<Known>,
    /// Number of the current batch, from 1.
    batch: u64,
}

struct Known {
    group: Group,
    /// Number of the last batch that had the schema.
    last_used: u64,
}

/// The schema ids of one batch.
#[derive(Default)]
struct Seen {
    /// Those that can be decoded, by first appearance.
    usable: Vec<u32>,
    /// Why the others cannot. Forgotten with the batch: a schema may come to be.
    refused: ById<String>,
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
        self.batch += 1;
        self.forget_old();

        let mut seen = Seen::default();
        let mut decoded = Decoded {
            groups: Vec::new(),
            errors: Vec::new(),
        };
        let mut next = 0;
        while next < batch.len() {
            if !batch.is_valid(next) {
                next += 1;
                continue;
            }
            let reason = match schema_id(batch.message(next)) {
                Ok(id) => match self.group(id, &batch, &mut seen, lookup)? {
                    Ok(group) => {
                        next = group.decode_run(&batch, next);
                        continue;
                    }
                    Err(reason) => reason,
                },
                Err(error) => error.to_string(),
            };
            decoded.errors.push(MessageError { row: next, reason });
            next += 1;
        }
        for id in seen.usable {
            if let Some(known) = self.schemas.get_mut(&id) {
                let (group, errors) = known.group.finish(&batch);
                decoded.groups.extend(group);
                decoded.errors.extend(errors);
            }
        }
        decoded.errors.sort_by_key(|error| error.row);
        Ok(decoded)
    }

    /// The Arrow fields behind a schema number, in pre-order, until 1,000 others have
    /// been in use since.
    pub fn schema(&self, number: u32) -> Option<&[Field]> {
        self.schemas
            .get(&number)
            .map(|known| known.group.plan().fields())
    }

    /// The group of a schema id, begun if this is the first message of the batch that
    /// has it. The inner error is the reason why its messages cannot be decoded.
    fn group(
        &mut self,
        id: u32,
        batch: &Batch<'_>,
        seen: &mut Seen,
        lookup: &impl SchemaLookup,
    ) -> Result<Result<&mut Group, String>, BatchError> {
        if let Some(reason) = seen.refused.get(&id) {
            return Ok(Err(reason.clone()));
        }
        let known = match self.schemas.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => match plan(id, lookup)? {
                Ok(plan) => place.insert(Known {
                    group: Group::new(id, plan),
                    last_used: 0,
                }),
                Err(reason) => {
                    seen.refused.insert(id, reason.clone());
                    return Ok(Err(reason));
                }
            },
        };
        if known.last_used != self.batch {
            known.last_used = self.batch;
            known.group.begin(batch);
            seen.usable.push(id);
        }
        Ok(Ok(&mut known.group))
    }

    /// Drops the plans that were not used for longest, down to [`MAX_SCHEMAS`]. Never
    /// within a batch: the host asks for the schemas of a batch after it.
    fn forget_old(&mut self) {
        let excess = self.schemas.len().saturating_sub(MAX_SCHEMAS);
        if excess == 0 {
            return;
        }
        let mut by_age: Vec<(u64, u32)> = self
            .schemas
            .iter()
            .map(|(id, known)| (known.last_used, *id))
            .collect();
        by_age.sort_unstable();
        for (_, id) in &by_age[..excess] {
            self.schemas.remove(id);
        }
    }
}

/// Fetches and compiles a schema. The inner error is the reason why that is not possible.
fn plan(id: u32, lookup: &impl SchemaLookup) -> Result<Result<Plan, String>, BatchError> {
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
    Ok(compile_schema(&schema).map_err(|error| format!("schema id {id} cannot be used: {error}")))
}

type ById<T> = HashMap<u32, T, BuildHasherDefault<IdHasher>>;

/// Schema ids are small and close together: one multiplication spreads them.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, id: u32) {
        self.0 = (self.0 ^ u64::from(id))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(32);
    }
}

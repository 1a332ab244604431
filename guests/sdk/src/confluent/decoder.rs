//! Batches of messages in, groups of rows out; compiled schemas are kept between batches.

use std::collections::{HashMap, hash_map::Entry};
use std::hash::{BuildHasherDefault, Hasher};

use super::{Messages, SchemaLookup, lookup::usable, schema_id};
use crate::rows::{Field, MessageError};
use crate::{BatchError, Decoded, Payloads, schemas};

/// How many compiled schemas a decoder keeps between batches.
pub const MAX_SCHEMAS: usize = 1_000;

/// How the schemas of one language are compiled.
pub trait Format {
    /// What a schema is compiled to.
    type Compiled: Compiled;

    /// Compiles the schema with this id.
    ///
    /// # Errors
    /// For people: why it cannot be used. Its messages fail for that reason.
    fn compile(&mut self, id: u32, schema: &schemas::Schema) -> Result<Self::Compiled, String>;
}

/// A compiled schema with the rows of the current batch: `begin`, then `decode_run` for each run
/// of its messages, then `finish`.
pub trait Compiled {
    /// Gets ready for a batch. What a batch before this one left, because it failed as a
    /// whole, is forgotten.
    fn begin(&mut self, messages: &Messages<'_>);

    /// Decodes the messages from `first` on, up to the next one with another schema or none;
    /// tombstones between them are skipped. `first` has this schema. Returns that one's number,
    /// or the number of messages.
    fn decode_run(&mut self, messages: &Messages<'_>, first: u32) -> u32;

    /// Hands over the rows, and the messages that failed.
    fn finish(&mut self, messages: &Messages<'_>, decoded: &mut Decoded);

    /// The Arrow fields behind the number of a group that `finish` handed over, in pre-order.
    fn fields(&self, number: u32) -> Option<&[Field]>;
}

/// Decodes batches of messages in the Confluent wire format. Between batches it keeps
/// compiled schemas and nothing else.
pub struct Decoder<F: Format> {
    format: F,
    schemas: ById<Known<F::Compiled>>,
    /// Number of the current batch, from 1.
    batch: u64,
}

struct Known<C> {
    compiled: C,
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

impl<F: Format + Default> Default for Decoder<F> {
    fn default() -> Self {
        Self::new(F::default())
    }
}

impl<F: Format> Decoder<F> {
    /// A decoder that knows no schema.
    pub fn new(format: F) -> Self {
        Self {
            format,
            schemas: ById::default(),
            batch: 0,
        }
    }

    /// Decodes one batch, as [`decode_batch`](Self::decode_batch).
    ///
    /// # Errors
    /// As there.
    pub fn decode(
        &mut self,
        payloads: &Payloads,
        lookup: &impl SchemaLookup,
    ) -> Result<Decoded, BatchError> {
        let column = payloads.column();
        self.decode_batch(&column.offsets, &column.bytes, payloads.validity(), lookup)
    }

    /// Decodes one batch.
    ///
    /// Message `i` is `bytes[offsets[i]..offsets[i + 1]]`, so there is one offset more
    /// than messages; `validity` is an Arrow bitmap of those that are not null.
    /// The answer has the groups of each schema id that has rows, by first appearance.
    /// A message in no group and not among the errors is a tombstone.
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
        let messages = Messages::new(offsets, bytes, validity)
            .map_err(|error| BatchError::Failed(error.to_string()))?;
        self.batch += 1;
        self.forget_old();

        let mut seen = Seen::default();
        let mut decoded = Decoded {
            groups: Vec::new(),
            errors: Vec::new(),
        };
        let mut next = 0;
        while next < messages.len() {
            if !messages.is_valid(next) {
                next += 1;
                continue;
            }
            let reason = match schema_id(messages.message(next)) {
                Ok(id) => match self.compiled(id, &messages, &mut seen, lookup)? {
                    Ok(compiled) => {
                        next = compiled.decode_run(&messages, next);
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
                known.compiled.finish(&messages, &mut decoded);
            }
        }
        decoded.errors.sort_by_key(|error| error.row);
        Ok(decoded)
    }

    /// The Arrow fields behind a schema number, in pre-order, until 1,000 other schemas have
    /// been in use since.
    pub fn schema(&self, number: u32) -> Option<&[Field]> {
        // Where a schema's number is its id, which it is for most formats, this finds it at once.
        let same = self.schemas.get(&number);
        same.and_then(|known| known.compiled.fields(number))
            .or_else(|| {
                let mut all = self.schemas.values();
                all.find_map(|known| known.compiled.fields(number))
            })
    }

    /// What a schema id is compiled to, begun if this is the first message of the batch that
    /// has it. The inner error is the reason why its messages cannot be decoded.
    fn compiled(
        &mut self,
        id: u32,
        messages: &Messages<'_>,
        seen: &mut Seen,
        lookup: &impl SchemaLookup,
    ) -> Result<Result<&mut F::Compiled, String>, BatchError> {
        if let Some(reason) = seen.refused.get(&id) {
            return Ok(Err(reason.clone()));
        }
        let known = match self.schemas.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => match compile(&mut self.format, id, lookup)? {
                Ok(compiled) => place.insert(Known {
                    compiled,
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
            known.compiled.begin(messages);
            seen.usable.push(id);
        }
        Ok(Ok(&mut known.compiled))
    }

    /// Drops the schemas that were not used for longest, down to [`MAX_SCHEMAS`]. Never
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
fn compile<F: Format>(
    format: &mut F,
    id: u32,
    lookup: &impl SchemaLookup,
) -> Result<Result<F::Compiled, String>, BatchError> {
    let what = format!("schema id {id}");
    Ok(usable(&what, lookup.by_id(id))?.and_then(|schema| {
        let compiled = format.compile(id, &schema);
        compiled.map_err(|error| format!("{what} cannot be used: {error}"))
    }))
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

//! Batches of messages in, groups of rows out; compiled schemas are kept between batches.

use std::collections::{HashMap, hash_map::Entry};
use std::hash::{BuildHasherDefault, Hasher};

use super::rewrite::{Numbers, Rewritten, TooLarge, has_schema_header, schema_header, take_apart};
use super::{Framing, Messages, SchemaKey, SchemaLookup, lookup::usable, schema_id};
use crate::rows::{Field, MessageError};
use crate::{Batch, BatchError, Decoded, Payloads, schemas};

/// How many compiled schemas a decoder keeps between batches.
pub const MAX_SCHEMAS: usize = 1_000;

/// How the schemas of one language are compiled.
pub trait Format {
    /// What a schema is compiled to.
    type Compiled: Compiled;

    /// Whether message indexes stand before the value, as for Protobuf.
    const HAS_INDEXES: bool = false;

    /// Compiles the schema with this id. One that has none gets a number in its place, which
    /// its messages have in their prefix.
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
    numbers: Numbers,
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
            numbers: Numbers::default(),
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

    /// Decodes one batch whose messages are framed in this way.
    ///
    /// Messages with a prefix are decoded where they are. Others are copied once and given one;
    /// headers are asked for where the framing needs them and the batch has some.
    ///
    /// # Errors
    /// As for [`decode_batch`](Self::decode_batch).
    pub fn decode_framed(
        &mut self,
        batch: &Batch<'_>,
        framing: &Framing,
        lookup: &impl SchemaLookup,
    ) -> Result<Decoded, BatchError> {
        let payloads = batch.payloads();
        let part = batch.part();
        let headers = match framing {
            Framing::Auto | Framing::Header => batch.headers(),
            _ => None,
        };
        let rewrite = match framing {
            Framing::Prefix => false,
            Framing::Auto => headers
                .as_ref()
                .is_some_and(|headers| has_schema_header(headers, part, payloads.len())),
            Framing::Header | Framing::Raw { .. } | Framing::SingleObject => true,
        };
        if !rewrite {
            return self.decode(&payloads, lookup);
        }
        self.batch += 1;
        self.forget_old();
        let too_large =
            |TooLarge| BatchError::Failed("the messages are more than 4 GiB".to_owned());
        let mut refused: HashMap<SchemaKey, String> = HashMap::new();
        let mut last: Option<(SchemaKey, u32)> = None;
        let mut errors = Vec::new();
        let mut rewritten = Rewritten::with_capacity(payloads.len(), payloads.column().bytes.len());
        for (row, message) in payloads.iter() {
            let Some(message) = message else {
                rewritten.push_null().map_err(too_large)?;
                continue;
            };
            let header = headers
                .as_ref()
                .and_then(|headers| schema_header(headers, part, row));
            let framed = take_apart(framing, part, F::HAS_INDEXES, header, message);
            let reason = match framed {
                Ok(framed) => {
                    let number = match last {
                        Some((ref key, number)) if *key == *framed.key => Ok(number),
                        _ => self.number(&framed.key, &mut refused, lookup)?,
                    };
                    match number {
                        Ok(number) => {
                            rewritten.push(number, &framed).map_err(too_large)?;
                            if last.as_ref().is_none_or(|(_, same)| *same != number) {
                                last = Some((framed.key.into_owned(), number));
                            }
                            continue;
                        }
                        Err(reason) => reason,
                    }
                }
                Err(error) => error.to_string(),
            };
            errors.push(MessageError { row, reason });
            rewritten.push_null().map_err(too_large)?;
        }
        let (offsets, bytes, validity) = rewritten.columns();
        let messages = Messages::new(offsets, bytes, Some(validity))
            .map_err(|error| BatchError::Failed(error.to_string()))?;
        let mut decoded = self.decode_messages::<true>(&messages, lookup)?;
        if !errors.is_empty() {
            decoded.errors.append(&mut errors);
            decoded.errors.sort_by_key(|error| error.row);
        }
        Ok(decoded)
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
        self.decode_messages::<false>(&messages, lookup)
    }

    /// `OWN` is whether numbers of the decoder's own may stand in prefixes.
    fn decode_messages<const OWN: bool>(
        &mut self,
        messages: &Messages<'_>,
        lookup: &impl SchemaLookup,
    ) -> Result<Decoded, BatchError> {
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
                Ok(id) if !OWN && self.numbers.contains(id) => {
                    format!("schema id {id} is not one that registries give: they are below 2^31")
                }
                Ok(id) => match self.compiled(id, messages, &mut seen, lookup)? {
                    Ok(compiled) => {
                        next = compiled.decode_run(messages, next);
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
                known.compiled.finish(messages, &mut decoded);
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
            Entry::Vacant(place) => {
                match compile(&mut self.format, id, &SchemaKey::Id(id), lookup)? {
                    Ok(compiled) => place.insert(Known {
                        compiled,
                        last_used: 0,
                    }),
                    Err(reason) => {
                        seen.refused.insert(id, reason.clone());
                        return Ok(Err(reason));
                    }
                }
            }
        };
        if known.last_used != self.batch {
            known.last_used = self.batch;
            known.compiled.begin(messages);
            seen.usable.push(id);
        }
        Ok(Ok(&mut known.compiled))
    }

    /// The number that stands for a schema in a prefix: its id, or one of its own. The inner
    /// error is the reason why its messages cannot be decoded.
    fn number(
        &mut self,
        key: &SchemaKey,
        refused: &mut HashMap<SchemaKey, String>,
        lookup: &impl SchemaLookup,
    ) -> Result<Result<u32, String>, BatchError> {
        if let SchemaKey::Id(id) = key
            && !self.numbers.contains(*id)
        {
            return Ok(Ok(*id));
        }
        if let Some(number) = self.numbers.of(key) {
            return Ok(Ok(number));
        }
        if let Some(reason) = refused.get(key) {
            return Ok(Err(reason.clone()));
        }
        let number = self.numbers.next();
        match compile(&mut self.format, number, key, lookup)? {
            Ok(compiled) => {
                let known = Known {
                    compiled,
                    last_used: 0,
                };
                self.schemas.insert(number, known);
                self.numbers.give(key.clone());
                Ok(Ok(number))
            }
            Err(reason) => {
                refused.insert(key.clone(), reason.clone());
                Ok(Err(reason))
            }
        }
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
        let schemas = &self.schemas;
        self.numbers.retain(|number| schemas.contains_key(&number));
    }
}

/// Fetches and compiles a schema. The inner error is the reason why that is not possible.
fn compile<F: Format>(
    format: &mut F,
    id: u32,
    key: &SchemaKey,
    lookup: &impl SchemaLookup,
) -> Result<Result<F::Compiled, String>, BatchError> {
    let what = key.to_string();
    Ok(usable(&what, lookup.by_key(key))?.and_then(|schema| {
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

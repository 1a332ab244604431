//! Messages of any framing, made ones with a prefix.

use std::borrow::Cow;
use std::collections::HashMap;

use super::framing::{header_name, of_header, of_single_object};
use super::{Framing, FramingError, SchemaKey, prefix_of, schema_id};
use crate::{Headers, Part};

/// Messages that all have a prefix, or are null. Where a message's schema has no id, it is a
/// number of the decoder's own.
pub(super) struct Rewritten {
    offsets: Vec<u32>,
    bytes: Vec<u8>,
    validity: Vec<u8>,
}

impl Rewritten {
    /// Room for messages of so many bytes together.
    pub(super) fn with_capacity(messages: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(messages + 1);
        offsets.push(0);
        Self {
            offsets,
            bytes: Vec::with_capacity(bytes + messages * super::PREFIX),
            validity: vec![0; messages.div_ceil(8)],
        }
    }

    pub(super) fn push(&mut self, number: u32, framed: &Framed<'_>) -> Result<(), TooLarge> {
        let row = self.offsets.len() - 1;
        self.validity[row / 8] |= 1 << (row % 8);
        self.bytes.extend_from_slice(&prefix_of(number));
        self.bytes.extend_from_slice(framed.indexes);
        self.bytes.extend_from_slice(framed.value);
        self.push_end()
    }

    pub(super) fn push_null(&mut self) -> Result<(), TooLarge> {
        self.push_end()
    }

    fn push_end(&mut self) -> Result<(), TooLarge> {
        let end = u32::try_from(self.bytes.len()).map_err(|_| TooLarge)?;
        self.offsets.push(end);
        Ok(())
    }

    /// Offsets, bytes and validity.
    pub(super) fn columns(&self) -> (&[u32], &[u8], &[u8]) {
        (&self.offsets, &self.bytes, &self.validity)
    }
}

/// With their prefixes, the messages are more than 4 GiB.
pub(super) struct TooLarge;

/// A message taken apart.
pub(super) struct Framed<'a> {
    pub(super) key: Cow<'a, SchemaKey>,
    /// Message indexes, where they are not at the value's beginning already.
    pub(super) indexes: &'a [u8],
    pub(super) value: &'a [u8],
}

/// Whether any message has the header that names its schema.
pub(super) fn has_schema_header(headers: &Headers, part: Part, messages: usize) -> bool {
    let name = header_name(part).as_bytes();
    (0..)
        .take(messages)
        .any(|row| headers.of(row).any(|(other, _)| other == name))
}

/// Takes a message apart. `has_indexes` is whether the format has message indexes.
pub(super) fn take_apart<'a>(
    framing: &'a Framing,
    part: Part,
    has_indexes: bool,
    header: Option<&'a [u8]>,
    message: &'a [u8],
) -> Result<Framed<'a>, FramingError> {
    let name = header_name(part);
    let framed = |key, indexes, value| Framed {
        key,
        indexes,
        value,
    };
    match (framing, header) {
        (Framing::Auto | Framing::Header, Some(header)) => {
            let (key, indexes) = of_header(name, header, has_indexes)?;
            Ok(framed(Cow::Owned(key), indexes, message))
        }
        (Framing::Header, None) => Err(FramingError::NoHeader(name)),
        (Framing::Auto | Framing::Prefix, _) => {
            let id = schema_id(message)?;
            let key = Cow::Owned(SchemaKey::Id(id));
            Ok(framed(key, &[], &message[super::PREFIX..]))
        }
        (Framing::Raw { schema, indexes }, _) => {
            Ok(framed(Cow::Borrowed(schema), indexes, message))
        }
        (Framing::SingleObject, _) => {
            let (key, value) = of_single_object(message)?;
            Ok(framed(Cow::Owned(key), &[], value))
        }
    }
}

/// The header of a message that names its schema: the last one, as for Confluent's clients. A
/// null one counts as none.
pub(super) fn schema_header(headers: &Headers, part: Part, row: u32) -> Option<&[u8]> {
    let name = header_name(part).as_bytes();
    let named = headers.of(row).filter(|(other, _)| *other == name);
    named.last().and_then(|(_, value)| value)
}

/// The numbers of schemas that have no id: from the largest down, where no registry's ids are,
/// which are positive 32-bit numbers of Java.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    given: HashMap<SchemaKey, u32>,
    /// How many were given, those included that are forgotten: a number always means the same
    /// schema.
    count: u32,
}

impl Numbers {
    pub(super) fn of(&self, key: &SchemaKey) -> Option<u32> {
        self.given.get(key).copied()
    }

    /// The number that the next schema gets.
    pub(super) fn next(&self) -> u32 {
        u32::MAX - self.count
    }

    pub(super) fn give(&mut self, key: SchemaKey) {
        self.given.insert(key, self.next());
        self.count += 1;
    }

    /// Whether a schema has, or had, this number.
    pub(super) fn contains(&self, number: u32) -> bool {
        number > self.next()
    }

    /// Forgets schemas by their numbers.
    pub(super) fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        self.given.retain(|_, number| keep(*number));
    }
}

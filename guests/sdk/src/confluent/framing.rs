//! How messages say which schema they have.
//!
//! | framing | where | what |
//! | --- | --- | --- |
//! | prefix (Confluent v0) | before the value | `00`, id as a big-endian `u32`, message indexes for Protobuf |
//! | header (Confluent v1) | `__value_schema_id` or `__key_schema_id` | `01`, 16 bytes of a GUID, message indexes for Protobuf; or as in the prefix |
//! | single object (Avro) | before the value | `C3 01`, CRC-64-AVRO of the canonical form as a little-endian `u64` |
//! | raw | nowhere | |

use serde::Deserialize;
use thiserror::Error;

use super::{Guid, SchemaKey};
use crate::Part;

/// Bytes before the value.
pub const PREFIX: usize = 5;

/// Where to look for the schema of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// In the header, and where there is none, in the prefix: as Confluent's deserializers do.
    #[default]
    Auto,
    /// In the prefix.
    Prefix,
    /// In the header.
    Header,
    /// Nowhere: all messages have this one, and are nothing but the value.
    Raw {
        /// Their schema.
        schema: SchemaKey,
        /// The message indexes that the prefix would have; empty but for Protobuf.
        indexes: Vec<u8>,
    },
    /// As in Avro's single-object encoding.
    SingleObject,
}

/// The value of a plug-in's option `framing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FramingName {
    /// [`Framing::Auto`]
    #[default]
    Auto,
    /// [`Framing::Prefix`]
    Prefix,
    /// [`Framing::Header`]
    Header,
    /// [`Framing::Raw`]
    Raw,
    /// [`Framing::SingleObject`]
    SingleObject,
}

impl Framing {
    /// From a plug-in's options `framing`, `schema.subject` and `schema.id`.
    ///
    /// # Errors
    /// For people: the options contradict each other.
    pub fn from_options(
        name: FramingName,
        subject: Option<String>,
        id: Option<u32>,
    ) -> Result<Self, String> {
        let schema = match (subject, id) {
            (Some(_), Some(_)) => {
                return Err("`schema.subject` and `schema.id` are both given: keep one".to_owned());
            }
            (Some(subject), None) => Some(SchemaKey::Subject(subject)),
            (None, Some(id)) => Some(SchemaKey::Id(id)),
            (None, None) => None,
        };
        if name != FramingName::Raw && schema.is_some() {
            return Err(
                "`schema.subject` and `schema.id` are for `framing: raw`: other framings say \
                 which schema a message has"
                    .to_owned(),
            );
        }
        Ok(match (name, schema) {
            (FramingName::Auto, _) => Self::Auto,
            (FramingName::Prefix, _) => Self::Prefix,
            (FramingName::Header, _) => Self::Header,
            (FramingName::SingleObject, _) => Self::SingleObject,
            (FramingName::Raw, Some(schema)) => Self::Raw {
                schema,
                indexes: Vec::new(),
            },
            (FramingName::Raw, None) => {
                return Err(
                    "`framing: raw` needs `schema.subject` or `schema.id`: such messages do not \
                     say which schema they have"
                        .to_owned(),
                );
            }
        })
    }
}

/// Why a message has no schema.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FramingError {
    /// Too short for a prefix.
    #[error(
        "{0} bytes are too few for the Confluent wire format, which starts with a zero byte and a 4-byte schema id"
    )]
    TooShort(usize),
    /// The first byte is not 0.
    #[error("the first byte is 0x{0:02x}, not the zero byte of the Confluent wire format")]
    Magic(u8),
    /// The header that should name the schema is not there.
    #[error("it has no header `{0}`")]
    NoHeader(&'static str),
    /// The header is there and names nothing.
    #[error(
        "its header `{name}` has {bytes} bytes and starts with 0x{magic:02x}; it should be 0x01 and 16 bytes of a GUID"
    )]
    Header {
        /// Its name.
        name: &'static str,
        /// Its length.
        bytes: usize,
        /// Its first byte.
        magic: u8,
    },
    /// The header is there and empty.
    #[error("its header `{0}` is empty")]
    EmptyHeader(&'static str),
    /// It does not begin as Avro's single-object encoding does.
    #[error(
        "it does not begin with C3 01 and 8 bytes of a fingerprint, as Avro's single-object encoding does"
    )]
    SingleObject,
}

/// What messages of a schema id start with.
#[must_use]
pub fn prefix_of(id: u32) -> [u8; PREFIX] {
    let [a, b, c, d] = id.to_be_bytes();
    [0, a, b, c, d]
}

/// The schema id of a message: a `u32`, big-endian, after a zero byte.
///
/// # Errors
/// It has none.
#[inline(always)]
pub fn schema_id(message: &[u8]) -> Result<u32, FramingError> {
    match message.first_chunk::<PREFIX>() {
        Some([0, id @ ..]) => Ok(u32::from_be_bytes(*id)),
        Some([magic, ..]) => Err(FramingError::Magic(*magic)),
        None => Err(FramingError::TooShort(message.len())),
    }
}

/// The header that names the schema of this part of a message.
pub(super) fn header_name(part: Part) -> &'static str {
    match part {
        Part::Key => "__key_schema_id",
        Part::Value => "__value_schema_id",
    }
}

/// What a header says: the schema, and the message indexes.
pub(super) fn of_header<'a>(
    name: &'static str,
    header: &'a [u8],
    has_indexes: bool,
) -> Result<(SchemaKey, &'a [u8]), FramingError> {
    let (key, rest) = if let Some(([1, guid @ ..], rest)) = header.split_first_chunk::<17>() {
        (SchemaKey::Guid(Guid(*guid)), rest)
    } else if let Some(([0, id @ ..], rest)) = header.split_first_chunk::<PREFIX>() {
        (SchemaKey::Id(u32::from_be_bytes(*id)), rest)
    } else {
        return Err(wrong_header(name, header));
    };
    if rest.is_empty() || has_indexes {
        Ok((key, rest))
    } else {
        Err(wrong_header(name, header))
    }
}

fn wrong_header(name: &'static str, header: &[u8]) -> FramingError {
    match header.first() {
        None => FramingError::EmptyHeader(name),
        Some(magic) => FramingError::Header {
            name,
            bytes: header.len(),
            magic: *magic,
        },
    }
}

/// What a message in Avro's single-object encoding says, and its value.
pub(super) fn of_single_object(message: &[u8]) -> Result<(SchemaKey, &[u8]), FramingError> {
    match message.split_first_chunk::<10>() {
        Some(([0xc3, 0x01, fingerprint @ ..], value)) => {
            let fingerprint = u64::from_le_bytes(*fingerprint);
            Ok((SchemaKey::Fingerprint(fingerprint), value))
        }
        _ => Err(FramingError::SingleObject),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        assert_eq!(schema_id(&[0, 1, 2, 3, 4]), Ok(0x0102_0304));
        assert_eq!(prefix_of(0x0102_0304), [0, 1, 2, 3, 4]);
        assert_eq!(schema_id(&[0, 0xff, 0xff, 0xff, 0xff, 9]), Ok(u32::MAX));
        assert_eq!(schema_id(&[1, 0, 0, 0, 1]), Err(FramingError::Magic(1)));
        assert_eq!(schema_id(&[0, 0, 0, 1]), Err(FramingError::TooShort(4)));
        assert_eq!(schema_id(&[]), Err(FramingError::TooShort(0)));
    }

    #[test]
    fn headers() {
        let name = header_name(Part::Value);
        let guid = SchemaKey::Guid(Guid([7; 16]));
        let header = [&[1][..], &[7; 16], &[2, 0]].concat();
        assert_eq!(
            of_header(name, &header[..17], false),
            Ok((guid.clone(), &[][..]))
        );
        assert_eq!(of_header(name, &header, true), Ok((guid, &[2, 0][..])));
        let id = SchemaKey::Id(5);
        assert_eq!(of_header(name, &[0, 0, 0, 0, 5], false), Ok((id, &[][..])));
        assert_eq!(
            of_header(name, &[], true),
            Err(FramingError::EmptyHeader(name))
        );
        let wrong = |header: &[u8]| of_header(name, header, false).unwrap_err().to_string();
        assert_eq!(
            wrong(&header),
            "its header `__value_schema_id` has 19 bytes and starts with 0x01; it should be 0x01 \
             and 16 bytes of a GUID"
        );
        assert!(wrong(&[1; 16]).contains("has 16 bytes"));
        assert!(wrong(&[2; 17]).contains("starts with 0x02"));
        assert!(wrong(&[0; 4]).contains("has 4 bytes"));
    }

    #[test]
    fn single_objects() {
        let message = [0xc3, 1, 1, 0, 0, 0, 0, 0, 0, 0x80, 9];
        let key = SchemaKey::Fingerprint(0x8000_0000_0000_0001);
        assert_eq!(of_single_object(&message), Ok((key, &[9][..])));
        for wrong in [&message[..9], &message[1..], &[]] {
            assert_eq!(of_single_object(wrong), Err(FramingError::SingleObject));
        }
    }

    #[test]
    fn options_that_contradict_each_other() {
        let of = |name, subject: Option<&str>, id| {
            Framing::from_options(name, subject.map(str::to_owned), id)
        };
        assert_eq!(of(FramingName::default(), None, None), Ok(Framing::Auto));
        let raw = of(FramingName::Raw, Some("s"), None);
        assert!(matches!(
            raw,
            Ok(Framing::Raw {
                schema: SchemaKey::Subject(_),
                ..
            })
        ));
        for (name, subject, id) in [
            (FramingName::Raw, None, None),
            (FramingName::Raw, Some("s"), Some(1)),
            (FramingName::Auto, None, Some(1)),
            (FramingName::SingleObject, Some("s"), None),
        ] {
            assert!(of(name, subject, id).is_err(), "{name:?}");
        }
    }
}

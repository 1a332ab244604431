//! What messages, or a pipeline file, name schemas by.

use std::fmt;

/// What a schema is named by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SchemaKey {
    /// The id of wire format v0.
    Id(u32),
    /// The globally unique id of wire format v1.
    Guid(Guid),
    /// The CRC-64-AVRO fingerprint of Avro's single-object encoding.
    Fingerprint(u64),
    /// A subject, whose latest version is meant.
    Subject(String),
}

/// A UUID (RFC 9562).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// Its first and its last 8 bytes, as big-endian numbers.
    #[must_use]
    pub fn halves(self) -> [u64; 2] {
        let [mut high, mut low] = [[0; 8]; 2];
        high.copy_from_slice(&self.0[..8]);
        low.copy_from_slice(&self.0[8..]);
        [high, low].map(u64::from_be_bytes)
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// As in a reason why a message cannot be decoded.
impl fmt::Display for SchemaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaKey::Id(id) => write!(f, "schema id {id}"),
            SchemaKey::Guid(guid) => write!(f, "schema {guid}"),
            SchemaKey::Fingerprint(fingerprint) => {
                write!(f, "the schema with the fingerprint {fingerprint:016x}")
            }
            SchemaKey::Subject(subject) => write!(f, "the latest schema of `{subject}`"),
        }
    }
}

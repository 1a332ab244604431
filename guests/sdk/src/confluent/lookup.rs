//! Where schemas come from.

use super::SchemaKey;
use crate::{BatchError, schemas};

/// Where schemas come from: the host, or a map in tests.
pub trait SchemaLookup {
    /// The schema with this id of the Confluent wire format, with all that it refers to.
    ///
    /// # Errors
    /// As the WIT interface `schemas` has them.
    fn by_id(&self, id: u32) -> Result<schemas::Schema, schemas::SchemaError>;

    /// The schema with another key than an id.
    ///
    /// # Errors
    /// As for [`by_id`](Self::by_id).
    fn by_key(&self, key: &SchemaKey) -> Result<schemas::Schema, schemas::SchemaError> {
        match key {
            SchemaKey::Id(id) => self.by_id(*id),
            _ => Err(schemas::SchemaError::NotFound(
                "there are only schemas with ids here".to_owned(),
            )),
        }
    }
}

/// Asks the host.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostSchemas;

impl SchemaLookup for HostSchemas {
    fn by_id(&self, id: u32) -> Result<schemas::Schema, schemas::SchemaError> {
        schemas::by_id(id)
    }

    fn by_key(&self, key: &SchemaKey) -> Result<schemas::Schema, schemas::SchemaError> {
        match key {
            SchemaKey::Id(id) => schemas::by_id(*id),
            SchemaKey::Guid(guid) => {
                let [high, low] = guid.halves();
                schemas::by_guid(schemas::Guid { high, low })
            }
            SchemaKey::Fingerprint(fingerprint) => schemas::by_fingerprint(*fingerprint),
            SchemaKey::Subject(subject) => {
                schemas::latest(subject).map(|registered| registered.schema)
            }
        }
    }
}

/// What a lookup came to. The inner error is the reason why messages of `what` cannot be
/// decoded; the outer one asks for the batch once more.
pub(super) fn usable(
    what: &str,
    answer: Result<schemas::Schema, schemas::SchemaError>,
) -> Result<Result<schemas::Schema, String>, BatchError> {
    match answer {
        Ok(schema) => Ok(Ok(schema)),
        Err(schemas::SchemaError::NotFound(why)) => Ok(Err(format!("{what} not found: {why}"))),
        Err(schemas::SchemaError::Refused(why)) => Ok(Err(format!("{what} refused: {why}"))),
        Err(schemas::SchemaError::Unavailable(why)) => {
            Err(BatchError::Unavailable(format!("{what}: {why}")))
        }
    }
}

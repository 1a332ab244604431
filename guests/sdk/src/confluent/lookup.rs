//! Where schemas come from.

use crate::{BatchError, schemas};

/// Where schemas come from: the host, or a map in tests.
pub trait SchemaLookup {
    /// The schema with this id of the Confluent wire format, with all that it refers to.
    ///
    /// # Errors
    /// As the WIT interface `schemas` has them.
    fn by_id(&self, id: u32) -> Result<schemas::Schema, schemas::SchemaError>;

    /// The latest schema of a subject.
    ///
    /// # Errors
    /// As the WIT interface `schemas` has them; a lookup that has no subjects finds none.
    fn latest(&self, subject: &str) -> Result<schemas::Schema, schemas::SchemaError> {
        let why = format!("there is no subject `{subject}`");
        Err(schemas::SchemaError::NotFound(why))
    }
}

/// Asks the host.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostSchemas;

impl SchemaLookup for HostSchemas {
    fn by_id(&self, id: u32) -> Result<schemas::Schema, schemas::SchemaError> {
        schemas::by_id(id)
    }

    fn latest(&self, subject: &str) -> Result<schemas::Schema, schemas::SchemaError> {
        schemas::latest(subject)
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

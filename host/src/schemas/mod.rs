//! Schemas for plug-ins: from a schema registry, or from local files.

mod cache;
mod files;
mod http;
mod registry;

use std::sync::Arc;

pub use files::{FileSource, FileSourceError};
pub use registry::RegistrySource;

use crate::config::SchemasConfig;

/// The language a schema is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SchemaType {
    /// Apache Avro.
    Avro,
    /// Protocol Buffers.
    Protobuf,
    /// JSON Schema.
    Json,
}

/// A schema that another one names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The name that the referring schema uses.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A schema with everything that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Its language.
    pub schema_type: SchemaType,
    /// Its text, as registered.
    pub text: String,
    /// What it names, directly or not, each before those that name it.
    pub references: Vec<Reference>,
}

/// Why a schema could not be had. The variant answers what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// There is none: the records that need it are at fault.
    #[error("{0}")]
    NotFound(String),
    /// The source is down: wait and ask again.
    #[error("{0}")]
    Unavailable(String),
    /// The answer is unusable, or access was refused: a person has to act.
    #[error("{0}")]
    Refused(String),
}

/// A source of schemas, shared by all threads.
pub trait SchemaSource: Send + Sync {
    /// The schema with this id, as in the Confluent wire format.
    ///
    /// # Errors
    /// See [`SchemaError`]. One attempt, bounded in time: waiting and retrying is the
    /// caller's.
    fn by_id(&self, id: u32) -> Result<Schema, SchemaError>;

    /// The latest schema of a subject.
    ///
    /// # Errors
    /// As for [`SchemaSource::by_id`].
    fn latest(&self, subject: &str) -> Result<Schema, SchemaError>;
}

/// Opens what a pipeline's configuration says. Schema files are read here, once; a
/// registry is not asked yet.
///
/// # Errors
/// A schema file that cannot be used.
pub fn open(config: &SchemasConfig) -> Result<Arc<dyn SchemaSource>, FileSourceError> {
    Ok(match config {
        SchemasConfig::None => Arc::new(NoSchemas),
        SchemasConfig::Registry(registry) => Arc::new(RegistrySource::new(registry)),
        SchemasConfig::Files(files) => Arc::new(FileSource::open(files)?),
    })
}

/// For a pipeline that names no source of schemas.
struct NoSchemas;

impl NoSchemas {
    fn refuse<T>(what: &str) -> Result<T, SchemaError> {
        Err(SchemaError::Refused(format!(
            "a plug-in asks for {what}, and the pipeline names no source of schemas: set \
             `schema.registry.url` or `schema.files`"
        )))
    }
}

impl SchemaSource for NoSchemas {
    fn by_id(&self, id: u32) -> Result<Schema, SchemaError> {
        Self::refuse(&format!("schema {id}"))
    }

    fn latest(&self, subject: &str) -> Result<Schema, SchemaError> {
        Self::refuse(&format!("the latest schema of `{subject}`"))
    }
}

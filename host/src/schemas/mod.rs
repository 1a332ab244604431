//! Schemas for plug-ins: from a schema registry, or from local files.

mod answer;
mod authorization;
mod cache;
mod connection;
mod disk;
mod fetch;
mod files;
mod guid;
mod http;
mod registry;

use std::path::Path;
use std::sync::Arc;

pub use files::FileSource;
pub use guid::Guid;
pub use registry::RegistrySource;

use crate::config::{Declared, Location, RegistryConfig, SchemasConfig};

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

/// A version of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The schema's id; none where schemas come from files by subject.
    pub id: Option<u32>,
    /// Its globally unique id; none from older registries and from files.
    pub guid: Option<Guid>,
    /// The version, from 1; none from files.
    pub version: Option<u32>,
    /// The schema itself.
    pub schema: Schema,
}

/// A schema to register or to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSchema {
    /// Its language.
    pub schema_type: SchemaType,
    /// Its text.
    pub text: String,
    /// What it names itself, not through others.
    pub references: Vec<SubjectVersion>,
}

/// A version of a subject that a schema to register names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectVersion {
    /// How the schema names it.
    pub name: String,
    /// The subject that has it.
    pub subject: String,
    /// Its version, from 1.
    pub version: u32,
}

/// What a registered schema is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Its id.
    pub id: u32,
    /// Its globally unique id; none from older registries.
    pub guid: Option<Guid>,
}

/// What a message says of its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SchemaKey {
    /// The id in the prefix of wire format v0.
    Id(u32),
    /// The globally unique id in the header of wire format v1.
    Guid(Guid),
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
///
/// Calls are bounded in time; to wait for a source that is down is the caller's. What a
/// source does not have is refused by the methods that are provided.
///
/// # Errors
/// See [`SchemaError`], for each method.
pub trait SchemaSource: Send + Sync {
    /// The schema with this id, as in the Confluent wire format.
    fn by_id(&self, id: u32) -> Result<Schema, SchemaError>;

    /// The schema with this globally unique id.
    fn by_guid(&self, guid: Guid) -> Result<Schema, SchemaError> {
        Err(not_here(&format!("the schema with the GUID {guid}")))
    }

    /// The Avro schema with this CRC-64-AVRO fingerprint (Avro 1.12, "Schema
    /// Fingerprints").
    fn by_fingerprint(&self, fingerprint: u64) -> Result<Schema, SchemaError> {
        Err(SchemaError::Refused(format!(
            "the Avro schema with the fingerprint {fingerprint:016x} can come from \
             `schema.files` only: registries cannot be asked by fingerprint"
        )))
    }

    /// The latest version of a subject.
    fn latest(&self, subject: &str) -> Result<Registered, SchemaError>;

    /// A version of a subject, from 1.
    fn version(&self, subject: &str, version: u32) -> Result<Registered, SchemaError> {
        Err(not_here(&format!(
            "version {version} of the subject `{subject}`"
        )))
    }

    /// The version of a subject that is this very schema.
    fn look_up(&self, subject: &str, _schema: &NewSchema) -> Result<Registered, SchemaError> {
        Err(not_here(&format!(
            "the version of the subject `{subject}` with a given text"
        )))
    }

    /// Registers a schema as the next version of a subject, or finds that it is one.
    fn register(&self, subject: &str, _schema: &NewSchema) -> Result<Registration, SchemaError> {
        Err(SchemaError::Refused(format!(
            "a schema cannot be registered for `{subject}`: that needs `schema.registry.url`"
        )))
    }

    /// Goes on with the secrets of this configuration, once they work. A source without any has
    /// nothing to do.
    ///
    /// # Errors
    /// Why they are not taken, without them.
    fn renew(&self, _config: &RegistryConfig) -> Result<(), String> {
        Ok(())
    }

    /// Gets what is not known yet, side by side, so that asking for it takes no time. What
    /// cannot be had is told to who asks for it.
    fn prefetch(&self, _keys: &[SchemaKey]) {}
}

fn not_here(what: &str) -> SchemaError {
    SchemaError::Refused(format!(
        "a plug-in asks for {what}, which only a registry can answer: set `schema.registry.url`"
    ))
}

/// What the pipeline file names cannot be used: correct it there, or the file that it names.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// The key.
    pub key: &'static str,
    /// Its place.
    pub declared: Box<Location>,
    /// What is wrong, and what to do.
    pub message: String,
}

impl<T> Declared<T> {
    /// Why it cannot be used.
    pub(crate) fn error(&self, message: &str) -> SourceError {
        SourceError {
            key: self.key,
            declared: Box::new(self.declared.clone()),
            message: message.to_owned(),
        }
    }
}

/// Opens what a pipeline's configuration says. Schema files, certificates and keys are read
/// here; a registry is not asked yet. Its schemas are kept below `cache`, if given.
///
/// # Errors
/// A file that cannot be used.
pub fn open(
    config: &SchemasConfig,
    cache: Option<&Path>,
) -> Result<Arc<dyn SchemaSource>, SourceError> {
    Ok(match config {
        SchemasConfig::None => Arc::new(NoSchemas),
        SchemasConfig::Registry(registry) => Arc::new(RegistrySource::open(registry, cache)?),
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

    fn by_guid(&self, guid: Guid) -> Result<Schema, SchemaError> {
        Self::refuse(&format!("the schema with the GUID {guid}"))
    }

    fn latest(&self, subject: &str) -> Result<Registered, SchemaError> {
        Self::refuse(&format!("the latest schema of `{subject}`"))
    }
}

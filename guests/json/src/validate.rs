//! Validation against a JSON Schema, where it is asked for. This is the only place where a
//! message becomes a tree of values.

use boon::{Compiler, ErrorKind, SchemaIndex, Schemas, UrlLoader, ValidationError};
use serde_json::Value;

use crate::schema::{Documents, Draft, SchemaError};

/// What is done about messages that are not valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Validation {
    /// Nobody looks.
    #[default]
    Off,
    /// They are counted and logged, and delivered.
    Report,
    /// They are faults.
    On,
}

/// A schema to validate against.
pub(crate) struct Validator {
    schemas: Schemas,
    root: SchemaIndex,
}

/// There is no other source of schemas than the documents.
struct NothingElse;

impl UrlLoader for NothingElse {
    fn load(&self, url: &str) -> Result<Value, Box<dyn std::error::Error>> {
        Err(format!("`{url}` is not among the schema's references").into())
    }
}

impl Validator {
    pub(crate) fn new(documents: &Documents) -> Result<Self, SchemaError> {
        let mut compiler = Compiler::new();
        compiler.set_default_draft(match documents.draft() {
            Draft::V4 => boon::Draft::V4,
            Draft::V6 => boon::Draft::V6,
            Draft::V7 => boon::Draft::V7,
            Draft::V2019 => boon::Draft::V2019_09,
            Draft::V2020 => boon::Draft::V2020_12,
        });
        compiler.use_loader(Box::new(NothingElse));
        let invalid = |error: boon::CompileError| SchemaError::Validator(format!("{error:#}"));
        for (url, document) in documents.by_url() {
            compiler
                .add_resource(url, document.clone())
                .map_err(invalid)?;
        }
        let mut schemas = Schemas::new();
        let root = compiler
            .compile(documents.root_url(), &mut schemas)
            .map_err(invalid)?;
        Ok(Self { schemas, root })
    }

    /// What is wrong with a message, if anything is. `None` also for one that is not JSON: it
    /// will not be decoded either.
    pub(crate) fn reason(&self, message: &[u8]) -> Option<String> {
        let value: Value = match serde_json::from_slice(message) {
            Ok(value) => value,
            Err(error) if error.to_string().starts_with("number out of range") => {
                return Some(format!("it cannot be validated: {error}"));
            }
            Err(_) => return None,
        };
        let error = self.schemas.validate(&value, self.root).err()?;
        let error = deepest(&error);
        let (place, kind) = (error.instance_location.to_string(), &error.kind);
        let place = if place.is_empty() {
            String::new()
        } else {
            format!("`{place}`: ")
        };
        Some(format!("{place}not valid: {kind}"))
    }
}

/// The first thing that is wrong itself, and not because of another. Where one of several
/// branches would have to be right, that is for the one who chose: they are not looked into.
fn deepest<'e>(error: &'e ValidationError<'e, 'e>) -> &'e ValidationError<'e, 'e> {
    match (&error.kind, &error.causes[..]) {
        (ErrorKind::AnyOf | ErrorKind::OneOf(_), [_, _, ..]) | (_, []) => error,
        (_, [first, ..]) => deepest(first),
    }
}

//! JSON Schema, as types of columns.
//!
//! A schema says what is allowed, and a column what is meant. Where a schema leaves more open
//! than a column can hold, the column is JSON text, and nothing is lost.

mod connect;
mod documents;
mod facets;
mod walk;

pub(crate) use documents::{Documents, Draft};

use crate::types::Type;

/// Why a schema cannot be used. The texts reach the person who reads the dead letter.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    /// The text is not JSON.
    #[error("it is not JSON: {0}")]
    Json(serde_json::Error),
    /// The text of a schema that it refers to is not JSON.
    #[error("`{0}`, which it refers to, is not JSON: {1}")]
    Reference(String, serde_json::Error),
    /// A name is not a URI.
    #[error("`{0}` is not a URI: {1}")]
    Url(String, url::ParseError),
    /// The schema is of another language.
    #[error("it is {0} schema, not a JSON Schema")]
    Language(&'static str),
    /// A `$ref` leads nowhere.
    #[error("there is nothing behind the $ref `{0}`, here or among the schema's references")]
    Undefined(String),
    /// There are more columns than there may be.
    #[error(transparent)]
    Layout(#[from] weir_guest::columns::LayoutError),
    /// Schemas are combined in too many ways.
    #[error("it combines more than {} schemas for one value", facets::MOST)]
    Combined,
    /// Its columns cannot be laid out.
    #[error("{0}")]
    Plan(String),
    /// It cannot be validated against.
    #[error("{0}")]
    Validator(String),
}

/// The type of a row. With `strict`, what a valid message cannot be without is not nullable.
///
/// # Errors
/// A reference leads nowhere, or there would be too many columns.
pub(crate) fn type_of(documents: &Documents, strict: bool) -> Result<Type, SchemaError> {
    let index = documents::Index::new(documents);
    walk::Walk::new(&index, strict).root()
}

/// The type of a row that is written: null is a value of what has it in the schema, and what a
/// message cannot be without is required.
///
/// # Errors
/// As for [`type_of`].
pub(crate) fn type_to_write(documents: &Documents) -> Result<Type, SchemaError> {
    let index = documents::Index::new(documents);
    walk::Walk::to_write(&index).root()
}

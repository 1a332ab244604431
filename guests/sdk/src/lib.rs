//! The guest SDK.
pub mod bindings;

pub use bindings::deserializer::weir::connector::{log, messages, metrics, rows, schemas, types};

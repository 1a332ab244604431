//! What deserializers share that read the Confluent wire format and ask a schema registry.
//!
//! ```text
//! messages ─► framing ─► Compiled for each schema id ─► groups of rows
//!               id │            ▲
//!                  └► lookup ─► Format::compile, once
//! ```
//!
//! A format says how a schema is compiled ([`Format`]) and how the messages that have it are
//! decoded ([`Compiled`]); [`Decoder`] does the rest.

mod decoder;
mod framing;
mod lookup;
mod messages;
mod one_schema;

pub use decoder::{Compiled, Decoder, Format, MAX_SCHEMAS};
pub use framing::{FramingError, PREFIX, prefix_of, schema_id};
pub use lookup::{HostSchemas, SchemaLookup};
pub use messages::{Messages, ShapeError};
pub use one_schema::{OneSchema, SchemaName};

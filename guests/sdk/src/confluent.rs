//! What deserializers and serializers share that use the Confluent wire format and a schema
//! registry.
//!
//! ```text
//! messages ─► framing ─► Compiled for each schema ─► groups of rows
//!              key │            ▲
//!                  └► lookup ─► Format::compile, once
//! ```
//!
//! A format says how a schema is compiled ([`Format`]) and how the messages that have it are
//! decoded ([`Compiled`]); [`Decoder`] does the rest. A format sees one framing only, that of
//! the prefix: messages that are framed otherwise are copied and given one first.
//!
//! ```text
//! rows ─► Writer ─► plan of their target ─► payloads
//!            ▲
//!            └ WriteFormat::derive or the registry, then WriteFormat::compile, once a target
//! ```

mod blocks;
mod decoder;
mod framing;
mod key;
mod lookup;
mod messages;
mod one_schema;
mod payloads;
mod rewrite;
mod write_options;
mod writer;

pub use blocks::WriteRows;
pub use decoder::{Compiled, Decoder, Format, MAX_SCHEMAS};
pub use framing::{Framing, FramingError, FramingName, PREFIX, prefix_of, schema_id};
pub use key::{Guid, SchemaKey};
pub use lookup::{HostSchemas, SchemaLookup};
pub use messages::{Messages, ShapeError};
pub use one_schema::{OneSchema, SchemaName};
pub use payloads::PayloadBuilder;
pub use write_options::{SubjectNameStrategy, WriteFraming, WriteOptions, WriteValidation};
pub use writer::{SchemaRegistry, WriteFormat, Writer};

//! weir's Avro deserializer: Confluent wire format in, Arrow columns out; and its serializer, in
//! [`mod@write`].
//!
//! ```text
//! messages ─► framing ─► group for each schema id ─► block ─► column ─► Arrow arrays
//!               id │            ▲                     ▲
//!                  └► schema ─► compile ─► plan ──────┘
//! ```
//!
//! A writer schema is compiled once to a flat list of operations; records are decoded
//! straight into one growing column for each leaf. A record that cannot be decoded is
//! one error and leaves nothing behind.
//!
//! The crate is the component (on `wasm32-unknown-unknown`) and a library with the same
//! behaviour, for tests and benchmarks:
//!
//! ```
//! use weir_avro::Decoder;
//! use weir_guest::confluent::SchemaLookup;
//! use weir_guest::schemas::{Schema, SchemaError, SchemaType};
//!
//! struct OneSchema;
//! impl SchemaLookup for OneSchema {
//!     fn by_id(&self, _: u32) -> Result<Schema, SchemaError> {
//!         let text = r#"{"type":"record","name":"R","fields":[{"name":"n","type":"long"}]}"#;
//!         Ok(Schema { schema_type: SchemaType::Avro, text: text.into(), references: vec![] })
//!     }
//! }
//!
//! let mut decoder = Decoder::default();
//! let decoded = decoder.decode_batch(&[0, 6], &[0, 0, 0, 0, 7, 84], None, &OneSchema)?;
//! assert_eq!(decoder.schema(7).map(|fields| fields[0].format.as_str()), Some("l"));
//! assert_eq!(decoded.groups[0].arrays[0].buffers[1], 42i64.to_le_bytes());
//! # Ok::<(), weir_guest::types::BatchError>(())
//! ```

mod block;
pub mod canonical;
mod compile;
mod decimal;
mod decoder;
mod defaults;
#[cfg(feature = "fixtures")]
pub mod fixtures;
mod grammar;
mod group;
mod input;
mod json;
mod plan;
mod plugin;
mod resolve;
mod run;
mod schema;
pub mod write;

pub use decoder::{AvroFormat, Decoder, check_reader, compile_schema, resolve_schemas};
pub use group::Group;
pub use input::MAX_EMPTY_ITEMS;
pub use plan::Plan;
pub use plugin::Avro;
pub use schema::SchemaError;

//! weir's Protobuf deserializer: Confluent wire format in, Arrow columns out.
//!
//! ```text
//! messages ─► framing ─► indexes ─► group for each message type ─► run ─► slots ─► Arrow arrays
//!               id │                        ▲
//!                  └► schema ─► compile ─► plan
//! ```
//!
//! A message type is compiled once to tables of fields by number; messages are read in one pass
//! over the wire into one growing column for each leaf. A message that cannot be decoded is one
//! error and leaves nothing behind.
//!
//! The crate is the component (on `wasm32-unknown-unknown`) and a library with the same
//! behaviour, for tests and benchmarks:
//!
//! ```
//! use weir_protobuf::Decoder;
//! use weir_guest::confluent::SchemaLookup;
//! use weir_guest::schemas::{Schema, SchemaError, SchemaType};
//!
//! struct OneSchema;
//! impl SchemaLookup for OneSchema {
//!     fn by_id(&self, _: u32) -> Result<Schema, SchemaError> {
//!         let text = r#"syntax = "proto3"; message M { int64 n = 1; }"#;
//!         Ok(Schema { schema_type: SchemaType::Protobuf, text: text.into(), references: vec![] })
//!     }
//! }
//!
//! let mut decoder = Decoder::default();
//! // A zero byte, the schema id 7, the first message of the file, and 42 as its field 1.
//! let decoded = decoder.decode_batch(&[0, 8], &[0, 0, 0, 0, 7, 0, 8, 42], None, &OneSchema)?;
//! let group = &decoded.groups[0];
//! assert_eq!(decoder.schema(group.schema).map(|fields| fields[0].format.as_str()), Some("l"));
//! assert_eq!(group.arrays[0].buffers[1], 42i64.to_le_bytes());
//! # Ok::<(), weir_guest::types::BatchError>(())
//! ```

mod block;
mod compile;
mod decoder;
mod editions;
mod finish;
#[cfg(feature = "fixtures")]
pub mod fixtures;
mod group;
mod indexes;
mod maps;
mod plan;
mod plugin;
mod run;
mod schema;
mod slots;
mod wire;
pub mod write;

pub use decoder::{Decoder, FileRows, ProtobufFormat, RawDecoder, compile_message};
pub use plan::{Plan, TimeUnit};
pub use plugin::Protobuf;
pub use schema::{File, SchemaError};
pub use wire::MAX_NESTING;

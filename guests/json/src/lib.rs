//! weir's JSON deserializer: JSON in, plain or with a JSON Schema, Arrow columns out; and its
//! serializer for JSON with a JSON Schema, in [`mod@write`].
//!
//! ```text
//! messages ─► framing ─► group for each schema ─► input ─► read ─► column ─► Arrow arrays
//!               id │            ▲         │         (text)  ▲
//!                  └► documents ─► type ─► plan ────────────┘
//!                             options ─┘  └► validator, if asked for
//! ```
//!
//! A schema, or the columns that the options declare, is compiled once to a plan; each
//! message is read from left to right straight into the columns, without a tree of values. A
//! message that cannot be read is one error and leaves nothing behind.
//!
//! The crate is the component (on `wasm32-unknown-unknown`) and a library with the same
//! behaviour, for tests and benchmarks:
//!
//! ```
//! use weir_guest::confluent::HostSchemas;
//! use weir_json::{Decoder, Options};
//!
//! let options = Options::parse(r#"{ "columns": { "n": "int64" } }"#)?;
//! let mut decoder = Decoder::new(options)?;
//! let decoded = decoder.decode_batch(&[0, 8], br#"{"n":42}"#, None, &HostSchemas).unwrap();
//! assert_eq!(decoder.schema(0).map(|fields| fields[0].format.as_str()), Some("l"));
//! assert_eq!(decoded.groups[0].arrays[0].buffers[1], 42i64.to_le_bytes());
//! # Ok::<(), String>(())
//! ```

mod base64;
mod declared;
mod decoder;
mod fault;
#[cfg(feature = "fixtures")]
pub mod fixtures;
mod group;
mod input;
mod number;
mod options;
mod plan;
mod plugin;
#[cfg(target_family = "wasm")]
mod random;
mod read;
mod scan;
mod schema;
mod time;
mod types;
mod validate;
pub mod write;

pub use decoder::Decoder;
pub use options::{Framing, Options};
pub use plan::UnknownFields;
pub use plugin::Json;
pub use validate::Validation;

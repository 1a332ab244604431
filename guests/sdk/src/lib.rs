//! Write a weir plug-in in Rust: a deserializer or an interceptor, compiled to
//! `wasm32-unknown-unknown`.
//!
//! ```text
//!            batch::Batch                                    Decoded, Intercepted
//! weir ──► topic, partition, columns ──► your plug-in ──► columns, or which rows go on ──► weir
//!              borrowed, per call      opened once, with options
//! ```
//!
//! A plug-in is a type with one of the traits [`Deserializer`],
//! [`ConsumerInterceptor`] or [`ProducerInterceptor`], named to the matching
//! `export_…!` macro in a crate of type `cdylib`. This one turns each value into
//! a row of one text column:
//!
//! ```
//! use weir_guest::{Batch, BatchError, Column, Decoded, Description, Deserializer, Part, Table, rows};
//!
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Options {
//!     column: String,
//! }
//!
//! struct Lines {
//!     table: Table,
//! }
//!
//! impl Deserializer for Lines {
//!     fn describe() -> Description {
//!         Description {
//!             name: "lines".into(),
//!             version: env!("CARGO_PKG_VERSION").into(),
//!             summary: "Each message is one text".into(),
//!             options_schema: r#"{ "type": "object", "properties": { "column": { "type": "string" } } }"#.into(),
//!         }
//!     }
//!
//!     fn open(_part: Part, options: &str) -> Result<Self, String> {
//!         let options: Options = weir_guest::options(options)?;
//!         Ok(Self { table: Table::new(0, vec![Column::utf8(options.column)]) })
//!     }
//!
//!     fn decode(&mut self, batch: &Batch<'_>) -> Result<Decoded, BatchError> {
//!         Ok(self.table.decode(&batch.payloads(), |payload, row| {
//!             let text = std::str::from_utf8(payload)?;
//!             row.push(text)
//!         }))
//!     }
//!
//!     fn schema(&self, _number: u32) -> Vec<rows::Field> {
//!         self.table.schema()
//!     }
//! }
//!
//! weir_guest::export_deserializer!(Lines);
//!
//! // On your own machine, without weir:
//! let mut lines = Lines::open(Part::Value, r#"{ "column": "line" }"#).unwrap();
//! let decoded = lines.decode(&weir_guest::Sample::of_values([b"one", b"two"]).batch()).unwrap();
//! assert_eq!(decoded.groups[0].len, 2);
//! ```
//!
//! A plug-in has no clock, files, network or random numbers. It has [`log`],
//! [`metrics`] and [`schemas`], and what a batch brings. If it panics, the message
//! is logged; the host throws the instance away, finds the message at fault,
//! reports it as bad and goes on with a new instance.

pub mod bindings;

pub mod arrays;
pub mod batch;
pub mod columns;
pub mod confluent;
mod deserializer;
pub mod event_time;
mod interceptor;
pub mod lanes;
pub mod log;
pub mod metrics;
mod options;
mod panics;
#[cfg(feature = "random")]
pub mod random;
pub mod sample;
mod serializer;
pub mod table;

pub use batch::{Batch, Headers, Payloads};
pub use bindings::consumer_interceptor::weir::connector::interception;
pub use bindings::deserializer::exports::weir::connector::deserializer::{Decoded, Part};
pub use bindings::deserializer::weir::connector::{messages, rows, schemas, types};
pub use bindings::serializer::exports::weir::connector::serializer::{Encoded, Target};
pub use deserializer::{Deserializer, DeserializerPlugin};
pub use interception::{Intercepted, Replacement, Verdict};
pub use interceptor::{
    ConsumerInterceptor, ConsumerInterceptorPlugin, ProducerInterceptor, ProducerInterceptorPlugin,
};
pub use options::options;
pub use sample::Sample;
pub use serializer::{RowBatch, Serializer, SerializerPlugin};
pub use table::{Column, Row, RowError, Table, Value};
pub use types::{BatchError, Description};

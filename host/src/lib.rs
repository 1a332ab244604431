//! weir reads Kafka topics, lets WebAssembly plug-ins interpret the bytes, and hands the rows
//! on, as Arrow record batches.
//!
//! ```text
//!            native                wasm                    wasm            native
//! Kafka ─► consumer ─► consumer interceptors ─► deserializer ─► rows ─► sink
//!             ▲                                                          │
//!             └───────────────────── delivered ◄─────────────────────────┘
//! ```
//!
//! The host owns everything that touches the outside: brokers, the schema registry, offsets,
//! files. A plug-in is a component that is called once a batch and has no rights but to ask for
//! schemas, write log lines and count.
//!
//! The modules, in the order in which data meets them: [`config`] says what to do; [`kafka`]
//! makes [`batch`]es; [`plugin`]s make [`rows`] of them, with [`schemas`]; [`event_time`] says how
//! far those have come; [`sink`]s take them;
//! [`pipeline`] joins the threads, [`progress`] counts, [`stop`] ends. [`cli`], [`demo`] and
//! [`mod@bench`] use all of it.
//!
//! A plug-in can be used without Kafka:
//!
//! ```
//! use std::sync::Arc;
//! use weir::batch::{BatchBuilder, Capacity, TopicPartition};
//! use weir::plugin::{Deserializer, Limits, Part, Plugin, PluginEngine};
//! use weir::schemas::{Registered, Schema, SchemaError, SchemaSource, SchemaType};
//!
//! struct OneSchema;
//! impl SchemaSource for OneSchema {
//!     fn by_id(&self, _id: u32) -> Result<Schema, SchemaError> {
//!         let text = r#"{"type":"record","name":"R","fields":[{"name":"n","type":"long"}]}"#;
//!         Ok(Schema { schema_type: SchemaType::Avro, text: text.into(), references: vec![] })
//!     }
//!     fn latest(&self, subject: &str) -> Result<Registered, SchemaError> {
//!         Err(SchemaError::NotFound(subject.into()))
//!     }
//! }
//!
//! let engine = PluginEngine::new(None)?;
//! let avro = Plugin::load(&engine, "avro")?;
//! let options = serde_json::json!({});
//! let schemas = Arc::new(OneSchema);
//! let mut decoder =
//!     Deserializer::open(&avro, Part::Value, &options, schemas, Limits::default())?;
//!
//! let source = TopicPartition { topic: "numbers".into(), partition: 0 };
//! let mut batch = BatchBuilder::new(source, Capacity::default());
//! assert!(batch.push(0, -1, None, Some(&[0, 0, 0, 0, 7, 84])));
//! assert!(batch.push(1, -1, None, Some(b"not Avro")));
//! let decoded = decoder.decode(&batch.finish())?;
//!
//! assert_eq!(decoded.rows[0].rows.num_rows(), 1);
//! assert_eq!(decoded.errors[0].offset, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod config;
pub mod batch;
mod aws;
pub mod kafka;
pub mod plugin;
pub mod schemas;
pub mod rows;
pub mod event_time;
pub mod sink;
pub mod pipeline;
pub mod progress;
pub mod metrics;
pub mod stop;
mod rate;
pub mod demo;
pub mod bench;
pub mod cli;

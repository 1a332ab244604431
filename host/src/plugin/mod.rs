//! Plug-ins: WebAssembly components that interpret bytes, with no rights but weir's
//! own imports.
//!
//! ```text
//! file or built-in name ─► load ─► Plugin ─► open ─► Instance ─► call, once a batch
//!                                    │                  ▲  │
//!                                    └──── reopened ────┴──┘ after a trap, or when it grew
//! ```

#[cfg(test)]
mod arbitrary;
mod bench;
mod bindings;
mod builtin;
mod columns;
mod component;
mod deserializer;
mod engine;
mod imports;
mod instance;
mod interceptor;
mod lend;
mod load;
mod messages;
mod opened;
mod origin;
mod payloads;
mod prefetch;
mod schemas;
mod serializer;

pub(crate) use bench::{CrossingGuest, Message as CrossingMessage, Reads};
pub use builtin::{builtin_names, serializer_names};
pub use component::PluginKind;
pub use deserializer::{Decoded, Deserializer};
pub use engine::{Limits, PluginEngine};
pub use imports::{Metric, PluginMetrics};
pub use instance::{CallError, OpenError};
pub use interceptor::{ConsumerInterceptor, Intercepted};
pub use load::{Description, LoadError, Plugin};
pub use opened::BatchStop;
pub use serializer::{RowError, Serialized, Serializer};

/// What of a message a plug-in is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Its key.
    Key,
    /// Its value.
    Value,
}

/// A message that a plug-in, or its failure, left without a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageError {
    /// Kafka offset of the message.
    pub offset: i64,
    /// For people: what is wrong.
    pub reason: String,
}

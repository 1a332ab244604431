//! Figures of the plug-in's own, shown and exported with its name. In native tests
//! they go nowhere.
//!
//! Names are letters, digits and `_`. Each call crosses to the host: count in a
//! variable, and report it once a batch.

use crate::bindings::deserializer::weir::connector::metrics as host;

/// Adds to a counter, which starts at 0 when the pipeline does.
pub fn count(name: &str, increment: u64) {
    if cfg!(target_family = "wasm") {
        host::count(name, increment);
    }
}

/// Sets a gauge.
pub fn gauge(name: &str, value: f64) {
    if cfg!(target_family = "wasm") {
        host::gauge(name, value);
    }
}

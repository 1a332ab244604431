//! Event time that a plug-in gives for the batch that it was called with. In native tests it goes
//! nowhere.

use crate::bindings::deserializer::weir::connector::event_time as host;

/// Stands for no event time.
pub const NONE: i64 = i64::MIN;

/// Says the event time of each message of the batch, in ms since the epoch, or [`NONE`]: as many as
/// there are messages. They count where the pipeline file has `event.time: plugin`.
pub fn mark(times: &[i64]) {
    if cfg!(target_family = "wasm") {
        host::mark(times);
    }
}

/// Says that no row of this partition with an event time below this, in ms since the epoch, will
/// come after the batch.
pub fn watermark(time: i64) {
    if cfg!(target_family = "wasm") {
        host::watermark(time);
    }
}

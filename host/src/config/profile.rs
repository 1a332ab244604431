//! Profiles: what a pipeline is tuned for, in one word.

use super::choice::choice;

choice! {
    /// What a pipeline is tuned for. Sets the defaults of several keys; a key that is given
    /// goes before it.
    pub enum Profile {
        /// Each record as soon as possible.
        Latency = "latency",
        /// Full speed with little memory.
        Balanced = "balanced",
        /// As many records as possible, with more memory and larger batches.
        Throughput = "throughput",
    }
}

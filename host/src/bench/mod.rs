//! What `weir bench` measures. Figures are of this machine; what can be compared between
//! machines are the ratios, as both sides of each run in turns, on the same data.

mod cluster;
pub mod consume;
pub mod crossing;
pub mod decode;
pub mod encode;
pub mod event_time;
pub mod memory;
mod produce;
pub mod profiles;
mod timing;

/// One measured way of doing something.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// What was measured, such as `decode/order/component`.
    pub name: String,
    /// Time for one record, in ns; for one call where a call has no records.
    pub ns_per_record: f64,
    /// CPU time for one record, of all threads, in ns, where that is not the same.
    pub cpu_ns_per_record: Option<f64>,
    /// What it is held against, by name.
    pub baselines: Vec<String>,
}

impl Measurement {
    /// How many records a second.
    #[must_use]
    pub fn records_per_s(&self) -> f64 {
        1e9 / self.ns_per_record
    }
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BenchError(String);

impl BenchError {
    fn new(error: impl std::fmt::Display) -> Self {
        BenchError(error.to_string())
    }
}

//! A sink that only counts: for measuring what comes before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::{Sink, SinkError};
use crate::rows::Rows;

/// Drops all rows. Every write is durable at once.
#[derive(Debug, Default)]
pub struct DiscardSink {
    writes: u64,
    totals: Arc<Totals>,
}

/// What a [`DiscardSink`] has taken. Can be read from any thread while it runs.
#[derive(Debug, Default)]
pub struct Totals {
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl DiscardSink {
    /// The totals of this sink, kept up to date.
    #[must_use]
    pub fn totals(&self) -> Arc<Totals> {
        Arc::clone(&self.totals)
    }
}

impl Totals {
    /// Rows taken.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Bytes of Arrow memory behind these rows.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Sink for DiscardSink {
    fn write(&mut self, rows: &Rows) -> Result<(), SinkError> {
        self.writes += 1;
        self.totals.rows.fetch_add(rows.rows.num_rows() as u64, Ordering::Relaxed);
        let bytes = rows.rows.get_array_memory_size() as u64;
        self.totals.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn durable(&mut self, _now: Instant) -> Result<u64, SinkError> {
        Ok(self.writes)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::testing::{numbers, rows_of};

    #[test]
    fn counts() {
        let mut sink = DiscardSink::default();
        let totals = sink.totals();
        sink.write(&rows_of(numbers(0..3))).unwrap();
        sink.write(&rows_of(numbers(0..0))).unwrap();
        assert_eq!(sink.durable(Instant::now()).unwrap(), 2);
        assert_eq!(totals.rows(), 3);
        assert!(totals.bytes() >= 24);
    }
}

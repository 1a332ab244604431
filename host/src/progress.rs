//! How far a pipeline is: counted by its threads, read by whoever shows it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::batch::TopicPartition;
use crate::event_time::EventTime;

/// The figures of a running pipeline. All only grow, but for the partitions' own.
#[derive(Debug, Default)]
pub struct Progress {
    /// Messages read, those of bad records included.
    pub messages: Counter,
    /// Bytes of keys, values and headers read.
    pub bytes: Counter,
    /// Rows that the sink has.
    pub rows: Counter,
    /// Messages that an interceptor dropped on purpose.
    pub dropped: Counter,
    /// Tombstones, which have no rows.
    pub tombstones: Counter,
    /// Messages other than tombstones for which the deserializer made no row.
    pub skipped: Counter,
    /// Messages that could not be handled.
    pub errors: Counter,
    /// Times a batch had to wait for something outside.
    pub retries: Counter,
    /// Rows that came after the watermark had passed them.
    pub late: Counter,
    /// Those of them that were dropped for that.
    pub late_dropped: Counter,
    /// Rows that were too far ahead of the other partitions to be taken.
    pub excess: Counter,
    /// Those of them that were dropped, as there is no topic for them.
    pub excess_dropped: Counter,
    /// Messages that were put aside, to a topic of their own.
    pub aside: Counter,
    /// Rows whose event time is too far in the future to be believed.
    pub future: Counter,
    /// Rows without an event time.
    pub timeless: Counter,
    event_time: OnceLock<EventTime>,
    plugin_nanos: Counter,
    partitions: Mutex<BTreeMap<TopicPartition, PartitionProgress>>,
}

/// How far one partition is. Offsets are those of the next message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionProgress {
    /// Where reading began.
    pub start: i64,
    /// Read so far.
    pub position: i64,
    /// Delivered so far.
    pub delivered: i64,
    /// Where reading will end; `None` when it goes on for ever.
    pub end: Option<i64>,
    /// After the last message that can be read, as far as that is known.
    pub log_end: Option<i64>,
}

impl PartitionProgress {
    /// Messages that are not delivered, counted by offsets; `None` where the log's end is
    /// not known yet.
    #[must_use]
    pub fn lag(&self) -> Option<i64> {
        Some((self.log_end? - self.delivered).max(0))
    }
}

/// A number that threads add to.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The number now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds a count of things in memory.
    pub fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }
}

impl Progress {
    /// Time spent in plug-ins, over all threads.
    #[must_use]
    pub fn plugin_time(&self) -> Duration {
        Duration::from_nanos(self.plugin_nanos.get())
    }

    /// Event time, if the pipeline tracks it.
    #[must_use]
    pub fn event_time(&self) -> Option<&EventTime> {
        self.event_time.get()
    }

    pub(crate) fn follow(&self, event_time: EventTime) {
        // A pipeline has one.
        let _ = self.event_time.set(event_time);
    }

    /// All assigned partitions.
    #[must_use]
    pub fn partitions(&self) -> BTreeMap<TopicPartition, PartitionProgress> {
        self.partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn add_plugin_time(&self, time: Duration) {
        self.plugin_nanos
            .add(usize::try_from(time.as_nanos()).unwrap_or(usize::MAX));
    }

    pub(crate) fn assign(&self, source: TopicPartition, progress: PartitionProgress) {
        self.partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(source, progress);
    }

    pub(crate) fn update(
        &self,
        source: &TopicPartition,
        change: impl FnOnce(&mut PartitionProgress),
    ) {
        if let Some(progress) = self
            .partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_mut(source)
        {
            change(progress);
        }
    }

    pub(crate) fn revoke(&self, source: &TopicPartition) {
        self.partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(source);
    }
}

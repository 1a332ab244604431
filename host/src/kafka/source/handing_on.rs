//! Handing batches on, and pausing when the pipeline is full.

use std::time::{Duration, Instant};

use crossbeam_channel::SendTimeoutError;
use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::Offset;

use super::lists::list;
use super::reader::{POLL_MAX, Reader};
use super::{SourceError, SourceItem};
use crate::batch::TopicPartition;
use crate::rate::Permit;

/// How long a full pipeline may hold the polling up before partitions are paused. Pausing
/// throws away what librdkafka has fetched ahead, so short stalls just wait.
const PAUSE_AFTER: Duration = Duration::from_secs(1);

impl Reader<'_> {
    /// Hands on what is cut. Returns false when the pipeline is full, after waiting for it
    /// a little.
    pub(super) fn hand_on(&mut self, now: Instant) -> Result<bool, SourceError> {
        let mut let_go = self.let_go();
        while let Some((item, from)) = self.next_batch(&mut let_go)? {
            let (rows, bytes) = (item.batch.len(), item.batch.payload_bytes());
            if let Some(wait) = self.wait_for_permit(rows, bytes) {
                self.put_back(item, from);
                // Short, so that reports are taken and brokers are heard meanwhile.
                std::thread::sleep(wait.min(POLL_MAX));
                self.pause_if_blocked(now)?;
                return Ok(false);
            }
            let worker = worker_of(&item.batch.source, self.links.batches.len());
            let wait = if self.paused {
                Duration::ZERO
            } else {
                POLL_MAX
            };
            let (source, last, assignment) = (
                item.batch.source.clone(),
                item.batch.offsets.last().copied(),
                item.assignment,
            );
            match self.links.batches[worker].send_timeout(SourceItem::Batch(item), wait) {
                Ok(()) => {
                    self.is_permitted = false;
                    if let Some(event_time) = &self.links.event_time {
                        event_time.handed_on(assignment);
                    }
                    self.links.progress.messages.add(rows);
                    self.links.progress.bytes.add(bytes);
                    if let Some(last) = last {
                        self.links
                            .progress
                            .update(&source, |p| p.position = p.position.max(last + 1));
                    }
                }
                Err(SendTimeoutError::Timeout(SourceItem::Batch(item))) => {
                    self.put_back(item, from);
                    self.pause_if_blocked(now)?;
                    return Ok(false);
                }
                // The pipeline has ended on its own, and knows why.
                Err(_) => {
                    self.links.stop.request();
                    return Ok(false);
                }
            }
        }
        self.blocked_since = None;
        if self.paused {
            self.pause(false)?;
        }
        Ok(true)
    }

    /// How long the first batch of the outbox has to wait for its rate; `None` when it may go,
    /// which it is told once, however often the pipeline is full after that.
    fn wait_for_permit(&mut self, messages: usize, bytes: usize) -> Option<Duration> {
        if !self.is_permitted {
            match self.limiter.take(messages, bytes, Instant::now()) {
                Permit::Granted => self.is_permitted = true,
                Permit::After(wait) => return Some(wait),
                Permit::Never => return Some(POLL_MAX),
            }
        }
        None
    }

    fn pause_if_blocked(&mut self, now: Instant) -> Result<(), SourceError> {
        let since = *self.blocked_since.get_or_insert(now);
        if !self.paused && now.duration_since(since) >= PAUSE_AFTER {
            self.pause(true)?;
        }
        Ok(())
    }

    /// Pauses all partitions but those that are through, or resumes them, except for those that
    /// wait for others.
    pub(super) fn pause(&mut self, pause: bool) -> Result<(), SourceError> {
        let open = list(
            self.partitions
                .iter()
                .filter(|p| !p.finished && (pause || !p.parked))
                .map(|p| (&p.source, Offset::Invalid)),
        );
        let done = if pause {
            self.consumer.pause(&open)
        } else {
            self.consumer.resume(&open)
        };
        let what = if pause { "pausing" } else { "resuming" };
        tracing::debug!("{what} {} partitions", open.count());
        self.paused = pause;
        done.map_err(|source| SourceError::Request {
            what: format!("{what} partitions"),
            source,
        })
    }
}

fn worker_of(source: &TopicPartition, workers: usize) -> usize {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    source.hash(&mut hasher);
    usize::try_from(hasher.finish() % workers as u64).expect("less than the number of workers")
}

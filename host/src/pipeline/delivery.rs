//! The sink's thread: writes rows in order, and reports batches once their rows are durable.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::stamping::Stamping;
use super::worker::Retrying;
use super::{PipelineError, SinkItem};
use crate::config::RateLimit;
use crate::kafka::Delivered;
use crate::progress::Progress;
use crate::rate::{Limiter, Permit};
use crate::rows::Rows;
use crate::sink::{Sink, SinkError};
use crate::stop::Stop;

/// How often a sink without new rows may act on time.
const LOOK: Duration = Duration::from_millis(50);

pub(super) struct Delivery {
    sink: Box<dyn Sink>,
    items: Receiver<SinkItem>,
    delivered: Sender<Delivered>,
    progress: Arc<Progress>,
    stop: Stop,
    limiter: Limiter,
    /// New limits for what goes to the sink.
    limits: Receiver<RateLimit>,
    stamping: Option<Stamping>,
    pending: Pending,
}

/// Batches whose rows are written, and not yet known to be durable. No I/O.
#[derive(Debug, Default)]
struct Pending {
    writes: u64,
    /// The number of writes after which a batch is delivered, and how many rows it has.
    batches: VecDeque<(u64, usize, Delivered)>,
}

impl Delivery {
    pub(super) fn new(
        sink: Box<dyn Sink>,
        items: Receiver<SinkItem>,
        delivered: Sender<Delivered>,
        retrying: &Retrying,
        stamping: Option<Stamping>,
        (limit, limits): (&RateLimit, Receiver<RateLimit>),
    ) -> Self {
        Delivery {
            sink,
            items,
            delivered,
            progress: Arc::clone(&retrying.progress),
            stop: retrying.stop.clone(),
            limiter: Limiter::new(limit, Instant::now()),
            limits,
            stamping,
            pending: Pending::default(),
        }
    }

    /// Runs until the workers are gone, and everything they sent is durable.
    pub(super) fn run(mut self) -> Result<(), PipelineError> {
        loop {
            match self.items.recv_timeout(LOOK) {
                Ok(SinkItem::Delivery {
                    delivered,
                    rows,
                    bytes,
                }) => {
                    let count = |rows: &Rows| rows.len() + rows.tombstones();
                    self.wait_for_permit(rows.iter().map(count).sum(), bytes)?;
                    let rows = match &mut self.stamping {
                        Some(stamping) => {
                            let clock = jiff::Timestamp::now().as_millisecond();
                            stamping.stamp(&delivered, rows, Instant::now(), clock)?
                        }
                        None => rows,
                    };
                    for rows in &rows {
                        self.sink.write(rows)?;
                        self.pending.writes += 1;
                    }
                    let count = rows.iter().map(Rows::len).sum();
                    self.pending.push(count, delivered);
                }
                Ok(SinkItem::Flush) => self.sink.flush()?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.sink.flush()?;
                    return Ok(self.report()?);
                }
            }
            self.report()?;
        }
    }

    /// Waits until so much may go on. A pipeline that is asked to stop has no limits any more:
    /// it delivers what is under way.
    fn wait_for_permit(&mut self, rows: usize, bytes: usize) -> Result<(), SinkError> {
        while !self.stop.is_requested() {
            let now = Instant::now();
            let wait = match self.limiter.take(rows, bytes, now) {
                Permit::Granted => return Ok(()),
                Permit::After(wait) => wait.min(LOOK),
                Permit::Never => LOOK,
            };
            match self.limits.recv_timeout(wait) {
                Ok(limit) => self.limiter = Limiter::new(&limit, Instant::now()),
                Err(RecvTimeoutError::Timeout) => {}
                // Nobody is left who could change them.
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(wait),
            }
            self.report()?;
        }
        Ok(())
    }

    fn report(&mut self) -> Result<(), SinkError> {
        let durable = self.sink.durable(Instant::now())?;
        while let Some((rows, delivered)) = self.pending.pop(durable) {
            self.progress.rows.add(rows);
            // Nobody listens when the source has failed: there is nothing to commit then.
            let _ = self.delivered.send(delivered);
        }
        Ok(())
    }
}

impl Pending {
    fn push(&mut self, rows: usize, delivered: Delivered) {
        self.batches.push_back((self.writes, rows, delivered));
    }

    fn pop(&mut self, durable: u64) -> Option<(usize, Delivered)> {
        let (after, ..) = self.batches.front()?;
        if *after > durable {
            return None;
        }
        self.batches
            .pop_front()
            .map(|(_, rows, delivered)| (rows, delivered))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::TopicPartition;

    fn delivered(next: i64) -> Delivered {
        Delivered {
            source: TopicPartition {
                topic: "t".into(),
                partition: 0,
            },
            assignment: 1,
            next,
        }
    }

    #[test]
    fn batches_are_delivered_when_all_their_writes_are_durable() {
        let mut pending = Pending {
            writes: 2,
            batches: VecDeque::new(),
        };
        pending.push(10, delivered(10));
        pending.push(0, delivered(11));
        pending.writes = 3;
        pending.push(5, delivered(16));
        assert_eq!(pending.pop(1), None);
        assert_eq!(pending.pop(2), Some((10, delivered(10))));
        assert_eq!(
            pending.pop(2),
            Some((0, delivered(11))),
            "without rows there is nothing to wait for"
        );
        assert_eq!(pending.pop(2), None);
        assert_eq!(pending.pop(3), Some((5, delivered(16))));
    }
}

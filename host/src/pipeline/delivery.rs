//! The sink's thread: writes rows in order, and reports batches once their rows are durable.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::stamping::{Stamped, Stamping};
use super::worker::Retrying;
use super::{PipelineError, SinkItem};
use crate::config::RateLimit;
use crate::kafka::Delivered;
use crate::progress::Progress;
use crate::rate::{Limiter, Permit};
use crate::rows::Rows;
use crate::sink::aside::SideTopic;
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
    /// Where messages go that are put aside.
    side_topic: Option<SideTopic>,
    /// What the sink was told of it.
    watermark: Option<i64>,
    settled: Option<i64>,
    pending: Pending,
}

/// Batches whose rows are written, and not yet known to be durable. No I/O.
#[derive(Debug, Default)]
struct Pending {
    /// To the sink, and to the side topic.
    writes: Writes,
    /// The number of writes after which a batch is delivered, and how many rows it has.
    batches: VecDeque<(Writes, usize, Delivered)>,
}

/// Writes to the two places that a batch may go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Writes {
    sink: u64,
    side_topic: u64,
}

impl Writes {
    fn are_in(self, durable: Self) -> bool {
        self.sink <= durable.sink && self.side_topic <= durable.side_topic
    }
}

impl Delivery {
    pub(super) fn new(
        sink: Box<dyn Sink>,
        items: Receiver<SinkItem>,
        delivered: Sender<Delivered>,
        retrying: &Retrying,
        (stamping, side_topic): (Option<Stamping>, Option<SideTopic>),
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
            side_topic,
            watermark: None,
            settled: None,
            pending: Pending::default(),
        }
    }

    /// Runs until the workers are gone, and everything they sent is durable.
    pub(super) fn run(mut self) -> Result<(), PipelineError> {
        loop {
            match self.items.recv_timeout(LOOK) {
                Ok(SinkItem::Delivery {
                    mut delivered,
                    rows,
                    bytes,
                    watermark,
                    messages,
                }) => {
                    let count = |rows: &Rows| rows.len() + rows.tombstones();
                    self.wait_for_permit(rows.iter().map(count).sum(), bytes)?;
                    let stamped = match &mut self.stamping {
                        Some(stamping) => {
                            let clock = jiff::Timestamp::now().as_millisecond();
                            stamping.stamp(&delivered, rows, watermark, Instant::now(), clock)?
                        }
                        None => Stamped {
                            rows,
                            ..Stamped::default()
                        },
                    };
                    delivered.watermark = stamped.watermark;
                    for rows in &stamped.rows {
                        self.sink.write(rows)?;
                        self.pending.writes.sink += 1;
                    }
                    if let (Some(side_topic), Some(messages)) = (&mut self.side_topic, &messages)
                        && !stamped.aside.is_empty()
                    {
                        side_topic.write(messages, &stamped.aside)?;
                        self.pending.writes.side_topic += 1;
                    }
                    let count = stamped.rows.iter().map(Rows::len).sum();
                    self.pending.push(count, delivered);
                }
                Ok(SinkItem::Flush) => self.flush()?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.advance()?;
                    self.flush()?;
                    return Ok(self.report()?);
                }
            }
            self.advance()?;
            self.report()?;
        }
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        if let Some(side_topic) = &mut self.side_topic {
            side_topic.flush()?;
        }
        self.sink.flush()
    }

    /// Tells the sink how far event time has come, also while nothing is written: partitions may
    /// be idle since.
    fn advance(&mut self) -> Result<(), SinkError> {
        let watermark = self.stamping.as_ref().and_then(Stamping::watermark);
        if let Some(reached) = watermark
            && watermark > self.watermark
        {
            self.watermark = watermark;
            self.sink.advance(reached)?;
        }
        if !self.sink.settles() {
            return Ok(());
        }
        let settled = self.stamping.as_ref().and_then(Stamping::settled);
        if let Some(reached) = settled
            && settled > self.settled
        {
            self.settled = settled;
            self.sink.settle(reached)?;
        }
        Ok(())
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
        let side_topic = self.side_topic.as_mut().map(SideTopic::durable);
        let durable = Writes {
            sink: self.sink.durable(Instant::now())?,
            side_topic: side_topic.transpose()?.unwrap_or(0),
        };
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

    fn pop(&mut self, durable: Writes) -> Option<(usize, Delivered)> {
        let (after, ..) = self.batches.front()?;
        if !after.are_in(durable) {
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
            watermark: None,
        }
    }

    fn writes(sink: u64, side_topic: u64) -> Writes {
        Writes { sink, side_topic }
    }

    #[test]
    fn batches_are_delivered_when_all_their_writes_are_durable() {
        let mut pending = Pending {
            writes: writes(2, 0),
            batches: VecDeque::new(),
        };
        pending.push(10, delivered(10));
        pending.push(0, delivered(11));
        pending.writes.sink = 3;
        pending.push(5, delivered(16));
        assert_eq!(pending.pop(writes(1, 0)), None);
        assert_eq!(pending.pop(writes(2, 0)), Some((10, delivered(10))));
        assert_eq!(
            pending.pop(writes(2, 0)),
            Some((0, delivered(11))),
            "without rows there is nothing to wait for"
        );
        assert_eq!(pending.pop(writes(2, 0)), None);
        assert_eq!(pending.pop(writes(3, 0)), Some((5, delivered(16))));
    }

    #[test]
    fn what_is_put_aside_is_waited_for_as_well() {
        let mut pending = Pending {
            writes: writes(1, 1),
            batches: VecDeque::new(),
        };
        pending.push(1, delivered(10));
        pending.writes.sink = 2;
        pending.push(1, delivered(20));
        assert_eq!(pending.pop(writes(2, 0)), None);
        assert_eq!(pending.pop(writes(0, 1)), None);
        assert_eq!(pending.pop(writes(2, 1)), Some((1, delivered(10))));
        assert_eq!(pending.pop(writes(2, 1)), Some((1, delivered(20))));
    }
}

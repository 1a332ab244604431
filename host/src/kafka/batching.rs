//! From messages to batches: bounded by rows, bytes and time. No I/O, `now` passed in.

use std::time::{Duration, Instant};

use crate::batch::{BatchBuilder, Capacity, MessageBatch, TimestampType, TopicPartition};

/// When a batch is cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchLimits {
    pub(super) max_rows: usize,
    /// Of keys, values and headers. A larger message is a batch of its own.
    pub(super) max_bytes: usize,
    /// How long a message waits for others.
    pub(super) max_wait: Duration,
}

/// The batch that is filling up for one partition.
#[derive(Debug)]
pub(super) struct Filling {
    source: TopicPartition,
    builder: Option<(BatchBuilder, Instant)>,
    capacity: Capacity,
}

/// What is known of a message before its headers are read.
pub(super) struct MessageParts<'a> {
    pub(super) offset: i64,
    pub(super) timestamp: (i64, TimestampType),
    pub(super) leader_epoch: Option<i32>,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
}

impl Filling {
    pub(super) fn new(source: TopicPartition) -> Self {
        Filling {
            source,
            builder: None,
            capacity: Capacity::default(),
        }
    }

    /// Adds a message. `headers` is called with a function that takes each header.
    /// Batches that are full go to `full`.
    pub(super) fn push(
        &mut self,
        limits: &BatchLimits,
        now: Instant,
        message: &MessageParts<'_>,
        headers: impl FnOnce(&mut dyn FnMut(&[u8], Option<&[u8]>)),
        mut full: impl FnMut(MessageBatch),
    ) {
        let size = message.key.map_or(0, <[u8]>::len) + message.value.map_or(0, <[u8]>::len);
        if let Some((builder, _)) = &self.builder
            && (builder.payload_bytes() + size > limits.max_bytes
                || builder.timestamp_type != message.timestamp.1
                || builder.leader_epoch != message.leader_epoch)
        {
            full(self.cut().expect("there is a batch"));
        }
        let (builder, _) = self.builder.get_or_insert_with(|| {
            let mut builder = BatchBuilder::new(self.source.clone(), self.capacity);
            builder.timestamp_type = message.timestamp.1;
            builder.leader_epoch = message.leader_epoch;
            (builder, now)
        });
        let fits = builder.push(
            message.offset,
            message.timestamp.0,
            message.key,
            message.value,
        );
        assert!(
            fits,
            "Kafka's messages are smaller than 2 GiB, and batches are cut at less"
        );
        headers(&mut |name, value| builder.push_header(name, value));
        if builder.len() >= limits.max_rows || builder.payload_bytes() >= limits.max_bytes {
            full(self.cut().expect("there is a batch"));
        }
    }

    /// Ends the batch as it is; `None` when it is empty.
    pub(super) fn cut(&mut self) -> Option<MessageBatch> {
        let (builder, _) = self.builder.take()?;
        let (batch, capacity) = builder.finish_with_capacity();
        self.capacity = capacity;
        Some(batch)
    }

    /// When the batch has to be cut at the latest; `None` when it is empty.
    pub(super) fn due(&self, limits: &BatchLimits) -> Option<Instant> {
        self.builder
            .as_ref()
            .map(|(_, opened)| *opened + limits.max_wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BatchLimits = BatchLimits {
        max_rows: 3,
        max_bytes: 100,
        max_wait: Duration::from_millis(50),
    };

    fn filling() -> Filling {
        Filling::new(TopicPartition {
            topic: "t".into(),
            partition: 0,
        })
    }

    fn push(filling: &mut Filling, now: Instant, offset: i64, size: usize) -> Vec<usize> {
        let value = vec![0; size];
        let parts = MessageParts {
            offset,
            timestamp: (0, TimestampType::CreateTime),
            leader_epoch: None,
            key: None,
            value: Some(&value),
        };
        let mut cut = Vec::new();
        filling.push(&LIMITS, now, &parts, |_| {}, |batch| cut.push(batch.len()));
        cut
    }

    #[test]
    fn rows_bound_a_batch() {
        let (mut f, now) = (filling(), Instant::now());
        assert!(push(&mut f, now, 0, 1).is_empty());
        assert!(push(&mut f, now, 1, 1).is_empty());
        assert_eq!(push(&mut f, now, 2, 1), [3]);
        assert!(f.cut().is_none());
    }

    #[test]
    fn bytes_bound_a_batch_and_a_large_message_stands_alone() {
        let (mut f, now) = (filling(), Instant::now());
        assert!(push(&mut f, now, 0, 60).is_empty());
        assert_eq!(push(&mut f, now, 1, 60), [1]);
        assert_eq!(push(&mut f, now, 2, 500), [1, 1]);
        assert!(f.cut().is_none());
    }

    #[test]
    fn time_bounds_a_batch_from_its_first_message() {
        let (mut f, now) = (filling(), Instant::now());
        assert_eq!(f.due(&LIMITS), None);
        push(&mut f, now, 0, 1);
        push(&mut f, now + Duration::from_millis(40), 1, 1);
        assert_eq!(f.due(&LIMITS), Some(now + Duration::from_millis(50)));
        assert_eq!(f.cut().expect("two messages").len(), 2);
        assert_eq!(f.due(&LIMITS), None);
    }
}

//! The account of messages that wait for Kafka's acknowledgement.

use std::collections::VecDeque;

use rdkafka::error::KafkaError;

/// Counts, for each write, the messages that are not acknowledged yet.
#[derive(Debug, Default)]
pub(in crate::sink) struct Acks {
    /// Writes that are gone from the front of `open`: the durable ones.
    durable: usize,
    /// Messages still out, for each write from `durable` on.
    open: VecDeque<usize>,
    outstanding: usize,
    failure: Option<KafkaError>,
}

impl Acks {
    /// Opens the account of the next write, before any of its messages is sent. Returns
    /// its number, counted from 0.
    pub(in crate::sink) fn begin(&mut self, messages: usize) -> usize {
        let write = self.durable + self.open.len();
        self.open.push_back(messages);
        self.outstanding += messages;
        self.settle();
        write
    }

    /// One message of a write is safe.
    pub(in crate::sink) fn acknowledged(&mut self, write: usize) {
        let index = write.checked_sub(self.durable);
        if let Some(left) = index.and_then(|index| self.open.get_mut(index))
            && *left > 0
        {
            *left -= 1;
            self.outstanding -= 1;
            self.settle();
        }
    }

    /// A message is lost. Its write never becomes durable; the first reason is kept.
    pub(in crate::sink) fn failed(&mut self, error: KafkaError) {
        self.failure.get_or_insert(error);
    }

    /// Why the first lost message was lost.
    pub(in crate::sink) fn failure(&self) -> Option<KafkaError> {
        self.failure.clone()
    }

    /// Writes, counted from the first, that have all their messages acknowledged.
    pub(in crate::sink) fn durable(&self) -> u64 {
        self.durable as u64
    }

    /// Messages without an acknowledgement, over all writes.
    pub(in crate::sink) fn outstanding(&self) -> usize {
        self.outstanding
    }

    fn settle(&mut self) {
        while self.open.front() == Some(&0) {
            self.open.pop_front();
            self.durable += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::error::RDKafkaErrorCode;

    use super::*;

    #[test]
    fn counts_the_prefix() {
        let mut acks = Acks::default();
        assert_eq!(
            (acks.begin(2), acks.begin(1), acks.begin(0), acks.begin(1)),
            (0, 1, 2, 3)
        );
        acks.acknowledged(1);
        acks.acknowledged(0);
        assert_eq!((acks.durable(), acks.outstanding()), (0, 2));
        acks.acknowledged(0);
        assert_eq!((acks.durable(), acks.outstanding()), (3, 1));
        acks.acknowledged(3);
        assert_eq!((acks.durable(), acks.outstanding()), (4, 0));
        assert_eq!(acks.begin(0), 4);
        assert_eq!(acks.durable(), 5);
    }

    #[test]
    fn a_lost_message_holds_its_write_back() {
        let lost = KafkaError::MessageProduction;
        let mut acks = Acks::default();
        acks.begin(2);
        acks.begin(1);
        acks.acknowledged(0);
        acks.failed(lost(RDKafkaErrorCode::MessageTimedOut));
        acks.failed(lost(RDKafkaErrorCode::PurgeQueue));
        acks.acknowledged(1);
        assert_eq!(acks.durable(), 0);
        assert_eq!(
            acks.failure(),
            Some(lost(RDKafkaErrorCode::MessageTimedOut))
        );
    }

    /// Against the rule itself, in several orders: each step shares no factor with the 17
    /// messages, so that each order has every message once.
    #[test]
    fn any_order_of_acknowledgements() {
        let writes = [3, 0, 1, 5, 0, 0, 2, 4, 1, 1];
        let messages: Vec<usize> = writes
            .iter()
            .enumerate()
            .flat_map(|(write, &n)| vec![write; n])
            .collect();
        assert_eq!(messages.len(), 17);
        for step in 1..17 {
            let mut acks = Acks::default();
            for messages in writes {
                acks.begin(messages);
            }
            let mut left = writes;
            for k in 0..messages.len() {
                let write = messages[k * step % messages.len()];
                acks.acknowledged(write);
                left[write] -= 1;
                let prefix = left.iter().take_while(|&&n| n == 0).count();
                assert_eq!(acks.durable(), prefix as u64, "step {step}");
            }
        }
    }
}

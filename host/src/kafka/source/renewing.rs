//! Going on with new certificates and secrets.

use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::Offset;

use super::lists::list;
use super::reader::Reader;
use super::{SourceError, create};
use crate::kafka::Tokens;
use crate::kafka::native::EventQueue;
use crate::kafka::renewal::{Renewal, set_password};

impl Reader<'_> {
    /// Takes what is new. With a new client, partitions are given up as at a rebalance, so that
    /// the group knows how far they are, and taken again. Returns whether that was so.
    pub(super) fn renew(&mut self, renewal: &Renewal) -> Result<bool, SourceError> {
        let client = match renewal {
            Renewal::Password { client } => {
                if let Err(why) = set_password(self.consumer.client(), client) {
                    tracing::warn!("the source keeps its old password: {why}");
                }
                return Ok(false);
            }
            Renewal::Client(client) => client,
        };
        let consumer = match create(client) {
            Ok(consumer) => consumer,
            Err(error) => {
                tracing::warn!("the source keeps its old client: {error}");
                return Ok(false);
            }
        };
        let sources: Vec<_> = self.partitions.iter().map(|p| p.source.clone()).collect();
        self.revoke(&list(sources.iter().map(|s| (s, Offset::Invalid))))?;
        self.tokens = Tokens::for_consumer(client, &consumer);
        self.queue = EventQueue::of(&consumer);
        // The old one leaves the group here, unless it is a static member.
        self.consumer = consumer;
        self.paused = false;
        self.turned_away = false;
        self.blocked_since = None;
        self.is_permitted = false;
        self.subscribe()?;
        Ok(true)
    }
}

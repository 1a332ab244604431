//! Going on with new certificates and secrets.

use std::sync::PoisonError;

use rdkafka::producer::Producer;

use super::acks::Acks;
use super::{Context, KafkaSink};
use crate::kafka::{NativeProducer, Renewal, client_config, set_password};
use crate::sink::{Sink, SinkError};

impl KafkaSink {
    pub(super) fn take(&mut self, renewal: &Renewal) -> Result<(), SinkError> {
        let client = match renewal {
            Renewal::Password { client } => {
                if let Err(why) = set_password(self.producer.get().client(), client) {
                    tracing::warn!("the sink keeps its old password: {why}");
                }
                return Ok(());
            }
            Renewal::Client(client) => client,
        };
        let context = Context {
            statistics: self.producer.get().context().statistics.clone(),
            ..Context::default()
        };
        let producer = match client_config(client).create_with_context(context) {
            Ok(producer) => NativeProducer::new(producer),
            Err(error) => {
                tracing::warn!("the sink keeps its old client: {error}");
                return Ok(());
            }
        };
        // All that the old one has taken is acknowledged before the new one gets anything.
        self.flush()?;
        let old = std::mem::replace(&mut self.producer, producer);
        let account = |producer: &NativeProducer<Context>, acks: Acks| {
            let context = producer.get().context();
            let mut kept = context.acks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *kept, acks)
        };
        let acks = account(&old, Acks::default());
        account(&self.producer, acks);
        std::sync::Arc::make_mut(&mut self.config).client = client.clone();
        Ok(())
    }
}

//! Going on with new certificates and secrets.

use rdkafka::producer::Producer;

use super::account::{left, replace, send_again};
use super::{Context, KafkaSink};
use crate::kafka::{NativeProducer, Renewal, client_config, set_password};
use crate::sink::SinkError;

impl KafkaSink {
    /// Takes what is new, also in the middle of a write that waits for brokers.
    pub(super) fn take_renewals(&mut self) -> Result<(), SinkError> {
        while let Ok(renewal) = self.renewals.try_recv() {
            self.take(&renewal)?;
        }
        Ok(())
    }

    fn take(&mut self, renewal: &Renewal) -> Result<(), SinkError> {
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
            Ok(producer) => NativeProducer::new(producer, client),
            Err(error) => {
                tracing::warn!("the sink keeps its old client: {error}");
                return Ok(());
            }
        };
        // All that the old one has taken is acknowledged or taken back before the new one gets
        // anything.
        let left = left(&self.producer);
        let left =
            left.map_err(|error| self.failed("delivering what the old client has", error))?;
        replace(&mut self.producer, producer);
        std::sync::Arc::make_mut(&mut self.config).client = client.clone();
        if !left.is_empty() {
            tracing::warn!(
                "brokers turn the sink's old client away: the new one sends its last {} messages",
                left.len()
            );
        }
        send_again(&mut self.producer, &left)
            .map_err(|error| self.failed("sending again what the old client had", error))
    }
}

//! Going on with new certificates and secrets.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{Producer, PurgeConfig};

use super::acks::Acks;
use super::{Context, KafkaSink, PAUSE};
use crate::kafka::{NativeProducer, Renewal, TakenBack, client_config, set_password};
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
        let left = self.left()?;
        let old = std::mem::replace(&mut self.producer, producer);
        let account = |producer: &NativeProducer<Context>, acks: Acks| {
            let context = producer.get().context();
            let mut kept = context.acks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *kept, acks)
        };
        let acks = account(&old, Acks::default());
        account(&self.producer, acks);
        std::sync::Arc::make_mut(&mut self.config).client = client.clone();
        if !left.is_empty() {
            tracing::warn!(
                "brokers turn the sink's old client away: the new one sends its last {} messages",
                left.len()
            );
        }
        for message in &left {
            self.send_again(message)?;
        }
        Ok(())
    }

    /// Waits for what the old client has under way. If brokers turn it away, that would be for
    /// ever: then what is left is taken back, in order. What was on its way may be there already,
    /// and then comes twice.
    fn left(&mut self) -> Result<Vec<TakenBack>, SinkError> {
        // What librdkafka has: a write may have more that it has not got yet.
        while self.producer.get().in_flight_count() > 0 {
            self.producer.get().poll(PAUSE);
            if let Some(source) = self.acks(Acks::failure) {
                return Err(self.failed("delivering what the old client has", source));
            }
            let context = self.producer.get().context();
            if context.turned_away.load(Ordering::Relaxed) {
                return self.take_back();
            }
        }
        Ok(Vec::new())
    }

    fn take_back(&mut self) -> Result<Vec<TakenBack>, SinkError> {
        let producer = self.producer.get();
        let with_taken = |change: &mut dyn FnMut(&mut Option<Vec<TakenBack>>)| {
            let taken = &producer.context().taken_back;
            change(&mut taken.lock().unwrap_or_else(PoisonError::into_inner));
        };
        with_taken(&mut |taken| *taken = Some(Vec::new()));
        producer.purge(PurgeConfig::default().queue().inflight());
        while producer.in_flight_count() > 0 {
            producer.poll(PAUSE);
        }
        if let Some(source) = self.acks(Acks::failure) {
            return Err(self.failed("taking back what the old client has", source));
        }
        let mut left = Vec::new();
        with_taken(&mut |taken| left = taken.take().unwrap_or_default());
        // By write; of one write, what was on its way comes before what was waiting.
        left.sort_by_key(|message| (message.opaque, message.was_waiting));
        Ok(left)
    }

    fn send_again(&mut self, message: &TakenBack) -> Result<(), SinkError> {
        while let Err(error) = self.producer.send_again(message) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(self.failed("sending again what the old client had", error));
            }
            self.producer.get().poll(PAUSE);
            self.check()?;
        }
        Ok(())
    }
}

//! What a producer has under way, and how another client takes that over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, Producer, ProducerContext, PurgeConfig};

use super::acks::Acks;
use crate::kafka::{NativeProducer, TakenBack, is_refused_handshake};

/// How long to wait for librdkafka before looking again.
const PAUSE: Duration = Duration::from_millis(1);

/// Kept by a producer's context. Only the sink's own thread polls, so that no lock is ever waited
/// for.
#[derive(Default)]
pub(in crate::sink) struct Account {
    acks: Mutex<Acks>,
    /// Whether brokers have turned the client away since the last acknowledgement.
    pub(super) turned_away: AtomicBool,
    /// What is taken back from librdkafka, while that is under way.
    taken_back: Mutex<Option<Vec<TakenBack>>>,
}

/// A context that has one.
pub(in crate::sink) trait Accounts:
    ProducerContext<DeliveryOpaque = usize> + 'static
{
    fn account(&self) -> &Account;
}

impl Account {
    pub(in crate::sink) fn acks(&self) -> MutexGuard<'_, Acks> {
        self.acks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error of the client. Returns whether brokers turn it away, however often it tries.
    pub(in crate::sink) fn error(&self, code: Option<RDKafkaErrorCode>, reason: &str) -> bool {
        let is_turned_away = code.is_some_and(|code| {
            code == RDKafkaErrorCode::Authentication || is_refused_handshake(code, reason)
        });
        if is_turned_away {
            self.turned_away.store(true, Ordering::Relaxed);
        }
        is_turned_away
    }

    /// What became of a message.
    pub(in crate::sink) fn delivery(&self, result: &DeliveryResult<'_>, write: usize) {
        match result {
            Ok(_) => {
                self.turned_away.store(false, Ordering::Relaxed);
                self.acks().acknowledged(write);
            }
            Err((error, message)) => {
                let mut taken_back = self.taken_back();
                let kept = taken_back.as_mut().and_then(|all| {
                    all.push(TakenBack::of(error, message, write)?);
                    Some(())
                });
                if kept.is_none() {
                    self.acks().failed(error.clone());
                }
            }
        }
    }

    fn taken_back(&self) -> MutexGuard<'_, Option<Vec<TakenBack>>> {
        self.taken_back
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for what an old client has under way. If brokers turn it away, that would be for ever:
/// then what is left is taken back, in order, to be sent by the new one. What was on its way may be
/// there already, and then comes twice.
///
/// # Errors
/// Why a message was lost.
pub(in crate::sink) fn left<C: Accounts>(
    old: &NativeProducer<C>,
) -> Result<Vec<TakenBack>, KafkaError> {
    let (producer, account) = (old.get(), old.get().context().account());
    // What librdkafka has: a write may have more that it has not got yet.
    while producer.in_flight_count() > 0 {
        producer.poll(PAUSE);
        if let Some(failure) = account.acks().failure() {
            return Err(failure);
        }
        if account.turned_away.load(Ordering::Relaxed) {
            return take_back(old);
        }
    }
    Ok(Vec::new())
}

fn take_back<C: Accounts>(old: &NativeProducer<C>) -> Result<Vec<TakenBack>, KafkaError> {
    let (producer, account) = (old.get(), old.get().context().account());
    *account.taken_back() = Some(Vec::new());
    producer.purge(PurgeConfig::default().queue().inflight());
    while producer.in_flight_count() > 0 {
        producer.poll(PAUSE);
    }
    if let Some(failure) = account.acks().failure() {
        return Err(failure);
    }
    let mut left = account.taken_back().take().unwrap_or_default();
    // By write; of one write, what was on its way comes before what was waiting.
    left.sort_by_key(|message| (message.opaque, message.was_waiting));
    Ok(left)
}

/// Puts the new client in the place of the old one, whose account goes on.
pub(in crate::sink) fn replace<C: Accounts>(
    producer: &mut NativeProducer<C>,
    new: NativeProducer<C>,
) {
    let old = std::mem::replace(producer, new);
    let acks = std::mem::take(&mut *old.get().context().account().acks());
    *producer.get().context().account().acks() = acks;
}

/// Sends what was left. Returns when librdkafka has taken it.
///
/// # Errors
/// librdkafka's, and why a message was lost meanwhile.
pub(in crate::sink) fn send_again<C: Accounts>(
    producer: &mut NativeProducer<C>,
    left: &[TakenBack],
) -> Result<(), KafkaError> {
    for message in left {
        while let Err(error) = producer.send_again(message) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(error);
            }
            producer.get().poll(PAUSE);
            if let Some(failure) = producer.get().context().account().acks().failure() {
                return Err(failure);
            }
        }
    }
    Ok(())
}

//! Tokens of MSK for clients that run: signed here, and given to librdkafka ahead of time, also
//! while nothing flows.
//!
//! rdkafka's own callback for tokens is of no use: it comes only when somebody polls, and where it
//! is set it is asked in place of librdkafka's own OIDC.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};

use super::native::credentials::{refuse_token, set_token};
use crate::aws::{Chain, CredentialsError, SignedToken, msk_token};
use crate::config::ClientProperties;

/// A token is renewed when this part of its life is over, as librdkafka does.
const RENEW_AFTER: f64 = 0.8;
/// How long to wait before asking again for credentials that were not to be had. It doubles.
const AGAIN: Duration = Duration::from_secs(1);
/// How far that doubling goes.
const AGAIN_MAX: Duration = Duration::from_secs(60);
/// How often credentials are asked for before there is any token.
const FIRST_TRIES: u32 = 3;

/// Keeps a client in tokens until dropped; nothing for a client that needs none.
///
/// The client lives until this is dropped too.
pub(crate) struct Tokens(Option<(Arc<Held>, Sender<()>)>);

/// The client, until nobody wants it to have tokens any more. Used for moments only, so that
/// whoever drops the client destroys it, and not the thread.
type Held = Mutex<Option<Arc<dyn TakesTokens>>>;

trait TakesTokens: Send + Sync {
    fn take(&self, token: Result<&SignedToken, &str>) -> Result<(), String>;
}

impl<C: ConsumerContext + 'static> TakesTokens for BaseConsumer<C> {
    fn take(&self, token: Result<&SignedToken, &str>) -> Result<(), String> {
        hand_over(self.client(), token)
    }
}

impl<C: ProducerContext + 'static> TakesTokens for BaseProducer<C> {
    fn take(&self, token: Result<&SignedToken, &str>) -> Result<(), String> {
        hand_over(self.client(), token)
    }
}

fn hand_over<C: ClientContext>(
    client: &Client<C>,
    token: Result<&SignedToken, &str>,
) -> Result<(), String> {
    match token {
        Ok(token) => set_token(client, &token.text, token.expires),
        Err(why) => refuse_token(client, why),
    }
}

impl Tokens {
    /// For a consumer.
    pub(crate) fn for_consumer<C: ConsumerContext + 'static>(
        properties: &ClientProperties,
        consumer: &Arc<BaseConsumer<C>>,
    ) -> Self {
        let consumer: Arc<BaseConsumer<C>> = Arc::clone(consumer);
        Self::keep(properties, consumer)
    }

    /// For a producer.
    pub(crate) fn for_producer<C: ProducerContext + 'static>(
        properties: &ClientProperties,
        producer: &Arc<BaseProducer<C>>,
    ) -> Self {
        let producer: Arc<BaseProducer<C>> = Arc::clone(producer);
        Self::keep(properties, producer)
    }

    fn keep(properties: &ClientProperties, client: Arc<dyn TakesTokens>) -> Self {
        let Some(region) = properties.get("sasl.aws.region") else {
            return Self(None);
        };
        let profile = properties.get("sasl.aws.profile").map(str::to_owned);
        let held: Arc<Held> = Arc::new(Mutex::new(Some(client)));
        let keeper = Keeper {
            chain: Chain::new(profile, region.to_owned()),
            region: region.to_owned(),
            held: Arc::clone(&held),
        };
        let (stop, stopped) = bounded(0);
        std::thread::Builder::new()
            .name("weir-tokens".to_owned())
            .spawn(move || keeper.run(&stopped))
            .expect("the system can start a thread");
        Self(Some((held, stop)))
    }
}

impl Drop for Tokens {
    fn drop(&mut self) {
        if let Some((held, _stop)) = &self.0 {
            let client = held.lock().unwrap_or_else(PoisonError::into_inner).take();
            drop(client);
        }
    }
}

struct Keeper {
    chain: Chain,
    region: String,
    held: Arc<Held>,
}

impl Keeper {
    fn run(self, stopped: &Receiver<()>) {
        let mut schedule = Schedule::default();
        loop {
            let now = SystemTime::now();
            let signed = self.sign(now);
            let (wait, said) = schedule.next(now, signed.as_ref().map(|token| token.expires));
            match (&signed, said) {
                (Ok(token), _) => self.hand_over(Ok(token)),
                (Err(error), Said::Over) => self.hand_over(Err(&error.to_string())),
                (Err(error), Said::First) => {
                    tracing::warn!("no new token for MSK: {error}; still trying");
                }
                (Err(_), Said::Nothing) => {}
            }
            if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    fn sign(&self, now: SystemTime) -> Result<SignedToken, CredentialsError> {
        let credentials = self.chain.credentials(&|name| std::env::var(name).ok())?;
        if credentials.expires.is_some_and(|ends| ends <= now) {
            return Err(CredentialsError::Unavailable(format!(
                "the AWS credentials of access key {} have expired",
                credentials.access_key_id
            )));
        }
        msk_token(&self.region, &credentials, now).map_err(CredentialsError::Missing)
    }

    fn hand_over(&self, token: Result<&SignedToken, &str>) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(client) = held.as_ref() else { return };
        if let Err(why) = client.take(token) {
            tracing::warn!("librdkafka does not take a token: {why}");
        }
    }
}

/// When the next token is due, and what to make of there being none.
#[derive(Debug, Default)]
struct Schedule {
    /// The end of the last token.
    good_until: Option<SystemTime>,
    /// In a row.
    failures: u32,
}

/// What is told of there being no new token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    /// A warning: there is time left.
    First,
    /// The client cannot go on.
    Over,
}

impl Schedule {
    fn next(
        &mut self,
        now: SystemTime,
        signed: Result<SystemTime, &CredentialsError>,
    ) -> (Duration, Said) {
        let error = match signed {
            Ok(expires) => {
                (self.good_until, self.failures) = (Some(expires), 0);
                let life = expires.duration_since(now).unwrap_or_default();
                return (life.mul_f64(RENEW_AFTER).max(AGAIN), Said::Nothing);
            }
            Err(error) => error,
        };
        self.failures += 1;
        let is_over = match self.good_until {
            Some(until) => now >= until,
            None => matches!(error, CredentialsError::Missing(_)) || self.failures >= FIRST_TRIES,
        };
        let said = match (is_over, self.failures) {
            (true, _) => Said::Over,
            (false, 1) => Said::First,
            (false, _) => Said::Nothing,
        };
        let doublings = self.failures.saturating_sub(1).min(10);
        (AGAIN.saturating_mul(1 << doublings).min(AGAIN_MAX), said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_token_is_renewed_at_four_fifths_of_its_life() {
        let mut schedule = Schedule::default();
        assert_eq!(
            schedule.next(at(0), Ok(at(900))),
            (Duration::from_secs(720), Said::Nothing)
        );
        // What has hardly any life left is no reason to ask without a pause.
        assert_eq!(schedule.next(at(0), Ok(at(0))), (AGAIN, Said::Nothing));
    }

    #[test]
    fn credentials_that_are_away_for_a_while_end_nothing() {
        let away = CredentialsError::Unavailable("away".to_owned());
        let mut schedule = Schedule::default();
        let mut now = 720;
        schedule.next(at(0), Ok(at(900)));
        let mut said = Vec::new();
        while now < 900 {
            let (wait, what) = schedule.next(at(now), Err(&away));
            said.push(what);
            assert!(wait <= AGAIN_MAX);
            now += wait.as_secs();
        }
        assert_eq!(said[0], Said::First);
        assert!(
            said[1..].iter().all(|what| *what == Said::Nothing),
            "{said:?}"
        );
        assert!(said.len() < 10, "{said:?}");
        assert_eq!(schedule.next(at(now), Err(&away)).1, Said::Over);
        assert_eq!(schedule.next(at(now), Ok(at(now + 900))).1, Said::Nothing);
        assert_eq!(schedule.next(at(now), Err(&away)), (AGAIN, Said::First));
    }

    #[test]
    fn without_a_first_token_there_is_an_error_soon() {
        let away = CredentialsError::Unavailable("away".to_owned());
        let mut schedule = Schedule::default();
        let said: Vec<_> = (0..3).map(|_| schedule.next(at(0), Err(&away)).1).collect();
        assert_eq!(said, [Said::First, Said::Nothing, Said::Over]);

        let missing = CredentialsError::Missing("nowhere".to_owned());
        let mut schedule = Schedule::default();
        assert_eq!(schedule.next(at(0), Err(&missing)).1, Said::Over);
    }
}

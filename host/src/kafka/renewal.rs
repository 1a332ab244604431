//! New certificates and secrets for clients that run (librdkafka itself has this for
//! passwords only: librdkafka#2868).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::native::credentials;
use super::reach::{Unreached, attempt};
use super::{Tokens, client_config, log_line, without_places};
use crate::config::ClientProperties;

/// How a running client comes to what is new.
#[derive(Clone, Debug)]
pub enum Renewal {
    /// By being told.
    Password {
        /// `sasl.username` and `sasl.password` among them.
        client: ClientProperties,
    },
    /// By another client in its place.
    Client(ClientProperties),
}

impl Renewal {
    /// What these changed properties ask for.
    #[must_use]
    pub fn of(changed: &[String], client: ClientProperties) -> Self {
        let is_password =
            |name: &String| matches!(name.as_str(), "sasl.username" | "sasl.password");
        if changed.iter().all(is_password) {
            Self::Password { client }
        } else {
            Self::Client(client)
        }
    }
}

/// Tells a client its new password.
pub(crate) fn set_password<C: ClientContext>(
    client: &Client<C>,
    properties: &ClientProperties,
) -> Result<(), String> {
    let username = properties.get("sasl.username").unwrap_or_default();
    let password = properties.get("sasl.password").unwrap_or_default();
    credentials::set_credentials(client, username, password)
}

/// Whether brokers let in whoever has these properties: by connecting once, beside the clients
/// that run.
///
/// # Errors
/// Why not: what librdkafka says of the files, or brokers of who comes with them.
pub fn try_connection(client: &ClientProperties, deadline: Instant) -> Result<(), String> {
    let mut connection = client.clone();
    connection.keep_connection();
    let consumer: BaseConsumer<Heard> = client_config(&connection)
        .create_with_context(Heard::default())
        .map_err(|error| without_places(&error.to_string()))?;
    let consumer = Arc::new(consumer);
    let _tokens = Tokens::for_consumer(&connection, &consumer);
    while let Some(timeout) = attempt(deadline) {
        if consumer.fetch_metadata(None, timeout).is_ok() {
            return Ok(());
        }
        // One event each; errors are told to the context.
        for _ in 0..10 {
            drop(consumer.poll(Duration::ZERO));
        }
        let trouble = consumer.context().trouble();
        if let Some(trouble) = trouble.filter(Unreached::is_final) {
            return Err(super::explained(&connection, &trouble.text));
        }
    }
    let trouble = consumer.context().trouble();
    let trouble = trouble.unwrap_or_else(Unreached::timed_out);
    Err(without_places(&trouble.text))
}

/// Remembers what is wrong.
#[derive(Default)]
struct Heard(Mutex<Option<Unreached>>);

impl Heard {
    fn trouble(&self) -> Option<Unreached> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ClientContext for Heard {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line((level as i32).max(6), facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let says_more = code != Code::AllBrokersDown || heard.is_none();
        if says_more && !heard.as_ref().is_some_and(Unreached::is_final) {
            let text = reason.to_owned();
            *heard = Some(Unreached { code, text });
        }
    }
}

impl ConsumerContext for Heard {}

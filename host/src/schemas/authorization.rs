//! On whose behalf a registry is asked.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ureq::http::{Request, header};

use super::answer::{Answer, Asking, beginning, is_temporary};
use super::connection::Connection;
use super::{SchemaError, SourceError};
use crate::config::{OauthConfig, RegistryAuth, RegistryConfig};

/// A token is renewed when this part of its life is over, as librdkafka does.
const RENEW_AFTER: f64 = 0.8;
/// After a renewal in vain, while the former token still holds.
const RENEW_AGAIN: Duration = Duration::from_secs(5);

/// How requests prove who asks.
pub(super) enum Authorization {
    /// Not at all.
    None,
    /// By the value of the header, which does not change.
    Fixed {
        header: String,
        advice: &'static str,
    },
    /// By tokens that are renewed.
    Tokens(Box<Tokens>),
}

/// OAuth 2.0 client credentials (RFC 6749, section 4.4).
pub(super) struct Tokens {
    config: OauthConfig,
    connection: Connection,
    /// Held while a token is fetched, so that there is one request for one token.
    token: Mutex<Option<Token>>,
}

/// A token, and for how long it is good.
#[derive(Clone, Debug)]
struct Token {
    header: String,
    /// `None` when the endpoint does not say: until it is refused.
    life: Option<Life>,
}

#[derive(Clone, Copy, Debug)]
struct Life {
    renew_at: Instant,
    ends_at: Instant,
}

impl Authorization {
    pub(super) fn open(config: &RegistryConfig) -> Result<Self, SourceError> {
        Ok(match &config.auth {
            RegistryAuth::None => Self::None,
            RegistryAuth::Basic(info) => Self::Fixed {
                header: format!("Basic {}", STANDARD.encode(info.reveal())),
                advice: "check `schema.registry.basic.auth.user.info`",
            },
            RegistryAuth::Bearer(token) => Self::Fixed {
                header: format!("Bearer {}", token.reveal()),
                advice: "check `schema.registry.bearer.auth.token`",
            },
            RegistryAuth::Oauth(oauth) => Self::Tokens(Box::new(Tokens {
                config: (**oauth).clone(),
                connection: Connection::open(&oauth.tls, config.proxy.as_ref())?,
                token: Mutex::new(None),
            })),
        })
    }

    /// The value of the `Authorization` header. A token may have to be fetched first.
    ///
    /// # Errors
    /// There is no token to be had.
    pub(super) fn credentials(&self, timeout: Duration) -> Result<Option<String>, SchemaError> {
        match self {
            Self::None => Ok(None),
            Self::Fixed { header, .. } => Ok(Some(header.clone())),
            Self::Tokens(tokens) => tokens.header(timeout).map(Some),
        }
    }

    /// After a refusal: whether others can be had, and should be tried.
    pub(super) fn renew(&self, refused: Option<&str>) -> bool {
        let Self::Tokens(tokens) = self else {
            return false;
        };
        let mut token = tokens.token.lock().unwrap_or_else(PoisonError::into_inner);
        token.take_if(|token| Some(token.header.as_str()) == refused);
        true
    }

    /// What to do when access is refused.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::None => {
                "set `schema.registry.basic.auth.user.info`, or one of \
                 `schema.registry.bearer.auth.…`"
            }
            Self::Fixed { advice, .. } => advice,
            Self::Tokens(_) => {
                "the token is not accepted: check `schema.registry.bearer.auth.client.id`, \
                 `.scope`, `.logical.cluster` and `.identity.pool.id`"
            }
        }
    }
}

impl Tokens {
    fn header(&self, timeout: Duration) -> Result<String, SchemaError> {
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(token) = token.as_ref().filter(|token| token.is_fresh(now)) {
            return Ok(token.header.clone());
        }
        match self.fetch(timeout) {
            Ok(fetched) => Ok(token.insert(fetched).header.clone()),
            Err(error) => match token.as_mut().filter(|token| token.is_good(now)) {
                Some(token) => {
                    tracing::warn!("{error}: the former token is good for a while yet");
                    token.put_off(now);
                    Ok(token.header.clone())
                }
                None => Err(error),
            },
        }
    }

    fn fetch(&self, timeout: Duration) -> Result<Token, SchemaError> {
        let config = &self.config;
        let url = config.endpoint.as_str();
        // Each is form-encoded before it is joined (RFC 6749, section 2.3.1).
        let id = form_encoded(&config.client_id);
        let secret = form_encoded(config.client_secret.reveal());
        let mut form = "grant_type=client_credentials".to_owned();
        if let Some(scope) = &config.scope {
            form.push_str("&scope=");
            form.push_str(&form_encoded(scope));
        }
        let request = Request::post(url)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(
                header::AUTHORIZATION,
                format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))),
            );
        let asking = Asking {
            url,
            timeout,
            key: "schema.registry.request.timeout.ms",
        };
        let answer = asking.send(&self.connection.agent(), request.body(form))?;
        read_token(url, &answer, Instant::now())
    }
}

fn read_token(url: &str, answer: &Answer, now: Instant) -> Result<Token, SchemaError> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status != 200 {
        let said = match (&body["error"], &body["error_description"]) {
            (Value::String(error), Value::String(why)) => {
                beginning(format!("{error}: {why}").as_bytes())
            }
            (Value::String(error), _) => beginning(error.as_bytes()),
            _ => beginning(&answer.body),
        };
        let status = answer.status;
        return Err(if is_temporary(status) {
            SchemaError::Unavailable(format!("{url} answered {status}: {said}"))
        } else {
            SchemaError::Refused(format!(
                "{url} gives no token and answered {status}: check \
                 `schema.registry.bearer.auth.issuer.endpoint.url`, `.client.id`, \
                 `.client.secret` and `.scope`: {said}"
            ))
        });
    }
    let printable = |token: &&str| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
    let Some(token) = body["access_token"].as_str().filter(printable) else {
        // What it is may be half a secret.
        return Err(SchemaError::Refused(format!(
            "{url} answered without an `access_token`: check \
             `schema.registry.bearer.auth.issuer.endpoint.url`"
        )));
    };
    // A number by RFC 6749, section 5.1, and a text for some.
    let seconds = match &body["expires_in"] {
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    };
    let life = seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .and_then(|life| Life::new(life, now));
    Ok(Token {
        header: format!("Bearer {token}"),
        life,
    })
}

impl Life {
    /// `None` for one that outlives the clock.
    fn new(life: Duration, now: Instant) -> Option<Self> {
        Some(Self {
            renew_at: now.checked_add(life.mul_f64(RENEW_AFTER))?,
            ends_at: now.checked_add(life)?,
        })
    }
}

impl Token {
    fn is_fresh(&self, now: Instant) -> bool {
        self.life.is_none_or(|life| now < life.renew_at)
    }

    fn is_good(&self, now: Instant) -> bool {
        self.life.is_none_or(|life| now < life.ends_at)
    }

    fn put_off(&mut self, now: Instant) {
        if let Some(life) = &mut self.life {
            life.renew_at = (now + RENEW_AGAIN).min(life.ends_at);
        }
    }
}

/// As in `application/x-www-form-urlencoded`, with a blank as `%20`, which all read.
fn form_encoded(text: &str) -> String {
    super::http::encode_segment(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(body: &str, now: Instant) -> Result<Token, SchemaError> {
        read_token("URL", &Answer::of(200, body), now)
    }

    #[test]
    fn a_token_is_renewed_ahead_of_its_end() {
        let t0 = Instant::now();
        for expires in ["100", "\"100\"", "100.0"] {
            let body = format!(r#"{{"access_token":"t","expires_in":{expires}}}"#);
            let mut token = token(&body, t0).unwrap();
            assert_eq!(token.header, "Bearer t");
            let at = |seconds| t0 + Duration::from_secs(seconds);
            assert!(token.is_fresh(at(79)) && !token.is_fresh(at(81)));
            assert!(token.is_good(at(99)) && !token.is_good(at(101)));
            token.put_off(at(81));
            assert!(token.is_fresh(at(85)) && !token.is_fresh(at(87)));
        }
    }

    #[test]
    fn a_token_without_an_end_lasts_until_it_is_refused() {
        let t0 = Instant::now();
        for expires in ["null", "1e300", "-1", "\"soon\""] {
            let body = format!(r#"{{"access_token":"t","expires_in":{expires}}}"#);
            assert!(
                token(&body, t0)
                    .unwrap()
                    .is_fresh(t0 + Duration::from_secs(9_999))
            );
        }
    }

    #[test]
    fn what_is_no_token_is_refused_without_showing_it() {
        let t0 = Instant::now();
        for body in [
            "<html>hunter2</html>",
            "{}",
            r#"{"access_token":""}"#,
            r#"{"access_token":"hun\nter2"}"#,
            r#"{"access_token":7}"#,
        ] {
            let error = token(body, t0).unwrap_err();
            assert!(matches!(error, SchemaError::Refused(_)), "{error}");
            assert!(!error.to_string().contains("hun"), "{error}");
        }
    }

    #[test]
    fn the_endpoints_own_words_are_shown() {
        let answer = Answer::of(
            401,
            r#"{"error":"invalid_client","error_description":"Bad secret"}"#,
        );
        let error = read_token("URL", &answer, Instant::now()).unwrap_err();
        assert!(matches!(error, SchemaError::Refused(_)));
        assert!(
            error.to_string().ends_with("invalid_client: Bad secret"),
            "{error}"
        );
        let answer = Answer::of(503, "<h1>Later</h1>");
        let error = read_token("URL", &answer, Instant::now()).unwrap_err();
        let expected = "URL answered 503: <h1>Later</h1>".to_owned();
        assert_eq!(error, SchemaError::Unavailable(expected));
    }
}

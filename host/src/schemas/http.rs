//! One request to a schema registry, and what its answer means.

use std::io::ErrorKind;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::http::{Response, header};

use super::SchemaError;
use crate::config::RegistryConfig;

/// The largest answer that is read, in bytes.
const MAX_ANSWER_BYTES: u64 = 8 << 20;
/// How much of an unusable answer an error shows, in characters.
const SHOWN: usize = 100;
const ACCEPT: &str = "application/vnd.schemaregistry.v1+json, application/json";

/// A registry's address and how to ask it.
pub(super) struct Client {
    agent: Agent,
    /// Without a slash at its end.
    base: String,
    authorization: Option<String>,
    timeout: Duration,
}

impl Client {
    pub(super) fn new(config: &RegistryConfig) -> Self {
        // No proxy from the environment: a pipeline file says all there is to say.
        // No redirects: credentials go to the configured address and nowhere else.
        let agent = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let user_info = config.user_info.as_ref();
        Self {
            agent,
            base: config.url.trim_end_matches('/').to_owned(),
            authorization: user_info
                .map(|info| format!("Basic {}", STANDARD.encode(info.reveal()))),
            timeout: config.request_timeout,
        }
    }

    /// How long one request may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Asks for a path, which begins with a slash. `timeout` bounds the whole request.
    ///
    /// # Errors
    /// Not found where the registry itself says so; unavailable where asking again can
    /// help; refused where it cannot.
    pub(super) fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        timeout: Duration,
    ) -> Result<T, SchemaError> {
        let url = format!("{}{path}", self.base);
        let mut request = self
            .agent
            .get(&url)
            .header(header::ACCEPT, ACCEPT)
            .config()
            .timeout_global(Some(timeout))
            .build();
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let failed = |error: ureq::Error| transport_error(&url, timeout, error);
        let mut response = request.call().map_err(failed)?;
        let body = response
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER_BYTES)
            .read_to_vec();
        let status = response.status().as_u16();
        // What a proxy says beside its 502 is of no interest when it cannot be read.
        let body = match body {
            Ok(body) => body,
            Err(_) if is_temporary(status) => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        if status != 200 {
            return Err(status_error(&url, status, &response, &body));
        }
        serde_json::from_slice(&body).map_err(|error| {
            SchemaError::Refused(format!(
                "{url} answered with something that is not a schema ({error}): {}",
                shown(&body)
            ))
        })
    }
}

/// A name as one segment of a URL's path (RFC 3986, section 3.3).
pub(super) fn encode_segment(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// What a registry says beside a status that is not 200.
#[derive(Deserialize)]
struct Complaint {
    error_code: Option<u32>,
    message: Option<String>,
}

fn is_temporary(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..)
}

fn status_error<T>(url: &str, status: u16, response: &Response<T>, body: &[u8]) -> SchemaError {
    let complaint: Option<Complaint> = serde_json::from_slice(body).ok();
    let code = complaint
        .as_ref()
        .and_then(|complaint| complaint.error_code);
    let said = match complaint.and_then(|complaint| complaint.message) {
        Some(message) => shown(message.as_bytes()),
        None => shown(body),
    };
    match (status, code) {
        // Subject, version, schema not found, in Confluent's numbers.
        (404, Some(40_401..=40_403)) => SchemaError::NotFound(format!("{url}: {said}")),
        (404, _) => SchemaError::Refused(format!(
            "{url} answered 404 as no schema registry does (check `schema.registry.url`): {said}"
        )),
        (401 | 403, _) => SchemaError::Refused(format!(
            "{url} answered {status}: check `schema.registry.basic.auth.user.info`: {said}"
        )),
        (300..=399, _) => {
            let location = response.headers().get(header::LOCATION);
            let target = location.and_then(|value| value.to_str().ok());
            SchemaError::Refused(format!(
                "{url} redirects to {}: set `schema.registry.url` to the registry itself",
                target.unwrap_or("another address")
            ))
        }
        _ if is_temporary(status) => {
            SchemaError::Unavailable(format!("{url} answered {status}: {said}"))
        }
        _ => SchemaError::Refused(format!("{url} answered {status}: {said}")),
    }
}

fn transport_error(url: &str, timeout: Duration, error: ureq::Error) -> SchemaError {
    use ureq::Error;
    match error {
        Error::BodyExceedsLimit(limit) => {
            SchemaError::Refused(format!("{url} answered with more than {limit} bytes"))
        }
        Error::Timeout(_) => SchemaError::Unavailable(format!(
            "{url} did not answer within {} ms (`schema.registry.request.timeout.ms`)",
            timeout.as_millis()
        )),
        // A certificate that does not fit comes as invalid data too.
        Error::Io(error) if url.starts_with("https:") && error.kind() == ErrorKind::InvalidData => {
            SchemaError::Refused(format!("{url}: {error}"))
        }
        error @ (Error::Rustls(_)
        | Error::Tls(_)
        | Error::TlsRequired
        | Error::Pem(_)
        | Error::Http(_)
        | Error::BadUri(_)
        | Error::LargeResponseHeader(..)) => SchemaError::Refused(format!("{url}: {error}")),
        error => SchemaError::Unavailable(format!("{url}: {error}")),
    }
}

/// The beginning of an answer, on one line.
fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * SHOWN)]);
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.retain(|c| !c.is_control());
    if words.is_empty() {
        return "(nothing)".to_owned();
    }
    if words.chars().count() > SHOWN {
        words = words.chars().take(SHOWN).collect();
        words.push('…');
    }
    words
}

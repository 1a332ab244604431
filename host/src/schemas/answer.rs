//! What an HTTP server answered, and what that means.

use std::io::ErrorKind;
use std::time::Duration;

use serde::Deserialize;
use ureq::http::{self, Request, header};
use ureq::{Agent, AsSendBody};

use super::SchemaError;
use super::http::MAX_ANSWER_BYTES;

/// How much of an unusable answer an error shows, in characters.
const SHOWN: usize = 100;
/// How much of what a registry has to say: reasons why schemas are not compatible are long.
const SAID: usize = 4_000;

/// One request.
pub(super) struct Asking<'a> {
    pub(super) url: &'a str,
    /// For the request as a whole.
    pub(super) timeout: Duration,
    /// The key that says how long.
    pub(super) key: &'a str,
}

/// An answer that was read to its end.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    location: Option<String>,
}

impl Asking<'_> {
    /// # Errors
    /// No answer: unavailable where asking again can help, refused where it cannot.
    pub(super) fn send<B: AsSendBody>(
        &self,
        agent: &Agent,
        request: http::Result<Request<B>>,
    ) -> Result<Answer, SchemaError> {
        let request =
            request.map_err(|error| SchemaError::Refused(format!("{}: {error}", self.url)))?;
        let request = agent
            .configure_request(request)
            .timeout_global(Some(self.timeout))
            .build();
        let mut response = agent.run(request).map_err(|error| self.failed(error))?;
        let body = response
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER_BYTES)
            .read_to_vec();
        let status = response.status().as_u16();
        let location = response.headers().get(header::LOCATION);
        let location = location.and_then(|value| value.to_str().ok());
        Ok(Answer {
            status,
            location: location.map(str::to_owned),
            // What a proxy says beside its 502 is of no interest when it cannot be read.
            body: match body {
                Ok(body) => body,
                Err(_) if is_temporary(status) => Vec::new(),
                Err(error) => return Err(self.failed(error)),
            },
        })
    }

    fn failed(&self, error: ureq::Error) -> SchemaError {
        use ureq::Error;
        let url = self.url;
        match error {
            Error::BodyExceedsLimit(limit) => {
                SchemaError::Refused(format!("{url} answered with more than {limit} bytes"))
            }
            Error::Timeout(_) => SchemaError::Unavailable(format!(
                "{url} did not answer within {} ms (`{}`)",
                self.timeout.as_millis(),
                self.key
            )),
            // A certificate that does not fit comes as invalid data too.
            Error::Io(error)
                if url.starts_with("https:") && error.kind() == ErrorKind::InvalidData =>
            {
                let error = error.to_string();
                let advice = match error.contains("CertificateRequired") {
                    true => ": set `schema.registry.ssl.certificate.location` and `.key.location`",
                    false => "",
                };
                SchemaError::Refused(format!("{url}: {error}{advice}"))
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
}

/// What a registry says beside a status that is not 200.
#[derive(Deserialize)]
struct Complaint {
    error_code: Option<u32>,
    message: Option<String>,
}

impl Answer {
    /// What a status that is not 200 means. `advice` is what to look at when access was
    /// refused.
    pub(super) fn error(&self, url: &str, advice: &str) -> SchemaError {
        let complaint: Option<Complaint> = serde_json::from_slice(&self.body).ok();
        let code = complaint
            .as_ref()
            .and_then(|complaint| complaint.error_code);
        let said = match complaint.and_then(|complaint| complaint.message) {
            Some(message) => shown(message.as_bytes(), SAID),
            None => beginning(&self.body),
        };
        let status = self.status;
        match (status, code) {
            // Subject, version, schema not found, in Confluent's numbers.
            (404, Some(40_401..=40_403)) => SchemaError::NotFound(format!("{url}: {said}")),
            (404, _) => SchemaError::Refused(format!(
                "{url} answered 404 as no schema registry does (check `schema.registry.url`): \
                 {said}"
            )),
            (401 | 403, _) => {
                SchemaError::Refused(format!("{url} answered {status}: {advice}: {said}"))
            }
            (409, _) => SchemaError::Refused(format!("{url}: not compatible: {said}")),
            (300..=399, _) => SchemaError::Refused(format!(
                "{url} redirects to {}: set `schema.registry.url` to the registry itself",
                self.location.as_deref().unwrap_or("another address")
            )),
            _ if is_temporary(status) => {
                SchemaError::Unavailable(format!("{url} answered {status}: {said}"))
            }
            _ => SchemaError::Refused(format!("{url} answered {status}: {said}")),
        }
    }
}

/// Whether asking again can help.
pub(super) fn is_temporary(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..)
}

/// The beginning of an answer, on one line.
pub(super) fn beginning(body: &[u8]) -> String {
    shown(body, SHOWN)
}

fn shown(text: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * most)]);
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.retain(|c| !c.is_control());
    if words.is_empty() {
        return "(nothing)".to_owned();
    }
    if words.chars().count() > most {
        words = words.chars().take(most).collect();
        words.push('…');
    }
    words
}

#[cfg(test)]
impl Answer {
    pub(super) fn of(status: u16, body: &str) -> Self {
        Self {
            status,
            body: body.as_bytes().to_vec(),
            location: None,
        }
    }
}

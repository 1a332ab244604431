//! Requests to a schema registry: to which of its addresses, and on whose behalf.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::{Method, Request, header};

use super::answer::{self, Answer, Asking};
use super::authorization::Authorization;
use super::connection::Connection;
use super::{SchemaError, SourceError};
use crate::config::RegistryConfig;

/// The largest answer that is read, in bytes.
pub(super) const MAX_ANSWER_BYTES: u64 = 8 << 20;
const ACCEPT: &str = "application/vnd.schemaregistry.v1+json, application/json";
const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// A registry's addresses and how to ask it.
pub(super) struct Client {
    access: RwLock<Arc<Access>>,
    /// Without a slash at their ends.
    addresses: Vec<String>,
    /// Which of them answered last: it is asked first.
    current: AtomicUsize,
    /// Sent with every request.
    headers: Vec<(&'static str, String)>,
    timeout: Duration,
}

/// Who asks, and how that is proved: replaced as a whole when it is renewed.
struct Access {
    connection: Connection,
    authorization: Authorization,
}

impl Access {
    fn open(config: &RegistryConfig) -> Result<Self, SourceError> {
        Ok(Self {
            connection: Connection::open(&config.tls, config.proxy.as_ref())?,
            authorization: Authorization::open(config)?,
        })
    }
}

impl Client {
    pub(super) fn open(config: &RegistryConfig) -> Result<Self, SourceError> {
        let addresses = config.urls.iter();
        let mut headers = Vec::new();
        if let Some(cluster) = &config.logical_cluster {
            headers.push(("target-sr-cluster", cluster.clone()));
        }
        if let Some(pool) = &config.identity_pool {
            headers.push(("Confluent-Identity-Pool-Id", pool.clone()));
        }
        Ok(Self {
            access: RwLock::new(Arc::new(Access::open(config)?)),
            addresses: addresses
                .map(|url| url.trim_end_matches('/').to_owned())
                .collect(),
            current: AtomicUsize::new(0),
            headers,
            timeout: config.request_timeout,
        })
    }

    /// How long one request may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Goes on with the secrets of this configuration, once the registry lets them in.
    ///
    /// # Errors
    /// Why they are not taken, without them.
    pub(super) fn renew(&self, config: &RegistryConfig) -> Result<(), String> {
        let access = Access::open(config).map_err(|error| error.to_string())?;
        let address = &self.addresses[self.current.load(Ordering::Relaxed)];
        let url = format!("{address}/schemas/types");
        let deadline = Instant::now() + self.timeout;
        let tried = access
            .authorization
            .credentials(self.timeout)
            .and_then(|credentials| {
                self.call(
                    &access,
                    &url,
                    &Method::GET,
                    None,
                    credentials.as_deref(),
                    deadline,
                )
            });
        let answer = tried.map_err(|error| error.to_string())?;
        // Who may not see the types is let in all the same.
        if answer.status == 401 || answer.status >= 500 {
            return Err(answer
                .error(&url, access.authorization.advice())
                .to_string());
        }
        let mut current = self.access.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(access);
        Ok(())
    }

    fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks for a path, which begins with a slash.
    ///
    /// # Errors
    /// Not found where the registry itself says so; unavailable where asking again can
    /// help; refused where it cannot.
    pub(super) fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        deadline: Instant,
    ) -> Result<T, SchemaError> {
        self.send(Method::GET, path, None, deadline)
    }

    /// Hands something in.
    ///
    /// # Errors
    /// As for [`Client::get`].
    pub(super) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
        deadline: Instant,
    ) -> Result<T, SchemaError> {
        self.send(Method::POST, path, Some(body.to_string()), deadline)
    }

    /// From the address that answered last, to the next when it is unavailable.
    fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        deadline: Instant,
    ) -> Result<T, SchemaError> {
        let first = self.current.load(Ordering::Relaxed);
        let count = self.addresses.len();
        let mut failures = Vec::with_capacity(1);
        for at in (0..count).map(|turn| (first + turn) % count) {
            let url = format!("{}{path}", self.addresses[at]);
            match self.send_to(&url, &method, body.as_deref(), deadline) {
                Err(SchemaError::Unavailable(why)) => failures.push(why),
                answer => {
                    self.current.store(at, Ordering::Relaxed);
                    return answer;
                }
            }
        }
        Err(SchemaError::Unavailable(failures.join("; ")))
    }

    fn send_to<T: DeserializeOwned>(
        &self,
        url: &str,
        method: &Method,
        body: Option<&str>,
        deadline: Instant,
    ) -> Result<T, SchemaError> {
        let mut renewed = false;
        let access = self.access();
        let authorization = &access.authorization;
        let answer = loop {
            let credentials = authorization.credentials(self.timeout)?;
            let credentials = credentials.as_deref();
            let answer = self.call(&access, url, method, body, credentials, deadline)?;
            // A token may have been revoked before its time.
            if answer.status != 401 || renewed || !authorization.renew(credentials) {
                break answer;
            }
            renewed = true;
        };
        if answer.status != 200 {
            return Err(answer.error(url, authorization.advice()));
        }
        serde_json::from_slice(&answer.body).map_err(|error| {
            SchemaError::Refused(format!(
                "{url} answered with something that is not a schema ({error}): {}",
                answer::beginning(&answer.body)
            ))
        })
    }

    fn call(
        &self,
        access: &Access,
        url: &str,
        method: &Method,
        body: Option<&str>,
        credentials: Option<&str>,
        deadline: Instant,
    ) -> Result<Answer, SchemaError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = left.min(self.timeout).max(Duration::from_millis(1));
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header(header::ACCEPT, ACCEPT);
        if let Some(credentials) = credentials {
            request = request.header(header::AUTHORIZATION, credentials);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let asking = Asking {
            url,
            timeout,
            key: "schema.registry.request.timeout.ms",
        };
        let agent = access.connection.agent();
        match body {
            Some(body) => {
                let request = request.header(header::CONTENT_TYPE, CONTENT_TYPE);
                asking.send(&agent, request.body(body))
            }
            None => asking.send(&agent, request.body(())),
        }
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

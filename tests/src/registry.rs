//! A schema registry: Confluent's REST interface, in memory, with a fault switch.

mod store;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::certificates::Identity;
use crate::http::{Response, Server, Tls};
use store::{Store, error};

pub use crate::http::Request;
pub use store::{NewSchema, Reference};

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// What the registry does instead of answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// It answers.
    #[default]
    None,
    /// It closes every connection without a word.
    Down,
    /// It answers with this status, such as 500 or 401.
    Status(u16),
    /// It answers rightly, after a while.
    Slow(Duration),
    /// It answers 200 with something that is not JSON.
    Garbage,
}

/// A registry on loopback; it stops when dropped.
#[derive(Debug)]
pub struct Registry {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    store: Mutex<Store>,
    fault: Mutex<Fault>,
    door: Mutex<Door>,
    requests: Mutex<Vec<Request>>,
}

/// Who is let in.
#[derive(Default)]
struct Door(Option<Guard>);

/// Whether a request may come in.
type Guard = Box<dyn Fn(&Request) -> bool + Send>;

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Door").field(&self.0.is_some()).finish()
    }
}

impl Registry {
    /// Starts an empty registry.
    ///
    /// # Panics
    ///
    /// If there is no loopback interface.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// Starts an empty registry with TLS. Its clients need a certificate if `client_ca` is the
    /// file of the authority that has signed those.
    ///
    /// # Panics
    ///
    /// If there is no loopback interface.
    #[must_use]
    pub fn start_tls(identity: &Identity, client_ca: Option<&Path>) -> Self {
        Self::start_with(Some(&Tls {
            identity,
            client_ca,
        }))
    }

    fn start_with(tls: Option<&Tls<'_>>) -> Self {
        let shared = Arc::new(Shared::default());
        let asked = Arc::clone(&shared);
        let server = Server::start_with(tls, move |request| asked.answer(request));
        Self { server, shared }
    }

    /// Answers 401 to requests for which this does not hold, from now on.
    pub fn let_in(&self, who: impl Fn(&Request) -> bool + Send + 'static) {
        *lock(&self.shared.door) = Door(Some(Box::new(who)));
    }

    /// The `schema.registry.url`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Registers a schema under a subject and returns its id; the same schema keeps its id.
    #[must_use]
    pub fn register(&self, subject: &str, schema: NewSchema) -> u32 {
        lock(&self.shared.store).register(subject, schema)
    }

    /// The text of a schema.
    #[must_use]
    pub fn schema(&self, id: u32) -> Option<String> {
        lock(&self.shared.store)
            .schema(id)
            .map(|schema| schema.schema.clone())
    }

    /// Refuses every new schema for a subject from now on, as not compatible with what it has.
    pub fn refuse(&self, subject: &str, why: &str) {
        lock(&self.shared.store).refuse(subject, why);
    }

    /// The ids of a subject's versions.
    #[must_use]
    pub fn versions(&self, subject: &str) -> Vec<u32> {
        lock(&self.shared.store).versions(subject)
    }

    /// Switches the fault, for every request from now on.
    pub fn set_fault(&self, fault: Fault) {
        *lock(&self.shared.fault) = fault;
    }

    /// The requests so far, also those that met a fault.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).clone()
    }
}

impl Shared {
    fn answer(&self, request: &Request) -> Option<Response> {
        lock(&self.requests).push(request.clone());
        if let Door(Some(lets_in)) = &*lock(&self.door)
            && !lets_in(request)
        {
            return Some(error(401, 40101, "Unauthorized").of_type(CONTENT_TYPE));
        }
        let fault = *lock(&self.fault);
        let response = match fault {
            Fault::Down => return None,
            Fault::Status(status) => error(status, u32::from(status) * 100 + 1, "a fault"),
            Fault::Garbage => Response::html(200, "<html>it works!</html>"),
            Fault::None => lock(&self.store).answer(request),
            Fault::Slow(delay) => {
                std::thread::sleep(delay);
                lock(&self.store).answer(request)
            }
        };
        Some(response.of_type(CONTENT_TYPE))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("not poisoned")
}

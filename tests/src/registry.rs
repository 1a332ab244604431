//! A schema registry: Confluent's REST interface, in memory, with a fault switch.

mod http;
mod store;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::Response;
use store::Store;

pub use http::Request;
pub use store::{NewSchema, Reference};

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
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    store: Mutex<Store>,
    fault: Mutex<Fault>,
    requests: Mutex<Vec<Request>>,
    stopped: AtomicBool,
}

impl Registry {
    /// Starts an empty registry.
    ///
    /// # Panics
    ///
    /// If there is no loopback interface.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
        let address = listener.local_addr().expect("a bound address");
        let shared = Arc::new(Shared::default());
        let server = Arc::clone(&shared);
        std::thread::spawn(move || server.serve(&listener));
        Self { address, shared }
    }

    /// The `schema.registry.url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
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

impl Drop for Registry {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that waits in `accept`.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(self: Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.stopped.load(Ordering::Relaxed) {
                return;
            }
            if let Ok(stream) = stream {
                let shared = Arc::clone(&self);
                std::thread::spawn(move || shared.answer(&stream));
            }
        }
    }

    /// Answers one request; connections are not kept, so that a fault meets the next one.
    fn answer(&self, stream: &TcpStream) {
        let Some(request) = Request::read(stream) else {
            return;
        };
        lock(&self.requests).push(request.clone());
        let fault = *lock(&self.fault);
        let response = match fault {
            Fault::Down => return,
            Fault::Status(status) => {
                Response::error(status, u32::from(status) * 100 + 1, "a fault")
            }
            Fault::Garbage => Response::raw(200, "<html>it works!</html>"),
            Fault::None => lock(&self.store).answer(&request),
            Fault::Slow(delay) => {
                std::thread::sleep(delay);
                lock(&self.store).answer(&request)
            }
        };
        response.write(stream);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("not poisoned")
}

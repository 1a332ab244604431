//! An OpenID provider, as far as OAuth's client credentials need one: tokens and their keys.

mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::http::{Request, Response, Server, form, percent_decoded};
use token::SigningKey;

/// Whom the tokens are from: the broker's `sasl.oauthbearer.expected.issuer`.
pub const ISSUER: &str = "https://oidc.weir.test";

/// Whom the tokens are for: the broker's `sasl.oauthbearer.expected.audience`.
pub const AUDIENCE: &str = "kafka";

/// What the provider does instead of issuing a good token to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenFault {
    /// It issues good tokens.
    #[default]
    None,
    /// It hangs up without a word.
    Down,
    /// It answers with this status, such as 500.
    Status(u16),
    /// It issues good tokens, after a while.
    Slow(Duration),
    /// It answers 200 with something that is not JSON.
    Garbage,
    /// It issues tokens for another audience, which the broker refuses.
    ForAnotherAudience,
    /// It signs with a key that it does not publish, so that the broker refuses.
    UnknownKey,
    /// It issues tokens that have expired already.
    Expired,
}

/// A provider on loopback; it stops when dropped.
#[derive(Debug)]
pub struct Oidc {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    key: SigningKey,
    clients: HashMap<String, Client>,
}

/// Each has its own faults, so that tests which share a provider do not meet.
#[derive(Debug)]
struct Client {
    secret: String,
    revoked: bool,
    lifetime: Duration,
    fault: TokenFault,
    requests: usize,
}

impl Oidc {
    /// Starts a provider that knows no client.
    ///
    /// # Panics
    ///
    /// If there is no loopback interface.
    #[must_use]
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State {
            key: SigningKey::generate("published"),
            clients: HashMap::new(),
        }));
        let asked = Arc::clone(&state);
        let server = Server::start(move |request| answer(&asked, request));
        Self { server, state }
    }

    /// Where clients get their tokens: `POST`, with the client's id and secret in basic
    /// authentication or in the form.
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("{}/token", self.server.url())
    }

    /// Where brokers get the keys that tokens are signed with.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        format!("{}/jwks", self.server.url())
    }

    /// Issues tokens to the client `id` from now on, which live for an hour and have the id as
    /// their subject.
    pub fn add_client(&self, id: &str, secret: &str) {
        let client = Client {
            secret: secret.to_owned(),
            revoked: false,
            lifetime: Duration::from_secs(60 * 60),
            fault: TokenFault::None,
            requests: 0,
        };
        lock(&self.state).clients.insert(id.to_owned(), client);
    }

    /// Refuses the client from now on. Tokens that it has stay good until they expire.
    ///
    /// # Panics
    ///
    /// If there is no such client; so do the others.
    pub fn revoke_client(&self, id: &str) {
        self.with(id, |client| client.revoked = true);
    }

    /// How long tokens live that the client gets from now on.
    pub fn set_lifetime(&self, id: &str, lifetime: Duration) {
        self.with(id, |client| client.lifetime = lifetime);
    }

    /// Switches the fault, for every token that the client asks for from now on.
    pub fn set_fault(&self, id: &str, fault: TokenFault) {
        self.with(id, |client| client.fault = fault);
    }

    /// How often the client has asked for a token, also in vain.
    #[must_use]
    pub fn token_requests(&self, id: &str) -> usize {
        self.with(id, |client| client.requests)
    }

    fn with<T>(&self, id: &str, use_it: impl FnOnce(&mut Client) -> T) -> T {
        let mut state = lock(&self.state);
        let client = state.clients.get_mut(id);
        use_it(client.unwrap_or_else(|| panic!("no client {id}")))
    }
}

fn answer(state: &Mutex<State>, request: &Request) -> Option<Response> {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    match (request.method.as_str(), path.as_slice()) {
        ("GET", ["jwks"]) => {
            let keys = json!({ "keys": [lock(state).key.to_jwk()] });
            Some(Response::json(200, &keys))
        }
        ("POST", ["token"]) => answer_token(state, request),
        _ => Some(Response::html(404, "not found")),
    }
}

/// RFC 6749, sections 4.4 and 5.
fn answer_token(state: &Mutex<State>, request: &Request) -> Option<Response> {
    let refused = |status, error| Some(Response::json(status, &json!({ "error": error })));
    let fields = form(&request.body);
    if fields.get("grant_type").map(String::as_str) != Some("client_credentials") {
        return refused(400, "unsupported_grant_type");
    }
    let in_form = || {
        Some((
            fields.get("client_id")?.clone(),
            fields.get("client_secret")?.clone(),
        ))
    };
    let Some((id, secret)) = basic(request).or_else(in_form) else {
        return refused(400, "invalid_request");
    };
    let (fault, lifetime) = {
        let mut state = lock(state);
        let Some(client) = state.clients.get_mut(&id) else {
            return refused(401, "invalid_client");
        };
        client.requests += 1;
        if client.revoked || client.secret != secret {
            return refused(401, "invalid_client");
        }
        (client.fault, client.lifetime)
    };
    let (mut audience, mut age) = (AUDIENCE, Duration::ZERO);
    match fault {
        TokenFault::Down => return None,
        TokenFault::Status(status) => return Some(Response::html(status, "a fault")),
        TokenFault::Garbage => return Some(Response::html(200, "<html>it works!</html>")),
        // Without the lock, so that others are answered meanwhile.
        TokenFault::Slow(delay) => std::thread::sleep(delay),
        TokenFault::ForAnotherAudience => audience = "somebody-else",
        TokenFault::Expired => age = lifetime + Duration::from_secs(60 * 60),
        TokenFault::None | TokenFault::UnknownKey => {}
    }
    let stranger = (fault == TokenFault::UnknownKey).then(|| SigningKey::generate("unpublished"));
    let state = lock(state);
    let key = stranger.as_ref().unwrap_or(&state.key);
    let token = json!({
        "access_token": key.token(&id, audience, age, lifetime),
        "token_type": "Bearer",
        "expires_in": lifetime.as_secs(),
    });
    Some(Response::json(200, &token))
}

fn basic(request: &Request) -> Option<(String, String)> {
    let encoded = request.header("authorization")?.strip_prefix("Basic ")?;
    let decoded = BASE64_STANDARD.decode(encoded).ok()?;
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((percent_decoded(id), percent_decoded(secret)))
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("not poisoned")
}

//! As much of HTTP/1.1 as clients of a registry and of a token endpoint use.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use openssl::ssl::{SslAcceptor, SslFiletype, SslMethod, SslVerifyMode};
use serde_json::Value;

use crate::certificates::Identity;

/// A server on loopback, with a thread a connection; it stops when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    scheme: &'static str,
    stopped: Arc<AtomicBool>,
}

/// A server's TLS.
#[derive(Debug)]
pub(crate) struct Tls<'a> {
    /// What it shows.
    pub(crate) identity: &'a Identity,
    /// Who has to have signed the certificates of its clients; `None` asks for none.
    pub(crate) client_ca: Option<&'a Path>,
}

impl Tls<'_> {
    fn acceptor(&self) -> SslAcceptor {
        let built = || {
            let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
            acceptor.set_certificate_chain_file(self.identity.certificate())?;
            acceptor.set_private_key_file(self.identity.key(), SslFiletype::PEM)?;
            if let Some(ca) = self.client_ca {
                acceptor.set_ca_file(ca)?;
                acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
            }
            Ok::<_, openssl::error::ErrorStack>(acceptor.build())
        };
        built().expect("OpenSSL takes what it has made")
    }
}

impl Server {
    /// Answers each request with what `answer` makes of it; with `None`, hangs up.
    ///
    /// Connections are not kept, so that what `answer` does meets the next request.
    pub(crate) fn start(
        answer: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(None, answer)
    }

    /// As [`Server::start`], with TLS.
    pub(crate) fn start_with(
        tls: Option<&Tls<'_>>,
        answer: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        let acceptor = tls.map(|tls| Arc::new(tls.acceptor()));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
        let address = listener.local_addr().expect("a bound address");
        let stopped = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stopped);
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if told.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (answer, acceptor) = (Arc::clone(&answer), acceptor.clone());
                std::thread::spawn(move || match acceptor {
                    None => serve(stream, &*answer),
                    // A client that is not let in, or does not trust us, is no concern of ours.
                    Some(acceptor) => {
                        if let Ok(mut stream) = acceptor.accept(stream) {
                            serve(&mut stream, &*answer);
                            let _ = stream.shutdown();
                        }
                    }
                });
            }
        });
        Self {
            address,
            scheme,
            stopped,
        }
    }

    /// `http://` or `https://` and the address.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }
}

fn serve(mut stream: impl Read + Write, answer: &dyn Fn(&Request) -> Option<Response>) {
    if let Some(response) = Request::read(&mut stream).and_then(|read| answer(&read)) {
        response.write(stream);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that waits in `accept`.
        let _ = TcpStream::connect(self.address);
    }
}

/// A request, as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path without the query, its parts percent-decoded.
    pub path: Vec<String>,
    /// The query, as it was sent.
    pub query: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, as it was sent.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(other, _)| other == name)?;
        Some(value)
    }

    fn read(stream: impl Read) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader
                .read_line(&mut line)
                .ok()
                .filter(|length| *length > 0)?;
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let (first, rest) = lines.split_first()?;
        let mut words = first.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = rest.iter().filter_map(|line| line.split_once(':'));
        let mut request = Self {
            method: method.to_owned(),
            path: path
                .split('/')
                .filter(|part| !part.is_empty())
                .map(percent_decoded)
                .collect(),
            query: query.to_owned(),
            headers: headers
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect(),
            body: Vec::new(),
        };
        if let Some(length) = request.header("content-length") {
            let length = length.parse().ok()?;
            reader.take(length).read_to_end(&mut request.body).ok()?;
        }
        Some(request)
    }
}

/// An answer to a request.
pub(crate) struct Response {
    status: u16,
    content_type: &'static str,
    body: String,
}

impl Response {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            content_type: "application/json",
            body: body.to_string(),
        }
    }

    pub(crate) fn html(status: u16, body: &str) -> Self {
        Self {
            status,
            content_type: "text/html",
            body: body.to_owned(),
        }
    }

    /// The same, with another type of content.
    pub(crate) fn of_type(self, content_type: &'static str) -> Self {
        Self {
            content_type,
            ..self
        }
    }

    fn write(&self, mut stream: impl Write) {
        let Self {
            status,
            content_type,
            body,
        } = self;
        // A client that hung up has its answer already.
        let _ = write!(
            stream,
            "HTTP/1.1 {status} \r\nContent-Type: {content_type}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
    }
}

/// The text with each `%xx` replaced by its byte.
pub(crate) fn percent_decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(decoded) if byte == b'%' => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The fields of a form (`application/x-www-form-urlencoded`).
pub(crate) fn form(body: &[u8]) -> HashMap<String, String> {
    let text = String::from_utf8_lossy(body).replace('+', " ");
    let fields = text.split('&').filter_map(|field| field.split_once('='));
    fields
        .map(|(name, value)| (percent_decoded(name), percent_decoded(value)))
        .collect()
}

mod access;
mod keeping;
mod peers;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::json;

use super::*;
use crate::config::{RegistryAuth, Secret};
use crate::schemas::SchemaType;

/// A registry on a loopback port that gives each path its canned answer.
struct Stub {
    url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    answers: Mutex<HashMap<String, Canned>>,
    /// Answers to the next requests of a path, before the one that stays.
    first: Mutex<HashMap<String, Vec<Canned>>>,
    seen: Mutex<Vec<Seen>>,
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    path: String,
    authorization: Option<String>,
    /// All headers, names in lower case.
    headers: Vec<String>,
    body: String,
}

#[derive(Clone)]
enum Canned {
    Status(u16, Vec<u8>),
    /// These very bytes, and then the connection is closed.
    Raw(Vec<u8>),
    Slow(Duration),
    /// A schema, after a while.
    SlowOk(Duration),
}

impl Stub {
    fn start(answers: Vec<(&str, Canned)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stub = Self {
            url,
            shared: Arc::default(),
        };
        for (path, answer) in answers {
            stub.set(path, answer);
        }
        let shared = Arc::clone(&stub.shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(&stream.unwrap(), &shared));
            }
        });
        stub
    }

    fn set(&self, path: &str, answer: Canned) {
        self.shared
            .answers
            .lock()
            .unwrap()
            .insert(path.to_owned(), answer);
    }

    fn requests(&self) -> Vec<String> {
        let seen = self.shared.seen.lock().unwrap();
        seen.iter().map(|seen| seen.path.clone()).collect()
    }

    fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Gives the path's next requests these answers, in their order.
    fn set_first(&self, path: &str, mut answers: Vec<Canned>) {
        answers.reverse();
        let mut first = self.shared.first.lock().unwrap();
        first.insert(path.to_owned(), answers);
    }

    /// Patient with nothing: each request is made once.
    fn config(&self) -> RegistryConfig {
        config(&self.url)
    }

    fn source(&self) -> RegistrySource {
        source(&self.url)
    }
}

fn source(url: &str) -> RegistrySource {
    RegistrySource::open(&config(url), None).unwrap()
}

fn config(url: &str) -> RegistryConfig {
    let mut config = RegistryConfig::new(url);
    config.request_timeout = Duration::from_millis(500);
    config.retries.max = 0;
    config
}

fn serve(mut stream: &TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(stream);
    let mut lines = reader.by_ref().lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let header = |name: &str| {
        let value = headers.iter().find_map(|line| line.strip_prefix(name));
        value.map(str::to_owned)
    };
    let path = first.split(' ').nth(1).unwrap().to_owned();
    let length = header("content-length: ").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    shared.seen.lock().unwrap().push(Seen {
        path: path.clone(),
        authorization: header("authorization: "),
        headers: headers.clone(),
        body: String::from_utf8(body).unwrap(),
    });
    let mut first = shared.first.lock().unwrap();
    let answer = first.get_mut(&path).and_then(Vec::pop);
    drop(first);
    let answer = answer.or_else(|| shared.answers.lock().unwrap().get(&path).cloned());
    let not_found = json!({ "error_code": 40403, "message": "Schema not found" });
    let answer = answer.unwrap_or_else(|| Canned::Status(404, not_found.to_string().into()));
    let answer = match answer {
        Canned::SlowOk(delay) => {
            thread::sleep(delay);
            ok(&json!({ "schema": "s" }))
        }
        answer => answer,
    };
    let bytes = match answer {
        Canned::SlowOk(_) => unreachable!("made another above"),
        Canned::Status(status, body) => {
            let head = format!(
                "HTTP/1.1 {status} Whatever\r\nConnection: close\r\nLocation: http://elsewhere/\r\n\
                 Content-Length: {}\r\n\r\n",
                body.len()
            );
            [head.into_bytes(), body].concat()
        }
        Canned::Raw(bytes) => bytes,
        Canned::Slow(delay) => {
            thread::sleep(delay);
            Vec::new()
        }
    };
    // The client may have hung up: on a timeout, or on an answer that is too large.
    let _ = stream.write_all(&bytes);
}

fn ok(body: &serde_json::Value) -> Canned {
    Canned::Status(200, body.to_string().into_bytes())
}

fn failing(status: u16, body: &str) -> Canned {
    Canned::Status(status, body.as_bytes().to_vec())
}

fn refers(name: &str) -> serde_json::Value {
    json!({ "name": name, "subject": name, "version": 1 })
}

/// What asking for schema 1 gives when the registry answers like this; `URL` for the
/// address.
fn error_of(answer: Canned) -> SchemaError {
    let stub = Stub::start(vec![("/schemas/ids/1", answer)]);
    let hide = |message: String| message.replace(&stub.url, "URL");
    match stub.source().by_id(1).unwrap_err() {
        SchemaError::NotFound(message) => SchemaError::NotFound(hide(message)),
        SchemaError::Unavailable(message) => SchemaError::Unavailable(hide(message)),
        SchemaError::Refused(message) => SchemaError::Refused(hide(message)),
    }
}

fn not_found(message: &str) -> SchemaError {
    SchemaError::NotFound(message.to_owned())
}

fn unavailable(message: &str) -> SchemaError {
    SchemaError::Unavailable(message.to_owned())
}

fn refusal(message: &str) -> SchemaError {
    SchemaError::Refused(message.to_owned())
}

#[test]
fn a_schema_is_asked_for_once() {
    let stub = Stub::start(vec![
        ("/schemas/ids/1", ok(&json!({ "schema": "\"string\"" }))),
        (
            "/schemas/ids/2",
            ok(&json!({ "schema": "{}", "schemaType": "JSON", "guid": "x" })),
        ),
    ]);
    let source = stub.source();
    for _ in 0..3 {
        let schema = source.by_id(1).unwrap();
        assert_eq!(
            (schema.schema_type, schema.text.as_str()),
            (SchemaType::Avro, "\"string\"")
        );
        assert_eq!(source.by_id(2).unwrap().schema_type, SchemaType::Json);
    }
    assert_eq!(stub.requests(), ["/schemas/ids/1", "/schemas/ids/2"]);
}

#[test]
fn a_subject_is_one_segment_of_the_path_and_its_schema_is_kept_by_id_too() {
    let latest = "/prefix/subjects/a%2Fb%20c%3F%25%C3%A9-value/versions/latest";
    let answer =
        json!({ "subject": "x", "version": 3, "id": 9, "schema": "s", "schemaType": "PROTOBUF" });
    let stub = Stub::start(vec![(latest, ok(&answer))]);
    let source = source(&format!("{}/prefix/", stub.url));
    let latest_version = source.latest("a/b c?%é-value").unwrap();
    assert_eq!(
        (latest_version.id, latest_version.version),
        (Some(9), Some(3))
    );
    assert_eq!(latest_version.schema.schema_type, SchemaType::Protobuf);
    assert_eq!(source.by_id(9).unwrap(), latest_version.schema);
    assert_eq!(stub.requests(), [latest]);
}

#[test]
fn credentials_are_sent() {
    let stub = Stub::start(vec![("/schemas/ids/1", ok(&json!({ "schema": "s" })))]);
    let mut config = stub.config();
    config.auth = RegistryAuth::Basic(Secret::new("weir:hunter2".to_owned()));
    let source = RegistrySource::open(&config, None).unwrap();
    source.by_id(1).unwrap();
    let sent = &stub.seen()[0].authorization;
    assert_eq!(sent.as_deref(), Some("Basic d2VpcjpodW50ZXIy"));
}

#[test]
fn references_come_each_before_those_that_name_it() {
    let stub = Stub::start(vec![
        (
            "/schemas/ids/1",
            ok(&json!({ "schema": "root", "references": [refers("a"), refers("b")] })),
        ),
        (
            "/subjects/a/versions/1?deleted=true",
            ok(&json!({ "schema": "A", "references": [refers("c"), refers("b")] })),
        ),
        (
            "/subjects/b/versions/1?deleted=true",
            ok(&json!({ "schema": "B", "references": [refers("c")] })),
        ),
        (
            "/subjects/c/versions/1?deleted=true",
            ok(&json!({ "schema": "C" })),
        ),
    ]);
    let schema = stub.source().by_id(1).unwrap();
    let texts: Vec<_> = schema
        .references
        .iter()
        .map(|named| named.text.as_str())
        .collect();
    assert_eq!(texts, ["C", "B", "A"]);
    assert_eq!(stub.requests().len(), 4, "each is asked for once");
}

#[test]
fn references_in_a_circle_are_refused() {
    let stub = Stub::start(vec![
        (
            "/schemas/ids/1",
            ok(&json!({ "schema": "root", "references": [refers("a")] })),
        ),
        (
            "/subjects/a/versions/1?deleted=true",
            ok(&json!({ "schema": "A", "references": [refers("b")] })),
        ),
        (
            "/subjects/b/versions/1?deleted=true",
            ok(&json!({ "schema": "B", "references": [refers("a")] })),
        ),
    ]);
    let error = stub.source().by_id(1).unwrap_err();
    assert_eq!(error, refusal("references go in a circle: a → b → a"));
}

#[test]
fn references_without_end_are_refused() {
    let stub = Stub::start(vec![(
        "/schemas/ids/1",
        ok(&json!({ "schema": "root", "references": [refers("0")] })),
    )]);
    for depth in 0..40 {
        let next = (depth + 1).to_string();
        let answer = ok(&json!({ "schema": "s", "references": [refers(&next)] }));
        stub.set(
            &format!("/subjects/{depth}/versions/1?deleted=true"),
            answer,
        );
    }
    let error = stub.source().by_id(1).unwrap_err();
    assert_eq!(
        error,
        refusal("more than 256 references, or more than 32 in a row, at `32`")
    );
}

#[test]
fn a_reference_that_is_not_there_is_the_registrys_fault() {
    let root = json!({ "schema": "root", "references": [refers("a")] });
    let error = error_of(ok(&root));
    assert_eq!(
        error,
        refusal(
            "the referenced schema `a`: URL/subjects/a/versions/1?deleted=true: Schema not found"
        )
    );
}

#[test]
fn a_registry_says_what_is_not_there() {
    for code in [40_401, 40_402, 40_403] {
        let body = json!({ "error_code": code, "message": "Not there" }).to_string();
        assert_eq!(
            error_of(failing(404, &body)),
            not_found("URL/schemas/ids/1: Not there")
        );
    }
    let html = "<html>\n  <h1>Not   Found</h1></html>";
    assert_eq!(
        error_of(failing(404, html)),
        refusal(
            "URL/schemas/ids/1 answered 404 as no schema registry does (check \
             `schema.registry.url`): <html> <h1>Not Found</h1></html>"
        )
    );
}

#[test]
fn a_registry_in_trouble_is_unavailable() {
    for status in [408, 429, 500, 502, 503, 504] {
        let expected = format!("URL/schemas/ids/1 answered {status}: <h1>Oh</h1>");
        assert_eq!(
            error_of(failing(status, "<h1>Oh</h1>")),
            unavailable(&expected)
        );
    }
    let body = json!({ "error_code": 50003, "message": "Forwarding failed" }).to_string();
    assert_eq!(
        error_of(failing(500, &body)),
        unavailable("URL/schemas/ids/1 answered 500: Forwarding failed")
    );
    let cut = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 50\r\n\r\nhalf".to_vec();
    assert_eq!(
        error_of(Canned::Raw(cut)),
        unavailable("URL/schemas/ids/1 answered 502: (nothing)")
    );
}

#[test]
fn refusals_say_what_to_do() {
    let body = json!({ "error_code": 40101, "message": "Unauthorized" }).to_string();
    assert_eq!(
        error_of(failing(401, &body)),
        refusal(
            "URL/schemas/ids/1 answered 401: set `schema.registry.basic.auth.user.info`, or one of \
             `schema.registry.bearer.auth.…`: Unauthorized"
        )
    );
    assert!(matches!(
        error_of(failing(403, "")),
        SchemaError::Refused(_)
    ));
    assert_eq!(
        error_of(failing(302, "")),
        refusal(
            "URL/schemas/ids/1 redirects to http://elsewhere/: set `schema.registry.url` to the \
             registry itself"
        )
    );
    assert_eq!(
        error_of(failing(422, "no")),
        refusal("URL/schemas/ids/1 answered 422: no")
    );
}

#[test]
fn an_answer_that_is_no_schema_is_refused_with_its_beginning() {
    let long = format!("<html>{}", "x".repeat(500));
    assert_eq!(
        error_of(failing(200, &long)),
        refusal(&format!(
            "URL/schemas/ids/1 answered with something that is not a schema (expected value at \
             line 1 column 1): <html>{}…",
            "x".repeat(94)
        ))
    );
    assert_eq!(
        error_of(ok(&json!({ "id": 1 }))),
        refusal(
            "URL/schemas/ids/1 answered with something that is not a schema (missing field \
             `schema` at line 1 column 8): {\"id\":1}"
        )
    );
    assert_eq!(
        error_of(ok(&json!({ "schema": "s", "schemaType": "THRIFT" }))),
        refusal("/schemas/ids/1: the schema type `THRIFT` is unknown")
    );
}

#[test]
fn an_answer_without_measure_is_refused() {
    let body = vec![b' '; (8 << 20) + 1];
    assert_eq!(
        error_of(Canned::Status(200, body)),
        refusal("URL/schemas/ids/1 answered with more than 8388608 bytes")
    );
}

#[test]
fn broken_and_slow_connections_are_unavailable() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"schema\":".to_vec();
    assert!(matches!(
        error_of(Canned::Raw(cut)),
        SchemaError::Unavailable(_)
    ));
    let closed = error_of(Canned::Raw(Vec::new()));
    assert!(matches!(closed, SchemaError::Unavailable(_)));
    let garbage = error_of(Canned::Raw(b"220 smtp.example ESMTP\r\n".to_vec()));
    assert!(matches!(garbage, SchemaError::Unavailable(_)), "{garbage}");
    let started = Instant::now();
    assert_eq!(
        error_of(Canned::Slow(Duration::from_secs(5))),
        unavailable(
            "URL/schemas/ids/1 did not answer within 500 ms (`schema.registry.request.timeout.ms`)"
        )
    );
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn nobody_listening_is_unavailable() {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = source(&format!("http://{address}")).by_id(1).unwrap_err();
    assert!(matches!(error, SchemaError::Unavailable(_)), "{error}");
}

#[test]
fn a_registry_that_is_down_is_left_in_peace_and_then_found_up() {
    let stub = Stub::start(vec![("/schemas/ids/1", failing(503, ""))]);
    let source = stub.source();
    for _ in 0..50 {
        assert!(matches!(source.by_id(1), Err(SchemaError::Unavailable(_))));
    }
    assert!(
        stub.requests().len() < 10,
        "{} requests",
        stub.requests().len()
    );
    stub.set("/schemas/ids/1", ok(&json!({ "schema": "s" })));
    let deadline = Instant::now() + Duration::from_secs(10);
    while source.by_id(1).is_err() {
        assert!(Instant::now() < deadline, "never found up");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_absence_is_kept_and_does_not_hide_others() {
    let stub = Stub::start(vec![("/schemas/ids/2", ok(&json!({ "schema": "s" })))]);
    let source = stub.source();
    for _ in 0..3 {
        assert!(matches!(source.by_id(1), Err(SchemaError::NotFound(_))));
        source.by_id(2).unwrap();
    }
    assert_eq!(stub.requests(), ["/schemas/ids/1", "/schemas/ids/2"]);
}

#[test]
fn tls_where_there_is_none_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let plain = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let error = source(&format!("https://{address}")).by_id(1).unwrap_err();
    assert!(matches!(error, SchemaError::Refused(_)), "{error}");
    plain.join().unwrap();
}

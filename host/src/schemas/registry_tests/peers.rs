//! Several addresses, and requests that are made again.

use super::*;

fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn of(urls: &[&str]) -> RegistryConfig {
    let mut config = config(urls[0]);
    config.urls = urls.iter().map(|url| (*url).to_owned()).collect();
    config
}

fn with(id: u32) -> Stub {
    let path = format!("/schemas/ids/{id}");
    Stub::start(vec![(path.as_str(), ok(&json!({ "schema": "s" })))])
}

#[test]
fn the_next_address_is_asked_and_stays_the_first() {
    for fault in [
        failing(500, "oh"),
        failing(503, ""),
        Canned::Slow(Duration::from_secs(2)),
        Canned::Raw(Vec::new()),
    ] {
        let bad = Stub::start(vec![("/schemas/ids/1", fault)]);
        let good = with(1);
        good.set("/schemas/ids/2", ok(&json!({ "schema": "t" })));
        let dead = nobody();
        let source = RegistrySource::open(&of(&[&dead, &bad.url, &good.url]), None).unwrap();
        source.by_id(1).unwrap();
        source.by_id(2).unwrap();
        assert_eq!(
            bad.requests(),
            ["/schemas/ids/1"],
            "and it is not asked again"
        );
        assert_eq!(good.requests(), ["/schemas/ids/1", "/schemas/ids/2"]);
    }
}

#[test]
fn what_a_registry_knows_not_is_not_asked_elsewhere() {
    let (first, second) = (Stub::start(Vec::new()), with(1));
    let source = RegistrySource::open(&of(&[&first.url, &second.url]), None).unwrap();
    assert!(matches!(source.by_id(1), Err(SchemaError::NotFound(_))));
    assert!(second.requests().is_empty());
}

#[test]
fn when_all_fail_each_says_why() {
    let first = Stub::start(vec![("/schemas/ids/1", failing(500, "one"))]);
    let second = Stub::start(vec![("/schemas/ids/1", failing(502, "two"))]);
    let source = RegistrySource::open(&of(&[&first.url, &second.url]), None).unwrap();
    let expected = format!(
        "{}/schemas/ids/1 answered 500: one; {}/schemas/ids/1 answered 502: two",
        first.url, second.url
    );
    assert_eq!(source.by_id(1).unwrap_err(), unavailable(&expected));
}

#[test]
fn a_hiccup_is_not_seen() {
    let stub = with(1);
    stub.set_first("/schemas/ids/1", vec![failing(503, ""), failing(429, "")]);
    let mut config = stub.config();
    config.retries.max = 2;
    config.retries.wait = Duration::from_millis(10);
    let source = RegistrySource::open(&config, None).unwrap();
    source.by_id(1).unwrap();
    assert_eq!(stub.requests().len(), 3);
}

#[test]
fn a_registry_that_was_down_already_is_asked_once() {
    let stub = Stub::start(vec![("/schemas/ids/1", failing(503, ""))]);
    let mut config = stub.config();
    config.retries.max = 2;
    config.retries.wait = Duration::from_millis(10);
    let source = RegistrySource::open(&config, None).unwrap();
    source.by_id(1).unwrap_err();
    assert_eq!(stub.requests().len(), 3);
    // The first delay of 200 ms is over.
    thread::sleep(Duration::from_millis(250));
    source.by_id(1).unwrap_err();
    assert_eq!(stub.requests().len(), 4);
}

#[test]
fn waits_double_up_to_a_bound_and_are_drawn() {
    let retries = Retries {
        max: 9,
        wait: Duration::from_millis(100),
        max_wait: Duration::from_secs(1),
    };
    let waits: Vec<u128> = (0..6)
        .map(|attempt| retries.delay(attempt, 1.0).as_millis())
        .collect();
    assert_eq!(waits, [100, 200, 400, 800, 1_000, 1_000]);
    assert_eq!(retries.delay(99, 0.5).as_millis(), 500);
    assert_eq!(retries.delay(3, 0.0), Duration::ZERO);
    let drawn: Vec<f64> = (0..100).map(|_| random()).collect();
    assert!(drawn.iter().all(|r| (0.0..=1.0).contains(r)));
    assert!(drawn.iter().any(|r| *r > 0.5) && drawn.iter().any(|r| *r < 0.5));
}

#[test]
fn schemas_are_fetched_side_by_side() {
    let stub = Stub::start(Vec::new());
    let answer = json!({ "schema": "s" });
    for id in 1..=24 {
        let path = format!("/schemas/ids/{id}");
        stub.set(&path, ok(&answer));
        stub.set_first(&path, vec![Canned::SlowOk(Duration::from_millis(100))]);
    }
    let source = stub.source();
    let keys: Vec<SchemaKey> = (1..=24).map(SchemaKey::Id).collect();
    let started = Instant::now();
    source.prefetch(&keys);
    let took = started.elapsed();
    // One after the other, these are 2.4 s.
    assert!(took < Duration::from_millis(1_500), "{took:?}");
    assert_eq!(stub.requests().len(), 24);
    for id in 1..=24 {
        source.by_id(id).unwrap();
    }
    source.prefetch(&keys);
    assert_eq!(stub.requests().len(), 24, "all are known");
}

#[test]
fn a_prefetch_from_a_registry_that_is_down_gives_up_soon() {
    let dead = nobody();
    let source = source(&dead);
    let keys: Vec<SchemaKey> = (1..=1_000).map(SchemaKey::Id).collect();
    source.prefetch(&keys);
    assert!(matches!(source.by_id(1), Err(SchemaError::Unavailable(_))));
}

/// A proxy for one connection, which answers with what the client sent to it.
fn proxy_to(target: &str) -> (String, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let target = target.strip_prefix("http://").unwrap().to_owned();
    let proxy = thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        let lines = BufReader::new(&client).lines().map_while(Result::ok);
        let asked: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        (&client).write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let server = TcpStream::connect(target).unwrap();
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut from, &mut to));
        let _ = std::io::copy(&mut &server, &mut &client);
        asked
    });
    (address, proxy)
}

#[test]
fn a_proxy_leads_to_the_registry() {
    let stub = with(1);
    let (address, proxy) = proxy_to(&stub.url);
    let mut config = config("http://registry.invalid");
    config.proxy = Some(crate::config::Declared {
        key: "schema.registry.proxy",
        value: Secret::new(format!("http://weir:hunter2@{address}")),
        declared: crate::config::Location::default(),
    });
    let source = RegistrySource::open(&config, None).unwrap();
    source.by_id(1).unwrap();
    drop(source);
    let asked = proxy.join().unwrap();
    assert_eq!(asked[0], "CONNECT registry.invalid:80 HTTP/1.1");
    let login = "Proxy-Authorization: Basic d2VpcjpodW50ZXIy".to_owned();
    assert!(asked.contains(&login), "{asked:?}");
}

//! Certificates, their keys, and the authorities that have signed them.

use std::collections::HashSet;
use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use weir_tests::certificates::KEY_PASSWORD;
use weir_tests::kafka::{Acl, Client, Listener, Operation, Options, Resource, SecureKafka, User};
use weir_tests::records::{Reader, produce};
use weir_tests::weir::Project;
use weir_tests::{available, orders};

use super::{SOON, copy, end, flow, numbers, pipeline, show};

/// Only the user of the new certificate is let in after the change.
#[test]
fn a_client_certificate_is_replaced_under_load() {
    let options = Options::default().listener(Listener::MutualTls).acls();
    let Some(kafka) = available(SecureKafka::start(options)) else {
        return;
    };
    let brokers = kafka.kafka().brokers();
    let (registry, id) = orders::registry();
    kafka.kafka().create_topic("in", 1);
    kafka.kafka().create_topic("out", 1);
    let acls = |user| {
        [
            (Operation::Read, Resource::Topic("in")),
            (Operation::Read, Resource::Group("g")),
            (Operation::Write, Resource::Topic("out")),
        ]
        .map(|(operation, resource)| Acl {
            user,
            operation,
            resource,
        })
    };
    for acl in acls("carol").iter().chain(&acls("dave")) {
        kafka.allow(acl);
    }
    let project = Project::new();
    let [carol, dave] = ["carol", "dave"].map(|user| kafka.certificates().client(user));
    show(&carol, &project);
    let client = kafka
        .tls_client(Listener::MutualTls, User::ALICE)
        .set("ssl.certificate.location", "client.pem")
        .set("ssl.key.location", "client.key");
    let yaml = format!(
        "source:
{}  topics: [in]
  group.id: g
  commit.interval.ms: 200
schema.registry.url: {}
deserializer: avro
sink: {{ kafka: {{ topic: out }} }}
",
        client.yaml(),
        registry.url()
    );
    let weir = project.run(&yaml).start();
    flow(brokers, "in", id, 0..50);
    assert_eq!(Reader::new(brokers, "out").at_least(50, SOON).len(), 50);

    std::thread::scope(|scope| {
        scope.spawn(|| flow(brokers, "in", id, 50..500));
        // A certificate whose key is not there yet is not taken.
        copy(dave.certificate(), &project.path().join("client.pem"));
        weir.wait_for_stderr("new ssl.certificate.location not taken, the source goes on");
        copy(dave.key(), &project.path().join("client.key"));
        for whose in ["source", "sink"] {
            let line = format!("the {whose} takes new ssl.certificate.location, ssl.key.location");
            weir.wait_for_stderr(&line);
        }
    });
    assert_eq!(Reader::new(brokers, "out").at_least(500, SOON).len(), 500);
    for acl in acls("carol") {
        kafka.disallow(&acl);
    }
    flow(brokers, "in", id, 500..600);

    let written = Reader::new(brokers, "out").at_least(600, SOON);
    let ids: Vec<i64> = written
        .iter()
        .map(|record| {
            let value = record.value.as_deref().expect("a row");
            orders::id(&serde_json::from_slice(value).expect("JSON"))
        })
        .collect();
    let stderr = end(weir);
    assert_eq!(ids, (0..600).collect::<Vec<_>>(), "{stderr}");
    assert_eq!(stderr.matches("takes new").count(), 2, "{stderr}");
    assert!(!stderr.contains("PRIVATE KEY"), "{stderr}");
}

/// The brokers' authority is replaced: first both are trusted, then brokers show certificates of the
/// new one, then only that is trusted.
#[test]
fn the_authority_of_brokers_is_replaced() {
    let options = Options::default().listener(Listener::Tls);
    let Some(mut kafka) = available(SecureKafka::start(options)) else {
        return;
    };
    let brokers = kafka.kafka().brokers().to_owned();
    let (registry, id) = orders::registry();
    kafka.kafka().create_topic("in", 1);
    kafka.kafka().create_topic("out", 1);
    let project = Project::new();
    let [old, new] = [kafka.certificates().ca(), kafka.certificates().unknown_ca()]
        .map(|file| fs::read_to_string(file).expect("an authority"));
    project.write("ca.pem", &old);
    let client = kafka
        .tls_client(Listener::Tls, User::ALICE)
        .set("ssl.ca.location", "ca.pem");
    let weir = project.run(&pipeline(&client, &registry.url(), "")).start();
    flow(&brokers, "in", id, 0..50);
    assert_eq!(numbers(&brokers, "out", 50).len(), 50);

    std::thread::scope(|scope| {
        scope.spawn(|| flow(&brokers, "in", id, 50..300));
        project.write("ca.pem", old + &new);
        for whose in ["source", "sink"] {
            weir.wait_for_stderr(&format!("the {whose} takes new ssl.ca.location"));
        }
    });
    let identity = kafka.certificates().broker_of_unknown_ca();
    kafka.show(Listener::Tls, &identity);
    kafka.kafka_mut().restart();
    flow(&brokers, "in", id, 300..350);
    assert_eq!(numbers(&brokers, "out", 350).len(), 350);
    project.write("ca.pem", &new);
    let deadline = Instant::now() + SOON;
    while weir.stderr().matches("takes new ssl.ca.location").count() < 4 {
        assert!(Instant::now() < deadline, "{}", weir.stderr());
        std::thread::sleep(Duration::from_millis(100));
    }
    flow(&brokers, "in", id, 350..400);
    let ids = numbers(&brokers, "out", 400);
    let stderr = end(weir);
    assert_eq!(ids, (0..400).collect::<Vec<_>>(), "{stderr}");
}

#[test]
fn a_key_store_is_replaced_under_load() {
    let options = Options::default().listener(Listener::MutualTls);
    let Some(kafka) = available(SecureKafka::start(options)) else {
        return;
    };
    let brokers = kafka.kafka().brokers();
    let (registry, id) = orders::registry();
    kafka.kafka().create_topic("in", 1);
    kafka.kafka().create_topic("out", 1);
    let project = Project::new();
    let [carol, dave] = ["carol", "dave"].map(|user| kafka.certificates().client(user));
    copy(carol.key_store(), &project.path().join("client.p12"));
    project.write("password", KEY_PASSWORD);
    let client = kafka
        .tls_client(Listener::MutualTls, User::ALICE)
        .without("ssl.certificate.location")
        .without("ssl.key.location")
        .set("ssl.keystore.location", "client.p12")
        .set("ssl.keystore.password", "${file:password}");
    let weir = project.run(&pipeline(&client, &registry.url(), "")).start();
    flow(brokers, "in", id, 0..50);
    assert_eq!(numbers(brokers, "out", 50).len(), 50);
    std::thread::scope(|scope| {
        scope.spawn(|| flow(brokers, "in", id, 50..300));
        // Half of one is not taken.
        let whole = fs::read(dave.key_store()).expect("a key store");
        project.write("client.p12", &whole[..whole.len() / 2]);
        weir.wait_for_stderr("new ssl.keystore.location not taken, the source goes on");
        project.write("client.p12", &whole);
        for whose in ["source", "sink"] {
            weir.wait_for_stderr(&format!("the {whose} takes new ssl.keystore.location"));
        }
    });
    let ids = numbers(brokers, "out", 300);
    let stderr = end(weir);
    assert_eq!(ids, (0..300).collect::<Vec<_>>(), "{stderr}");
    assert!(!stderr.contains(KEY_PASSWORD), "{stderr}");
}

/// The topic of what is put aside likewise: what waits for it when brokers turn its old client away
/// is sent by the new one. The source, which is turned away too, goes on with what it has fetched.
#[test]
fn a_side_topic_that_is_locked_out_goes_on_with_a_new_certificate() {
    const LATE: usize = 250;
    let options = Options::default().listener(Listener::MutualTls);
    let Some(mut kafka) = available(SecureKafka::start(options)) else {
        return;
    };
    let brokers = kafka.kafka().brokers().to_owned();
    let (registry, id) = orders::registry();
    kafka.kafka().create_topic("in", 1);
    kafka.kafka().create_topic("aside", 1);
    let start = SystemTime::now() - Duration::from_secs(3_600);
    let start = start.duration_since(UNIX_EPOCH).expect("after 1970");
    let start = i64::try_from(start.as_millis()).expect("a time");
    let mut records = orders::records("in", id, 0..1 + i64::try_from(LATE).expect("few"));
    for (record, n) in records.iter_mut().zip(0..) {
        // All but the first are late.
        record.timestamp = Some(start + if n == 0 { 1_800_000 } else { n });
    }
    produce(&brokers, &records);
    let project = Project::new();
    show(&kafka.certificates().client("carol"), &project);
    let client = kafka
        .tls_client(Listener::MutualTls, User::ALICE)
        .set("ssl.certificate.location", "client.pem")
        .set("ssl.key.location", "client.key");
    let yaml = format!(
        "source:
{}  partitions: {{ in: [0] }}
  group.id: g
  startup.mode: earliest
  batch.max.rows: 1
  rate.limit.messages: 25
  rate.limit.burst.ms: 100
  reconnect.backoff.max.ms: 500
schema.registry.url: {}
deserializer: avro
watermark:
  max.out.of.orderness.ms: 0
  late.records: side-topic
  side.topic: aside
",
        client.yaml(),
        registry.url()
    );
    let weir = project.run(&yaml).start();
    let _ = Reader::new(&brokers, "aside").at_least(25, SOON);
    kafka.trust(Listener::MutualTls, kafka.certificates().unknown_ca());
    kafka.kafka_mut().restart();
    weir.wait_for_stderr("still trying");
    std::thread::sleep(Duration::from_secs(1));
    show(
        &kafka.certificates().client_of_unknown_ca("carol"),
        &project,
    );
    weir.wait_for_stderr("the source takes new ssl.certificate.location, ssl.key.location");
    let deadline = Instant::now() + SOON;
    let offset = |record: &weir_tests::records::Record| {
        let mut headers = record.headers.iter();
        let found = headers.find(|(name, _)| name == "__weir.aside.offset");
        found.and_then(|(_, value)| value.clone())
    };
    // Some come twice, as the source could not commit.
    loop {
        let aside = Reader::new(&brokers, "aside").to_end();
        let offsets: HashSet<_> = aside.iter().map(offset).collect();
        if offsets.len() == LATE {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "{}: {}",
            offsets.len(),
            weir.stderr()
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    // The end of the old consumer takes long, and is not what this is about.
    let stderr = weir.kill().stderr;
    assert!(
        stderr.contains("brokers turn the side topic's old client away: the new one sends its"),
        "{stderr}"
    );
}

/// Brokers do not let the sink's old certificate in any more when the new one comes, and its queue is
/// full: what the old client has is sent by the new one, once and in order.
#[test]
fn a_sink_that_is_locked_out_goes_on_with_a_new_certificate() {
    let options = Options::default().listener(Listener::MutualTls);
    let Some(mut kafka) = available(SecureKafka::start(options)) else {
        return;
    };
    let brokers = kafka.kafka().brokers().to_owned();
    let (registry, id) = orders::registry();
    kafka.kafka().create_topic("in", 1);
    kafka.kafka().create_topic("out", 1);
    let project = Project::new();
    show(&kafka.certificates().client("carol"), &project);
    let client = kafka
        .tls_client(Listener::MutualTls, User::ALICE)
        .set("ssl.certificate.location", "client.pem")
        .set("ssl.key.location", "client.key");
    let mut sink = String::from("    queue.buffering.max.messages: 30\n");
    for (key, value) in client.properties() {
        sink.push_str(&format!("    {key}: '{value}'\n"));
    }
    let plain = Client::default().set("bootstrap.servers", &brokers);
    let weir = project
        .run(&pipeline(&plain, &registry.url(), &sink))
        .start();
    flow(&brokers, "in", id, 0..50);
    assert_eq!(numbers(&brokers, "out", 50).len(), 50);

    kafka.trust(Listener::MutualTls, kafka.certificates().unknown_ca());
    kafka.kafka_mut().restart();
    flow(&brokers, "in", id, 50..150);
    weir.wait_for_stderr("still trying");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(numbers(&brokers, "out", 50).len(), 50);

    show(
        &kafka.certificates().client_of_unknown_ca("carol"),
        &project,
    );
    weir.wait_for_stderr("the sink takes new ssl.certificate.location, ssl.key.location");
    flow(&brokers, "in", id, 150..200);
    let ids = numbers(&brokers, "out", 200);
    let stderr = end(weir);
    assert_eq!(ids, (0..200).collect::<Vec<_>>(), "{stderr}");
    assert!(stderr.contains("the new one sends its last"), "{stderr}");
}

//! Certificates and secrets that change while records flow: none is lost, none comes twice.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use weir_tests::certificates::Identity;
use weir_tests::kafka::{Acl, Listener, Mechanism, Operation, Options, Resource};
use weir_tests::kafka::{SecureKafka, User};
use weir_tests::records::{Reader, produce};
use weir_tests::weir::{Project, Running};
use weir_tests::{available, orders};

/// How long records may take on their way.
const SOON: Duration = Duration::from_secs(60);

/// Produces in small pieces, so that some are under way whatever happens meanwhile.
fn flow(brokers: &str, topic: &str, id: u32, numbers: Range<i64>) {
    let last = numbers.end;
    for start in numbers.step_by(5) {
        produce(
            brokers,
            &orders::records(topic, id, start..last.min(start + 5)),
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).expect("the file is copied");
}

fn show(identity: &Identity, project: &Project) {
    copy(identity.certificate(), &project.path().join("client.pem"));
    copy(identity.key(), &project.path().join("client.key"));
}

fn end(mut weir: Running<'_>) -> String {
    weir.terminate();
    weir.finish().with_code(0).stderr
}

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

/// The new password is in the file before brokers know it: it is tried, and taken when it works.
/// Then a restart of the broker makes everybody show it.
#[test]
fn a_password_is_replaced_under_load() {
    let options = Options::default().listener(Listener::SaslPlaintext);
    let Some(mut kafka) = available(SecureKafka::start(options)) else {
        return;
    };
    let (registry, id) = orders::registry();
    kafka.kafka().create_topic("in", 1);
    let project = Project::new();
    project.write("password", User::BOB.password);
    let client = kafka
        .sasl_client(Listener::SaslPlaintext, Mechanism::ScramSha512, User::BOB)
        .set("sasl.password", "${file:password}");
    let yaml = format!(
        "source:
{}  partitions: {{ in: [0] }}
  group.id: g
schema.registry.url: {}
deserializer: avro
",
        client.yaml(),
        registry.url()
    );
    let weir = project.run(&yaml).start();
    flow(kafka.kafka().brokers(), "in", id, 0..50);
    assert_eq!(weir.wait_for_rows(50).len(), 50);

    project.write("password", "another-secret\n");
    weir.wait_for_stderr("new sasl.password not taken, the source goes on with the old");
    kafka
        .kafka()
        .set_scram_password(User::BOB.name, "another-secret");
    weir.wait_for_stderr("the source takes new sasl.password");
    flow(kafka.kafka().brokers(), "in", id, 50..100);
    kafka.kafka_mut().restart();
    flow(kafka.kafka().brokers(), "in", id, 100..200);

    let rows = weir.wait_for_rows(200);
    let ids: Vec<i64> = rows.iter().map(orders::id).collect();
    let stderr = end(weir);
    assert_eq!(ids, (0..200).collect::<Vec<_>>(), "{stderr}");
    for secret in [User::BOB.password, "another-secret"] {
        assert!(!stderr.contains(secret), "{stderr}");
    }
}

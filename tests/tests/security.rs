//! Secure listeners of Apache Kafka: weir reads and writes through each of them, and says what
//! is wrong when it is not let in.

use std::time::Duration;

use weir_tests::kafka::{Acl, Client, Listener, Mechanism, Operation, Resource, SecureKafka, User};
use weir_tests::oidc::TokenFault;
use weir_tests::records::{Reader, produce};
use weir_tests::weir::{Finished, Project};
use weir_tests::{available, orders};

/// How soon a refusal has to be told.
const SOON: Duration = Duration::from_secs(20);

/// Copies the ten orders of a topic to another, both through `client`.
fn copy(kafka: &SecureKafka, name: &str, client: &Client, environment: &[(&str, String)]) {
    let (registry, id) = orders::registry();
    let (from, to) = (format!("{name}-in"), format!("{name}-out"));
    let admin = kafka.kafka();
    admin.create_topic(&from, 2);
    admin.create_topic(&to, 1);
    produce(admin.brokers(), &orders::records(&from, id, 0..10));

    let finished = run(name, client, &from, &to, &registry.url(), environment).with_code(0);
    assert!(
        finished.summary().contains("10 rows of 10 messages"),
        "{}",
        finished.summary()
    );
    let written = Reader::new(admin.brokers(), &to).at_least(10, SOON);
    assert_eq!(written.len(), 10);
}

fn run(
    name: &str,
    client: &Client,
    from: &str,
    to: &str,
    registry: &str,
    environment: &[(&str, String)],
) -> Finished {
    let yaml = format!(
        "name: {name}
source:
{}  topics: [{from}]
  stop.mode: latest
schema.registry.url: {registry}
deserializer: avro
sink: {{ kafka: {{ topic: {to} }} }}
",
        client.yaml()
    );
    let project = Project::new();
    let mut weir = project.run(&yaml);
    for (variable, value) in environment {
        weir = weir.env(variable, value);
    }
    weir.finish()
}

/// What weir says when it is not let in: one error, soon, and exit code 1.
fn refused(name: &str, client: &Client, expected: &str) {
    let finished = run(name, client, name, "elsewhere", "http://127.0.0.1:9", &[]).with_code(1);
    assert!(finished.took < SOON, "{:?}", finished.took);
    // One line, and nothing beside it but the summary.
    let lines: Vec<&str> = finished.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{}", finished.stderr);
    assert!(lines[1].starts_with("error: "), "{}", finished.stderr);
    assert!(lines[1].contains(expected), "{}", finished.stderr);
    for secret in [User::ALICE.password, "wrong-password"] {
        assert!(!finished.stderr.contains(secret), "{}", finished.stderr);
    }
}

fn oauth(kafka: &SecureKafka, id: &str, secret: &str) -> Client {
    kafka
        .sasl_client(Listener::SaslTls, Mechanism::OauthBearer, User::ALICE)
        .set(
            "sasl.oauthbearer.token.endpoint.url",
            kafka.oidc().token_url(),
        )
        .set("sasl.oauthbearer.client.id", id)
        .set("sasl.oauthbearer.client.secret", secret)
}

#[test]
fn records_go_through_tls_and_mutual_tls() {
    let Some(kafka) = available(SecureKafka::shared()) else {
        return;
    };
    let tls = kafka.tls_client(Listener::Tls, User::ALICE);
    copy(kafka, "tls", &tls, &[]);
    let mutual = kafka.tls_client(Listener::MutualTls, User::ALICE);
    copy(kafka, "mutual-tls", &mutual, &[]);
}

#[test]
fn records_go_through_each_mechanism_of_sasl() {
    let Some(kafka) = available(SecureKafka::shared()) else {
        return;
    };
    for (name, listener, mechanism) in [
        ("plain", Listener::SaslTls, Mechanism::Plain),
        ("scram-256", Listener::SaslPlaintext, Mechanism::ScramSha256),
        ("scram-512", Listener::SaslTls, Mechanism::ScramSha512),
    ] {
        let client = kafka.sasl_client(listener, mechanism, User::ALICE);
        copy(kafka, name, &client, &[]);
    }
    copy(
        kafka,
        "oauth",
        &oauth(kafka, User::ALICE.name, User::ALICE.password),
        &[],
    );
}

#[test]
fn records_go_through_kerberos() {
    let Some(kafka) = available(SecureKafka::shared()) else {
        return;
    };
    let Some(kerberos) = available(kafka.kerberos()) else {
        return;
    };
    let client = kafka.sasl_client(Listener::SaslTls, Mechanism::Gssapi, User::ALICE);
    let environment: Vec<(&str, String)> =
        kerberos.environment(User::ALICE.name).into_iter().collect();
    copy(kafka, "kerberos", &client, &environment);
}

#[test]
fn tokens_are_renewed_while_nothing_flows() {
    let Some(kafka) = available(SecureKafka::shared()) else {
        return;
    };
    let oidc = kafka.oidc();
    oidc.add_client("dave", "dave-secret");
    oidc.set_lifetime("dave", Duration::from_secs(10));
    for resource in [Resource::Topic("renewed"), Resource::Group("renewed")] {
        let (user, operation) = ("dave", Operation::Read);
        kafka.allow(&Acl {
            user,
            operation,
            resource,
        });
    }
    let (registry, id) = orders::registry();
    kafka.kafka().create_topic("renewed", 1);
    let yaml = format!(
        "source:\n{}  topics: [renewed]\n  group.id: renewed\nschema.registry.url: {}\n\
         deserializer: avro\n",
        oauth(kafka, "dave", "dave-secret").yaml(),
        registry.url()
    );
    let project = Project::new();
    let mut weir = project.run(&yaml).start();
    let requests = oidc.token_requests("dave");
    while oidc.token_requests("dave") < requests.max(1) + 2 {
        assert!(!weir.has_ended(), "{}", weir.stderr());
        std::thread::sleep(Duration::from_millis(100));
    }
    produce(
        kafka.kafka().brokers(),
        &orders::records("renewed", id, 0..3),
    );
    assert_eq!(weir.wait_for_rows(3).len(), 3);

    // While there are none for a while, what runs goes on, and it comes back by itself.
    oidc.set_fault("dave", TokenFault::Status(500));
    weir.wait_for_stderr("still trying");
    oidc.set_fault("dave", TokenFault::None);
    produce(
        kafka.kafka().brokers(),
        &orders::records("renewed", id, 3..6),
    );
    assert_eq!(weir.wait_for_rows(6).len(), 6);
    weir.terminate();
    let _ = weir.finish().with_code(0);
}

/// In mid-run, brokers refuse the next token, and then nobody gives one: both are told, and neither
/// makes weir ask or connect more often than its back-off says. It goes on when there are good ones.
#[test]
fn a_token_that_is_refused_in_mid_run_is_told_without_a_storm() {
    let Some(kafka) = available(SecureKafka::shared()) else {
        return;
    };
    let oidc = kafka.oidc();
    oidc.add_client("erin", "erin-secret");
    oidc.set_lifetime("erin", Duration::from_secs(6));
    for resource in [Resource::Topic("revoked"), Resource::Group("revoked")] {
        let (user, operation) = ("erin", Operation::Read);
        kafka.allow(&Acl {
            user,
            operation,
            resource,
        });
    }
    let (registry, id) = orders::registry();
    kafka.kafka().create_topic("revoked", 1);
    let yaml = format!(
        "source:\n{}  topics: [revoked]\n  group.id: revoked\n  reconnect.backoff.max.ms: 1000\n\
         schema.registry.url: {}\ndeserializer: avro\n",
        oauth(kafka, "erin", "erin-secret").yaml(),
        registry.url()
    );
    let project = Project::new();
    let mut weir = project.run(&yaml).start();
    let brokers = kafka.kafka().brokers();
    produce(brokers, &orders::records("revoked", id, 0..3));
    assert_eq!(weir.wait_for_rows(3).len(), 3);

    let told = |weir: &str| -> Vec<String> {
        let lines = weir.lines().filter(|line| line.contains("still trying"));
        lines.map(str::to_owned).collect()
    };
    oidc.set_fault("erin", TokenFault::UnknownKey);
    weir.wait_for_stderr("invalid_token");
    let asked = oidc.token_requests("erin");
    std::thread::sleep(Duration::from_secs(6));
    // A token lasts 6 s, and is renewed before.
    let more = oidc.token_requests("erin") - asked;
    assert!(more <= 4, "{more} requests");
    let refused = told(&weir.stderr());
    let why = refused.iter().filter(|line| line.contains("invalid_token"));
    assert_eq!(why.count(), 1, "{refused:#?}");
    // Of each kind one in 10 s.
    assert!(refused.len() <= 4, "{refused:#?}");

    oidc.revoke_client("erin");
    let asked = oidc.token_requests("erin");
    std::thread::sleep(Duration::from_secs(6));
    let more = oidc.token_requests("erin") - asked;
    assert!(more <= 4, "{more} requests");
    let refused = told(&weir.stderr());
    assert!(refused.len() <= 8, "{refused:#?}");
    assert!(!weir.has_ended(), "{}", weir.stderr());

    oidc.add_client("erin", "erin-secret");
    produce(brokers, &orders::records("revoked", id, 3..6));
    assert_eq!(weir.wait_for_rows(6).len(), 6);
    weir.terminate();
    let finished = weir.finish().with_code(0);
    assert_eq!(finished.rows().len(), 6);
    assert!(
        !finished.stderr.contains("erin-secret"),
        "{}",
        finished.stderr
    );
}

#[test]
fn who_is_not_let_in_is_told_why() {
    let Some(kafka) = available(SecureKafka::shared()) else {
        return;
    };
    let certificates = kafka.certificates();
    let tls = kafka.tls_client(Listener::Tls, User::ALICE);
    refused(
        "unknown-ca",
        &tls.set("ssl.ca.location", certificates.unknown_ca().display()),
        "is of an unknown authority",
    );
    for (name, listener, why) in [
        ("expired", Listener::ExpiredCertificate, "has expired"),
        (
            "wrong-host",
            Listener::WrongHostName,
            "is not for the host name 127.0.0.1",
        ),
    ] {
        let client = kafka.tls_client(listener, User::ALICE);
        refused(name, &client, why);
    }
    let mutual = kafka.tls_client(Listener::MutualTls, User::ALICE);
    let nameless = mutual
        .clone()
        .without("ssl.certificate.location")
        .without("ssl.key.location");
    let missing = "wants a certificate of the client: set ssl.certificate.location";
    refused("nameless", &nameless, missing);
    for (name, identity, why) in [
        (
            "stranger",
            certificates.client_of_unknown_ca(User::ALICE.name),
            "does not accept the client's certificate, which is alice's, issued by somebody else",
        ),
        (
            "expired-client",
            certificates.expired_client(User::ALICE.name),
            "the client's own certificate has expired",
        ),
    ] {
        let client = mutual
            .clone()
            .set("ssl.certificate.location", identity.certificate().display())
            .set("ssl.key.location", identity.key().display());
        refused(name, &client, why);
    }
    for (name, mechanism) in [
        ("wrong-plain", Mechanism::Plain),
        ("wrong-scram", Mechanism::ScramSha512),
    ] {
        let client = kafka.sasl_client(Listener::SaslTls, mechanism, User::ALICE);
        let client = client.set("sasl.password", "wrong-password");
        refused(name, &client, "uthentication");
    }
    refused(
        "wrong-secret",
        &oauth(kafka, User::ALICE.name, "wrong-password"),
        "token",
    );
}

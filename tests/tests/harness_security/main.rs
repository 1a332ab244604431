//! The secure listeners themselves: a plain client of rdkafka's is let in by each in its way,
//! and kept out for each way to be wrong.

mod session;

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use openssl::ssl::{HandshakeError, SslConnector, SslMethod};
use rdkafka::types::RDKafkaErrorCode as Code;
use weir_tests::available;
use weir_tests::certificates::{Identity, KEY_PASSWORD};
use weir_tests::kafka::{
    Acl, Client, Listener, Mechanism, Operation, Options, Resource, SecureKafka, User,
};
use weir_tests::oidc::TokenFault;

use session::{Refused, TokenSource, consume, produce, produce_twice, round_trip};

/// Set for the process of a client whose environment leads it to a Kerberos realm.
const KERBEROS_CLIENT: &str = "WEIR_TESTS_KERBEROS_CLIENT";

/// Whether `refused` came within seconds, with this code and with one of these texts.
fn assert_refused(result: Result<(), Refused>, code: Code, texts: &[&str]) {
    let refused = result.expect_err("nobody is let in like that");
    assert_eq!(refused.code, code, "{refused:?}");
    let found = texts.iter().any(|text| refused.reason.contains(text));
    assert!(found, "{refused:?} has none of {texts:?}");
    assert!(refused.after < Duration::from_secs(5), "{refused:?}");
}

#[test]
fn tls_lets_in_who_trusts_the_right_authority() {
    let Some(kafka) = available(SecureKafka::shared()) else {
        return;
    };
    kafka.kafka().create_topic("tls", 1);
    let client = |listener| kafka.tls_client(listener, User::ALICE);
    assert_eq!(round_trip(&client(Listener::Tls), None, "tls"), Ok(()));

    let unknown_ca = kafka.certificates().unknown_ca();
    let stranger = client(Listener::Tls).set("ssl.ca.location", unknown_ca.display());
    let expired = client(Listener::ExpiredCertificate);
    let elsewhere = client(Listener::WrongHostName);
    for (client, why) in [
        (&stranger, "self-signed certificate in certificate chain"),
        (&expired, "certificate has expired"),
        (&elsewhere, "IP address mismatch"),
    ] {
        let refused = produce(client, None, "tls");
        assert_refused(refused, Code::SSL, &["certificate verify failed"]);
        assert_eq!(verification(client), why);
    }

    let careless = elsewhere.set("ssl.endpoint.identification.algorithm", "none");
    assert_eq!(round_trip(&careless, None, "tls"), Ok(()));
}

/// OpenSSL's own word for what is wrong with a broker's certificate: librdkafka keeps it back.
fn verification(client: &Client) -> String {
    let property = |key| client.get(key).expect("a client of TLS has it");
    let mut connector = SslConnector::builder(SslMethod::tls()).expect("a connector");
    let authority = connector.set_ca_file(property("ssl.ca.location"));
    authority.expect("the authority's file is read");
    let stream = TcpStream::connect(property("bootstrap.servers")).expect("the broker listens");
    match connector.build().connect("127.0.0.1", stream) {
        Err(HandshakeError::Failure(refused)) => refused.ssl().verify_result().to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn mutual_tls_lets_in_who_has_a_good_certificate() {
    let Some(kafka) = available(SecureKafka::shared()) else {
        return;
    };
    kafka.kafka().create_topic("mutual-tls", 1);
    let round_trip = |client: &Client| round_trip(client, None, "mutual-tls");
    let client = kafka.tls_client(Listener::MutualTls, User::ALICE);
    assert_eq!(round_trip(&client), Ok(()));

    let certificates = kafka.certificates();
    let identity = certificates.client(User::ALICE.name);
    let encrypted = with_identity(&client, &identity)
        .set("ssl.key.location", identity.encrypted_key().display())
        .set("ssl.key.password", KEY_PASSWORD);
    assert_eq!(round_trip(&encrypted), Ok(()));

    let nobody = client
        .clone()
        .without("ssl.certificate.location")
        .without("ssl.key.location");
    let in_store = nobody
        .clone()
        .set("ssl.keystore.location", identity.key_store().display())
        .set("ssl.keystore.password", KEY_PASSWORD);
    assert_eq!(round_trip(&in_store), Ok(()));

    // Not an error of TLS for the client, which has finished its handshake before the broker
    // looks at the certificate.
    let refused = |client: &Client, alert: &str| {
        let refused = round_trip(client);
        assert_refused(refused, Code::BrokerTransportFailure, &[alert]);
    };
    refused(&nobody, "alert bad certificate");
    // librdkafka does not even show one that no authority of the broker's has signed.
    let stranger = certificates.client_of_unknown_ca(User::ALICE.name);
    refused(&with_identity(&client, &stranger), "alert bad certificate");
    let late = certificates.expired_client(User::ALICE.name);
    refused(&with_identity(&client, &late), "alert certificate unknown");
}

#[test]
fn passwords_are_taken_and_refused() {
    let Some(kafka) = available(SecureKafka::shared()) else {
        return;
    };
    kafka.kafka().create_topic("passwords", 1);
    for listener in [Listener::SaslPlaintext, Listener::SaslTls] {
        for mechanism in [
            Mechanism::Plain,
            Mechanism::ScramSha256,
            Mechanism::ScramSha512,
        ] {
            let client = kafka.sasl_client(listener, mechanism, User::ALICE);
            let with = round_trip(&client, None, "passwords");
            assert_eq!(with, Ok(()), "{listener:?} {mechanism:?}");
            let wrong = client.set("sasl.password", "wrong");
            let without = produce(&wrong, None, "passwords");
            assert_refused(without, Code::Authentication, &["uthentication failed"]);
        }
    }
}

#[test]
fn tokens_are_taken_and_refused() {
    let Some(kafka) = available(SecureKafka::shared()) else {
        return;
    };
    kafka.kafka().create_topic("tokens", 1);
    let oidc = kafka.oidc();
    let source = TokenSource {
        url: oidc.token_url(),
        id: User::ALICE.name.to_owned(),
        secret: User::ALICE.password.to_owned(),
    };
    let client = |listener| kafka.sasl_client(listener, Mechanism::OauthBearer, User::ALICE);
    for listener in [Listener::SaslPlaintext, Listener::SaslTls] {
        let result = round_trip(&client(listener), Some(&source), "tokens");
        assert_eq!(result, Ok(()), "{listener:?}");
    }
    assert_eq!(oidc.token_requests(User::ALICE.name), 4);

    let client = client(Listener::SaslPlaintext);
    let refused = |source: &TokenSource| produce(&client, Some(source), "tokens");
    for fault in [
        TokenFault::ForAnotherAudience,
        TokenFault::UnknownKey,
        TokenFault::Expired,
    ] {
        oidc.set_fault(User::ALICE.name, fault);
        let result = refused(&source);
        assert_refused(result, Code::Authentication, &["invalid_token", "expire"]);
    }
    for fault in [
        TokenFault::Down,
        TokenFault::Status(500),
        TokenFault::Garbage,
    ] {
        oidc.set_fault(User::ALICE.name, fault);
        let result = refused(&source);
        assert_refused(result, Code::Authentication, &["acquire"]);
    }
    oidc.set_fault(User::ALICE.name, TokenFault::None);

    let wrong = TokenSource {
        secret: "wrong".to_owned(),
        ..source.clone()
    };
    assert_refused(refused(&wrong), Code::Authentication, &["401"]);
    oidc.revoke_client(User::ALICE.name);
    assert_refused(refused(&source), Code::Authentication, &["401"]);
    oidc.add_client(User::ALICE.name, User::ALICE.password);
    assert_eq!(round_trip(&client, Some(&source), "tokens"), Ok(()));
}

#[test]
fn short_lived_tokens_are_replaced() {
    let Some(kafka) = available(SecureKafka::shared()) else {
        return;
    };
    kafka.kafka().create_topic("short-lived", 1);
    kafka.allow(&Acl {
        user: "carol",
        operation: Operation::Write,
        resource: Resource::Topic("short-lived"),
    });
    let source = TokenSource {
        url: kafka.oidc().token_url(),
        id: "carol".to_owned(),
        secret: "carol-secret".to_owned(),
    };
    kafka.oidc().add_client(&source.id, &source.secret);
    kafka
        .oidc()
        .set_lifetime(&source.id, Duration::from_secs(5));

    // The broker ends a session whose token has expired: the second record is of another token.
    let client = kafka.sasl_client(Listener::SaslPlaintext, Mechanism::OauthBearer, User::ALICE);
    let pause = Duration::from_secs(7);
    let result = produce_twice(&client, Some(&source), "short-lived", pause);
    assert_eq!(result, Ok(()));
    let requests = kafka.oidc().token_requests(&source.id);
    assert!((2..10).contains(&requests), "{requests} requests");
}

#[test]
fn tickets_are_taken_and_refused() {
    if let Ok(client) = std::env::var(KERBEROS_CLIENT) {
        return be_kerberos_client(&client);
    }
    let Some(kafka) = available(SecureKafka::shared()) else {
        return;
    };
    let Some(kerberos) = available(kafka.kerberos()) else {
        return;
    };
    kafka.kafka().create_topic("tickets", 1);
    let run = |client: &Client, name: &str| {
        let properties: Vec<_> = client.properties().collect();
        let properties = serde_json::to_string(&properties).expect("properties are JSON");
        let output = Command::new(std::env::current_exe().expect("the test knows itself"))
            .args(["--exact", "tickets_are_taken_and_refused"])
            .env(KERBEROS_CLIENT, properties)
            .envs(kerberos.environment(name))
            .output()
            .expect("the test runs itself");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    for listener in [Listener::SaslPlaintext, Listener::SaslTls] {
        let client = kafka.sasl_client(listener, Mechanism::Gssapi, User::ALICE);
        let said = run(&client, User::ALICE.name);
        assert!(said.contains("1 passed"), "{listener:?}: {said}");
    }

    let keytab = kerberos.stale_keytab("mallory");
    let stale = kafka
        .sasl_client(Listener::SaslPlaintext, Mechanism::Gssapi, User::ALICE)
        .set("sasl.kerberos.principal", "mallory")
        .set("sasl.kerberos.keytab", keytab.display());
    let said = run(&stale, "mallory");
    assert!(said.contains("code: Authentication"), "{said}");
}

/// In a process of its own, since Kerberos' library is configured by the environment alone.
fn be_kerberos_client(properties: &str) {
    let properties: Vec<(String, String)> =
        serde_json::from_str(properties).expect("properties are JSON");
    let client = properties
        .iter()
        .fold(Client::default(), |client, (key, value)| {
            client.set(key, value)
        });
    assert_eq!(round_trip(&client, None, "tickets"), Ok(()));
}

#[test]
fn a_missing_acl_is_named_and_added() {
    let Some(kafka) = available(SecureKafka::shared()) else {
        return;
    };
    kafka.kafka().create_topic("acls", 1);
    let client = kafka.sasl_client(Listener::SaslPlaintext, Mechanism::ScramSha512, User::BOB);
    let acl = |operation, resource| Acl {
        user: User::BOB.name,
        operation,
        resource,
    };
    let topic = Resource::Topic("acls");
    let produce = || produce(&client, None, "acls");
    let consume = || consume(&client, None, "acls");

    assert_refused(produce(), Code::TopicAuthorizationFailed, &[""]);
    kafka.allow(&acl(Operation::Write, topic));
    assert_eq!(produce(), Ok(()));

    assert_refused(consume(), Code::GroupAuthorizationFailed, &[""]);
    kafka.allow(&acl(Operation::Read, Resource::Group("acls")));
    assert_refused(consume(), Code::TopicAuthorizationFailed, &[""]);
    kafka.allow(&acl(Operation::Read, topic));
    assert_eq!(consume(), Ok(()));

    kafka.disallow(&acl(Operation::Write, topic));
    assert_refused(produce(), Code::TopicAuthorizationFailed, &[""]);
}

#[test]
fn there_is_only_what_was_asked_for_and_it_comes_back() {
    let options = Options::default()
        .listener(Listener::SaslTls)
        .property("message.max.bytes", "1000");
    let Some(mut kafka) = available(SecureKafka::start(options)) else {
        return;
    };
    kafka.kafka().create_topic("kept", 1);
    kafka.kafka_mut().kill();
    kafka.kafka_mut().restart();

    let client = kafka.sasl_client(Listener::SaslTls, Mechanism::ScramSha256, User::BOB);
    assert_eq!(round_trip(&client, None, "kept"), Ok(()));
    let properties = std::fs::read_to_string(kafka.kafka().folder().join("server.properties"));
    let properties = properties.expect("the broker has its properties");
    assert!(properties.contains("message.max.bytes=1000"));
    for other in ["MUTUAL_TLS", "OAUTHBEARER", "GSSAPI", "authorizer"] {
        assert!(!properties.contains(other), "{other} in:\n{properties}");
    }
}

fn with_identity(client: &Client, identity: &Identity) -> Client {
    client
        .clone()
        .set("ssl.certificate.location", identity.certificate().display())
        .set("ssl.key.location", identity.key().display())
}

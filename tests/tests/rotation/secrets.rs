//! Passwords, keytabs and secrets of OAuth clients, also those that a registry wants.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use weir_tests::kafka::{Listener, Mechanism, Options, SecureKafka, User};
use weir_tests::mock::Mock;
use weir_tests::records::produce;
use weir_tests::registry::NewSchema;
use weir_tests::weir::Project;
use weir_tests::{Broker, available, orders};

use super::{copy, end, flow, numbers, pipeline};

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

/// Brokers know the new password before the file has it, and are restarted in between.
#[test]
fn a_password_that_brokers_have_first_ends_nothing() {
    let options = Options::default().listener(Listener::SaslPlaintext);
    let Some(mut kafka) = available(SecureKafka::start(options)) else {
        return;
    };
    let brokers = kafka.kafka().brokers().to_owned();
    let (registry, id) = orders::registry();
    kafka.kafka().create_topic("in", 1);
    kafka.kafka().create_topic("out", 1);
    let project = Project::new();
    project.write("password", User::BOB.password);
    let client = kafka
        .sasl_client(Listener::SaslPlaintext, Mechanism::ScramSha512, User::BOB)
        .set("sasl.password", "${file:password}");
    let weir = project.run(&pipeline(&client, &registry.url(), "")).start();
    flow(&brokers, "in", id, 0..50);
    assert_eq!(numbers(&brokers, "out", 50).len(), 50);
    kafka
        .kafka()
        .set_scram_password(User::BOB.name, "another-secret");
    kafka.kafka_mut().restart();
    flow(&brokers, "in", id, 50..100);
    weir.wait_for_stderr("still trying");
    std::thread::sleep(Duration::from_secs(1));
    project.write("password", "another-secret");
    weir.wait_for_stderr("the sink takes new sasl.password");
    let ids = numbers(&brokers, "out", 100);
    let stderr = end(weir);
    assert_eq!(ids, (0..100).collect::<Vec<_>>(), "{stderr}");
}

#[test]
fn a_keytab_is_replaced_under_load() {
    let options = Options::default().listener(Listener::SaslTls).kerberos();
    let Some(mut kafka) = available(SecureKafka::start(options)) else {
        return;
    };
    if available(kafka.kerberos()).is_none() {
        return;
    }
    let brokers = kafka.kafka().brokers().to_owned();
    let (registry, id) = orders::registry();
    kafka.kafka().create_topic("in", 1);
    kafka.kafka().create_topic("out", 1);
    let project = Project::new();
    let keytab = project.path().join("client.keytab");
    let kerberos = kafka.kerberos().expect("it is there");
    copy(&kerberos.keytab(User::ALICE.name), &keytab);
    let environment = kerberos.environment("rotation");
    let client = kafka
        .sasl_client(Listener::SaslTls, Mechanism::Gssapi, User::ALICE)
        .set("sasl.kerberos.keytab", "client.keytab");
    let mut weir = project.run(&pipeline(&client, &registry.url(), ""));
    for (name, value) in &environment {
        weir = weir.env(name, value);
    }
    let weir = weir.start();
    flow(&brokers, "in", id, 0..50);
    assert_eq!(numbers(&brokers, "out", 50).len(), 50);

    let another = kerberos.another_keytab(User::ALICE.name);
    copy(&another, &keytab);
    for whose in ["source", "sink"] {
        weir.wait_for_stderr(&format!("the {whose} takes new sasl.kerberos.keytab"));
    }
    // Everybody has to show a ticket again.
    kafka.kafka_mut().restart();
    flow(&brokers, "in", id, 50..150);
    let ids = numbers(&brokers, "out", 150);
    let stderr = end(weir);
    assert_eq!(ids, (0..150).collect::<Vec<_>>(), "{stderr}");
}

#[test]
fn an_oauth_clients_secret_is_replaced_under_load() {
    let options = Options::default().listener(Listener::SaslTls).oidc();
    let Some(mut kafka) = available(SecureKafka::start(options)) else {
        return;
    };
    let brokers = kafka.kafka().brokers().to_owned();
    let (registry, id) = orders::registry();
    kafka.kafka().create_topic("in", 1);
    kafka.kafka().create_topic("out", 1);
    let project = Project::new();
    project.write("secret", "first-secret");
    kafka.oidc().add_client("dave", "first-secret");
    let client = kafka
        .sasl_client(Listener::SaslTls, Mechanism::OauthBearer, User::ALICE)
        .set(
            "sasl.oauthbearer.token.endpoint.url",
            kafka.oidc().token_url(),
        )
        .set("sasl.oauthbearer.client.id", "dave")
        .set("sasl.oauthbearer.client.secret", "${file:secret}");
    let weir = project.run(&pipeline(&client, &registry.url(), "")).start();
    flow(&brokers, "in", id, 0..50);
    assert_eq!(numbers(&brokers, "out", 50).len(), 50);

    project.write("secret", "second-secret");
    weir.wait_for_stderr("new sasl.oauthbearer.client.secret not taken, the source goes on");
    kafka.oidc().add_client("dave", "second-secret");
    for whose in ["source", "sink"] {
        weir.wait_for_stderr(&format!(
            "the {whose} takes new sasl.oauthbearer.client.secret"
        ));
    }
    kafka.kafka_mut().restart();
    flow(&brokers, "in", id, 50..150);
    let ids = numbers(&brokers, "out", 150);
    let stderr = end(weir);
    assert_eq!(ids, (0..150).collect::<Vec<_>>(), "{stderr}");
    for secret in ["first-secret", "second-secret"] {
        assert!(!stderr.contains(secret), "{stderr}");
    }
}

/// A registry's password is replaced: what it is asked after that is asked with the new one.
#[test]
fn a_registrys_password_is_replaced() {
    let mock = Mock::start();
    let (registry, id) = orders::registry();
    mock.create_topic("in", 1);
    let accepted = Arc::new(Mutex::new("weir:first-secret"));
    let now = Arc::clone(&accepted);
    registry.let_in(move |request| {
        let expected = BASE64_STANDARD.encode(*now.lock().expect("not poisoned"));
        request.header("authorization") == Some(&format!("Basic {expected}"))
    });
    let project = Project::new();
    project.write("password", "first-secret");
    let yaml = format!(
        "source:
  bootstrap.servers: {}
  topics: [in]
{}schema.registry:
  url: {}
  basic.auth.user.info: 'weir:${{file:password}}'
deserializer: avro
",
        mock.brokers(),
        Broker::source_keys(&mock),
        registry.url()
    );
    let weir = project.run(&yaml).start();
    produce(mock.brokers(), &orders::records("in", id, 0..5));
    assert_eq!(weir.wait_for_rows(5).len(), 5);

    project.write("password", "second-secret");
    let whose = "the client of the schema registry";
    let refused = format!("new schema.registry.basic.auth.user.info not taken, {whose} goes on");
    weir.wait_for_stderr(&refused);
    *accepted.lock().expect("not poisoned") = "weir:second-secret";
    weir.wait_for_stderr(&format!(
        "{whose} takes new schema.registry.basic.auth.user.info"
    ));
    // A schema that it has not asked for yet.
    let schema = registry.schema(id).expect("the schema of orders");
    let schema = schema.replacen("{", "{\"doc\": \"another\", ", 1);
    let other = registry.register("other-value", NewSchema::avro(&schema));
    assert_ne!(other, id);
    produce(mock.brokers(), &orders::records("in", other, 5..10));
    assert_eq!(weir.wait_for_rows(10).len(), 10);
    let stderr = end(weir);
    for secret in ["first-secret", "second-secret"] {
        assert!(!stderr.contains(secret), "{stderr}");
    }
}

//! Kerberos.

use std::process::Command;

use weir_tests::available;
use weir_tests::kafka::{Client, Listener, Mechanism, SecureKafka, User};

use crate::session::round_trip;

/// Set for the process of a client whose environment leads it to a Kerberos realm.
const KERBEROS_CLIENT: &str = "WEIR_TESTS_KERBEROS_CLIENT";

#[test]
fn are_taken_and_refused() {
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
            .args(["--exact", "tickets::are_taken_and_refused"])
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

//! Passwords and tokens.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rdkafka::types::RDKafkaErrorCode as Code;
use serde_json::Value;
use weir_tests::available;
use weir_tests::kafka::{Acl, Listener, Mechanism, Operation, Resource, SecureKafka, User};
use weir_tests::oidc::{Oidc, TokenFault};

use crate::assert_refused;
use crate::session::{TokenSource, produce, produce_twice, round_trip};

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
            assert_refused(without, &[Code::Authentication], &["uthentication failed"]);
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
        assert_refused(
            result,
            &[Code::Authentication],
            &["invalid_token", "expire"],
        );
    }
    for fault in [
        TokenFault::Down,
        TokenFault::Status(500),
        TokenFault::Garbage,
    ] {
        oidc.set_fault(User::ALICE.name, fault);
        let result = refused(&source);
        assert_refused(result, &[Code::Authentication], &["acquire"]);
    }
    oidc.set_fault(User::ALICE.name, TokenFault::None);

    let wrong = TokenSource {
        secret: "wrong".to_owned(),
        ..source.clone()
    };
    assert_refused(refused(&wrong), &[Code::Authentication], &["401"]);
    oidc.revoke_client(User::ALICE.name);
    assert_refused(refused(&source), &[Code::Authentication], &["401"]);
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
        .set_lifetime(&source.id, Duration::from_secs(8));

    // The broker ends a session whose token has expired: the second record is of another token.
    let client = kafka.sasl_client(Listener::SaslPlaintext, Mechanism::OauthBearer, User::ALICE);
    let pause = Duration::from_secs(9);
    let result = produce_twice(&client, Some(&source), "short-lived", pause);
    assert_eq!(result, Ok(()));
    let requests = kafka.oidc().token_requests(&source.id);
    assert!((2..10).contains(&requests), "{requests} requests");
}

#[test]
fn the_token_endpoint_takes_the_secret_in_the_header_too() {
    let oidc = Oidc::start();
    oidc.add_client("an id", "a:secret");
    let ask = |secret: &str| {
        let credentials = BASE64_STANDARD.encode(format!("an%20id:{secret}"));
        ureq::post(oidc.token_url())
            .header("Authorization", format!("Basic {credentials}"))
            .send_form([("grant_type", "client_credentials")])
    };
    assert!(matches!(ask("wrong"), Err(ureq::Error::StatusCode(401))));
    let token: Value = ask("a%3Asecret")
        .and_then(|mut answer| answer.body_mut().read_json())
        .expect("the secret is right");
    assert_eq!(token["expires_in"], 3600);
    assert_eq!(oidc.token_requests("an id"), 2);
}

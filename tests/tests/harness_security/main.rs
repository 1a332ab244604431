//! The secure listeners themselves: a plain client of rdkafka's is let in by each in its way,
//! and kept out for each way to be wrong.

mod sasl;
mod session;
mod tickets;
mod tls;

use std::time::Duration;

use rdkafka::types::RDKafkaErrorCode as Code;
use weir_tests::available;
use weir_tests::kafka::{
    Acl, Listener, Mechanism, Operation, Options, Resource, SecureKafka, User,
};

use session::{Refused, consume, produce, round_trip};

/// The refusal came within seconds, with one of these codes and one of these texts.
fn assert_refused(result: Result<(), Refused>, codes: &[Code], texts: &[&str]) {
    let refused = result.expect_err("nobody is let in like that");
    assert!(codes.contains(&refused.code), "{refused:?}");
    let found = texts.iter().any(|text| refused.reason.contains(text));
    assert!(found, "{refused:?} has none of {texts:?}");
    assert!(refused.after < Duration::from_secs(5), "{refused:?}");
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

    assert_refused(produce(), &[Code::TopicAuthorizationFailed], &[""]);
    kafka.allow(&acl(Operation::Write, topic));
    assert_eq!(produce(), Ok(()));

    assert_refused(consume(), &[Code::GroupAuthorizationFailed], &[""]);
    kafka.allow(&acl(Operation::Read, Resource::Group("acls")));
    assert_refused(consume(), &[Code::TopicAuthorizationFailed], &[""]);
    kafka.allow(&acl(Operation::Read, topic));
    assert_eq!(consume(), Ok(()));

    kafka.disallow(&acl(Operation::Write, topic));
    assert_refused(produce(), &[Code::TopicAuthorizationFailed], &[""]);
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

//! TLS, and TLS that demands a certificate of the client.

use std::net::TcpStream;

use openssl::ssl::{HandshakeError, SslConnector, SslMethod};
use rdkafka::types::RDKafkaErrorCode as Code;
use weir_tests::available;
use weir_tests::certificates::{Identity, KEY_PASSWORD};
use weir_tests::kafka::{Client, Listener, SecureKafka, User};

use crate::assert_refused;
use crate::session::{produce, round_trip};

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
        // Of the transport, if librdkafka meets the end of the connection first.
        let codes = [Code::SSL, Code::BrokerTransportFailure];
        assert_refused(refused, &codes, &["certificate verify failed"]);
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
        assert_refused(refused, &[Code::BrokerTransportFailure], &[alert]);
    };
    refused(&nobody, "alert bad certificate");
    // librdkafka does not even show one that no authority of the broker's has signed.
    let stranger = certificates.client_of_unknown_ca(User::ALICE.name);
    refused(&with_identity(&client, &stranger), "alert bad certificate");
    let late = certificates.expired_client(User::ALICE.name);
    refused(&with_identity(&client, &late), "alert certificate unknown");
}

fn with_identity(client: &Client, identity: &Identity) -> Client {
    client
        .clone()
        .set("ssl.certificate.location", identity.certificate().display())
        .set("ssl.key.location", identity.key().display())
}

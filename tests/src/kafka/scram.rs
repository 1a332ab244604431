//! New passwords of SCRAM users, by Kafka's own protocol: rdkafka has no request for them, and
//! a command of Kafka's is not among the jars that the broker needs.

use openssl::hash::MessageDigest;
use openssl::pkcs5::pbkdf2_hmac;

use super::acl::ask;

/// AlterUserScramCredentials (KIP-554), version 0.
const ALTER: u8 = 51;
/// SCRAM-SHA-512, as that request numbers it.
const SHA_512: u8 = 2;
const ITERATIONS: u16 = 4096;
const SALT: &[u8] = b"a salt for tests";

/// Gives a user of SCRAM-SHA-512 another password.
pub(super) fn set_password(brokers: &str, user: &str, password: &str) {
    let mut salted = [0; 64];
    pbkdf2_hmac(
        password.as_bytes(),
        SALT,
        ITERATIONS.into(),
        MessageDigest::sha512(),
        &mut salted,
    )
    .expect("OpenSSL derives a key");
    // The end of the header: no tags; then no deletions, and one change.
    let mut body = vec![0, 1, 2];
    body.extend(compact(user.as_bytes()));
    body.push(SHA_512);
    body.extend(u32::from(ITERATIONS).to_be_bytes());
    body.extend(compact(SALT));
    body.extend(compact(&salted));
    body.extend([0, 0]); // no tags, for the change and for the request
    let answer = ask(brokers, ALTER, 0, &body);
    // A tag count, a throttle time, a list of one: the user, and an error.
    let error = 6 + compact(user.as_bytes()).len();
    let error = answer
        .get(error..error + 2)
        .expect("the answer has an error code");
    assert_eq!(error, [0, 0], "the broker refuses a password: {answer:?}");
}

/// Bytes, or a string, after their length plus one.
fn compact(bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len() + 1).expect("less than 127 bytes");
    assert!(length < 0x80, "a length of one byte");
    [&[length], bytes].concat()
}

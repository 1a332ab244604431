//! JSON web tokens, signed with RSA and SHA-256 (RFC 7515 to 7519).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use serde_json::{Value, json};

/// A key pair, with the name that tokens refer to it by.
#[derive(Debug)]
pub(super) struct SigningKey {
    id: &'static str,
    pair: Rsa<Private>,
}

impl SigningKey {
    pub(super) fn generate(id: &'static str) -> Self {
        let pair = Rsa::generate(2048).expect("OpenSSL makes a key");
        Self { id, pair }
    }

    /// The public half, as a member of a JSON web key set.
    pub(super) fn to_jwk(&self) -> Value {
        json!({
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.id,
            "n": BASE64_URL_SAFE_NO_PAD.encode(self.pair.n().to_vec()),
            "e": BASE64_URL_SAFE_NO_PAD.encode(self.pair.e().to_vec()),
        })
    }

    /// A token that was issued `age` ago and lives for `lifetime` since.
    pub(super) fn token(
        &self,
        subject: &str,
        audience: &str,
        age: Duration,
        lifetime: Duration,
    ) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let issued = now.expect("the clock is after 1970") - age;
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.id });
        let claims = json!({
            "iss": super::ISSUER,
            "sub": subject,
            "aud": audience,
            "scope": "kafka",
            "iat": issued.as_secs(),
            "exp": (issued + lifetime).as_secs(),
        });
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.sign(signed.as_bytes());
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        let key = PKey::from_rsa(self.pair.clone()).expect("a pair is a key");
        let mut signer = Signer::new(MessageDigest::sha256(), &key).expect("a signer");
        signer.sign_oneshot_to_vec(bytes).expect("OpenSSL signs")
    }
}

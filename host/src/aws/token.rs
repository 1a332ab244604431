//! The token of MSK: a URL that asks for `kafka-cluster:Connect`, signed beforehand (Signature
//! Version 4 in the query), in base64.

use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Credentials;

/// How long brokers take a token, as Amazon's own signers have it.
const LIFE: Duration = Duration::from_secs(900);
const USER_AGENT: &str = concat!("weir/", env!("CARGO_PKG_VERSION"));

/// A token, and how long it is good.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SignedToken {
    /// What is shown to brokers: a secret.
    pub(crate) text: String,
    /// When brokers refuse it: 900 s from now, or when the credentials end.
    pub(crate) expires: SystemTime,
}

impl std::fmt::Debug for SignedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = f.debug_struct("SignedToken");
        { shown }
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Signs a token.
///
/// # Errors
/// A region that is none, in words.
pub(crate) fn msk_token(
    region: &str,
    credentials: &Credentials,
    now: SystemTime,
) -> Result<SignedToken, String> {
    let words = |error: &dyn std::fmt::Display| format!("signing a token for MSK: {error}");
    let identity = aws_credential_types::Credentials::new(
        &credentials.access_key_id,
        &credentials.secret_access_key,
        credentials.session_token.clone(),
        None,
        "weir",
    )
    .into();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(LIFE);
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("kafka-cluster")
        .time(now)
        .settings(settings)
        .build()
        .map_err(|error| words(&error))?;
    let mut url = format!("https://kafka.{region}.amazonaws.com/?Action=kafka-cluster%3AConnect");
    let body = SignableBody::Bytes(&[]);
    let request = SignableRequest::new("GET", url.as_str(), std::iter::empty(), body)
        .map_err(|error| words(&error))?;
    let signed = sign(request, &parameters.into()).map_err(|error| words(&error))?;
    for (name, value) in signed.output().params() {
        url.push('&');
        url.push_str(name);
        url.push('=');
        url.push_str(&escaped(value));
    }
    // Not signed: brokers log it.
    url.push_str("&User-Agent=");
    url.push_str(&escaped(USER_AGENT));
    let end = now + LIFE;
    Ok(SignedToken {
        text: URL_SAFE_NO_PAD.encode(url),
        expires: credentials.expires.map_or(end, |ends| ends.min(end)),
    })
}

/// As RFC 3986 has it, which Signature Version 4 goes by.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Made by Amazon's own signer for Python (1.0.2, on botocore 1.44.8) for these credentials at
    /// this time: the parameters, without the user agent, by name.
    #[test]
    fn the_same_as_amazons_own_signer_makes() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        for (region, session_token, signature) in [
            (
                "us-east-1",
                None,
                "253398ddf30b737b61a7a122a0259ada4c7162423af560094b2f4edef8033616",
            ),
            (
                "eu-central-1",
                Some("a/session+token=="),
                "84e1104616d7a1f3173035335691122b7dbb5734d18c7412c767b71bb100a243",
            ),
        ] {
            let credentials = Credentials {
                access_key_id: "AKIDEXAMPLE".to_owned(),
                secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
                session_token: session_token.map(str::to_owned),
                expires: None,
            };
            let token = msk_token(region, &credentials, now).unwrap();
            assert_eq!(token.expires, now + Duration::from_secs(900));
            let url = String::from_utf8(URL_SAFE_NO_PAD.decode(&token.text).unwrap()).unwrap();
            let (address, query) = url.split_once('?').unwrap();
            assert_eq!(address, format!("https://kafka.{region}.amazonaws.com/"));
            let mut parameters: BTreeMap<&str, &str> = query
                .split('&')
                .map(|pair| pair.split_once('=').unwrap())
                .collect();
            assert!(
                parameters
                    .remove("User-Agent")
                    .unwrap()
                    .starts_with("weir%2F")
            );
            let scope = format!("AKIDEXAMPLE%2F20231114%2F{region}%2Fkafka-cluster%2Faws4_request");
            let mut expected = BTreeMap::from([
                ("Action", "kafka-cluster%3AConnect"),
                ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
                ("X-Amz-Credential", scope.as_str()),
                ("X-Amz-Date", "20231114T221320Z"),
                ("X-Amz-Expires", "900"),
                ("X-Amz-Signature", signature),
                ("X-Amz-SignedHeaders", "host"),
            ]);
            if session_token.is_some() {
                expected.insert("X-Amz-Security-Token", "a%2Fsession%2Btoken%3D%3D");
            }
            assert_eq!(parameters, expected);
            assert!(!format!("{credentials:?} {token:?}").contains("wJalr"));
        }
    }

    #[test]
    fn a_token_is_not_good_for_longer_than_its_credentials() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let mut credentials = Credentials {
            access_key_id: "a".to_owned(),
            secret_access_key: "b".to_owned(),
            session_token: None,
            expires: Some(now + Duration::from_secs(100)),
        };
        let expires =
            |credentials: &Credentials| msk_token("us-east-1", credentials, now).unwrap().expires;
        assert_eq!(expires(&credentials), now + Duration::from_secs(100));
        credentials.expires = Some(now + Duration::from_secs(10_000));
        assert_eq!(expires(&credentials), now + LIFE);
    }
}

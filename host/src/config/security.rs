//! How a client connects, and how it proves who it is: what goes together, and what does not.

use super::choice::choice;
use super::client::{ClientProperties, Origin, Property};
use super::key::Key;
use super::reader::Reader;
use super::region::region;
use super::url;

/// The property that a client of Amazon MSK has, and no other; weir's own, not librdkafka's.
const MSK_REGION: &str = "sasl.aws.region";

choice! {
    /// How to connect to brokers.
    pub enum SecurityProtocol {
        /// Neither encrypted nor authenticated.
        Plaintext = "plaintext",
        /// TLS.
        Ssl = "ssl",
        /// SASL without encryption.
        SaslPlaintext = "sasl_plaintext",
        /// SASL within TLS.
        SaslSsl = "sasl_ssl",
    }
}

choice! {
    /// How to authenticate.
    pub enum SaslMechanism {
        /// User and password as they are (RFC 4616).
        Plain = "PLAIN",
        /// User and password, never sent themselves (RFC 5802).
        ScramSha256 = "SCRAM-SHA-256",
        /// The same with another hash.
        ScramSha512 = "SCRAM-SHA-512",
        /// Kerberos.
        Gssapi = "GSSAPI",
        /// Tokens from an OAuth endpoint (KIP-768).
        OauthBearer = "OAUTHBEARER",
        /// Tokens that are signed with AWS credentials; OAUTHBEARER, for brokers.
        AwsMskIam = "AWS_MSK_IAM",
    }
}

choice! {
    /// Whether certificates are held against host names.
    pub enum HostNameCheck {
        /// As for HTTPS.
        Https = "https",
        /// Not at all.
        None = "none",
    }
}

impl SecurityProtocol {
    /// Whether connections are encrypted.
    #[must_use]
    pub const fn has_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    /// Whether the client authenticates by SASL.
    #[must_use]
    pub const fn has_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

impl SaslMechanism {
    /// The beginnings of the keys that it takes, without their section.
    const fn takes(self) -> &'static [&'static str] {
        match self {
            Self::Plain | Self::ScramSha256 | Self::ScramSha512 => {
                &["sasl.username", "sasl.password"]
            }
            Self::Gssapi => &["sasl.kerberos."],
            Self::OauthBearer => &["sasl.oauthbearer.", "https."],
            Self::AwsMskIam => &["sasl.aws."],
        }
    }
}

/// The connection keys of one section.
pub(super) struct ConnectionKeys {
    /// With its dot.
    pub(super) prefix: &'static str,
    pub(super) keys: &'static [&'static Key],
}

impl ConnectionKeys {
    pub(super) fn key(&self, name: &str) -> &'static Key {
        self.keys
            .iter()
            .find(|key| key.name.strip_prefix(self.prefix) == Some(name))
            .expect("a connection key is asked for by its name in the table")
    }

    /// The keys that are given and whose name begins so.
    pub(super) fn given(&self, reader: &Reader<'_>, start: &str) -> Vec<&'static Key> {
        let prefix = format!("{}{start}", self.prefix);
        let keys = self.keys.iter().copied();
        keys.filter(|key| key.name.starts_with(&prefix) && reader.given(*key).is_some())
            .collect()
    }
}

/// Whether a property, or the rest of a key's name, is about security.
pub(super) fn is_security(name: &str) -> bool {
    ["security.", "sasl.", "ssl.", "https."]
        .iter()
        .any(|start| name.starts_with(start))
}

/// Checks the security keys of a section against each other, and completes its properties.
/// `servers` are the brokers that they are for.
pub(super) fn read(
    reader: &mut Reader<'_>,
    keys: &ConnectionKeys,
    properties: &mut ClientProperties,
    servers: &str,
) {
    let protocol = reader
        .choice(keys.key("security.protocol"))
        .unwrap_or(SecurityProtocol::Plaintext);
    if protocol.has_tls() {
        check_tls(reader, keys);
    } else {
        for key in keys.given(reader, "ssl.") {
            out_of_place(reader, keys, key, protocol, "ssl or sasl_ssl");
        }
        properties.retain(|name, property| property.is_given() || !name.starts_with("ssl."));
    }
    if !protocol.has_sasl() {
        for start in ["sasl.", "https."] {
            for key in keys.given(reader, start) {
                out_of_place(reader, keys, key, protocol, "sasl_ssl or sasl_plaintext");
            }
        }
        properties.retain(|name, property| property.is_given() || !name.starts_with("sasl."));
        return;
    }
    let mechanism_key = keys.key("sasl.mechanism");
    let Some(mechanism) = reader.choice::<SaslMechanism>(mechanism_key) else {
        if reader.given(mechanism_key).is_none() {
            reader.missing(
                mechanism_key,
                "`sasl.mechanism: SCRAM-SHA-512`, or another one",
            );
        }
        return;
    };
    check_takes(reader, keys, mechanism);
    if mechanism != SaslMechanism::Gssapi {
        properties
            .retain(|name, property| property.is_given() || !name.starts_with("sasl.kerberos."));
    }
    credentials(reader, keys, mechanism);
    let name = match mechanism {
        SaslMechanism::AwsMskIam => SaslMechanism::OauthBearer,
        _ => mechanism,
    };
    let property = Property {
        value: name.as_str().to_owned(),
        secret: false,
        origin: Origin::Key(mechanism_key.name, reader.location(mechanism_key)),
    };
    properties.insert("sasl.mechanisms", property);
    if mechanism == SaslMechanism::OauthBearer {
        properties.set_by_weir("sasl.oauthbearer.method", "oidc");
        let extensions = extensions(reader, keys.key("sasl.oauthbearer.extensions"));
        if !extensions.is_empty() {
            properties.set_by_weir("sasl.oauthbearer.extensions", &extensions.join(","));
        }
    }
    if mechanism == SaslMechanism::AwsMskIam {
        msk(reader, keys, protocol, properties, servers);
    }
}

/// Amazon MSK: tokens are for a region, and good for whoever reads them.
fn msk(
    reader: &mut Reader<'_>,
    keys: &ConnectionKeys,
    protocol: SecurityProtocol,
    properties: &mut ClientProperties,
    servers: &str,
) {
    if protocol != SecurityProtocol::SaslSsl {
        let message = "AWS_MSK_IAM needs TLS, or its tokens could be read: write sasl_ssl";
        reader.contradiction(keys.key("security.protocol"), message);
    }
    let key = keys.key("sasl.aws.region");
    match reader.text(key) {
        Some(given) if !is_region(&given.value) => {
            let message = format!(
                "`{}` is not a region: write one such as eu-central-1",
                given.shown
            );
            reader.invalid(key, given.span, message);
        }
        Some(_) => {}
        None => match region(servers, reader.outside.env).filter(|found| is_region(found)) {
            Some(region) => properties.set_by_weir(MSK_REGION, &region),
            None => reader.missing(
                key,
                "`sasl.aws.region: eu-central-1`, or set AWS_REGION: the brokers' names do not say \
                 in which region they are",
            ),
        },
    }
}

/// It becomes part of a host name.
fn is_region(text: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.len() < 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(is_fine)
}

fn out_of_place(
    reader: &mut Reader<'_>,
    keys: &ConnectionKeys,
    key: &'static Key,
    protocol: SecurityProtocol,
    fitting: &str,
) {
    let message = match reader.given(keys.key("security.protocol")) {
        Some(_) => format!(
            "has no effect with `security.protocol: {}`: write {fitting}",
            protocol.as_str()
        ),
        None => format!(
            "has no effect without `security.protocol`, whose default is plaintext: write \
             `security.protocol: {}`",
            fitting.split(' ').next().unwrap_or(fitting)
        ),
    };
    reader.contradiction(key, message);
}

/// Each mechanism has keys of its own.
fn check_takes(reader: &mut Reader<'_>, keys: &ConnectionKeys, mechanism: SaslMechanism) {
    let others = [
        SaslMechanism::Plain,
        SaslMechanism::Gssapi,
        SaslMechanism::OauthBearer,
        SaslMechanism::AwsMskIam,
    ];
    let starts = others.iter().flat_map(|other| other.takes());
    for start in starts.filter(|start| !mechanism.takes().contains(start)) {
        for key in keys.given(reader, start) {
            let message = format!(
                "has no effect with `sasl.mechanism: {}`: remove it, or name another mechanism",
                mechanism.as_str()
            );
            reader.contradiction(key, message);
        }
    }
}

/// What each mechanism cannot do without.
fn credentials(reader: &mut Reader<'_>, keys: &ConnectionKeys, mechanism: SaslMechanism) {
    let needed: &[(&str, &str)] = match mechanism {
        SaslMechanism::Plain | SaslMechanism::ScramSha256 | SaslMechanism::ScramSha512 => &[
            ("sasl.username", "${env:KAFKA_USER}"),
            ("sasl.password", "${env:KAFKA_PASSWORD}"),
        ],
        SaslMechanism::Gssapi => &[("sasl.kerberos.principal", "weir@EXAMPLE.COM")],
        SaslMechanism::AwsMskIam => &[],
        SaslMechanism::OauthBearer => &[
            (
                "sasl.oauthbearer.token.endpoint.url",
                "https://login.example/token",
            ),
            ("sasl.oauthbearer.client.id", "weir"),
            ("sasl.oauthbearer.client.secret", "${env:OAUTH_SECRET}"),
        ],
    };
    let keytab = reader.given(keys.key("sasl.kerberos.keytab")).is_some();
    for (name, example) in needed {
        let key = keys.key(name);
        // Without a keytab, the ticket that is there says who one is.
        let needless = mechanism == SaslMechanism::Gssapi && !keytab;
        if reader.given(key).is_none() && !needless {
            reader.missing(key, &format!("`{name}: {example}`"));
        }
    }
    if mechanism == SaslMechanism::OauthBearer {
        url::read(
            reader,
            keys.key("sasl.oauthbearer.token.endpoint.url"),
            "`sasl.oauthbearer.client.id` and `sasl.oauthbearer.client.secret`",
        );
    }
}

fn extensions(reader: &mut Reader<'_>, key: &'static Key) -> Vec<String> {
    let mut extensions = Vec::new();
    for given in reader.list(key) {
        match given.value.split_once('=') {
            Some((name, _)) if !name.is_empty() && name != "auth" => {
                extensions.push(given.value);
            }
            _ => {
                let message = format!("`{}` is not an extension: write name=value", given.shown);
                reader.invalid(key, given.span, message);
            }
        }
    }
    extensions
}

/// A certificate and its key come together, and from one place.
fn check_tls(reader: &mut Reader<'_>, keys: &ConnectionKeys) {
    let given = |reader: &Reader<'_>, name: &str| reader.given(keys.key(name)).is_some();
    for name in ["ca", "certificate", "key"] {
        let (file, text) = (format!("ssl.{name}.location"), format!("ssl.{name}.pem"));
        if given(reader, &file) && given(reader, &text) {
            let message = format!("given beside `{file}`: keep one of the two");
            reader.contradiction(keys.key(&text), message);
        }
    }
    let own = |reader: &Reader<'_>, name: &str| {
        ["location", "pem"]
            .map(|form| format!("ssl.{name}.{form}"))
            .into_iter()
            .find(|key| given(reader, key))
    };
    let (certificate, key) = (own(reader, "certificate"), own(reader, "key"));
    match (&certificate, &key) {
        (Some(certificate), None) => reader.missing(
            keys.key("ssl.key.location"),
            &format!("`ssl.key.location: ./client.key`, the private key of `{certificate}`"),
        ),
        (None, Some(key)) => reader.missing(
            keys.key("ssl.certificate.location"),
            &format!("`ssl.certificate.location: ./client.pem`, the certificate of `{key}`"),
        ),
        _ => {}
    }
    if let (Some(certificate), true) = (&certificate, given(reader, "ssl.keystore.location")) {
        let message = format!("given beside `{certificate}`: keep one of the two");
        reader.contradiction(keys.key("ssl.keystore.location"), message);
    }
    if key.is_none() && given(reader, "ssl.key.password") {
        reader.contradiction(
            keys.key("ssl.key.password"),
            "has no effect without `ssl.key.location` or `ssl.key.pem`",
        );
    }
    if given(reader, "ssl.keystore.password") && !given(reader, "ssl.keystore.location") {
        reader.contradiction(
            keys.key("ssl.keystore.password"),
            "has no effect without `ssl.keystore.location`",
        );
    }
}

//! Listeners with security of their own, and what the broker is told for each.

use std::fmt;
use std::path::Path;

use super::settings::{Protocol, Settings};
use crate::certificates::{BrokerCertificate, Certificates, Identity};
use crate::kerberos::{Kerberos, REALM};
use crate::oidc::{AUDIENCE, ISSUER, Oidc};

/// A listener that a [`super::SecureKafka`] can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// TLS; clients have no name.
    Tls,
    /// TLS that demands a certificate of the client, whose common name is its user.
    MutualTls,
    /// SASL over TLS, with every [`Mechanism`] that there is a peer for.
    SaslTls,
    /// SASL without encryption, with every [`Mechanism`] that there is a peer for.
    SaslPlaintext,
    /// TLS with a certificate that is no longer valid since yesterday.
    ExpiredCertificate,
    /// TLS with a certificate for another host.
    WrongHostName,
}

/// How a client proves on a SASL listener who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// A password, as it is.
    Plain,
    /// A password that is never sent (RFC 7677).
    ScramSha256,
    /// As [`Mechanism::ScramSha256`], with the longer digest.
    ScramSha512,
    /// A token of [`Oidc`].
    OauthBearer,
    /// A ticket of [`Kerberos`].
    Gssapi,
}

/// A user, by the same name in every mechanism; a client of [`Oidc`] with the password as its
/// secret, and a principal of [`Kerberos`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// The name, and the common name in certificates.
    pub name: &'static str,
    /// What PLAIN, SCRAM and the token endpoint want to hear.
    pub password: &'static str,
}

impl User {
    /// Who may do everything, also where there are ACLs.
    pub const ALICE: Self = Self {
        name: "alice",
        password: "alice-secret",
    };
    /// Who may do only what ACLs allow, where there are any.
    pub const BOB: Self = Self {
        name: "bob",
        password: "bob-secret",
    };
    /// All users.
    pub const ALL: [Self; 2] = [Self::ALICE, Self::BOB];
}

/// The peers that the listeners refer to.
pub(super) struct Peers<'p> {
    pub(super) certificates: &'p Certificates,
    pub(super) oidc: Option<&'p Oidc>,
    pub(super) kerberos: Option<&'p Kerberos>,
}

impl Listener {
    /// All listeners.
    pub const ALL: [Self; 6] = [
        Self::Tls,
        Self::MutualTls,
        Self::SaslTls,
        Self::SaslPlaintext,
        Self::ExpiredCertificate,
        Self::WrongHostName,
    ];

    /// The `security.protocol` that its clients set.
    #[must_use]
    pub fn protocol(self) -> Protocol {
        match self {
            Self::SaslTls => Protocol::SaslSsl,
            Self::SaslPlaintext => Protocol::SaslPlaintext,
            _ => Protocol::Ssl,
        }
    }

    pub(super) fn is_sasl(self) -> bool {
        matches!(self, Self::SaslTls | Self::SaslPlaintext)
    }

    /// Its name in the broker's properties.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tls => "TLS",
            Self::MutualTls => "MUTUAL_TLS",
            Self::SaslTls => "SASL_TLS",
            Self::SaslPlaintext => "SASL_CLEAR",
            Self::ExpiredCertificate => "EXPIRED",
            Self::WrongHostName => "WRONG_HOST",
        }
    }

    pub(super) fn add_to(self, mut settings: Settings, peers: &Peers<'_>) -> Settings {
        settings = settings.listener(self.name(), self.protocol());
        let prefix = format!("listener.name.{}", self.name().to_lowercase());
        let certificate = match self {
            Self::Tls | Self::MutualTls | Self::SaslTls => Some(BrokerCertificate::Valid),
            Self::ExpiredCertificate => Some(BrokerCertificate::Expired),
            Self::WrongHostName => Some(BrokerCertificate::WrongHost),
            Self::SaslPlaintext => None,
        };
        if let Some(certificate) = certificate {
            let identity = peers.certificates.broker(certificate);
            settings = present(settings, &prefix, &identity);
        }
        if self == Self::MutualTls {
            settings = settings
                .property(&format!("{prefix}.ssl.client.auth"), "required")
                .property(&format!("{prefix}.ssl.truststore.type"), "PEM")
                .property(
                    &format!("{prefix}.ssl.truststore.certificates"),
                    &inline(peers.certificates.ca()),
                );
        }
        if self.is_sasl() {
            let mechanisms = peers.mechanisms();
            let names: Vec<String> = mechanisms.iter().map(ToString::to_string).collect();
            settings = settings.property(
                &format!("{prefix}.sasl.enabled.mechanisms"),
                &names.join(","),
            );
            for mechanism in mechanisms {
                let prefix = format!("{prefix}.{}", mechanism.to_string().to_lowercase());
                settings = mechanism.add_to(settings, &prefix, peers);
            }
        }
        settings
    }
}

impl Mechanism {
    fn add_to(self, settings: Settings, prefix: &str, peers: &Peers<'_>) -> Settings {
        let (module, options) = match self {
            Self::Plain => {
                let users =
                    User::ALL.map(|user| format!(" user_{}=\"{}\"", user.name, user.password));
                ("plain.PlainLoginModule", users.concat())
            }
            Self::ScramSha256 | Self::ScramSha512 => ("scram.ScramLoginModule", String::new()),
            Self::OauthBearer => ("oauthbearer.OAuthBearerLoginModule", String::new()),
            Self::Gssapi => return peers.add_kerberos_to(settings, prefix),
        };
        let module = format!("org.apache.kafka.common.security.{module} required{options};");
        let settings = settings.property(&format!("{prefix}.sasl.jaas.config"), &module);
        if self != Self::OauthBearer {
            return settings;
        }
        // With a limit, the broker ends a session when its token expires (KIP-368).
        settings
            .property(
                &format!("{prefix}.sasl.server.callback.handler.class"),
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler",
            )
            .property(&format!("{prefix}.connections.max.reauth.ms"), "3600000")
    }
}

impl Peers<'_> {
    fn mechanisms(&self) -> Vec<Mechanism> {
        let mut mechanisms = vec![
            Mechanism::Plain,
            Mechanism::ScramSha256,
            Mechanism::ScramSha512,
        ];
        mechanisms.extend(self.oidc.map(|_| Mechanism::OauthBearer));
        mechanisms.extend(self.kerberos.map(|_| Mechanism::Gssapi));
        mechanisms
    }

    /// What is not of one listener only.
    pub(super) fn add_to(&self, mut settings: Settings) -> Settings {
        for user in User::ALL {
            for mechanism in [Mechanism::ScramSha256, Mechanism::ScramSha512] {
                let User { name, password } = user;
                settings =
                    settings.scram_user(&format!("{mechanism}=[name={name},password={password}]"));
            }
        }
        if let Some(oidc) = self.oidc {
            let jwks = oidc.jwks_url();
            let allowed = "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls";
            settings = settings
                .property("sasl.oauthbearer.jwks.endpoint.url", &jwks)
                .property("sasl.oauthbearer.expected.issuer", ISSUER)
                .property("sasl.oauthbearer.expected.audience", AUDIENCE)
                .java_option(&format!("{allowed}={jwks}"));
        }
        if let Some(kerberos) = self.kerberos {
            let config = kerberos.config();
            settings = settings
                .property("sasl.kerberos.service.name", "kafka")
                .java_option(&format!("-Djava.security.krb5.conf={}", config.display()));
        }
        settings.property("ssl.principal.mapping.rules", "RULE:^CN=([^,]+).*$/$1/")
    }

    fn add_kerberos_to(&self, settings: Settings, prefix: &str) -> Settings {
        let kerberos = self.kerberos.expect("there is no GSSAPI without Kerberos");
        let principal = "kafka/127.0.0.1";
        let module = format!(
            "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true \
             keyTab=\"{}\" principal=\"{principal}@{REALM}\";",
            kerberos.keytab(principal).display()
        );
        settings.property(&format!("{prefix}.sasl.jaas.config"), &module)
    }
}

/// The broker shows `identity` to its clients.
fn present(settings: Settings, prefix: &str, identity: &Identity) -> Settings {
    settings
        .property(&format!("{prefix}.ssl.keystore.type"), "PEM")
        .property(
            &format!("{prefix}.ssl.keystore.certificate.chain"),
            &inline(identity.certificate()),
        )
        .property(
            &format!("{prefix}.ssl.keystore.key"),
            &inline(identity.key()),
        )
}

/// A PEM file as the value of a property, with its line ends in Java's notation.
fn inline(file: &Path) -> String {
    let pem = std::fs::read_to_string(file).expect("the file was written before");
    pem.replace('\n', "\\n")
}

impl fmt::Display for Mechanism {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::OauthBearer => "OAUTHBEARER",
            Self::Gssapi => "GSSAPI",
        })
    }
}

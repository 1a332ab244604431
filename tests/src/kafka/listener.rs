//! Listeners with security of their own, and what the broker is told for each.

use std::path::Path;

use super::sasl;
use super::settings::{Protocol, Settings};
use crate::certificates::{BrokerCertificate, Certificates, Identity};
use crate::kerberos::Kerberos;
use crate::oidc::Oidc;

/// A listener that a [`super::SecureKafka`] can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// TLS; clients have no name.
    Tls,
    /// TLS that demands a certificate of the client, whose common name is its user.
    MutualTls,
    /// SASL over TLS, with every [`super::Mechanism`] that there is a peer for.
    SaslTls,
    /// SASL without encryption, with every [`super::Mechanism`] that there is a peer for.
    SaslPlaintext,
    /// TLS with a certificate that is no longer valid since yesterday.
    ExpiredCertificate,
    /// TLS with a certificate for another host.
    WrongHostName,
}

/// The peers that the listeners refer to.
pub(super) struct Peers<'p> {
    pub(super) certificates: &'p Certificates,
    pub(super) oidc: Option<&'p Oidc>,
    pub(super) kerberos: Option<&'p Kerberos>,
    /// Whether tokens are those of Amazon MSK.
    pub(super) msk: bool,
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

    /// A property of this listener.
    fn property(self, name: &str) -> String {
        format!("listener.name.{}.{name}", self.name().to_lowercase())
    }

    /// What the broker has to show other certificates at its next start: properties and values.
    pub(super) fn shows(self, identity: &Identity) -> [(String, String); 2] {
        [
            (
                self.property("ssl.keystore.certificate.chain"),
                inline(identity.certificate()),
            ),
            (self.property("ssl.keystore.key"), inline(identity.key())),
        ]
    }

    /// The same, to let other clients in.
    pub(super) fn trusts(self, authority: &Path) -> (String, String) {
        (
            self.property("ssl.truststore.certificates"),
            inline(authority),
        )
    }

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
            settings = sasl::add_to_listener(settings, &prefix, peers);
        }
        settings
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

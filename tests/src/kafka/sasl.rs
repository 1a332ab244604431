//! Users, how they prove on a SASL listener who they are, and what the broker is told for it.

use std::fmt;

use super::listener::Peers;
use super::settings::Settings;
use crate::kerberos::REALM;
use crate::oidc::{AUDIENCE, ISSUER};

/// The `sasl.kerberos.service.name`.
pub(super) const SERVICE: &str = "kafka";
const TOKEN_VALIDATOR: &str = "oauthbearer.OAuthBearerValidatorCallbackHandler";

/// How a client proves on a SASL listener who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// A password, as it is.
    Plain,
    /// A password that is never sent (RFC 7677).
    ScramSha256,
    /// As [`Mechanism::ScramSha256`], with the longer digest.
    ScramSha512,
    /// A token of [`crate::oidc::Oidc`].
    OauthBearer,
    /// A ticket of [`crate::kerberos::Kerberos`].
    Gssapi,
}

/// A user, by the same name in every mechanism; a client of [`crate::oidc::Oidc`] with the password as its
/// secret, and a principal of [`crate::kerberos::Kerberos`].
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

/// What the broker is told once, for all listeners with SASL.
pub(super) fn add_to(mut settings: Settings, peers: &Peers<'_>) -> Settings {
    for User { name, password } in User::ALL {
        for mechanism in [Mechanism::ScramSha256, Mechanism::ScramSha512] {
            let user = format!("{mechanism}=[name={name},password={password}]");
            settings = settings.scram_user(&user);
        }
    }
    if let Some(oidc) = peers.oidc {
        let jwks = oidc.jwks_url();
        let allowed = "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls";
        settings = settings
            .property("sasl.oauthbearer.jwks.endpoint.url", &jwks)
            .property("sasl.oauthbearer.expected.issuer", ISSUER)
            .property("sasl.oauthbearer.expected.audience", AUDIENCE)
            .java_option(&format!("{allowed}={jwks}"));
    }
    if peers.msk {
        settings = settings.java_source("weir/MskTokens.java");
    }
    if let Some(kerberos) = peers.kerberos {
        let config = kerberos.config();
        settings = settings
            .property("sasl.kerberos.service.name", SERVICE)
            .java_option(&format!("-Djava.security.krb5.conf={}", config.display()));
    }
    settings
}

/// What the broker is told for the listener whose properties begin with `prefix`.
pub(super) fn add_to_listener(mut settings: Settings, prefix: &str, peers: &Peers<'_>) -> Settings {
    let mechanisms = Mechanism::with(peers);
    let names: Vec<String> = mechanisms.iter().map(ToString::to_string).collect();
    let enabled = format!("{prefix}.sasl.enabled.mechanisms");
    settings = settings.property(&enabled, &names.join(","));
    for mechanism in mechanisms {
        let prefix = format!("{prefix}.{}", mechanism.to_string().to_lowercase());
        let module = mechanism.login_module(peers);
        settings = settings.property(&format!("{prefix}.sasl.jaas.config"), &module);
        if mechanism == Mechanism::OauthBearer {
            let handler = format!("{prefix}.sasl.server.callback.handler.class");
            // With a limit, the broker ends a session when its token expires (KIP-368).
            let validator = match peers.msk {
                true => "weir.MskTokens".to_owned(),
                false => format!("{}.{TOKEN_VALIDATOR}", Mechanism::PACKAGE),
            };
            settings = settings
                .property(&handler, &validator)
                .property(&format!("{prefix}.connections.max.reauth.ms"), "3600000");
        }
    }
    settings
}

impl Mechanism {
    const PACKAGE: &str = "org.apache.kafka.common.security";

    /// Those that need no peer, and those whose peer is there.
    fn with(peers: &Peers<'_>) -> Vec<Self> {
        let mut mechanisms = vec![Self::Plain, Self::ScramSha256, Self::ScramSha512];
        if peers.oidc.is_some() || peers.msk {
            mechanisms.push(Self::OauthBearer);
        }
        mechanisms.extend(peers.kerberos.map(|_| Self::Gssapi));
        mechanisms
    }

    fn login_module(self, peers: &Peers<'_>) -> String {
        let package = Self::PACKAGE;
        match self {
            Self::Plain => {
                let users =
                    User::ALL.map(|user| format!(" user_{}=\"{}\"", user.name, user.password));
                let users = users.concat();
                format!("{package}.plain.PlainLoginModule required{users};")
            }
            Self::ScramSha256 | Self::ScramSha512 => {
                format!("{package}.scram.ScramLoginModule required;")
            }
            Self::OauthBearer => {
                format!("{package}.oauthbearer.OAuthBearerLoginModule required;")
            }
            Self::Gssapi => {
                let kerberos = peers.kerberos.expect("GSSAPI is on only with Kerberos");
                let principal = format!("{SERVICE}/127.0.0.1");
                let keytab = kerberos.keytab(&principal);
                format!(
                    "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true \
                     storeKey=true keyTab=\"{}\" principal=\"{principal}@{REALM}\";",
                    keytab.display()
                )
            }
        }
    }
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

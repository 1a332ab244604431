//! A broker with secure listeners, the peers that these need, and clients for them.

use std::path::Path;
use std::sync::OnceLock;

use super::acl::{self, Acl};
use super::client::Client;
use super::listener::{Listener, Peers};
use super::options::Options;
use super::sasl::{self, Mechanism, SERVICE, User};
use super::{Kafka, Settings};
use crate::Unavailable;
use crate::certificates::{Certificates, Identity};
use crate::kerberos::Kerberos;
use crate::oidc::Oidc;

/// A [`Kafka`] with listeners beside the plaintext one, all on 127.0.0.1.
///
/// The plaintext listener is the administrator's: its clients may do everything.
#[derive(Debug)]
pub struct SecureKafka {
    kafka: Kafka,
    certificates: Certificates,
    oidc: Option<Oidc>,
    kerberos: Option<Result<Kerberos, Unavailable>>,
}

impl SecureKafka {
    /// Starts a broker and its peers.
    ///
    /// # Errors
    ///
    /// As for [`Kafka::start`].
    ///
    /// # Panics
    ///
    /// If one of them does not come up.
    pub fn start(options: Options) -> Result<Self, Unavailable> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let certificates = Certificates::generate_in(folder.path().join("certificates"));
        let oidc = options.oidc.then(|| {
            let oidc = Oidc::start();
            for user in User::ALL {
                oidc.add_client(user.name, user.password);
            }
            oidc
        });
        let kerberos = options.kerberos.then(Kerberos::start);

        let peers = Peers {
            certificates: &certificates,
            oidc: oidc.as_ref(),
            kerberos: kerberos
                .as_ref()
                .and_then(|kerberos| kerberos.as_ref().ok()),
            msk: options.msk,
        };
        let names = "RULE:^CN=([^,]+).*$/$1/";
        let settings = Settings::default().property("ssl.principal.mapping.rules", names);
        let mut settings = sasl::add_to(settings, &peers);
        for listener in options.listeners {
            settings = listener.add_to(settings, &peers);
        }
        if options.acls {
            settings = acl::add_authorizer_to(settings);
        }
        for (key, value) in options.properties {
            settings = settings.property(&key, &value);
        }
        Ok(Self {
            kafka: Kafka::start_in(folder, settings)?,
            certificates,
            oidc,
            kerberos,
        })
    }

    /// The broker with [`Options::everything`] that all tests of this binary share; topics and
    /// groups tell them apart.
    ///
    /// # Errors
    ///
    /// As for [`Kafka::start`].
    pub fn shared() -> Result<&'static Self, Unavailable> {
        static SHARED: OnceLock<Result<SecureKafka, Unavailable>> = OnceLock::new();
        SHARED
            .get_or_init(|| Self::start(Options::everything()))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// The broker, to create topics, and to stop it and start it again.
    #[must_use]
    pub fn kafka(&self) -> &Kafka {
        &self.kafka
    }

    /// As [`SecureKafka::kafka`].
    pub fn kafka_mut(&mut self) -> &mut Kafka {
        &mut self.kafka
    }

    /// The `bootstrap.servers` of a listener.
    ///
    /// # Panics
    ///
    /// If it was not asked for.
    #[must_use]
    pub fn brokers_of(&self, listener: Listener) -> String {
        self.kafka.brokers_of(listener.name())
    }

    /// Lets in only clients of this authority by a listener with [`Listener::MutualTls`], from the
    /// next [`Kafka::restart`] on.
    pub fn trust(&self, listener: Listener, authority: &Path) {
        let (key, value) = listener.trusts(authority);
        self.kafka.set_property(&key, &value);
    }

    /// Shows another certificate on a listener, from the next [`Kafka::restart`] on.
    pub fn show(&self, listener: Listener, identity: &Identity) {
        for (key, value) in listener.shows(identity) {
            self.kafka.set_property(&key, &value);
        }
    }

    /// The authorities, and new certificates for clients.
    #[must_use]
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// The provider of tokens.
    ///
    /// # Panics
    ///
    /// If [`Options::oidc`] was not asked for.
    #[must_use]
    pub fn oidc(&self) -> &Oidc {
        self.oidc.as_ref().expect("Options::oidc asks for it")
    }

    /// The Kerberos realm.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if it is not installed.
    ///
    /// # Panics
    ///
    /// If [`Options::kerberos`] was not asked for.
    pub fn kerberos(&self) -> Result<&Kerberos, Unavailable> {
        let kerberos = self.kerberos.as_ref();
        let kerberos = kerberos.expect("Options::kerberos asks for it");
        kerberos.as_ref().map_err(Clone::clone)
    }

    /// A client of a listener without SASL that is let in: it trusts the authority, and shows
    /// a certificate of `user` where the listener demands one.
    #[must_use]
    pub fn tls_client(&self, listener: Listener, user: User) -> Client {
        let client = self.client(listener);
        if listener == Listener::MutualTls {
            with_identity(client, &self.certificates.client(user.name))
        } else {
            client
        }
    }

    /// A client of a listener with SASL that is let in.
    ///
    /// With OAUTHBEARER, it has yet to get its tokens from [`SecureKafka::oidc`]. With GSSAPI,
    /// its process needs [`Kerberos::environment`].
    ///
    /// # Panics
    ///
    /// If `mechanism` needs a peer that was not asked for or is not installed.
    #[must_use]
    pub fn sasl_client(&self, listener: Listener, mechanism: Mechanism, user: User) -> Client {
        let client = self.client(listener).set("sasl.mechanism", mechanism);
        match mechanism {
            Mechanism::OauthBearer => client,
            Mechanism::Gssapi => {
                let kerberos = self.kerberos().expect("Kerberos is installed");
                client
                    .set("sasl.kerberos.service.name", SERVICE)
                    .set("sasl.kerberos.principal", user.name)
                    .set("sasl.kerberos.keytab", kerberos.keytab(user.name).display())
            }
            _ => client
                .set("sasl.username", user.name)
                .set("sasl.password", user.password),
        }
    }

    /// Allows something, where [`Options::acls`] was asked for, and waits until it is in force.
    ///
    /// # Panics
    ///
    /// If the broker refuses.
    pub fn allow(&self, acl: &Acl<'_>) {
        acl::create(self.kafka.brokers(), acl);
    }

    /// Takes back what [`SecureKafka::allow`] has allowed, and waits until it is out of force.
    ///
    /// # Panics
    ///
    /// If the broker refuses.
    pub fn disallow(&self, acl: &Acl<'_>) {
        acl::delete(self.kafka.brokers(), acl);
    }

    fn client(&self, listener: Listener) -> Client {
        let client = Client::default()
            .set("bootstrap.servers", self.brokers_of(listener))
            .set(
                "security.protocol",
                listener.protocol().to_string().to_lowercase(),
            );
        if listener == Listener::SaslPlaintext {
            return client;
        }
        client.set("ssl.ca.location", self.certificates.ca().display())
    }
}

/// The client shows `identity` to brokers.
fn with_identity(client: Client, identity: &Identity) -> Client {
    client
        .set("ssl.certificate.location", identity.certificate().display())
        .set("ssl.key.location", identity.key().display())
}

//! What a test asks of its secure broker.

use super::listener::Listener;

/// Which listeners and peers a broker gets; those that are not asked for are not started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub(super) listeners: Vec<Listener>,
    pub(super) oidc: bool,
    pub(super) msk: bool,
    pub(super) kerberos: bool,
    pub(super) acls: bool,
    pub(super) properties: Vec<(String, String)>,
}

impl Options {
    /// Every listener, every mechanism, and ACLs. Kerberos only where it is installed.
    #[must_use]
    pub fn everything() -> Self {
        let all = Listener::ALL.into_iter();
        all.fold(Self::default(), Self::listener)
            .oidc()
            .kerberos()
            .acls()
    }

    /// Adds a listener.
    #[must_use]
    pub fn listener(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Starts an [`crate::oidc::Oidc`], and adds OAUTHBEARER to the SASL listeners.
    #[must_use]
    pub fn oidc(mut self) -> Self {
        self.oidc = true;
        self
    }

    /// Adds OAUTHBEARER to the SASL listeners, for tokens as Amazon MSK takes them; see
    /// [`crate::aws`]. Not together with [`Options::oidc`].
    #[must_use]
    pub fn msk(mut self) -> Self {
        self.msk = true;
        self
    }

    /// Starts a [`crate::kerberos::Kerberos`], and adds GSSAPI to the SASL listeners. Where it is not installed,
    /// the broker starts all the same, and [`super::SecureKafka::kerberos`] says so.
    #[must_use]
    pub fn kerberos(mut self) -> Self {
        self.kerberos = true;
        self
    }

    /// Lets clients do only what an [`super::Acl`] allows; [`super::User::ALICE`] and clients without a name,
    /// which those of [`Listener::Tls`] are, may do everything.
    #[must_use]
    pub fn acls(mut self) -> Self {
        self.acls = true;
        self
    }

    /// Sets a property of `server.properties`; it wins over the harness's own.
    #[must_use]
    pub fn property(mut self, key: &str, value: &str) -> Self {
        self.properties.push((key.to_owned(), value.to_owned()));
        self
    }
}

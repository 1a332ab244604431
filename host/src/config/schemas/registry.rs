//! `schema.registry`: where it is, who asks, and how patiently.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::keys;
use crate::config::choice::choice;
use crate::config::error::Location;
use crate::config::key::Key;
use crate::config::keys as all;
use crate::config::reader::Reader;
use crate::config::secret::Secret;
use crate::config::url;

/// A schema registry.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// Addresses of the same registry, one at least: `http` or `https`, with no user,
    /// query or fragment; a path is a prefix.
    pub urls: Vec<String>,
    /// Who asks.
    pub auth: RegistryAuth,
    /// Confluent Cloud's logical cluster.
    pub logical_cluster: Option<String>,
    /// Confluent Cloud's identity pool.
    pub identity_pool: Option<String>,
    /// Certificates and keys.
    pub tls: RegistryTls,
    /// The URL of an HTTP proxy, which may hold a password.
    pub proxy: Option<Declared<Secret>>,
    /// For one request as a whole.
    pub request_timeout: Duration,
    /// For requests that fail.
    pub retries: Retries,
    /// How long a subject's latest version holds.
    pub latest_ttl: Duration,
    /// Whether schemas are kept on disk.
    pub cache_persist: bool,
    /// Whether plug-ins may register schemas.
    pub auto_register: bool,
}

impl RegistryConfig {
    /// Its secrets, each by the key that it is given by.
    pub(in crate::config) fn secrets(&self) -> Vec<(&'static str, &Secret)> {
        let mut secrets = match &self.auth {
            RegistryAuth::None => Vec::new(),
            RegistryAuth::Basic(info) => vec![("schema.registry.basic.auth.user.info", info)],
            RegistryAuth::Bearer(token) => vec![("schema.registry.bearer.auth.token", token)],
            RegistryAuth::Oauth(oauth) => {
                let mut secrets = oauth.tls.secrets();
                let key = "schema.registry.bearer.auth.client.secret";
                secrets.push((key, &oauth.client_secret));
                secrets
            }
        };
        secrets.extend(self.tls.secrets());
        secrets
    }
}

impl RegistryTls {
    fn secrets(&self) -> Vec<(&'static str, &Secret)> {
        let pems = [&self.ca, &self.certificate, &self.key]
            .into_iter()
            .flatten();
        let texts = pems.filter_map(|pem| match &pem.value {
            Pem::Text(text) => Some((pem.key, text)),
            Pem::File(_) => None,
        });
        let passwords = [
            ("schema.registry.ssl.key.password", &self.key_password),
            (
                "schema.registry.ssl.keystore.password",
                &self.keystore_password,
            ),
        ];
        let passwords = passwords
            .into_iter()
            .filter_map(|(key, password)| Some((key, password.as_ref()?)));
        texts.chain(passwords).collect()
    }
}

/// Who asks a registry.
#[derive(Clone, Debug)]
pub enum RegistryAuth {
    /// Nobody in particular.
    None,
    /// `user:password`.
    Basic(Secret),
    /// A token.
    Bearer(Secret),
    /// Who gets tokens.
    Oauth(Box<OauthConfig>),
}

/// How tokens are had: OAuth 2.0 client credentials (RFC 6749, section 4.4).
#[derive(Clone, Debug)]
pub struct OauthConfig {
    /// The token endpoint.
    pub endpoint: String,
    /// Who asks for a token.
    pub client_id: String,
    /// Their secret.
    pub client_secret: Secret,
    /// What the token should allow.
    pub scope: Option<String>,
    /// The authorities that the endpoint is trusted by.
    pub tls: RegistryTls,
}

/// Certificates and keys.
#[derive(Clone, Debug, Default)]
pub struct RegistryTls {
    /// Authorities that are trusted in place of the public ones.
    pub ca: Option<Declared<Pem>>,
    /// The client's own certificate.
    pub certificate: Option<Declared<Pem>>,
    /// Its private key.
    pub key: Option<Declared<Pem>>,
    /// What the key is encrypted with.
    pub key_password: Option<Secret>,
    /// A PKCS#12 file in place of certificate and key.
    pub keystore: Option<Declared<PathBuf>>,
    /// What that is encrypted with.
    pub keystore_password: Option<Secret>,
}

/// Text in PEM.
#[derive(Clone, Debug)]
pub enum Pem {
    /// In a file.
    File(PathBuf),
    /// Here.
    Text(Secret),
}

/// A value that may turn out unusable later, and where the pipeline file has it.
#[derive(Clone, Debug)]
pub struct Declared<T> {
    /// The key.
    pub key: &'static str,
    /// The value.
    pub value: T,
    /// Its place.
    pub declared: Location,
}

/// How often and when a request is made again.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// How often at the most.
    pub max: u32,
    /// How long to wait the first time, at the most. It doubles.
    pub wait: Duration,
    /// How far it doubles.
    pub max_wait: Duration,
}

choice! {
    /// Where tokens come from.
    pub enum BearerSource {
        /// From the file.
        Static = "STATIC_TOKEN",
        /// From a token endpoint.
        Oauth = "OAUTHBEARER",
    }
}

impl RegistryConfig {
    /// A registry at one address, with defaults for all else, and nothing kept on disk.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            urls: vec![url.to_owned()],
            auth: RegistryAuth::None,
            logical_cluster: None,
            identity_pool: None,
            tls: RegistryTls::default(),
            proxy: None,
            request_timeout: Duration::from_secs(5),
            retries: Retries {
                max: 3,
                wait: Duration::from_millis(100),
                max_wait: Duration::from_secs(1),
            },
            latest_ttl: Duration::from_secs(300),
            cache_persist: false,
            auto_register: false,
        }
    }

    /// What tells this registry from others: its addresses in any order, and whose schemas
    /// are asked for where one address serves many customers. No secret is in it.
    #[must_use]
    pub fn identity(&self) -> String {
        let mut urls: Vec<&str> = self
            .urls
            .iter()
            .map(|url| url.trim_end_matches('/'))
            .collect();
        urls.sort_unstable();
        let customer = match &self.auth {
            RegistryAuth::None | RegistryAuth::Bearer(_) => "",
            RegistryAuth::Basic(info) => info.reveal().split(':').next().unwrap_or_default(),
            RegistryAuth::Oauth(oauth) => &oauth.client_id,
        };
        let cluster = self.logical_cluster.as_deref().unwrap_or_default();
        format!("{}\n{customer}\n{cluster}", urls.join("\n"))
    }

    /// The files that keys name: which key, which file, and where that is written.
    pub(in crate::config) fn files(
        &self,
    ) -> impl Iterator<Item = (&'static str, &Path, &Location)> {
        let oauth = match &self.auth {
            RegistryAuth::Oauth(oauth) => Some(&oauth.tls),
            _ => None,
        };
        [Some(&self.tls), oauth]
            .into_iter()
            .flatten()
            .flat_map(RegistryTls::files)
    }
}

impl RegistryTls {
    fn files(&self) -> impl Iterator<Item = (&'static str, &Path, &Location)> {
        let pems = [&self.ca, &self.certificate, &self.key];
        let pems = pems
            .into_iter()
            .flatten()
            .filter_map(|pem| match &pem.value {
                Pem::File(path) => Some((pem.key, path.as_path(), &pem.declared)),
                Pem::Text(_) => None,
            });
        let keystore = self.keystore.iter();
        pems.chain(keystore.map(|store| (store.key, store.value.as_path(), &store.declared)))
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> RegistryConfig {
    let credentials = "`schema.registry.basic.auth.user.info: user:password`";
    let urls = url::read_all(reader, &keys::URL, credentials);
    RegistryConfig {
        auth: auth(reader),
        logical_cluster: text(reader, &keys::BEARER_CLUSTER),
        identity_pool: text(reader, &keys::BEARER_POOL),
        tls: tls(reader, &urls),
        urls,
        proxy: reader
            .secret(&keys::PROXY)
            .map(|value| declared(reader, &keys::PROXY, value)),
        request_timeout: reader.millis(&keys::TIMEOUT),
        retries: Retries {
            max: reader.integer(&keys::MAX_RETRIES),
            wait: reader.millis(&keys::RETRIES_WAIT),
            max_wait: reader.millis(&keys::RETRIES_MAX_WAIT),
        },
        latest_ttl: Duration::from_secs(reader.integer(&keys::LATEST_TTL)),
        cache_persist: reader.boolean(&keys::CACHE_PERSIST),
        auto_register: reader.boolean(&keys::AUTO_REGISTER),
    }
}

/// Keys of a registry where none is named.
pub(super) fn refuse_without_url(reader: &mut Reader<'_>) {
    for key in all::schemas::ALL {
        let of_registry = key.name.starts_with("schema.registry.");
        if of_registry && reader.given(*key).is_some() {
            reader.contradiction(*key, "needs `schema.registry.url`");
        }
    }
}

fn auth(reader: &mut Reader<'_>) -> RegistryAuth {
    const OAUTH: [&Key; 5] = [
        &keys::BEARER_ENDPOINT,
        &keys::BEARER_CLIENT_ID,
        &keys::BEARER_CLIENT_SECRET,
        &keys::BEARER_SCOPE,
        &keys::BEARER_CA,
    ];
    let basic = reader.given(&keys::USER_INFO).is_some();
    let token = reader.given(&keys::BEARER_TOKEN).is_some();
    let source = match reader.choice(&keys::BEARER_SOURCE) {
        None if reader.given(&keys::BEARER_SOURCE).is_some() => return RegistryAuth::None,
        None if token => Some(BearerSource::Static),
        None if OAUTH.iter().any(|key| reader.given(*key).is_some()) => Some(BearerSource::Oauth),
        source => source,
    };
    if basic && source.is_some() {
        let message = "given beside `schema.registry.bearer.auth`: keep one of the two";
        reader.contradiction(&keys::USER_INFO, message);
    }
    if source != Some(BearerSource::Oauth) {
        for key in OAUTH {
            if reader.given(key).is_some() {
                let message = "has no effect without \
                               `schema.registry.bearer.auth.credentials.source: OAUTHBEARER`";
                reader.contradiction(key, message);
            }
        }
    }
    match source {
        None if basic => user_info(reader).map_or(RegistryAuth::None, RegistryAuth::Basic),
        None => RegistryAuth::None,
        Some(BearerSource::Static) => match reader.secret(&keys::BEARER_TOKEN) {
            Some(token) => {
                let graphic = token.reveal().bytes().all(|b| b.is_ascii_graphic());
                if !graphic {
                    let span = reader.place(&keys::BEARER_TOKEN);
                    let message = "holds blanks or other bytes that no token has".to_owned();
                    reader.invalid(&keys::BEARER_TOKEN, span, message);
                }
                RegistryAuth::Bearer(token)
            }
            None => {
                reader.missing(
                    &keys::BEARER_TOKEN,
                    "`schema.registry.bearer.auth.token: …`",
                );
                RegistryAuth::None
            }
        },
        Some(BearerSource::Oauth) => {
            if token {
                let message = "has no effect with \
                               `schema.registry.bearer.auth.credentials.source: OAUTHBEARER`";
                reader.contradiction(&keys::BEARER_TOKEN, message);
            }
            oauth(reader)
        }
    }
}

fn user_info(reader: &mut Reader<'_>) -> Option<Secret> {
    let info = reader.secret(&keys::USER_INFO)?;
    let (user, _) = info.reveal().split_once(':').unwrap_or_default();
    if user.is_empty() {
        let span = reader.place(&keys::USER_INFO);
        let message = "not of the form user:password".to_owned();
        reader.invalid(&keys::USER_INFO, span, message);
    }
    Some(info)
}

fn oauth(reader: &mut Reader<'_>) -> RegistryAuth {
    for (key, what) in [
        (
            &keys::BEARER_ENDPOINT,
            "issuer.endpoint.url: https://login.example/token",
        ),
        (&keys::BEARER_CLIENT_ID, "client.id: …"),
        (
            &keys::BEARER_CLIENT_SECRET,
            "client.secret: ${env:CLIENT_SECRET}",
        ),
    ] {
        if reader.given(key).is_none() {
            reader.missing(key, &format!("`schema.registry.bearer.auth.{what}`"));
        }
    }
    let credentials = "`schema.registry.bearer.auth.client.id` and `.client.secret`";
    let endpoint = url::read(reader, &keys::BEARER_ENDPOINT, credentials);
    let secret = reader.secret(&keys::BEARER_CLIENT_SECRET);
    RegistryAuth::Oauth(Box::new(OauthConfig {
        endpoint: endpoint.unwrap_or_default(),
        client_id: text(reader, &keys::BEARER_CLIENT_ID).unwrap_or_default(),
        client_secret: secret.unwrap_or_else(|| Secret::new(String::new())),
        scope: text(reader, &keys::BEARER_SCOPE),
        tls: RegistryTls {
            ca: file(reader, &keys::BEARER_CA).map(as_pem),
            ..RegistryTls::default()
        },
    }))
}

fn tls(reader: &mut Reader<'_>, urls: &[String]) -> RegistryTls {
    let tls = RegistryTls {
        ca: pem(reader, &keys::SSL_CA, &keys::SSL_CA_PEM),
        certificate: pem(reader, &keys::SSL_CERTIFICATE, &keys::SSL_CERTIFICATE_PEM),
        key: pem(reader, &keys::SSL_KEY, &keys::SSL_KEY_PEM),
        key_password: reader.secret(&keys::SSL_KEY_PASSWORD),
        keystore: file(reader, &keys::SSL_KEYSTORE),
        keystore_password: reader.secret(&keys::SSL_KEYSTORE_PASSWORD),
    };
    match (&tls.certificate, &tls.key) {
        (Some(_), None) => {
            let message = "needs `schema.registry.ssl.key.location`";
            contradict_given(
                reader,
                &[&keys::SSL_CERTIFICATE, &keys::SSL_CERTIFICATE_PEM],
                message,
            );
        }
        (None, Some(_)) => {
            let message = "needs `schema.registry.ssl.certificate.location`";
            contradict_given(reader, &[&keys::SSL_KEY, &keys::SSL_KEY_PEM], message);
        }
        (Some(_), Some(_)) if tls.keystore.is_some() => {
            let message = "given beside a certificate and its key: keep one of the two";
            contradict_given(reader, &[&keys::SSL_KEYSTORE], message);
        }
        _ => {}
    }
    if tls.key.is_none() {
        let message = "has no effect without `schema.registry.ssl.key.location`";
        contradict_given(reader, &[&keys::SSL_KEY_PASSWORD], message);
    }
    if tls.keystore.is_none() {
        let message = "has no effect without `schema.registry.ssl.keystore.location`";
        contradict_given(reader, &[&keys::SSL_KEYSTORE_PASSWORD], message);
    }
    if urls.iter().all(|url| url.starts_with("http:")) {
        let message = "has no effect: `schema.registry.url` is not https";
        let of_tls = |key: &&&Key| key.name.starts_with("schema.registry.ssl.");
        let given: Vec<&'static Key> = all::schemas::ALL.iter().filter(of_tls).copied().collect();
        contradict_given(reader, &given, message);
    }
    tls
}

fn contradict_given(reader: &mut Reader<'_>, keys: &[&'static Key], message: &str) {
    for key in keys {
        if reader.given(*key).is_some() {
            reader.contradiction(*key, message);
        }
    }
}

/// From a file or from text.
fn pem(
    reader: &mut Reader<'_>,
    location: &'static Key,
    inline: &'static Key,
) -> Option<Declared<Pem>> {
    if reader.given(location).is_some() && reader.given(inline).is_some() {
        let message = format!("given beside `{}`: keep one of the two", location.name);
        reader.contradiction(inline, message);
    }
    if let Some(path) = file(reader, location) {
        return Some(as_pem(path));
    }
    let text = reader.secret(inline)?;
    Some(declared(reader, inline, Pem::Text(text)))
}

fn as_pem(path: Declared<PathBuf>) -> Declared<Pem> {
    Declared {
        key: path.key,
        value: Pem::File(path.value),
        declared: path.declared,
    }
}

fn file(reader: &mut Reader<'_>, key: &'static Key) -> Option<Declared<PathBuf>> {
    reader.given(key)?;
    let path = reader.path(key);
    Some(declared(reader, key, path))
}

fn text(reader: &mut Reader<'_>, key: &'static Key) -> Option<String> {
    reader.text(key).map(|given| given.value)
}

fn declared<T>(reader: &Reader<'_>, key: &'static Key, value: T) -> Declared<T> {
    Declared {
        key: key.name,
        value,
        declared: reader.location(key),
    }
}

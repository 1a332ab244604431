//! How connections are made: TLS, a proxy, and no surprises from the environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

use super::SourceError;
use crate::config::{Declared, Pem, RegistryTls, Secret};

/// Makes agents. Certificates and keys are read anew when their files have changed, so that
/// they can be rotated under a running pipeline.
pub(super) struct Connection {
    tls: RegistryTls,
    proxy: Option<Proxy>,
    built: Mutex<Built>,
}

struct Built {
    agent: Agent,
    /// When the files had changed that the agent was made of.
    changed: Vec<Option<SystemTime>>,
}

impl Connection {
    pub(super) fn open(
        tls: &RegistryTls,
        proxy: Option<&Declared<Secret>>,
    ) -> Result<Self, SourceError> {
        let proxy = proxy.map(|given| {
            // The parser's own error would show the password.
            Proxy::new(given.value.reveal()).map_err(|_| {
                given.error("not the URL of an HTTP proxy, such as http://proxy.example:3128")
            })
        });
        let proxy = proxy.transpose()?;
        let changed = last_changes(tls);
        let agent = agent(tls, proxy.clone())?;
        Ok(Self {
            tls: tls.clone(),
            proxy,
            built: Mutex::new(Built { agent, changed }),
        })
    }

    /// Cheap: an agent is shared.
    pub(super) fn agent(&self) -> Agent {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = last_changes(&self.tls);
        if changed != built.changed {
            match agent(&self.tls, self.proxy.clone()) {
                Ok(agent) => {
                    tracing::info!("certificates and keys for the schema registry were read anew");
                    *built = Built { agent, changed };
                }
                // Half a rotation, perhaps: the other file may follow.
                Err(error) => tracing::warn!("{error}: the former ones stay in use"),
            }
        }
        built.agent.clone()
    }
}

fn agent(tls: &RegistryTls, proxy: Option<Proxy>) -> Result<Agent, SourceError> {
    let mut config = TlsConfig::builder();
    if let Some(ca) = &tls.ca {
        let certificates = certificates(ca)?;
        config = config.root_certs(RootCerts::new_with_certs(&certificates));
    }
    config = config.client_cert(client_certificate(tls)?);
    // No proxy from the environment: a pipeline file says all there is to say.
    // No redirects: credentials go to the configured address and nowhere else.
    let config = Agent::config_builder()
        .tls_config(config.build())
        .proxy(proxy)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")));
    Ok(config.build().new_agent())
}

/// The client's own certificate and key. OpenSSL reads them, as it does for brokers: rustls
/// knows no encrypted keys and no PKCS#12.
fn client_certificate(tls: &RegistryTls) -> Result<Option<ClientCert>, SourceError> {
    if let Some(keystore) = &tls.keystore {
        let bytes = read(&keystore.value).map_err(|error| keystore.error(&error))?;
        let password = tls.keystore_password.as_ref().map_or("", Secret::reveal);
        let store = Pkcs12::from_der(&bytes)
            .and_then(|store| store.parse2(password))
            .map_err(|error| {
                keystore.error(&format!(
                    "{}: not a PKCS#12 file, or encrypted with another password than \
                     `schema.registry.ssl.keystore.password`: {error}",
                    keystore.value.display()
                ))
            })?;
        let (Some(own), Some(key)) = (store.cert, store.pkey) else {
            let message = format!(
                "{}: holds no certificate with its private key",
                keystore.value.display()
            );
            return Err(keystore.error(&message));
        };
        let others = store.ca.into_iter().flatten();
        let chain: Vec<X509> = [own].into_iter().chain(others).collect();
        return client(&chain, &key)
            .map(Some)
            .map_err(|error| keystore.error(&error));
    }
    let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) else {
        return Ok(None);
    };
    let chain = x509(certificate)?;
    let parsed = private_key(key, tls.key_password.as_ref())?;
    client(&chain, &parsed)
        .map(Some)
        .map_err(|error| key.error(&error))
}

fn client(chain: &[X509], key: &PKey<Private>) -> Result<ClientCert, String> {
    let own = chain.first().and_then(|own| own.public_key().ok());
    if !own.is_some_and(|own| own.public_eq(key)) {
        return Err("the private key is not the certificate's".to_owned());
    }
    let pem = key.private_key_to_pem_pkcs8().map_err(|e| e.to_string())?;
    let chain = chain.iter().map(der_of).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKey::from_pem(&pem).map_err(|error| error.to_string())?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

fn private_key(
    key: &Declared<Pem>,
    password: Option<&Secret>,
) -> Result<PKey<Private>, SourceError> {
    let (text, place) = pem(key)?;
    // The callback, and not only a password, or OpenSSL would ask on the terminal.
    let mut asked = false;
    let parsed = PKey::private_key_from_pem_callback(&text, |buffer| {
        asked = true;
        let password = password.map_or(&[][..], |password| password.reveal().as_bytes());
        let fits = password.len().min(buffer.len());
        buffer[..fits].copy_from_slice(&password[..fits]);
        Ok(fits)
    });
    parsed.map_err(|_| {
        key.error(&match (asked, password) {
            (true, None) => {
                format!("{place} is encrypted: set `schema.registry.ssl.key.password`")
            }
            (true, Some(_)) => format!(
                "{place} is encrypted with another password than `schema.registry.ssl.key.password`"
            ),
            (false, _) => format!("{place} holds no private key in PEM"),
        })
    })
}

fn certificates(given: &Declared<Pem>) -> Result<Vec<Certificate<'static>>, SourceError> {
    x509(given)?
        .iter()
        .map(|certificate| der_of(certificate).map_err(|error| given.error(&error)))
        .collect()
}

fn x509(given: &Declared<Pem>) -> Result<Vec<X509>, SourceError> {
    let (text, place) = pem(given)?;
    match X509::stack_from_pem(&text) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(given.error(&format!("{place} holds no certificate in PEM"))),
    }
}

fn der_of(certificate: &X509) -> Result<Certificate<'static>, String> {
    let der = certificate.to_der().map_err(|error| error.to_string())?;
    Ok(Certificate::from_der(&der).to_owned())
}

/// The text, and how to call it.
fn pem(given: &Declared<Pem>) -> Result<(Vec<u8>, String), SourceError> {
    match &given.value {
        Pem::File(path) => {
            let text = read(path).map_err(|error| given.error(&error))?;
            Ok((text, path.display().to_string()))
        }
        Pem::Text(text) => Ok((text.reveal().as_bytes().to_vec(), "the text".to_owned())),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn last_changes(tls: &RegistryTls) -> Vec<Option<SystemTime>> {
    let pems = [&tls.ca, &tls.certificate, &tls.key].into_iter().flatten();
    let mut files: Vec<&PathBuf> = pems
        .filter_map(|pem| match &pem.value {
            Pem::File(path) => Some(path),
            Pem::Text(_) => None,
        })
        .collect();
    files.extend(tls.keystore.as_ref().map(|keystore| &keystore.value));
    let changed = |path: &PathBuf| fs::metadata(path).and_then(|file| file.modified()).ok();
    files.into_iter().map(changed).collect()
}

//! Why a TLS handshake is refused, by trying one: librdkafka has the same words for every reason.

use std::fs;
use std::io::{ErrorKind, Read};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{HandshakeError, SslConnector, SslMethod, SslStream};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use regex::Regex;

use crate::config::ClientProperties;

/// How long each step of the handshake may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Numbers of OpenSSL's `x509_vfy.h`.
mod verify {
    pub(super) const NOT_YET_VALID: i32 = 9;
    pub(super) const EXPIRED: i32 = 10;
    pub(super) const REVOKED: i32 = 23;
    pub(super) const HOST_NAME: i32 = 62;
    pub(super) const ADDRESS: i32 = 64;
    /// No issuer is known, or only one that nobody vouches for.
    pub(super) const UNKNOWN: [i32; 5] = [2, 18, 19, 20, 21];
}

/// Adds the reason, and what helps, to what librdkafka says of a refused handshake; that alone
/// when there is no telling.
pub(crate) fn explained(client: &ClientProperties, text: &str) -> String {
    let text = super::without_places(text);
    let is_about_tls = ["SSL handshake", "certificate", "SSL alert"];
    if !is_about_tls.iter().any(|words| text.contains(words)) {
        return text;
    }
    match reason(client, &text) {
        Some(reason) => format!("{text}: {reason}"),
        None => text,
    }
}

/// Tries a handshake with the broker that the text is about.
fn reason(client: &ClientProperties, text: &str) -> Option<String> {
    static BROKER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"ssl://\[?([^/\]]+?)\]?:(\d+)/").expect("a regular expression")
    });
    let found = BROKER.captures(text)?;
    let host = &found[1];
    let port = found[2].parse().ok()?;
    let own = match Own::of(client) {
        Ok(own) => own,
        Err(error) => {
            return Some(format!(
                "the client's own certificate or key cannot be used: {error}"
            ));
        }
    };
    let address = (host, port).to_socket_addrs().ok()?.next()?;
    let stream = TcpStream::connect_timeout(&address, TIMEOUT).ok()?;
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    stream.set_write_timeout(Some(TIMEOUT)).ok()?;
    let broker = format!("{host}:{port}");
    let connecting = connecting(client, own.as_ref()).ok()?;
    match connecting.connect(host, stream) {
        Ok(mut stream) => {
            // With TLS 1.3, what a broker thinks of a certificate comes after the handshake.
            let refused = read(&mut stream)?;
            Some(of_alert(&broker, &refused, own.as_ref()))
        }
        Err(HandshakeError::Failure(failed)) => {
            let result = failed.ssl().verify_result();
            if result.as_raw() == 0 {
                let error = failed.error().to_string();
                return Some(of_alert(&broker, &error, own.as_ref()));
            }
            let certificate = presented(failed.ssl());
            Some(of_verification(
                &broker,
                host,
                result.as_raw(),
                certificate.as_ref(),
            ))
        }
        Err(_) => None,
    }
}

/// An alert that the broker sends; `None` if it is content.
fn read(stream: &mut SslStream<TcpStream>) -> Option<String> {
    match stream.read(&mut [0]) {
        Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Some(error.to_string())
        }
        _ => None,
    }
}

fn of_verification(broker: &str, host: &str, result: i32, certificate: Option<&X509>) -> String {
    match result {
        verify::EXPIRED => {
            let since = certificate.map(|c| format!(" on {}", c.not_after()));
            format!(
                "the certificate of {broker} has expired{}: whoever runs the broker has to renew it",
                since.unwrap_or_default()
            )
        }
        verify::NOT_YET_VALID => format!(
            "the certificate of {broker} is not valid yet: check the clocks of both machines"
        ),
        verify::REVOKED => format!("the certificate of {broker} is revoked (ssl.crl.location)"),
        verify::HOST_NAME | verify::ADDRESS => {
            let names = certificate.map(names).filter(|names| !names.is_empty());
            let names = names.map(|names| format!(", but for {}", names.join(", ")));
            format!(
                "the certificate of {broker} is not for the host name {host}{}: connect by a name \
                 that it has, also in the broker's advertised.listeners, or set \
                 ssl.endpoint.identification.algorithm to none",
                names.unwrap_or_default()
            )
        }
        result if verify::UNKNOWN.contains(&result) => {
            let issuer = certificate.map(|c| format!(", {},", common_name(c.issuer_name())));
            format!(
                "the certificate of {broker} is of an unknown authority{}: ssl.ca.location has to \
                 have the authority's own",
                issuer.unwrap_or_default()
            )
        }
        other => {
            format!("the certificate of {broker} does not stand up (OpenSSL's reason {other})")
        }
    }
}

/// What to make of what a broker, or OpenSSL itself, says while it closes.
fn of_alert(broker: &str, error: &str, own: Option<&Own>) -> String {
    if error.contains("wrong version number") || error.contains("packet length too long") {
        return format!(
            "{broker} does not speak TLS on this port: set bootstrap.servers to a listener that \
             does, or another security.protocol"
        );
    }
    let is_about_certificate = ["certificate", "unknown ca"]
        .iter()
        .any(|words| error.contains(words));
    let now = Asn1Time::days_from_now(0).ok();
    match own {
        None => format!(
            "{broker} wants a certificate of the client: set ssl.certificate.location and \
             ssl.key.location"
        ),
        Some(own) if now.is_some_and(|now| own.certificate.not_after() < &*now) => format!(
            "the client's own certificate has expired on {}: renew ssl.certificate.location",
            own.certificate.not_after()
        ),
        Some(own) if is_about_certificate => format!(
            "{broker} does not accept the client's certificate, which is {}'s, issued by {}: has it \
             that authority in its truststore?",
            common_name(own.certificate.subject_name()),
            common_name(own.certificate.issuer_name())
        ),
        Some(_) => format!("{broker} has closed the connection: {error}"),
    }
}

fn connecting(
    client: &ClientProperties,
    own: Option<&Own>,
) -> Result<openssl::ssl::ConnectConfiguration, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    let file = client.get("ssl.ca.location");
    let text = client.get("ssl.ca.pem");
    if file.is_some() || text.is_some() {
        // In place of the system's.
        let mut store = X509StoreBuilder::new()?;
        let folder = file.filter(|file| Path::new(file).is_dir());
        let pem = match (text, file) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, Some(file)) => fs::read(file).unwrap_or_default(),
            (None, None) => Vec::new(),
        };
        for certificate in X509::stack_from_pem(&pem)? {
            store.add_cert(certificate)?;
        }
        builder.set_cert_store(store.build());
        if let Some(folder) = folder {
            builder.load_verify_locations(None, Some(Path::new(folder)))?;
        }
    }
    if let Some(own) = own {
        builder.set_certificate(&own.certificate)?;
        builder.set_private_key(&own.key)?;
        for certificate in &own.chain {
            builder.add_extra_chain_cert(certificate.clone())?;
        }
    }
    let mut configuration = builder.build().configure()?;
    let is_checked = client.get("ssl.endpoint.identification.algorithm") != Some("none");
    configuration.set_verify_hostname(is_checked);
    Ok(configuration)
}

/// What the client shows of itself.
struct Own {
    certificate: X509,
    chain: Vec<X509>,
    key: PKey<Private>,
}

impl Own {
    fn of(client: &ClientProperties) -> Result<Option<Self>, String> {
        let words = |error: ErrorStack| error.to_string();
        let read = |file: &str| fs::read(file).map_err(|error| format!("{file}: {error}"));
        if let Some(file) = client.get("ssl.keystore.location") {
            let password = client.get("ssl.keystore.password").unwrap_or_default();
            let store = Pkcs12::from_der(&read(file)?).map_err(words)?;
            let parsed = store.parse2(password).map_err(words)?;
            return Ok(parsed.cert.zip(parsed.pkey).map(|(certificate, key)| Self {
                certificate,
                chain: parsed.ca.into_iter().flatten().collect(),
                key,
            }));
        }
        let contents = |name: &str| match client.get(&format!("ssl.{name}.pem")) {
            Some(text) => Ok(Some(text.as_bytes().to_vec())),
            None => client
                .get(&format!("ssl.{name}.location"))
                .map(read)
                .transpose(),
        };
        let (Some(certificate), Some(key)) = (contents("certificate")?, contents("key")?) else {
            return Ok(None);
        };
        let mut chain = X509::stack_from_pem(&certificate)
            .map_err(words)?
            .into_iter();
        let certificate = chain.next().ok_or("there is no certificate in the file")?;
        // Without a password, none is asked for on a terminal.
        let password = client.get("ssl.key.password").unwrap_or_default();
        let key = PKey::private_key_from_pem_passphrase(&key, password.as_bytes());
        Ok(Some(Self {
            certificate,
            chain: chain.collect(),
            key: key.map_err(words)?,
        }))
    }
}

fn presented(ssl: &openssl::ssl::SslRef) -> Option<X509> {
    ssl.peer_certificate()
        .or_else(|| ssl.peer_cert_chain()?.iter().next().map(|c| c.to_owned()))
}

/// The hosts that a certificate is for.
fn names(certificate: &X509) -> Vec<String> {
    let names = certificate.subject_alt_names();
    names
        .iter()
        .flatten()
        .filter_map(|name| match (name.dnsname(), name.ipaddress()) {
            (Some(name), _) => Some(name.to_owned()),
            (None, Some(&[a, b, c, d])) => Some(format!("{a}.{b}.{c}.{d}")),
            _ => None,
        })
        .collect()
}

fn common_name(name: &openssl::x509::X509NameRef) -> String {
    let entry = name.entries_by_nid(openssl::nid::Nid::COMMONNAME).next();
    let text = entry.and_then(|entry| entry.data().to_string().ok());
    text.unwrap_or_else(|| "nobody by name".to_owned())
}

//! X.509 certificates, made anew for each run: the right ones, and one for each way to be wrong.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::symm::Cipher;
use openssl::x509::extension::{BasicConstraints, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder};

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// The password of [`Identity::encrypted_key`] and [`Identity::key_store`].
pub const KEY_PASSWORD: &str = "key-secret";

/// Two certificate authorities and what they have signed, as files in a folder of their own.
#[derive(Debug)]
pub struct Certificates {
    folder: PathBuf,
    trusted: Authority,
    unknown: Authority,
}

/// A certificate and its private key.
#[derive(Debug, Clone)]
pub struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    encrypted_key: PathBuf,
    key_store: PathBuf,
}

#[derive(Debug)]
struct Authority {
    certificate: X509,
    key: PKey<Private>,
    file: PathBuf,
}

/// What the certificates of brokers that a test can choose from say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BrokerCertificate {
    Valid,
    Expired,
    WrongHost,
}

impl Certificates {
    /// Makes both authorities; all files go into `folder`, which is made if it is not there.
    ///
    /// # Panics
    ///
    /// If that fails.
    #[must_use]
    pub fn generate_in(folder: PathBuf) -> Self {
        std::fs::create_dir_all(&folder).expect("the folder is made");
        let authority = |name: &str, file: &str| {
            let (certificate, key) = authority(name).expect("OpenSSL makes an authority");
            let file = folder.join(file);
            let pem = certificate.to_pem().expect("a certificate has a PEM form");
            std::fs::write(&file, pem).expect("the authority is written");
            Authority {
                certificate,
                key,
                file,
            }
        };
        Self {
            trusted: authority("weir tests", "ca.pem"),
            unknown: authority("somebody else", "unknown-ca.pem"),
            folder,
        }
    }

    /// The authority that signs the certificates of brokers and clients.
    #[must_use]
    pub fn ca(&self) -> &Path {
        &self.trusted.file
    }

    /// An authority that has signed no broker's certificate.
    #[must_use]
    pub fn unknown_ca(&self) -> &Path {
        &self.unknown.file
    }

    /// A new certificate for a client, which brokers with client authentication take for the
    /// user `name`. Each call makes another one, with another key.
    #[must_use]
    pub fn client(&self, name: &str) -> Identity {
        self.issue(&self.trusted, name, &[], 1)
    }

    /// As [`Certificates::client`], from the authority that brokers do not know.
    #[must_use]
    pub fn client_of_unknown_ca(&self, name: &str) -> Identity {
        self.issue(&self.unknown, name, &[], 1)
    }

    /// As [`Certificates::client`], but no longer valid since yesterday.
    #[must_use]
    pub fn expired_client(&self, name: &str) -> Identity {
        self.issue(&self.trusted, name, &[], -1)
    }

    /// A new certificate for a broker on this machine, from the other authority.
    #[must_use]
    pub fn broker_of_unknown_ca(&self) -> Identity {
        self.issue(&self.unknown, "broker", &["localhost", "127.0.0.1"], 1)
    }

    /// A new certificate for a server on this machine.
    #[must_use]
    pub fn server(&self) -> Identity {
        self.broker(BrokerCertificate::Valid)
    }

    pub(crate) fn broker(&self, kind: BrokerCertificate) -> Identity {
        let here = ["localhost", "127.0.0.1"];
        let (hosts, days): (&[&str], i64) = match kind {
            BrokerCertificate::Valid => (&here, 1),
            BrokerCertificate::Expired => (&here, -1),
            BrokerCertificate::WrongHost => (&["elsewhere.example"], 1),
        };
        self.issue(&self.trusted, "broker", hosts, days)
    }

    /// A certificate that is valid up to `days` from now.
    fn issue(&self, authority: &Authority, name: &str, hosts: &[&str], days: i64) -> Identity {
        let (certificate, key) =
            signed(authority, name, hosts, days).expect("OpenSSL makes a certificate");
        let chain = [&certificate, &authority.certificate]
            .map(|certificate| certificate.to_pem().expect("its PEM form"))
            .concat();
        let encrypted =
            key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), KEY_PASSWORD.as_bytes());
        let store = Pkcs12::builder()
            .name(name)
            .pkey(&key)
            .cert(&certificate)
            .build2(KEY_PASSWORD)
            .and_then(|store| store.to_der());

        let serial = certificate.serial_number().to_bn();
        let serial = serial.and_then(|serial| serial.to_hex_str());
        let serial = serial.expect("a certificate has a serial number");
        let write = |suffix: &str, contents: Result<Vec<u8>, ErrorStack>| {
            let file = self.folder.join(format!("{name}-{serial}{suffix}"));
            let contents = contents.expect("OpenSSL writes what it has made");
            std::fs::write(&file, contents).expect("the file is written");
            file
        };
        Identity {
            certificate: write(".pem", Ok(chain)),
            key: write(".key", key.private_key_to_pem_pkcs8()),
            encrypted_key: write("-encrypted.key", encrypted),
            key_store: write(".p12", store),
        }
    }
}

impl Identity {
    /// The certificate and that of its authority, in PEM.
    #[must_use]
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// The key, in PEM (PKCS #8).
    #[must_use]
    pub fn key(&self) -> &Path {
        &self.key
    }

    /// The key, encrypted with [`KEY_PASSWORD`], in PEM (PKCS #8).
    #[must_use]
    pub fn encrypted_key(&self) -> &Path {
        &self.encrypted_key
    }

    /// Certificate and key in a PKCS #12 file, encrypted with [`KEY_PASSWORD`].
    #[must_use]
    pub fn key_store(&self) -> &Path {
        &self.key_store
    }
}

fn authority(name: &str) -> Result<(X509, PKey<Private>), ErrorStack> {
    let key = new_key()?;
    let mut builder = unsigned(name, &key, 2)?;
    let subject = common_name(name)?;
    builder.set_issuer_name(&subject)?;
    builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
    let usage = KeyUsage::new().critical().key_cert_sign().build()?;
    builder.append_extension(usage)?;
    builder.sign(&key, MessageDigest::sha256())?;
    Ok((builder.build(), key))
}

fn signed(
    authority: &Authority,
    name: &str,
    hosts: &[&str],
    days: i64,
) -> Result<(X509, PKey<Private>), ErrorStack> {
    let key = new_key()?;
    let mut builder = unsigned(name, &key, days)?;
    builder.set_issuer_name(authority.certificate.subject_name())?;
    if !hosts.is_empty() {
        let mut names = SubjectAlternativeName::new();
        for host in hosts {
            match host.parse::<IpAddr>() {
                Ok(_) => names.ip(host),
                Err(_) => names.dns(host),
            };
        }
        let context = builder.x509v3_context(Some(&authority.certificate), None);
        let names = names.build(&context)?;
        builder.append_extension(names)?;
    }
    builder.sign(&authority.key, MessageDigest::sha256())?;
    Ok((builder.build(), key))
}

fn unsigned(name: &str, key: &PKey<Private>, days: i64) -> Result<X509Builder, ErrorStack> {
    let mut serial = BigNum::new()?;
    serial.rand(64, MsbOption::ONE, false)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?; // counted from 0: X.509 v3
    builder.set_serial_number(serial.to_asn1_integer()?.as_ref())?;
    let subject = common_name(name)?;
    builder.set_subject_name(&subject)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(days_from_now(-2)?.as_ref())?;
    builder.set_not_after(days_from_now(days)?.as_ref())?;
    Ok(builder)
}

fn days_from_now(days: i64) -> Result<Asn1Time, ErrorStack> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("the clock is after 1970").as_secs();
    let seconds = i64::try_from(now).expect("a clock of this age");
    Asn1Time::from_unix(seconds + days * DAY_SECONDS)
}

fn common_name(name: &str) -> Result<X509Name, ErrorStack> {
    let mut builder = X509NameBuilder::new()?;
    builder.append_entry_by_nid(Nid::COMMONNAME, name)?;
    Ok(builder.build())
}

fn new_key() -> Result<PKey<Private>, ErrorStack> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&curve)?)
}

//! A Kerberos realm: MIT's key distribution centre on loopback, and keytabs for its principals.

use std::fs::File;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::watched::Watched;
use crate::{Unavailable, ports};

/// The realm of all principals.
pub const REALM: &str = "WEIR.TEST";

const READY_WITHIN: Duration = Duration::from_secs(10);
const PROGRAMS: [&str; 4] = ["krb5kdc", "kdb5_util", "kadmin.local", "kinit"];

/// A realm of one's own, with its database in a temporary folder; it goes when dropped.
#[derive(Debug)]
pub struct Kerberos {
    /// Ends before its folder goes.
    server: Option<Watched>,
    folder: TempDir,
    /// Where the administrator's programs are, which a user's `PATH` may not have.
    path: String,
    making: Mutex<()>,
}

impl Kerberos {
    /// Starts a realm without principals.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if one of MIT's programs is missing.
    ///
    /// # Panics
    ///
    /// If the server does not come up; its log is in the message.
    pub fn start() -> Result<Self, Unavailable> {
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
        let has = |program: &&&str| {
            std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
        };
        if let Some(missing) = PROGRAMS.iter().find(|program| !has(program)) {
            return Err(Unavailable {
                peer: "Kerberos",
                reason: format!("{missing} is missing (scripts/setup --test installs it)"),
                required_by: "WEIR_REQUIRE_KERBEROS",
            });
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut realm = Self {
            server: None,
            folder,
            path,
            making: Mutex::new(()),
        };
        let port = ports::free();
        realm.configure(port);
        realm.run(
            "kdb5_util",
            &["create", "-s", "-r", REALM, "-P", "database-secret"],
        );
        realm.serve(port);
        Ok(realm)
    }

    /// A keytab with the key of a principal, which is made the first time.
    #[must_use]
    pub fn keytab(&self, principal: &str) -> PathBuf {
        let _making = self.making.lock().expect("not poisoned");
        let keytab = self.file(&format!("{}.keytab", principal.replace('/', "-")));
        if !keytab.exists() {
            let name = keytab.to_str().expect("a temporary folder's name is UTF-8");
            self.run("kadmin.local", &["addprinc", "-randkey", principal]);
            self.run("kadmin.local", &["ktadd", "-k", name, principal]);
        }
        keytab
    }

    /// Another keytab of a principal: its key is a new one, and its other keytabs are stale.
    #[must_use]
    pub fn another_keytab(&self, principal: &str) -> PathBuf {
        let _making = self.making.lock().expect("not poisoned");
        let keytab = self.file(&format!("{}.another.keytab", principal.replace('/', "-")));
        let _ = std::fs::remove_file(&keytab);
        let name = keytab.to_str().expect("a temporary folder's name is UTF-8");
        self.run("kadmin.local", &["ktadd", "-k", name, principal]);
        keytab
    }

    /// A keytab of a principal that has another key since.
    #[must_use]
    pub fn stale_keytab(&self, principal: &str) -> PathBuf {
        let keytab = self.keytab(principal);
        self.run("kadmin.local", &["change_password", "-randkey", principal]);
        keytab
    }

    /// The `krb5.conf` of clients and brokers.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.file("krb5.conf")
    }

    /// The environment that the Kerberos libraries of a client want; the tickets of clients
    /// with the same `name` are in one cache.
    #[must_use]
    pub fn environment(&self, name: &str) -> [(&'static str, String); 2] {
        let cache = self.file(&format!("{name}.tickets"));
        [
            ("KRB5_CONFIG", self.config().display().to_string()),
            ("KRB5CCNAME", format!("FILE:{}", cache.display())),
        ]
    }

    fn configure(&self, port: u16) {
        let folder = self.folder.path().display();
        // Names are as given: this realm has no part in any domain name system. Only TCP,
        // since a test must not wait for the repetition of a lost datagram.
        let client = format!(
            "\
[libdefaults]
default_realm = {REALM}
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
udp_preference_limit = 1
[realms]
{REALM} = {{
    kdc = 127.0.0.1:{port}
}}
"
        );
        let server = format!(
            "\
[kdcdefaults]
kdc_listen = \"\"
kdc_tcp_listen = 127.0.0.1:{port}
[realms]
{REALM} = {{
    database_name = {folder}/principal
    key_stash_file = {folder}/stash
    acl_file = {folder}/kadm5.acl
    max_life = 1d
}}
[logging]
default = STDERR
"
        );
        std::fs::write(self.config(), client).expect("krb5.conf is written");
        std::fs::write(self.file("kdc.conf"), server).expect("kdc.conf is written");
    }

    fn serve(&mut self, port: u16) {
        let log = File::create(self.log()).expect("the server's log opens");
        let mut command = self.command("krb5kdc");
        command
            .arg("-n")
            .args(["-r", REALM])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log);
        let mut server = Watched::spawn(&mut command, self.folder.path());
        let deadline = Instant::now() + READY_WITHIN;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                server.ended().is_none() && Instant::now() < deadline,
                "the Kerberos server does not come up\n{}",
                std::fs::read_to_string(self.log()).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        self.server = Some(server);
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let output = self.command(program).args(arguments).output();
        let output = output.unwrap_or_else(|error| panic!("{program} does not run: {error}"));
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn command(&self, program: &str) -> Command {
        let mut folders = std::env::split_paths(&self.path).map(|folder| folder.join(program));
        let mut command = Command::new(
            folders
                .find(|file| file.is_file())
                .expect("looked for before"),
        );
        command
            .env("KRB5_CONFIG", self.config())
            .env("KRB5_KDC_PROFILE", self.file("kdc.conf"))
            .stdin(Stdio::null());
        command
    }

    fn log(&self) -> PathBuf {
        self.file("kdc.log")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

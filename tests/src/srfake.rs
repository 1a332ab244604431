//! A schema registry that is not weir's: the fake of franz-go, a Kafka client in Go.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::{Unavailable, script};

/// A registry on loopback; it stops when dropped. It knows GUIDs and references, and takes every
/// schema for compatible.
#[derive(Debug)]
pub struct Srfake {
    process: Child,
    url: String,
}

impl Srfake {
    /// Starts an empty registry, and builds it the first time.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if Go cannot be had, or its modules.
    ///
    /// # Panics
    ///
    /// If the program does not say its URL.
    pub fn start() -> Result<Self, Unavailable> {
        let program = script::path_from("srfake").map_err(|reason| Unavailable {
            peer: "franz-go's schema registry",
            reason,
            required_by: "WEIR_REQUIRE_GO",
        })?;
        let mut process = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut url = String::new();
        let said = process.stdout.take().expect("it is piped");
        let read = BufReader::new(said).read_line(&mut url);
        read.expect("it says its URL");
        let url = url.trim().to_owned();
        assert!(url.starts_with("http://"), "{url:?}");
        Ok(Self { process, url })
    }

    /// The `schema.registry.url`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Srfake {
    fn drop(&mut self) {
        // It ends by itself once its standard input is closed, which it is with this process.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

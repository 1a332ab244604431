//! How a client proves who it is, and whom it trusts, as it is in its files now.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::client::ClientProperties;
use super::schemas::RegistryConfig;
use super::security::is_security;

/// The security properties of a client, and what is in the files that they name. Only
/// compared, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity(BTreeMap<String, [u8; 32]>);

impl Identity {
    /// Reads the files anew, however they got there: a mounted secret changes by a symbolic
    /// link of the folder above, and with the same size and time.
    ///
    /// # Errors
    /// A file that cannot be read, by its name.
    pub fn of(client: &ClientProperties) -> Result<Self, String> {
        let mut identity = BTreeMap::new();
        for (name, property) in client.iter().filter(|(name, _)| is_security(name)) {
            let mut hash = Sha256::new();
            hash.update(property.value.as_bytes());
            if names_file(name) && Path::new(&property.value).is_file() {
                let contents = fs::read(&property.value);
                hash.update(contents.map_err(|error| format!("{}: {error}", property.value))?);
            }
            identity.insert(name.to_owned(), hash.finalize().into());
        }
        Ok(Self(identity))
    }

    /// The secrets of a registry's client. Files with certificates and keys are no part of it: who
    /// connects looks at them anyway.
    #[must_use]
    pub fn of_registry(registry: &RegistryConfig) -> Self {
        let mut identity = BTreeMap::new();
        for (key, secret) in registry.secrets() {
            let hash = Sha256::digest(secret.reveal().as_bytes());
            identity.insert(key.to_owned(), hash.into());
        }
        Self(identity)
    }

    /// The properties that are not as in `before`.
    #[must_use]
    pub fn changed_since(&self, before: &Self) -> Vec<String> {
        let names = self.0.keys().chain(before.0.keys());
        let mut changed: Vec<String> = names
            .filter(|name| self.0.get(*name) != before.0.get(*name))
            .cloned()
            .collect();
        changed.sort();
        changed.dedup();
        changed
    }
}

fn names_file(property: &str) -> bool {
    property.ends_with(".location") || property == "sasl.kerberos.keytab"
}

impl ClientProperties {
    /// Takes the security properties of another in place of its own.
    pub fn take_security_of(&mut self, other: &Self) {
        self.retain(|name, _| !is_security(name));
        for (name, property) in other.iter().filter(|(name, _)| is_security(name)) {
            self.insert(name, property.clone());
        }
    }

    /// Keeps what any client needs to connect, whether it reads or writes.
    pub fn keep_connection(&mut self) {
        const CONNECTION: [&str; 6] = [
            "bootstrap.",
            "broker.",
            "client.",
            "connections.",
            "reconnect.",
            "socket.",
        ];
        self.retain(|name, _| {
            let rack = name == "client.rack";
            !rack && (is_security(name) || CONNECTION.iter().any(|start| name.starts_with(start)))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_in_a_file_is_a_change_of_its_property() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        fs::write(&file, "one").unwrap();
        let mut client = ClientProperties::default();
        client.set_by_weir("ssl.ca.location", file.to_str().unwrap());
        client.set_by_weir("sasl.password", "a");
        client.set_by_weir("group.id", "g");
        let before = Identity::of(&client).unwrap();
        assert_eq!(
            Identity::of(&client).unwrap().changed_since(&before),
            [""; 0]
        );

        // Of the same length.
        fs::write(&file, "two").unwrap();
        client.set_by_weir("group.id", "other");
        let after = Identity::of(&client).unwrap();
        assert_eq!(after.changed_since(&before), ["ssl.ca.location"]);
        client.set_by_weir("sasl.password", "b");
        client.set_by_weir("sasl.username", "u");
        let last = Identity::of(&client).unwrap();
        assert_eq!(
            last.changed_since(&after),
            ["sasl.password", "sasl.username"]
        );
    }

    #[test]
    fn only_security_is_taken_over() {
        let mut running = ClientProperties::default();
        running.set_by_weir("sasl.password", "old");
        running.set_by_weir("ssl.key.password", "gone");
        running.set_by_weir("linger.ms", "5");
        let mut new = ClientProperties::default();
        new.set_by_weir("sasl.password", "new");
        new.set_by_weir("linger.ms", "7");
        running.take_security_of(&new);
        let names: Vec<_> = running
            .iter()
            .map(|(name, p)| (name, p.value.as_str()))
            .collect();
        assert_eq!(names, [("linger.ms", "5"), ("sasl.password", "new")]);
    }
}

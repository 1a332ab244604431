//! What librdkafka is told of one client, and where each property came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::error::Location;
use super::key::{Key, Kind};
use super::keys::KEYS;
use super::librdkafka;
use super::profile::Profile;
use super::reader::Reader;

/// The properties of one Kafka client, by librdkafka's names.
#[derive(Clone, Debug, Default)]
pub struct ClientProperties(BTreeMap<String, Property>);

/// One property. `Debug` hides secrets.
#[derive(Clone)]
pub struct Property {
    /// As librdkafka takes it.
    pub value: String,
    /// Whether it must never be shown.
    pub secret: bool,
    /// Why it has this value.
    pub origin: Origin,
}

/// Where the value of a property came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A key of the pipeline file.
    Key(&'static str, Location),
    /// The default of that key.
    Default(&'static str),
    /// The default of that key in this profile.
    Profile(&'static str, Profile),
    /// A `librdkafka:` section.
    PassedThrough(Location),
    /// The source's own property, where the sink has none.
    Source,
    /// weir needs it so.
    Weir,
}

impl ClientProperties {
    /// A property.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&Property> {
        self.0.get(name)
    }

    /// The value of a property.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|property| property.value.as_str())
    }

    /// The values that must never be shown.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.0
            .values()
            .filter(|property| property.secret && !property.value.is_empty())
            .map(|property| property.value.as_str())
    }

    /// A value that is a number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Property)> {
        self.0
            .iter()
            .map(|(name, property)| (name.as_str(), property))
    }

    /// The files that keys name: which key, which file, and where that is written.
    pub(super) fn files(&self) -> impl Iterator<Item = (&'static str, &Path, &Location)> {
        self.0
            .values()
            .filter_map(|property| match &property.origin {
                Origin::Key(name, at) => KEYS
                    .iter()
                    .any(|key| key.name == *name && key.kind == Kind::Path)
                    .then(|| (*name, Path::new(&property.value), at)),
                _ => None,
            })
    }

    /// Sets what weir needs, whatever it was.
    pub fn set_by_weir(&mut self, name: &str, value: &str) {
        let property = Property {
            value: value.to_owned(),
            secret: false,
            origin: Origin::Weir,
        };
        self.0.insert(name.to_owned(), property);
    }

    pub(super) fn insert(&mut self, name: &str, property: Property) {
        self.0.insert(name.to_owned(), property);
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Keeps those for which this holds.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&str, &Property) -> bool) {
        self.0.retain(|name, property| keep(name, property));
    }
}

impl Property {
    /// The value, or `***` for a secret.
    #[must_use]
    pub fn shown(&self) -> &str {
        if self.secret { "***" } else { &self.value }
    }

    /// Whether the file gives it: neither a default nor weir's own.
    #[must_use]
    pub fn is_given(&self) -> bool {
        matches!(self.origin, Origin::Key(..) | Origin::PassedThrough(_))
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Key(key, at) => write!(f, "{key}, line {}", at.line),
            Origin::Default(key) => write!(f, "default of {key}"),
            Origin::Profile(key, profile) => {
                write!(f, "default of {key} in profile {}", profile.as_str())
            }
            Origin::PassedThrough(at) => write!(f, "librdkafka:, line {}", at.line),
            Origin::Source => f.write_str("as for the source"),
            Origin::Weir => f.write_str("weir"),
        }
    }
}

/// Reads the keys that set a property, and what the file passes through.
pub(super) fn read(
    reader: &mut Reader<'_>,
    keys: impl IntoIterator<Item = &'static Key>,
    passed_through: &'static Key,
) -> ClientProperties {
    let mut properties = ClientProperties::default();
    for key in keys {
        let Some(name) = key.librdkafka else { continue };
        let origin = match (reader.given(key), key.profiles) {
            (Some(_), _) => Origin::Key(key.name, reader.location(key)),
            (None, Some(_)) => Origin::Profile(key.name, reader.profile),
            (None, None) => Origin::Default(key.name),
        };
        if let Some(value) = reader.property(key) {
            let property = Property {
                value,
                secret: key.secret,
                origin,
            };
            properties.insert(name, property);
        }
    }
    librdkafka::read(reader, passed_through, &mut properties);
    properties
}

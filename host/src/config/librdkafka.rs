//! `librdkafka:` properties that are passed through as they are.

use std::collections::BTreeMap;
use std::fmt;

use super::error::Problem;
use super::key::Kind;
use super::keys::KEYS;
use super::reader::{At, Reader};
use super::secret::looks_secret;
use super::yaml::Span;

/// Properties of librdkafka, by name. `Debug` hides the values that look secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties(pub BTreeMap<String, String>);

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().map(|(name, value)| {
            let value = if looks_secret(name) { "***" } else { value };
            (name, value)
        });
        f.debug_map().entries(shown).finish()
    }
}

/// Properties that weir sets itself, and what to do instead.
const OWNED: &[(&str, &str)] = &[
    (
        "enable.auto.commit",
        "weir commits what is delivered, every `commit.interval.ms`",
    ),
    ("auto.commit.interval.ms", "the key is `commit.interval.ms`"),
    ("enable.auto.offset.store", "weir stores what is delivered"),
    ("enable.partition.eof", "the key is `stop.mode`"),
    ("auto.offset.reset", "the key is `startup.mode`"),
    (
        "statistics.interval.ms",
        "weir needs its own interval for its metrics",
    ),
    ("metadata.broker.list", "the key is `bootstrap.servers`"),
    ("compression.codec", "the key is `compression.type`"),
    ("enable.idempotence", "weir always produces idempotently"),
    ("acks", "weir always waits for all replicas in sync"),
    (
        "request.required.acks",
        "weir always waits for all replicas in sync",
    ),
    ("delivery.report.only.error", "weir needs every report"),
    ("transactional.id", "this build has no transactions"),
];

pub(super) fn read(reader: &mut Reader<'_>, at: impl Into<At>) -> Properties {
    let at = at.into();
    let mut properties = BTreeMap::new();
    for (name, span, node) in reader.map(at) {
        if refused(reader, at, &name, span) {
            continue;
        }
        if let Some(given) = reader.entry(at, &node) {
            properties.insert(name, given.value);
        }
    }
    Properties(properties)
}

fn refused(reader: &mut Reader<'_>, at: At, name: &str, span: Span) -> bool {
    let section = at.name();
    let section = section.trim_end_matches("librdkafka");
    let own_key = KEYS.iter().find(|key| {
        key.librdkafka == Some(name) && (key.name.starts_with(section) || section.is_empty())
    });
    let later = KEYS.iter().find(|key| {
        let below = format!("{section}{name}");
        matches!(key.kind, Kind::Later(_)) && below.starts_with(&format!("{}.", key.name))
    });
    let owned = OWNED.iter().find(|(property, _)| *property == name);
    let problem = if let Some(key) = own_key {
        let own = key.name.strip_prefix(section).unwrap_or(key.name);
        let home = section.trim_end_matches('.');
        Problem::Contradiction(format!(
            "`{name}` has a key of its own: write `{own}` under `{home}:`"
        ))
    } else if let Some((_, instead)) = owned {
        Problem::Contradiction(format!("`{name}` is weir's to set: {instead}"))
    } else if let Some(Kind::Later(note)) = later.map(|key| key.kind) {
        Problem::NotYet {
            what: format!("`{name}` is "),
            note,
        }
    } else {
        return false;
    };
    reader.report(at, span, problem);
    true
}

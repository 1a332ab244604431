//! `librdkafka:` properties that are passed through as they are.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use super::client::{ClientProperties, Origin, Property};
use super::error::Problem;
use super::key::{Key, Kind};
use super::keys::KEYS;
use super::reader::Reader;
use super::secret::looks_secret;
use super::yaml::Span;

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
    ("metadata.broker.list", "the key is `bootstrap.servers`"),
    ("topic.blacklist", "the key is `topic.exclude.pattern`"),
    ("delivery.report.only.error", "weir needs every report"),
    ("transactional.id", "this build has no transactions"),
    (
        "enable.gapless.guarantee",
        "the pipeline stops at what cannot be delivered, by itself",
    ),
    (
        "sasl.oauthbearer.method",
        "weir fetches the tokens, by the keys `sasl.oauthbearer.…`",
    ),
    (
        "sasl.oauthbearer.config",
        "weir fetches the tokens, by the keys `sasl.oauthbearer.…`",
    ),
    (
        "enable.sasl.oauthbearer.unsecure.jwt",
        "weir fetches the tokens, by the keys `sasl.oauthbearer.…`",
    ),
    (
        "test.mock.num.brokers",
        "`weir demo` has brokers of its own",
    ),
];

/// Adds what the section holds.
pub(super) fn read(
    reader: &mut Reader<'_>,
    section: &'static Key,
    properties: &mut ClientProperties,
) {
    for (name, span, node) in reader.map(section) {
        if refused(reader, section, &name, span) {
            continue;
        }
        let Some(given) = reader.entry(section, &node) else {
            continue;
        };
        if let Err(why) = try_property(&name, &given.value) {
            reader.invalid(section, span, why);
            continue;
        }
        let property = Property {
            value: given.value,
            secret: looks_secret(&name),
            origin: Origin::PassedThrough(reader.text.location(span)),
        };
        properties.insert(&name, property);
    }
}

/// Lets librdkafka say what it thinks of a property.
fn try_property(name: &str, value: &str) -> Result<(), String> {
    match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(_, why, _, _)) if !looks_secret(name) => {
            Err(format!("librdkafka does not take this: {why}"))
        }
        Err(_) => Err(format!("librdkafka does not take this value for `{name}`")),
    }
}

fn refused(reader: &mut Reader<'_>, at: &'static Key, name: &str, span: Span) -> bool {
    let section = at.name.trim_end_matches("librdkafka");
    let full = format!("{section}{name}");
    let own_key = KEYS.iter().find(|key| {
        key.name.starts_with(section)
            && (key.librdkafka == Some(name)
                || key.name == full
                || key.aliases.contains(&full.as_str()))
    });
    let owned = OWNED.iter().find(|(property, _)| *property == name);
    let problem = match (own_key.copied(), owned) {
        (
            Some(Key {
                kind: Kind::Later(note),
                ..
            }),
            _,
        ) => Problem::NotYet {
            what: format!("`{name}` is "),
            note,
        },
        (_, Some((_, instead))) => {
            Problem::Contradiction(format!("`{name}` is weir's to set: {instead}"))
        }
        (Some(key), None) => {
            let own = key.name.strip_prefix(section).unwrap_or(key.name);
            let home = section.trim_end_matches('.');
            Problem::Contradiction(format!(
                "`{name}` has a key of its own: write `{own}` under `{home}:`"
            ))
        }
        (None, None) => return false,
    };
    reader.report(at, span, problem);
    true
}

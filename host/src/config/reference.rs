//! The reference page of keys, made of the table.

use super::key::{Key, Kind};
use super::keys::{KEYS, SECTIONS};
use super::metadata::Metadata;

/// `docs/pipeline-file.md` as it should be.
#[must_use]
pub fn page() -> String {
    let mut page = "\
# The pipeline file

One YAML file is one pipeline. Kafka's own names are used wherever Kafka has one. Sections nest
(`source:` with `topics:` in it) or are dotted (`source.topics:`), as you like. Paths are relative to the
folder of the file. A value may hold `${env:NAME}`, `${file:PATH}` or `${dir:PATH:KEY}`. `weir check FILE` shows every
mistake at once, with its line and the nearest valid name.

This page is made of the table of keys in `host/src/config/keys/`; to make it anew:
`WEIR_BLESS=1 cargo test -p weir-host reference`. `weir keys` lists the same. Editors complete and check keys by
[pipeline-file.schema.json](pipeline-file.schema.json), with a first line such as
`# yaml-language-server: $schema=pipeline-file.schema.json`.

"
    .to_owned();
    page.push_str(&page_of(&KEYS));
    page
}

/// Some keys as a table of Markdown, and those that do not work yet as a list.
#[must_use]
pub fn page_of(keys: &[&Key]) -> String {
    let mut page = "| key | takes | default | |\n| --- | --- | --- | --- |\n".to_owned();
    let (later, now): (Vec<&Key>, Vec<&Key>) = keys
        .iter()
        .partition(|key| matches!(key.kind, Kind::Later(_)));
    for key in now {
        page.push_str(&row(key));
    }
    if !later.is_empty() {
        page.push_str("\n## Known, and not there yet\n\nThese are errors that say so.\n\n");
    }
    for key in later {
        page.push_str(&format!("- `{}`: {}\n", key.name, key.doc));
    }
    page
}

/// The default of a key, in Markdown; empty where there is none.
#[must_use]
pub fn default_of(key: &Key) -> String {
    match (key.required, key.profiles, key.default, key.default_note) {
        (Some(_), ..) => "required".to_owned(),
        (_, Some([latency, balanced, throughput]), ..) => {
            format!("`{balanced}` (latency `{latency}`, throughput `{throughput}`)")
        }
        (_, _, Some(default), _) => format!("`{default}`"),
        (.., note) => note.unwrap_or_default().to_owned(),
    }
}

fn row(key: &Key) -> String {
    let mut doc = key.doc.to_owned();
    let alias = |name: &&str| {
        let section = key.name.len() - key.name.trim_start_matches(|c| c != '.').len();
        format!("`{}`", name.get(section + 1..).unwrap_or(name))
    };
    let aliases: Vec<String> = key.aliases.iter().map(alias).collect();
    if !aliases.is_empty() {
        doc.push_str(&format!(" Also {}.", aliases.join(", ")));
    }
    if let Some(property) = key
        .librdkafka
        .filter(|property| !key.name.ends_with(property))
    {
        doc.push_str(&format!(" librdkafka's `{property}`."));
    }
    if key.secret {
        doc.push_str(" Never shown.");
    }
    format!(
        "| `{}` | {} | {} | {} |\n",
        key.name,
        cell(&takes(key.kind)),
        cell(&default_of(key)),
        cell(&doc)
    )
}

/// What a key takes, in Markdown.
#[must_use]
pub fn takes(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".into(),
        Kind::Integer { min, max, unit } => format!("{}, {min} to {max}", unit.plural()),
        Kind::Choice { names, .. } => names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", "),
        Kind::Boolean => "`true`, `false`".into(),
        Kind::List => "a list".into(),
        Kind::Moment => "ms since 1970, RFC 3339, or `-1h`".into(),
        Kind::Offsets | Kind::Partitions => "a map".into(),
        Kind::Metadata => "a list or a map".into(),
        Kind::Pattern => "a regular expression".into(),
        Kind::Url => "a URL".into(),
        Kind::Path => "a path".into(),
        Kind::Plugin => "a built-in name or a path".into(),
        Kind::Options | Kind::Properties | Kind::Files => "a map".into(),
        Kind::Later(_) => "nothing yet".into(),
    }
}

/// A JSON Schema (2020-12) of pipeline files with these keys. Sections may nest or be dotted
/// in a file; the schema describes both of them, section by section.
#[must_use]
pub fn json_schema(keys: &[&Key]) -> serde_json::Value {
    let mut root = object(keys, "");
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    root["title"] = "A pipeline of weir".into();
    root
}

/// What may stand below `prefix`, which is empty or ends in a dot.
fn object(keys: &[&Key], prefix: &str) -> serde_json::Value {
    let mut properties = serde_json::Map::new();
    let below = |prefix: &str| {
        let prefix = prefix.to_owned();
        move |key: &&&Key| key.name.starts_with(&prefix)
    };
    for section in SECTIONS {
        let Some(rest) = section.name.strip_prefix(prefix) else {
            continue;
        };
        let (name, is_list) = match rest.strip_suffix("[]") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        if name.contains('.') || name.contains('[') {
            continue;
        }
        let inner = format!("{}.", section.name);
        if !keys.iter().any(|key| below(&inner)(&key)) {
            continue;
        }
        let mut value = object(keys, &inner);
        if let Some(key) = section.shorthand {
            value = serde_json::json!({ "anyOf": [one(key), value] });
        }
        if is_list {
            value = serde_json::json!({ "type": "array", "items": value });
        }
        value["description"] = section.doc.into();
        properties.insert(name.to_owned(), value);
    }
    for key in keys.iter().filter(below(prefix)) {
        if key.name[prefix.len()..].contains('[') || matches!(key.kind, Kind::Later(_)) {
            continue;
        }
        for name in key.names() {
            properties.insert(name[prefix.len()..].to_owned(), one(key));
        }
    }
    serde_json::json!({
        "type": "object",
        "properties": properties,
        // Keys may be dotted or nested at any of their dots.
        "additionalProperties": true,
    })
}

/// What one key takes. A number or a choice may also be `${…}`.
fn one(key: &Key) -> serde_json::Value {
    let reference = serde_json::json!({ "type": "string", "pattern": "\\$\\{" });
    let mut value = match key.kind {
        Kind::Integer { min, max, .. } => serde_json::json!({ "anyOf": [
            { "type": "integer", "minimum": min, "maximum": max }, reference,
        ] }),
        Kind::Boolean => serde_json::json!({ "anyOf": [{ "type": "boolean" }, reference] }),
        Kind::Choice { names, .. } => serde_json::json!({ "anyOf": [
            { "enum": names }, { "type": ["string", "integer"] },
        ] }),
        Kind::List => serde_json::json!({ "type": ["array", "string"] }),
        Kind::Metadata => {
            let names = serde_json::json!({ "enum": Metadata::NAMES });
            serde_json::json!({ "anyOf": [
                { "type": "array", "items": names },
                { "type": "object", "additionalProperties": names },
            ] })
        }
        Kind::Moment => serde_json::json!({ "type": ["integer", "string"] }),
        Kind::Offsets => serde_json::json!({ "type": ["object", "string"] }),
        Kind::Partitions | Kind::Options | Kind::Properties | Kind::Files => {
            serde_json::json!({ "type": "object" })
        }
        Kind::Text | Kind::Pattern | Kind::Url | Kind::Path | Kind::Plugin => {
            serde_json::json!({ "type": ["string", "number", "boolean"] })
        }
        Kind::Later(_) => serde_json::json!(false),
    };
    if let Some(default) = key.default
        && value.is_object()
    {
        value["default"] = default.into();
    }
    if value.is_object() {
        value["description"] = key.doc.into();
    }
    value
}

/// Text that does not end its cell of the table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_page_and_the_schema_are_what_the_table_says() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let schema = format!("{:#}\n", json_schema(&KEYS));
        for (name, expected) in [
            ("pipeline-file.md", page()),
            ("pipeline-file.schema.json", schema),
        ] {
            let path = docs.join(name);
            if std::env::var_os("WEIR_BLESS").is_some() {
                std::fs::write(&path, &expected).unwrap();
            }
            let written = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                written == expected,
                "docs/{name} is not what the table says: WEIR_BLESS=1 cargo test -p weir-host reference"
            );
        }
    }
}

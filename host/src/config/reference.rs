//! The reference page of keys, made of the table.

use super::key::{Key, Kind};
use super::keys::KEYS;

/// `docs/pipeline-file.md` as it should be.
#[must_use]
pub fn page() -> String {
    let mut page = "\
# The pipeline file

One YAML file is one pipeline. Kafka's own names are used wherever Kafka has one. Sections nest
(`source:` with `topics:` in it) or are dotted (`source.topics:`), as you like. Paths are relative to the
folder of the file. A value may hold `${env:NAME}` or `${file:PATH}`. `weir check FILE` shows every
mistake at once, with its line and the nearest valid name.

This page is made of the table of keys in `host/src/config/keys.rs`; to make it anew:
`WEIR_BLESS=1 cargo test -p weir-host reference`.

| key | takes | default | |
| --- | --- | --- | --- |
"
    .to_owned();
    let (later, now): (Vec<&Key>, Vec<&Key>) = KEYS
        .iter()
        .partition(|key| matches!(key.kind, Kind::Later(_)));
    for key in now {
        page.push_str(&row(key));
    }
    page.push_str("\n## Known, and not there yet\n\nThese are errors that say so.\n\n");
    for key in later {
        page.push_str(&format!("- `{}`: {}\n", key.name, key.doc));
    }
    page
}

fn row(key: &Key) -> String {
    let default = match (key.required, key.default, key.default_note) {
        (Some(_), ..) => "required".to_owned(),
        (_, Some(default), _) => format!("`{default}`"),
        (_, _, note) => note.unwrap_or_default().to_owned(),
    };
    let mut doc = key.doc.to_owned();
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
        takes(key.kind),
        cell(&default),
        cell(&doc)
    )
}

fn takes(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".into(),
        Kind::Integer { min, max, unit } => format!("{}, {min} to {max}", unit.plural()),
        Kind::Choice { names, .. } => names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", "),
        Kind::List => "a list".into(),
        Kind::Pattern => "a regular expression".into(),
        Kind::Url => "a URL".into(),
        Kind::Path => "a path".into(),
        Kind::Plugin => "a built-in name or a path".into(),
        Kind::Options | Kind::Properties | Kind::Files => "a map".into(),
        Kind::Later(_) => "nothing yet".into(),
    }
}

/// Text that does not end its cell of the table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn reference_page_is_what_the_table_says() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pipeline-file.md");
        if std::env::var_os("WEIR_BLESS").is_some() {
            std::fs::write(&path, super::page()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == super::page(),
            "docs/pipeline-file.md is not what the table says: WEIR_BLESS=1 cargo test -p weir-host reference"
        );
    }
}

//! "Did you mean": the nearest valid name.

use super::key::Kind;
use super::keys::{KEYS, SECTIONS};

/// The most names that are worth listing in an error.
const LISTED: usize = 8;

/// What to write instead of a name that a section does not have, ready to follow
/// "unknown key".
pub(super) struct Fix {
    pub(super) text: String,
    /// What was most likely meant, relative to the section.
    pub(super) meant: Option<&'static str>,
    /// The same, where it belongs into another section: its full name.
    pub(super) meant_elsewhere: Option<&'static str>,
}

/// Finds the [`Fix`] for a name, as it was written in a section.
pub(super) fn fix(section: &str, written: &str) -> Fix {
    if let Some(name) = nearest(written, names_in(section)) {
        return Fix {
            text: format!("; did you mean `{name}`?"),
            meant: Some(name),
            meant_elsewhere: None,
        };
    }
    let (section, leaf) = innermost(&join(section, written));
    let ending = format!(".{leaf}");
    let elsewhere = KEYS
        .iter()
        .map(|key| key.name)
        .chain(SECTIONS.iter().map(|section| section.name))
        .find(|name| *name == leaf || name.ends_with(&ending));
    let text = match elsewhere.map(|name| name.strip_suffix(&ending)) {
        Some(Some(home)) => format!(": `{leaf}` belongs under `{home}:`"),
        Some(None) => format!(": `{leaf}` belongs at the top of the file"),
        None => format!("; {}", listing(&section)),
    };
    Fix {
        text,
        meant: None,
        meant_elsewhere: elsewhere,
    }
}

/// A full name as the innermost section that it is in, and the rest.
fn innermost(name: &str) -> (String, String) {
    SECTIONS
        .iter()
        .filter_map(|section| {
            let rest = name.strip_prefix(section.name)?.strip_prefix('.')?;
            Some((section.name.to_owned(), rest.to_owned()))
        })
        .min_by_key(|(_, rest)| rest.len())
        .unwrap_or_else(|| (String::new(), name.to_owned()))
}

/// What a section takes, for a reader who has to choose.
pub(super) fn listing(section: &str) -> String {
    let all = names_in(section);
    let is_inside = |name: &str| {
        all.iter().any(|outer| {
            name.strip_prefix(outer)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    };
    let later = |name: &str| {
        KEYS.iter()
            .any(|key| matches!(key.kind, Kind::Later(_)) && key.name == join(section, name))
    };
    let names: Vec<&str> = all
        .iter()
        .copied()
        .filter(|name| !is_inside(name) && !later(name))
        .collect();
    let what = if section.is_empty() {
        "the file".to_owned()
    } else {
        format!("`{section}`")
    };
    let rest = if names.len() > LISTED { ", …" } else { "" };
    let shown = names[..names.len().min(LISTED)].join(", ");
    format!("{what} takes {shown}{rest}")
}

/// The nearest of some names to one that was written, if it is near at all.
pub(super) fn nearest<'a>(
    written: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let wanted = plain(written);
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wanted, &plain(name)), name))
        .filter(|(distance, name)| *distance <= (name.len().max(written.len()) / 4).clamp(1, 4))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// What may stand in a section, relative to it: sections, then keys.
fn names_in(section: &str) -> Vec<&'static str> {
    let prefix = join(section, "");
    let sections = SECTIONS.iter().map(|section| section.name);
    sections
        .chain(KEYS.iter().map(|key| key.name))
        .filter_map(|name| name.strip_prefix(prefix.as_str()))
        .filter(|name| !name.contains("[]"))
        .collect()
}

/// A name in a section, in full.
pub(super) fn join(section: &str, name: &str) -> String {
    if section.is_empty() {
        name.to_owned()
    } else {
        format!("{section}.{name}")
    }
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace(['_', '-'], ".")
}

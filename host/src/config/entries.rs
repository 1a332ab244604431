//! The walk of the tree against the table: from nested maps to dotted names.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{ConfigError, Problem};
use super::key::{Key, Kind};
use super::keys::{KEYS, SECTIONS};
use super::nearest::{self, join};
use super::text::SourceText;
use super::yaml::{Node, Span, Value};

/// What a file gives, by full dotted name, with `[0]`, `[1]` for entries of lists.
#[derive(Default)]
pub(super) struct Entries {
    /// The keys.
    pub(super) keys: BTreeMap<String, Entry>,
    /// Where each section begins.
    pub(super) sections: BTreeMap<String, Span>,
    /// How many entries each list has.
    pub(super) lengths: BTreeMap<String, usize>,
    /// Names, of keys or sections, that were most likely meant by something that has
    /// been reported already: they are not missing as well.
    pub(super) excused: BTreeSet<String>,
}

/// One key as given.
pub(super) struct Entry {
    /// Where its name stands.
    pub(super) name: Span,
    /// Its value.
    pub(super) node: Node,
}

/// Sorts a file's contents by the table. Unknown, doubled and not yet supported keys
/// are reported, and left out.
pub(super) fn flatten(root: Node, text: &SourceText, errors: &mut Vec<ConfigError>) -> Entries {
    let mut walk = Walk {
        text,
        errors,
        entries: Entries::default(),
    };
    let Value::Map(entries) = root.value else {
        if !root.is_null() {
            let problem = Problem::WrongType {
                expected: "a map of keys, such as `source:`".to_owned(),
                found: root.describe(),
            };
            walk.errors.push(text.error(root.span, "", problem));
        }
        return walk.entries;
    };
    walk.map("", entries);
    walk.entries
}

struct Walk<'a> {
    text: &'a SourceText,
    errors: &'a mut Vec<ConfigError>,
    entries: Entries,
}

impl Walk<'_> {
    fn map(&mut self, section: &str, entries: Vec<(super::yaml::Name, Node)>) {
        for (name, node) in entries {
            let path = join(section, &name.text);
            self.item(section, &name.text, path, name.span, node);
        }
    }

    fn item(&mut self, section: &str, written: &str, path: String, name: Span, node: Node) {
        let pattern = pattern_of(&path);
        // An index is how weir names the entries of lists, and no way to write them.
        let found = if written.contains('[') {
            None
        } else {
            find(&pattern)
        };
        let path = match found {
            Some(Found::Key(key)) if key.aliases.contains(&pattern.as_str()) => key.name.to_owned(),
            _ => path,
        };
        match found {
            Some(Found::Key(key)) if matches!(key.kind, Kind::Later(_)) => {
                self.refuse_later(key, path, name);
            }
            Some(Found::Key(key)) => self.key(key, path, name, node),
            Some(Found::Section) => self.section(&pattern, path, name, node),
            Some(Found::Prefix) if matches!(node.value, Value::Map(_)) => {
                self.section(&pattern, path, name, node);
            }
            Some(Found::Prefix) | None => {
                let fix = nearest::fix(&pattern_of(section), written);
                let meant = fix.meant.map(|meant| join(section, meant));
                let elsewhere = fix.meant_elsewhere.map(str::to_owned);
                self.entries.excused.extend(meant.or(elsewhere));
                self.push(name, &path, Problem::UnknownKey { fix: fix.text });
            }
        }
    }

    fn refuse_later(&mut self, key: &Key, path: String, name: Span) {
        if let Kind::Later(note) = key.kind {
            let what = String::new();
            self.push(name, &path, Problem::NotYet { what, note });
        }
    }

    fn key(&mut self, key: &Key, path: String, name: Span, node: Node) {
        if let Some(first) = self.entries.keys.get(&path) {
            let first_line = first.name.line;
            self.push(name, &path, Problem::Duplicate { first_line });
        } else if node.is_null() && !matches!(key.kind, Kind::Options | Kind::Properties) {
            let problem = Problem::WrongType {
                expected: expected(key),
                found: node.describe(),
            };
            self.push(name, &path, problem);
            self.entries.keys.insert(path, Entry { name, node });
        } else {
            self.entries.keys.insert(path, Entry { name, node });
        }
    }

    fn section(&mut self, pattern: &str, path: String, name: Span, node: Node) {
        let shorthand = SECTIONS
            .iter()
            .find(|section| section.name == pattern)
            .and_then(|section| section.shorthand);
        let is_list = find(&format!("{pattern}[]")).is_some();
        let null = node.is_null();
        self.entries.sections.entry(path.clone()).or_insert(name);
        match (node.value, shorthand) {
            _ if null => {}
            (Value::Map(entries), _) if !is_list => self.map(&path, entries),
            (Value::List(nodes), _) if is_list => {
                self.entries.lengths.insert(path.clone(), nodes.len());
                for (index, node) in nodes.into_iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    let place = Span::at(node.span.line, node.span.column);
                    self.section(&format!("{pattern}[]"), path, place, node);
                }
            }
            (value @ Value::Scalar { .. }, Some(key)) => {
                let suffix = key.name.strip_prefix(pattern).unwrap_or_default();
                let node = Node {
                    span: node.span,
                    value,
                };
                self.key(key, format!("{path}{suffix}"), name, node);
            }
            (value, _) => {
                let node = Node {
                    span: node.span,
                    value,
                };
                let expected = if is_list {
                    format!(
                        "a list of maps; {}",
                        nearest::listing(&format!("{pattern}[]"))
                    )
                } else {
                    format!("a map of keys; {}", nearest::listing(pattern))
                };
                let found = node.describe();
                let problem = Problem::WrongType { expected, found };
                self.push(node.span, &path, problem);
                self.entries.excused.insert(path);
            }
        }
    }

    fn push(&mut self, span: Span, key: &str, problem: Problem) {
        self.errors.push(self.text.error(span, key, problem));
    }
}

enum Found {
    Key(&'static Key),
    Section,
    /// Part of a dotted name, which may be written as a map.
    Prefix,
}

/// What the table has by this name. All that is below a key for later is that key.
fn find(pattern: &str) -> Option<Found> {
    let is_below = |name: &str, of: &str| {
        name.strip_prefix(of)
            .is_some_and(|rest| rest.starts_with('.') || rest.starts_with("[]"))
    };
    let key = KEYS.iter().copied().find(|key| {
        key.name == pattern
            || key.aliases.contains(&pattern)
            || matches!(key.kind, Kind::Later(_)) && is_below(pattern, key.name)
    });
    if let Some(key) = key {
        Some(Found::Key(key))
    } else if SECTIONS.iter().any(|section| section.name == pattern) {
        Some(Found::Section)
    } else {
        let mut names = KEYS.iter().flat_map(|key| key.names());
        let is_prefix = names.any(|name| is_below(name, pattern));
        is_prefix.then_some(Found::Prefix)
    }
}

/// `interceptors[]` for `interceptors[3]`.
fn pattern_of(path: &str) -> String {
    let mut pattern = String::with_capacity(path.len());
    let mut inside = false;
    for c in path.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            _ if inside => continue,
            _ => {}
        }
        pattern.push(c);
    }
    pattern
}

/// What a key takes, in words.
pub(super) fn expected(key: &Key) -> String {
    match key.kind {
        Kind::Text => "text".to_owned(),
        Kind::Integer { min, max, unit } => {
            format!("a whole number of {}, {min} to {max}", unit.plural())
        }
        Kind::Boolean => "`true` or `false`".to_owned(),
        Kind::Choice { names: [name], .. } => format!("`{name}`"),
        Kind::Choice { names, .. } => format!("one of {}", names.join(", ")),
        Kind::List => "a list such as [a, b], or text such as a,b".to_owned(),
        Kind::Pattern => "a regular expression".to_owned(),
        Kind::Moment => {
            "ms since 1970, a time such as 2026-03-01T12:00:00Z, or -1h for an hour before \
                         the start"
                .to_owned()
        }
        Kind::Offsets => {
            "a map from topics to offsets, such as { orders: { 0: 42, 1: 300 } }".to_owned()
        }
        Kind::Partitions => {
            "a map from topics to partitions, such as { orders: [0, 4-7] }".to_owned()
        }
        Kind::Metadata => {
            "a list such as [topic, offset], or a map such as { kafka_offset: offset }".to_owned()
        }
        Kind::Url => "a URL such as http://localhost:8081".to_owned(),
        Kind::Path => "a path".to_owned(),
        Kind::Plugin => "a plug-in's name, or a path such as ./mine.wasm".to_owned(),
        Kind::Options => "a map of the plug-in's options".to_owned(),
        Kind::Properties => "a map of librdkafka's properties".to_owned(),
        Kind::Files => {
            "a map from schema ids or subjects to files, such as { 1: ./orders.avsc }".to_owned()
        }
        Kind::Later(_) => "nothing yet".to_owned(),
    }
}

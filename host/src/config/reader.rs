//! From a file's entries to typed values, by what the table says of each key.

use std::path::PathBuf;
use std::time::Duration;

use super::choice::{Choice, same_name};
use super::entries::{Entries, expected};
use super::error::{ConfigError, Location, Problem};
use super::key::{Key, Kind};
use super::keys::SECTIONS;
use super::nearest::nearest;
use super::profile::Profile;
use super::secret::Secret;
use super::substitute::Outside;
use super::text::SourceText;
use super::yaml::{Node, Span, Value};

/// Reads typed values out of a file. Each method answers with something usable even
/// after an error, so that one run finds all errors; the caller discards the result
/// when there are any.
pub(super) struct Reader<'a> {
    pub(super) entries: Entries,
    pub(super) text: &'a SourceText,
    pub(super) outside: Outside<'a>,
    pub(super) errors: Vec<ConfigError>,
    /// Which defaults hold.
    pub(super) profile: Profile,
}

/// A key, and which entry of a list where its name has a `[]`.
#[derive(Clone, Copy)]
pub(super) struct At {
    key: &'static Key,
    index: usize,
}

impl From<&'static Key> for At {
    fn from(key: &'static Key) -> Self {
        Self { key, index: 0 }
    }
}

impl At {
    pub(super) fn new(key: &'static Key, index: usize) -> Self {
        Self { key, index }
    }

    pub(super) fn name(self) -> String {
        self.key.name.replace("[]", &format!("[{}]", self.index))
    }
}

/// A text that was given, after substitution.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) value: String,
    /// As it may be shown in an error: as written, and never a secret.
    pub(super) shown: String,
    /// Whether part of it came from outside the file.
    pub(super) substituted: bool,
    pub(super) span: Span,
}

impl Given {
    /// The parts between commas, trimmed. Each has its own place where the text stands
    /// in the file as it is, and the place of the whole where it does not.
    fn split_commas(&self) -> Vec<Self> {
        let verbatim = !self.substituted
            && self.span.line == self.span.end_line
            && self.span.end_column - self.span.column == self.value.chars().count();
        let mut column = self.span.column;
        let mut parts = Vec::new();
        for part in self.value.split(',') {
            let trimmed = part.trim();
            let mut given = self.clone();
            trimmed.clone_into(&mut given.value);
            if verbatim {
                let indent = part.chars().count() - part.trim_start().chars().count();
                trimmed.clone_into(&mut given.shown);
                given.span.column = column + indent;
                given.span.end_column = given.span.column + trimmed.chars().count();
            }
            column += part.chars().count() + 1;
            parts.push(given);
        }
        parts
    }
}

impl Reader<'_> {
    /// Where a key's name stands, if it was given.
    pub(super) fn given(&self, at: impl Into<At>) -> Option<Span> {
        self.entries
            .keys
            .get(&at.into().name())
            .map(|entry| entry.name)
    }

    /// Where to look for a key: its name, or the section it is missing from.
    pub(super) fn place(&self, at: impl Into<At>) -> Span {
        let name = at.into().name();
        if let Some(entry) = self.entries.keys.get(&name) {
            return entry.name;
        }
        let mut section = name.as_str();
        while let Some((outer, _)) = section.rsplit_once('.') {
            if let Some(span) = self.entries.sections.get(outer) {
                return *span;
            }
            section = outer;
        }
        Span::FILE
    }

    pub(super) fn location(&self, at: impl Into<At>) -> Location {
        let at = at.into();
        let node = self
            .entries
            .keys
            .get(&at.name())
            .map(|entry| entry.node.span);
        self.text.location(node.unwrap_or_else(|| self.place(at)))
    }

    pub(super) fn report(&mut self, at: impl Into<At>, span: Span, problem: Problem) {
        // Some keys are read twice: as what they mean, and as what librdkafka is told.
        let error = self.text.error(span, &at.into().name(), problem);
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    pub(super) fn invalid(&mut self, at: impl Into<At>, span: Span, message: String) {
        self.report(at, span, Problem::Invalid(message));
    }

    /// Two keys that contradict each other; the message is shown at this one.
    pub(super) fn contradiction(&mut self, at: impl Into<At>, message: impl Into<String>) {
        let at = at.into();
        let span = self.place(at);
        self.report(at, span, Problem::Contradiction(message.into()));
    }

    pub(super) fn missing(&mut self, at: impl Into<At>, what: &str) {
        let at = at.into();
        let name = at.name();
        let excused = |meant: &String| {
            name.strip_prefix(meant.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if self.entries.excused.iter().any(excused) {
            return;
        }
        let fix = format!("write {what}");
        let span = self.place(at);
        self.report(at, span, Problem::Missing { fix });
    }

    /// A key that has to be given and is not.
    fn missing_key(&mut self, at: At) {
        let name = at.name();
        let shorthand = SECTIONS.iter().find(|section| {
            section.shorthand.is_some_and(|key| key.name == at.key.name)
                && !self.entries.sections.contains_key(section.name)
                && !section.name.contains("[]")
        });
        let written = match shorthand {
            Some(section) => section.name,
            None => self
                .entries
                .sections
                .keys()
                .filter_map(|section| name.strip_prefix(section.as_str())?.strip_prefix('.'))
                .min_by_key(|rest| rest.len())
                .unwrap_or(&name),
        };
        let what = format!("`{written}: {}`", at.key.required.unwrap_or_default());
        self.missing(at, &what);
    }

    /// A text, not empty; the default where there is one.
    pub(super) fn text(&mut self, at: impl Into<At>) -> Option<Given> {
        let at = at.into();
        let name = at.name();
        let Some(entry) = self.entries.keys.get(&name) else {
            if let Some(default) = at.key.default_in(self.profile) {
                return Some(Given {
                    value: default.to_owned(),
                    shown: default.to_owned(),
                    substituted: false,
                    span: self.place(at),
                });
            }
            if at.key.required.is_some() {
                self.missing_key(at);
            }
            return None;
        };
        let node = entry.node.clone();
        self.scalar(at, &node)
    }

    /// A text, or an empty one after an error.
    pub(super) fn string(&mut self, at: impl Into<At>) -> String {
        self.text(at).map(|given| given.value).unwrap_or_default()
    }

    pub(super) fn secret(&mut self, at: impl Into<At>) -> Option<Secret> {
        self.text(at).map(|given| Secret::new(given.value))
    }

    /// A number within the key's range.
    pub(super) fn integer<T: TryFrom<u64> + Default>(&mut self, at: impl Into<At>) -> T {
        let at = at.into();
        let Some(given) = self.text(at) else {
            return T::default();
        };
        let (min, max) = match at.key.kind {
            Kind::Integer { min, max, .. } => (min, max),
            _ => (0, u64::MAX),
        };
        let number = given.value.trim().parse::<u64>().ok();
        let fitting = number
            .filter(|number| (min..=max).contains(number))
            .and_then(|number| T::try_from(number).ok());
        fitting.unwrap_or_else(|| {
            let expected = expected(at.key);
            let message = match number {
                Some(_) => format!("`{}` is out of range: give {expected}", given.shown),
                None => format!("`{}` is not {expected}", given.shown),
            };
            self.invalid(at, given.span, message);
            T::default()
        })
    }

    pub(super) fn millis(&mut self, at: impl Into<At>) -> Duration {
        Duration::from_millis(self.integer(at))
    }

    pub(super) fn boolean(&mut self, at: impl Into<At>) -> bool {
        let at = at.into();
        let Some(given) = self.text(at) else {
            return false;
        };
        match given.value.trim() {
            "true" => true,
            "false" => false,
            _ => {
                let message = format!("`{}` is not {}", given.shown, expected(at.key));
                self.invalid(at, given.span, message);
                false
            }
        }
    }

    /// One of an enum's values, if the key is given or has a default.
    pub(super) fn choice<T: Choice>(&mut self, at: impl Into<At>) -> Option<T> {
        let name = self.choice_name(at)?;
        T::VALUES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    }

    /// The name, as the table has it, of what was chosen.
    fn choice_name(&mut self, at: impl Into<At>) -> Option<&'static str> {
        let at = at.into();
        let given = self.text(at)?;
        let Kind::Choice {
            names,
            also,
            later,
            note,
        } = at.key.kind
        else {
            return None;
        };
        let known = names.iter().map(|name| (*name, *name));
        let found = known
            .chain(also.iter().copied())
            .find(|(name, _)| same_name(&given.value, name));
        if let Some((_, name)) = found {
            return Some(name);
        }
        let problem = match later.iter().find(|name| same_name(&given.value, name)) {
            Some(name) => Problem::NotYet {
                what: format!("`{name}` is "),
                note,
            },
            None => {
                let known = names.iter().chain(later).copied();
                let hint = nearest(&given.value, known)
                    .map(|name| format!("; did you mean `{name}`?"))
                    .unwrap_or_default();
                Problem::Invalid(format!(
                    "`{}` is not {}{hint}",
                    given.shown,
                    expected(at.key)
                ))
            }
        };
        self.report(at, given.span, problem);
        None
    }

    /// A list, or the parts of a text with commas: none of them empty.
    pub(super) fn list(&mut self, at: impl Into<At>) -> Vec<Given> {
        let at = at.into();
        let Some(entry) = self.entries.keys.get(&at.name()) else {
            return match self.text(at) {
                Some(default) => default.split_commas(),
                None => Vec::new(),
            };
        };
        let node = entry.node.clone();
        let whole = node.span;
        let parts: Vec<Given> = match node.value {
            Value::List(nodes) => {
                if nodes.is_empty() {
                    self.invalid(
                        at,
                        whole,
                        "an empty list: give at least one entry".to_owned(),
                    );
                }
                nodes
                    .iter()
                    .filter_map(|node| self.entry(at, node))
                    .collect()
            }
            _ => match self.scalar(at, &node) {
                Some(given) => given.split_commas(),
                None => return Vec::new(),
            },
        };
        if let Some(empty) = parts.iter().find(|part| part.value.is_empty()) {
            let message = "an entry is empty: remove the extra comma".to_owned();
            self.invalid(at, empty.span, message);
        }
        parts
            .into_iter()
            .filter(|part| !part.value.is_empty())
            .collect()
    }

    pub(super) fn path(&mut self, at: impl Into<At>) -> PathBuf {
        let value = self.string(at);
        self.outside.resolve(&value)
    }

    /// The value of a key that sets a property of librdkafka, as that takes it.
    pub(super) fn property(&mut self, key: &'static Key) -> Option<String> {
        match key.kind {
            Kind::Integer { .. } => {
                let number: u64 = self.integer(key);
                (key.default_in(self.profile).is_some() || self.given(key).is_some())
                    .then(|| number.to_string())
            }
            Kind::Boolean => Some(self.boolean(key).to_string()),
            Kind::Choice { .. } => self.choice_name(key).map(str::to_owned),
            Kind::List => {
                let parts: Vec<String> =
                    self.list(key).into_iter().map(|part| part.value).collect();
                (!parts.is_empty()).then(|| parts.join(","))
            }
            Kind::Path => {
                self.given(key)?;
                Some(self.path(key).display().to_string())
            }
            _ => self.text(key).map(|given| given.value),
        }
    }

    /// The entries of a map, each with the place of its name.
    pub(super) fn map(&mut self, at: impl Into<At>) -> Vec<(String, Span, Node)> {
        let at = at.into();
        let Some(entry) = self.entries.keys.get(&at.name()) else {
            return Vec::new();
        };
        let node = entry.node.clone();
        match node.value {
            Value::Map(entries) => entries
                .into_iter()
                .map(|(name, node)| (name.text, name.span, node))
                .collect(),
            _ if node.is_null() => Vec::new(),
            _ => {
                let problem = Problem::WrongType {
                    expected: expected(at.key),
                    found: node.describe(),
                };
                self.report(at, node.span, problem);
                Vec::new()
            }
        }
    }

    /// A single value inside a list or map: unlike a key's own value, nothing has been
    /// reported yet when it is null.
    pub(super) fn entry(&mut self, at: impl Into<At>, node: &Node) -> Option<Given> {
        let at = at.into();
        if node.is_null() {
            self.invalid(at, node.span, "an entry is empty: give a value".to_owned());
        }
        if !matches!(node.value, Value::Scalar { .. }) {
            let problem = Problem::WrongType {
                expected: "a single value".to_owned(),
                found: node.describe(),
            };
            self.report(at, node.span, problem);
            return None;
        }
        self.scalar(at, node)
    }

    /// A single value as text, substituted; reported when it is something else.
    pub(super) fn scalar(&mut self, at: impl Into<At>, node: &Node) -> Option<Given> {
        let at = at.into();
        let Value::Scalar { text, .. } = &node.value else {
            let problem = Problem::WrongType {
                expected: expected(at.key),
                found: node.describe(),
            };
            self.report(at, node.span, problem);
            return None;
        };
        if node.is_null() {
            return None;
        }
        match self.outside.substitute(text) {
            Ok(value) if value.trim().is_empty() => {
                let why = if text.contains("${") {
                    " after substitution"
                } else {
                    ""
                };
                let message = format!("empty{why}: give {}", expected(at.key));
                self.invalid(at, node.span, message);
                None
            }
            Ok(value) => Some(Given {
                value,
                shown: if at.key.secret {
                    "***".to_owned()
                } else {
                    text.clone()
                },
                substituted: text.contains("${"),
                span: node.span,
            }),
            Err(message) => {
                self.report(at, node.span, Problem::Substitution(message));
                None
            }
        }
    }
}

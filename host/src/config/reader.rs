//! From a file's entries to typed values, by what the table says of each key.

mod given;
mod values;

use super::entries::Entries;
use super::error::{ConfigError, Location, Problem};
use super::key::Key;
use super::keys::SECTIONS;
use super::profile::Profile;
use super::substitute::Outside;
use super::text::SourceText;
use super::yaml::Span;

pub(super) use given::Given;

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
}

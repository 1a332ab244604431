//! Values of keys, each read as what the table says it is.

use std::path::PathBuf;
use std::time::Duration;

use super::{At, Given, Reader};
use crate::config::choice::{Choice, same_name};
use crate::config::entries::expected;
use crate::config::error::Problem;
use crate::config::key::{Key, Kind};
use crate::config::nearest::nearest;
use crate::config::secret::Secret;
use crate::config::yaml::{Node, Span, Value};

impl Reader<'_> {
    /// A text, not empty; the default where there is one.
    pub(in crate::config) fn text(&mut self, at: impl Into<At>) -> Option<Given> {
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
    pub(in crate::config) fn string(&mut self, at: impl Into<At>) -> String {
        self.text(at).map(|given| given.value).unwrap_or_default()
    }

    pub(in crate::config) fn secret(&mut self, at: impl Into<At>) -> Option<Secret> {
        self.text(at).map(|given| Secret::new(given.value))
    }

    /// A number within the key's range.
    pub(in crate::config) fn integer<T: TryFrom<u64> + Default>(&mut self, at: impl Into<At>) -> T {
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

    pub(in crate::config) fn millis(&mut self, at: impl Into<At>) -> Duration {
        Duration::from_millis(self.integer(at))
    }

    pub(in crate::config) fn boolean(&mut self, at: impl Into<At>) -> bool {
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
    pub(in crate::config) fn choice<T: Choice>(&mut self, at: impl Into<At>) -> Option<T> {
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
    pub(in crate::config) fn list(&mut self, at: impl Into<At>) -> Vec<Given> {
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

    pub(in crate::config) fn path(&mut self, at: impl Into<At>) -> PathBuf {
        let value = self.string(at);
        self.outside.resolve(&value)
    }

    /// The value of a key that sets a property of librdkafka, as that takes it.
    pub(in crate::config) fn property(&mut self, key: &'static Key) -> Option<String> {
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
    pub(in crate::config) fn map(&mut self, at: impl Into<At>) -> Vec<(String, Span, Node)> {
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
    pub(in crate::config) fn entry(&mut self, at: impl Into<At>, node: &Node) -> Option<Given> {
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
    pub(in crate::config) fn scalar(&mut self, at: impl Into<At>, node: &Node) -> Option<Given> {
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

//! Which topics are read.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use crate::config::keys::source as keys;
use crate::config::offsets;
use crate::config::reader::{At, Given, Reader};

/// Which topics to read.
#[derive(Clone, Debug)]
pub enum Topics {
    /// These; at least one, each once.
    Names(Vec<String>),
    /// All that match.
    Pattern(TopicPattern),
    /// These partitions of these topics, whatever others of the group read.
    Partitions(BTreeMap<String, BTreeSet<i32>>),
}

/// A regular expression for whole topic names: `orders` does not match `orders-dlq`.
#[derive(Clone, Debug)]
pub struct TopicPattern {
    /// As written in the file.
    pub pattern: String,
    /// The same, anchored at both ends.
    include: Regex,
    /// What is left out all the same.
    exclude: Option<Regex>,
}

impl Topics {
    /// Whether a topic is one of them.
    #[must_use]
    pub fn contains(&self, topic: &str) -> bool {
        match self {
            Self::Names(names) => names.iter().any(|name| name == topic),
            Self::Pattern(pattern) => pattern.is_match(topic),
            Self::Partitions(partitions) => partitions.contains_key(topic),
        }
    }

    /// The topic, where it is known to be only one.
    #[must_use]
    pub fn only(&self) -> Option<&str> {
        match self {
            Self::Names(names) => match &names[..] {
                [only] => Some(only),
                _ => None,
            },
            Self::Pattern(_) => None,
            Self::Partitions(partitions) => match partitions.len() {
                1 => partitions.keys().next().map(String::as_str),
                _ => None,
            },
        }
    }
}

impl TopicPattern {
    /// Compiles a pattern, and one for what to leave out.
    ///
    /// # Errors
    /// What is wrong with one of them as a regular expression.
    pub fn new(pattern: &str, exclude: Option<&str>) -> Result<Self, regex::Error> {
        Ok(Self {
            pattern: pattern.to_owned(),
            include: anchored(pattern)?,
            exclude: exclude.map(anchored).transpose()?,
        })
    }

    /// Whether a topic's whole name matches.
    #[must_use]
    pub fn is_match(&self, topic: &str) -> bool {
        let excluded = self.exclude.as_ref();
        self.include.is_match(topic) && !excluded.is_some_and(|exclude| exclude.is_match(topic))
    }
}

fn anchored(pattern: &str) -> Result<Regex, regex::Error> {
    // By itself first, so that an error speaks of what was written.
    Regex::new(pattern)?;
    Regex::new(&format!("^(?:{pattern})$"))
}

pub(super) fn topics(reader: &mut Reader<'_>) -> Topics {
    let ways = [&keys::TOPICS, &keys::TOPIC_PATTERN, &keys::PARTITIONS];
    let given: Vec<_> = ways
        .into_iter()
        .filter(|key| reader.given(*key).is_some())
        .collect();
    for other in given.iter().skip(1) {
        let first = given[0].name.trim_start_matches("source.");
        let message = format!("given beside `{first}`: keep one of the two");
        reader.contradiction(*other, message);
    }
    let exclude = reader.given(&keys::TOPIC_EXCLUDE).is_some();
    if exclude && reader.given(&keys::TOPIC_PATTERN).is_none() && !given.is_empty() {
        reader.contradiction(
            &keys::TOPIC_EXCLUDE,
            "has no effect without `topic.pattern`",
        );
    }
    match given[..] {
        [] => {
            reader.missing(
                &keys::TOPICS,
                "`topics: [orders]`, or `topic.pattern: orders-.*`",
            );
            Topics::Names(Vec::new())
        }
        [key] if key.name == keys::TOPICS.name => Topics::Names(names(reader)),
        [key] if key.name == keys::PARTITIONS.name => {
            Topics::Partitions(offsets::read_partitions(reader, &keys::PARTITIONS))
        }
        [_] => pattern(reader),
        _ => Topics::Names(Vec::new()),
    }
}

fn names(reader: &mut Reader<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for topic in reader.list(&keys::TOPICS) {
        check_topic(reader, &keys::TOPICS, &topic);
        if names.contains(&topic.value) {
            let message = format!("`{}` is there twice: remove one", topic.shown);
            reader.invalid(&keys::TOPICS, topic.span, message);
        } else {
            names.push(topic.value);
        }
    }
    names
}

/// Kafka's rule for the names of topics.
#[must_use]
pub fn is_topic_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=249).contains(&name.len()) && name.chars().all(legal) && !matches!(name, "." | "..")
}

/// Checks that a topic can be one.
pub(in crate::config) fn check_topic(reader: &mut Reader<'_>, at: impl Into<At>, topic: &Given) {
    let at = at.into();
    if !is_topic_name(&topic.value) {
        let message = format!(
            "`{}` is not a topic's name: those have up to 249 letters, digits, `.`, `_` and `-`{}",
            topic.shown,
            if at.name() == keys::TOPICS.name {
                " (for a regular expression there is `topic.pattern`)"
            } else {
                ""
            }
        );
        reader.invalid(at, topic.span, message);
    }
}

fn pattern(reader: &mut Reader<'_>) -> Topics {
    let none = Topics::Names(Vec::new());
    let Some(given) = reader.text(&keys::TOPIC_PATTERN) else {
        return none;
    };
    let exclude = reader.text(&keys::TOPIC_EXCLUDE);
    let mut right = true;
    for (key, given) in [
        (&keys::TOPIC_PATTERN, Some(&given)),
        (&keys::TOPIC_EXCLUDE, exclude.as_ref()),
    ] {
        let Some(given) = given else { continue };
        if let Err(error) = anchored(&given.value) {
            let error = error.to_string();
            let why = error.lines().last().unwrap_or_default();
            let why = why.strip_prefix("error: ").unwrap_or(why);
            let message = format!("not a regular expression: {why}");
            reader.invalid(key, given.span, message);
            right = false;
        }
    }
    let exclude = exclude.as_ref().map(|given| given.value.as_str());
    match TopicPattern::new(&given.value, exclude) {
        Ok(pattern) if right => Topics::Pattern(pattern),
        _ => none,
    }
}

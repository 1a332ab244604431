//! Keeping secrets out of everything that is shown.

use std::fmt;

use super::yaml::{Node, Span, Value};

/// Text that neither `Debug` nor an error ever shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes text into keeping.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, to be sent and never to be shown.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Whether the value by this name is likely to be a secret. Names of plug-in options
/// and misspelt names come here too, so it errs towards yes.
pub(super) fn looks_secret(name: &str) -> bool {
    const WORDS: [&str; 6] = [
        "password",
        "passphrase",
        "secret",
        "token",
        "credential",
        "jaas",
    ];
    const KEYS: [&str; 8] = [
        "access",
        "account",
        "api",
        "auth",
        "encryption",
        "private",
        "shared",
        "ssl",
    ];
    let name = name.to_lowercase();
    let joined: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
    joined.contains("userinf")
        || joined.contains("auth")
        || joined.ends_with("key") && KEYS.iter().any(|word| joined.contains(word))
        || joined.ends_with("pem")
        || joined.contains("passw")
        || WORDS.iter().any(|word| joined.contains(word))
        || name
            .split(|c: char| !c.is_alphanumeric())
            .any(|part| WORDS.iter().any(|word| is_typo_of(part, word)))
}

fn is_typo_of(part: &str, word: &str) -> bool {
    part.len() > 3 && strsim::damerau_levenshtein(part, word) <= word.len() / 4
}

/// The places of all values that look secret. A mere `${…}` is none: its text tells
/// nothing, and the reader of an error needs it.
pub(super) fn secret_spans(root: &Node) -> Vec<Span> {
    let mut spans = Vec::new();
    collect(root, false, &mut spans);
    spans
}

fn collect(node: &Node, secret: bool, spans: &mut Vec<Span>) {
    match &node.value {
        Value::Scalar { text, .. } => {
            if secret && !is_reference(text) {
                spans.push(node.span);
            }
        }
        Value::List(nodes) => nodes.iter().for_each(|node| collect(node, secret, spans)),
        Value::Map(entries) => {
            for (name, node) in entries {
                collect(node, secret || looks_secret(&name.text), spans);
            }
        }
    }
}

fn is_reference(text: &str) -> bool {
    text.strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|inside| !inside.contains(['{', '}']))
}

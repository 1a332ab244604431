//! Texts of a file, and where they stand.

use crate::config::yaml::Span;

/// A text that was given, after substitution.
#[derive(Clone, Debug)]
pub(in crate::config) struct Given {
    pub(in crate::config) value: String,
    /// As it may be shown in an error: as written, and never a secret.
    pub(in crate::config) shown: String,
    /// Whether part of it came from outside the file.
    pub(in crate::config) substituted: bool,
    pub(in crate::config) span: Span,
}

impl Given {
    /// The parts between commas, trimmed. Each has its own place where the text stands
    /// in the file as it is, and the place of the whole where it does not.
    pub(super) fn split_commas(&self) -> Vec<Self> {
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

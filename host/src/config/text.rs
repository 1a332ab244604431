//! The text of a pipeline file, for showing its lines.

use super::error::{ConfigError, Location, Problem};
use super::secret::{looks_secret, secret_spans};
use super::yaml::{Node, Span};

const MASK: &str = "***";

/// A pipeline file's lines, and which parts of them are secret.
pub(super) struct SourceText {
    file: String,
    lines: Vec<String>,
    secrets: Secrets,
}

enum Secrets {
    /// Known from the parsed tree.
    Spans(Vec<Span>),
    /// There is no tree: lines are judged by how they look.
    Guess,
}

impl SourceText {
    /// A file that could not be parsed, or has not been yet.
    pub(super) fn new(file: String, text: &str) -> Self {
        Self {
            file,
            lines: text.lines().map(str::to_owned).collect(),
            secrets: Secrets::Guess,
        }
    }

    /// Learns from the parsed file where its secrets are.
    pub(super) fn mask(&mut self, root: &Node) {
        self.secrets = Secrets::Spans(secret_spans(root));
    }

    /// A line as it is, not to be shown. Counted from 1; empty where there is none.
    pub(super) fn line(&self, line: usize) -> &str {
        let line = line.checked_sub(1).and_then(|index| self.lines.get(index));
        line.map_or("", String::as_str)
    }

    pub(super) fn error(&self, span: Span, key: &str, problem: Problem) -> ConfigError {
        ConfigError {
            location: self.location(span),
            key: key.replace(char::is_control, " "),
            problem,
        }
    }

    /// The place, with its line made safe to show: without secrets, and with spaces for
    /// tabs, so that the mark stands right.
    pub(super) fn location(&self, span: Span) -> Location {
        let line = if span == Span::FILE { 0 } else { span.line };
        let raw: Vec<char> = self.line(line).chars().collect();
        let masked = self.masked_columns(span.line, &raw);
        let end = if span.end_line > span.line {
            raw.len() + 1
        } else {
            span.end_column.min(raw.len() + 1)
        };
        let mut location = Location {
            file: self.file.clone(),
            line: span.line,
            column: span.column,
            ..Location::default()
        };
        let mut visible = 0;
        for (index, c) in raw.iter().enumerate() {
            let column = index + 1;
            let shown = match masked
                .iter()
                .find(|(from, to)| (*from..*to).contains(&column))
            {
                Some((from, _)) if *from == column => MASK.to_owned(),
                Some(_) => String::new(),
                None if c.is_control() => " ".to_owned(),
                None => c.to_string(),
            };
            let width = shown.chars().count();
            if column < span.column {
                location.mark_start += width;
            } else if column < end {
                location.mark_width += width;
                if !c.is_whitespace() {
                    visible = location.mark_width;
                }
            }
            location.excerpt.push_str(&shown);
        }
        location.mark_width = visible;
        location.excerpt.truncate(location.excerpt.trim_end().len());
        location
    }

    /// Ranges of columns, from 1 and without the last, that must not be shown.
    fn masked_columns(&self, line: usize, raw: &[char]) -> Vec<(usize, usize)> {
        let whole = raw.len() + 1;
        let mut ranges = match &self.secrets {
            Secrets::Spans(spans) => spans
                .iter()
                .filter(|span| (span.line..=span.end_line).contains(&line))
                .map(|span| {
                    let from = if span.line == line { span.column } else { 1 };
                    let to = if span.end_line == line {
                        span.end_column
                    } else {
                        whole
                    };
                    (from, to)
                })
                .collect(),
            Secrets::Guess if self.guess_secret(line) => vec![(1, whole)],
            Secrets::Guess => Vec::new(),
        };
        ranges.extend(url_credentials(raw));
        ranges
    }

    /// Whether the line, or one that it is indented under, names something secret.
    fn guess_secret(&self, line: usize) -> bool {
        let indent = |text: &str| text.len() - text.trim_start().len();
        let mut limit = usize::MAX;
        for text in self.lines.iter().take(line).rev() {
            if text.trim().is_empty() || indent(text) >= limit {
                continue;
            }
            limit = indent(text);
            let names_secret = text
                .split(|c: char| c.is_whitespace() || "{}[],\"'".contains(c))
                .any(|word| word.contains(':') && looks_secret(word.trim_end_matches(':')));
            if names_secret || text.split(':').any(looks_secret) {
                return true;
            }
            if limit == 0 {
                return false;
            }
        }
        false
    }
}

/// The `user:password` of every `scheme://user:password@host` in a line.
fn url_credentials(raw: &[char]) -> Vec<(usize, usize)> {
    let mut ranges = Vec::new();
    for start in 0..raw.len() {
        if !raw[start..].starts_with(&[':', '/', '/']) {
            continue;
        }
        let from = start + 3;
        let token = raw[from..]
            .iter()
            .take_while(|c| !c.is_whitespace() && !"\"'".contains(**c));
        let at = token.enumerate().filter(|(_, c)| **c == '@').last();
        if let Some((length, _)) = at {
            ranges.push((from + 1, from + length + 1));
        }
    }
    ranges
}

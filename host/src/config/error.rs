//! What can be wrong with a pipeline file, and how it is shown.

use std::fmt;

/// All that is wrong with one pipeline file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    /// At least one.
    pub errors: Vec<ConfigError>,
}

/// One thing that is wrong: where, with what, and what to do about it. Values of
/// secrets are never part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where.
    pub location: Location,
    /// The key's full dotted name; empty where no key is concerned.
    pub key: String,
    /// What is wrong.
    pub problem: Problem,
}

/// A place in a pipeline file, with the line to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// The file, as it was named on the command line.
    pub file: String,
    /// Counted from 1; 0 for the file as a whole.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// The line itself, with secrets masked.
    pub excerpt: String,
    /// Where in `excerpt` the mark begins, in characters from 0.
    pub mark_start: usize,
    /// How many characters it marks.
    pub mark_width: usize,
}

/// The kinds of [`ConfigError`]. Each message says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file cannot be read, or is not YAML. Nothing else of it was looked at.
    #[error("{0}")]
    Unreadable(String),
    /// No such key.
    #[error("unknown key{fix}")]
    UnknownKey {
        /// The nearest name, or where the key belongs.
        fix: String,
    },
    /// The key is given twice.
    #[error("given twice, first on line {first_line}: remove one")]
    Duplicate {
        /// Counted from 1.
        first_line: usize,
    },
    /// A list where a map is needed, or the like.
    #[error("found {found}, expected {expected}")]
    WrongType {
        /// What is needed, with an example.
        expected: String,
        /// What is there.
        found: &'static str,
    },
    /// The key has to be given.
    #[error("missing: {fix}")]
    Missing {
        /// What to write.
        fix: String,
    },
    /// The value is not one that the key takes.
    #[error("{0}")]
    Invalid(String),
    /// The value is fine by itself, and contradicts another.
    #[error("{0}")]
    Contradiction(String),
    /// The key or the value is known, and does not work in this build.
    #[error("{what}not supported yet: {note}")]
    NotYet {
        /// What is not, with "is" and a space; empty where it is the key itself.
        what: String,
        /// What works.
        note: &'static str,
    },
    /// A `${…}` could not be replaced.
    #[error("{0}")]
    Substitution(String),
    /// A file that the pipeline file names is not there, or not readable.
    #[error("{0}")]
    File(String),
}

impl std::error::Error for ConfigErrors {}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            location,
            key,
            problem,
        } = self;
        write!(f, "{location}: ")?;
        if !key.is_empty() {
            write!(f, "{key}: ")?;
        }
        write!(f, "{problem}")?;
        if location.excerpt.trim().is_empty() {
            return Ok(());
        }
        let line = location.line.to_string();
        let (indent, mark) = (location.mark_start, "^".repeat(location.mark_width.max(1)));
        write!(f, "\n  {line} | {}", location.excerpt)?;
        write!(
            f,
            "\n  {:number$} | {:indent$}{mark}",
            "",
            "",
            number = line.len()
        )
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        Ok(())
    }
}

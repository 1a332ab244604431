//! Texts that are appended often.

use super::{Column, ColumnFull, SHORT};

/// A text, such as a symbol of an enum, ready to be copied.
#[derive(Clone, Debug)]
pub struct Symbol {
    short: [u8; SHORT],
    text: Box<str>,
}

impl Symbol {
    /// The symbol of a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut short = [0; SHORT];
        let copied = text.len().min(SHORT);
        short[..copied].copy_from_slice(&text.as_bytes()[..copied]);
        Self {
            short,
            text: text.into(),
        }
    }

    /// Appends it to a column of strings.
    ///
    /// # Errors
    /// The column is full.
    #[inline(always)]
    pub fn push(&self, column: &mut Column) -> Result<(), ColumnFull> {
        if self.text.len() <= SHORT {
            column.push_short(&self.short, self.text.len())
        } else {
            column.push_bytes(self.text.as_bytes())
        }
    }
}

//! Texts that are appended often.

use super::{Column, ColumnFull, SHORT, Wide};

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

    /// Bytes of the text.
    #[expect(
        clippy::len_without_is_empty,
        reason = "whether a symbol is empty is nothing to ask"
    )]
    #[must_use]
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// The text, to be copied.
    #[inline(always)]
    #[must_use]
    pub fn wide(&self) -> Wide<'_> {
        if self.text.len() <= SHORT {
            Wide::short(&self.short, self.text.len())
        } else {
            Wide::new(self.text.as_bytes(), self.text.len())
        }
    }

    /// Appends it to a column of strings.
    ///
    /// # Errors
    /// The column is full.
    #[inline(always)]
    pub fn push(&self, column: &mut Column) -> Result<(), ColumnFull> {
        column.push_wide(self.wide())
    }
}

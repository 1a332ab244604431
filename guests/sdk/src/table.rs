//! Rows that grow column by column, for deserializers.
//!
//! The types here suit a format that is parsed by hand. A decoder that measures
//! nanoseconds may fill [`rows::Array`](crate::rows::Array) itself.

mod column;
mod store;
mod value;

use std::error::Error;

use crate::rows::{Field, MessageError, Origin, RowGroup};
use crate::{Decoded, Payloads};

pub use column::Column;
use store::Store;
pub use value::{List, Slot, Struct, Value};

/// Why a message could not become a row. Any error or text turns into one with
/// `?`; it becomes [`MessageError::reason`].
pub type Reason = Box<dyn Error>;

/// Rows of one schema, for batch after batch.
///
/// A row is all or nothing: when it fails half-way, what was pushed of it is
/// taken back.
pub struct Table {
    number: u32,
    columns: Vec<Column>,
    stores: Vec<Store>,
    /// The message of each row so far.
    messages: Vec<u32>,
}

impl Table {
    /// A table without rows. `number` is the schema's, in row groups and in
    /// [`Deserializer::schema`](crate::Deserializer::schema).
    #[must_use]
    pub fn new(number: u32, columns: Vec<Column>) -> Self {
        let stores = columns.iter().map(Store::new).collect();
        Self {
            number,
            columns,
            stores,
            messages: Vec::new(),
        }
    }

    /// The columns and everything below them, in pre-order.
    #[must_use]
    pub fn schema(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        for column in &self.columns {
            column.describe(&mut fields);
        }
        fields
    }

    /// Makes at most one row of each payload and hands them over with the errors. A
    /// null payload is skipped, as is one for which `read` pushes nothing.
    pub fn decode(
        &mut self,
        payloads: &Payloads,
        mut read: impl FnMut(&[u8], &mut Row<'_>) -> Result<(), Reason>,
    ) -> Decoded {
        let mut errors = Vec::new();
        for (message, payload) in payloads.iter() {
            let Some(payload) = payload else { continue };
            if let Err(reason) = self.append(message, |row| read(payload, row)) {
                errors.push(MessageError {
                    row: message,
                    reason: reason.to_string(),
                });
            }
        }
        let groups = self.take(payloads.len()).into_iter().collect();
        Decoded { groups, errors }
    }

    /// Appends a row that comes from the message in row `message` of the batch,
    /// which must not be before those of earlier rows. `fill` pushes a value for
    /// each column, or nothing at all for no row.
    ///
    /// # Errors
    /// What `fill` returned, or [`RowError`] if it left columns out. Then nothing of
    /// this message remains, not even rows that it had before.
    pub fn append(
        &mut self,
        message: u32,
        fill: impl FnOnce(&mut Row<'_>) -> Result<(), Reason>,
    ) -> Result<(), Reason> {
        let mut row = Row::new(&self.columns, &mut self.stores);
        let filled = fill(&mut row).and_then(|()| row.finish());
        match filled {
            Ok(true) => self.messages.push(message),
            Ok(false) => {}
            Err(reason) => {
                self.forget(message);
                return Err(reason);
            }
        }
        Ok(())
    }

    /// The rows since the last call, or `None` if there are none. `messages` is the
    /// number of messages in the batch that they come from.
    pub fn take(&mut self, messages: usize) -> Option<RowGroup> {
        let rows = std::mem::take(&mut self.messages);
        if rows.is_empty() {
            return None;
        }
        let len = self.stores.first().map_or(0, Store::len);
        let mut arrays = Vec::new();
        for store in &mut self.stores {
            store.take(&mut arrays);
        }
        let identity = rows.len() == messages && rows.iter().copied().eq(0..len);
        let origin = if identity {
            Origin::Identity
        } else {
            Origin::Messages(rows)
        };
        Some(RowGroup {
            schema: self.number,
            len,
            origin,
            arrays,
        })
    }

    fn forget(&mut self, message: u32) {
        while self.messages.last() == Some(&message) {
            self.messages.pop();
        }
        for store in &mut self.stores {
            store.truncate(self.messages.len());
        }
    }
}

/// A row that is being filled: one [`push`](Row::push) a column, in their order.
pub struct Row<'a> {
    columns: &'a [Column],
    stores: &'a mut [Store],
    next: usize,
}

impl<'a> Row<'a> {
    fn new(columns: &'a [Column], stores: &'a mut [Store]) -> Self {
        Self {
            columns,
            stores,
            next: 0,
        }
    }

    /// Gives the next column its value; `None` is a null.
    ///
    /// # Errors
    /// [`RowError`] if the column is of another type, or is not nullable, or if
    /// there is no column left. Pass it on: the row is lost.
    pub fn push(&mut self, value: impl Value) -> Result<(), Reason> {
        let (Some(column), Some(store)) =
            (self.columns.get(self.next), self.stores.get_mut(self.next))
        else {
            return Err(RowError::TooMany(self.columns.len()).into());
        };
        self.next += 1;
        value.write(&mut Slot::new(column, store))
    }

    /// Whether there is a row at all: nothing pushed means none.
    fn finish(&self) -> Result<bool, Reason> {
        if self.next == 0 {
            return Ok(false);
        }
        self.complete()?;
        Ok(true)
    }

    fn complete(&self) -> Result<(), Reason> {
        match self.columns.get(self.next) {
            Some(column) => Err(RowError::Missing(column.name().into()).into()),
            None => Ok(()),
        }
    }
}

/// A row that does not suit its columns: a fault of the plug-in rather than of the
/// message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// A value of a type that the column does not hold.
    #[error("column `{column}` holds {holds}, not {given}")]
    Type {
        /// Its name.
        column: String,
        /// What it holds.
        holds: &'static str,
        /// What was pushed.
        given: &'static str,
    },
    /// A null in a column that is not [`nullable`](Column::nullable).
    #[error("column `{0}` is not nullable")]
    Null(String),
    /// The row has values, but none for this column.
    #[error("no value for column `{0}`")]
    Missing(String),
    /// More values than there are columns: this many.
    #[error("more values than the {0} columns")]
    TooMany(usize),
    /// The column's data would pass 2 GiB, or its items 2^31, in one batch.
    #[error("column `{0}` is full")]
    Full(String),
}

#[cfg(test)]
mod tests;

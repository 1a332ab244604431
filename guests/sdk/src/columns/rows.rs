//! The columns of one schema in one batch, and which messages became rows.

use std::ops::Range;

use super::{Column, Layout, column};
use crate::confluent::Messages;
use crate::rows::{Origin, RowGroup};

/// The columns of a layout, empty between batches.
#[derive(Debug)]
pub struct Columns {
    /// One for each field.
    pub values: Vec<Column>,
    /// The rows that they have, but for one that is under way.
    pub rows: Rows,
    /// What the columns took for the last batch, to reserve as much at once.
    used: Vec<column::Used>,
    /// Size of that batch, with the messages of other schemas.
    used_messages: u64,
    used_bytes: u64,
}

impl Columns {
    /// Columns without rows.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        Self {
            values: layout.shapes.iter().map(|_| Column::default()).collect(),
            rows: Rows::default(),
            used: vec![column::Used::default(); layout.shapes.len()],
            used_messages: 0,
            used_bytes: 0,
        }
    }

    /// Gets ready for a batch.
    pub fn begin(&mut self, layout: &Layout, messages: &Messages<'_>) {
        self.clear(layout);
        let growth = self.growth(messages);
        for (column, used) in self.values.iter_mut().zip(&self.used) {
            column.reserve(*used, growth);
        }
    }

    /// Forgets all rows.
    pub fn clear(&mut self, layout: &Layout) {
        for (column, shape) in self.values.iter_mut().zip(&layout.shapes) {
            column.clear(shape);
        }
        self.rows = Rows::default();
    }

    /// Takes back what lies behind the last row.
    #[cold]
    #[inline(never)]
    pub fn take_back(&mut self, layout: &Layout) {
        for root in layout.roots() {
            let rows = self.rows.count as usize;
            column::truncate(&layout.shapes, &mut self.values, root, rows);
        }
    }

    /// Whether all values of all text columns are UTF-8.
    #[must_use]
    pub fn all_utf8(&self, layout: &Layout) -> bool {
        column::all_utf8(&layout.shapes, &self.values)
    }

    /// Hands over the rows, if there are any.
    pub fn finish(
        &mut self,
        layout: &Layout,
        schema: u32,
        messages: &Messages<'_>,
    ) -> Option<RowGroup> {
        let rows = std::mem::take(&mut self.rows);
        let len = rows.count;
        let mut arrays = Vec::with_capacity(self.values.len());
        for root in layout.roots() {
            column::finish(
                &layout.shapes,
                &mut self.values,
                &mut self.used,
                root,
                len as usize,
                &mut arrays,
            );
        }
        self.used_messages = u64::from(messages.len());
        self.used_bytes = messages.bytes().len() as u64;
        let origin = rows.into_origin(messages);
        (len > 0).then_some(RowGroup {
            schema,
            len,
            origin,
            arrays,
        })
    }

    /// How much larger this batch is than the last, in 65,536ths: by messages or by
    /// bytes, whichever is less, and at most twice, since senders choose both.
    fn growth(&self, messages: &Messages<'_>) -> u64 {
        let ratio = |now: u64, before: u64| (now << 16) / before.max(1);
        let by_number = ratio(u64::from(messages.len()), self.used_messages);
        let by_bytes = ratio(messages.bytes().len() as u64, self.used_bytes);
        by_number.min(by_bytes).min(2 << 16)
    }
}

/// Which messages became rows.
#[derive(Debug, Default)]
pub struct Rows {
    count: u32,
    /// The message of each row; `None` as long as row `i` is message `i`.
    origins: Option<Vec<u32>>,
}

impl Rows {
    /// How many rows there are.
    #[inline(always)]
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// All of these messages but the tombstones among them became rows.
    pub fn add_all(&mut self, messages: &Messages<'_>, added: Range<u32>) {
        if self.origins.is_none() && self.count == added.start && !messages.has_nulls() {
            self.count = added.end;
            return;
        }
        for message in added.filter(|message| messages.is_valid(*message)) {
            self.add(message);
        }
    }

    /// A message became a row.
    #[inline(always)]
    pub fn add(&mut self, message: u32) {
        match &mut self.origins {
            None if self.count == message => {}
            None => self.origins = Some((0..self.count).chain([message]).collect()),
            Some(origins) => origins.push(message),
        }
        self.count += 1;
    }

    fn into_origin(self, messages: &Messages<'_>) -> Origin {
        match self.origins {
            Some(messages) => Origin::Messages(messages),
            None if self.count == messages.len() => Origin::Identity,
            None => Origin::Messages((0..self.count).collect()),
        }
    }
}

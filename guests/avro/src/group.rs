//! The messages of one batch that share a schema.

use weir_guest::rows::{MessageError, Origin, RowGroup};

use crate::{
    batch::Batch,
    column::{self, Column, Used},
    framing::{PREFIX, prefix},
    input::Input,
    plan::Plan,
    run::{self, Stop},
};

/// A plan with the columns that it fills, empty between batches.
///
/// `begin`, then `decode_run` for each run of its messages, then `finish`.
pub(crate) struct Group {
    id: u32,
    plan: Plan,
    columns: Vec<Column>,
    rows: u32,
    /// The message of each row; `None` as long as row `i` is message `i`.
    origins: Option<Vec<u32>>,
    errors: Vec<MessageError>,
    /// What the columns took for the last batch, to reserve as much at once.
    used: Vec<Used>,
    used_messages: u32,
}

impl Group {
    /// The group of a schema id.
    pub(crate) fn new(id: u32, plan: Plan) -> Self {
        Self {
            id,
            columns: plan.shapes.iter().map(|_| Column::default()).collect(),
            used: vec![Used::default(); plan.shapes.len()],
            plan,
            rows: 0,
            origins: None,
            errors: Vec::new(),
            used_messages: 0,
        }
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Gets ready for a batch.
    pub(crate) fn begin(&mut self, batch: &Batch<'_>) {
        self.clear();
        for (column, used) in self.columns.iter_mut().zip(&self.used) {
            column.reserve(*used, batch.len(), self.used_messages);
        }
    }

    /// Decodes the messages from this one on, up to the first with another schema or
    /// none. Returns that one's number, or the number of messages.
    pub(crate) fn decode_run<const CHECK: bool>(&mut self, batch: &Batch<'_>, first: u32) -> u32 {
        let prefix = prefix(self.id);
        for message in first..batch.len() {
            if !batch.is_valid(message) {
                continue;
            }
            let (start, end) = batch.range(message);
            if batch.bytes[start..end].first_chunk() != Some(&prefix) {
                return message;
            }
            let input = Input::new(batch.bytes, start + PREFIX, end);
            match run::record::<CHECK>(&self.plan, &mut self.columns, input) {
                Ok(()) => self.add_row(message),
                Err(stop) => self.fail(message, stop, start + PREFIX),
            }
        }
        batch.len()
    }

    /// Hands over the rows, if there are any, and the messages that failed, ascending.
    pub(crate) fn finish(&mut self, batch: &Batch<'_>) -> (Option<RowGroup>, Vec<MessageError>) {
        if !column::all_utf8(&self.plan.shapes, &self.columns) {
            self.decode_again_with_checks(batch);
        }
        let rows = self.rows as usize;
        let mut arrays = Vec::with_capacity(self.columns.len());
        for root in self.plan.roots() {
            let (shapes, columns) = (&self.plan.shapes, &mut self.columns);
            column::finish(shapes, columns, &mut self.used, root, rows, &mut arrays);
        }
        self.used_messages = batch.len();
        let origin = match self.origins.take() {
            Some(messages) => Origin::Messages(messages),
            None if self.rows == batch.len() => Origin::Identity,
            None => Origin::Messages((0..self.rows).collect()),
        };
        let group = RowGroup { schema: self.id, len: self.rows, origin, arrays };
        let group = (self.rows > 0).then_some(group);
        (group, std::mem::take(&mut self.errors))
    }

    #[inline(always)]
    fn add_row(&mut self, message: u32) {
        match &mut self.origins {
            None if self.rows == message => {}
            None => self.origins = Some((0..self.rows).chain([message]).collect()),
            Some(origins) => origins.push(message),
        }
        self.rows += 1;
    }

    /// Takes back what a message left in the columns, and says why it failed.
    #[cold]
    fn fail(&mut self, message: u32, stop: Stop, start: usize) {
        for root in self.plan.roots() {
            column::truncate(&self.plan.shapes, &mut self.columns, root, self.rows as usize);
        }
        let (fault, byte) = (stop.fault, stop.position - start);
        let reason = match stop.column {
            Some(column) => format!("field `{}`, byte {byte}: {fault}", self.plan.path(column)),
            None => format!("byte {byte}: {fault}"),
        };
        self.errors.push(MessageError { row: message, reason });
    }

    /// Finds the strings that are not UTF-8 once it is known that there are some.
    #[cold]
    fn decode_again_with_checks(&mut self, batch: &Batch<'_>) {
        self.clear();
        let mut next = 0;
        while next < batch.len() {
            next = self.decode_run::<true>(batch, next) + 1;
        }
    }

    fn clear(&mut self) {
        for (column, shape) in self.columns.iter_mut().zip(&self.plan.shapes) {
            column.clear(shape);
        }
        self.rows = 0;
        self.origins = None;
        self.errors.clear();
    }
}

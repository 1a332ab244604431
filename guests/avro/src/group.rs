//! The messages of one batch that share a schema.

use weir_guest::rows::{MessageError, Origin, RowGroup};

use crate::{
    batch::Batch,
    column::{self, Column, Used},
    framing::PREFIX,
    input::Input,
    plan::Plan,
    run::{self, Stop},
};

/// A plan with the columns that it fills, empty between batches.
pub(crate) struct Group {
    plan: Plan,
    columns: Vec<Column>,
    /// What the columns took for the last batch, to reserve as much at once.
    used: Vec<Used>,
    used_rows: usize,
}

impl Group {
    pub(crate) fn new(plan: Plan) -> Self {
        let columns = plan.shapes.iter().map(|_| Column::default()).collect();
        let used = vec![Used::default(); plan.shapes.len()];
        Self {
            plan,
            columns,
            used,
            used_rows: 0,
        }
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Decodes these messages of a batch, in this order. Those that fail are added to
    /// `errors` and leave nothing in the rows.
    pub(crate) fn decode(
        &mut self,
        schema: u32,
        batch: &Batch<'_>,
        messages: Vec<u32>,
        errors: &mut Vec<MessageError>,
    ) -> Option<RowGroup> {
        for ((column, shape), used) in self
            .columns
            .iter_mut()
            .zip(&self.plan.shapes)
            .zip(&self.used)
        {
            column.prepare(shape, *used, messages.len(), self.used_rows);
        }
        let before = errors.len();
        let mut decoded = self.decode_all::<false>(batch, &messages, errors);
        if !column::all_utf8(&self.plan.shapes, &self.columns) {
            errors.truncate(before);
            for (column, shape) in self.columns.iter_mut().zip(&self.plan.shapes) {
                column.clear(shape);
            }
            decoded = self.decode_all::<true>(batch, &messages, errors);
        }
        let failed = &errors[before..];
        let origin = if failed.is_empty() && messages.len() == batch.len() {
            Origin::Identity
        } else {
            Origin::Messages(without(messages, failed))
        };
        self.finish(schema, decoded, origin)
    }

    /// Returns the number of messages that did not fail.
    fn decode_all<const CHECK: bool>(
        &mut self,
        batch: &Batch<'_>,
        messages: &[u32],
        errors: &mut Vec<MessageError>,
    ) -> usize {
        let mut rows = 0;
        for message in messages {
            let (start, end) = batch.range(*message);
            let start = start + PREFIX;
            let mut input = Input::new(batch.bytes, start, end);
            match run::record::<CHECK>(&self.plan, &mut self.columns, &mut input) {
                Ok(()) => rows += 1,
                Err(stop) => {
                    self.take_back(rows);
                    let reason = self.reason(stop, input.position() - start);
                    errors.push(MessageError {
                        row: *message,
                        reason,
                    });
                }
            }
        }
        rows
    }

    #[cold]
    fn take_back(&mut self, rows: usize) {
        for root in self.plan.roots() {
            column::truncate(&self.plan.shapes, &mut self.columns, root, rows);
        }
    }

    #[cold]
    fn reason(&self, stop: Stop, position: usize) -> String {
        let fault = stop.fault;
        match stop.column {
            Some(column) => format!(
                "field `{}`, byte {position}: {fault}",
                self.plan.path(column)
            ),
            None => format!("byte {position}: {fault}"),
        }
    }

    fn finish(&mut self, schema: u32, rows: usize, origin: Origin) -> Option<RowGroup> {
        let mut arrays = Vec::with_capacity(self.columns.len());
        for root in self.plan.roots() {
            let (shapes, columns) = (&self.plan.shapes, &mut self.columns);
            column::finish(shapes, columns, &mut self.used, root, rows, &mut arrays);
        }
        self.used_rows = rows;
        let len = u32::try_from(rows).ok().filter(|rows| *rows > 0)?;
        Some(RowGroup {
            schema,
            len,
            origin,
            arrays,
        })
    }
}

/// The messages that are not among those that failed. Both ascend.
fn without(mut messages: Vec<u32>, failed: &[MessageError]) -> Vec<u32> {
    let mut failed = failed.iter().map(|error| error.row).peekable();
    messages.retain(|message| failed.next_if_eq(message).is_none());
    messages
}

//! The messages of one batch that share a schema.

use std::ops::Range;

use weir_guest::rows::{MessageError, Origin, RowGroup};

use crate::{
    batch::Batch,
    block::{self, Cursor, NotRight, Scratch},
    column::{self, Column, Used},
    framing::{PREFIX, schema_id},
    input::Input,
    plan::Plan,
    run::{self, Frame, Stop},
};

/// A plan with the columns that it fills, empty between batches.
///
/// `begin`, then `decode_run` for each run of its messages, then `finish`.
pub(crate) struct Group {
    id: u32,
    plan: Plan,
    columns: Vec<Column>,
    frames: Vec<Frame>,
    scratch: Scratch,
    /// Those of the block under way.
    cursors: Vec<Cursor>,
    rows: Rows,
    errors: Vec<MessageError>,
    /// What the columns took for the last batch, to reserve as much at once.
    used: Vec<Used>,
    /// Size of that batch, with the messages of other schemas.
    used_messages: u64,
    used_bytes: u64,
}

impl Group {
    /// The group of a schema id.
    pub(crate) fn new(id: u32, plan: Plan) -> Self {
        Self {
            id,
            columns: plan.shapes.iter().map(|_| Column::default()).collect(),
            used: vec![Used::default(); plan.shapes.len()],
            plan,
            frames: Vec::new(),
            scratch: Scratch::default(),
            cursors: Vec::new(),
            rows: Rows::default(),
            errors: Vec::new(),
            used_messages: 0,
            used_bytes: 0,
        }
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Gets ready for a batch.
    pub(crate) fn begin(&mut self, batch: &Batch<'_>) {
        self.clear();
        let growth = self.growth(batch);
        for (column, used) in self.columns.iter_mut().zip(&self.used) {
            column.reserve(*used, growth);
        }
    }

    /// Decodes the messages from this one on, up to the first with another schema or
    /// none. Returns that one's number, or the number of messages.
    pub(crate) fn decode_run(&mut self, batch: &Batch<'_>, first: u32) -> u32 {
        let mut next = first;
        loop {
            let slot = self.rows.count as usize;
            let end = block::gather(batch, self.id, next, slot, &mut self.cursors);
            if end == next {
                return next;
            }
            self.decode_block(batch, next..end);
            next = end;
        }
    }

    fn decode_block(&mut self, batch: &Batch<'_>, messages: Range<u32>) {
        let decoded = block::decode(
            &self.plan,
            &mut self.columns,
            &mut self.frames,
            &mut self.scratch,
            batch.bytes,
            &mut self.cursors,
        );
        match decoded {
            Ok(()) => self.rows.add_all(batch, messages),
            Err(NotRight) => {
                take_back(&self.plan, &mut self.columns, self.rows.count);
                for message in messages.filter(|message| batch.is_valid(*message)) {
                    self.decode_message::<false>(batch, message);
                }
            }
        }
    }

    fn decode_message<const CHECK: bool>(&mut self, batch: &Batch<'_>, message: u32) {
        let (plan, columns, frames) = (&self.plan, &mut self.columns[..], &mut self.frames);
        let (start, end) = batch.range(message);
        let input = Input::new(batch.bytes, start + PREFIX, end);
        match run::record::<CHECK>(plan, columns, frames, input) {
            Ok(()) => self.rows.add(message),
            Err(stop) => {
                take_back(plan, columns, self.rows.count);
                let reason = reason(plan, stop, start + PREFIX);
                self.errors.push(MessageError {
                    row: message,
                    reason,
                });
            }
        }
    }

    /// Hands over the rows, if there are any, and the messages that failed, ascending.
    pub(crate) fn finish(&mut self, batch: &Batch<'_>) -> (Option<RowGroup>, Vec<MessageError>) {
        if !column::all_utf8(&self.plan.shapes, &self.columns) {
            self.decode_again_with_checks(batch);
        }
        let rows = std::mem::take(&mut self.rows);
        let len = rows.count;
        let mut arrays = Vec::with_capacity(self.columns.len());
        for root in self.plan.roots() {
            let (shapes, columns) = (&self.plan.shapes, &mut self.columns);
            column::finish(
                shapes,
                columns,
                &mut self.used,
                root,
                len as usize,
                &mut arrays,
            );
        }
        self.used_messages = u64::from(batch.len());
        self.used_bytes = batch.bytes.len() as u64;
        let origin = rows.into_origin(batch);
        let group = (len > 0).then_some(RowGroup {
            schema: self.id,
            len,
            origin,
            arrays,
        });
        (group, std::mem::take(&mut self.errors))
    }

    /// Finds the strings that are not UTF-8 once it is known that there are some.
    #[cold]
    fn decode_again_with_checks(&mut self, batch: &Batch<'_>) {
        self.clear();
        for message in 0..batch.len() {
            if batch.is_valid(message) && schema_id(batch.message(message)) == Ok(self.id) {
                self.decode_message::<true>(batch, message);
            }
        }
    }

    /// How much larger this batch is than the last, in 65,536ths: by messages or by
    /// bytes, whichever is less, and at most twice, since senders choose both.
    fn growth(&self, batch: &Batch<'_>) -> u64 {
        let ratio = |now: u64, before: u64| (now << 16) / before.max(1);
        let messages = ratio(u64::from(batch.len()), self.used_messages);
        let bytes = ratio(batch.bytes.len() as u64, self.used_bytes);
        messages.min(bytes).min(2 << 16)
    }

    fn clear(&mut self) {
        for (column, shape) in self.columns.iter_mut().zip(&self.plan.shapes) {
            column.clear(shape);
        }
        self.rows = Rows::default();
        self.errors.clear();
    }
}

/// Which messages became rows.
#[derive(Default)]
struct Rows {
    count: u32,
    /// The message of each row; `None` as long as row `i` is message `i`.
    origins: Option<Vec<u32>>,
}

impl Rows {
    /// All of these messages but the tombstones among them.
    fn add_all(&mut self, batch: &Batch<'_>, messages: Range<u32>) {
        if self.origins.is_none() && self.count == messages.start && !batch.has_nulls() {
            self.count = messages.end;
            return;
        }
        for message in messages.filter(|message| batch.is_valid(*message)) {
            self.add(message);
        }
    }

    #[inline(always)]
    fn add(&mut self, message: u32) {
        match &mut self.origins {
            None if self.count == message => {}
            None => self.origins = Some((0..self.count).chain([message]).collect()),
            Some(origins) => origins.push(message),
        }
        self.count += 1;
    }

    fn into_origin(self, batch: &Batch<'_>) -> Origin {
        match self.origins {
            Some(messages) => Origin::Messages(messages),
            None if self.count == batch.len() => Origin::Identity,
            None => Origin::Messages((0..self.count).collect()),
        }
    }
}

/// Takes back all but the first `rows` rows.
#[cold]
#[inline(never)]
fn take_back(plan: &Plan, columns: &mut [Column], rows: u32) {
    for root in plan.roots() {
        column::truncate(&plan.shapes, columns, root, rows as usize);
    }
}

/// What is wrong with a record, and where: bytes are counted from its `start`.
#[cold]
#[inline(never)]
fn reason(plan: &Plan, stop: Stop, start: usize) -> String {
    let (fault, byte) = (stop.fault, stop.position - start);
    match stop.column {
        Some(column) => format!("field `{}`, byte {byte}: {fault}", plan.path(column)),
        None => format!("byte {byte}: {fault}"),
    }
}

//! The messages of one batch that have the same type.

use weir_guest::columns::Columns;
use weir_guest::confluent::Messages;
use weir_guest::rows::{Field, MessageError, RowGroup};

use crate::{
    block::{self, Place},
    finish::finish,
    plan::Plan,
    run::{Run, Stop},
    slots::Slots,
};

/// Messages that are decoded together: their bytes should stay in the first cache.
const BLOCK: usize = 256;

/// Fewer messages are read one after the other.
const FEWEST: usize = 8;

/// One message: its row in the batch, and where its fields lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    pub(crate) message: u32,
    /// Where it starts, with its framing.
    pub(crate) start: usize,
    pub(crate) fields: usize,
    pub(crate) end: usize,
}

/// A plan with the columns that it fills, empty between batches.
pub(crate) struct Group {
    number: u32,
    plan: Plan,
    columns: Columns,
    slots: Slots,
    /// Whether the batch has messages of it.
    begun: bool,
    /// The messages of the block that is being put together.
    pending: Vec<Cursor>,
    /// Those of the block that is being read.
    places: Vec<Place>,
    /// Whether fields come in the order of their numbers, as far as seen in this batch.
    in_order: bool,
}

impl Group {
    /// The group of a schema number.
    pub(crate) fn new(number: u32, plan: Plan) -> Self {
        Self {
            number,
            columns: Columns::new(&plan.layout),
            slots: Slots::new(plan.kinds.len()),
            plan,
            begun: false,
            pending: Vec::new(),
            places: Vec::new(),
            in_order: true,
        }
    }

    pub(crate) fn fields(&self, number: u32) -> Option<&[Field]> {
        (number == self.number).then_some(self.plan.fields())
    }

    /// Forgets the batch before.
    pub(crate) fn begin(&mut self) {
        self.begun = false;
        self.pending.clear();
    }

    /// Takes one more message of the batch.
    #[inline(always)]
    pub(crate) fn add(
        &mut self,
        messages: &Messages<'_>,
        cursor: Cursor,
        errors: &mut Vec<MessageError>,
    ) {
        // Only now: a schema may have many types, of which a batch has few.
        if !self.begun {
            self.begun = true;
            self.in_order = true;
            self.columns.begin(&self.plan.layout, messages);
            self.slots.begin();
        }
        self.pending.push(cursor);
        if self.pending.len() == BLOCK {
            self.decode_pending(messages, errors);
        }
    }

    /// Decodes what is pending. A block in which any message is not right is taken back and done
    /// again message by message, which finds the one at fault.
    fn decode_pending(&mut self, messages: &Messages<'_>, errors: &mut Vec<MessageError>) {
        let pending = std::mem::take(&mut self.pending);
        if !pending.is_empty() && self.decode(messages, &pending).is_err() {
            for cursor in &pending {
                if let Err(stop) = self.decode(messages, std::slice::from_ref(cursor)) {
                    let row = cursor.message;
                    let reason = self.reason(&stop, cursor.start);
                    errors.push(MessageError { row, reason });
                }
            }
        }
        self.pending = pending;
        self.pending.clear();
    }

    /// Decodes all of these messages, or none.
    fn decode(&mut self, messages: &Messages<'_>, block: &[Cursor]) -> Result<(), Stop> {
        // For fewer, the loops do not pay.
        if self.in_order && block.len() >= FEWEST {
            self.in_order = self.by_fields(messages, block);
            if self.in_order {
                self.add_rows(block);
                return Ok(());
            }
            self.take_back();
        }
        let decoded = self.by_messages(messages, block);
        match decoded {
            Ok(()) => self.add_rows(block),
            Err(_) => self.take_back(),
        }
        decoded
    }

    fn add_rows(&mut self, block: &[Cursor]) {
        for cursor in block {
            self.columns.rows.add(cursor.message);
        }
    }

    fn take_back(&mut self) {
        self.columns.take_back(&self.plan.layout);
        self.slots.forget(&self.plan, &self.columns.values);
    }

    /// Reads one field of all messages after the other. False if that did not work out.
    fn by_fields(&mut self, messages: &Messages<'_>, block: &[Cursor]) -> bool {
        let first = self.columns.rows.count() as usize;
        let (plan, bytes) = (&self.plan, messages.bytes());
        self.places.clear();
        self.places.extend(block.iter().map(|cursor| Place {
            at: cursor.fields,
            end: cursor.end,
        }));
        let mut run = Run::new(plan, bytes, &mut self.columns.values, &mut self.slots);
        run.prepare(0, block.len());
        block::read(&mut run, &mut self.places, first).is_ok()
            && finish(plan, bytes, &mut self.columns.values, &mut self.slots).is_ok()
    }

    /// Reads one message after the other.
    fn by_messages(&mut self, messages: &Messages<'_>, block: &[Cursor]) -> Result<(), Stop> {
        let first = self.columns.rows.count() as usize;
        let (plan, bytes) = (&self.plan, messages.bytes());
        let mut run = Run::new(plan, bytes, &mut self.columns.values, &mut self.slots);
        run.prepare(0, block.len());
        for (slot, cursor) in (first..).zip(block) {
            run.row(slot, cursor.fields, cursor.end)?;
        }
        finish(plan, bytes, &mut self.columns.values, &mut self.slots)
    }

    /// Hands over the rows, if there are any.
    pub(crate) fn finish(
        &mut self,
        messages: &Messages<'_>,
        errors: &mut Vec<MessageError>,
    ) -> Option<RowGroup> {
        if !self.begun {
            return None;
        }
        self.decode_pending(messages, errors);
        self.columns
            .finish(&self.plan.layout, self.number, messages)
    }

    /// What is wrong with a message, and where: bytes are counted from its `start`.
    #[cold]
    #[inline(never)]
    fn reason(&self, stop: &Stop, start: usize) -> String {
        let mut place = Vec::new();
        if let Some(column) = stop.column {
            place.push(format!("field `{}`", self.plan.layout.path(column)));
        }
        if let Some(byte) = stop.position.and_then(|it| it.checked_sub(start)) {
            place.push(format!("byte {byte}"));
        }
        if place.is_empty() {
            return stop.fault.to_string();
        }
        format!("{}: {}", place.join(", "), stop.fault)
    }
}

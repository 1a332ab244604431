//! The messages of one batch that share a schema.

use std::ops::Range;

use weir_guest::Decoded;
use weir_guest::columns::Columns;
use weir_guest::confluent::{Compiled, Messages, PREFIX, schema_id};
use weir_guest::rows::{Field, MessageError};

use crate::{
    block::{self, Cursor, NotRight, Scratch},
    input::Input,
    plan::Plan,
    run::{self, Frame, Stop},
};

/// A plan with the columns that it fills, empty between batches.
pub struct Group {
    id: u32,
    plan: Plan,
    columns: Columns,
    frames: Vec<Frame>,
    scratch: Scratch,
    /// Those of the block under way.
    cursors: Vec<Cursor>,
    errors: Vec<MessageError>,
}

impl Compiled for Group {
    fn begin(&mut self, messages: &Messages<'_>) {
        self.errors.clear();
        self.columns.begin(&self.plan.layout, messages);
    }

    fn decode_run(&mut self, messages: &Messages<'_>, first: u32) -> u32 {
        let mut next = first;
        loop {
            let slot = self.columns.rows.count() as usize;
            let end = block::gather(messages, self.id, next, slot, &mut self.cursors);
            if end == next {
                return next;
            }
            self.decode_block(messages, next..end);
            next = end;
        }
    }

    fn finish(&mut self, messages: &Messages<'_>, decoded: &mut Decoded) {
        if !self.columns.all_utf8(&self.plan.layout) {
            self.decode_again_with_checks(messages);
        }
        let group = self.columns.finish(&self.plan.layout, self.id, messages);
        decoded.groups.extend(group);
        decoded.errors.append(&mut self.errors);
    }

    fn fields(&self, number: u32) -> Option<&[Field]> {
        (number == self.id).then_some(self.plan.fields())
    }
}

impl Group {
    /// The group of a schema id.
    pub(crate) fn new(id: u32, plan: Plan) -> Self {
        Self {
            id,
            columns: Columns::new(&plan.layout),
            plan,
            frames: Vec::new(),
            scratch: Scratch::default(),
            cursors: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn decode_block(&mut self, messages: &Messages<'_>, block: Range<u32>) {
        let decoded = block::decode(
            &self.plan,
            &mut self.columns.values,
            &mut self.frames,
            &mut self.scratch,
            messages.bytes(),
            &mut self.cursors,
        );
        match decoded {
            Ok(()) => self.columns.rows.add_all(messages, block),
            Err(NotRight) => {
                self.columns.take_back(&self.plan.layout);
                for message in block.filter(|message| messages.is_valid(*message)) {
                    self.decode_message::<false>(messages, message);
                }
            }
        }
    }

    fn decode_message<const CHECK: bool>(&mut self, messages: &Messages<'_>, message: u32) {
        let (plan, columns, frames) = (&self.plan, &mut self.columns, &mut self.frames);
        let (start, end) = messages.range(message);
        let input = Input::new(messages.bytes(), start + PREFIX, end);
        match run::record::<CHECK>(plan, &mut columns.values, frames, input) {
            Ok(()) => columns.rows.add(message),
            Err(stop) => {
                columns.take_back(&plan.layout);
                let reason = reason(plan, stop, start + PREFIX);
                self.errors.push(MessageError {
                    row: message,
                    reason,
                });
            }
        }
    }

    /// Finds the strings that are not UTF-8 once it is known that there are some.
    #[cold]
    fn decode_again_with_checks(&mut self, messages: &Messages<'_>) {
        self.columns.clear(&self.plan.layout);
        self.errors.clear();
        for message in 0..messages.len() {
            if messages.is_valid(message) && schema_id(messages.message(message)) == Ok(self.id) {
                self.decode_message::<true>(messages, message);
            }
        }
    }
}

/// What is wrong with a record, and where: bytes are counted from its `start`.
#[cold]
#[inline(never)]
fn reason(plan: &Plan, stop: Stop, start: usize) -> String {
    let (fault, byte) = (stop.fault, stop.position - start);
    match stop.column {
        Some(column) => format!("field `{}`, byte {byte}: {fault}", plan.layout.path(column)),
        None => format!("byte {byte}: {fault}"),
    }
}

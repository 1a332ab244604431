//! The messages of one batch that share a schema.

use weir_guest::Decoded;
use weir_guest::columns::Columns;
use weir_guest::confluent::{Compiled, Messages, PREFIX, prefix_of};
use weir_guest::rows::{Field, MessageError};
use weir_guest::{log, metrics};

use crate::{
    input::{Input, Read},
    plan::Plan,
    read::{Reader, Scratch},
    scan,
    validate::{Validation, Validator},
};

/// A plan with the columns that it fills, empty between batches.
pub(crate) struct Group {
    number: u32,
    plan: Plan,
    columns: Columns,
    scratch: Scratch,
    validator: Option<(Validator, Validation)>,
    errors: Vec<MessageError>,
    /// How many messages of the batch were not valid and are delivered, and why the first.
    reported: u64,
    first_reported: Option<String>,
}

impl Compiled for Group {
    fn begin(&mut self, messages: &Messages<'_>) {
        self.errors.clear();
        (self.reported, self.first_reported) = (0, None);
        self.columns.begin(&self.plan.layout, messages);
    }

    fn decode_run(&mut self, messages: &Messages<'_>, first: u32) -> u32 {
        let prefix = prefix_of(self.number);
        for message in first..messages.len() {
            if !messages.is_valid(message) {
                continue;
            }
            if messages.message(message).first_chunk() != Some(&prefix) {
                return message;
            }
            self.decode_message(messages, message, PREFIX);
        }
        messages.len()
    }

    fn finish(&mut self, messages: &Messages<'_>, decoded: &mut Decoded) {
        let group = self
            .columns
            .finish(&self.plan.layout, self.number, messages);
        decoded.groups.extend(group);
        decoded.errors.append(&mut self.errors);
        if let Some(first) = self.first_reported.take() {
            metrics::count("not_valid", self.reported);
            let others = self.reported - 1;
            log::warn(format!(
                "{first} (and {others} more of this batch are not valid)"
            ));
        }
    }

    fn fields(&self, number: u32) -> Option<&[Field]> {
        (number == self.number).then(|| self.plan.fields_of_rows())
    }
}

impl Group {
    /// The group of a schema.
    pub(crate) fn new(number: u32, plan: Plan, validator: Option<(Validator, Validation)>) -> Self {
        Self {
            number,
            columns: Columns::new(&plan.layout),
            scratch: Scratch::new(&plan),
            plan,
            validator,
            errors: Vec::new(),
            reported: 0,
            first_reported: None,
        }
    }

    /// Adds a fault of a message.
    pub(crate) fn refuse(&mut self, message: u32, reason: String) {
        let row = message;
        self.errors.push(MessageError { row, reason });
    }

    /// Decodes one message, whose text begins after `prefix` bytes.
    #[inline(always)]
    pub(crate) fn decode_message(&mut self, messages: &Messages<'_>, message: u32, prefix: usize) {
        let (start, end) = messages.range(message);
        let (start, bytes) = (start + prefix, messages.bytes());
        if self.validator.is_some() && !self.validate(&bytes[start..end], message) {
            return;
        }
        let (plan, columns, scratch) = (&self.plan, &mut self.columns, &mut self.scratch);
        let row = columns.rows.count() as usize;
        let columns_of = &mut columns.values[..];
        let mut reader = Reader {
            plan,
            columns: columns_of,
            scratch,
        };
        let input = Input::new(bytes, start, end);
        match utf8(&input, &bytes[start..end], start).and_then(|()| reader.row(input, row)) {
            Ok(()) => columns.rows.add(message),
            Err(fault) => {
                columns.take_back(&plan.layout);
                self.refuse(message, fault.to_string());
            }
        }
    }

    /// Whether a message is to be decoded.
    fn validate(&mut self, text: &[u8], message: u32) -> bool {
        let Some((validator, validation)) = &self.validator else {
            return true;
        };
        let Some(reason) = validator.reason(text) else {
            return true;
        };
        if *validation == Validation::On {
            self.refuse(message, reason);
            return false;
        }
        self.reported += 1;
        self.first_reported
            .get_or_insert_with(|| format!("message {message} of the batch: {reason}"));
        true
    }
}

#[inline(always)]
fn utf8(input: &Input<'_>, text: &[u8], start: usize) -> Read<()> {
    if scan::is_ascii(text) {
        return Ok(());
    }
    std::str::from_utf8(text)
        .map(drop)
        .map_err(|error| input.fault_at(start + error.valid_up_to(), "the message is not UTF-8"))
}

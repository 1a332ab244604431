//! Reads messages into the slots of a plan's columns.

use weir_guest::columns::Column;

use crate::{
    plan::{Entry, NONE, Op, Plan, Slot, Table},
    slots::{Slots, Span, reset},
    wire::{self, BYTES, END_GROUP, Fault, START_GROUP, VARINT},
};

/// How many values one message's lists may have beyond one for each of its bytes. Empty items
/// cost a sender two bytes and may have thousands of columns.
const MAX_VALUES: usize = 1 << 24;

/// Where a message failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) fault: Fault,
    /// The column at fault; `None` for the message as a whole.
    pub(crate) column: Option<u32>,
    /// Index into the batch's bytes of what is wrong, where that is known.
    pub(crate) position: Option<usize>,
}

/// What the messages of a batch are read with, and into.
pub(crate) struct Run<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) bytes: &'a [u8],
    pub(crate) columns: &'a mut [Column],
    pub(crate) slots: &'a mut Slots,
    /// Values that lists may still have.
    values_left: usize,
}

/// What a tag that was not the expected one means.
enum Found {
    /// A value of this field.
    Field(usize),
    /// Values of this field, packed.
    Packed(usize),
    /// A value that is not read; it ends here.
    Skipped(usize),
    /// The end of the group that is being read.
    End(usize),
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        bytes: &'a [u8],
        columns: &'a mut [Column],
        slots: &'a mut Slots,
    ) -> Self {
        Self {
            plan,
            bytes,
            columns,
            slots,
            values_left: 0,
        }
    }

    /// Makes the slots of `count` rows or items, but for those of lists, which
    /// [`row`](Self::row) makes for rows.
    pub(crate) fn prepare(&mut self, scope: usize, count: usize) {
        let Some(scope) = self.plan.scopes.get(scope) else {
            return;
        };
        for (column, slot, nullable) in &scope.slots {
            let index = *column as usize;
            let column = &mut self.columns[index];
            if *nullable {
                column.valid.resize(column.valid.len() + count, 0);
            }
            match *slot {
                Slot::Zeros(width) => {
                    let len = column.data.len() + count * width as usize;
                    column.data.resize(len, 0);
                }
                Slot::Span => self.slots.more_spans(index, count),
                Slot::Time => self.slots.more_times(index, count),
                Slot::List | Slot::Nothing => {}
            }
        }
    }

    /// Reads the message `bytes[start..end]` into the row `slot`, which is the first without
    /// slots for its lists.
    pub(crate) fn row(&mut self, slot: usize, start: usize, end: usize) -> Result<(), Stop> {
        for list in &self.plan.scopes[0].lists {
            let pushed = self.columns[*list as usize].push_list(0);
            pushed.map_err(|full| stop(full, *list, start))?;
        }
        self.allow(end - start);
        self.rest(&self.plan.tables[0], slot, (start, end), 0)
    }

    /// Lets lists have as many values as messages of so many bytes may have.
    pub(crate) fn allow(&mut self, bytes: usize) {
        self.values_left = MAX_VALUES + bytes;
    }

    /// Whether lists may have so many more items of a scope, which count from now on.
    pub(crate) fn take_values(&mut self, scope: usize, items: usize) -> bool {
        let values = items.checked_mul(self.plan.scopes[scope].slots.len());
        let left = values.and_then(|values| self.values_left.checked_sub(values));
        self.values_left = left.unwrap_or(self.values_left);
        left.is_some()
    }

    /// Reads what is left of a message into a slot that is there.
    pub(crate) fn rest(
        &mut self,
        table: &'a Table,
        slot: usize,
        (at, end): (usize, usize),
        depth: u32,
    ) -> Result<(), Stop> {
        self.message(table, slot, at, end, 0, depth)?;
        Ok(())
    }

    /// Reads values of a field of a row as long as they come next, packed ones too. Returns
    /// where something else is.
    #[inline(never)]
    pub(crate) fn while_next(
        &mut self,
        entry: &Entry,
        slot: usize,
        (mut at, end): (usize, usize),
        depth: u32,
    ) -> Result<usize, Stop> {
        let packed = entry.number << 3 | BYTES;
        while at < end {
            let read = wire::varint(self.bytes, at, end);
            let (tag, after) = read.map_err(|fault| whole(fault, at))?;
            if tag == u64::from(entry.tag) {
                at = self.value(entry, slot, (after, end), depth)?;
            } else if entry.packable && tag == u64::from(packed) {
                at = self.packed(*entry, after, end)?;
            } else {
                break;
            }
        }
        Ok(at)
    }

    /// Reads the fields of a message into a slot, up to `end` or, if it is a group, to the end
    /// tag of its number. Returns where that is.
    fn message(
        &mut self,
        table: &'a Table,
        slot: usize,
        mut at: usize,
        end: usize,
        group: u32,
        depth: u32,
    ) -> Result<usize, Stop> {
        let mut guess = 0;
        while at < end {
            let (tag, after) = match wire::varint(self.bytes, at, end) {
                Ok(read) => read,
                Err(fault) => return Err(whole(fault, at)),
            };
            let expected = |index: usize| {
                let entry = table.entries.get(index);
                entry.is_some_and(|entry| u64::from(entry.tag) == tag)
            };
            let index = if expected(guess) {
                guess
            } else if expected(guess + 1) {
                guess + 1
            } else {
                match self.find(table, tag, (at, after, end), group, depth)? {
                    Found::Field(index) => index,
                    Found::Packed(index) => {
                        at = self.packed(table.entries[index], after, end)?;
                        guess = index;
                        continue;
                    }
                    Found::Skipped(next) => {
                        at = next;
                        continue;
                    }
                    Found::End(next) => return Ok(next),
                }
            };
            let entry = &table.entries[index];
            guess = index + usize::from(entry.list == NONE);
            at = self.value(entry, slot, (after, end), depth)?;
        }
        if group == 0 {
            Ok(at)
        } else {
            Err(whole(Fault::OpenGroup(group), at))
        }
    }

    /// Reads one value of a field of the message that `slot` is for. Returns where it ends.
    #[inline(always)]
    fn value(
        &mut self,
        entry: &Entry,
        slot: usize,
        (at, end): (usize, usize),
        depth: u32,
    ) -> Result<usize, Stop> {
        let mut slot = slot;
        if let Op::Enum(index) = entry.op {
            return self.enumerated(entry, index, slot, at, end);
        }
        if entry.list != NONE {
            slot = self.begin_item(entry, at)?;
        } else if entry.oneof != NONE {
            self.clear_others(entry, slot);
        }
        let bytes = self.bytes;
        let index = entry.column as usize;
        let column = &mut self.columns[index];
        if entry.nullable {
            column.valid[slot] = 1;
        }
        macro_rules! number {
            ($width:literal, $read:expr) => {{
                let (value, after): ([u8; $width], usize) = match $read {
                    Ok(read) => read,
                    Err(fault) => return Err(stop(fault, entry.column, at)),
                };
                let (slots, _) = column.data.as_chunks_mut::<$width>();
                slots[slot] = value;
                Ok(after)
            }};
        }
        match entry.op {
            Op::Bytes => match wire::delimited(bytes, at, end) {
                Ok((start, after)) => {
                    self.slots.set_span(index, slot, Span::new(start, after));
                    Ok(after)
                }
                Err(fault) => Err(stop(fault, entry.column, at)),
            },
            Op::Varint64 => number!(
                8,
                wire::varint(bytes, at, end).map(|(value, after)| (value.to_le_bytes(), after))
            ),
            Op::Fixed64 => number!(8, wire::fixed::<8>(bytes, at, end)),
            Op::Varint32 => {
                number!(
                    4,
                    wire::varint(bytes, at, end)
                        .map(|(value, after)| (low(value).to_le_bytes(), after))
                )
            }
            Op::Fixed32 => number!(4, wire::fixed::<4>(bytes, at, end)),
            Op::Bool => number!(
                1,
                wire::varint(bytes, at, end).map(|(value, after)| ([u8::from(value != 0)], after))
            ),
            Op::Zigzag32 => {
                number!(
                    4,
                    wire::varint(bytes, at, end)
                        .map(|(value, after)| (zigzag32(value).to_le_bytes(), after))
                )
            }
            Op::Zigzag64 => {
                number!(
                    8,
                    wire::varint(bytes, at, end)
                        .map(|(value, after)| (zigzag64(value).to_le_bytes(), after))
                )
            }
            _ => self.nested(entry, slot, at, end, depth),
        }
    }

    /// The values that hold others, or a part of one.
    #[inline(never)]
    fn nested(
        &mut self,
        entry: &Entry,
        slot: usize,
        at: usize,
        end: usize,
        depth: u32,
    ) -> Result<usize, Stop> {
        if depth >= wire::MAX_NESTING {
            return Err(stop(Fault::TooDeep, entry.column, at));
        }
        let (bytes, index) = (self.bytes, entry.column as usize);
        let fault = |fault| stop(fault, entry.column, at);
        match entry.op {
            Op::Message(table) => {
                let (start, after) = wire::delimited(bytes, at, end).map_err(fault)?;
                let table = &self.plan.tables[table as usize];
                self.message(table, slot, start, after, 0, depth + 1)
            }
            Op::Group(table) => {
                let table = &self.plan.tables[table as usize];
                self.message(table, slot, at, end, entry.number, depth + 1)
            }
            Op::Json => {
                let (start, after) = wire::delimited(bytes, at, end).map_err(fault)?;
                let piece = Span::new(start, after);
                self.slots.join(bytes, index, slot, piece).map_err(fault)?;
                Ok(after)
            }
            Op::JsonGroup => {
                let (last, after) =
                    wire::group_end(bytes, at, end, entry.number, depth).map_err(fault)?;
                let piece = Span::new(at, last);
                self.slots.join(bytes, index, slot, piece).map_err(fault)?;
                Ok(after)
            }
            Op::Seconds => {
                let (value, after) = wire::varint(bytes, at, end).map_err(fault)?;
                self.slots.time(index, slot).0 = value.cast_signed();
                Ok(after)
            }
            Op::Nanos => {
                let (value, after) = wire::varint(bytes, at, end).map_err(fault)?;
                self.slots.time(index, slot).1 = low(value).cast_signed();
                Ok(after)
            }
            // The others never come here.
            _ => Ok(at),
        }
    }

    /// One number of an enum. One that a closed enum does not have is an unknown field; as the
    /// value of a map's entry, it makes that unknown, see [`maps`](crate::maps).
    #[inline(never)]
    fn enumerated(
        &mut self,
        entry: &Entry,
        index: u32,
        mut slot: usize,
        at: usize,
        end: usize,
    ) -> Result<usize, Stop> {
        let read = wire::varint(self.bytes, at, end);
        let (value, after) = read.map_err(|fault| stop(fault, entry.column, at))?;
        let values = &self.plan.enums[index as usize];
        let number = low(value);
        if values.closed && !entry.of_map && values.name(number.cast_signed()).is_none() {
            return Ok(after);
        }
        if entry.list != NONE {
            slot = self.begin_item(entry, at)?;
        } else if entry.oneof != NONE {
            self.clear_others(entry, slot);
        }
        if entry.nullable {
            self.columns[entry.column as usize].valid[slot] = 1;
        }
        let number = Span::number(number);
        self.slots.set_span(entry.column as usize, slot, number);
        Ok(after)
    }

    /// Values of a list, end to end.
    #[inline(never)]
    fn packed(&mut self, entry: Entry, at: usize, end: usize) -> Result<usize, Stop> {
        let packed = wire::delimited(self.bytes, at, end);
        let (mut at, after) = packed.map_err(|fault| stop(fault, entry.list, at))?;
        // Each is a list's item, so it has a slot of its own and needs none of a message.
        while at < after {
            at = self.value(&entry, 0, (at, after), 0)?;
        }
        Ok(after)
    }

    /// Makes the slots of one more item of a list, and returns which they are.
    #[inline(always)]
    fn begin_item(&mut self, entry: &Entry, at: usize) -> Result<usize, Stop> {
        let plan = self.plan;
        let scope = &plan.scopes[entry.scope as usize];
        let list = &mut self.columns[entry.list as usize];
        let slot = list.items();
        if let Err(full) = list.grow_list(1) {
            return Err(stop(full, entry.list, at));
        }
        if !self.take_values(entry.scope as usize, 1) {
            return Err(stop(Fault::TooManyValues, entry.list, at));
        }
        for (column, kind, nullable) in &scope.slots {
            let index = *column as usize;
            let column = &mut self.columns[index];
            if *nullable {
                column.valid.push(0);
            }
            match *kind {
                Slot::Zeros(1) => column.data.push(0),
                Slot::Zeros(4) => column.data.extend_from_slice(&[0; 4]),
                Slot::Zeros(_) => column.data.extend_from_slice(&[0; 8]),
                Slot::Span => self.slots.more_spans(index, 1),
                Slot::Time => self.slots.more_times(index, 1),
                Slot::List => {
                    if let Err(full) = column.push_list(0) {
                        return Err(stop(full, entry.list, at));
                    }
                }
                Slot::Nothing => {}
            }
        }
        Ok(slot)
    }

    /// Whether another member of a field's oneof is there.
    pub(crate) fn has_other(&self, entry: &Entry, slot: usize) -> bool {
        let mut members = self.plan.oneofs[entry.oneof as usize].iter();
        members.any(|it| *it != entry.column && self.columns[*it as usize].valid[slot] == 1)
    }

    /// Takes back the other members of a oneof.
    #[inline(never)]
    fn clear_others(&mut self, entry: &Entry, slot: usize) {
        let plan = self.plan;
        for member in &plan.oneofs[entry.oneof as usize] {
            if *member != entry.column && self.columns[*member as usize].valid[slot] == 1 {
                reset(plan, self.columns, self.slots, *member, slot);
            }
        }
    }

    /// What a tag means, where it is not the one that was expected.
    #[inline(never)]
    fn find(
        &self,
        table: &Table,
        tag: u64,
        (at, after, end): (usize, usize, usize),
        group: u32,
        depth: u32,
    ) -> Result<Found, Stop> {
        let (number, wire) = wire::split(tag).map_err(|fault| whole(fault, at))?;
        if wire == END_GROUP {
            return match number == group {
                true => Ok(Found::End(after)),
                false => Err(whole(Fault::EndGroup(number), at)),
            };
        }
        if let Some(index) = table.find(number) {
            let entry = &table.entries[index];
            if u64::from(entry.tag) == tag {
                return Ok(Found::Field(index));
            }
            if entry.packable && wire == BYTES {
                return Ok(Found::Packed(index));
            }
        }
        // Of an unknown number, or of another type than the schema has for it.
        let next = wire::skip(self.bytes, after, end, (number, wire), depth);
        Ok(Found::Skipped(next.map_err(|fault| whole(fault, at))?))
    }
}

/// The wire type of the values of an operation.
pub(crate) fn wire_type(op: Op) -> u32 {
    match op {
        Op::Fixed32 => wire::FIXED32,
        Op::Fixed64 => wire::FIXED64,
        Op::Bytes | Op::Message(_) | Op::Json => BYTES,
        Op::Group(_) | Op::JsonGroup => START_GROUP,
        _ => VARINT,
    }
}

/// int32, uint32 and enums are the low half of what is read, as in the other implementations.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is meant"
)]
pub(crate) fn low(value: u64) -> u32 {
    value as u32
}

#[inline(always)]
pub(crate) fn zigzag32(value: u64) -> u32 {
    let value = low(value);
    (value >> 1) ^ (value & 1).wrapping_neg()
}

#[inline(always)]
pub(crate) fn zigzag64(value: u64) -> u64 {
    (value >> 1) ^ (value & 1).wrapping_neg()
}

#[cold]
#[inline(never)]
fn stop(fault: impl Into<Fault>, column: u32, position: usize) -> Stop {
    Stop {
        fault: fault.into(),
        column: Some(column),
        position: Some(position),
    }
}

#[cold]
#[inline(never)]
fn whole(fault: Fault, position: usize) -> Stop {
    Stop {
        fault,
        column: None,
        position: Some(position),
    }
}

//! Reads a block of messages field by field: one field of all messages, then the next one.
//!
//! Writers put fields in the order of their numbers, each once. So the next field of a message
//! is usually the next of its type, and the loop over the messages for one field has no dispatch
//! in it, while its column stays in registers. Messages in messages are read in the same way, once
//! it is known where all of them lie. What does not come in that order is left to [`Run::rest`],
//! which goes on where this stopped: slots take values in any order. Only the items of lists have
//! to come message by message, so a block with lists is right as a whole, or read again.

use std::ops::Range;

use weir_guest::columns::{Column, ColumnFull};

use crate::{
    plan::{Entry, NONE, Op, Table},
    run::{Run, low, zigzag32, zigzag64},
    slots::Span,
    wire::{self, Fault, MAX_NESTING},
};

/// Where the rest of one message lies.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub(crate) at: usize,
    pub(crate) end: usize,
}

/// The block has to be read message by message.
#[derive(Debug)]
pub(crate) struct NotRight;

impl From<Fault> for NotRight {
    fn from(_: Fault) -> Self {
        NotRight
    }
}

impl From<ColumnFull> for NotRight {
    fn from(_: ColumnFull) -> Self {
        NotRight
    }
}

/// Reads the messages at `places` into the rows from `first` on, whose slots are there.
pub(crate) fn read(run: &mut Run<'_>, places: &mut [Place], first: usize) -> Result<(), NotRight> {
    run.allow(places.iter().map(|place| place.end - place.at).sum());
    let rows = Level {
        scope: 0,
        columns: 0..u32::MAX,
        first,
        depth: 0,
    };
    fields(run, &run.plan.tables[0], places, &rows)
}

/// Where the fields of messages go: those of the block, or messages in them.
struct Level {
    /// Of the plan.
    scope: usize,
    columns: Range<u32>,
    /// The slot of the first message; those of the others follow.
    first: usize,
    /// How many messages are around them.
    depth: u32,
}

impl Level {
    /// That of the messages of a field.
    fn below(&self, run: &Run<'_>, entry: &Entry) -> Result<Self, NotRight> {
        if self.depth >= MAX_NESTING {
            return Err(NotRight);
        }
        Ok(Self {
            scope: self.scope,
            columns: columns(run, entry.column),
            first: self.first,
            depth: self.depth + 1,
        })
    }
}

/// A column with those below it.
fn columns(run: &Run<'_>, column: u32) -> Range<u32> {
    column..run.plan.layout.shapes[column as usize].end
}

fn fields<'a>(
    run: &mut Run<'a>,
    table: &'a Table,
    places: &mut [Place],
    level: &Level,
) -> Result<(), NotRight> {
    let plan = run.plan;
    for entry in &table.entries {
        if !plain(run, entry, places, level.first)?
            && !message(run, entry, places, level)?
            && !items(run, entry, places, level)?
        {
            others(run, entry, places, level)?;
        }
    }
    let mut lists = plan.scopes[level.scope].lists.iter();
    let has_lists = lists.any(|list| level.columns.contains(list));
    for (slot, place) in (level.first..).zip(places) {
        if place.at < place.end {
            if has_lists {
                return Err(NotRight);
            }
            run.rest(table, slot, (place.at, place.end), level.depth)
                .map_err(|_| NotRight)?;
        }
    }
    Ok(())
}

/// Reads a field that is one message: where it lies in each, then its fields. False, with nothing
/// done, for another.
fn message(
    run: &mut Run<'_>,
    entry: &Entry,
    places: &mut [Place],
    level: &Level,
) -> Result<bool, NotRight> {
    let Op::Message(table) = entry.op else {
        return Ok(false);
    };
    if entry.list != NONE || entry.oneof != NONE || entry.tag > TAG_MAX {
        return Ok(false);
    }
    let below = level.below(run, entry)?;
    let mut inner = vec![Place::default(); places.len()];
    let column = &mut run.columns[entry.column as usize];
    let field = Field {
        bytes: run.bytes,
        tag: entry.tag,
        valid: entry.nullable.then(|| &mut column.valid[level.first..]),
        places,
    };
    field.read::<_, Delimited>(&mut inner)?;
    fields(run, &run.plan.tables[table as usize], &mut inner, &below)?;
    Ok(true)
}

/// Reads a field that is a list of messages, as long as they come next: where they lie, then the
/// fields of all of them. False, with nothing done, for another.
fn items(
    run: &mut Run<'_>,
    entry: &Entry,
    places: &mut [Place],
    level: &Level,
) -> Result<bool, NotRight> {
    let Op::Message(table) = entry.op else {
        return Ok(false);
    };
    if entry.list == NONE || entry.tag > TAG_MAX {
        return Ok(false);
    }
    let list = &mut run.columns[entry.list as usize];
    let below = Level {
        scope: entry.scope as usize,
        first: list.items(),
        ..level.below(run, entry)?
    };
    let list = &mut run.columns[entry.list as usize];
    let mut inner = Vec::with_capacity(places.len());
    match tag(entry.tag) {
        Tag::Short(tag) => find_items(run.bytes, tag, places, list, &mut inner)?,
        Tag::Long(tag) => find_items(run.bytes, tag, places, list, &mut inner)?,
    }
    if !run.take_values(below.scope, inner.len()) {
        return Err(NotRight);
    }
    run.prepare(below.scope, inner.len());
    if entry.nullable {
        run.columns[entry.column as usize].valid[below.first..].fill(1);
    }
    fields(run, &run.plan.tables[table as usize], &mut inner, &below)?;
    Ok(true)
}

#[inline(never)]
fn find_items<const N: usize>(
    bytes: &[u8],
    tag: [u8; N],
    places: &mut [Place],
    list: &mut Column,
    items: &mut Vec<Place>,
) -> Result<(), NotRight> {
    for place in places {
        let before = items.len();
        while has(bytes, *place, tag) {
            let (at, end) = wire::delimited(bytes, place.at + N, place.end)?;
            items.push(Place { at, end });
            place.at = end;
        }
        list.push_list(items.len() - before)?;
    }
    Ok(())
}

/// Reads a field that is one number or one text. False, with nothing done, for another.
fn plain(
    run: &mut Run<'_>,
    entry: &Entry,
    places: &mut [Place],
    first: usize,
) -> Result<bool, NotRight> {
    if entry.list != NONE || entry.oneof != NONE || entry.tag > TAG_MAX {
        return Ok(false);
    }
    let index = entry.column as usize;
    let column = &mut run.columns[index];
    let field = Field {
        bytes: run.bytes,
        tag: entry.tag,
        valid: entry.nullable.then(|| &mut column.valid[first..]),
        places,
    };
    macro_rules! numbers {
        ($width:literal, $read:ty) => {{
            let (slots, _) = column.data.as_chunks_mut::<$width>();
            field.read::<_, $read>(&mut slots[first..])
        }};
    }
    let read = match entry.op {
        Op::Varint64 => numbers!(8, Varint64),
        Op::Varint32 => numbers!(4, Varint32),
        Op::Zigzag64 => numbers!(8, Zigzag64),
        Op::Zigzag32 => numbers!(4, Zigzag32),
        Op::Bool => numbers!(1, Bool),
        Op::Fixed32 => numbers!(4, Fixed<4>),
        Op::Fixed64 => numbers!(8, Fixed<8>),
        Op::Bytes => {
            let staged = run.slots.column(index);
            field.read::<_, Delimited>(&mut staged.spans[first - staged.base..])
        }
        Op::Enum(values) if !run.plan.enums[values as usize].closed => {
            let staged = run.slots.column(index);
            field.read::<_, EnumNumber>(&mut staged.spans[first - staged.base..])
        }
        Op::Seconds => {
            let staged = run.slots.column(index);
            field.read::<_, Seconds>(&mut staged.times[first - staged.base..])
        }
        Op::Nanos => {
            let staged = run.slots.column(index);
            field.read::<_, Nanos>(&mut staged.times[first - staged.base..])
        }
        _ => return Ok(false),
    };
    Ok(read.map(|()| true)?)
}

/// Reads one value at `at`, before `end`, into its slot. Returns where it ends.
trait Read<T> {
    fn read(bytes: &[u8], at: usize, end: usize, slot: &mut T) -> Result<usize, Fault>;
}

macro_rules! read {
    ($name:ident, $slot:ty, |$to:ident, $value:ident| $put:expr) => {
        struct $name;

        impl Read<$slot> for $name {
            #[inline(always)]
            fn read(bytes: &[u8], at: usize, end: usize, $to: &mut $slot) -> Result<usize, Fault> {
                let ($value, after) = wire::varint(bytes, at, end)?;
                $put;
                Ok(after)
            }
        }
    };
}

read!(Varint64, [u8; 8], |slot, value| *slot = value.to_le_bytes());
read!(Varint32, [u8; 4], |slot, value| *slot =
    low(value).to_le_bytes());
read!(Zigzag64, [u8; 8], |slot, value| *slot =
    zigzag64(value).to_le_bytes());
read!(Zigzag32, [u8; 4], |slot, value| *slot =
    zigzag32(value).to_le_bytes());
read!(Bool, [u8; 1], |slot, value| *slot = [u8::from(value != 0)]);
read!(EnumNumber, Span, |slot, value| *slot =
    Span::number(low(value)));
read!(Seconds, (i64, i32), |slot, value| slot.0 =
    value.cast_signed());
read!(Nanos, (i64, i32), |slot, value| slot.1 =
    low(value).cast_signed());

struct Fixed<const N: usize>;

impl<const N: usize> Read<[u8; N]> for Fixed<N> {
    #[inline(always)]
    fn read(bytes: &[u8], at: usize, end: usize, slot: &mut [u8; N]) -> Result<usize, Fault> {
        let (value, after) = wire::fixed(bytes, at, end)?;
        *slot = value;
        Ok(after)
    }
}

struct Delimited;

impl Read<Span> for Delimited {
    #[inline(always)]
    fn read(bytes: &[u8], at: usize, end: usize, slot: &mut Span) -> Result<usize, Fault> {
        let (start, after) = wire::delimited(bytes, at, end)?;
        *slot = Span::new(start, after);
        Ok(after)
    }
}

impl Read<Place> for Delimited {
    #[inline(always)]
    fn read(bytes: &[u8], at: usize, end: usize, slot: &mut Place) -> Result<usize, Fault> {
        let (at, end) = wire::delimited(bytes, at, end)?;
        *slot = Place { at, end };
        Ok(end)
    }
}

/// The largest tag of two bytes.
const TAG_MAX: u32 = (1 << 14) - 1;

/// A tag as a varint.
enum Tag {
    Short([u8; 1]),
    Long([u8; 2]),
}

/// Of at most [`TAG_MAX`].
fn tag(tag: u32) -> Tag {
    let [low, high, ..] = tag.to_le_bytes();
    if tag < 0x80 {
        Tag::Short([low])
    } else {
        // The lowest seven bits are in the first.
        Tag::Long([low | 0x80, (high << 1) | (low >> 7)])
    }
}

/// One field of the messages at `places`.
struct Field<'a> {
    bytes: &'a [u8],
    tag: u32,
    /// Which values are there, from the first message on, where not all are.
    valid: Option<&'a mut [u8]>,
    places: &'a mut [Place],
}

impl Field<'_> {
    /// Reads the value of each message whose next field has the tag into its slot. A loop of its
    /// own for each kind of value and tag, with and without nulls: small ones stay in registers.
    #[inline(always)]
    fn read<T, R: Read<T>>(self, slots: &mut [T]) -> Result<(), Fault> {
        let Field {
            bytes,
            valid,
            places,
            ..
        } = self;
        match (tag(self.tag), valid) {
            (Tag::Short(tag), None) => required::<1, T, R>(bytes, tag, places, slots),
            (Tag::Long(tag), None) => required::<2, T, R>(bytes, tag, places, slots),
            (Tag::Short(tag), Some(valid)) => optional::<1, T, R>(bytes, tag, places, slots, valid),
            (Tag::Long(tag), Some(valid)) => optional::<2, T, R>(bytes, tag, places, slots, valid),
        }
    }
}

/// Whether the next field has this tag.
#[inline(always)]
fn has<const N: usize>(bytes: &[u8], Place { at, end }: Place, tag: [u8; N]) -> bool {
    end - at >= N && (0..N).all(|i| bytes[at + i] == tag[i])
}

#[inline(never)]
fn required<const N: usize, T, R: Read<T>>(
    bytes: &[u8],
    tag: [u8; N],
    places: &mut [Place],
    slots: &mut [T],
) -> Result<(), Fault> {
    for (place, slot) in places.iter_mut().zip(slots) {
        if has(bytes, *place, tag) {
            place.at = R::read(bytes, place.at + N, place.end, slot)?;
        }
    }
    Ok(())
}

#[inline(never)]
fn optional<const N: usize, T, R: Read<T>>(
    bytes: &[u8],
    tag: [u8; N],
    places: &mut [Place],
    slots: &mut [T],
    valid: &mut [u8],
) -> Result<(), Fault> {
    for ((place, slot), valid) in places.iter_mut().zip(slots).zip(valid) {
        if has(bytes, *place, tag) {
            *valid = 1;
            place.at = R::read(bytes, place.at + N, place.end, slot)?;
        }
    }
    Ok(())
}

/// Reads a field of any kind, as long as it is the next one, message by message.
#[inline(never)]
fn others(
    run: &mut Run<'_>,
    entry: &Entry,
    places: &mut [Place],
    level: &Level,
) -> Result<(), NotRight> {
    let root = if entry.list == NONE {
        entry.column
    } else {
        entry.list
    };
    let below = columns(run, root);
    let lists = run.plan.scopes[level.scope].lists.iter();
    let lists: Vec<u32> = lists.copied().filter(|list| below.contains(list)).collect();
    for (slot, place) in (level.first..).zip(places) {
        for list in &lists {
            run.columns[*list as usize].push_list(0)?;
        }
        // A message that has two members of a oneof is left to the end: taking the first one back
        // concerns lists.
        if entry.oneof != NONE && run.has_other(entry, slot) {
            continue;
        }
        let read = run.while_next(entry, slot, (place.at, place.end), level.depth);
        place.at = read.map_err(|_| NotRight)?;
    }
    Ok(())
}

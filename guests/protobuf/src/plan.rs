//! What a message type is compiled to.
//!
//! Values are written to slots: a row of the batch, or an item of a list, has one slot in each of
//! its columns, which holds the default until a field of the message says otherwise. So it does
//! not matter in which order fields come, or how often: the last one wins, and a message that
//! comes in pieces is merged. The slots of a *scope* are made together: a scope is all columns
//! that have as many values as the rows (or as one list's items), those of nested messages
//! included.

use prost_reflect::MessageDescriptor;
use weir_guest::columns::{Layout, Symbol};
use weir_guest::rows::Field;

/// Field numbers up to this are looked up in a table.
pub(crate) const SMALL_NUMBERS: u32 = 512;

/// A compiled message type.
#[derive(Debug, Default)]
pub struct Plan {
    pub(crate) layout: Layout,
    /// The first is the message itself.
    pub(crate) tables: Vec<Table>,
    /// The first is that of the rows.
    pub(crate) scopes: Vec<Scope>,
    pub(crate) enums: Vec<Enum>,
    pub(crate) oneofs: Vec<Vec<u32>>,
    /// The types of columns of JSON.
    pub(crate) messages: Vec<MessageDescriptor>,
    /// What slots are filled with at first, at the same index as the column.
    pub(crate) kinds: Vec<Slot>,
    /// What becomes of the slots of a block, at the same index as the column.
    pub(crate) finish: Vec<Finish>,
    /// Columns of maps, inner ones before outer ones.
    pub(crate) maps: Vec<u32>,
}

impl Plan {
    /// The Arrow schema of the rows.
    pub fn fields(&self) -> &[Field] {
        &self.layout.fields
    }
}

/// The fields of a message at one place of the schema, by number.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) entries: Vec<Entry>,
    /// One more than the index of the entry, for small numbers.
    small: Vec<u16>,
}

impl Table {
    pub(crate) fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_by_key(|entry| entry.number);
        let mut small = Vec::new();
        for (index, entry) in (1..).zip(&entries) {
            if entry.number <= SMALL_NUMBERS {
                small.resize(entry.number as usize + 1, 0);
                small[entry.number as usize] = index;
            }
        }
        Self { entries, small }
    }

    /// The index of a field.
    #[inline(always)]
    pub(crate) fn find(&self, number: u32) -> Option<usize> {
        if number <= SMALL_NUMBERS {
            let index = *self.small.get(number as usize)?;
            return usize::from(index).checked_sub(1);
        }
        self.find_large(number)
    }

    #[cold]
    #[inline(never)]
    fn find_large(&self, number: u32) -> Option<usize> {
        let found = self.entries.binary_search_by_key(&number, |it| it.number);
        found.ok()
    }
}

/// No index.
pub(crate) const NONE: u32 = u32::MAX;

/// One field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Number and wire type: what one value of it starts with.
    pub(crate) tag: u32,
    pub(crate) number: u32,
    pub(crate) op: Op,
    /// The column of its values: for lists, of the items.
    pub(crate) column: u32,
    /// For lists and maps, their own column.
    pub(crate) list: u32,
    /// Whether the column keeps which values are there.
    pub(crate) nullable: bool,
    /// Whether it is the key or value of a map's entry.
    pub(crate) of_map: bool,
    /// Whether values may also come packed.
    pub(crate) packable: bool,
    /// What one item is made of; for lists and maps.
    pub(crate) scope: u32,
    /// An index into [`Plan::oneofs`].
    pub(crate) oneof: u32,
}

/// How one value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Bool,
    /// int32 and uint32: the low half of 64 bits.
    Varint32,
    Varint64,
    Zigzag32,
    Zigzag64,
    Fixed32,
    Fixed64,
    /// string or bytes.
    Bytes,
    /// An index into [`Plan::enums`].
    Enum(u32),
    /// Index of a table.
    Message(u32),
    /// The same, between a start and an end tag.
    Group(u32),
    /// A message as text: an index into [`Plan::messages`] is in [`Finish::Json`].
    Json,
    /// The same, between a start and an end tag.
    JsonGroup,
    /// The fields of a timestamp or duration.
    Seconds,
    Nanos,
}

/// What the slots of a column are filled with at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// As many zero bytes.
    Zeros(u32),
    /// No bytes, or the number 0.
    Span,
    /// Zero seconds.
    Time,
    /// No items.
    List,
    /// Nothing: a struct.
    Nothing,
}

/// Columns whose slots are made together.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(crate) slots: Vec<(u32, Slot, bool)>,
    /// Its lists.
    pub(crate) lists: Vec<u32>,
}

/// What is done with the slots of a column when a block is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    /// They are as Arrow wants them.
    Nothing,
    /// Places of bytes become the bytes.
    Bytes,
    /// Numbers become the names that an enum has for them.
    Enum(u32),
    /// Encoded messages become JSON.
    Json(u32),
    /// Seconds and nanoseconds become one number.
    Time(TimeUnit, Time),
}

/// What a pair of seconds and nanoseconds is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    Timestamp,
    Duration,
}

/// The unit of columns of times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub enum TimeUnit {
    /// Nanoseconds: years 1677 to 2262.
    #[default]
    #[serde(rename = "ns")]
    Nanoseconds,
    /// Microseconds: what is finer is cut off, towards the past.
    #[serde(rename = "us")]
    Microseconds,
}

/// The values of an enum.
#[derive(Debug)]
pub(crate) struct Enum {
    /// By number; the first name where there are several.
    values: Vec<(i32, Symbol)>,
    /// Index into `values` of the small numbers.
    small: Vec<Option<u32>>,
    /// Whether other numbers are as unknown as unknown fields.
    pub(crate) closed: bool,
    /// The number of the first value, which is that of fields that are not there.
    pub(crate) default: i32,
}

impl Enum {
    pub(crate) fn new<'a>(values: impl IntoIterator<Item = (i32, &'a str)>, closed: bool) -> Self {
        let mut values: Vec<_> = values
            .into_iter()
            .map(|(number, name)| (number, Symbol::new(name)))
            .collect();
        let default = values.first().map_or(0, |(number, _)| *number);
        // Stable, so that of several names the first is kept.
        values.sort_by_key(|(number, _)| *number);
        values.dedup_by_key(|(number, _)| *number);
        let mut small = Vec::new();
        for (index, (number, _)) in (0..).zip(&values) {
            if let Ok(number @ 0..=255) = usize::try_from(*number) {
                small.resize(number + 1, None);
                small[number] = Some(index);
            }
        }
        Self {
            values,
            small,
            closed,
            default,
        }
    }

    /// The name of a number.
    #[inline(always)]
    pub(crate) fn name(&self, number: i32) -> Option<&Symbol> {
        let small = usize::try_from(number).ok();
        if let Some(small) = small.filter(|small| *small < self.small.len()) {
            return Some(&self.values[self.small[small]? as usize].1);
        }
        let found = self.values.binary_search_by_key(&number, |(it, _)| *it);
        found.ok().map(|index| &self.values[index].1)
    }
}

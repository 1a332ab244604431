//! Decodes a block of records column by column.
//!
//! One operation is done for all records of the block before the next one: its loop has no
//! dispatch in it, its column stays in registers, and the records, which do not depend on
//! each other, overlap in the processor. That takes two thirds of the time that [`run`] takes for
//! one record after the other (MonetDB/X100, CIDR 2005, has the idea).
//!
//! Lists of plain values go item by item, see [`lists`]. What is not plain is left to [`run`], operation
//! by operation, and so is the whole block when any record of it is not right: that one then
//! finds out which, and says why.

mod lists;

pub(crate) use lists::Scratch;

use weir_guest::columns::{Column, ColumnFull, Symbol, append};
use weir_guest::confluent::{Messages, PREFIX, prefix_of};

use crate::{
    input::{Fault, Input},
    plan::{Op, Plan},
    run::{self, Frame},
};

/// Records in a block: their bytes should stay in the first cache.
pub(crate) const BLOCK: u32 = 512;

/// Where the rest of one record lies, and the number that its next value has in a column.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursor {
    position: usize,
    end: usize,
    slot: usize,
}

/// Some record of the block is not right. The columns hold parts of the block: the caller
/// takes them back.
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

/// The next messages, up to a block of them or to one that is not of this schema id: where
/// the first such one is, or the end. `slot` is the row that the first becomes.
#[inline(never)]
pub(crate) fn gather(
    messages: &Messages<'_>,
    id: u32,
    first: u32,
    slot: usize,
    cursors: &mut Vec<Cursor>,
) -> u32 {
    cursors.resize(BLOCK as usize, Cursor::default());
    let (prefix, bytes) = (prefix_of(id), messages.bytes());
    let last = messages.len().min(first.saturating_add(BLOCK));
    let (mut count, mut next) = (0, last);
    for (message, [start, end]) in messages.ranges(first, last) {
        if !messages.is_valid(message) {
            continue;
        }
        let framed = bytes.get(start..end).and_then(<[u8]>::first_chunk);
        if framed != Some(&prefix) {
            next = message;
            break;
        }
        cursors[count] = Cursor {
            position: start + PREFIX,
            end,
            slot: slot + count,
        };
        count += 1;
    }
    cursors.truncate(count);
    next
}

impl Cursor {
    /// Reads on from here.
    #[inline(always)]
    fn read<'a, T>(
        &mut self,
        bytes: &'a [u8],
        read: impl FnOnce(&mut Input<'a>) -> Result<T, Fault>,
    ) -> Result<T, NotRight> {
        let mut input = Input::within(bytes, self.position, self.end);
        let value = read(&mut input)?;
        self.position = input.position();
        Ok(value)
    }
}

/// Decodes the records at `cursors`. Row `slot` of the first is the number of rows that the
/// columns have.
#[inline(never)]
pub(crate) fn decode(
    plan: &Plan,
    columns: &mut [Column],
    frames: &mut Vec<Frame>,
    scratch: &mut Scratch,
    bytes: &[u8],
    cursors: &mut [Cursor],
) -> Result<(), NotRight> {
    let mut at = 0;
    while let Some(op) = plan.ops.get(at) {
        let next = at + 1 + op.body();
        let body = &plan.ops[at + 1..next];
        if let Some(leaf) = Leaf::of(*op, body) {
            prepare(columns, leaf, cursors.len());
            in_order(plan, columns, leaf, bytes, cursors)?;
        } else if !lists::decode(plan, columns, scratch, *op, body, bytes, cursors)? {
            for cursor in cursors.iter_mut() {
                let input = Input::within(bytes, cursor.position, cursor.end);
                let rest = run::operations::<false>(plan, columns, frames, at..next, input);
                cursor.position = rest.map_err(|_| NotRight)?.position();
            }
        }
        at = next;
    }
    if all_read(cursors) {
        Ok(())
    } else {
        Err(NotRight)
    }
}

#[inline(never)]
fn all_read(cursors: &[Cursor]) -> bool {
    cursors.iter().all(|cursor| cursor.position == cursor.end)
}

/// An operation that gives one value, or an optional one.
#[derive(Clone, Copy)]
struct Leaf {
    op: Op,
    column: usize,
    /// Which branch is null.
    null: Option<i64>,
}

impl Leaf {
    fn of(op: Op, body: &[Op]) -> Option<Self> {
        match (op, body) {
            (Op::Optional { column, null, .. }, [only]) => {
                let leaf = Self::of(*only, &[])?;
                // Otherwise it is the only field of a record, which is what may be null.
                (leaf.column == column as usize).then_some(Self {
                    null: Some(i64::from(null)),
                    ..leaf
                })
            }
            (
                Op::Boolean { column }
                | Op::Int { column }
                | Op::Long { column }
                | Op::Float { column }
                | Op::Double { column }
                | Op::Bytes { column }
                | Op::Fixed { column, .. }
                | Op::Enum { column, .. },
                [],
            ) => Some(Self {
                op,
                column: column as usize,
                null: None,
            }),
            _ => None,
        }
    }

    /// Bytes of a value; `None` where that depends on the value.
    fn width(self) -> Option<usize> {
        match self.op {
            Op::Boolean { .. } => Some(1),
            Op::Int { .. } | Op::Float { .. } => Some(4),
            Op::Long { .. } | Op::Double { .. } => Some(8),
            Op::Fixed { size, .. } => Some(size as usize),
            _ => None,
        }
    }
}

/// Makes room for `count` values, all of them null as far as the column has room for that.
fn prepare(columns: &mut [Column], leaf: Leaf, count: usize) {
    let column = &mut columns[leaf.column];
    if leaf.null.is_some() {
        column.valid.resize(column.valid.len() + count, 0);
    }
    if let Some(width) = leaf.width() {
        column.data.resize(column.data.len() + count * width, 0);
    }
}

/// Decodes one value of each record, in the order of their slots.
fn in_order(
    plan: &Plan,
    columns: &mut [Column],
    leaf: Leaf,
    bytes: &[u8],
    cursors: &mut [Cursor],
) -> Result<(), NotRight> {
    let column = &mut columns[leaf.column];
    match leaf.op {
        Op::Bytes { .. } => {
            let Column {
                valid,
                offsets,
                data,
                ..
            } = column;
            let valid = leaf.null.map(|null| (null, &mut valid[..]));
            strings(bytes, cursors, valid, offsets, data)
        }
        Op::Enum { symbols, .. } => enums(
            &plan.symbols[symbols as usize],
            leaf,
            column,
            bytes,
            cursors,
        ),
        _ => fixed_width(leaf, column, bytes, cursors, Slots::Adjoining),
    }
}

/// A number as Avro writes it, and as a column has it.
trait Number<const N: usize>: Sized {
    fn read(input: &mut Input<'_>) -> Result<Self, Fault>;
    fn bytes(self) -> [u8; N];
}

macro_rules! number {
    ($number:ty, $width:literal, |$input:ident| $read:expr) => {
        impl Number<$width> for $number {
            #[inline(always)]
            fn read($input: &mut Input<'_>) -> Result<Self, Fault> {
                $read
            }

            #[inline(always)]
            fn bytes(self) -> [u8; $width] {
                self.to_le_bytes()
            }
        }
    };
}

number!(u8, 1, |input| run::boolean(input));
number!(i32, 4, |input| input.int());
number!(i64, 8, |input| input.long());
number!(u32, 4, |input| input.array().map(u32::from_le_bytes));
number!(u64, 8, |input| input.array().map(u64::from_le_bytes));

/// How the slots of cursors lie.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slots {
    /// One after the other: the cursors are those of records.
    Adjoining,
    /// Anyhow: the cursors are those of items.
    Apart,
}

/// Decodes one value of known width at each cursor, to its slot.
fn fixed_width(
    leaf: Leaf,
    column: &mut Column,
    bytes: &[u8],
    cursors: &mut [Cursor],
    slots: Slots,
) -> Result<(), NotRight> {
    match leaf.op {
        Op::Boolean { .. } => numbers::<1, u8>(leaf, column, bytes, cursors, slots),
        Op::Int { .. } => numbers::<4, i32>(leaf, column, bytes, cursors, slots),
        Op::Long { .. } => numbers::<8, i64>(leaf, column, bytes, cursors, slots),
        Op::Float { .. } => numbers::<4, u32>(leaf, column, bytes, cursors, slots),
        Op::Double { .. } => numbers::<8, u64>(leaf, column, bytes, cursors, slots),
        Op::Fixed { size, .. } => {
            let Column { valid, data, .. } = column;
            let valid = leaf.null.map(|null| (null, &mut valid[..]));
            let size = size as usize;
            each(bytes, cursors, valid, |slot, input| {
                data[slot * size..][..size].copy_from_slice(input.take(size)?);
                Ok(())
            })
        }
        _ => Err(NotRight),
    }
}

/// Where slots adjoin, the loop walks along them: looking each up keeps more in registers than
/// there are, which costs a tenth of the time of a flat record.
#[inline(always)]
fn numbers<const N: usize, T: Number<N>>(
    leaf: Leaf,
    column: &mut Column,
    bytes: &[u8],
    cursors: &mut [Cursor],
    slots: Slots,
) -> Result<(), NotRight> {
    let Column { valid, data, .. } = column;
    let (data, _) = data.as_chunks_mut::<N>();
    let first = cursors.first().map_or(0, |cursor| cursor.slot);
    match (slots, leaf.null) {
        (Slots::Adjoining, None) => required::<N, T>(bytes, cursors, &mut data[first..]),
        (Slots::Adjoining, Some(null)) => {
            let (data, valid) = (&mut data[first..], &mut valid[first..]);
            optional::<N, T>(bytes, cursors, data, null, valid)
        }
        (Slots::Apart, None) => required_apart::<N, T>(bytes, cursors, data),
        (Slots::Apart, Some(null)) => each(bytes, cursors, Some((null, valid)), |slot, input| {
            data[slot] = T::read(input)?.bytes();
            Ok(())
        }),
    }
}

#[inline(never)]
fn required<const N: usize, T: Number<N>>(
    bytes: &[u8],
    cursors: &mut [Cursor],
    slots: &mut [[u8; N]],
) -> Result<(), NotRight> {
    for (cursor, slot) in cursors.iter_mut().zip(slots) {
        *slot = cursor.read(bytes, T::read)?.bytes();
    }
    Ok(())
}

#[inline(never)]
fn required_apart<const N: usize, T: Number<N>>(
    bytes: &[u8],
    cursors: &mut [Cursor],
    slots: &mut [[u8; N]],
) -> Result<(), NotRight> {
    for cursor in cursors {
        slots[cursor.slot] = cursor.read(bytes, T::read)?.bytes();
    }
    Ok(())
}

#[inline(never)]
fn optional<const N: usize, T: Number<N>>(
    bytes: &[u8],
    cursors: &mut [Cursor],
    slots: &mut [[u8; N]],
    null: i64,
    valid: &mut [u8],
) -> Result<(), NotRight> {
    for ((cursor, slot), valid) in cursors.iter_mut().zip(slots).zip(valid) {
        cursor.read(bytes, |input| {
            if !is_null(input, null)? {
                *valid = 1;
                *slot = T::read(input)?.bytes();
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Calls `decode` for each record that has a value, with its slot. A function of its own for
/// each kind of value, with `decode` in one place: small loops are what stays in registers.
#[inline(never)]
fn each<'a>(
    bytes: &'a [u8],
    cursors: &mut [Cursor],
    mut valid: Option<(i64, &mut [u8])>,
    mut decode: impl FnMut(usize, &mut Input<'a>) -> Result<(), Fault>,
) -> Result<(), NotRight> {
    for cursor in cursors {
        let slot = cursor.slot;
        cursor.read(bytes, |input| {
            if let Some((null, valid)) = &mut valid {
                if is_null(input, *null)? {
                    return Ok(());
                }
                valid[slot] = 1;
            }
            decode(slot, input)
        })?;
    }
    Ok(())
}

/// Reads the branch of a union of null and another type.
#[inline(always)]
fn is_null(input: &mut Input<'_>, null: i64) -> Result<bool, Fault> {
    let branch = input.long()?;
    if branch != null && branch != 1 - null {
        return Err(Fault::UnionBranch);
    }
    Ok(branch == null)
}

/// Strings or byte strings, in order.
#[inline(never)]
fn strings(
    bytes: &[u8],
    cursors: &mut [Cursor],
    mut valid: Option<(i64, &mut [u8])>,
    offsets: &mut Vec<u8>,
    data: &mut Vec<u8>,
) -> Result<(), NotRight> {
    let (Some(first), Some(last)) = (cursors.first(), cursors.last()) else {
        return Ok(());
    };
    // All records of the block lie between these two, so this is enough for any of their
    // fields. What it adds up to is bounded by the columns' offsets.
    let room = last.end - first.position;
    let before = offsets.len();
    offsets.resize(before + cursors.len() * 4, 0);
    let (ends, _) = offsets[before..].as_chunks_mut::<4>();
    append(data, room, |values| {
        for (cursor, end) in cursors.iter_mut().zip(ends) {
            let slot = cursor.slot;
            cursor.read(bytes, |input| {
                if let Some((null, valid)) = &mut valid {
                    if is_null(input, *null)? {
                        return Ok(());
                    }
                    valid[slot] = 1;
                }
                let length = input.length()?;
                values.push(input.take_wide(length));
                Ok(())
            })?;
            *end = values.end();
        }
        Ok(())
    })
}

/// Symbols of an enum, in order.
#[inline(never)]
fn enums(
    symbols: &[Symbol],
    leaf: Leaf,
    column: &mut Column,
    bytes: &[u8],
    cursors: &mut [Cursor],
) -> Result<(), NotRight> {
    for cursor in cursors {
        let slot = cursor.slot;
        cursor.read(bytes, |input| {
            if let Some(null) = leaf.null {
                if is_null(input, null)? {
                    return Ok(column.push_bytes(&[])?);
                }
                column.valid[slot] = 1;
            }
            let symbol = symbols.get(run::symbol(input)?).ok_or(Fault::EnumIndex)?;
            Ok(symbol.push(column)?)
        })?;
    }
    Ok(())
}

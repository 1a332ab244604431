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
mod numbers;
mod texts;

pub(crate) use lists::Scratch;

use weir_guest::columns::{Column, ColumnFull};
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
        Op::Bytes { .. } => texts::strings(leaf, column, bytes, cursors),
        Op::Enum { symbols, .. } => {
            let symbols = &plan.symbols[symbols as usize];
            texts::enums(symbols, leaf, column, bytes, cursors)
        }
        _ => numbers::fixed_width(leaf, column, bytes, cursors, numbers::Slots::Adjoining),
    }
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

/// 1 for a value and 0 for null, by the branch of a union as it is written; `None` if it is neither.
#[inline(always)]
fn present(branch: u8, null: i64) -> Option<u8> {
    // Zig-zag makes 0 and 2 of the branches 0 and 1.
    matches!(branch, 0 | 2).then(|| u8::from(i64::from(branch / 2) != null))
}

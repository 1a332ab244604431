//! Lists of plain values, item by item: the first items of all records of a block, then the
//! second ones, each written to where it will lie.

use weir_guest::columns::{Column, Wide, append};

use super::{
    Cursor, Leaf, NotRight, each,
    numbers::{Slots, fixed_width},
    prepare,
};

use crate::{
    input::Input,
    plan::{Op, Plan},
    run,
};

/// A list goes item by item when its items are this many times more than the longest list
/// of the block has.
const LANES_LEAST: usize = 8;

/// Room that blocks use one after the other.
#[derive(Default)]
pub(crate) struct Scratch {
    /// The lists in the order of their records.
    heads: Vec<Head>,
    /// The next item of each list, the longest list first: so those that have one left are the
    /// first ones, in every turn.
    items: Vec<Cursor>,
    /// The index in the block of the same list's record.
    records: Vec<usize>,
    /// By number of items: lists that have as many or more.
    as_long: Vec<usize>,
    /// For each operation of an item, what is put into a column once all items are there.
    spans: Vec<Vec<Span>>,
}

/// What a list begins with.
#[derive(Clone, Copy)]
struct Head {
    /// Where its first item lies.
    position: usize,
    items: usize,
}

/// A string in the messages' bytes, or the index of a symbol.
#[derive(Clone, Copy, Default)]
struct Span {
    start: usize,
    len: usize,
}

/// Decodes the lists of all records item by item. False, with nothing done, where the
/// operation is no list of plain values, or that would not pay.
pub(super) fn decode(
    plan: &Plan,
    columns: &mut [Column],
    scratch: &mut Scratch,
    op: Op,
    body: &[Op],
    bytes: &[u8],
    cursors: &mut [Cursor],
) -> Result<bool, NotRight> {
    let Op::List {
        column, item_bytes, ..
    } = op
    else {
        return Ok(false);
    };
    let Some(leaves) = leaves(body).filter(|leaves| item_bytes > 0 && !leaves.is_empty()) else {
        return Ok(false);
    };
    let list = &mut columns[column as usize];
    let first = list.items();
    let Some(all) = heads(item_bytes, scratch, bytes, cursors)? else {
        return Ok(false);
    };
    sort(all.longest, first, scratch, cursors);
    for head in &scratch.heads {
        list.push_list(head.items)?;
    }
    let Scratch {
        items,
        records,
        as_long,
        spans,
        ..
    } = scratch;
    let total = all.items;
    spans.resize_with(leaves.len().max(spans.len()), Vec::new);
    for (leaf, spans) in leaves.iter().zip(&mut *spans) {
        prepare(columns, *leaf, total);
        spans.clear();
        if leaf.width().is_none() {
            spans.resize(total, Span::default());
        }
    }
    let mut left = as_long.iter().skip(1).copied();
    let mut now = left.next().unwrap_or(0);
    go_on(&items[now..], &records[now..], cursors);
    while now > 0 {
        for (leaf, spans) in leaves.iter().zip(&mut *spans) {
            let (column, items) = (&mut columns[leaf.column], &mut items[..now]);
            match leaf.width() {
                Some(_) => fixed_width(*leaf, column, bytes, items, Slots::Apart)?,
                None => note(*leaf, column, first, spans, bytes, items)?,
            }
        }
        let next = left.next().unwrap_or(0);
        end(item_bytes, bytes, &mut items[next..now])?;
        go_on(&items[next..now], &records[next..now], cursors);
        for item in &mut items[..next] {
            item.slot += 1;
        }
        now = next;
    }
    for (leaf, spans) in leaves.iter().zip(&*spans) {
        put_noted(plan, &mut columns[leaf.column], *leaf, spans, bytes)?;
    }
    Ok(true)
}

/// What the lists of a block have together.
#[derive(Default)]
struct All {
    items: usize,
    longest: usize,
}

/// Reads the number of items of each list. `None` where a list says how many bytes it has, which
/// is left to [`run`], or where item by item would not pay.
#[inline(never)]
fn heads(
    item_bytes: u32,
    scratch: &mut Scratch,
    bytes: &[u8],
    cursors: &[Cursor],
) -> Result<Option<All>, NotRight> {
    let Scratch { heads, .. } = scratch;
    heads.clear();
    heads.reserve(cursors.len());
    let mut all = All::default();
    for cursor in cursors {
        let mut head = *cursor;
        let block = head.read(bytes, |input| input.block(item_bytes))?;
        if block.is_some_and(|block| block.end.is_some()) {
            return Ok(None);
        }
        let items = block.map_or(0, |block| block.count);
        heads.push(Head {
            position: head.position,
            items,
        });
        all.items += items;
        all.longest = all.longest.max(items);
    }
    Ok((all.items >= all.longest * LANES_LEAST).then_some(all))
}

/// Sorts the lists by their lengths, by counting: to move those that go on in every turn would have
/// a branch that a processor cannot foresee. The first item of all gets the slot `first`.
#[inline(never)]
fn sort(longest: usize, first: usize, scratch: &mut Scratch, cursors: &[Cursor]) {
    let Scratch {
        heads,
        items,
        records,
        as_long,
        ..
    } = scratch;
    as_long.clear();
    as_long.resize(longest + 1, 0);
    for head in &*heads {
        as_long[head.items] += 1;
    }
    // Here by number of items: lists that are longer.
    let mut longer = 0;
    for lists in as_long.iter_mut().rev() {
        longer += std::mem::replace(lists, longer);
    }
    items.resize(heads.len(), Cursor::default());
    records.resize(heads.len(), 0);
    let mut slot = first;
    for (record, (head, cursor)) in heads.iter().zip(cursors).enumerate() {
        let at = as_long[head.items];
        as_long[head.items] += 1;
        items[at] = Cursor {
            position: head.position,
            end: cursor.end,
            slot,
        };
        records[at] = record;
        slot += head.items;
    }
}

/// The operations of an item, if each is a leaf.
fn leaves(body: &[Op]) -> Option<Vec<Leaf>> {
    let mut leaves = Vec::new();
    let mut at = 0;
    while let Some(op) = body.get(at) {
        let next = at + 1 + op.body();
        leaves.push(Leaf::of(*op, &body[at + 1..next])?);
        at = next;
    }
    Some(leaves)
}

/// Notes where one string, or which symbol, each item has.
fn note(
    leaf: Leaf,
    column: &mut Column,
    first: usize,
    spans: &mut [Span],
    bytes: &[u8],
    items: &mut [Cursor],
) -> Result<(), NotRight> {
    let valid = leaf.null.map(|null| (null, &mut column.valid[..]));
    if matches!(leaf.op, Op::Enum { .. }) {
        let put = |slot: usize, input: &mut Input<'_>| {
            let start = run::symbol(input)?;
            spans[slot - first] = Span { start, len: 0 };
            Ok(())
        };
        return each(bytes, items, valid, put);
    }
    let put = |slot: usize, input: &mut Input<'_>| {
        let len = input.length()?;
        let start = input.position();
        input.take(len)?;
        spans[slot - first] = Span { start, len };
        Ok(())
    };
    each(bytes, items, valid, put)
}

/// Puts what was noted into the column, in the order of the items.
#[inline(never)]
fn put_noted(
    plan: &Plan,
    column: &mut Column,
    leaf: Leaf,
    spans: &[Span],
    bytes: &[u8],
) -> Result<(), NotRight> {
    match leaf.op {
        Op::Bytes { .. } => {
            let Column { offsets, data, .. } = column;
            let before = offsets.len();
            offsets.resize(before + spans.len() * 4, 0);
            let (ends, _) = offsets[before..].as_chunks_mut::<4>();
            let room: usize = spans.iter().map(|span| span.len).sum();
            append::<NotRight>(data, room, |values| {
                for (span, end) in spans.iter().zip(ends) {
                    values.push(Wide::new(&bytes[span.start..], span.len));
                    *end = values.end();
                }
                Ok(())
            })?;
        }
        Op::Enum { symbols, .. } => {
            let symbols = &plan.symbols[symbols as usize];
            let first = column.valid.len().wrapping_sub(spans.len());
            for (index, span) in spans.iter().enumerate() {
                if leaf.null.is_some() && column.valid[first + index] == 0 {
                    column.push_bytes(&[])?;
                    continue;
                }
                symbols.get(span.start).ok_or(NotRight)?.push(column)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Reads the end of lists whose last item was read: one that comes in several blocks is left to
/// [`run`].
#[inline(never)]
fn end(item_bytes: u32, bytes: &[u8], items: &mut [Cursor]) -> Result<(), NotRight> {
    for item in items {
        if item.read(bytes, |input| input.block(item_bytes))?.is_some() {
            return Err(NotRight);
        }
    }
    Ok(())
}

/// Records go on where their lists ended.
fn go_on(items: &[Cursor], records: &[usize], cursors: &mut [Cursor]) {
    for (item, record) in items.iter().zip(records) {
        cursors[*record].position = item.position;
    }
}

//! Lists of plain values, item by item: the first items of all records of a block, then the
//! second ones, each written to where it will lie.

use super::{Cursor, Leaf, NotRight, Slots, each, fixed_width, prepare};
use weir_guest::columns::{Column, Wide, append};

use crate::{
    input::{Block, Input},
    plan::{Op, Plan},
    run,
};

/// A list goes item by item when its items are this many times more than the longest list
/// of the block has.
const LANES_LEAST: usize = 8;

/// Room that blocks use one after the other.
#[derive(Default)]
pub(crate) struct Scratch {
    /// The next item of each list that has one left.
    items: Vec<Cursor>,
    /// Of the same list, at the same index.
    lists: Vec<List>,
    /// The records whose list has no items, and where they go on.
    empty: Vec<(usize, usize)>,
    /// For each operation of an item, what is put into a column once all items are there.
    spans: Vec<Vec<Span>>,
}

/// A list that is being decoded.
#[derive(Clone, Copy)]
struct List {
    /// Index of its record in the block.
    record: usize,
    /// Items from the current one on.
    left: usize,
    /// Where the last of them has to end, if the list says so.
    end: Option<usize>,
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
    let column = column as usize;
    let first = columns[column].items();
    let heads = heads(item_bytes, first, scratch, bytes, cursors)?;
    if heads.items < heads.longest * LANES_LEAST {
        return Ok(false);
    }
    let total = heads.items;
    let Scratch {
        items,
        lists,
        spans,
        empty,
    } = scratch;
    for (record, position) in empty {
        cursors[*record].position = *position;
    }
    push_lists(&mut columns[column], cursors.len(), lists)?;
    spans.resize_with(leaves.len().max(spans.len()), Vec::new);
    for (leaf, spans) in leaves.iter().zip(&mut *spans) {
        prepare(columns, *leaf, total);
        spans.clear();
        if leaf.width().is_none() {
            spans.resize(total, Span::default());
        }
    }
    while !items.is_empty() {
        for (leaf, spans) in leaves.iter().zip(&mut *spans) {
            let column = &mut columns[leaf.column];
            match leaf.width() {
                Some(_) => fixed_width(*leaf, column, bytes, items, Slots::Apart)?,
                None => note(*leaf, column, first, spans, bytes, items)?,
            }
        }
        next_items(bytes, item_bytes, items, lists, cursors)?;
    }
    for (leaf, spans) in leaves.iter().zip(&*spans) {
        put_noted(plan, &mut columns[leaf.column], *leaf, spans, bytes)?;
    }
    Ok(true)
}

/// What the lists of a block have together.
#[derive(Default)]
struct Heads {
    items: usize,
    longest: usize,
}

/// Reads the number of items of each list into `scratch`. The first item of all gets the
/// slot `first`.
#[inline(never)]
fn heads(
    item_bytes: u32,
    first: usize,
    scratch: &mut Scratch,
    bytes: &[u8],
    cursors: &[Cursor],
) -> Result<Heads, NotRight> {
    let Scratch {
        items,
        lists,
        empty,
        ..
    } = scratch;
    items.clear();
    lists.clear();
    empty.clear();
    let mut heads = Heads::default();
    for (record, cursor) in cursors.iter().enumerate() {
        let mut item = *cursor;
        match item.read(bytes, |input| input.block(item_bytes))? {
            Some(block) => {
                item.slot = first + heads.items;
                items.push(item);
                lists.push(List {
                    record,
                    left: block.count,
                    end: block.end,
                });
                heads.items += block.count;
                heads.longest = heads.longest.max(block.count);
            }
            None => empty.push((record, item.position)),
        }
    }
    Ok(heads)
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

/// The offsets of all records' lists; those that are not among `lists` are empty.
#[inline(never)]
fn push_lists(column: &mut Column, records: usize, lists: &[List]) -> Result<(), NotRight> {
    let mut lists = lists.iter().peekable();
    for record in 0..records {
        let list = lists.next_if(|list| list.record == record);
        column.push_list(list.map_or(0, |list| list.left))?;
    }
    Ok(())
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

/// Goes on to the next item of each list. A list that is through has to end there: one that
/// comes in several blocks is left to [`run`].
#[inline(never)]
fn next_items(
    bytes: &[u8],
    item_bytes: u32,
    items: &mut Vec<Cursor>,
    lists: &mut Vec<List>,
    cursors: &mut [Cursor],
) -> Result<(), NotRight> {
    let mut kept = 0;
    for at in 0..items.len() {
        let (mut item, mut list) = (items[at], lists[at]);
        list.left -= 1;
        if list.left > 0 {
            item.slot += 1;
            items[kept] = item;
            lists[kept] = list;
            kept += 1;
            continue;
        }
        let more = item.read(bytes, |input| {
            let block = Block {
                count: 0,
                end: list.end,
            };
            block.check(input)?;
            input.block(item_bytes)
        })?;
        if more.is_some() {
            return Err(NotRight);
        }
        cursors[list.record].position = item.position;
    }
    items.truncate(kept);
    lists.truncate(kept);
    Ok(())
}

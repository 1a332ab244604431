//! Strings, byte strings, and the symbols of enums.

use weir_guest::columns::{Column, SHORT, Wide, append};

use super::{Cursor, Leaf, NotRight, is_null, present};
use crate::{
    input::{Fault, Input},
    plan::Symbols,
    run,
};

/// Strings or byte strings, in the order of their slots.
pub(super) fn strings(
    leaf: Leaf,
    column: &mut Column,
    bytes: &[u8],
    cursors: &mut [Cursor],
) -> Result<(), NotRight> {
    let (Some(first), Some(last)) = (cursors.first(), cursors.last()) else {
        return Ok(());
    };
    // All records of the block lie between these two, so this is enough for any of their
    // fields. What it adds up to is bounded by the columns' offsets.
    let room = last.end - first.position;
    let Column {
        valid,
        offsets,
        data,
        ..
    } = column;
    let ends = ends(offsets, cursors.len());
    match leaf.null {
        None => required(bytes, cursors, room, ends, data),
        Some(null) => {
            let valid = &mut valid[first.slot..];
            optional(bytes, cursors, room, null, valid, ends, data)
        }
    }
}

/// The places of so many more ends.
fn ends(offsets: &mut Vec<u8>, count: usize) -> &mut [[u8; 4]] {
    let before = offsets.len();
    offsets.resize(before + count * 4, 0);
    offsets[before..].as_chunks_mut().0
}

#[inline(never)]
fn required(
    bytes: &[u8],
    cursors: &mut [Cursor],
    room: usize,
    ends: &mut [[u8; 4]],
    data: &mut Vec<u8>,
) -> Result<(), NotRight> {
    append(data, room, |values| {
        for (cursor, end) in cursors.iter_mut().zip(ends) {
            values.push(cursor.read(bytes, value)?);
            *end = values.end();
        }
        Ok(())
    })
}

#[inline(never)]
fn optional(
    bytes: &[u8],
    cursors: &mut [Cursor],
    room: usize,
    null: i64,
    valid: &mut [u8],
    ends: &mut [[u8; 4]],
    data: &mut Vec<u8>,
) -> Result<(), NotRight> {
    append(data, room, |values| {
        for ((cursor, end), valid) in cursors.iter_mut().zip(ends).zip(valid) {
            if let Some((value, present)) = at_once(bytes, cursor, null) {
                values.push(value);
                *valid = present;
            } else {
                cursor.read(bytes, |input| {
                    if !is_null(input, null)? {
                        *valid = 1;
                        values.push(value(input)?);
                    }
                    Ok(())
                })?;
            }
            *end = values.end();
        }
        Ok(())
    })
}

#[inline(always)]
fn value<'a>(input: &mut Input<'a>) -> Result<Wide<'a>, Fault> {
    let length = input.length()?;
    Ok(input.take_wide(length))
}

/// Reads a short value or null without a branch on which it is, as a processor cannot foresee
/// that: null is taken for an empty one. `None`, with nothing read, where that does not do.
#[inline(always)]
fn at_once<'a>(bytes: &'a [u8], cursor: &mut Cursor, null: i64) -> Option<(Wide<'a>, u8)> {
    let rest: &[u8; 2 + SHORT] = bytes.get(cursor.position..)?.first_chunk()?;
    let [branch, length, value @ ..] = rest;
    let present = present(*branch, null)?;
    let length = length & present.wrapping_neg();
    let short = length % 2 == 0 && usize::from(length) <= 2 * SHORT;
    let length = usize::from(length / 2);
    let position = cursor.position + 1 + usize::from(present) + length;
    (short && position <= cursor.end).then(|| {
        cursor.position = position;
        (Wide::short(value, length), present)
    })
}

/// Symbols of an enum, in the order of their slots.
#[inline(never)]
pub(super) fn enums(
    symbols: &Symbols,
    leaf: Leaf,
    column: &mut Column,
    bytes: &[u8],
    cursors: &mut [Cursor],
) -> Result<(), NotRight> {
    let Column {
        valid,
        offsets,
        data,
        ..
    } = column;
    let ends = ends(offsets, cursors.len());
    append(data, cursors.len() * symbols.longest(), |values| {
        for (cursor, end) in cursors.iter_mut().zip(ends) {
            let slot = cursor.slot;
            cursor.read(bytes, |input| {
                if let Some(null) = leaf.null {
                    if is_null(input, null)? {
                        return Ok(());
                    }
                    valid[slot] = 1;
                }
                let symbol = symbols.get(run::symbol(input)?);
                values.push(symbol.ok_or(Fault::EnumIndex)?.wide());
                Ok(())
            })?;
            *end = values.end();
        }
        Ok(())
    })
}

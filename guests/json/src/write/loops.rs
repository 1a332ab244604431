//! The loops over a column's values, each by itself: Cranelift keeps what a loop needs in
//! registers only where little else is in the same function.

use std::cell::Cell;

use weir_guest::arrays::{Bits, Integers, NumberFault, Scale, Validity, Variable};
use weir_guest::lanes::{Lane, Literal, signed, unsigned};

use super::float::{self, Places};
use super::text;

/// Writes what comes before each value, and the value.
#[inline(always)]
fn each(
    before: &Literal,
    lanes: &mut [Lane],
    out: &mut [u8],
    mut write: impl FnMut(&mut Lane, &mut [u8]),
) {
    for lane in lanes {
        before.put(lane, out);
        write(lane, out);
    }
}

/// As [`each`], up to a value that cannot be written.
#[inline(always)]
fn each_or<E>(
    before: &Literal,
    lanes: &mut [Lane],
    out: &mut [u8],
    mut write: impl FnMut(&mut Lane, &mut [u8]) -> Result<(), E>,
) -> Result<(), E> {
    for lane in lanes {
        before.put(lane, out);
        write(lane, out)?;
    }
    Ok(())
}

#[inline(never)]
pub(super) fn before(before: &Literal, lanes: &mut [Lane], out: &mut [u8]) {
    each(before, lanes, out, |_, _| {});
}

/// Writes what takes the place of nulls, and copies the lanes of the other values, whose number is
/// returned. There is no branch, since nobody knows where the next null is.
#[inline(never)]
pub(super) fn nullable(
    absent: &Literal,
    validity: Validity<'_>,
    lanes: &mut [Lane],
    out: &mut [u8],
    there: &mut [Lane],
    places: &mut [usize],
) -> usize {
    let mut count = 0;
    for (place, lane) in lanes.iter_mut().enumerate() {
        let is_valid = validity.is_valid(lane.index);
        there[count] = *lane;
        places[count] = place;
        count += usize::from(is_valid);
        let at = lane.at;
        absent.put(lane, out);
        lane.at = if is_valid { at } else { lane.at };
    }
    count
}

/// Where the values that are there ended.
#[inline(never)]
pub(super) fn bring_back(there: &[Lane], places: &[usize], lanes: &mut [Lane]) {
    for (lane, place) in there.iter().zip(places) {
        lanes[*place].at = lane.at;
    }
}

#[inline(never)]
pub(super) fn nulls(before: &Literal, lanes: &mut [Lane], out: &mut [u8]) {
    each(before, lanes, out, |lane, out| lane.put(out, b"null", 4));
}

#[inline(never)]
pub(super) fn booleans(before: &Literal, bits: Bits<'_>, lanes: &mut [Lane], out: &mut [u8]) {
    each(before, lanes, out, |lane, out| {
        let value = bits.get(lane.index);
        let text = if value { b"true    " } else { b"false   " };
        lane.put(out, text, 5 - usize::from(value));
    });
}

/// Whole numbers as they are.
pub(super) fn integers(
    before: &Literal,
    values: Integers<'_>,
    lanes: &mut [Lane],
    out: &mut [u8],
) {
    match values {
        Integers::I8(all) => numbers(before, all, |value| i8::from_le_bytes(value).into(), lanes, out),
        Integers::I16(all) => numbers(before, all, |value| i16::from_le_bytes(value).into(), lanes, out),
        Integers::I32(all) => numbers(before, all, |value| i32::from_le_bytes(value).into(), lanes, out),
        Integers::I64(all) => numbers(before, all, i64::from_le_bytes, lanes, out),
        Integers::U8(all) => numbers(before, all, |value| u8::from_le_bytes(value).into(), lanes, out),
        Integers::U16(all) => numbers(before, all, |value| u16::from_le_bytes(value).into(), lanes, out),
        Integers::U32(all) => numbers(before, all, |value| u32::from_le_bytes(value).into(), lanes, out),
        Integers::U64(all) => longs(before, all, lanes, out),
    }
}

#[inline(never)]
fn numbers<const N: usize>(
    before: &Literal,
    values: &[[u8; N]],
    value: impl Fn([u8; N]) -> i64,
    lanes: &mut [Lane],
    out: &mut [u8],
) {
    each(before, lanes, out, |lane, out| {
        signed(lane, out, value(values[lane.index]));
    });
}

#[inline(never)]
fn longs(before: &Literal, values: &[[u8; 8]], lanes: &mut [Lane], out: &mut [u8]) {
    each(before, lanes, out, |lane, out| {
        unsigned(lane, out, u64::from_le_bytes(values[lane.index]));
    });
}

#[inline(never)]
pub(super) fn scaled(
    before: &Literal,
    values: Integers<'_>,
    scale: Scale,
    lanes: &mut [Lane],
    out: &mut [u8],
) -> Result<(), NumberFault> {
    each_or(before, lanes, out, |lane, out| {
        signed(lane, out, scale.get(values, lane.index)?);
        Ok(())
    })
}

/// `None` if one is no number.
#[inline(never)]
pub(super) fn singles(
    before: &Literal,
    value: impl Fn(usize) -> f32,
    lanes: &mut [Lane],
    out: &mut [u8],
) -> Option<()> {
    let written = each_or(before, lanes, out, |lane, out| {
        float::single(lane, out, value(lane.index)).ok_or(())
    });
    written.ok()
}

/// `None` if one is no number.
#[inline(never)]
pub(super) fn doubles(
    before: &Literal,
    values: &[[u8; 8]],
    places: &Cell<Places>,
    lanes: &mut [Lane],
    out: &mut [u8],
) -> Option<()> {
    let written = each_or(before, lanes, out, |lane, out| {
        let value = f64::from_le_bytes(values[lane.index]);
        float::double(lane, out, value, places).ok_or(())
    });
    written.ok()
}

/// Texts in which nothing has to be escaped.
#[inline(never)]
pub(super) fn clean(before: &Literal, values: Variable<'_>, lanes: &mut [Lane], out: &mut [u8]) {
    each(before, lanes, out, |lane, out| {
        let (bytes, span) = values.value(lane.index);
        lane.put_range(out, bytes, span);
        lane.put(out, b"\"", 1);
    });
}

#[inline(never)]
pub(super) fn escaped(before: &Literal, values: Variable<'_>, lanes: &mut [Lane], out: &mut [u8]) {
    each(before, lanes, out, |lane, out| {
        text::escaped(lane, out, values.get(lane.index));
        lane.put(out, b"\"", 1);
    });
}

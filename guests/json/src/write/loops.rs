//! The loops over a column's values, each by itself: Cranelift keeps what a loop needs in
//! registers only where little else is in the same function.

use std::cell::Cell;

use weir_guest::arrays::{Bits, Integers, NumberFault, Scale, Validity, Variable};
use weir_guest::lanes::{Lane, Literal, Short, signed, unsigned};

use super::float::{self, Places};
use super::text;

/// Writes what comes before each value, and the value. A lane is copied and written back, so that
/// it is in registers meanwhile.
#[inline(always)]
fn each(
    before: Short,
    lanes: &mut [Lane],
    out: &mut [u8],
    mut write: impl FnMut(&mut Lane, &mut [u8]),
) {
    up_to(before, lanes, out, |lane, out| {
        write(lane, out);
        true
    });
}

/// As [`each`], up to a value that cannot be written.
#[inline(always)]
fn each_or<E>(
    before: Short,
    lanes: &mut [Lane],
    out: &mut [u8],
    mut write: impl FnMut(&mut Lane, &mut [u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut failed = Ok(());
    up_to(before, lanes, out, |lane, out| {
        failed = write(lane, out);
        failed.is_ok()
    });
    failed
}

/// As [`each`], up to a value that is not written here; says how many were.
#[inline(always)]
fn up_to(
    before: Short,
    lanes: &mut [Lane],
    out: &mut [u8],
    mut write: impl FnMut(&mut Lane, &mut [u8]) -> bool,
) -> usize {
    for (at, lane) in lanes.iter_mut().enumerate() {
        let mut now = *lane;
        before.put(&mut now, out);
        if !write(&mut now, out) {
            return at;
        }
        *lane = now;
    }
    lanes.len()
}

/// Writes what comes before each value, be it long.
#[inline(never)]
pub(super) fn before(before: &Literal, lanes: &mut [Lane], out: &mut [u8]) {
    for lane in lanes {
        before.put(lane, out);
    }
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
pub(super) fn nulls(before: Short, lanes: &mut [Lane], out: &mut [u8]) {
    each(before, lanes, out, |lane, out| lane.put(out, b"null", 4));
}

#[inline(never)]
pub(super) fn booleans(before: Short, bits: Bits<'_>, lanes: &mut [Lane], out: &mut [u8]) {
    for lane in lanes {
        let value = bits.get(lane.index);
        lane.with_room(out, |room| {
            before.put_in(room);
            let text = if value { b"true    " } else { b"false   " };
            room.put(text, 5 - usize::from(value));
        });
    }
}

/// Whole numbers as they are.
pub(super) fn integers(before: Short, values: Integers<'_>, lanes: &mut [Lane], out: &mut [u8]) {
    match values {
        Integers::I8(all) => numbers(
            before,
            all,
            |value| i8::from_le_bytes(value).into(),
            lanes,
            out,
        ),
        Integers::I16(all) => numbers(
            before,
            all,
            |value| i16::from_le_bytes(value).into(),
            lanes,
            out,
        ),
        Integers::I32(all) => numbers(
            before,
            all,
            |value| i32::from_le_bytes(value).into(),
            lanes,
            out,
        ),
        Integers::I64(all) => numbers(before, all, i64::from_le_bytes, lanes, out),
        Integers::U8(all) => numbers(
            before,
            all,
            |value| u8::from_le_bytes(value).into(),
            lanes,
            out,
        ),
        Integers::U16(all) => numbers(
            before,
            all,
            |value| u16::from_le_bytes(value).into(),
            lanes,
            out,
        ),
        Integers::U32(all) => numbers(
            before,
            all,
            |value| u32::from_le_bytes(value).into(),
            lanes,
            out,
        ),
        Integers::U64(all) => longs(before, all, lanes, out),
    }
}

#[inline(never)]
fn numbers<const N: usize>(
    before: Short,
    values: &[[u8; N]],
    value: impl Fn([u8; N]) -> i64,
    lanes: &mut [Lane],
    out: &mut [u8],
) {
    for lane in lanes {
        let value = value(values[lane.index]);
        lane.with_room(out, |room| {
            before.put_in(room);
            signed(room, value);
        });
    }
}

#[inline(never)]
fn longs(before: Short, values: &[[u8; 8]], lanes: &mut [Lane], out: &mut [u8]) {
    for lane in lanes {
        let value = u64::from_le_bytes(values[lane.index]);
        lane.with_room(out, |room| {
            before.put_in(room);
            unsigned(room, value);
        });
    }
}

#[inline(never)]
pub(super) fn scaled(
    before: Short,
    values: Integers<'_>,
    scale: Scale,
    lanes: &mut [Lane],
    out: &mut [u8],
) -> Result<(), NumberFault> {
    for lane in lanes {
        let value = scale.get(values, lane.index)?;
        lane.with_room(out, |room| {
            before.put_in(room);
            signed(room, value);
        });
    }
    Ok(())
}

/// `None` if one is no number.
#[inline(never)]
pub(super) fn singles(
    before: Short,
    value: impl Fn(usize) -> f32,
    lanes: &mut [Lane],
    out: &mut [u8],
) -> Option<()> {
    let written = each_or(before, lanes, out, |lane, out| {
        float::single(lane, out, value(lane.index)).ok_or(())
    });
    written.ok()
}

/// `None` if one is no number. Numbers of few digits and of many have a loop each, without any
/// call, and there is a third way for what is neither.
pub(super) fn doubles(
    before: Short,
    values: &[[u8; 8]],
    places: &Cell<Places>,
    lanes: &mut [Lane],
    out: &mut [u8],
) -> Option<()> {
    let mut rest = lanes;
    loop {
        let done = if places.get().are_few() {
            few_digits(before, values, places.get(), rest, out)
        } else {
            many_digits(before, values, rest, out)
        };
        let Some((lane, behind)) = rest[done..].split_first_mut() else {
            return Some(());
        };
        rest = behind;
        let value = f64::from_le_bytes(values[lane.index]);
        before.put(lane, out);
        let start = lane.at;
        if !lane.with_room(out, |room| float::full(room, value)) {
            lane.at = start;
            float::any(lane, out, value)?;
        }
        places.set(Places::after(&out[start..lane.at]));
    }
}

/// Writes values up to the first of more digits or places, and says how many.
#[inline(never)]
fn few_digits(
    before: Short,
    values: &[[u8; 8]],
    places: Places,
    lanes: &mut [Lane],
    out: &mut [u8],
) -> usize {
    for (at, lane) in lanes.iter_mut().enumerate() {
        let value = f64::from_le_bytes(values[lane.index]);
        let mut now = *lane;
        let is_short = now.with_room(out, |room| {
            before.put_in(room);
            float::short(room, value, places)
        });
        if !is_short {
            return at;
        }
        *lane = now;
    }
    lanes.len()
}

/// Writes values up to the first that has few digits, or an exponent, and says how many.
#[inline(never)]
fn many_digits(before: Short, values: &[[u8; 8]], lanes: &mut [Lane], out: &mut [u8]) -> usize {
    /// Texts of fewer characters are worth trying to write otherwise.
    const MANY: usize = 9;
    up_to(before, lanes, out, |lane, out| {
        let value = f64::from_le_bytes(values[lane.index]);
        lane.with_room(out, |room| {
            float::full(room, value) && room.written() >= MANY
        })
    })
}

/// Texts in which nothing has to be escaped. Only for the last of a batch is a call needed.
pub(super) fn clean(before: Short, values: Variable<'_>, lanes: &mut [Lane], out: &mut [u8]) {
    let mut rest = lanes;
    loop {
        let done = wide(before, values, rest, out);
        let Some((lane, behind)) = rest[done..].split_first_mut() else {
            return;
        };
        rest = behind;
        before.put(lane, out);
        lane.put_slice(out, values.get(lane.index));
        lane.put(out, b"\"", 1);
    }
}

/// Writes texts up to the first behind which too little lies, and says how many.
#[inline(never)]
fn wide(before: Short, values: Variable<'_>, lanes: &mut [Lane], out: &mut [u8]) -> usize {
    up_to(before, lanes, out, |lane, out| {
        let (bytes, span) = values.value(lane.index);
        let written = lane.put_wide(out, bytes, span);
        lane.put(out, b"\"", 1);
        written
    })
}

#[inline(never)]
pub(super) fn escaped(before: Short, values: Variable<'_>, lanes: &mut [Lane], out: &mut [u8]) {
    each(before, lanes, out, |lane, out| {
        text::escaped(lane, out, values.get(lane.index));
        lane.put(out, b"\"", 1);
    });
}

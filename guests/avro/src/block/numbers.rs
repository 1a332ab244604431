//! Values of known width.

use weir_guest::columns::Column;

use super::{Cursor, Leaf, NotRight, each, is_null, present};
use crate::{
    input::{Fault, Input, varint_of, zig_zag},
    plan::Op,
    run,
};

/// A number as Avro writes it, and as a column has it.
trait Number<const N: usize>: Sized {
    fn read(input: &mut Input<'_>) -> Result<Self, Fault>;

    /// The number that a little-endian word begins with, and its bytes; `None` where the word does
    /// not tell.
    fn of(word: u64) -> Option<(Self, usize)>;

    fn bytes(self) -> [u8; N];
}

macro_rules! number {
    ($number:ty, $width:literal, |$input:ident| $read:expr, |$word:ident| $of:expr) => {
        impl Number<$width> for $number {
            #[inline(always)]
            fn read($input: &mut Input<'_>) -> Result<Self, Fault> {
                $read
            }

            #[inline(always)]
            fn of($word: u64) -> Option<(Self, usize)> {
                $of
            }

            #[inline(always)]
            fn bytes(self) -> [u8; $width] {
                self.to_le_bytes()
            }
        }
    };
}

number!(u8, 1, |input| run::boolean(input), |word| {
    let [byte, ..] = word.to_le_bytes();
    (byte <= 1).then_some((byte, 1))
});
number!(i32, 4, |input| input.int(), |word| {
    let (raw, length) = varint_of(word)?;
    Some((i32::try_from(zig_zag(raw)).ok()?, length))
});
number!(i64, 8, |input| input.long(), |word| {
    let (raw, length) = varint_of(word)?;
    Some((zig_zag(raw), length))
});
number!(
    u32,
    4,
    |input| input.array().map(u32::from_le_bytes),
    |word| {
        let [a, b, c, d, ..] = word.to_le_bytes();
        Some((u32::from_le_bytes([a, b, c, d]), 4))
    }
);
number!(
    u64,
    8,
    |input| input.array().map(u64::from_le_bytes),
    |word| Some((word, 8))
);

/// How the slots of cursors lie.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Slots {
    /// One after the other: the cursors are those of records.
    Adjoining,
    /// Anyhow: the cursors are those of items.
    Apart,
}

/// Decodes one value of known width at each cursor, to its slot.
pub(super) fn fixed_width(
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
        if let Some((value, present)) = at_once::<N, T>(bytes, cursor, null) {
            *slot = value;
            *valid = present;
            continue;
        }
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

/// Reads a value or null without a branch on which it is, as a processor cannot foresee that: null
/// is taken for a zero of no bytes. `None`, with nothing read, where that does not do.
#[inline(always)]
fn at_once<const N: usize, T: Number<N>>(
    bytes: &[u8],
    cursor: &mut Cursor,
    null: i64,
) -> Option<([u8; N], u8)> {
    let [branch, ahead @ ..] = bytes.get(cursor.position..)?.first_chunk::<9>()?;
    let present = present(*branch, null)?;
    let word = u64::from_le_bytes(*ahead) & u64::from(present).wrapping_neg();
    let (value, length) = T::of(word)?;
    let position = cursor.position + 1 + length * usize::from(present);
    (position <= cursor.end).then(|| {
        cursor.position = position;
        (value.bytes(), present)
    })
}

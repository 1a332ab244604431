//! Whole numbers as decimal digits, eight at a time within a word (the steps by 10,000, 100 and 10
//! are Xiang JunBo's), so that there is no branch for each digit.

use super::Room;

/// Bytes that [`unsigned`] takes at most.
pub const UNSIGNED: usize = 20;
/// Bytes that [`signed`] takes at most.
pub const SIGNED: usize = 20;

const EIGHT: u64 = 100_000_000;
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The digits of a number below 10^8, as numbers, the first in the lowest byte.
#[inline(always)]
#[must_use]
pub fn eight_digits(value: u64) -> u64 {
    // Each step divides what lies in each part of the word, and leaves the quotient in the lower
    // half of the part and the remainder in the upper one.
    let fours = (value << 32).wrapping_sub(((10_000 << 32) - 1) * ((value * 109_951_163) >> 40));
    let twos =
        (fours << 16).wrapping_sub(((100 << 16) - 1) * (((fours * 5_243) >> 19) & 0x7f_0000_007f));
    (twos << 8).wrapping_sub(((10 << 8) - 1) * (((twos * 103) >> 10) & 0x000f_000f_000f_000f))
}

/// Digits as text.
#[inline(always)]
#[must_use]
pub fn decimal_digits(digits: u64) -> [u8; 8] {
    (digits | ZEROS).to_le_bytes()
}

/// A whole number.
#[inline(always)]
pub fn unsigned(room: &mut Room<'_>, value: u64) {
    if value < EIGHT {
        first(room, value);
    } else {
        long(room, value);
    }
}

/// A whole number.
#[inline(always)]
pub fn signed(room: &mut Room<'_>, value: i64) {
    if value < 0 {
        room.put(b"-", 1);
    }
    unsigned(room, value.unsigned_abs());
}

/// Below 10^8, without zeros before it.
#[inline(always)]
fn first(room: &mut Room<'_>, value: u64) {
    let digits = eight_digits(value);
    // 0 has one digit too.
    let zeros = (digits | 1 << 56).trailing_zeros() & 0x38;
    let text = (digits | ZEROS) >> zeros;
    room.put(&text.to_le_bytes(), 8 - (zeros / 8) as usize);
}

#[inline(always)]
fn long(room: &mut Room<'_>, value: u64) {
    let (high, low) = (value / EIGHT, value % EIGHT);
    if high < EIGHT {
        first(room, high);
    } else {
        first(room, high / EIGHT);
        room.put(&decimal_digits(eight_digits(high % EIGHT)), 8);
    }
    room.put(&decimal_digits(eight_digits(low)), 8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::{Lane, SLACK};

    #[test]
    fn numbers_of_any_length() {
        let mut all = vec![i64::MIN, i64::MAX, 0, -1];
        for digits in 0..19 {
            let ten = 10_i64.pow(digits);
            all.extend([
                ten,
                ten - 1,
                ten + 1,
                -ten,
                ten / 9 * 7,
                ten.saturating_mul(9),
            ]);
        }
        for value in all {
            let mut out = [0; SLACK];
            let mut lane = Lane::default();
            lane.with_room(&mut out, |room| signed(room, value));
            assert_eq!(out[..lane.at], *value.to_string().as_bytes());
        }
        for value in [u64::MAX, 1 << 63, 10_u64.pow(19)] {
            let mut out = [0; SLACK];
            let mut lane = Lane::default();
            lane.with_room(&mut out, |room| unsigned(room, value));
            assert_eq!(out[..lane.at], *value.to_string().as_bytes());
        }
        for value in (0..100_000_000_u64).step_by(7_919) {
            let expected = format!("{value:08}");
            assert_eq!(decimal_digits(eight_digits(value)), *expected.as_bytes());
        }
    }
}

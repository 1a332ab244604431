//! Floating-point numbers as the shortest text that is read as the same number.

use std::cell::Cell;

use weir_guest::lanes::{Lane, decimal_digits, eight_digits};

/// How many places behind the point the numbers of a column seem to have; `None` where they have
/// all their digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places(Option<usize>);

impl Default for Places {
    fn default() -> Self {
        Self(Some(2))
    }
}

/// Places that are tried: with more, small numbers would have an exponent.
const PLACES: usize = 5;
const TENS: [f64; PLACES + 1] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5];
/// Characters of numbers that have few digits.
const SHORT: usize = 8;
/// From here on, up to twice as much, a number's bits are those of a whole number.
const WHOLE: f64 = 4_503_599_627_370_496.0;

/// Writes a number; `None` for what is none, such as NaN.
#[inline(always)]
pub(super) fn double(
    lane: &mut Lane,
    out: &mut [u8],
    value: f64,
    places: &Cell<Places>,
) -> Option<()> {
    if let Some(tried) = places.get().0
        && short(lane, out, value, tried)
    {
        return Some(());
    }
    long(lane, out, value, places)
}

/// As [`double`].
pub(super) fn single(lane: &mut Lane, out: &mut [u8], value: f32) -> Option<()> {
    value.is_finite().then(|| {
        let mut buffer = zmij::Buffer::new();
        lane.put_slice(out, buffer.format_finite(value).as_bytes());
    })
}

#[inline(never)]
fn long(lane: &mut Lane, out: &mut [u8], value: f64, places: &Cell<Places>) -> Option<()> {
    if !value.is_finite() {
        return None;
    }
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value).as_bytes();
    lane.put_slice(out, text);
    let mut found = None;
    if text.len() <= SHORT
        && let Some(point) = text.iter().position(|byte| *byte == b'.')
    {
        found = Some(text.len() - point - 1).filter(|found| *found <= PLACES);
    }
    places.set(Places(found));
    Some(())
}

/// Writes a number of up to eight digits, so many of them behind the point, if it is one.
///
/// A double holds every decimal of up to 15 digits apart from all others: so a decimal of so few
/// digits that is read as this number is the shortest one, and what is read is the nearest to the
/// quotient of two numbers that are exact, which is what a division gives.
#[inline(always)]
fn short(lane: &mut Lane, out: &mut [u8], value: f64, places: usize) -> bool {
    const FRACTION: u64 = (1 << 52) - 1;
    let magnitude = value.abs();
    let Some(ten) = TENS.get(places) else {
        return false;
    };
    let scaled = magnitude * ten;
    // To the nearest whole number; what is not below 10^8, such as NaN, is none of eight digits.
    let shifted = scaled + WHOLE;
    if !(scaled < 99_999_999.0) || (shifted - WHOLE) / ten != magnitude {
        return false;
    }
    let digits = eight_digits(shifted.to_bits() & FRACTION);
    let bits = |digits: usize| u32::try_from(8 * digits).unwrap_or(0);
    lane.put(out, b"-", usize::from(value.is_sign_negative()));
    // The digit before the point stays, be it a zero.
    let zeros = (digits | 1 << bits(7 - places)).trailing_zeros() & 0x38;
    let whole = decimal_digits(digits);
    let whole = u64::from_le_bytes(whole) >> zeros;
    lane.put(out, &whole.to_le_bytes(), 8 - places - (zeros / 8) as usize);
    lane.put(out, b".", 1);
    // So does the one behind it.
    let fraction = digits >> bits(8 - places);
    let len = (71 - (fraction | 1).leading_zeros()) / 8;
    lane.put(out, &decimal_digits(fraction), len as usize);
    true
}

#[cfg(test)]
mod tests {
    use weir_guest::lanes::SLACK;

    use super::*;

    #[test]
    fn the_text_is_that_of_serde_json() {
        let mut random = weir_guest::random::Random::new(11);
        let places = Cell::default();
        let check = |value: f64| {
            let mut out = [0; 32 + SLACK];
            for places in (1..=PLACES).map(Some).chain([None]) {
                let places = Cell::new(Places(places));
                let mut lane = Lane::default();
                double(&mut lane, &mut out, value, &places).unwrap();
                let written = std::str::from_utf8(&out[..lane.at]).unwrap();
                assert_eq!(written, serde_json::to_string(&value).unwrap());
            }
            let mut lane = Lane::default();
            double(&mut lane, &mut out, value, &places).unwrap();
            let written = std::str::from_utf8(&out[..lane.at]).unwrap();
            assert_eq!(written, serde_json::to_string(&value).unwrap());
        };
        for value in [
            0.0, -0.0, 1.0, -1.0, 0.1, 0.3, 1e-5, 1e-6, 9.9e-6, 1e15, 1e16, 1e17, 1e300, 5e-324,
            f64::MAX, f64::MIN_POSITIVE, 999_999.99, 1_000_000.0, 99_999_998.0, 99_999_999.0,
            100_000_000.0, 9_999_999.9, 123_456.78, 0.000_01, 0.000_015, 1.005, 4_503_599_627_370_497.5,
        ] {
            check(value);
        }
        for _ in 0..100_000 {
            let value = f64::from_bits(random.next());
            if value.is_finite() {
                check(value);
            }
            let ten = TENS[random.below(6) as usize];
            let sign = if random.below(2) == 0 { 1.0 } else { -1.0 };
            check(sign * f64::from(random.below(1 << 28)) / ten);
            check(random.fraction());
            // Beside a short one.
            let near = f64::from(random.below(100_000)) / ten;
            check(near.next_up());
            check(near.next_down());
        }
    }

    #[test]
    fn a_column_says_how_many_places_it_has() {
        let places = Cell::default();
        let mut out = [0; 32 + SLACK];
        let mut after = |value| {
            double(&mut Lane::default(), &mut out, value, &places).unwrap();
            places.get().0
        };
        assert_eq!(after(1.25), Some(2));
        assert_eq!(after(1.0 / 3.0), None);
        assert_eq!(after(0.125), Some(3));
        assert_eq!(after(0.5), Some(3));
        assert_eq!(after(1e-7), None);
        assert_eq!(after(12.5), Some(1));
    }
}

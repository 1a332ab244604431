//! Floating-point numbers as the shortest text that is read as the same number.

use weir_guest::lanes::{Lane, Room, decimal_digits, eight_digits, unsigned};

/// How many places behind the point the numbers of a column seem to have; `None` where they have
/// all their digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
/// Bits behind the first one.
const FRACTION: u32 = 52;
const EIGHT: u64 = 100_000_000;

/// Powers of 5, and of 10 as far as they are needed.
const FIVES: [u64; 24] = powers(5);
const TEN: [u64; 17] = powers(10);

const fn powers<const N: usize>(base: u64) -> [u64; N] {
    let mut powers = [1; N];
    let mut at = 1;
    while at < N {
        powers[at] = powers[at - 1] * base;
        at += 1;
    }
    powers
}

impl Places {
    /// Whether [`short`] is worth trying.
    pub(super) fn are_few(self) -> bool {
        self.0.is_some()
    }

    /// What the text of a number says about the column.
    #[inline(always)]
    pub(super) fn after(text: &[u8]) -> Self {
        if text.len() > SHORT {
            return Self(None);
        }
        let point = text.iter().position(|byte| *byte == b'.');
        let found = point.map(|point| text.len() - point - 1);
        Self(found.filter(|found| *found <= PLACES))
    }
}

/// Writes a number; `None` for what is none, such as NaN.
pub(super) fn any(lane: &mut Lane, out: &mut [u8], value: f64) -> Option<()> {
    value.is_finite().then(|| {
        let mut buffer = zmij::Buffer::new();
        lane.put_slice(out, buffer.format_finite(value).as_bytes());
    })
}

/// As [`any`].
pub(super) fn single(lane: &mut Lane, out: &mut [u8], value: f32) -> Option<()> {
    value.is_finite().then(|| {
        let mut buffer = zmij::Buffer::new();
        lane.put_slice(out, buffer.format_finite(value).as_bytes());
    })
}

/// Writes a number of up to eight digits, with the places of its column, if it is one.
///
/// A double holds every decimal of up to 15 digits apart from all others: so a decimal of so few
/// digits that is read as this number is the shortest one, and what is read is the nearest to the
/// quotient of two numbers that are exact, which is what a division gives.
#[inline(always)]
pub(super) fn short(room: &mut Room<'_>, value: f64, places: Places) -> bool {
    let Places(Some(places)) = places else {
        return false;
    };
    let magnitude = value.abs();
    let Some(ten) = TENS.get(places) else {
        return false;
    };
    let scaled = magnitude * ten;
    // To the nearest whole number; what is not below 10^8, such as NaN, is none of eight digits.
    let shifted = scaled + WHOLE;
    if !(0.0..99_999_999.0).contains(&scaled) || (shifted - WHOLE) / ten != magnitude {
        return false;
    }
    let digits = eight_digits(shifted.to_bits() & ((1 << FRACTION) - 1));
    room.put(b"-", usize::from(value.is_sign_negative()));
    // The digit before the point stays, be it a zero.
    let zeros = (digits | 1 << bits(7 - places)).trailing_zeros() & 0x38;
    let whole = u64::from_le_bytes(decimal_digits(digits)) >> zeros;
    room.put(&whole.to_le_bytes(), 8 - places - (zeros / 8) as usize);
    room.put(b".", 1);
    // So does the one behind it.
    let fraction = digits >> bits(8 - places);
    room.put(&decimal_digits(fraction), significant(fraction | 1));
    true
}

/// Writes a number from 10^-5 to 2^52 with all the digits that it needs; `false`, and nothing that
/// counts, for others and for powers of 2, whose neighbour below is nearer.
///
/// The number is c 2^q. Written in units of 10^-k, for the least k in which its distance to its
/// neighbours is one or more and less than ten, it is c 5^k / 2^(-q-k): all of that is exact in
/// 128 bits, since 5^k is below 2^52 here. What is read as the number lies less than half that
/// distance away: among it, there is one multiple of ten at most, which is shorter than all
/// others, and if there is none, the nearest whole number is the one (R. Giulietti, The Schubfach
/// way to render doubles, 2020).
#[inline(always)]
pub(super) fn full(room: &mut Room<'_>, value: f64) -> bool {
    const BIAS: u32 = 1_075;
    /// log10(2) in 4,096ths, which is near enough for so few bits.
    const LOG: u32 = 1_233;
    let (number, magnitude) = (value.to_bits(), value.abs());
    let behind = number & ((1 << FRACTION) - 1);
    if !(1e-5..WHOLE).contains(&magnitude) || behind == 0 {
        return false;
    }
    // -q, from 1 to 69.
    let exponent = u32::try_from((number >> FRACTION) & 0x7ff).unwrap_or(0);
    let down = BIAS.wrapping_sub(exponent);
    let k = ((down * LOG) >> 12) + 1;
    let Some(five) = FIVES.get(k as usize) else {
        return false;
    };
    // Twice the number, so that half of the distance is whole.
    let doubled = (behind | 1 << FRACTION) << 1;
    let shift = down - k + 1;
    let (high, low) = multiply(doubled, *five);
    let rest = low & ((1 << shift) - 1);
    let floor = high << (64 - shift) | low >> shift;
    let unit = floor % 10;
    let even = 1 - (number & 1);
    let below = (unit << shift) + rest;
    let above = (10 << shift) - below;
    let half = 1 << (shift - 1);
    let nearest = floor + u64::from(rest + (floor & 1) > half);
    let decimal = if below < five + even {
        floor - unit
    } else if above < five + even {
        floor - unit + 10
    } else {
        nearest
    };
    room.put(b"-", usize::from(value.is_sign_negative()));
    if magnitude < 1.0 {
        // Its digits are 17 at most, and the first of them may be a zero.
        let (top, last) = (decimal / EIGHT, decimal % EIGHT);
        let (first, middle) = (top / EIGHT, top % EIGHT);
        let is_there = usize::from(first != 0);
        room.put(b"0.000000", (k as usize + 2).saturating_sub(16 + is_there));
        room.put(&[b'0' + low_byte(first)], is_there);
        sixteen(room, middle, last, 0);
    } else {
        let whole = (behind | 1 << FRACTION) >> down;
        let (Some(ten), Some(rest)) = (
            TEN.get(k as usize),
            TEN.get(16_usize.wrapping_sub(k as usize)),
        ) else {
            return false;
        };
        let fraction = (decimal - whole * ten) * rest;
        unsigned(room, whole);
        room.put(b".", 1);
        sixteen(room, fraction / EIGHT, fraction % EIGHT, 1);
    }
    true
}

/// Digits without the zeros at their end, but so many at least.
#[inline(always)]
fn sixteen(room: &mut Room<'_>, first: u64, last: u64, least: u64) {
    let (first, last) = (eight_digits(first), eight_digits(last));
    let mut both = [0; 16];
    both[..8].copy_from_slice(&decimal_digits(first));
    both[8..].copy_from_slice(&decimal_digits(last));
    let len = if last == 0 {
        significant(first | least)
    } else {
        8 + significant(last)
    };
    room.put(&both, len);
}

/// How many digits there are up to the last that is no zero.
#[inline(always)]
fn significant(digits: u64) -> usize {
    ((71 - digits.leading_zeros()) / 8) as usize
}

#[inline(always)]
fn bits(digits: usize) -> u32 {
    u32::try_from(8 * digits).unwrap_or(0)
}

#[inline(always)]
fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

/// The high and the low word of a product: `u128` is a call on WebAssembly.
#[inline(always)]
fn multiply(a: u64, b: u64) -> (u64, u64) {
    const LOW: u64 = 0xffff_ffff;
    let (a_high, a_low) = (a >> 32, a & LOW);
    let (b_high, b_low) = (b >> 32, b & LOW);
    let middle = a_high * b_low + ((a_low * b_low) >> 32);
    let other = a_low * b_high + (middle & LOW);
    let high = a_high * b_high + (middle >> 32) + (other >> 32);
    (high, a.wrapping_mul(b))
}

#[cfg(test)]
mod tests {
    use weir_guest::lanes::SLACK;

    use super::*;

    /// What the loops do.
    fn written(value: f64, places: Places) -> (String, Places) {
        let mut out = [0; 40 + SLACK];
        let mut lane = Lane::default();
        if lane.with_room(&mut out, |room| short(room, value, places)) {
            return (text(&out[..lane.at]), places);
        }
        if !lane.with_room(&mut out, |room| full(room, value)) {
            lane = Lane::default();
            any(&mut lane, &mut out, value).unwrap();
        }
        let written = &out[..lane.at];
        (text(written), Places::after(written))
    }

    fn text(bytes: &[u8]) -> String {
        std::str::from_utf8(bytes).unwrap().to_owned()
    }

    #[test]
    fn the_text_is_that_of_serde_json() {
        let mut random = weir_guest::random::Random::new(11);
        let check = |value: f64| {
            if !value.is_finite() {
                return;
            }
            for places in (1..=PLACES).map(Some).chain([None]) {
                let (written, _) = written(value, Places(places));
                assert_eq!(written, serde_json::to_string(&value).unwrap());
            }
        };
        for value in [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.1,
            0.3,
            1e-5,
            1e-6,
            9.9e-6,
            1e15,
            1e16,
            1e17,
            1e300,
            5e-324,
            f64::MAX,
            f64::MIN_POSITIVE,
            999_999.99,
            1_000_000.0,
            99_999_998.0,
            99_999_999.0,
            100_000_000.0,
            9_999_999.9,
            123_456.78,
            0.000_01,
            0.000_015,
            1.005,
            4_503_599_627_370_497.5,
            4_503_599_627_370_495.5,
            2_251_799_813_685_247.8,
            9_007_199_254_740_993.0,
            0.5,
            0.25,
            0.9999999999999999,
            1.0000000000000002,
            1.9999999999999998,
        ] {
            check(value);
            check(value.next_up());
            check(value.next_down());
        }
        for _ in 0..100_000 {
            check(f64::from_bits(random.next()));
            // As many of each power of 2 in the range that matters.
            let exponent = 1_000 + u64::from(random.below(85));
            check(f64::from_bits(
                random.next() >> 12 | exponent << 52 | random.next() & 1 << 63,
            ));
            let ten = TENS[random.below(6) as usize];
            let sign = if random.below(2) == 0 { 1.0 } else { -1.0 };
            check(sign * f64::from(random.below(1 << 28)) / ten);
            check(random.fraction());
            // Beside a short one, and decimals of any length.
            let near = f64::from(random.below(100_000)) / ten;
            check(near.next_up());
            check(near.next_down());
            let digits = 10_u64.pow(random.below(17));
            let text = format!("{}e-{}", random.next() % digits, random.below(20));
            check(text.parse().unwrap());
        }
    }

    #[test]
    fn a_column_says_how_many_places_it_has() {
        let mut places = Places::default();
        let mut after = |value| {
            places = written(value, places).1;
            places.0
        };
        assert_eq!(after(1.25), Some(2));
        assert_eq!(after(1.0 / 3.0), None);
        assert_eq!(after(0.125), Some(3));
        assert_eq!(after(0.5), Some(3));
        assert_eq!(after(1e-7), None);
        assert_eq!(after(12.5), Some(1));
    }
}

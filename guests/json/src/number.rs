//! Numbers, from their text and never through a float.

use crate::input::{Input, Read};

/// A number as it stands in the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number<'a> {
    /// The text, which is a number by JSON's grammar.
    pub(crate) text: &'a [u8],
    negative: bool,
    /// The digits as one integer; wrong when there are more than 19.
    digits: u64,
    /// How many there are, leading zeros included.
    count: usize,
    /// The number is `digits` times ten to this power.
    power: i32,
}

/// Why a number is not of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotExact {
    /// It has digits behind the last place of the type.
    Fine,
    /// It has too many digits before that.
    Large,
}

/// Digits that always fit in 64 bits.
const SAFE_DIGITS: usize = 19;
/// Digits that a 128-bit decimal holds.
pub(crate) const DIGITS: usize = 38;

impl<'a> Input<'a> {
    /// Takes a number, whose first byte is next.
    #[inline(always)]
    pub(crate) fn number(&mut self) -> Read<Number<'a>> {
        let bytes = self.rest();
        let negative = bytes.first() == Some(&b'-');
        let first = usize::from(negative);
        let (mut digits, mut at) = (0, first);
        take_digits(bytes, &mut at, &mut digits);
        let mut count = at - first;
        if count == 0 {
            self.advance(at);
            return Err(self.unexpected("a digit"));
        }
        if bytes[first] == b'0' && count > 1 {
            // JSON has no leading zeros: the number ends with the first.
            (digits, count, at) = (0, 1, first + 1);
        }
        let mut power = 0;
        if matches!(bytes.get(at), Some(b'.' | b'e' | b'E')) {
            if bytes[at] == b'.' {
                at += 1;
                let start = at;
                take_digits(bytes, &mut at, &mut digits);
                if at == start {
                    self.advance(at);
                    return Err(self.unexpected("a digit"));
                }
                count += at - start;
                power = -i32::try_from(at - start).unwrap_or(i32::MAX);
            }
            if matches!(bytes.get(at), Some(b'e' | b'E')) {
                let exponent = self.exponent(bytes, &mut at)?;
                power = power.saturating_add(exponent);
            }
        }
        self.advance(at);
        Ok(Number {
            text: &bytes[..at],
            negative,
            digits,
            count,
            power,
        })
    }

    #[inline(never)]
    fn exponent(&mut self, bytes: &[u8], at: &mut usize) -> Read<i32> {
        *at += 1;
        let negative = bytes.get(*at) == Some(&b'-');
        if matches!(bytes.get(*at), Some(b'+' | b'-')) {
            *at += 1;
        }
        let start = *at;
        let mut exponent: i32 = 0;
        while let Some(byte @ b'0'..=b'9') = bytes.get(*at) {
            let digit = i32::from(byte - b'0');
            exponent = exponent.saturating_mul(10).saturating_add(digit);
            *at += 1;
        }
        if *at == start {
            self.advance(*at);
            return Err(self.unexpected("a digit"));
        }
        Ok(if negative { -exponent } else { exponent })
    }
}

#[inline(always)]
fn take_digits(bytes: &[u8], at: &mut usize, digits: &mut u64) {
    if let Some(eight) = bytes.get(*at..).and_then(<[u8]>::first_chunk)
        && let Some(value) = eight_digits(*eight)
    {
        *digits = digits.wrapping_mul(100_000_000).wrapping_add(value);
        *at += 8;
    }
    while let Some(byte) = bytes.get(*at) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return;
        }
        *digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit));
        *at += 1;
    }
}

/// Eight digits at once, if they are all digits (D. Lemire, "Quickly parsing eight digits").
#[inline(always)]
fn eight_digits(text: [u8; 8]) -> Option<u64> {
    let word = u64::from_le_bytes(text);
    let over = word.wrapping_add(0x4646_4646_4646_4646);
    let under = word.wrapping_sub(0x3030_3030_3030_3030);
    if (over | under) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = under.wrapping_mul(10).wrapping_add(under >> 8);
    let low = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(0x000f_4240_0000_0064);
    let high = (pairs >> 16 & 0x0000_00ff_0000_00ff).wrapping_mul(0x0000_2710_0000_0001);
    Some(low.wrapping_add(high) >> 32)
}

impl Number<'_> {
    /// The number as an integer: `1.0` and `1e3` are integers too.
    #[inline(always)]
    pub(crate) fn integer(&self) -> Result<i128, NotExact> {
        if self.power == 0 && self.count < SAFE_DIGITS {
            let value = i128::from(self.digits);
            return Ok(if self.negative { -value } else { value });
        }
        self.scaled(0)
    }

    /// As [`integer`](Self::integer), for 64 bits.
    #[inline(always)]
    pub(crate) fn int64(&self) -> Result<i64, NotExact> {
        if self.power == 0 && self.count < SAFE_DIGITS {
            let value = self.digits.cast_signed();
            return Ok(if self.negative { -value } else { value });
        }
        i64::try_from(self.scaled(0)?).map_err(|_| NotExact::Large)
    }

    /// The number times ten to the power of `scale`, if that is an integer of at most 38
    /// digits.
    #[inline(never)]
    pub(crate) fn scaled(&self, scale: u32) -> Result<i128, NotExact> {
        let digits = self
            .text
            .iter()
            .take_while(|byte| !matches!(byte, b'e' | b'E'));
        let digits = digits.filter(|byte| byte.is_ascii_digit());
        let mut value: u128 = 0;
        let mut significant: usize = 0;
        // Zeros count once a digit follows them.
        let mut zeros: usize = 0;
        for digit in digits {
            let digit = u128::from(digit - b'0');
            if digit == 0 {
                zeros += usize::from(significant > 0);
                continue;
            }
            significant += zeros + 1;
            if significant > DIGITS {
                // What is right of the last place is worse than being large.
                let places = i64::from(self.power) + i64::from(scale);
                return Err(if places < 0 {
                    self.fine_or_large(scale)
                } else {
                    NotExact::Large
                });
            }
            value = value * 10u128.pow(u32::try_from(zeros + 1).unwrap_or(0)) + digit;
            zeros = 0;
        }
        if value == 0 {
            return Ok(0);
        }
        let power = i64::from(self.power) + i64::from(scale);
        let power = power.saturating_add(i64::try_from(zeros).unwrap_or(i64::MAX));
        let Ok(power) = usize::try_from(power) else {
            return Err(NotExact::Fine);
        };
        if power.saturating_add(significant) > DIGITS {
            return Err(NotExact::Large);
        }
        let value = value * 10u128.pow(u32::try_from(power).unwrap_or(0));
        let value = i128::try_from(value).map_err(|_| NotExact::Large)?;
        Ok(if self.negative { -value } else { value })
    }

    /// What is wrong with a number of more than 38 digits: whether the last that is not 0 lies
    /// behind the last place.
    fn fine_or_large(&self, scale: u32) -> NotExact {
        let digits = self
            .text
            .iter()
            .take_while(|byte| !matches!(byte, b'e' | b'E'));
        let digits: Vec<&u8> = digits.filter(|byte| byte.is_ascii_digit()).collect();
        let zeros = digits
            .iter()
            .rev()
            .take_while(|digit| ***digit == b'0')
            .count();
        let zeros = i64::try_from(zeros).unwrap_or(i64::MAX);
        let places = i64::from(self.power) + i64::from(scale);
        if places.saturating_add(zeros) < 0 {
            NotExact::Fine
        } else {
            NotExact::Large
        }
    }

    /// The nearest float, ties to even; `None` if it is out of range.
    #[inline(always)]
    pub(crate) fn float64(&self) -> Option<f64> {
        /// Powers of ten that are exact.
        const POWERS: [f64; 23] = [
            1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
            1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
        ];
        // Both exact, so that one operation rounds once (W. D. Clinger, PLDI 1990).
        if self.count <= SAFE_DIGITS && self.digits < 1 << 53 {
            #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
            let digits = self.digits as f64;
            let power = POWERS.get(self.power.unsigned_abs() as usize);
            if let Some(power) = power {
                let value = if self.power < 0 {
                    digits / power
                } else {
                    digits * power
                };
                return Some(if self.negative { -value } else { value });
            }
        }
        self.parse()
    }

    /// The nearest float of 32 bits, rounded once.
    pub(crate) fn float32(&self) -> Option<f32> {
        self.text()
            .parse()
            .ok()
            .filter(|value: &f32| value.is_finite())
    }

    #[inline(never)]
    fn parse(&self) -> Option<f64> {
        self.text()
            .parse()
            .ok()
            .filter(|value: &f64| value.is_finite())
    }

    /// The text; numbers are ASCII.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(self.text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number<'_> {
        let mut input = Input::new(text.as_bytes(), 0, text.len());
        let number = input.number().unwrap();
        input.end().unwrap();
        number
    }

    #[test]
    fn integers_are_exact_however_they_are_written() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("-0.0e5", Ok(0)),
            ("12345678", Ok(12_345_678)),
            ("123456789012345678", Ok(123_456_789_012_345_678)),
            ("9007199254740993", Ok(9_007_199_254_740_993)),
            ("9223372036854775807", Ok(i64::MAX)),
            ("-9223372036854775808", Ok(i64::MIN)),
            ("9223372036854775808", Err(NotExact::Large)),
            ("-9223372036854775809", Err(NotExact::Large)),
            ("1.0", Ok(1)),
            ("1e3", Ok(1000)),
            ("-1.50E+1", Ok(-15)),
            ("1000e-3", Ok(1)),
            ("100e-3", Err(NotExact::Fine)),
            ("1.5", Err(NotExact::Fine)),
            ("0e999999999999999999", Ok(0)),
            ("1e999999999999999999", Err(NotExact::Large)),
            ("1e-999999999999999999", Err(NotExact::Fine)),
            ("1000000000000000000000000000000000000000000e-41", Ok(10)),
            ("1.0000000000000000000000000000000000000000000", Ok(1)),
            (
                "1.0000000000000000000000000000000000000000001",
                Err(NotExact::Fine),
            ),
            (
                "1000000000000000000000000000000000000000000001",
                Err(NotExact::Large),
            ),
        ] {
            assert_eq!(number(text).int64(), expected, "{text}");
        }
    }

    #[test]
    fn decimals_are_exact() {
        let nines = "9".repeat(38);
        assert_eq!(number("12.34").scaled(2), Ok(1234));
        assert_eq!(number("12.340").scaled(2), Ok(1234));
        assert_eq!(number("12.345").scaled(2), Err(NotExact::Fine));
        assert_eq!(number("-0.1").scaled(2), Ok(-10));
        assert_eq!(number("1e-2").scaled(2), Ok(1));
        assert_eq!(number(&nines).scaled(0), Ok(10i128.pow(38) - 1));
        assert_eq!(number(&nines).scaled(1), Err(NotExact::Large));
        assert_eq!(number("1e37").scaled(0), Ok(10i128.pow(37)));
        assert_eq!(number("1e38").scaled(0), Err(NotExact::Large));
        assert_eq!(
            number(&format!("0.{nines}")).scaled(38),
            Ok(10i128.pow(38) - 1)
        );
    }

    #[test]
    fn floats_are_the_nearest() {
        let mut state = 1u64;
        for _ in 0..200_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let (digits, shift, power) = (state >> 12, state & 63, (state >> 6 & 63) as i32 - 32);
            let text = format!("{}e{power}", digits >> shift);
            let expected: f64 = text.parse().unwrap();
            assert_eq!(
                number(&text).float64().map(f64::to_bits),
                Some(expected.to_bits())
            );
            let text = format!("-{}.{}", digits >> shift, state % 10_000);
            let expected: f64 = text.parse().unwrap();
            assert_eq!(number(&text).float64(), Some(expected), "{text}");
        }
        assert_eq!(
            number("-0.0").float64().map(f64::to_bits),
            Some((-0.0f64).to_bits())
        );
        assert_eq!(number("1e400").float64(), None);
        assert_eq!(number("1e-400").float64(), Some(0.0));
        assert_eq!(number("1e39").float32(), None);
        assert_eq!(number("0.1").float32(), Some(0.1));
        assert_eq!(number("17976931348623157e292").float64(), Some(f64::MAX));
    }

    #[test]
    fn eight_digits_or_none() {
        for value in [0u64, 1, 12_345_678, 99_999_999, 10_000_000, 90_807_060] {
            let text = format!("{value:08}");
            assert_eq!(
                eight_digits(*text.as_bytes().first_chunk().unwrap()),
                Some(value)
            );
        }
        for at in 0..8 {
            for byte in (0..=255u8).filter(|byte| !byte.is_ascii_digit()) {
                let mut text = *b"12345678";
                text[at] = byte;
                assert_eq!(eight_digits(text), None, "{at} {byte}");
            }
        }
    }
}

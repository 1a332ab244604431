//! Whole numbers and times on their way from one width or unit to another.

use super::Integers;

/// A number that the schema's type cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberFault {
    /// It is below or above what there is.
    Range(i128),
    /// It would lose digits.
    Inexact(i64),
}

/// How numbers of a column become those of a schema: multiplied and divided, exactly, and within
/// bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// What numbers are multiplied with; 1 where they are divided.
    pub multiply: i64,
    /// What they are divided by, if that goes without a remainder.
    pub divide: i64,
    /// The smallest that there may be then.
    pub min: i64,
    /// The largest.
    pub max: i64,
}

impl Scale {
    /// Numbers of 32 bits as they are.
    pub const INT: Self = Self::within(i32::MIN as i64, i32::MAX as i64);
    /// Numbers of 64 bits as they are.
    pub const LONG: Self = Self::within(i64::MIN, i64::MAX);

    /// Numbers as they are, within bounds.
    #[must_use]
    pub const fn within(min: i64, max: i64) -> Self {
        Self {
            multiply: 1,
            divide: 1,
            min,
            max,
        }
    }

    /// Times in units of `from` ns, as times in units of `to` ns.
    #[must_use]
    pub fn units(self, from: i64, to: i64) -> Self {
        Self {
            multiply: (from / to).max(1),
            divide: (to / from).max(1),
            ..self
        }
    }

    /// The number of a row.
    ///
    /// # Errors
    /// See [`NumberFault`].
    #[inline(always)]
    pub fn get(self, values: Integers<'_>, row: usize) -> Result<i64, NumberFault> {
        let value = values
            .get(row)
            .map_err(|value| NumberFault::Range(value.into()))?;
        let scaled = if self.divide == 1 {
            value.checked_mul(self.multiply)
        } else if value % self.divide == 0 {
            Some(value / self.divide)
        } else {
            return Err(NumberFault::Inexact(value));
        };
        match scaled {
            Some(scaled) if (self.min..=self.max).contains(&scaled) => Ok(scaled),
            _ => Err(NumberFault::Range(
                i128::from(value) * i128::from(self.multiply) / i128::from(self.divide),
            )),
        }
    }
}

/// The nearest `f64` of a number, if that is the number.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "it is looked whether it comes back"
)]
#[must_use]
pub fn exact_double(value: i64) -> Option<f64> {
    let double = value as f64;
    // 2^63 comes back as 2^63 - 1, which is not what came in.
    (double < 9_223_372_036_854_775_808.0 && double as i64 == value).then_some(double)
}

/// A number with 16 bits (IEEE 754 binary16) as one with 32.
#[must_use]
pub fn half(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let exponent = u32::from(bits >> 10 & 0x1f);
    let fraction = u32::from(bits & 0x3ff);
    match exponent {
        0 => {
            // Subnormal: so many 2^-24.
            let magnitude = f32::from(bits & 0x3ff) / 16_777_216.0;
            f32::from_bits(magnitude.to_bits() | sign)
        }
        0x1f => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_exact_or_refused() {
        let seconds = [7_i32.to_le_bytes(), i32::MAX.to_le_bytes()];
        let seconds = Integers::I32(&seconds);
        let to_ms = Scale::INT.units(1_000_000_000, 1_000_000);
        assert_eq!(to_ms.get(seconds, 0), Ok(7_000));
        assert_eq!(
            to_ms.get(seconds, 1),
            Err(NumberFault::Range(2_147_483_647_000))
        );
        let nanos = [5_000_i64.to_le_bytes(), 5_001_i64.to_le_bytes()];
        let nanos = Integers::I64(&nanos);
        let to_us = Scale::LONG.units(1, 1_000);
        assert_eq!(to_us.get(nanos, 0), Ok(5));
        assert_eq!(to_us.get(nanos, 1), Err(NumberFault::Inexact(5_001)));
        let large = [u64::MAX.to_le_bytes()];
        assert_eq!(
            Scale::LONG.get(Integers::U64(&large), 0),
            Err(NumberFault::Range(u64::MAX.into()))
        );
    }

    #[test]
    fn doubles_are_exact_or_none() {
        assert_eq!(exact_double(1 << 53), Some(9_007_199_254_740_992.0));
        assert_eq!(exact_double((1 << 53) + 1), None);
        assert_eq!(exact_double(i64::MAX), None);
        assert_eq!(exact_double(i64::MIN), Some(-9_223_372_036_854_775_808.0));
    }

    #[test]
    fn halves() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x8000, -0.0),
            (0x7c00, f32::INFINITY),
        ] {
            assert_eq!(half(bits).to_bits(), f32::to_bits(value), "{bits:x}");
        }
        assert!(half(0x7e00).is_nan());
    }
}

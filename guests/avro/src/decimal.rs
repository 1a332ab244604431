//! Avro decimals (big-endian two's complement, of any length) as Arrow's fixed-width
//! little-endian ones.

use weir_guest::columns::Column;

use crate::input::{Fault, Input};

/// Digits that a 128-bit decimal holds.
const DIGITS_128: usize = 38;
/// Digits that a 256-bit decimal holds, the most that Arrow has.
pub(crate) const DIGITS_256: usize = 76;

/// A value has more digits than its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DecimalTooLong;

/// One decimal type of a schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal {
    /// Size in bytes on the wire; `None` for decimals that say theirs.
    size: Option<u32>,
    /// Bytes of an Arrow value: 16 or 32.
    pub(crate) width: u32,
    /// 10 to the power of the precision, little-endian.
    limit: [u8; 32],
}

impl Decimal {
    /// The type for a precision of at most [`DIGITS_256`].
    pub(crate) fn new(precision: usize, size: Option<u32>) -> Self {
        let mut limit = [0; 32];
        limit[0] = 1;
        for _ in 0..precision {
            let mut carry = 0;
            for digit in &mut limit {
                let [low, high] = (u16::from(*digit) * 10 + carry).to_le_bytes();
                *digit = low;
                carry = u16::from(high);
            }
        }
        let width = if precision <= DIGITS_128 { 16 } else { 32 };
        Self { size, width, limit }
    }

    /// Reads one value and appends it.
    pub(crate) fn read(&self, input: &mut Input<'_>, column: &mut Column) -> Result<(), Fault> {
        let length = match self.size {
            Some(size) => size as usize,
            None => input.length()?,
        };
        self.push(input.take(length)?, column)
    }

    /// Writes the value of these little-endian bytes: as few as can be, or as many as the type has.
    pub(crate) fn write(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), DecimalTooLong> {
        let (&last, _) = value.split_last().ok_or(DecimalTooLong)?;
        let sign = if last >= 0x80 { 0xff } else { 0 };
        let mut wide = [sign; 32];
        let width = value.len().min(wide.len());
        wide[..width].copy_from_slice(&value[..width]);
        let magnitude = if sign == 0 { wide } else { negate(wide) };
        if magnitude.iter().rev().ge(self.limit.iter().rev()) {
            return Err(DecimalTooLong);
        }
        // The first byte has the sign's bit.
        let mut size = wide.len();
        while size > 1 && wide[size - 1] == sign && (wide[size - 2] ^ sign) < 0x80 {
            size -= 1;
        }
        match self.size.map(|fixed| fixed as usize) {
            None => out.push(u8::try_from(size << 1).unwrap_or(u8::MAX)),
            Some(fixed) if size <= fixed => out.resize(out.len() + fixed - size, sign),
            Some(_) => return Err(DecimalTooLong),
        }
        out.extend(wide[..size].iter().rev());
        Ok(())
    }

    /// Appends the value that these big-endian bytes stand for; none at all are 0.
    fn push(&self, bytes: &[u8], column: &mut Column) -> Result<(), Fault> {
        if self.width == 16 {
            let value = i128::from_le_bytes(widen(bytes)?);
            if value.unsigned_abs() >= u128::from_le_bytes(low_half(&self.limit)) {
                return Err(Fault::DecimalPrecision);
            }
            column.push(value.to_le_bytes());
        } else {
            let value: [u8; 32] = widen(bytes)?;
            let magnitude = if value[31] < 0x80 {
                value
            } else {
                negate(value)
            };
            if magnitude.iter().rev().ge(self.limit.iter().rev()) {
                return Err(Fault::DecimalPrecision);
            }
            column.push(value);
        }
        Ok(())
    }
}

fn low_half(bytes: &[u8; 32]) -> [u8; 16] {
    let mut low = [0; 16];
    low.copy_from_slice(&bytes[..16]);
    low
}

/// Big-endian two's complement of any length as `N` little-endian bytes.
fn widen<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Fault> {
    let sign = if bytes.first().is_some_and(|first| *first >= 0x80) {
        0xff
    } else {
        0
    };
    let (extra, kept) = bytes.split_at(bytes.len().saturating_sub(N));
    let top = kept.first().copied().unwrap_or(0);
    if extra.iter().any(|byte| *byte != sign) || (!extra.is_empty() && (top ^ sign) >= 0x80) {
        return Err(Fault::DecimalPrecision);
    }
    let mut value = [sign; N];
    for (to, from) in value.iter_mut().zip(kept.iter().rev()) {
        *to = *from;
    }
    Ok(value)
}

fn negate(mut value: [u8; 32]) -> [u8; 32] {
    let mut carry = true;
    for byte in &mut value {
        (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widen_extends_the_sign_and_refuses_what_does_not_fit() {
        assert_eq!(widen::<2>(&[]), Ok([0, 0]));
        assert_eq!(widen::<2>(&[0x80]), Ok([0x80, 0xff]));
        assert_eq!(widen::<2>(&[0, 0, 0x7f, 1]), Ok([1, 0x7f]));
        assert_eq!(widen::<2>(&[0, 0x80, 1]), Err(Fault::DecimalPrecision));
        assert_eq!(widen::<2>(&[0xff, 0x7f, 1]), Err(Fault::DecimalPrecision));
        assert_eq!(widen::<2>(&[1, 0, 0]), Err(Fault::DecimalPrecision));
    }

    #[test]
    fn precision_is_the_number_of_digits() {
        for (precision, fits, too_large) in [
            (2, 99i128, 100),
            (1, -9, -10),
            (38, 10i128.pow(38) - 1, 10i128.pow(38)),
        ] {
            let decimal = Decimal::new(precision, None);
            let mut column = Column::default();
            assert_eq!(decimal.push(&fits.to_be_bytes(), &mut column), Ok(()));
            let result = decimal.push(&too_large.to_be_bytes(), &mut column);
            assert_eq!(result, Err(Fault::DecimalPrecision));
        }
    }

    #[test]
    fn wide_decimals_are_checked_the_same_way() {
        let decimal = Decimal::new(39, None);
        let mut column = Column::default();
        assert_eq!(decimal.push(&i128::MIN.to_be_bytes(), &mut column), Ok(()));
        // 10^39, and its negative.
        let (mut low, mut high) = (10u128.pow(38), 0u128);
        for _ in 0..9 {
            let (sum, carry) = low.overflowing_add(10u128.pow(38));
            low = sum;
            high += u128::from(carry);
        }
        let mut limit = [high.to_be_bytes(), low.to_be_bytes()].concat();
        assert_eq!(
            decimal.push(&limit, &mut column),
            Err(Fault::DecimalPrecision)
        );
        limit.reverse();
        let mut little = [0; 32];
        little.copy_from_slice(&limit);
        let mut negative = negate(little).to_vec();
        negative.reverse();
        assert_eq!(
            decimal.push(&negative, &mut column),
            Err(Fault::DecimalPrecision)
        );
        negative[31] += 1;
        assert_eq!(decimal.push(&negative, &mut column), Ok(()));
    }
}

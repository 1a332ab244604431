//! Numbers and texts as exactly what a column holds.

use super::wrong::{quoted, shown};
use crate::{
    base64,
    input::Input,
    number::{NotExact, Number},
};

pub(super) fn integer(number: Number<'_>, bits: u8, signed: bool) -> Result<i128, NotExact> {
    let value = number.integer()?;
    let fits = if signed {
        let limit = 1i128 << (bits - 1);
        (-limit..limit).contains(&value)
    } else {
        (0..1i128 << bits).contains(&value)
    };
    if fits {
        Ok(value)
    } else {
        Err(NotExact::Large)
    }
}

pub(super) fn decimal(number: Number<'_>, precision: u8, scale: u8) -> Result<i128, String> {
    let found = |what: String| format!("expected {what}, found {}", shown(number.text()));
    let large = || {
        found(format!(
            "at most {precision} digits, {scale} of them behind the point"
        ))
    };
    match number.scaled(scale.into()) {
        Ok(value) if value.unsigned_abs() < 10u128.pow(precision.into()) => Ok(value),
        Ok(_) | Err(NotExact::Large) => Err(large()),
        Err(NotExact::Fine) => Err(found(format!("at most {scale} digits behind the point"))),
    }
}

/// A decimal in quotes, in the notation of JSON's numbers.
pub(super) fn decimal_text(text: &[u8], precision: u8, scale: u8) -> Result<i128, String> {
    let mut digits = Input::new(text, 0, text.len());
    let number = match text.first() {
        Some(b'-' | b'0'..=b'9') => digits
            .number()
            .ok()
            .filter(|number| number.text.len() == text.len()),
        _ => None,
    };
    match number {
        Some(number) => decimal(number, precision, scale),
        None => Err(quoted("expected a decimal, found", text)),
    }
}

/// A decimal as Kafka Connect writes it.
pub(super) fn unscaled(text: &[u8], precision: u8) -> Result<i128, String> {
    let mut bytes = Vec::new();
    let decoded = base64::decode(text, &mut bytes).filter(|()| !bytes.is_empty());
    decoded.ok_or_else(|| quoted("expected a decimal in base64, found", text))?;
    let sign = if bytes[0] < 0x80 { 0 } else { 0xff };
    let rest = bytes
        .iter()
        .position(|byte| *byte != sign)
        .unwrap_or(bytes.len());
    let bytes = &bytes[rest..];
    let mut wide = [sign; 16];
    let value = (bytes.len() <= 16).then(|| {
        wide[16 - bytes.len()..].copy_from_slice(bytes);
        i128::from_be_bytes(wide)
    });
    value
        .filter(|value| (*value < 0) == (sign == 0xff))
        .filter(|value| value.unsigned_abs() < 10u128.pow(precision.into()))
        .ok_or_else(|| quoted(&format!("expected at most {precision} digits, found"), text))
}

/// `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, RFC 9562.
pub(super) fn uuid(text: &[u8]) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.try_into().ok()?;
    let mut value: u128 = 0;
    for (at, byte) in text.iter().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            (*byte == b'-').then_some(())?;
        } else {
            value = value << 4 | u128::from(char::from(*byte).to_digit(16)?);
        }
    }
    Some(value.to_be_bytes())
}

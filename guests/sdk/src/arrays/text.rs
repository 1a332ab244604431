//! Values as text, for serializers: numbers, times, and the strings of JSON.

/// A string: its quotes, and escapes where there have to be some (RFC 8259, section 7).
pub fn push_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| needs_escape(*byte)) {
        out.extend_from_slice(&rest[..at]);
        let (escape, len) = escape(rest[at]);
        out.extend_from_slice(&escape[..len]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// How a quote, a backslash or a control character is written, and how long that is.
#[must_use]
pub fn escape(byte: u8) -> ([u8; 6], usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            let digit = |half: u8| DIGITS[usize::from(half & 15)];
            let escape = [b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)];
            return (escape, 6);
        }
    };
    ([b'\\', short, 0, 0, 0, 0], 2)
}

/// Base64 with padding (RFC 4648, section 4).
pub fn push_base64(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| DIGITS[(bits & 63) as usize];
    let (triples, rest) = bytes.as_chunks::<3>();
    for [a, b, c] in triples {
        let bits = u32::from_be_bytes([0, *a, *b, *c]);
        out.extend_from_slice(&[
            digit(bits >> 18),
            digit(bits >> 12),
            digit(bits >> 6),
            digit(bits),
        ]);
    }
    match *rest {
        [a] => {
            let bits = u32::from_be_bytes([0, a, 0, 0]);
            out.extend_from_slice(&[digit(bits >> 18), digit(bits >> 12), b'=', b'=']);
        }
        [a, b] => {
            let bits = u32::from_be_bytes([0, a, b, 0]);
            out.extend_from_slice(&[digit(bits >> 18), digit(bits >> 12), digit(bits >> 6), b'=']);
        }
        _ => {}
    }
}

/// 8-4-4-4-12 digits (RFC 9562, section 4).
pub fn push_uuid(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// `YYYY-MM-DD`. `None` outside the years 0 to 9999, for which RFC 3339 has no text.
#[must_use]
pub fn push_date(days: i64, out: &mut Vec<u8>) -> Option<()> {
    // A year is counted from March here, so that the leap day is its last; 400 of them are an
    // era of 146,097 days.
    let shifted = days.checked_add(719_468)?;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = year + era * 400 + carry;
    (0..=9_999).contains(&year).then_some(())?;
    digits(year, 4, out);
    out.push(b'-');
    digits(month, 2, out);
    out.push(b'-');
    digits(day, 2, out);
    Some(())
}

/// `HH:MM:SS` with the fraction of the unit. `None` outside of a day.
#[must_use]
pub fn push_time(value: i64, per_second: i64, out: &mut Vec<u8>) -> Option<()> {
    (0..86_400 * per_second).contains(&value).then_some(())?;
    let seconds = value / per_second;
    digits(seconds / 3_600, 2, out);
    out.push(b':');
    digits(seconds / 60 % 60, 2, out);
    out.push(b':');
    digits(seconds % 60, 2, out);
    push_fraction(value % per_second, per_second, out);
    Some(())
}

/// An RFC 3339 date and time, with `Z` for an instant.
#[must_use]
pub fn push_timestamp(value: i64, per_second: i64, instant: bool, out: &mut Vec<u8>) -> Option<()> {
    let day = 86_400 * per_second;
    push_date(value.div_euclid(day), out)?;
    out.push(b'T');
    push_time(value.rem_euclid(day), per_second, out)?;
    if instant {
        out.push(b'Z');
    }
    Some(())
}

/// An ISO 8601 period; parts of 0 are left out.
pub fn push_period(months: i64, days: i64, time: i64, per_second: i64, out: &mut Vec<u8>) {
    out.push(b'P');
    for (value, letter) in [(months, b'M'), (days, b'D')] {
        if value != 0 {
            signed(value, out);
            out.push(letter);
        }
    }
    if time != 0 || months == 0 && days == 0 {
        out.push(b'T');
        if time < 0 {
            out.push(b'-');
        }
        let per_second = per_second.unsigned_abs();
        let magnitude = time.unsigned_abs();
        unsigned(magnitude / per_second, out);
        push_fraction(
            i64::try_from(magnitude % per_second).unwrap_or(0),
            i64::try_from(per_second).unwrap_or(1),
            out,
        );
        out.push(b'S');
    }
}

fn push_fraction(fraction: i64, per_second: i64, out: &mut Vec<u8>) {
    if per_second > 1 {
        out.push(b'.');
        let width = per_second.ilog10() as usize;
        digits(fraction, width, out);
    }
}

/// A number that is not negative, with zeros before it.
fn digits(value: i64, width: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + width, b'0');
    let mut value = value;
    for digit in out[start..].iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
}

/// A whole number.
pub fn signed(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    unsigned(value.unsigned_abs(), out);
}

/// A whole number.
pub fn unsigned(mut value: u64, out: &mut Vec<u8>) {
    let mut text = [0; 20];
    let mut at = text.len();
    loop {
        at -= 1;
        text[at] = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[at..]);
}

/// A decimal of little-endian bytes, with all of its digits.
pub fn push_decimal(bytes: &[u8], scale: i32, out: &mut Vec<u8>) {
    let negative = bytes.last().is_some_and(|last| *last >= 0x80);
    let mut magnitude = [0_u32; 8];
    let mut carry = u64::from(negative);
    for (at, word) in magnitude.iter_mut().enumerate() {
        let mut own = if negative { [0xff; 4] } else { [0; 4] };
        for (place, byte) in own.iter_mut().enumerate() {
            if let Some(given) = bytes.get(at * 4 + place) {
                *byte = *given;
            }
        }
        let own = u32::from_le_bytes(own);
        let sum = if negative {
            u64::from(!own) + carry
        } else {
            u64::from(own)
        };
        *word = low(sum);
        carry = sum >> 32;
    }
    // Nine digits at a time, the last ones first.
    let mut text = [b'0'; 90];
    let mut at = text.len();
    while magnitude.iter().any(|word| *word != 0) {
        let mut rest = 0_u64;
        for word in magnitude.iter_mut().rev() {
            let value = rest << 32 | u64::from(*word);
            *word = low(value / 1_000_000_000);
            rest = value % 1_000_000_000;
        }
        for _ in 0..9 {
            at -= 1;
            text[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
        }
    }
    let leading = text[at..]
        .iter()
        .take_while(|digit| **digit == b'0')
        .count();
    let digits = &text[at + leading..];
    if negative {
        out.push(b'-');
    }
    let places = usize::try_from(scale).unwrap_or(0);
    let whole = digits.len().saturating_sub(places);
    if whole == 0 {
        out.push(b'0');
    }
    out.extend_from_slice(&digits[..whole]);
    if scale < 0 && !digits.is_empty() {
        out.resize(out.len() + usize::try_from(-scale).unwrap_or(0), b'0');
    }
    if places > 0 {
        out.push(b'.');
        let zeros = places - (digits.len() - whole);
        out.resize(out.len() + zeros, b'0');
        out.extend_from_slice(&digits[whole..]);
    }
}

fn low(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_what_serde_json_reads() {
        for example in ["", "plain", "\"\\/\u{8}\u{c}\n\r\t\u{1}\u{1f}", "ä€𝄞\u{7f}"] {
            let written = text(|out| push_text(example.as_bytes(), out));
            let read: String = serde_json::from_str(&written).unwrap();
            assert_eq!(read, example);
        }
    }

    #[test]
    fn dates_and_times() {
        assert_eq!(text(|out| push_date(-719_528, out).unwrap()), "0000-01-01");
        assert_eq!(text(|out| push_date(2_932_896, out).unwrap()), "9999-12-31");
        assert_eq!(text(|out| push_date(19_782, out).unwrap()), "2024-02-29");
        assert_eq!(push_date(2_932_897, &mut Vec::new()), None);
        assert_eq!(push_date(-719_529, &mut Vec::new()), None);
        assert_eq!(push_date(i64::MAX, &mut Vec::new()), None);
        let instant = text(|out| push_timestamp(-1, 1_000, true, out).unwrap());
        assert_eq!(instant, "1969-12-31T23:59:59.999Z");
        assert_eq!(push_time(86_400, 1, &mut Vec::new()), None);
    }

    #[test]
    fn periods() {
        assert_eq!(
            text(|out| push_period(1, -2, 3_500, 1_000, out)),
            "P1M-2DT3.500S"
        );
        assert_eq!(text(|out| push_period(0, 0, 0, 1, out)), "PT0S");
        assert_eq!(
            text(|out| push_period(0, 0, i64::MIN, 1_000_000_000, out)),
            "PT-9223372036.854775808S"
        );
    }

    #[test]
    fn decimals_have_all_digits() {
        let of = |value: i128, scale| text(|out| push_decimal(&value.to_le_bytes(), scale, out));
        assert_eq!(of(0, 0), "0");
        assert_eq!(of(0, 2), "0.00");
        assert_eq!(of(-1, 4), "-0.0001");
        assert_eq!(of(1_234, 2), "12.34");
        assert_eq!(of(12, -3), "12000");
        assert_eq!(of(i128::MIN, 0), i128::MIN.to_string());
        assert_eq!(of(i128::MAX, 0), i128::MAX.to_string());
        assert_eq!(
            text(|out| push_decimal(&(-5_i32).to_le_bytes(), 1, out)),
            "-0.5"
        );
        let mut wide = [0xff; 32];
        wide[31] = 0x7f;
        assert_eq!(
            text(|out| push_decimal(&wide, 0, out)),
            "57896044618658097711785492504343953926634992332820282019728792003956564819967"
        );
    }
}

//! What is said of values that do not fit.

use crate::{
    input::{Input, Raw},
    number::{NotExact, Number},
    plan::Op,
    types::Written,
};

/// The name of the field that begins at `start`, where its quote is.
#[cold]
pub(super) fn field_name(input: &Input<'_>, start: usize) -> String {
    let mut name = input.at(start);
    let mut text = Vec::new();
    match name.string() {
        Ok(Raw::Plain(plain)) => text.extend_from_slice(plain),
        Ok(Raw::Escaped(raw)) => drop(name.unescape(raw, &mut text)),
        Err(_) => {}
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cold]
#[inline(never)]
pub(super) fn not_an_integer(
    input: &Input<'_>,
    start: usize,
    number: Number<'_>,
    why: NotExact,
    bits: u8,
    signed: bool,
) -> Box<crate::fault::Fault> {
    let kind = if signed { "" } else { "unsigned " };
    let what = match why {
        NotExact::Fine => "an integer".to_owned(),
        NotExact::Large => format!("an {kind}integer of {bits} bits"),
    };
    input.fault_at(
        start,
        format!("expected {what}, found {}", shown(number.text())),
    )
}

#[cold]
#[inline(never)]
pub(super) fn out_of_range(
    input: &Input<'_>,
    start: usize,
    number: Number<'_>,
    bits: u8,
) -> Box<crate::fault::Fault> {
    let found = shown(number.text());
    input.fault_at(
        start,
        format!("{found} is out of the range of a float of {bits} bits"),
    )
}

pub(super) fn not_a_timestamp(utc: bool, text: &[u8]) -> String {
    let example = match utc {
        true => "a date and time with an offset, such as 2024-12-31T23:59:59Z",
        false => "a date and time without an offset, such as 2024-12-31T23:59:59",
    };
    quoted(&format!("expected {example}, found"), text)
}

pub(super) fn wanted(op: Op) -> &'static str {
    match op {
        Op::Boolean => "a boolean",
        Op::Int64 | Op::Integer { .. } => "an integer",
        Op::Float32 | Op::Float64 => "a number",
        Op::Decimal {
            written: Written::Number,
            ..
        } => "a number",
        Op::Decimal { .. } => "a decimal",
        Op::Text | Op::Binary | Op::Uuid => "a string",
        Op::Date(_) => "a date",
        Op::Time(..) => "a time",
        Op::Timestamp { .. } => "a date and time",
        Op::Json => "a JSON value",
        Op::List => "an array",
        Op::Map | Op::Object(_) => "an object",
    }
}

/// A value of the wrong type, or something that is no value.
#[cold]
#[inline(never)]
pub(super) fn mismatch(input: &mut Input<'_>, wanted: &str) -> Box<crate::fault::Fault> {
    let start = input.position();
    // What is not JSON is said to be that first.
    let first = input.peek();
    if let Err(fault) = input.skip() {
        return fault;
    }
    let text = String::from_utf8_lossy(input.since(start)).into_owned();
    let found = match first {
        Some(b'"') => format!("the string {}", shown(&text)),
        Some(b'{') => "an object".to_owned(),
        Some(b'[') => "an array".to_owned(),
        Some(b't' | b'f' | b'n') => text,
        _ => format!("the number {}", shown(&text)),
    };
    input.fault_at(start, format!("expected {wanted}, found {found}"))
}

pub(super) fn quoted(what: &str, text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    format!("{what} {}", shown(&format!("{text:?}")))
}

/// A text that is not too long to be read.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

//! The text of one message, read from left to right.
//!
//! Everything is checked on the way, also what nobody asked for: a message is either JSON by
//! RFC 8259, or a fault. It is known to be UTF-8 before it is read.

use crate::fault::Fault;
use crate::scan::{self, WIDE};

pub(crate) type Read<T> = Result<T, Box<Fault>>;

/// How deeply arrays and objects may be nested: as for `serde_json`, which validates.
pub(crate) const MAX_NESTING: u32 = 127;

/// A message, with a position in it.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    /// All bytes up to the end of the message.
    bytes: &'a [u8],
    /// The same, with what lies behind: short values are looked at as if they were long.
    wide: &'a [u8],
    start: usize,
    at: usize,
    depth: u32,
}

/// A string as it stands in the text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Raw<'a> {
    /// What is between the quotes is the string.
    Plain(&'a [u8]),
    /// There are escapes in it.
    Escaped(&'a [u8]),
}

impl<'a> Input<'a> {
    /// The message `bytes[start..end]`, among others.
    #[inline(always)]
    pub(crate) fn new(bytes: &'a [u8], start: usize, end: usize) -> Self {
        Self {
            bytes: bytes.get(..end).unwrap_or(bytes),
            wide: bytes,
            start,
            at: start,
            depth: 0,
        }
    }

    /// Where the next byte lies in all of them.
    #[inline(always)]
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Goes back, or on, to a position that was there before.
    pub(crate) fn seek(&mut self, position: usize) {
        self.at = position;
    }

    /// The same message, from another position on.
    pub(crate) fn at(&self, position: usize) -> Self {
        Self {
            at: position,
            ..*self
        }
    }

    /// The text from a position up to here.
    #[inline(always)]
    pub(crate) fn since(&self, position: usize) -> &'a [u8] {
        self.bytes.get(position..self.at).unwrap_or_default()
    }

    /// A fault at the next byte.
    #[cold]
    #[inline(never)]
    pub(crate) fn fault(&self, what: impl Into<String>) -> Box<Fault> {
        self.fault_at(self.at, what)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn fault_at(&self, position: usize, what: impl Into<String>) -> Box<Fault> {
        Fault::new(position.saturating_sub(self.start), what)
    }

    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The next byte that is not white space, which is not taken.
    #[inline(always)]
    pub(crate) fn token(&mut self) -> Option<u8> {
        match self.bytes.get(self.at..) {
            Some([byte, ..]) if *byte > b' ' => Some(*byte),
            // What Python's `json` puts behind commas and colons.
            Some([b' ', byte, ..]) if *byte > b' ' => {
                self.at += 1;
                Some(*byte)
            }
            _ => self.token_after_space(),
        }
    }

    #[inline(never)]
    fn token_after_space(&mut self) -> Option<u8> {
        while let Some(byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    /// Takes this byte, which must be next but for white space.
    #[inline(always)]
    pub(crate) fn expect(&mut self, wanted: u8) -> Read<()> {
        if self.token() == Some(wanted) {
            self.at += 1;
            return Ok(());
        }
        Err(self.unexpected(&format!("`{}`", char::from(wanted))))
    }

    /// Nothing but white space is left.
    #[inline(always)]
    pub(crate) fn end(&mut self) -> Read<()> {
        match self.token() {
            None => Ok(()),
            Some(_) => Err(self.fault("there is more after the end of the JSON value")),
        }
    }

    /// Begins an array or object, at its bracket. `leave` ends it.
    #[inline(always)]
    pub(crate) fn enter(&mut self) -> Read<()> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(self.fault(format!("values are nested more than {MAX_NESTING} deep")));
        }
        self.at += 1;
        Ok(())
    }

    /// Ends an array or object, at its bracket.
    #[inline(always)]
    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    /// How deep it is: to read a part once more.
    pub(crate) fn depth(&self) -> u32 {
        self.depth
    }

    pub(crate) fn set_depth(&mut self, depth: u32) {
        self.depth = depth;
    }

    /// After a value in an array or object: whether another one follows, and not the end.
    #[inline(always)]
    pub(crate) fn another(&mut self, close: u8) -> Read<bool> {
        match self.token() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => Ok(false),
            _ => Err(self.unexpected(&format!("`,` or `{}`", char::from(close)))),
        }
    }

    /// Takes this text, such as `"name":`, if it is next.
    #[inline(always)]
    pub(crate) fn take_if(&mut self, key: &scan::Key) -> bool {
        let Some(wide) = self.wide.get(self.at..).and_then(<[u8]>::first_chunk) else {
            return false;
        };
        let len = key.len();
        if !key.starts(wide) || self.at + len > self.bytes.len() {
            return false;
        }
        if len > scan::KEY && !self.bytes[self.at + scan::KEY..].starts_with(key.rest()) {
            return false;
        }
        self.at += len;
        true
    }

    /// Takes `true`, `false` or `null`, whose first letter is next.
    #[inline(always)]
    pub(crate) fn literal(&mut self, text: &'static [u8]) -> Read<()> {
        if self.bytes[self.at..].starts_with(text) {
            self.at += text.len();
            return Ok(());
        }
        Err(self.unexpected("a JSON value"))
    }

    /// The next byte and the [`WIDE`] bytes behind it, also where the message ends before them.
    #[inline(always)]
    pub(crate) fn wide(&self) -> Option<&'a [u8; WIDE + 1]> {
        self.wide.get(self.at..).and_then(<[u8]>::first_chunk)
    }

    #[inline(always)]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Takes `count` bytes that were looked at, if the message has so many.
    #[inline(always)]
    pub(crate) fn advance(&mut self, count: usize) -> bool {
        let fits = self.at + count <= self.bytes.len();
        self.at += if fits { count } else { 0 };
        fits
    }

    /// Takes a string, whose quote is next.
    #[inline(always)]
    pub(crate) fn string(&mut self) -> Read<Raw<'a>> {
        let start = self.at + 1;
        match scan::special(self.bytes, start) {
            Some((end, b'"')) => {
                self.at = end + 1;
                Ok(Raw::Plain(&self.bytes[start..end]))
            }
            Some((end, b'\\')) => self.escaped(start, end),
            Some((end, _)) => Err(self.control(end)),
            None => Err(self.unfinished()),
        }
    }

    /// The rest of a string from the first backslash on.
    #[inline(never)]
    fn escaped(&mut self, start: usize, mut at: usize) -> Read<Raw<'a>> {
        loop {
            match scan::special(self.bytes, at) {
                Some((end, b'"')) => {
                    self.at = end + 1;
                    return Ok(Raw::Escaped(&self.bytes[start..end]));
                }
                Some((end, b'\\')) => at = self.escape(end)?.1,
                Some((end, _)) => return Err(self.control(end)),
                None => return Err(self.unfinished()),
            }
        }
    }

    /// The character that an escape stands for, and where the text goes on.
    fn escape(&self, at: usize) -> Read<(char, usize)> {
        let plain = |char| Ok((char, at + 2));
        match self.bytes.get(at + 1) {
            Some(b'"') => plain('"'),
            Some(b'\\') => plain('\\'),
            Some(b'/') => plain('/'),
            Some(b'b') => plain('\u{8}'),
            Some(b'f') => plain('\u{c}'),
            Some(b'n') => plain('\n'),
            Some(b'r') => plain('\r'),
            Some(b't') => plain('\t'),
            Some(b'u') => {
                let unit = self.unit(at)?;
                if !(0xd800..0xe000).contains(&unit) {
                    let char = char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER);
                    return Ok((char, at + 6));
                }
                let lone = || self.fault_at(at, "an escape is half of a surrogate pair");
                if unit >= 0xdc00 || self.bytes.get(at + 6..at + 8) != Some(b"\\u") {
                    return Err(lone());
                }
                let low = self.unit(at + 6)?;
                if !(0xdc00..0xe000).contains(&low) {
                    return Err(lone());
                }
                let code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                Ok((char::from_u32(code).ok_or_else(lone)?, at + 12))
            }
            Some(_) => Err(self.fault_at(at, "a backslash begins no escape of JSON")),
            None => Err(self.unfinished()),
        }
    }

    /// The four hexadecimal digits of `\uXXXX`.
    fn unit(&self, at: usize) -> Read<u32> {
        let Some(digits) = self.bytes.get(at + 2..at + 6) else {
            return Err(self.unfinished());
        };
        digits.iter().try_fold(0, |unit, digit| {
            let digit = char::from(*digit).to_digit(16);
            digit.map(|digit| unit << 4 | digit).ok_or_else(|| {
                self.fault_at(at, "`\\u` is not followed by four hexadecimal digits")
            })
        })
    }

    /// Appends what a string that was taken stands for. `raw` is a part of this message.
    pub(crate) fn unescape(&self, raw: &'a [u8], text: &mut Vec<u8>) -> Read<()> {
        let mut rest = raw;
        while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
            text.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            // The escape was checked when the string was taken: only its place is not known.
            let part = Input::new(rest, 0, rest.len());
            let (char, end) = part.escape(0)?;
            text.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            rest = &rest[end..];
        }
        text.extend_from_slice(rest);
        Ok(())
    }

    /// Takes any value.
    #[inline(never)]
    pub(crate) fn skip(&mut self) -> Read<()> {
        match self.token() {
            Some(b'"') => self.string().map(drop),
            Some(b'{') => {
                self.enter()?;
                if self.token() != Some(b'}') {
                    loop {
                        if self.token() != Some(b'"') {
                            return Err(self.unexpected("the name of a field"));
                        }
                        self.string()?;
                        self.expect(b':')?;
                        self.skip()?;
                        if !self.another(b'}')? {
                            break;
                        }
                    }
                }
                self.leave();
                Ok(())
            }
            Some(b'[') => {
                self.enter()?;
                if self.token() != Some(b']') {
                    loop {
                        self.skip()?;
                        if !self.another(b']')? {
                            break;
                        }
                    }
                }
                self.leave();
                Ok(())
            }
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            _ => Err(self.unexpected("a JSON value")),
        }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn unexpected(&self, wanted: &str) -> Box<Fault> {
        let found = match self.rest() {
            [] => "the end of the message".to_owned(),
            rest => {
                let text = String::from_utf8_lossy(&rest[..rest.len().min(4)]);
                let first = text.chars().next().unwrap_or(char::REPLACEMENT_CHARACTER);
                match self.rest() {
                    [b'N', b'a', b'N', ..] => "`NaN`, which is not JSON".to_owned(),
                    [b'I', b'n', b'f', ..] | [b'-', b'I', ..] => {
                        "`Infinity`, which is not JSON".to_owned()
                    }
                    _ => format!("{first:?}"),
                }
            }
        };
        self.fault(format!("expected {wanted}, found {found}"))
    }

    #[cold]
    #[inline(never)]
    fn control(&self, at: usize) -> Box<Fault> {
        let byte = self.bytes[at];
        self.fault_at(
            at,
            format!("the control character 0x{byte:02x} is not escaped in a string"),
        )
    }

    #[cold]
    #[inline(never)]
    fn unfinished(&self) -> Box<Fault> {
        self.fault_at(self.bytes.len(), "the message ends within a string")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(text: &[u8]) -> Result<(), String> {
        let mut input = Input::new(text, 0, text.len());
        let read = input.skip().and_then(|()| input.end());
        read.map_err(|fault| fault.to_string())
    }

    #[test]
    fn faults_say_what_is_wrong_and_where() {
        for (text, expected) in [
            (
                "",
                "byte 0: expected a JSON value, found the end of the message",
            ),
            (
                "  ",
                "byte 2: expected a JSON value, found the end of the message",
            ),
            (
                "{\"a\":1",
                "byte 6: expected `,` or `}`, found the end of the message",
            ),
            ("{a:1}", "byte 1: expected the name of a field, found 'a'"),
            ("{\"a\" 1}", "byte 5: expected `:`, found '1'"),
            ("[1,]", "byte 3: expected a JSON value, found ']'"),
            (
                "[NaN]",
                "byte 1: expected a JSON value, found `NaN`, which is not JSON",
            ),
            (
                "-Infinity",
                "byte 1: expected a digit, found `Infinity`, which is not JSON",
            ),
            ("truE", "byte 0: expected a JSON value, found 't'"),
            (
                "1 2",
                "byte 2: there is more after the end of the JSON value",
            ),
            ("\"abc", "byte 4: the message ends within a string"),
            (
                "\"a\nc\"",
                "byte 2: the control character 0x0a is not escaped in a string",
            ),
            ("\"a\\x\"", "byte 2: a backslash begins no escape of JSON"),
            (
                "\"\\ud800\"",
                "byte 1: an escape is half of a surrogate pair",
            ),
            (
                "\"\\ud800\\u0041\"",
                "byte 1: an escape is half of a surrogate pair",
            ),
            (
                "\"\\udc00\"",
                "byte 1: an escape is half of a surrogate pair",
            ),
            (
                "\"\\u12g4\"",
                "byte 1: `\\u` is not followed by four hexadecimal digits",
            ),
            (
                "01",
                "byte 1: there is more after the end of the JSON value",
            ),
        ] {
            assert_eq!(skip(text.as_bytes()), Err(expected.to_owned()), "{text}");
        }
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(skip(deep(127).as_bytes()), Ok(()));
        assert_eq!(
            skip(deep(128).as_bytes()),
            Err("byte 127: values are nested more than 127 deep".to_owned())
        );
    }

    #[test]
    fn a_message_ends_where_it_ends() {
        let bytes = br#"{"a":12345678901234567890}"#;
        for end in 0..bytes.len() {
            let mut input = Input::new(bytes, 0, end);
            assert!(input.skip().is_err(), "{end}");
        }
    }
}

//! Looking at several bytes at once.

/// Bytes that are looked at together in strings.
pub(crate) const WIDE: usize = 32;
/// Bytes of a field's name that are compared together.
pub(crate) const KEY: usize = 16;

/// Where the next byte is that means something in a string: a quote, a backslash or a control
/// character; and that byte.
#[inline(always)]
pub(crate) fn special(bytes: &[u8], mut at: usize) -> Option<(usize, u8)> {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<16>) {
        let found = specials(chunk);
        if found != 0 {
            let end = at + found.trailing_zeros() as usize;
            return Some((end, bytes[end]));
        }
        at += 16;
    }
    let rest = bytes.get(at..)?;
    let end = rest.iter().position(|byte| is_special(*byte))?;
    Some((at + end, rest[end]))
}

/// Whether any byte of a text has to be escaped.
pub(crate) fn has_special(bytes: &[u8]) -> bool {
    /// Bytes between two questions.
    const MANY: usize = 64;
    let (blocks, rest) = bytes.as_chunks::<MANY>();
    let in_block = |block: &[u8; MANY]| {
        let (chunks, _) = block.as_chunks::<16>();
        chunks
            .iter()
            .fold(0, |found, chunk| found | specials(chunk))
            != 0
    };
    blocks.iter().any(in_block) || special(rest, 0).is_some()
}

/// How many bytes of a text have to be escaped.
pub(crate) fn specials_of(bytes: &[u8]) -> u32 {
    let (chunks, rest) = bytes.as_chunks::<16>();
    let count = |found: u32| found.count_ones();
    let whole: u32 = chunks.iter().map(|chunk| count(specials(chunk))).sum();
    whole
        + rest
            .iter()
            .map(|byte| u32::from(is_special(*byte)))
            .sum::<u32>()
}

#[inline(always)]
fn is_special(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

/// How many bytes before the first special one, if there is one in the chunk.
#[inline(always)]
pub(crate) fn special_in(chunk: &[u8; WIDE]) -> Option<usize> {
    let ([first, second], _) = chunk.as_chunks::<16>() else {
        return None;
    };
    let found = specials(first) | specials(second) << 16;
    (found != 0).then_some(found.trailing_zeros() as usize)
}

/// A bit for each of the bytes that is special.
#[cfg(target_family = "wasm")]
#[inline(always)]
fn specials(chunk: &[u8; 16]) -> u32 {
    use core::arch::wasm32::{u8x16_bitmask, u8x16_eq, u8x16_lt, u8x16_splat, u64x2, v128_or};

    let (words, _) = chunk.as_chunks::<8>();
    let bytes = u64x2(u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1]));
    let quotes = u8x16_eq(bytes, u8x16_splat(b'"'));
    let backslashes = u8x16_eq(bytes, u8x16_splat(b'\\'));
    let controls = u8x16_lt(bytes, u8x16_splat(b' '));
    u32::from(u8x16_bitmask(v128_or(
        v128_or(quotes, backslashes),
        controls,
    )))
}

#[cfg(not(target_family = "wasm"))]
#[inline(always)]
fn specials(chunk: &[u8; 16]) -> u32 {
    // Compilers make of this what the processor has for it.
    let mut found = 0;
    for (at, byte) in chunk.iter().enumerate() {
        found |= u32::from(is_special(*byte)) << at;
    }
    found
}

/// Whether all bytes are ASCII, and with that UTF-8.
#[inline(always)]
pub(crate) fn is_ascii(bytes: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (chunks, rest) = bytes.as_chunks::<16>();
    let mut all = 0;
    for chunk in chunks {
        let (words, _) = chunk.as_chunks::<8>();
        all |= u64::from_le_bytes(words[0]) | u64::from_le_bytes(words[1]);
    }
    all & HIGH == 0 && rest.iter().fold(0, |all, byte| all | byte) < 0x80
}

/// A text that is expected often, such as `"name":`.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    words: [u64; 2],
    masks: [u64; 2],
    text: Box<[u8]>,
}

impl Key {
    pub(crate) fn new(text: &[u8]) -> Self {
        let (mut start, mut mask) = ([0; KEY], [0; KEY]);
        for (at, byte) in text.iter().take(KEY).enumerate() {
            (start[at], mask[at]) = (*byte, 0xff);
        }
        let words = |bytes: [u8; KEY]| {
            let whole = u128::from_le_bytes(bytes).to_le_bytes();
            let (halves, _) = whole.as_chunks::<8>();
            [u64::from_le_bytes(halves[0]), u64::from_le_bytes(halves[1])]
        };
        Self {
            words: words(start),
            masks: words(mask),
            text: text.into(),
        }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// What does not fit in the first 16 bytes.
    pub(crate) fn rest(&self) -> &[u8] {
        self.text.get(KEY..).unwrap_or_default()
    }

    /// Whether these bytes begin as the text does, up to 16.
    #[inline(always)]
    pub(crate) fn starts(&self, bytes: &[u8; KEY]) -> bool {
        let (words, _) = bytes.as_chunks::<8>();
        let first = (u64::from_le_bytes(words[0]) ^ self.words[0]) & self.masks[0];
        let second = (u64::from_le_bytes(words[1]) ^ self.words[1]) & self.masks[1];
        first | second == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_bytes_are_found_wherever_they_are() {
        for length in 0..70 {
            for (place, byte) in (0..length).zip([b'"', b'\\', 0, 0x1f].into_iter().cycle()) {
                let mut text = vec![b'a'; length];
                text[length - 1] = 0xff;
                assert!(!has_special(&text));
                assert_eq!(specials_of(&text), 0);
                text[place] = byte;
                assert!(has_special(&text));
                assert_eq!(specials_of(&text), 1);
                assert_eq!(special(&text, 0), Some((place, byte)), "{length}");
                assert_eq!(special(&text, place + 1), None);
            }
        }
        let mut wide = [b' '; WIDE];
        assert_eq!(special_in(&wide), None);
        wide[31] = b'"';
        assert_eq!(special_in(&wide), Some(31));
        wide[3] = 7;
        assert_eq!(special_in(&wide), Some(3));
    }

    #[test]
    fn ascii() {
        for length in 0..70 {
            assert!(is_ascii(&vec![0x7f; length]));
            for place in 0..length {
                let mut text = vec![b'a'; length];
                text[place] = 0x80;
                assert!(!is_ascii(&text));
            }
        }
    }

    #[test]
    fn keys_of_all_lengths() {
        for length in 1..40 {
            let text: Vec<u8> = (b'A'..).take(length).collect();
            let key = Key::new(&text);
            assert_eq!(key.len(), length);
            let mut bytes = [b'!'; KEY];
            bytes[..length.min(KEY)].copy_from_slice(&text[..length.min(KEY)]);
            assert!(key.starts(&bytes));
            assert_eq!(key.rest(), text.get(KEY..).unwrap_or_default());
            bytes[length.min(KEY) - 1] ^= 1;
            assert!(!key.starts(&bytes));
        }
    }
}

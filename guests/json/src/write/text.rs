//! The inside of strings.

use weir_guest::arrays::text::escape;
use weir_guest::lanes::Lane;

use crate::scan;

/// A text with escapes where there have to be some (RFC 8259, section 7). The text is UTF-8, of
/// which nothing else has to be escaped.
pub(super) fn escaped(lane: &mut Lane, out: &mut [u8], text: &[u8]) {
    let mut start = 0;
    while let Some((at, byte)) = scan::special(text, start) {
        lane.put_range(out, text, start..at);
        let (escape, len) = escape(byte);
        lane.put(out, &escape, len);
        start = at + 1;
    }
    lane.put_range(out, text, start..text.len());
}

#[cfg(test)]
mod tests {
    use weir_guest::lanes::SLACK;

    use super::*;

    #[test]
    fn strings_are_what_serde_json_reads() {
        let mut examples: Vec<String> = [
            "",
            "plain",
            "\"\\/\u{8}\u{c}\n\r\t\u{1}\u{1f}",
            "\"",
            "\\\\",
        ]
        .map(str::to_owned)
        .into();
        // Separators of lines, which JavaScript had trouble with, and pairs of surrogates.
        examples.push("ä€𝄞\u{7f}\u{2028}\u{2029}\u{feff}\u{10ffff}".repeat(9));
        for control in 0..0x20_u8 {
            for len in [0, 1, 14, 15, 16, 17, 31, 32, 33, 64] {
                let letters = "x".repeat(len);
                examples.push(format!("{letters}{}{letters}", char::from(control)));
            }
        }
        for example in examples {
            let mut out = vec![0; example.len() * 6 + SLACK];
            let mut lane = Lane::default();
            escaped(&mut lane, &mut out, example.as_bytes());
            let written = format!("\"{}\"", std::str::from_utf8(&out[..lane.at]).unwrap());
            assert_eq!(serde_json::from_str::<String>(&written).unwrap(), example);
            assert_eq!(written, serde_json::to_string(&example).unwrap());
        }
    }
}

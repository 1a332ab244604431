//! Base64 by RFC 4648, section 4: what `contentEncoding: base64` and Kafka Connect write.

/// Appends what a text stands for, or returns `None`, having appended a part.
pub(crate) fn decode(text: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    let text = match text {
        [bare @ .., b'=', b'='] | [bare @ .., b'='] if text.len().is_multiple_of(4) => bare,
        text => text,
    };
    let (quads, rest) = text.as_chunks::<4>();
    for quad in quads {
        let [_, a, b, c] = join(quad)?.to_be_bytes();
        bytes.extend_from_slice(&[a, b, c]);
    }
    // Bits that no byte has must be 0, or two texts would stand for the same.
    match rest {
        [] => {}
        [a, b] => match join(&[*a, *b, b'A', b'A'])?.to_be_bytes() {
            [_, a, 0, 0] => bytes.push(a),
            _ => return None,
        },
        [a, b, c] => match join(&[*a, *b, *c, b'A'])?.to_be_bytes() {
            [_, a, b, 0] => bytes.extend_from_slice(&[a, b]),
            _ => return None,
        },
        _ => return None,
    }
    Some(())
}

fn join(quad: &[u8; 4]) -> Option<u32> {
    quad.iter().try_fold(0, |joined, digit| {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        Some(joined << 6 | u32::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_the_rfc_and_what_is_not_base64() {
        for (text, expected) in [
            ("", Some(&b""[..])),
            ("Zg==", Some(b"f")),
            ("Zm8=", Some(b"fo")),
            ("Zm9v", Some(b"foo")),
            ("Zm9vYmFy", Some(b"foobar")),
            // Padding may be left out.
            ("Zg", Some(b"f")),
            ("+/+/", Some(b"\xfb\xff\xbf")),
            ("Zh==", None),
            ("Z", None),
            ("Zg=", None),
            ("Zm9v====", None),
            ("Zm=v", None),
            ("Zm9v\n", None),
            ("-_-_", None),
        ] {
            let mut bytes = Vec::new();
            let decoded = decode(text.as_bytes(), &mut bytes).map(|()| &bytes[..]);
            assert_eq!(decoded, expected, "{text}");
        }
    }
}

//! The globally unique id of a schema.

use std::fmt;
use std::str::FromStr;

/// A UUID (RFC 9562): what wire format v1 names schemas by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Guid(pub [u8; 16]);

/// A text that is no UUID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a GUID: one is such as 89791762-2336-4186-9674-299b90a802e2")]
pub struct NotAGuid(String);

impl Guid {
    /// Its first and its last 8 bytes as big-endian numbers, as in the WIT.
    #[must_use]
    pub fn halves(self) -> (u64, u64) {
        let [mut high, mut low] = [[0; 8]; 2];
        high.copy_from_slice(&self.0[..8]);
        low.copy_from_slice(&self.0[8..]);
        (u64::from_be_bytes(high), u64::from_be_bytes(low))
    }

    /// The other way round.
    #[must_use]
    pub fn from_halves(high: u64, low: u64) -> Self {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high.to_be_bytes());
        bytes[8..].copy_from_slice(&low.to_be_bytes());
        Self(bytes)
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for Guid {
    type Err = NotAGuid;

    fn from_str(text: &str) -> Result<Self, NotAGuid> {
        let fail = || NotAGuid(text.chars().take(40).collect());
        let parts: Vec<&str> = text.split('-').collect();
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        if lengths != [8, 4, 4, 4, 12] || !text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
        {
            return Err(fail());
        }
        let number = u128::from_str_radix(&parts.concat(), 16).map_err(|_| fail())?;
        Ok(Self(number.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_halves_are_the_same_bytes() {
        let text = "89791762-2336-4186-9674-299b90a802e2";
        let guid: Guid = text.parse().unwrap();
        assert_eq!(guid.0[..3], [0x89, 0x79, 0x17]);
        assert_eq!(guid.to_string(), text);
        let (high, low) = guid.halves();
        assert_eq!(high, 0x8979_1762_2336_4186);
        assert_eq!(Guid::from_halves(high, low), guid);
        for bad in [
            "",
            "x",
            "89791762-2336-4186-9674-299b90a802e",
            "8979176-22336-4186-9674-299b90a802e2",
            "+9791762-2336-4186-9674-299b90a802e2",
            "ä79176-2336-4186-9674-299b90a802e2",
        ] {
            assert!(bad.parse::<Guid>().is_err(), "{bad}");
        }
    }
}

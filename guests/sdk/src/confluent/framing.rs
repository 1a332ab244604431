//! The Confluent wire format: a zero byte, a schema id, the value.

use thiserror::Error;

/// Bytes before the value.
pub const PREFIX: usize = 5;

/// Why a message has no schema id.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FramingError {
    /// Too short for a prefix.
    #[error(
        "{0} bytes are too few for the Confluent wire format, which starts with a zero byte and a 4-byte schema id"
    )]
    TooShort(usize),
    /// The first byte is not 0.
    #[error("the first byte is 0x{0:02x}, not the zero byte of the Confluent wire format")]
    Magic(u8),
}

/// What messages of a schema id start with.
#[must_use]
pub fn prefix_of(id: u32) -> [u8; PREFIX] {
    let [a, b, c, d] = id.to_be_bytes();
    [0, a, b, c, d]
}

/// The schema id of a message: a `u32`, big-endian, after a zero byte.
///
/// # Errors
/// It has none.
#[inline(always)]
pub fn schema_id(message: &[u8]) -> Result<u32, FramingError> {
    match message.first_chunk::<PREFIX>() {
        Some([0, id @ ..]) => Ok(u32::from_be_bytes(*id)),
        Some([magic, ..]) => Err(FramingError::Magic(*magic)),
        None => Err(FramingError::TooShort(message.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        assert_eq!(schema_id(&[0, 1, 2, 3, 4]), Ok(0x0102_0304));
        assert_eq!(prefix_of(0x0102_0304), [0, 1, 2, 3, 4]);
        assert_eq!(schema_id(&[0, 0xff, 0xff, 0xff, 0xff, 9]), Ok(u32::MAX));
        assert_eq!(schema_id(&[1, 0, 0, 0, 1]), Err(FramingError::Magic(1)));
        assert_eq!(schema_id(&[0, 0, 0, 1]), Err(FramingError::TooShort(4)));
        assert_eq!(schema_id(&[]), Err(FramingError::TooShort(0)));
    }
}

//! Tags, numbers and lengths.

/// Wire types.
pub(super) const VARINT: u32 = 0;
pub(super) const FIXED64: u32 = 1;
pub(super) const LEN: u32 = 2;
pub(super) const GROUP: u32 = 3;
pub(super) const END_GROUP: u32 = 4;
pub(super) const FIXED32: u32 = 5;

#[inline(always)]
pub(super) fn tag(number: u32, wire_type: u32, out: &mut Vec<u8>) {
    varint((number << 3 | wire_type).into(), out);
}

/// Seven bits a byte.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the lowest bits are meant")]
pub(super) fn varint(mut bits: u64, out: &mut Vec<u8>) {
    while bits >= 0x80 {
        out.push(bits as u8 | 0x80);
        bits >>= 7;
    }
    out.push(bits as u8);
}

/// A length, and so many bytes.
pub(super) fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// What is written, after its length, which nearly always takes the one byte that is left for it.
pub(super) fn delimited<E>(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let at = out.len();
    out.push(0);
    write(out)?;
    let start = at + 1;
    let length = out.len() - start;
    if let Ok(length @ 0..0x80) = u8::try_from(length) {
        out[at] = length;
        return Ok(());
    }
    let mut bits = length as u64;
    let size = (64 - bits.leading_zeros()).div_ceil(7) as usize;
    out.resize(out.len() + size - 1, 0);
    out.copy_within(start..start + length, at + size);
    for byte in &mut out[at..at + size] {
        let [low, ..] = bits.to_le_bytes();
        bits >>= 7;
        *byte = low & 0x7f | if bits > 0 { 0x80 } else { 0 };
    }
    Ok(())
}

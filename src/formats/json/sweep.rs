//! Finds the bytes of a string that do not stand for themselves, sixteen at a time.

use wide::u8x16;

/// Where the first quote, backslash or control character stands from `at` on;
/// behind the last byte if there is none.
#[inline]
pub(super) fn special(bytes: &[u8], at: usize) -> usize {
    let (pairs, rest) = bytes.get(at..).unwrap_or_default().as_chunks::<32>();
    for (pair, at) in pairs.iter().zip((at..).step_by(32)) {
        let [low, high] =
            [pair.first_chunk(), pair.last_chunk()].map(|half| half.map_or(0, specials));
        let found = high << 16 | low;
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
    }
    special_in_rest(bytes, bytes.len() - rest.len())
}

/// The same of fewer than 32 bytes.
#[inline(never)]
fn special_in_rest(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let found = rest.iter().position(|b| is_special(*b));
    at + found.unwrap_or(rest.len())
}

/// A bit for each byte, the lowest for the first: whether it is special.
#[inline]
pub(super) fn specials(chunk: &[u8; 16]) -> u32 {
    let bytes = u8x16::new(*chunk);
    let is_control = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
    let is_quote = bytes.simd_eq(u8x16::splat(b'"'));
    let is_backslash = bytes.simd_eq(u8x16::splat(b'\\'));
    (is_control | is_quote | is_backslash).to_bitmask()
}

pub(super) const fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place() {
        for length in 0..40 {
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'a'; length];
                    bytes[at] = byte;
                    let expected = if is_special(byte) { at } else { length };
                    assert_eq!(special(&bytes, 0), expected, "{byte} at {at} of {length}");
                    assert_eq!(special(&bytes, at + 1), length);
                }
            }
        }
    }
}

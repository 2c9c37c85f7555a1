//! Finds the bytes of a string that do not stand for themselves, sixteen at a time.

#![expect(
    clippy::inline_always,
    reason = "constants stay in registers only where the sweep is part of the loop"
)]

use wide::u8x16;

/// Where the first quote, backslash or control character stands from `at` on;
/// behind the last byte if there is none.
#[inline]
pub(super) fn special(bytes: &[u8], at: usize) -> usize {
    let (pairs, rest) = bytes.get(at..).unwrap_or_default().as_chunks::<32>();
    for (pair, at) in pairs.iter().zip((at..).step_by(32)) {
        let low = pair.first_chunk().map_or(0, specials);
        let high = pair.last_chunk().map_or(0, specials);
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

/// The same of four chunks.
#[inline(always)]
pub(super) fn specials_of_block(block: &[u8; 64]) -> u64 {
    let bits = |at| {
        let chunk = block.get(at..).and_then(<[u8]>::first_chunk);
        u64::from(chunk.map_or(0, specials)) << at
    };
    bits(0) | bits(16) | bits(32) | bits(48)
}

/// A bit for each byte, the lowest for the first: whether it is special.
#[inline(always)]
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
    fn each_byte_of_a_block_has_its_bit() {
        for at in 0..64 {
            for byte in 0..=u8::MAX {
                let mut block = [b'a'; 64];
                block[at] = byte;
                let expected = u64::from(is_special(byte)) << at;
                assert_eq!(specials_of_block(&block), expected, "{byte} at {at}");
            }
        }
    }

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

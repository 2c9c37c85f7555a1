//! Finds the bytes of a string that do not stand for themselves, sixteen at a time.

const ONES: u64 = u64::MAX / 255;
const HIGH_BITS: u64 = ONES * 0x80;

/// Where the first quote, backslash or control character stands from `at` on;
/// behind the last byte if there is none.
#[inline]
pub(super) fn special(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        if any_special(chunk) {
            return at + first_special(chunk);
        }
        at += chunk.len();
    }
    if let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let found = special_in(u64::from_le_bytes(*word));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += word.len();
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let found = rest.iter().position(|b| is_special(*b));
    at + found.unwrap_or(rest.len())
}

/// Whether any byte is special. Without a way out of the loop it becomes a few
/// instructions that look at all of them at once.
#[inline]
#[expect(
    clippy::needless_bitwise_bool,
    reason = "a branch would keep it from looking at all bytes at once"
)]
fn any_special(chunk: &[u8; 16]) -> bool {
    let special = |any, b: &u8| any | (*b == b'"') | (*b == b'\\') | (*b < 0x20);
    chunk.iter().fold(false, special)
}

/// The place of the first byte that is special, in a chunk that has one. Nothing
/// here can be predicted, so there is nothing to branch on.
#[inline]
fn first_special(chunk: &[u8; 16]) -> usize {
    let (low, high) = chunk.split_at(8);
    let [low, high] = [low, high].map(|half| {
        let half = half.first_chunk().copied().unwrap_or_default();
        u128::from(special_in(u64::from_le_bytes(half)))
    });
    ((high << 64 | low).trailing_zeros() / 8) as usize
}

const fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
}

/// The high bit of the first byte that is special, and perhaps of some behind it:
/// a subtraction may borrow from the bytes behind one that it has found.
#[inline]
const fn special_in(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let found = (quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
        | (word.wrapping_sub(ONES * 0x20) & !word);
    found & HIGH_BITS
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

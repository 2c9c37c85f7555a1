//! Numbers as digits, eight at a time, and short texts that are appended without a call.

#![expect(clippy::inline_always, reason = "a call takes as long as what it does")]

/// Appends the first `count` of these bytes: a copy of a known length takes no call.
#[inline(always)]
pub(super) fn push_first<const N: usize>(bytes: &[u8; N], count: usize, out: &mut Vec<u8>) {
    let end = out.len() + count;
    out.extend_from_slice(bytes);
    out.truncate(end);
}

/// Appends an integer.
#[inline(always)]
pub(super) fn write_integer(value: i64, out: &mut Vec<u8>) {
    const BEYOND: u32 = 100_000_000;
    match u32::try_from(value) {
        Ok(number) if number < BEYOND => {
            let digits = eight_digits(number);
            // The last digit counts even if it is zero.
            let zeros = (digits | 1 << 56).trailing_zeros() / 8;
            let text = (digits | u64::from_le_bytes(*b"00000000")) >> (8 * zeros);
            push_first(&text.to_le_bytes(), 8 - zeros as usize, out);
        }
        _ => write_long_integer(value, out),
    }
}

#[inline(never)]
fn write_long_integer(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// The values of the digits of a number below 10^8, a byte each, the first one in the
/// lowest byte.
#[inline(always)]
pub(super) fn eight_digits(number: u32) -> u64 {
    let (high, low) = (number / 10_000, number % 10_000);
    let fours = u64::from(high) | u64::from(low) << 32;
    // In each half of the word a division by 100, in each quarter one by 10.
    let hundreds = (fours * 10_486) >> 20 & 0x0000_007f_0000_007f;
    let pairs = hundreds | (fours - hundreds * 100) << 16;
    let tens = (pairs * 103) >> 10 & 0x000f_000f_000f_000f;
    tens | (pairs - tens * 10) << 8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text_of(value: i64) -> String {
        let mut out = b"before".to_vec();
        write_integer(value, &mut out);
        String::from_utf8(out.split_off(6)).unwrap()
    }

    #[test]
    fn integers_of_each_length() {
        for power in (0..19).map(|power| 10_i64.pow(power)) {
            for value in [power - 1, power, power + 1] {
                assert_eq!(text_of(value), value.to_string());
                assert_eq!(text_of(-value), (-value).to_string());
            }
        }
        assert_eq!(text_of(i64::MIN), i64::MIN.to_string());
        assert_eq!(text_of(i64::MAX), i64::MAX.to_string());
    }

    proptest! {
        #[test]
        fn integers_are_written_as_by_the_standard_library(value: i64, below in 1_i64..200_000_000) {
            for value in [value, value % below] {
                prop_assert_eq!(text_of(value), value.to_string());
            }
        }

        #[test]
        fn every_digit_has_its_byte(number in 0_u32..100_000_000) {
            let text = eight_digits(number).to_le_bytes().map(|digit| char::from(digit + b'0'));
            prop_assert_eq!(text.iter().collect::<String>(), format!("{number:08}"));
        }
    }
}

//! Numbers straight from the bytes of a record, as long as no digit is lost.

#![expect(
    clippy::inline_always,
    reason = "the cursor stays in registers only where each step is part of the loop"
)]

use super::cursor::Cursor;

/// Powers of ten that a double holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Digits of which every number fits into 64 bits.
const DIGITS_MAX: usize = 18;

/// A number as written: `digits × 10^exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub is_negative: bool,
    pub digits: u64,
    pub exponent: i32,
}

/// The digits before the point.
#[derive(Clone, Copy, Debug)]
struct Whole {
    digits: u64,
    count: usize,
}

impl Cursor<'_> {
    /// Steps over a whole number without point or exponent.
    #[inline(always)]
    pub(super) fn integer(&mut self) -> Option<i64> {
        let is_negative = self.take(b'-');
        let digits = self.whole_part()?.digits.cast_signed();
        if matches!(self.byte(), b'.' | b'e' | b'E') {
            return None;
        }
        Some(if is_negative { -digits } else { digits })
    }

    /// Steps over a number whose digits fit into 64 bits.
    #[inline]
    pub(super) fn written(&mut self) -> Option<Written> {
        let is_negative = self.take(b'-');
        let Whole {
            mut digits,
            mut count,
        } = self.whole_part()?;
        let mut exponent = 0;
        if self.take(b'.') {
            let start = self.at();
            while let digit @ 0..=9 = self.byte().wrapping_sub(b'0') {
                // Beyond the limit the value is not used.
                digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit));
                self.step(1);
            }
            let places = self.at() - start;
            count += places;
            if places == 0 || count > DIGITS_MAX {
                return None;
            }
            exponent = -i32::try_from(places).ok()?;
        }
        if matches!(self.byte(), b'e' | b'E') {
            exponent += self.exponent()?;
        }
        Some(Written {
            is_negative,
            digits,
            exponent,
        })
    }

    fn exponent(&mut self) -> Option<i32> {
        self.step(1);
        let is_negative = self.byte() == b'-';
        if matches!(self.byte(), b'+' | b'-') {
            self.step(1);
        }
        let start = self.at();
        let mut exponent = 0;
        while let digit @ 0..=9 = self.byte().wrapping_sub(b'0') {
            exponent = exponent * 10 + i32::from(digit);
            self.step(1);
            if self.at() - start > 4 {
                return None;
            }
        }
        if self.at() == start {
            return None;
        }
        Some(if is_negative { -exponent } else { exponent })
    }

    /// Steps over the digits before the point.
    #[inline(always)]
    fn whole_part(&mut self) -> Option<Whole> {
        let (digits, count) = self.chunk().map_or((0, 8), leading_digits);
        if !(1..8).contains(&count) || (self.byte() == b'0' && count > 1) {
            let whole = self.long_whole_part()?;
            self.step(whole.count);
            return Some(whole);
        }
        self.step(count);
        Some(Whole { digits, count })
    }

    /// The same of any number of digits, and near the end of the bytes.
    #[inline(never)]
    fn long_whole_part(mut self) -> Option<Whole> {
        let has_leading_zero = self.byte() == b'0';
        let start = self.at();
        let mut digits = 0_u64;
        while let digit @ 0..=9 = self.byte().wrapping_sub(b'0') {
            digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit));
            self.step(1);
        }
        let count = self.at() - start;
        let is_number = count == 1 || (count > 1 && count <= DIGITS_MAX && !has_leading_zero);
        is_number.then_some(Whole { digits, count })
    }
}

/// The value of the digits with which eight bytes begin, and how many they are.
#[inline(always)]
fn leading_digits(chunk: &[u8; 8]) -> (u64, usize) {
    let offsets = u64::from_le_bytes(*chunk) ^ 0x3030_3030_3030_3030;
    // The high bit of each byte that is no digit. A carry reaches only later bytes.
    let others = (offsets.wrapping_add(0x7676_7676_7676_7676) | offsets) & 0x8080_8080_8080_8080;
    let count = (others.trailing_zeros() / 8) as usize;
    if count == 0 {
        return (0, 0);
    }
    // Zeros take the places before the digits, so that there are always eight.
    let digits = offsets << (64 - 8 * count);
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let even = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(0x000f_4240_0000_0064);
    let odd = ((pairs >> 16) & 0x0000_00ff_0000_00ff).wrapping_mul(0x0000_2710_0000_0001);
    (even.wrapping_add(odd) >> 32, count)
}

impl Written {
    /// The nearest double, if one exact operation gives it.
    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "below 2^53 nothing is lost")]
    pub(super) fn to_f64(self) -> Option<f64> {
        if self.digits > 1 << 53 {
            return None;
        }
        let power = EXACT_POWERS.get(self.exponent.unsigned_abs() as usize)?;
        let digits = self.digits as f64;
        let value = if self.exponent < 0 {
            digits / power
        } else {
            digits * power
        };
        Some(if self.is_negative { -value } else { value })
    }

    /// The nearest float, if one exact operation gives it.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "below 2^24 and 10^10 nothing is lost"
    )]
    pub(super) fn to_f32(self) -> Option<f32> {
        let places = self.exponent.unsigned_abs() as usize;
        if self.digits > 1 << 24 || places > 10 {
            return None;
        }
        let (digits, power) = (self.digits as f32, *EXACT_POWERS.get(places)? as f32);
        let value = if self.exponent < 0 {
            digits / power
        } else {
            digits * power
        };
        Some(if self.is_negative { -value } else { value })
    }

    /// The unscaled value of a `DECIMAL(precision, scale)`, if no digit has to be rounded.
    pub(super) fn to_decimal(self, precision: u8, scale: i8) -> Option<i128> {
        let places = u32::try_from(i32::from(scale) + self.exponent).ok()?;
        let value = 10_i128
            .checked_pow(places)?
            .checked_mul(i128::from(self.digits))?;
        let limit = 10_i128.checked_pow(u32::from(precision))?;
        if value >= limit {
            return None;
        }
        Some(if self.is_negative { -value } else { value })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::formats::Limits;

    fn with_rest<T>(text: &str, rest: &str, read: impl Fn(&mut Cursor) -> Option<T>) -> Option<T> {
        let (bytes, limits) = (format!("{text}{rest}"), Limits::default());
        let mut cursor = Cursor::of_record(bytes.as_bytes(), &limits);
        let read = read(&mut cursor)?;
        assert_eq!(cursor.at(), text.len(), "{bytes}");
        Some(read)
    }

    fn integer(cursor: &mut Cursor) -> Option<i64> {
        cursor.integer()
    }

    fn written(cursor: &mut Cursor) -> Option<Written> {
        cursor.written()
    }

    #[test]
    fn whole_numbers() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("7", Some(7)),
            ("-42", Some(-42)),
            ("12345678", Some(12_345_678)),
            ("123456789", Some(123_456_789)),
            ("-1234567890123456", Some(-1_234_567_890_123_456)),
            ("999999999999999999", Some(999_999_999_999_999_999)),
            ("9999999999999999999", None),
            ("00", None),
            ("01", None),
            ("-", None),
            ("", None),
            ("1.0", None),
            ("1e0", None),
            ("+1", None),
        ] {
            for rest in [
                "",
                ",",
                "}",
                "}           ",
                "\u{3a}\u{2f}          ",
                "é      ",
            ] {
                let found = with_rest(text, rest, integer);
                assert_eq!(found, expected, "{text}{rest}");
            }
        }
    }

    proptest! {
        #[test]
        fn digits_end_where_they_should(text in "[0-9]{0,8}", rest in "[^0-9]{8}") {
            let bytes = format!("{text}{rest}");
            let chunk = bytes.as_bytes().first_chunk().unwrap();
            let expected = text.parse().unwrap_or(0);
            prop_assert_eq!(leading_digits(chunk), (expected, text.len()));
        }

        #[test]
        fn fractions_are_those_of_the_library(
            text in "-?(0|[1-9][0-9]{0,9})(\\.[0-9]{1,9})?([eE][-+]?[0-9]{1,2})?",
            precision in 1_u8..=38,
            scale in 0_i8..=10,
        ) {
            let Some(written) = with_rest(&text, "}", written) else {
                return Ok(());
            };
            if let Some(value) = written.to_f64() {
                prop_assert_eq!(value.to_bits(), text.parse::<f64>().unwrap().to_bits());
            }
            if let Some(value) = written.to_f32() {
                prop_assert_eq!(value.to_bits(), text.parse::<f32>().unwrap().to_bits());
            }
            if let Some(value) = written.to_decimal(precision, scale) {
                prop_assert_eq!(Ok(value), crate::formats::decimal::parse(&text, precision, scale));
            }
        }
    }
}

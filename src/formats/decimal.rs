//! Exact decimals: from the text of a number to unscaled digits and back.

use std::io::Write as _;

/// The most digits of a decimal.
pub(super) const PRECISION_MAX: u8 = 38;

/// Why a text is no value of a decimal type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Error {
    /// It is no number.
    Malformed,
    /// It has more digits before the point than the type.
    Overflow,
}

/// The unscaled value of `text` as `DECIMAL(precision, scale)`; digits beyond
/// the scale are rounded half up (away from zero), as Flink does.
pub(super) fn parse(text: &str, precision: u8, scale: i8) -> Result<i128, Error> {
    let (negative, unsigned) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    let split = unsigned.iter().position(|b| matches!(b, b'e' | b'E'));
    let (mantissa, exponent) = match split {
        None => (unsigned, 0),
        Some(at) => {
            let (mantissa, exponent) = unsigned.split_at(at);
            (
                mantissa,
                parse_exponent(exponent.get(1..).unwrap_or_default())?,
            )
        }
    };
    let point = mantissa.iter().position(|b| *b == b'.');
    let fraction_digits = point.map_or(0, |at| mantissa.len() - at - 1);
    let digits = || mantissa.iter().filter(|b| **b != b'.');
    if digits().next().is_none()
        || !digits().all(u8::is_ascii_digit)
        || mantissa.len() - digits().count() > 1
    {
        return Err(Error::Malformed);
    }
    let significant: Vec<u8> = digits()
        .skip_while(|b| **b == b'0')
        .map(|b| b - b'0')
        .collect();
    // How many of the significant digits lie before the last digit of the scale.
    let kept = exponent
        .saturating_sub(i64::try_from(fraction_digits).unwrap_or(i64::MAX))
        .saturating_add(i64::from(scale))
        .saturating_add(i64::try_from(significant.len()).unwrap_or(i64::MAX));
    if significant.is_empty() || kept < 0 {
        return Ok(0);
    }
    let Some(kept) = usize::try_from(kept)
        .ok()
        .filter(|kept| *kept <= usize::from(PRECISION_MAX))
    else {
        return Err(Error::Overflow);
    };
    let mut value: i128 = 0;
    for place in 0..kept {
        value = value * 10 + i128::from(significant.get(place).copied().unwrap_or(0));
    }
    if significant.get(kept).is_some_and(|digit| *digit >= 5) {
        value += 1;
    }
    if value >= 10_i128.pow(u32::from(precision.min(PRECISION_MAX))) {
        return Err(Error::Overflow);
    }
    Ok(if negative { -value } else { value })
}

/// The exponent of a number, held to a range that cannot overflow later.
/// An unscaled value of another scale as one of `DECIMAL(precision, scale)`; digits
/// beyond the scale are rounded as [`parse`] does. `None` if it has too many digits.
pub(super) fn rescale(value: i128, from_scale: u32, precision: u8, scale: i8) -> Option<i128> {
    let scale = u32::try_from(scale).ok()?;
    let rescaled = match scale.checked_sub(from_scale) {
        Some(0) => value,
        Some(more) => value.checked_mul(10_i128.checked_pow(more)?)?,
        None => match 10_i128.checked_pow(from_scale - scale) {
            Some(divisor) => {
                let (whole, rest) = (value / divisor, value % divisor);
                let rounds = rest.unsigned_abs() >= divisor.unsigned_abs().div_ceil(2);
                whole + if rounds { value.signum() } else { 0 }
            }
            // Less than half of the last digit.
            None => 0,
        },
    };
    let bound = 10_u128.checked_pow(precision.into())?;
    (rescaled.unsigned_abs() < bound).then_some(rescaled)
}

fn parse_exponent(text: &[u8]) -> Result<i64, Error> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] | digits => (1, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Error::Malformed);
    }
    let mut exponent: i64 = 0;
    for digit in digits {
        exponent = (exponent * 10 + i64::from(digit - b'0')).min(1_000_000);
    }
    Ok(sign * exponent)
}

/// Appends a decimal with all digits of its scale: `1.50`.
pub(super) fn write_plain(value: i128, scale: i8, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let digits = value.unsigned_abs().to_string();
    let scale = usize::try_from(scale).unwrap_or(0);
    if scale == 0 {
        out.extend_from_slice(digits.as_bytes());
        return;
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    out.extend_from_slice(whole.as_bytes());
    out.push(b'.');
    out.extend_from_slice(fraction.as_bytes());
}

/// Appends a decimal as Java's `BigDecimal` prints it: plainly, but with an
/// exponent if its first digit stands more than six places behind the point.
pub(super) fn write_scientific(value: i128, scale: i8, out: &mut Vec<u8>) {
    let digits = value.unsigned_abs().to_string();
    let first_place = i64::try_from(digits.len()).unwrap_or(i64::MAX) - 1 - i64::from(scale);
    if first_place >= -6 {
        return write_plain(value, scale, out);
    }
    if value < 0 {
        out.push(b'-');
    }
    let (first, rest) = digits.split_at(1);
    out.extend_from_slice(first.as_bytes());
    if !rest.is_empty() {
        out.push(b'.');
        out.extend_from_slice(rest.as_bytes());
    }
    write!(out, "E{first_place}").expect("writing into memory succeeds");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_to_decimal() {
        use Error::{Malformed, Overflow};
        for (text, precision, scale, expected) in [
            ("0", 10, 2, Ok(0)),
            ("1", 10, 2, Ok(100)),
            ("-1.5", 10, 2, Ok(-150)),
            ("+1.5", 10, 2, Ok(150)),
            ("1.005", 10, 2, Ok(101)),
            ("1.004", 10, 2, Ok(100)),
            ("-1.005", 10, 2, Ok(-101)),
            (
                "1.00499999999999999999999999999999999999999999",
                10,
                2,
                Ok(100),
            ),
            ("0.005", 3, 2, Ok(1)),
            ("0.004", 3, 2, Ok(0)),
            ("0.0005", 3, 2, Ok(0)),
            (".5", 3, 1, Ok(5)),
            ("5.", 3, 1, Ok(50)),
            ("12e-1", 3, 1, Ok(12)),
            ("1.2E+1", 3, 0, Ok(12)),
            ("1e2", 3, 0, Ok(100)),
            ("1e3", 3, 0, Err(Overflow)),
            ("9.995", 3, 2, Err(Overflow)),
            ("9.994", 3, 2, Ok(999)),
            ("1e-999999999999999999999", 3, 2, Ok(0)),
            ("1e999999999999999999999", 3, 2, Err(Overflow)),
            ("0e999999999999999999999", 3, 2, Ok(0)),
            (
                "99999999999999999999999999999999999999",
                38,
                0,
                Ok(99_999_999_999_999_999_999_999_999_999_999_999_999),
            ),
            (
                "100000000000000000000000000000000000000",
                38,
                0,
                Err(Overflow),
            ),
            ("0.00000000000000000000000000000000000001", 38, 38, Ok(1)),
            ("1", 38, 38, Err(Overflow)),
            ("", 3, 2, Err(Malformed)),
            (".", 3, 2, Err(Malformed)),
            ("-", 3, 2, Err(Malformed)),
            ("1.2.3", 3, 2, Err(Malformed)),
            ("1e", 3, 2, Err(Malformed)),
            ("e1", 3, 2, Err(Malformed)),
            ("1x", 3, 2, Err(Malformed)),
            ("NaN", 3, 2, Err(Malformed)),
            (" 1", 3, 2, Err(Malformed)),
        ] {
            assert_eq!(parse(text, precision, scale), expected, "{text}");
        }
    }

    #[test]
    fn decimal_to_text() {
        for (value, scale, plain, scientific) in [
            (0, 0, "0", "0"),
            (0, 2, "0.00", "0.00"),
            (150, 2, "1.50", "1.50"),
            (-5, 2, "-0.05", "-0.05"),
            (27, 9, "0.000000027", "2.7E-8"),
            (1, 6, "0.000001", "0.000001"),
            (1, 7, "0.0000001", "1E-7"),
            (-123, 10, "-0.0000000123", "-1.23E-8"),
            (12345, 3, "12.345", "12.345"),
        ] {
            let mut out = Vec::new();
            write_plain(value, scale, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), plain);
            out.clear();
            write_scientific(value, scale, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), scientific);
        }
    }

    proptest! {
        #[test]
        fn both_forms_are_read_back(value in any::<i128>(), scale in 0_i8..=38) {
            let value = value % 10_i128.pow(38);
            let mut out = Vec::new();
            write_plain(value, scale, &mut out);
            prop_assert_eq!(parse(std::str::from_utf8(&out).unwrap(), 38, scale), Ok(value));
            out.clear();
            write_scientific(value, scale, &mut out);
            prop_assert_eq!(parse(std::str::from_utf8(&out).unwrap(), 38, scale), Ok(value));
        }
    }
}

//! Functions of numbers that the query library lacks or rounds in another way.

#![expect(
    clippy::unnecessary_wraps,
    reason = "all functions of rows have one form, whether they fail or not"
)]

use std::borrow::Cow;
use std::net::Ipv4Addr;

use super::row_kernel::Compute::{BigInt, Double, Text};
use super::row_kernel::{Answer, Row, RowKernel};

/// The functions of this file.
pub(super) static KERNELS: [RowKernel; 13] = [
    RowKernel::strict(
        "ABS_BIGINT",
        BigInt(|row| Ok(Some(row.integer(0).wrapping_abs()))),
    ),
    RowKernel::strict("COSH", Double(|row| Ok(Some(row.double(0).cosh())))),
    RowKernel::strict("COT", Double(|row| Ok(Some(1.0 / row.double(0).tan())))),
    RowKernel::strict("INET_ATON", BigInt(inet_aton)),
    RowKernel::strict("INET_NTOA", Text(inet_ntoa)),
    RowKernel::strict("LOG", Double(log)),
    RowKernel::strict("ROUND_BIGINT", BigInt(round_integer)),
    RowKernel::strict("ROUND_DOUBLE", Double(round)),
    RowKernel::strict("SINH", Double(|row| Ok(Some(row.double(0).sinh())))),
    RowKernel::strict("SQRT", Double(|row| Ok(Some(row.double(0).sqrt())))),
    RowKernel::strict("TANH", Double(|row| Ok(Some(row.double(0).tanh())))),
    RowKernel::strict("TRUNCATE_BIGINT", BigInt(truncate_integer)),
    RowKernel::strict("TRUNCATE_DOUBLE", Double(truncate)),
];

/// The natural logarithm, or that of the second argument to the base of the first.
fn log(row: &Row) -> Answer<f64> {
    let first = row.double(0).ln();
    Ok(Some(if row.len() == 1 {
        first
    } else {
        row.double(1).ln() / first
    }))
}

/// The number with so many digits behind the point, as they stand in its shortest
/// decimal form.
fn truncate(row: &Row) -> Answer<f64> {
    Ok(Some(shortened(row.double(0), row.integer(1), |_| false)))
}

/// Rounds half away from zero, again by the digits of the shortest decimal form.
fn round(row: &Row) -> Answer<f64> {
    Ok(Some(shortened(row.double(0), row.integer(1), |digit| {
        digit >= b'5'
    })))
}

fn shortened(value: f64, places: i64, rounds_up: impl Fn(u8) -> bool) -> f64 {
    if !value.is_finite() {
        return value;
    }
    let text = value.abs().to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits = [b"0", whole.as_bytes(), fraction.as_bytes()].concat();
    let point = i64::try_from(whole.len() + 1).unwrap_or(i64::MAX);
    let kept = usize::try_from(point.saturating_add(places)).unwrap_or(0);
    if kept >= digits.len() {
        return value;
    }
    let mut kept_digits = digits[..kept].to_vec();
    if kept > 0 && rounds_up(digits[kept]) {
        increment(&mut kept_digits);
    }
    let exponent = point - i64::try_from(kept).unwrap_or(0);
    let text = format!("0{}e{exponent}", String::from_utf8_lossy(&kept_digits));
    let shortened: f64 = text.parse().unwrap_or(value);
    shortened.copysign(value)
}

/// An integer with zeros for so many of its last digits as the negative number of
/// places says, rounded half away from zero. What is too large wraps around.
fn round_integer(row: &Row) -> Answer<i64> {
    Ok(Some(rounded(row, |rest, unit| 2 * rest.abs() >= unit)))
}

fn truncate_integer(row: &Row) -> Answer<i64> {
    Ok(Some(rounded(row, |_, _| false)))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "Java keeps the lowest bits of what is too large"
)]
fn rounded(row: &Row, goes_away: impl Fn(i128, i128) -> bool) -> i64 {
    let (value, places) = (i128::from(row.integer(0)), row.integer(1));
    // No integer has more digits than 19.
    let zeros = u32::try_from(places.saturating_neg().clamp(0, 20)).unwrap_or(0);
    let unit = 10_i128.pow(zeros);
    let rest = value % unit;
    let away = if goes_away(rest, unit) {
        unit * rest.signum()
    } else {
        0
    };
    (value - rest + away) as i64
}

/// Adds one to the number that the digits are; the first is 0.
fn increment(digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
}

/// The number of an address; an address of less than four parts has the last one for
/// all that is left.
fn inet_aton(row: &Row) -> Answer<i64> {
    let parts: Vec<&str> = row.text(0).split('.').collect();
    let Some((last, first)) = parts.split_last().filter(|_| parts.len() <= 4) else {
        return Ok(None);
    };
    let number = |part: &str, most: i64| {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number
            .then(|| part.parse::<i64>().ok())
            .flatten()
            .filter(|part| *part <= most)
    };
    let mut address = 0_i64;
    for part in first {
        let Some(part) = number(part, 255) else {
            return Ok(None);
        };
        address = address << 8 | part;
    }
    let bits = 8 * (5 - parts.len());
    let rest = number(last, (1 << bits) - 1);
    Ok(rest.map(|rest| address << bits | rest))
}

fn inet_ntoa<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let address = u32::try_from(row.integer(0)).ok();
    Ok(address.map(|address| Ipv4Addr::from(address).to_string().into()))
}

//! The value of each type that a text stands for, or why it stands for none.

use std::str::FromStr;

use arrow::datatypes::{DataType, TimeUnit};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::names::{not_a, quoted, shaped, sql_name};
use super::values::Values;
use crate::formats::datetime::{self, TimestampForm};
use crate::formats::decimal;

impl Values {
    /// Appends the value that `text` stands for; nothing if it stands for none.
    pub(super) fn push_text(
        &mut self,
        text: &str,
        of: &DataType,
        form: TimestampForm,
    ) -> Result<(), String> {
        match self {
            Self::Boolean(values) => match text.trim() {
                yes if yes.eq_ignore_ascii_case("true") => values.append(true),
                no if no.eq_ignore_ascii_case("false") => values.append(false),
                _ => return Err(not_a(text, of)),
            },
            Self::Int8(values) => values.push(integer(text, of)?),
            Self::Int16(values) => values.push(integer(text, of)?),
            Self::Int32(values) => values.push(integer(text, of)?),
            Self::Int64(values) => values.push(integer(text, of)?),
            Self::Float32(values) => values.push(float(text, of, f32::is_infinite)?),
            Self::Float64(values) => values.push(float(text, of, f64::is_infinite)?),
            Self::Decimal(values) => values.push(decimal_of(text, of)?),
            Self::Text(values) => values.push(text.as_bytes())?,
            Self::Binary(values) => values.push_with(|bytes| {
                let decoded = STANDARD.decode_vec(text, bytes);
                decoded.map_err(|error| format!("{} is not base64: {error}", quoted(text)))
            })?,
            Self::Date(values) => {
                let days = datetime::parse_date(text.trim());
                values.push(days.ok_or_else(|| shaped(text, of, "2020-01-31"))?);
            }
            Self::Time(values) => {
                let nanos = datetime::parse_time(text.trim());
                let nanos = nanos.ok_or_else(|| shaped(text, of, "12:00:00.123"))?;
                values.push(nanos / datetime::nanos_per(unit_of(of)));
            }
            Self::Timestamp(values) => {
                let is_instant = matches!(of, DataType::Timestamp(_, Some(_)));
                let written = text.trim();
                let local = if is_instant {
                    written.strip_suffix('Z')
                } else {
                    Some(written)
                };
                let units =
                    local.and_then(|local| datetime::parse_timestamp(local, form, unit_of(of)));
                let example = || format!("{}{}", form.example(), if is_instant { "Z" } else { "" });
                values.push(units.ok_or_else(|| shaped(text, of, &example()))?);
            }
            Self::Row(_) | Self::List(_) | Self::Map(_) => return Err(not_a(text, of)),
        }
        Ok(())
    }
}

/// The unit of a time or timestamp type.
pub(in crate::formats) fn unit_of(data_type: &DataType) -> TimeUnit {
    match data_type {
        DataType::Time32(unit) | DataType::Time64(unit) | DataType::Timestamp(unit, _) => *unit,
        _ => TimeUnit::Nanosecond,
    }
}

/// A whole number, also one written as `1.0` or `1e3`; a part behind the point is refused.
fn integer<T: FromStr + TryFrom<i128>>(text: &str, of: &DataType) -> Result<T, String> {
    let text = text.trim();
    if let Ok(value) = text.parse() {
        return Ok(value);
    }
    let outside = || format!("{} is outside the range of {}", quoted(text), sql_name(of));
    let scaled = match decimal::parse(text, decimal::PRECISION_MAX, 1) {
        Ok(scaled) => scaled,
        Err(decimal::Error::Overflow) => return Err(outside()),
        Err(decimal::Error::Malformed) => return Err(not_a(text, of)),
    };
    // One digit behind the point shows a fraction of a tenth or more; the exact
    // value must be the same as that of the whole part.
    let whole = scaled / 10;
    let has_fraction = scaled % 10 != 0
        || decimal::parse(text, decimal::PRECISION_MAX, 18).is_ok_and(|fine| {
            whole
                .checked_mul(1_000_000_000_000_000_000)
                .is_some_and(|expected| expected != fine)
        });
    if has_fraction {
        return Err(format!("{} is not a whole number", quoted(text)));
    }
    T::try_from(whole).map_err(|_| outside())
}

fn float<T: FromStr + Copy>(
    text: &str,
    of: &DataType,
    is_infinite: fn(T) -> bool,
) -> Result<T, String> {
    let text = text.trim();
    let spelled = matches!(text, "NaN" | "Infinity" | "-Infinity" | "+Infinity");
    let numeric = |b: &u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E');
    if !spelled && !text.as_bytes().iter().all(numeric) {
        return Err(not_a(text, of));
    }
    let value = text.parse().map_err(|_| not_a(text, of))?;
    if is_infinite(value) && !spelled {
        return Err(format!(
            "{} is outside the range of {}",
            quoted(text),
            sql_name(of)
        ));
    }
    Ok(value)
}

fn decimal_of(text: &str, of: &DataType) -> Result<i128, String> {
    let &DataType::Decimal128(precision, scale) = of else {
        return Err(not_a(text, of));
    };
    decimal::parse(text.trim(), precision, scale).map_err(|error| match error {
        decimal::Error::Malformed => not_a(text, of),
        decimal::Error::Overflow => {
            format!("{} does not fit into {}", quoted(text), sql_name(of))
        }
    })
}

//! Literals as Flink reads them, where the query library would read them in
//! another way: numbers, timestamps and intervals are rewritten before a query
//! is planned.

use datafusion_common::Result;
use datafusion_sql::sqlparser::ast::{
    CastKind, DataType, DateTimeField, ExactNumberInfo, Expr, Interval, TimezoneInfo,
    UnaryOperator, Value, ValueWithSpan,
};
use datafusion_sql::sqlparser::tokenizer::Span as TokenSpan;

use super::data_type::MAX_PRECISION;
use super::diagnose::{library_span, refusal};

/// Rewrites an expression if it is a literal; those inside it come before it.
///
/// # Errors
/// If the text of an interval is not of its form.
pub(super) fn as_in_flink(expression: &mut Expr) -> Result<()> {
    match expression {
        Expr::Value(value) => {
            if let Value::Number(digits, _) = &value.value
                && let Some(cast) = number(digits, value.span)
            {
                *expression = cast;
            }
        }
        Expr::TypedString(typed) => {
            if let DataType::Timestamp(None, TimezoneInfo::None) = typed.data_type
                && let Value::SingleQuotedString(text) = &typed.value.value
            {
                let precision = timestamp_precision(text);
                typed.data_type = DataType::Timestamp(Some(precision), TimezoneInfo::None);
            }
        }
        Expr::Interval(interval) => one_interval(interval)?,
        // The library would negate the first part of an interval alone.
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } if is_interval_of_parts(expr) => {
            let null = Expr::value(Value::Null);
            let interval = std::mem::replace(expr.as_mut(), null);
            **expr = Expr::Nested(Box::new(interval));
        }
        _ => (),
    }
    Ok(())
}

/// A number whose type the library would not see: one with an exponent is a
/// `DOUBLE`, and zeros before the point are digits of a decimal.
fn number(digits: &str, span: TokenSpan) -> Option<Expr> {
    let cast = |value: Value, data_type: DataType| {
        let value = ValueWithSpan { value, span };
        Some(Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(Expr::Value(value)),
            data_type,
            array: false,
            format: None,
        })
    };
    if digits.contains(['e', 'E']) {
        let text = Value::SingleQuotedString(digits.to_owned());
        return cast(text, DataType::Double(ExactNumberInfo::None));
    }
    let (whole, fraction) = digits.split_once('.')?;
    let precision = whole.len() + fraction.len();
    if !whole.starts_with('0') || fraction.is_empty() || precision > usize::from(MAX_PRECISION) {
        return None;
    }
    let precision = u64::try_from(precision).ok()?;
    let scale = i64::try_from(fraction.len()).ok()?;
    let data_type = DataType::Decimal(ExactNumberInfo::PrecisionAndScale(precision, scale));
    cast(Value::Number(digits.to_owned(), false), data_type)
}

/// The digits of the second that are written, as many as a type has at least.
fn timestamp_precision(text: &str) -> u64 {
    match text.rsplit_once('.').map_or(0, |(_, digits)| digits.len()) {
        0..=3 => 3,
        4..=6 => 6,
        _ => 9,
    }
}

fn is_interval_of_parts(expression: &Expr) -> bool {
    let Expr::Interval(interval) = expression else {
        return false;
    };
    matches!(text_of(interval), Some((text, _)) if text.contains(' '))
}

fn text_of(interval: &Interval) -> Option<(String, TokenSpan)> {
    match interval.value.as_ref() {
        Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(text),
            span,
        }) => Some((text.clone(), *span)),
        _ => None,
    }
}

/// The units of an interval from the longest to the shortest, what stands before
/// each within a text, and the greatest number of each behind a longer one.
const UNITS: [(DateTimeField, char, u32); 6] = [
    (DateTimeField::Year, ' ', 0),
    (DateTimeField::Month, '-', 11),
    (DateTimeField::Day, ' ', 0),
    (DateTimeField::Hour, ' ', 23),
    (DateTimeField::Minute, ':', 59),
    (DateTimeField::Second, ':', 59),
];

/// Writes an interval of several units, such as `'10:30' MINUTE TO SECOND`, in
/// the library's form. The number of digits that is declared changes no value.
fn one_interval(interval: &mut Interval) -> Result<()> {
    interval.leading_precision = None;
    interval.fractional_seconds_precision = None;
    let (Some((text, span)), Some(first)) = (text_of(interval), interval.leading_field.clone())
    else {
        return Ok(());
    };
    let place = |field: &DateTimeField| UNITS.iter().position(|(unit, ..)| unit == field);
    let last = interval.last_field.take();
    let units = match (place(&first), last.as_ref().map(place)) {
        (Some(first), None) => UNITS.get(first..=first),
        (Some(first), Some(Some(last))) if (first < 2) == (last < 2) => UNITS.get(first..=last),
        // The library knows more units than these, such as WEEK.
        (None, None) => return Ok(()),
        _ => None,
    };
    let Some(units) = units.filter(|units| !units.is_empty()) else {
        let message = "an INTERVAL goes from a longer unit to a shorter one";
        let hint = "there are YEAR TO MONTH and DAY, HOUR or MINUTE TO SECOND";
        return Err(refusal(message, library_span(span), Some(hint.to_owned())));
    };
    let Some(parts) = parts(&text, units) else {
        let names: Vec<String> = units.iter().map(|(unit, ..)| unit.to_string()).collect();
        let message = format!("'{text}' is no interval of {}", names.join(", "));
        let hint = format!("write INTERVAL {}", example(units));
        return Err(refusal(message, library_span(span), Some(hint)));
    };
    interval.leading_field = units.last().map(|(unit, ..)| unit.clone());
    let value = Value::SingleQuotedString(parts);
    *interval.value = Expr::Value(ValueWithSpan { value, span });
    Ok(())
}

/// The numbers of a text with their units, but for the last one's unit.
fn parts(text: &str, units: &[(DateTimeField, char, u32)]) -> Option<String> {
    let trimmed = text.trim();
    let (sign, mut rest) = match trimmed.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let mut written: Vec<String> = Vec::new();
    for (place, (unit, _, most)) in units.iter().enumerate() {
        let separator = units.get(place + 1).map(|(_, separator, _)| *separator);
        let (number, behind) = match separator {
            Some(separator) => rest.split_once(separator)?,
            None => (rest, ""),
        };
        rest = behind.trim_start();
        let (whole, fraction) = match number.split_once('.') {
            Some(parts) if *unit == DateTimeField::Second => parts,
            Some(_) => return None,
            None => (number, "0"),
        };
        let is_number = |digits: &str| {
            (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        let value = whole.parse::<u32>().ok().filter(|_| is_number(whole))?;
        if !is_number(fraction) || place > 0 && value > *most {
            return None;
        }
        written.push(match separator {
            Some(_) => format!("{sign}{number} {unit}"),
            None => format!("{sign}{number}"),
        });
    }
    Some(written.join(" "))
}

fn example(units: &[(DateTimeField, char, u32)]) -> String {
    let mut text = String::new();
    for (place, (_, separator, _)) in units.iter().enumerate() {
        if place > 0 {
            text.push(*separator);
        }
        text.push_str(if place > 0 { "10" } else { "1" });
    }
    let names = match units {
        [(only, ..)] => only.to_string(),
        [(first, ..), .., (last, ..)] => format!("{first} TO {last}"),
        [] => String::new(),
    };
    format!("'{text}' {names}")
}

#[cfg(test)]
mod tests {
    use datafusion_sql::sqlparser::dialect::GenericDialect;
    use datafusion_sql::sqlparser::parser::Parser;

    use super::super::diagnose::diagnostics;
    use super::super::query::rewritten;
    use crate::plan::Span;

    #[test]
    fn literals_are_rewritten() {
        for (written, expected) in [
            ("1E-3", "CAST('1E-3' AS DOUBLE)"),
            ("0.10", "CAST(0.10 AS DECIMAL(3,2))"),
            ("1.10", "1.10"),
            (".5", ".5"),
            (
                "TIMESTAMP '2020-01-01 00:00:00'",
                "TIMESTAMP(3) '2020-01-01 00:00:00'",
            ),
            (
                "TIMESTAMP '2020-01-01 00:00:00.1234'",
                "TIMESTAMP(6) '2020-01-01 00:00:00.1234'",
            ),
            ("INTERVAL '10' DAY(3)", "INTERVAL '10' DAY"),
            ("INTERVAL '-1.5' SECOND", "INTERVAL '-1.5' SECOND"),
            (
                "INTERVAL '1 10:30' DAY TO MINUTE",
                "INTERVAL '1 DAY 10 HOUR 30' MINUTE",
            ),
            (
                "INTERVAL '-10:30.5' MINUTE TO SECOND",
                "INTERVAL '-10 MINUTE -30.5' SECOND",
            ),
            (
                "- INTERVAL '1-2' YEAR TO MONTH",
                "-(INTERVAL '1 YEAR 2' MONTH)",
            ),
            ("INTERVAL 'x' SECOND", "error: 'x' is no interval of SECOND"),
            ("INTERVAL '1.5' HOUR", "error: '1.5' is no interval of HOUR"),
            (
                "INTERVAL '1-12' YEAR TO MONTH",
                "error: '1-12' is no interval of YEAR, MONTH",
            ),
            (
                "INTERVAL '1' DAY TO MONTH",
                "error: an INTERVAL goes from a longer unit to a shorter one",
            ),
        ] {
            let mut parser = Parser::new(&GenericDialect {})
                .try_with_sql(written)
                .unwrap();
            let mut expression = parser.parse_expr().unwrap();
            let found = match rewritten(&mut expression) {
                Ok(_) => expression.to_string(),
                Err(error) => {
                    let found = diagnostics(&error, Span::default());
                    format!("error: {}", found[0].message)
                }
            };
            assert_eq!(found, expected, "{written}");
        }
    }
}

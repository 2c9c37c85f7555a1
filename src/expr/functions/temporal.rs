//! `EXTRACT` and `DATE_FORMAT`.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::compute::{DatePart, cast, date_part};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType};
use arrow::temporal_conversions::timestamp_us_to_datetime;
use datafusion_common::{DataFusionError, Result, internal_err, plan_err};
use datafusion_expr::ScalarUDF;

use super::kernel::Kernel;

/// `EXTRACT(field, moment)`: a part of a date, time or timestamp as `BIGINT`.
pub fn extract() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "EXTRACT",
            accept: |arguments| match arguments {
                [DataType::Utf8, moment] if is_moment(moment) => Ok(arguments.to_vec()),
                _ => Err("EXTRACT takes a part of a DATE, TIME or TIMESTAMP".to_owned()),
            },
            result: |_| DataType::Int64,
            evaluate: |arguments, _| part(arguments),
        }
        .function()
    });
    Arc::clone(&FUNCTION)
}

/// What is wrong with a pattern of [`date_format`], if anything is.
///
/// # Errors
/// A sentence that names the letters.
pub fn check_date_pattern(pattern: &str) -> Result<(), String> {
    let parts = parts_of(pattern)?;
    if parts.iter().any(|part| matches!(part, PatternPart::Offset)) {
        return Err(format!("DATE_FORMAT has no offset for the X in {pattern}"));
    }
    Ok(())
}

/// What is wrong with a pattern by which texts are read, if anything is.
///
/// # Errors
/// As [`check_date_pattern`].
pub fn check_read_pattern(pattern: &str) -> Result<(), String> {
    parts_of(pattern).map(|_| ())
}

/// `DATE_FORMAT(timestamp, pattern)` with the letters of Java's `DateTimeFormatter`.
pub fn date_format() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "DATE_FORMAT",
            accept: |arguments| match arguments {
                [
                    DataType::Timestamp(TimeUnit::Nanosecond, None),
                    DataType::Utf8,
                ] => Ok(arguments.to_vec()),
                [
                    DataType::Timestamp(_, None) | DataType::Date32,
                    DataType::Utf8,
                ] => Ok(vec![
                    DataType::Timestamp(TimeUnit::Microsecond, None),
                    DataType::Utf8,
                ]),
                _ => Err("DATE_FORMAT takes a TIMESTAMP and a STRING".to_owned()),
            },
            result: |_| DataType::Utf8,
            evaluate: |arguments, _| formatted(arguments),
        }
        .function()
    });
    Arc::clone(&FUNCTION)
}

fn is_moment(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Date32
            | DataType::Time32(_)
            | DataType::Time64(_)
            | DataType::Timestamp(_, None)
            | DataType::Null
    )
}

/// The fields of `EXTRACT` that are known, and what they mean.
const FIELDS: [(&str, DatePart); 11] = [
    ("YEAR", DatePart::Year),
    ("QUARTER", DatePart::Quarter),
    ("MONTH", DatePart::Month),
    ("WEEK", DatePart::Week),
    ("DAY", DatePart::Day),
    ("DOY", DatePart::DayOfYear),
    ("DOW", DatePart::DayOfWeekSunday0),
    ("HOUR", DatePart::Hour),
    ("MINUTE", DatePart::Minute),
    ("SECOND", DatePart::Second),
    ("MILLISECOND", DatePart::Millisecond),
];

/// Whether `EXTRACT` knows a field of this name.
pub fn is_extract_field(name: &str) -> bool {
    date_part_of(name).is_some()
}

fn date_part_of(name: &str) -> Option<DatePart> {
    let known = FIELDS
        .iter()
        .find(|(field, _)| field.eq_ignore_ascii_case(name));
    known.map(|(_, part)| *part)
}

fn part(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let [fields, moments] = arguments else {
        return internal_err!("EXTRACT is planned with two arguments");
    };
    // The field is a literal: the same in all rows.
    let Some(field) = fields.as_string::<i32>().iter().flatten().next() else {
        return Ok(arrow::array::new_null_array(
            &DataType::Int64,
            moments.len(),
        ));
    };
    let Some(part) = date_part_of(field) else {
        return plan_err!("there is no {field} to EXTRACT");
    };
    let values = cast(&date_part(moments, part)?, &DataType::Int64)?;
    if part == DatePart::DayOfWeekSunday0 {
        // Flink counts from Sunday, which is 1.
        let one = arrow::array::Int64Array::new_scalar(1);
        return Ok(arrow::compute::kernels::numeric::add(&values, &one)?);
    }
    Ok(values)
}

fn formatted(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let [moments, patterns] = arguments else {
        return internal_err!("DATE_FORMAT is planned with two arguments");
    };
    let patterns: &StringArray = patterns.as_string::<i32>();
    let mut texts = StringBuilder::new();
    let mut translated: Option<(&str, Vec<PatternPart>)> = None;
    for row in 0..moments.len() {
        if moments.is_null(row) || patterns.is_null(row) {
            texts.append_null();
            continue;
        }
        let pattern = patterns.value(row);
        let parts = match translated.take() {
            Some((known, parts)) if known == pattern => parts,
            _ => parts_of(pattern).map_err(DataFusionError::Execution)?,
        };
        let nanos = moments.as_primitive_opt::<TimestampNanosecondType>();
        let micros = moments.as_primitive_opt::<TimestampMicrosecondType>();
        let moment = nanos
            .and_then(|moments| moments.value_as_datetime(row))
            .or_else(|| micros.and_then(|moments| moments.value_as_datetime(row)));
        texts.append_option(
            moment.map(|moment| shown(&parts, |format| moment.format(format).to_string())),
        );
        translated = Some((pattern, parts));
    }
    Ok(Arc::new(texts.finish()))
}

/// Microseconds since 1970 by the parts of a pattern.
pub(super) fn formatted_moment(micros: i64, parts: &[PatternPart]) -> Option<String> {
    let moment = timestamp_us_to_datetime(micros)?;
    Some(shown(parts, |format| moment.format(format).to_string()))
}

/// A moment by the parts of a pattern. `format` writes it by one of `strftime`.
fn shown(parts: &[PatternPart], format: impl Fn(&str) -> String) -> String {
    let texts = parts.iter().map(|part| match part {
        PatternPart::Literal(text) => text.clone(),
        PatternPart::Field(field) => format(field),
        PatternPart::Fraction(digits) => format("%9f").chars().take(*digits).collect(),
        // `check_date_pattern` lets none through.
        PatternPart::Offset => String::new(),
    });
    texts.collect()
}

/// A part of a pattern of `DATE_FORMAT`.
#[derive(Debug)]
pub(super) enum PatternPart {
    /// Text that stays.
    Literal(String),
    /// A field, in the letters of C's `strftime`.
    Field(&'static str),
    /// So many digits of the second's fraction, cut off and not rounded.
    Fraction(usize),
    /// An offset from UTC, which only a text that is read can have.
    Offset,
}

/// The letters of Java's patterns that are known, how often each stands in a
/// row, and the same field for `strftime`.
const PATTERN_FIELDS: &[(char, usize, &str)] = &[
    ('y', 4, "%Y"),
    ('y', 2, "%y"),
    ('y', 1, "%-Y"),
    ('u', 4, "%Y"),
    ('u', 2, "%y"),
    ('u', 1, "%-Y"),
    ('M', 4, "%B"),
    ('M', 3, "%b"),
    ('M', 2, "%m"),
    ('M', 1, "%-m"),
    ('d', 2, "%d"),
    ('d', 1, "%-d"),
    ('H', 2, "%H"),
    ('H', 1, "%-H"),
    ('h', 2, "%I"),
    ('h', 1, "%-I"),
    ('m', 2, "%M"),
    ('m', 1, "%-M"),
    ('s', 2, "%S"),
    ('s', 1, "%-S"),
    ('a', 1, "%p"),
    ('E', 1, "%a"),
    ('E', 2, "%a"),
    ('E', 3, "%a"),
    ('E', 4, "%A"),
    ('D', 3, "%j"),
    ('D', 1, "%-j"),
];

/// The parts of a pattern of Java's `DateTimeFormatter`, or what is not known of it.
pub(super) fn parts_of(pattern: &str) -> Result<Vec<PatternPart>, String> {
    let mut parts = Vec::new();
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        if letter == '\'' {
            let (text, behind) = quoted(rest)
                .ok_or_else(|| format!("a quote in the pattern {pattern} has no end"))?;
            parts.push(PatternPart::Literal(text));
            rest = behind;
            continue;
        }
        let run = rest.chars().take_while(|other| *other == letter).count();
        let (letters, behind) = rest.split_at(run * letter.len_utf8());
        let field = PATTERN_FIELDS
            .iter()
            .find(|(known, count, _)| *known == letter && *count == run);
        parts.push(match field {
            Some((_, _, format)) => PatternPart::Field(format),
            None if letter == 'S' && run <= 9 => PatternPart::Fraction(run),
            None if letter == 'X' && run <= 3 => PatternPart::Offset,
            None if letter.is_ascii_alphabetic() || "[]{}#".contains(letter) => {
                return Err(format!("DATE_FORMAT does not know {letters} in {pattern}"));
            }
            None => PatternPart::Literal(letters.to_owned()),
        });
        rest = behind;
    }
    Ok(parts)
}

/// The text between the quote at the beginning of `rest` and the next one, and
/// what is behind that. Two quotes are one, in the text and instead of it.
fn quoted(rest: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut inner = rest.strip_prefix('\'')?;
    loop {
        let (before, behind) = inner.split_once('\'')?;
        text.push_str(before);
        match behind.strip_prefix('\'') {
            Some(after) if !text.is_empty() => {
                text.push('\'');
                inner = after;
            }
            _ if text.is_empty() => return Some(("'".to_owned(), behind)),
            _ => return Some((text, behind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::TimestampNanosecondArray;

    use super::*;

    #[test]
    fn patterns_are_javas() {
        // 2023-01-02 03:04:05.006070809, a Monday.
        let moment = 1_672_628_645_006_070_809;
        for (pattern, expected) in [
            ("yyyy-MM-dd HH:mm:ss", "2023-01-02 03:04:05"),
            ("y/M/d H:m:s h a", "2023/1/2 3:4:5 3 AM"),
            ("S SS SSS SSSS SSSSSSSSS", "0 00 006 0060 006070809"),
            ("yyyy'T''x'''HH''", "2023T'x'03'"),
            ("EEEE, d. MMMM, 100 %", "Monday, 2. January, 100 %"),
            ("YYYY", "error: DATE_FORMAT does not know YYYY in YYYY"),
            ("yyyy-w", "error: DATE_FORMAT does not know w in yyyy-w"),
            ("[HH]", "error: DATE_FORMAT does not know [ in [HH]"),
            ("H'h", "error: a quote in the pattern H'h has no end"),
        ] {
            let moments = TimestampNanosecondArray::from(vec![moment]);
            let patterns = StringArray::from(vec![pattern]);
            let arguments: [ArrayRef; 2] = [Arc::new(moments), Arc::new(patterns)];
            let found = match check_date_pattern(pattern) {
                Ok(()) => {
                    let texts = formatted(&arguments).unwrap();
                    texts.as_string::<i32>().value(0).to_owned()
                }
                Err(message) => format!("error: {message}"),
            };
            assert_eq!(found, expected, "{pattern}");
        }
    }
}

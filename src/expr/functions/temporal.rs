//! `EXTRACT` and `DATE_FORMAT`.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::compute::{DatePart, cast, date_part};
use arrow::datatypes::{DataType, TimeUnit, TimestampNanosecondType};
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

/// `DATE_FORMAT(timestamp, pattern)` with the letters of Java's `DateTimeFormatter`.
pub fn date_format() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "DATE_FORMAT",
            accept: |arguments| match arguments {
                [DataType::Timestamp(_, None), DataType::Utf8] => Ok(vec![
                    DataType::Timestamp(TimeUnit::Nanosecond, None),
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

/// The part that a field of `EXTRACT` names, if it is one that is known.
fn date_part_of(field: &str) -> Option<DatePart> {
    Some(match field.to_uppercase().as_str() {
        "YEAR" => DatePart::Year,
        "QUARTER" => DatePart::Quarter,
        "MONTH" => DatePart::Month,
        "WEEK" => DatePart::Week,
        "DAY" => DatePart::Day,
        "DOY" => DatePart::DayOfYear,
        "DOW" => DatePart::DayOfWeekSunday0,
        "HOUR" => DatePart::Hour,
        "MINUTE" => DatePart::Minute,
        "SECOND" => DatePart::Second,
        "MILLISECOND" => DatePart::Millisecond,
        _ => return None,
    })
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
    let moments = moments.as_primitive::<TimestampNanosecondType>();
    let patterns: &StringArray = patterns.as_string::<i32>();
    let mut texts = StringBuilder::new();
    let mut translated: Option<(&str, String)> = None;
    for row in 0..moments.len() {
        if moments.is_null(row) || patterns.is_null(row) {
            texts.append_null();
            continue;
        }
        let pattern = patterns.value(row);
        let format = match translated.take() {
            Some((known, format)) if known == pattern => format,
            _ => strftime(pattern)?,
        };
        let text = moments
            .value_as_datetime(row)
            .map(|moment| moment.format(&format).to_string());
        texts.append_option(text);
        translated = Some((pattern, format));
    }
    Ok(Arc::new(texts.finish()))
}

/// Java's pattern in the letters of C's `strftime`.
fn strftime(pattern: &str) -> Result<String> {
    let mut format = String::new();
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        if letter == '\'' {
            let quoted = rest.get(1..).unwrap_or_default();
            let end = quoted.find('\'').unwrap_or(quoted.len());
            let literal = if end == 0 { "'" } else { &quoted[..end] };
            format.push_str(&literal.replace('%', "%%"));
            rest = quoted.get(end + 1..).unwrap_or_default();
            continue;
        }
        let run = rest.chars().take_while(|other| *other == letter).count();
        let item = match (letter, run) {
            ('y' | 'u', 4) => "%Y",
            ('y' | 'u', 2) => "%y",
            ('M', 2) => "%m",
            ('M', 3) => "%b",
            ('M', 4) => "%B",
            ('M', 1) => "%-m",
            ('d', 2) => "%d",
            ('d', 1) => "%-d",
            ('H', 2) => "%H",
            ('H', 1) => "%-H",
            ('h', 2) => "%I",
            ('m', 2) => "%M",
            ('s', 2) => "%S",
            ('S', 3) => "%3f",
            ('S', 6) => "%6f",
            ('S', 9) => "%9f",
            ('a', 1) => "%p",
            ('E', 1..=3) => "%a",
            ('E', 4) => "%A",
            ('D', 3) => "%j",
            (letter, _) if letter.is_ascii_alphabetic() => {
                return Err(DataFusionError::Execution(format!(
                    "DATE_FORMAT does not know {} in {pattern}",
                    letter.to_string().repeat(run)
                )));
            }
            _ => "",
        };
        if item.is_empty() {
            format.push_str(&letter.to_string().replace('%', "%%").repeat(run));
        } else {
            format.push_str(item);
        }
        rest = rest.get(run * letter.len_utf8()..).unwrap_or_default();
    }
    Ok(format)
}

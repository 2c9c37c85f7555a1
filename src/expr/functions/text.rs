//! Functions that make or take texts apart.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, StringArray, StringBuilder, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray,
};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType,
};
use datafusion_common::{DataFusionError, Result, internal_err};
use datafusion_expr::ScalarUDF;

use super::kernel::Kernel;

/// `CAST(x AS STRING)` of a truth value, a floating-point number or a timestamp.
pub fn to_text() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "TO_STRING",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |_| DataType::Utf8,
            evaluate: |arguments, _| text_of(arguments),
        }
        .function()
    });
    Arc::clone(&FUNCTION)
}

/// `CONCAT(a, b, …)`, null if an argument is.
pub fn concat() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "CONCAT",
            accept: texts,
            result: |_| DataType::Utf8,
            evaluate: |arguments, _| joined(arguments),
        }
        .function()
    });
    Arc::clone(&FUNCTION)
}

/// `SUBSTRING(text, start[, length])`, counted in characters from 1; a negative
/// start counts from the end, and a negative length makes the result null.
pub fn substring() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "SUBSTRING",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |_| DataType::Utf8,
            evaluate: |arguments, _| substrings(arguments),
        }
        .function()
    });
    Arc::clone(&FUNCTION)
}

/// The text of a number without its fraction and without blanks around it, for
/// `CAST('1.5' AS INT)`. A text that is no such number stays as it is.
pub fn whole_part() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "WHOLE_PART",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |_| DataType::Utf8,
            evaluate: |arguments, _| whole_parts(arguments),
        }
        .strict_function()
    });
    Arc::clone(&FUNCTION)
}

fn whole_parts(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let Some(texts) = arguments.first() else {
        return internal_err!("WHOLE_PART is planned with an argument");
    };
    let texts = texts.as_string::<i32>().iter();
    let whole: StringArray = texts.map(|text| text.map(without_fraction)).collect();
    Ok(Arc::new(whole))
}

fn without_fraction(text: &str) -> &str {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let trimmed = text.trim_matches(' ');
    match trimmed.split_once('.') {
        Some((whole, fraction))
            if digits(fraction) && whole.ends_with(|last: char| last.is_ascii_digit()) =>
        {
            whole
        }
        _ => trimmed,
    }
}

/// Whether a `STRING` is taken for it.
pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::Null)
}

fn texts(arguments: &[DataType]) -> Result<Vec<DataType>, String> {
    if arguments.iter().all(is_text) {
        return Ok(vec![DataType::Utf8; arguments.len()]);
    }
    Err("CONCAT takes STRINGs: write CAST(… AS STRING)".to_owned())
}

fn text_of(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let Some(values) = arguments.first() else {
        return internal_err!("TO_STRING is planned with an argument");
    };
    let texts: StringArray = match values.data_type() {
        DataType::Boolean => values
            .as_boolean()
            .iter()
            .map(|value| value.map(|value| if value { "TRUE" } else { "FALSE" }))
            .collect(),
        DataType::Binary => values
            .as_binary::<i32>()
            .iter()
            .map(|value| value.map(String::from_utf8_lossy))
            .collect(),
        DataType::Float32 => values
            .as_primitive::<Float32Type>()
            .iter()
            .map(|value| value.map(|value| float_text(&format!("{value:e}"), value.into())))
            .collect(),
        DataType::Float64 => values
            .as_primitive::<Float64Type>()
            .iter()
            .map(|value| value.map(|value| float_text(&format!("{value:e}"), value)))
            .collect(),
        DataType::Timestamp(TimeUnit::Millisecond, None) => {
            millisecond_texts(values.as_primitive::<TimestampMillisecondType>())
        }
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            microsecond_texts(values.as_primitive::<TimestampMicrosecondType>())
        }
        DataType::Timestamp(TimeUnit::Nanosecond, None) => {
            nanosecond_texts(values.as_primitive::<TimestampNanosecondType>())
        }
        other => return internal_err!("TO_STRING is not planned for {other}"),
    };
    Ok(Arc::new(texts))
}

fn millisecond_texts(values: &TimestampMillisecondArray) -> StringArray {
    let rows = (0..values.len()).map(|row| {
        let moment = values.is_valid(row).then(|| values.value_as_datetime(row));
        let text = moment.flatten()?.format("%Y-%m-%d %H:%M:%S%.3f");
        Some(text.to_string())
    });
    rows.collect()
}

fn microsecond_texts(values: &TimestampMicrosecondArray) -> StringArray {
    let rows = (0..values.len()).map(|row| {
        let moment = values.is_valid(row).then(|| values.value_as_datetime(row));
        let text = moment.flatten()?.format("%Y-%m-%d %H:%M:%S%.6f");
        Some(text.to_string())
    });
    rows.collect()
}

fn nanosecond_texts(values: &TimestampNanosecondArray) -> StringArray {
    let rows = (0..values.len()).map(|row| {
        let moment = values.is_valid(row).then(|| values.value_as_datetime(row));
        let text = moment.flatten()?.format("%Y-%m-%d %H:%M:%S%.9f");
        Some(text.to_string())
    });
    rows.collect()
}

/// A floating-point number as Java writes it: plain from 0.001 to 10,000,000 and
/// otherwise with an exponent, always with a digit behind the point. `shortest`
/// is the shortest scientific form that reads back as the same number.
pub(super) fn float_text(shortest: &str, value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-3..1e7).contains(&magnitude) {
        let point = if mantissa.contains('.') { "" } else { ".0" };
        return format!("{mantissa}{point}E{exponent}");
    }
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let behind = mantissa
        .split_once('.')
        .map_or(0, |(_, digits)| digits.len());
    let places = i32::try_from(behind).unwrap_or(0) - exponent;
    // The shortest decimal form of this many places is that of the mantissa.
    let places = usize::try_from(places.max(1)).unwrap_or(1);
    let plain: f64 = shortest.parse().unwrap_or(value);
    format!("{plain:.places$}")
}

fn joined(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let columns: Vec<&StringArray> = arguments.iter().map(AsArray::as_string).collect();
    let rows = columns.first().map_or(0, |column| Array::len(*column));
    let mut texts = StringBuilder::new();
    for row in 0..rows {
        if columns.iter().any(|column| column.is_null(row)) {
            texts.append_null();
            continue;
        }
        for column in &columns {
            texts
                .write_str(column.value(row))
                .map_err(|error| DataFusionError::Execution(error.to_string()))?;
        }
        texts.append_value("");
    }
    Ok(Arc::new(texts.finish()))
}

fn substrings(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let (texts, starts, lengths) = match arguments {
        [texts, starts] => (texts, starts, None),
        [texts, starts, lengths] => (texts, starts, Some(lengths.as_primitive::<Int64Type>())),
        _ => return internal_err!("SUBSTRING is planned with two or three arguments"),
    };
    let texts = texts.as_string::<i32>();
    let starts = starts.as_primitive::<Int64Type>();
    let parts: StringArray = (0..texts.len())
        .map(|row| {
            if texts.is_null(row) || starts.is_null(row) {
                return None;
            }
            let length = match lengths {
                Some(lengths) if lengths.is_null(row) => return None,
                Some(lengths) => usize::try_from(lengths.value(row)).ok()?,
                None => usize::MAX,
            };
            let (text, start) = (texts.value(row), starts.value(row));
            let skipped = if start < 0 {
                let count = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
                count.saturating_add(start)
            } else {
                (start - 1).max(0)
            };
            let Ok(skipped) = usize::try_from(skipped) else {
                return Some(String::new());
            };
            Some(text.chars().skip(skipped).take(length).collect())
        })
        .collect();
    Ok(Arc::new(parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_java_does() {
        for (value, expected) in [
            (0.0, "0.0"),
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (1_234_567.0, "1234567.0"),
            (12_345_678.0, "1.2345678E7"),
            (0.1, "0.1"),
            (1e100, "1.0E100"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(float_text(&format!("{value:e}"), value), expected);
        }
    }
}

//! Values of any type as JSON, and JSON texts put together to arrays and objects.

#![expect(
    clippy::unnecessary_wraps,
    reason = "all functions of rows have one form, whether they fail or not"
)]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, TimeUnit, TimestampNanosecondType};
use arrow::util::display::array_value_to_string;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use datafusion_common::{Result, internal_err};
use datafusion_expr::ScalarUDF;
use serde_json::value::RawValue;

use super::json::{parsed, written};
use super::kernel::Kernel;
use super::row_kernel::Compute::Text;
use super::row_kernel::{Answer, Argument, Row, RowKernel, check_text_bytes};
use super::text::float_text;

/// The functions of rows of this file.
pub(super) static KERNELS: [RowKernel; 7] = [
    RowKernel::strict("JSON", Text(json)),
    RowKernel::lenient("JSON_ARRAY", Text(array)),
    RowKernel::lenient("JSON_ARRAY_OF", Text(array_of)),
    RowKernel::lenient("JSON_ELEMENT", Text(element)),
    RowKernel::lenient("JSON_FIELD", Text(field)),
    RowKernel::lenient("JSON_OBJECT", Text(object)),
    RowKernel::lenient("JSON_OBJECT_OF", Text(object_of)),
];

/// `JSON_STRING(value)`.
pub fn json_string() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "JSON_STRING",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |_| DataType::Utf8,
            evaluate: |arguments, _| texts_of(arguments),
        }
        .strict_function()
    });
    Arc::clone(&FUNCTION)
}

fn texts_of(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let [values] = arguments else {
        return internal_err!("JSON_STRING is planned with an argument");
    };
    let mut texts = StringBuilder::new();
    let mut text = String::new();
    for row in 0..values.len() {
        if values.is_null(row) || *values.data_type() == DataType::Null {
            texts.append_null();
            continue;
        }
        text.clear();
        write_value(values, row, &mut text)?;
        texts.append_value(&text);
    }
    Ok(Arc::new(texts.finish()))
}

/// Appends a value. The fields of rows, and the keys of maps, come in their order as texts.
fn write_value(values: &ArrayRef, row: usize, out: &mut String) -> Result<()> {
    if values.is_null(row) {
        out.push_str("null");
        return Ok(());
    }
    match values.data_type() {
        DataType::Null => out.push_str("null"),
        DataType::Utf8 => write_string(values.as_string::<i32>().value(row), out),
        DataType::Binary => {
            let text = STANDARD.encode(values.as_binary::<i32>().value(row));
            write_string(&text, out);
        }
        DataType::Float32 | DataType::Float64 => {
            let double = cast(&values.slice(row, 1), &DataType::Float64)?;
            out.push_str(&number(double.as_primitive::<Float64Type>().value(0)));
        }
        DataType::Timestamp(_, zone) => {
            let mut text = moment(values, row)?;
            text.push_str(if zone.is_some() { "Z" } else { "" });
            write_string(&text, out);
        }
        DataType::Date32 | DataType::Time32(_) | DataType::Time64(_) => {
            write_string(&array_value_to_string(values, row)?, out);
        }
        DataType::List(_) => {
            let elements = values.as_list::<i32>().value(row);
            out.push('[');
            for element in 0..elements.len() {
                out.push_str(if element == 0 { "" } else { "," });
                write_value(&elements, element, out)?;
            }
            out.push(']');
        }
        DataType::Map(..) => {
            let entries = values.as_map().value(row);
            let keys = cast(entries.column(0), &DataType::Utf8)?;
            let keys = keys.as_string::<i32>();
            let fields = (0..keys.len()).map(|entry| (keys.value(entry), entries.column(1), entry));
            write_fields(fields, out)?;
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(values.as_struct().columns());
            write_fields(
                columns.map(|(field, column)| (field.name().as_str(), column, row)),
                out,
            )?;
        }
        _ => out.push_str(&array_value_to_string(values, row)?),
    }
    Ok(())
}

/// Appends an object of fields: a name, and where its value is.
fn write_fields<'a>(
    fields: impl Iterator<Item = (&'a str, &'a ArrayRef, usize)>,
    out: &mut String,
) -> Result<()> {
    let fields: BTreeMap<_, _> = fields
        .map(|(name, values, row)| (name, (values, row)))
        .collect();
    out.push('{');
    for (place, (name, (values, row))) in fields.into_iter().enumerate() {
        out.push_str(if place == 0 { "" } else { "," });
        write_string(name, out);
        out.push(':');
        write_value(values, row, out)?;
    }
    out.push('}');
    Ok(())
}

fn write_string(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// `2024-01-31T12:00:00.5`: the digits of a second's fraction that there are. An instant's are
/// those of UTC.
fn moment(values: &ArrayRef, row: usize) -> Result<String> {
    let local = cast(
        &values.slice(row, 1),
        &DataType::Timestamp(TimeUnit::Nanosecond, None),
    );
    // What nanoseconds cannot tell has no more than milliseconds.
    let Some(moment) = local.ok().and_then(|local| {
        let local = local.as_primitive::<TimestampNanosecondType>();
        local.is_valid(0).then(|| local.value_as_datetime(0))?
    }) else {
        return Ok(array_value_to_string(values, row)?.replace(' ', "T"));
    };
    let text = moment.format("%Y-%m-%dT%H:%M:%S%.f").to_string();
    Ok(if text.contains('.') {
        text.trim_end_matches('0').to_owned()
    } else {
        text
    })
}

/// A number as Java's `BigDecimal` writes it; what is not finite is a text.
fn number(value: f64) -> String {
    let text = float_text(&format!("{value:e}"), value);
    if !value.is_finite() {
        return format!("\"{text}\"");
    }
    let Some((mantissa, exponent)) = text.split_once('E') else {
        return text;
    };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", mantissa),
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let shift = usize::try_from(exponent.unsigned_abs()).unwrap_or(usize::MAX);
    match exponent {
        1.. if fraction.len() >= shift => {
            let (more, rest) = fraction.split_at(shift);
            let point = if rest.is_empty() { "" } else { "." };
            format!("{sign}{whole}{more}{point}{rest}")
        }
        1.. => format!("{sign}{digits}E+{exponent}"),
        -6..1 => format!("{sign}0.{}{whole}{fraction}", "0".repeat(shift - 1)),
        _ => text,
    }
}

/// A text that is JSON, in the form in which all JSON is written.
fn json<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    match whole(row.text(0)) {
        Some(value) => written(value).map(|text| Some(text.into())),
        None => Err("the text is no JSON".to_owned()),
    }
}

fn whole(text: &str) -> Option<&RawValue> {
    serde_json::from_str(text).ok()
}

/// The texts behind the first argument, which says whether nulls are among the values.
fn values<'a>(row: &Row<'a>, from: usize, step: usize) -> impl Iterator<Item = Option<&'a str>> {
    let with_nulls = matches!(row.argument(0), Argument::Boolean(true));
    let texts = (from..row.len())
        .step_by(step)
        .map(|place| row.argument(place));
    texts.map(move |text| match text {
        Argument::Text(text) => Some(text),
        _ => with_nulls.then_some("null"),
    })
}

fn array<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let elements: Vec<&str> = values(row, 1, 1).flatten().collect();
    bounded(format!("[{}]", elements.join(",")))
}

fn object<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let mut fields = BTreeMap::new();
    for (place, value) in (1..).step_by(2).zip(values(row, 2, 2)) {
        let name = name(row, place)?;
        if let Some(value) = value {
            fields.insert(name, value);
        }
    }
    let mut text = String::from("{");
    for (name, value) in fields {
        text.push_str(if text.len() == 1 { "" } else { "," });
        write_string(name, &mut text);
        text.push(':');
        text.push_str(value);
    }
    text.push('}');
    bounded(text)
}

/// A value of an array whose nulls are elements.
fn element<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    Ok(Some(match row.argument(0) {
        Argument::Text(value) => value.into(),
        _ => "null".into(),
    }))
}

/// A field of an object: name and value, and whether it is there if the value is null.
fn field<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let name = name(row, 0)?;
    let value = match (row.argument(1), row.argument(2)) {
        (Argument::Text(value), _) => value,
        (_, Argument::Boolean(true)) => "null",
        _ => return Ok(None),
    };
    let mut text = String::new();
    write_string(name, &mut text);
    text.push(':');
    text.push_str(value);
    bounded(text)
}

fn name<'a>(row: &Row<'a>, place: usize) -> Result<&'a str, String> {
    match row.argument(place) {
        Argument::Text(name) => Ok(name),
        _ => Err("the name of a field is null".to_owned()),
    }
}

fn bounded<'a>(text: String) -> Answer<Cow<'a, str>> {
    check_text_bytes(text.len())?;
    Ok(Some(text.into()))
}

/// Elements with commas between them as an array.
fn array_of<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    Ok(Some(match row.argument(0) {
        Argument::Text(elements) => format!("[{elements}]").into(),
        _ => "[]".into(),
    }))
}

/// Fields with commas between them as an object: of those with one name the last.
fn object_of<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let Argument::Text(fields) = row.argument(0) else {
        return Ok(Some("{}".into()));
    };
    let object = format!("{{{fields}}}");
    match parsed(&object) {
        Some(value) => written(value).map(|text| Some(text.into())),
        None => Err("the fields make no JSON".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

    use super::*;

    #[test]
    fn numbers_are_javas() {
        for (value, expected) in [
            (1.5, "1.5"),
            (-0.000_12, "-0.00012"),
            (1e-5, "0.000010"),
            (1.25e-7, "1.25E-7"),
            (1e7, "1.0E+7"),
            (-12_345_678_912.0, "-12345678912"),
            (123_456_789.5, "123456789.5"),
            (1e20, "1.0E+20"),
            (f64::NAN, "\"NaN\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn fields_are_sorted_and_the_last_of_a_name_counts() {
        let text: ArrayRef = Arc::new(StringArray::from(vec![
            Some(r#""b":1,"a":[{"z":1,"y":2}],"b":3"#),
            None,
        ]));
        let function = KERNELS
            .iter()
            .find(|kernel| kernel.name == "JSON_OBJECT_OF");
        let texts = function.unwrap().evaluate(&[text], 2).unwrap();
        let texts: Vec<_> = texts.as_string::<i32>().iter().flatten().collect();
        assert_eq!(texts, [r#"{"a":[{"y":2,"z":1}],"b":3}"#, "{}"]);
    }
}

//! Types and values in the words of messages.

use std::fmt::Write as _;

use arrow::datatypes::{DataType, Field, TimeUnit};

/// The message for a text that is no value of a type at all.
pub(in crate::formats) fn not_a(text: &str, of: &DataType) -> String {
    format!("{} is not a value of {}", quoted(text), sql_name(of))
}

/// The message for a text that has not the form of its type.
pub(super) fn shaped(text: &str, of: &DataType, example: &str) -> String {
    format!("{}; expected the form '{example}'", not_a(text, of))
}

/// The text in quotes, shortened for a message.
pub(super) fn quoted(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    let mut shown = String::from("'");
    for (count, c) in text.chars().enumerate() {
        if count == CHARS_MAX {
            shown.push('…');
            break;
        }
        if c.is_control() {
            write!(shown, "{}", c.escape_default()).expect("writing into memory succeeds");
        } else {
            shown.push(c);
        }
    }
    shown.push('\'');
    shown
}

/// A type as SQL names it.
pub(in crate::formats) fn sql_name(data_type: &DataType) -> String {
    let digits = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    };
    match data_type {
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Float32 => "FLOAT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::Utf8 => "STRING".to_owned(),
        DataType::Binary => "BYTES".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Time32(unit) | DataType::Time64(unit) => format!("TIME({})", digits(unit)),
        DataType::Timestamp(unit, None) => format!("TIMESTAMP({})", digits(unit)),
        DataType::Timestamp(unit, Some(_)) => format!("TIMESTAMP_LTZ({})", digits(unit)),
        DataType::Struct(fields) => {
            let named = |field: &Field| format!("{} {}", field.name(), sql_name(field.data_type()));
            let fields: Vec<_> = fields.iter().map(|field| named(field)).collect();
            format!("ROW<{}>", fields.join(", "))
        }
        DataType::List(element) => format!("ARRAY<{}>", sql_name(element.data_type())),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => {
                let types: Vec<_> = fields.iter().map(|f| sql_name(f.data_type())).collect();
                format!("MAP<{}>", types.join(", "))
            }
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}

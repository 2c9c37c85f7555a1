//! The SQL name of an Arrow type, as Flink writes it.

use std::borrow::Cow;

use arrow::datatypes::{DataType, Field};

use crate::formats::sql_name;

/// The name of a column's type, with `NOT NULL` if it holds no nulls.
pub fn column_type_name(field: &Field) -> String {
    let name = type_name(field.data_type());
    if field.is_nullable() {
        name
    } else {
        format!("{name} NOT NULL")
    }
}

/// The name of a type. A type that no column of SQL can have keeps Arrow's name.
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Null => "NULL".to_owned(),
        DataType::Interval(_) | DataType::Duration(_) => "INTERVAL".to_owned(),
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| {
                let name = quoted_if_needed(field.name());
                format!("{name} {}", column_type_name(field))
            });
            format!("ROW<{}>", fields.collect::<Vec<_>>().join(", "))
        }
        DataType::List(element) => format!("ARRAY<{}>", column_type_name(element)),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                let (key, value) = (&fields[0], &fields[1]);
                let key = type_name(key.data_type());
                format!("MAP<{key}, {}>", column_type_name(value))
            }
            other => sql_name(other),
        },
        other => sql_name(other),
    }
}

/// A name as it stands in a type, where a space would end it.
fn quoted_if_needed(name: &str) -> Cow<'_, str> {
    let is_plain = |character: char| character.is_alphanumeric() || character == '_';
    if !name.is_empty() && name.chars().all(is_plain) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(format!("`{}`", name.replace('`', "``")))
    }
}

//! The SQL name of an Arrow type, as Flink writes it.

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
        other => sql_name(other),
    }
}

//! The SQL name of an Arrow type, as Flink writes it.

use arrow::datatypes::{DataType, Field, TimeUnit};

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
    let name = match data_type {
        DataType::Null => "NULL",
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INT",
        DataType::Int64 => "BIGINT",
        DataType::Float32 => "FLOAT",
        DataType::Float64 => "DOUBLE",
        DataType::Decimal128(precision, scale) => return format!("DECIMAL({precision}, {scale})"),
        DataType::Utf8 => "STRING",
        DataType::Binary => "BYTES",
        DataType::Date32 => "DATE",
        DataType::Time32(TimeUnit::Second) => "TIME(0)",
        DataType::Time32(_) => "TIME(3)",
        DataType::Time64(TimeUnit::Microsecond) => "TIME(6)",
        DataType::Time64(_) => "TIME(9)",
        DataType::Timestamp(unit, None) => match unit {
            TimeUnit::Second => "TIMESTAMP(0)",
            TimeUnit::Millisecond => "TIMESTAMP(3)",
            TimeUnit::Microsecond => "TIMESTAMP(6)",
            TimeUnit::Nanosecond => "TIMESTAMP(9)",
        },
        DataType::Interval(_) | DataType::Duration(_) => "INTERVAL",
        other => return other.to_string(),
    };
    name.to_owned()
}

//! The Avro schema of a table's columns, as Flink derives it.

use arrow::datatypes::{DataType, Fields, TimeUnit};
use serde_json::{Value, json};

use crate::formats::column::{map_fields, sql_name, unit_of};

/// The name of the record that a row is.
const RECORD: &str = "org.apache.flink.avro.generated.record";

/// The schema of rows with these columns; `legacy` is Flink's way to write a
/// `TIMESTAMP`, which has no time zone, as a point in time.
pub(super) fn schema_of(columns: &Fields, legacy: bool) -> Result<Value, String> {
    record(columns, RECORD, legacy)
}

fn record(fields: &Fields, name: &str, legacy: bool) -> Result<Value, String> {
    let field = |field: &arrow::datatypes::FieldRef| {
        let inner = format!("{name}_{}", field.name());
        let of = nullable(field.data_type(), field.is_nullable(), &inner, legacy);
        let of = of.map_err(|why| format!("column '{}': {why}", field.name()))?;
        check_name(field.name())?;
        let mut declared = json!({ "name": field.name(), "type": of });
        if field.is_nullable() {
            declared["default"] = Value::Null;
        }
        Ok(declared)
    };
    let fields: Result<Vec<_>, String> = fields.iter().map(field).collect();
    let (namespace, name) = name.rsplit_once('.').unwrap_or(("", name));
    Ok(json!({
        "type": "record",
        "name": name,
        "namespace": namespace,
        "fields": fields?,
    }))
}

/// Readers in other languages take only such names.
fn check_name(name: &str) -> Result<(), String> {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    let mut characters = name.chars();
    let fits = characters.next().is_some_and(is_letter)
        && characters.all(|c| is_letter(c) || c.is_ascii_digit());
    if fits {
        return Ok(());
    }
    Err(format!(
        "column '{name}': the name of an Avro field begins with a letter or '_' and goes on with \
         letters, digits and '_'"
    ))
}

fn nullable(of: &DataType, nullable: bool, name: &str, legacy: bool) -> Result<Value, String> {
    let of = value(of, name, legacy)?;
    Ok(if nullable { json!(["null", of]) } else { of })
}

fn value(of: &DataType, name: &str, legacy: bool) -> Result<Value, String> {
    let logical = |of: &str, logical: &str| json!({ "type": of, "logicalType": logical });
    Ok(match of {
        DataType::Boolean => json!("boolean"),
        DataType::Int8 | DataType::Int16 | DataType::Int32 => json!("int"),
        DataType::Int64 => json!("long"),
        DataType::Float32 => json!("float"),
        DataType::Float64 => json!("double"),
        DataType::Utf8 => json!("string"),
        DataType::Binary => json!("bytes"),
        DataType::Date32 => logical("int", "date"),
        DataType::Time32(_) => logical("int", "time-millis"),
        DataType::Decimal128(precision, scale) => json!({
            "type": "bytes",
            "logicalType": "decimal",
            "precision": precision,
            "scale": scale,
        }),
        DataType::Timestamp(..) => logical("long", timestamp(unit_of(of), legacy)),
        DataType::Struct(fields) => record(fields, name, legacy)?,
        DataType::List(element) => {
            let items = nullable(element.data_type(), element.is_nullable(), name, legacy)?;
            json!({ "type": "array", "items": items })
        }
        DataType::Map(entries, _) => {
            let (_, value) = map_fields(entries).ok_or("a map has keys and values")?;
            let values = nullable(value.data_type(), value.is_nullable(), name, legacy)?;
            json!({ "type": "map", "values": values })
        }
        DataType::Time64(_) => {
            return Err(format!("{} has no form in Avro; use TIME(3)", sql_name(of)));
        }
        other => return Err(format!("{} has no form in Avro", sql_name(other))),
    })
}

fn timestamp(unit: TimeUnit, legacy: bool) -> &'static str {
    match (unit, legacy) {
        (TimeUnit::Second | TimeUnit::Millisecond, true) => "timestamp-millis",
        (TimeUnit::Microsecond, true) => "timestamp-micros",
        (TimeUnit::Nanosecond, true) => "timestamp-nanos",
        (TimeUnit::Second | TimeUnit::Millisecond, false) => "local-timestamp-millis",
        (TimeUnit::Microsecond, false) => "local-timestamp-micros",
        (TimeUnit::Nanosecond, false) => "local-timestamp-nanos",
    }
}

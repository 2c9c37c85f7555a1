//! The Protobuf schema of a table's columns.

use std::fmt::Write as _;

use arrow::datatypes::{DataType, Fields};

use crate::formats::column::{map_fields, sql_name};

/// The text of a file that declares `message` (with its package in front) for rows with
/// these columns, numbered from 1.
pub(in crate::formats) fn schema_of(columns: &Fields, message: &str) -> Result<String, String> {
    let (package, name) = message.rsplit_once('.').unwrap_or(("", message));
    if !message.split('.').all(is_identifier) {
        return Err(format!("'{message}' is no name of a message"));
    }
    let mut body = String::new();
    write_message(columns, name, 0, &mut body)?;
    let mut text = "syntax = \"proto3\";\n\n".to_owned();
    if !package.is_empty() {
        line(&mut text, 0, &format!("package {package};\n"));
    }
    if body.contains(TIMESTAMP) {
        line(
            &mut text,
            0,
            "import \"google/protobuf/timestamp.proto\";\n",
        );
    }
    Ok(text + &body)
}

const TIMESTAMP: &str = "google.protobuf.Timestamp";

fn line(out: &mut String, depth: usize, text: &str) {
    writeln!(out, "{:1$}{text}", "", 2 * depth).expect("writing into memory succeeds");
}

fn is_identifier(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    let mut characters = name.chars();
    characters.next().is_some_and(is_letter)
        && characters.all(|c| is_letter(c) || c.is_ascii_digit())
}

fn write_message(
    fields: &Fields,
    name: &str,
    depth: usize,
    out: &mut String,
) -> Result<(), String> {
    line(out, depth, &format!("message {name} {{"));
    for (place, field) in fields.iter().enumerate() {
        let column = field.name();
        if !is_identifier(column) {
            return Err(format!(
                "column '{column}': the name of a Protobuf field begins with a letter or '_' and \
                 goes on with letters, digits and '_'"
            ));
        }
        let named = |why: String| format!("column '{column}': {why}");
        let nested = format!("{column}_row");
        let of = match field.data_type() {
            DataType::List(element) => {
                let element = one(element.data_type(), &nested, depth + 1, out).map_err(named)?;
                format!("repeated {element}")
            }
            DataType::Map(entries, _) => {
                let (key, value) = map_fields(entries).ok_or("a map has keys and values")?;
                let key = one(key.data_type(), &nested, depth + 1, out).map_err(named)?;
                let value = one(value.data_type(), &nested, depth + 1, out).map_err(named)?;
                format!("map<{key}, {value}>")
            }
            of => {
                let one = one(of, &nested, depth + 1, out).map_err(named)?;
                // A message is told from none by itself.
                let is_optional = field.is_nullable() && !matches!(of, DataType::Struct(_));
                let optional = if is_optional { "optional " } else { "" };
                format!("{optional}{one}")
            }
        };
        line(out, depth + 1, &format!("{of} {column} = {};", place + 1));
    }
    line(out, depth, "}");
    Ok(())
}

/// The type of one value; the message of a row is declared in front of its field.
fn one(of: &DataType, nested: &str, depth: usize, out: &mut String) -> Result<String, String> {
    Ok(match of {
        DataType::Boolean => "bool",
        DataType::Int8 | DataType::Int16 | DataType::Int32 => "int32",
        DataType::Int64 => "int64",
        DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::Utf8 => "string",
        DataType::Binary => "bytes",
        DataType::Timestamp(..) => TIMESTAMP,
        DataType::Struct(fields) => {
            write_message(fields, nested, depth, out)?;
            nested
        }
        other => {
            let name = sql_name(other);
            return Err(format!("{name} has no form in Protobuf; cast it to STRING"));
        }
    }
    .to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{Field, TimeUnit};

    use super::super::of_text;
    use super::*;

    #[test]
    fn the_schema_is_one() {
        let column = |name: &str, of: DataType| Field::new(name, of, true);
        let row = DataType::Struct(Fields::from(vec![column("x", DataType::Float64)]));
        let list = |of: DataType| DataType::List(Arc::new(column("element", of)));
        let columns = |last: Field| {
            Fields::from(vec![
                Field::new("id", DataType::Int64, false),
                column("at", DataType::Timestamp(TimeUnit::Millisecond, None)),
                column("place", row.clone()),
                column("tags", list(DataType::Utf8)),
                last,
            ])
        };
        let text = schema_of(&columns(column("places", list(row.clone()))), "shop.Order").unwrap();
        assert_eq!(
            text,
            "syntax = \"proto3\";\n\npackage shop;\n\nimport \"google/protobuf/timestamp.proto\";\n
message Order {
  int64 id = 1;
  optional google.protobuf.Timestamp at = 2;
  message place_row {
    optional double x = 1;
  }
  place_row place = 3;
  repeated string tags = 4;
  message places_row {
    optional double x = 1;
  }
  repeated places_row places = 5;
}
"
        );
        of_text(&text, []).unwrap();
        for (last, expected) in [
            (
                column("a-b", DataType::Int64),
                "column 'a-b': the name of a Protobuf field",
            ),
            (
                column("d", DataType::Date32),
                "column 'd': DATE has no form in Protobuf",
            ),
            (
                column("l", list(list(DataType::Int64))),
                "column 'l': ARRAY<BIGINT> has no form",
            ),
        ] {
            let error = schema_of(&columns(last), "Order").unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        assert!(schema_of(&Fields::empty(), "a b").is_err());
    }
}

//! Values as text outside of any format: what `print` shows, what a dead letter
//! keeps, what an option gives.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, TimeUnit};

use super::cells::{Cells, Form, within};
use super::column::Column;
use super::datetime::{self, TimestampForm};
use super::decimal;

/// The values of one batch as plain text, without the quotes of any format.
#[derive(Debug)]
pub struct RowText<'a> {
    columns: Vec<Values<'a>>,
    nested: NestedForm,
}

/// How a row inside a row is written.
#[derive(Clone, Copy, Debug)]
struct NestedForm {
    /// What stands before its first value, and
    open: &'static [u8],
    /// behind its last.
    close: &'static [u8],
    /// What stands for a null inside a value.
    null: &'static [u8],
}

/// The values of a column, looked at once by type and then row by row.
#[derive(Debug)]
enum Values<'a> {
    Flat(Cells<'a>),
    Row {
        fields: Vec<Values<'a>>,
        nulls: Option<&'a NullBuffer>,
    },
    Array {
        ends: &'a [i32],
        elements: Box<Values<'a>>,
        nulls: Option<&'a NullBuffer>,
    },
    Map {
        ends: &'a [i32],
        /// Keys and values.
        entries: Box<[Values<'a>; 2]>,
        nulls: Option<&'a NullBuffer>,
    },
}

impl<'a> RowText<'a> {
    /// The text of `records`, with rows inside them as `(1, NULL)`.
    pub fn new(records: &'a RecordBatch) -> Self {
        let nested = NestedForm {
            open: b"(",
            close: b")",
            null: b"NULL",
        };
        Self::of(records, nested)
    }

    /// The text of `records`, with rows inside them as Flink's `print` shows
    /// them: `+I[1, null]`.
    pub fn printed(records: &'a RecordBatch) -> Self {
        let nested = NestedForm {
            open: b"+I[",
            close: b"]",
            null: b"null",
        };
        Self::of(records, nested)
    }

    fn of(records: &'a RecordBatch, nested: NestedForm) -> Self {
        Self {
            columns: records.columns().iter().map(Values::new).collect(),
            nested,
        }
    }

    /// How many columns it has.
    pub fn num_columns(&self) -> usize {
        self.columns.len()
    }

    /// Appends one value; `false` and nothing appended if it is null.
    pub fn write(&self, row: usize, column: usize, out: &mut Vec<u8>) -> bool {
        match self.columns.get(column) {
            Some(values) if !values.is_null(row) => {
                values.write(row, self.nested, out);
                true
            }
            _ => false,
        }
    }
}

impl<'a> Values<'a> {
    fn new(array: &'a ArrayRef) -> Self {
        let nulls = array.nulls();
        match array.data_type() {
            DataType::Struct(_) => {
                let fields = array.as_struct().columns().iter();
                Self::Row {
                    fields: fields.map(Self::new).collect(),
                    nulls,
                }
            }
            DataType::List(_) => Self::Array {
                ends: array.as_list::<i32>().value_offsets(),
                elements: Box::new(Self::new(array.as_list::<i32>().values())),
                nulls,
            },
            DataType::Map(..) => {
                let map = array.as_map();
                Self::Map {
                    ends: map.value_offsets(),
                    entries: Box::new([Self::new(map.keys()), Self::new(map.values())]),
                    nulls,
                }
            }
            _ => Self::Flat(Cells::new(array)),
        }
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Flat(cells) => cells.is_null(row),
            Self::Row { nulls, .. } | Self::Array { nulls, .. } | Self::Map { nulls, .. } => {
                nulls.is_some_and(|nulls| nulls.is_null(row))
            }
        }
    }

    /// Appends the value of a row that is not null.
    fn write(&self, row: usize, form: NestedForm, out: &mut Vec<u8>) {
        const FLAT: Form = Form {
            timestamp: TimestampForm::Local,
            scientific_decimals: false,
        };
        match self {
            Self::Flat(cells) => {
                cells.write(row, FLAT, out);
            }
            Self::Row { fields, .. } => {
                out.extend_from_slice(form.open);
                let write = |field: &Self, out: &mut Vec<u8>| field.write_or_null(row, form, out);
                write_list(fields, out, write);
                out.extend_from_slice(form.close);
            }
            Self::Array { ends, elements, .. } => {
                out.push(b'[');
                write_list(within(ends, row), out, |element, out| {
                    elements.write_or_null(element, form, out);
                });
                out.push(b']');
            }
            Self::Map { ends, entries, .. } => {
                let [keys, values] = entries.as_ref();
                out.push(b'{');
                write_list(within(ends, row), out, |entry, out| {
                    keys.write_or_null(entry, form, out);
                    out.push(b'=');
                    values.write_or_null(entry, form, out);
                });
                out.push(b'}');
            }
        }
    }

    fn write_or_null(&self, row: usize, form: NestedForm, out: &mut Vec<u8>) {
        if self.is_null(row) {
            out.extend_from_slice(form.null);
        } else {
            self.write(row, form, out);
        }
    }
}

fn write_list<T>(
    parts: impl IntoIterator<Item = T>,
    out: &mut Vec<u8>,
    mut write: impl FnMut(T, &mut Vec<u8>),
) {
    for (place, part) in parts.into_iter().enumerate() {
        if place > 0 {
            out.extend_from_slice(b", ");
        }
        write(part, out);
    }
}

/// One row as a JSON object for a person. Unlike the encoder of the format it
/// never fails: what is no number in JSON (NaN) stands as a string.
pub fn row_to_json(records: &RecordBatch, row: usize) -> Vec<u8> {
    super::json::row_to_json(records, row)
}

/// A type as SQL names it, as in `DECIMAL(10, 2)`.
pub fn sql_name(data_type: &DataType) -> String {
    super::column::sql_name(data_type)
}

/// Milliseconds since 1970 of a timestamp such as `2020-01-01 12:00:00.123`.
pub fn parse_timestamp_millis(text: &str) -> Option<i64> {
    datetime::parse_timestamp(text, TimestampForm::Sql, TimeUnit::Millisecond)
}

/// The one value of a column that a text stands for, or null.
///
/// # Errors
/// If the text stands for no value of its type, or the column holds no nulls; in a sentence.
pub fn value_of_text(field: &Field, text: Option<&str>) -> Result<ArrayRef, String> {
    let mut column = Column::new(field);
    match text {
        Some(text) => column.push_text(text, TimestampForm::Sql)?,
        None => column.push_null()?,
    }
    Ok(column.finish())
}

/// The unscaled value of a decimal's text, if it fits the type.
pub fn parse_decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    decimal::parse(text, precision, scale).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, ListArray, MapArray, StringArray, StructArray};
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::Fields;

    use super::*;

    /// Rows of a number and a map from texts to rows' numbers; the second is null.
    fn nested() -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]));
        let entry = Fields::from(vec![
            Field::new("key", DataType::Utf8, false),
            Field::new("value", DataType::Int32, true),
        ]);
        let keys: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
        let values: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None]));
        let entries = StructArray::new(entry.clone(), vec![keys, values], None);
        let entry = Arc::new(Field::new("entries", DataType::Struct(entry), false));
        let ends = || OffsetBuffer::new(vec![0, 2, 2, 2].into());
        let map: ArrayRef = Arc::new(MapArray::new(entry, ends(), entries, None, false));
        let fields = Fields::from(vec![
            Field::new("n", DataType::Int32, true),
            Field::new("m", map.data_type().clone(), true),
        ]);
        let nulls = NullBuffer::from(vec![true, false, true]);
        let row = StructArray::new(fields, vec![numbers.clone(), map], Some(nulls));
        let element = Arc::new(Field::new("element", row.data_type().clone(), true));
        let elements = row.slice(0, 2);
        let array = ListArray::new(element, ends(), Arc::new(elements), None);
        let columns: [(&str, ArrayRef); 2] = [("r", Arc::new(row)), ("a", Arc::new(array))];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn shown(text: &RowText, row: usize) -> String {
        let mut out = Vec::new();
        write_list(0..text.num_columns(), &mut out, |column, out| {
            if !text.write(row, column, out) {
                out.extend_from_slice(b"-");
            }
        });
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_in_rows() {
        let records = nested();
        let (cast, printed) = (RowText::new(&records), RowText::printed(&records));
        for (row, as_cast, as_printed) in [
            (
                0,
                "(1, {a=7, b=NULL}), [(1, {a=7, b=NULL}), NULL]",
                "+I[1, {a=7, b=null}], [+I[1, {a=7, b=null}], null]",
            ),
            (1, "-, []", "-, []"),
            (2, "(3, {}), []", "+I[3, {}], []"),
        ] {
            assert_eq!(shown(&cast, row), as_cast);
            assert_eq!(shown(&printed, row), as_printed);
        }
    }
}

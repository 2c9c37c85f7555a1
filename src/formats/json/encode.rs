//! Rows to JSON objects, the fields in the order of the columns.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, FieldRef, Fields, Int64Type, SchemaRef};

use super::Json;
use super::sweep;
use crate::formats::cells::{Cells, Form, Written, write_integer};
use crate::formats::datetime::TimestampForm;
use crate::formats::{EncodedRecords, Encoder, RowError};

/// Writes rows as JSON objects.
#[derive(Debug)]
pub(super) struct JsonEncoder {
    style: Style,
}

/// What the options say about values.
#[derive(Clone, Copy, Debug)]
struct Style {
    form: Form,
    ignore_null_fields: bool,
    /// Whether NaN and the infinities stand as strings; else they are refused.
    quotes_not_finite: bool,
}

/// One column, looked at once by type and then row by row.
struct Column<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

/// The values of a column; the most frequent types come first.
enum Values<'a> {
    Text(&'a StringArray),
    Integer(&'a [i64]),
    Other(Other<'a>),
}

enum Other<'a> {
    /// Quoted, and nothing in them is escaped.
    Plain(Cells<'a>),
    Flat(Cells<'a>),
    Row(Object<'a>),
    List {
        ends: &'a [i32],
        elements: Box<Column<'a>>,
    },
    Map {
        ends: &'a [i32],
        keys: &'a StringArray,
        values: Box<Column<'a>>,
    },
}

/// The columns of which objects are made.
struct Object<'a> {
    fields: Vec<Field<'a>>,
}

struct Field<'a> {
    name: &'a str,
    /// `,"name":`
    label: Vec<u8>,
    /// How it begins; mostly all of it.
    label_head: [u8; LABEL_HEAD_BYTES],
    column: Column<'a>,
}

/// How many bytes of a label are copied at once.
const LABEL_HEAD_BYTES: usize = 16;

/// Why a value cannot be written; a pointer, as hardly any value is one.
struct NotFinite(Box<Unwritten>);

/// The fields that lead to a value, and the value.
struct Unwritten {
    path: String,
    text: String,
}

impl JsonEncoder {
    pub(super) fn new(options: Json) -> Self {
        Self {
            style: Style {
                form: Form {
                    timestamp: options.timestamp,
                    scientific_decimals: !options.plain_decimals,
                },
                ignore_null_fields: options.ignore_null_fields,
                quotes_not_finite: false,
            },
        }
    }
}

impl Encoder for JsonEncoder {
    fn encode(&mut self, records: &RecordBatch, out: &mut EncodedRecords) -> Result<(), RowError> {
        let schema = records.schema();
        let object = Object::new(schema.fields(), records.columns());
        for row in 0..records.num_rows() {
            let written = out.push(|out| object.write(row, self.style, out));
            written.map_err(|NotFinite(unwritten)| {
                let Unwritten { path, text } = *unwritten;
                RowError(format!("column '{path}': {text} is not a number in JSON"))
            })?;
        }
        Ok(())
    }
}

/// One row as JSON for a person: what is no number in JSON stands as a string.
pub(in crate::formats) fn row_to_json(records: &RecordBatch, row: usize) -> Vec<u8> {
    let style = Style {
        form: Form {
            timestamp: TimestampForm::Sql,
            scientific_decimals: false,
        },
        ignore_null_fields: false,
        quotes_not_finite: true,
    };
    let slice = records.slice(row, 1);
    let schema: SchemaRef = slice.schema();
    let mut out = Vec::new();
    let written = Object::new(schema.fields(), slice.columns()).write(0, style, &mut out);
    debug_assert!(written.is_ok(), "what is not finite is quoted");
    out
}

impl<'a> Object<'a> {
    fn new(fields: &'a Fields, columns: &'a [ArrayRef]) -> Self {
        let field = |(field, column): (&'a FieldRef, &'a ArrayRef)| {
            let mut label = vec![b','];
            write_string(field.name(), &mut label);
            label.push(b':');
            let mut label_head = [0; LABEL_HEAD_BYTES];
            for (head, byte) in label_head.iter_mut().zip(&label) {
                *head = *byte;
            }
            Field {
                name: field.name(),
                label,
                label_head,
                column: Column::new(column),
            }
        };
        Self {
            fields: fields.iter().zip(columns).map(field).collect(),
        }
    }

    /// Appends the object of a row.
    fn write(&self, row: usize, style: Style, out: &mut Vec<u8>) -> Result<(), NotFinite> {
        let start = out.len();
        for field in &self.fields {
            if style.ignore_null_fields && field.column.is_null(row) {
                continue;
            }
            field.write_label(out);
            let written = field.column.write(row, style, out);
            written.map_err(|within| within.inside(field.name))?;
        }
        // The first label begins with a comma.
        match out.get_mut(start) {
            Some(first) => *first = b'{',
            None => out.push(b'{'),
        }
        out.push(b'}');
        Ok(())
    }
}

impl Field<'_> {
    fn write_label(&self, out: &mut Vec<u8>) {
        if self.label.len() > LABEL_HEAD_BYTES {
            out.extend_from_slice(&self.label);
            return;
        }
        // A copy of a known length takes no call.
        let end = out.len() + self.label.len();
        out.extend_from_slice(&self.label_head);
        out.truncate(end);
    }
}

impl NotFinite {
    fn inside(mut self, name: &str) -> Self {
        self.0.path = match self.0.path.as_str() {
            "" => name.to_owned(),
            within if within.starts_with('[') => format!("{name}{within}"),
            within => format!("{name}.{within}"),
        };
        self
    }

    fn inside_element(self) -> Self {
        self.inside("[]")
    }
}

impl<'a> Column<'a> {
    fn new(array: &'a ArrayRef) -> Self {
        let values = match array.data_type() {
            DataType::Utf8 => Values::Text(array.as_string()),
            DataType::Int64 => Values::Integer(array.as_primitive::<Int64Type>().values()),
            _ => Values::Other(Other::new(array)),
        };
        Self {
            nulls: array.nulls(),
            values,
        }
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    /// Appends the value of a row.
    #[inline]
    fn write(&self, row: usize, style: Style, out: &mut Vec<u8>) -> Result<(), NotFinite> {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match &self.values {
            Values::Text(strings) => write_string(strings.value(row), out),
            Values::Integer(integers) => {
                write_integer(integers[row], out);
            }
            Values::Other(values) => values.write(row, style, out)?,
        }
        Ok(())
    }
}

impl<'a> Other<'a> {
    fn new(array: &'a ArrayRef) -> Self {
        match array.data_type() {
            DataType::Struct(fields) => Self::Row(Object::new(fields, array.as_struct().columns())),
            DataType::List(_) => Self::List {
                ends: array.as_list::<i32>().value_offsets(),
                elements: Box::new(Column::new(array.as_list::<i32>().values())),
            },
            DataType::Map(..) if *array.as_map().keys().data_type() == DataType::Utf8 => {
                Self::Map {
                    ends: array.as_map().value_offsets(),
                    keys: array.as_map().keys().as_string(),
                    values: Box::new(Column::new(array.as_map().values())),
                }
            }
            _ => match Cells::new(array) {
                cells if cells.is_plain() => Self::Plain(cells),
                cells => Self::Flat(cells),
            },
        }
    }

    /// Appends a value that is not null.
    #[inline(never)]
    fn write(&self, row: usize, style: Style, out: &mut Vec<u8>) -> Result<(), NotFinite> {
        match self {
            Self::Plain(cells) => {
                out.push(b'"');
                cells.write(row, style.form, out);
                out.push(b'"');
                Ok(())
            }
            Self::Flat(cells) => write_cell(cells, row, style, out),
            Self::Row(object) => object.write(row, style, out),
            Self::List { ends, elements } => {
                out.push(b'[');
                for (count, place) in range(ends, row).enumerate() {
                    if count > 0 {
                        out.push(b',');
                    }
                    let written = elements.write(place, style, out);
                    written.map_err(NotFinite::inside_element)?;
                }
                out.push(b']');
                Ok(())
            }
            Self::Map { ends, keys, values } => {
                out.push(b'{');
                for (count, place) in range(ends, row).enumerate() {
                    if count > 0 {
                        out.push(b',');
                    }
                    write_string(keys.value(place), out);
                    out.push(b':');
                    let written = values.write(place, style, out);
                    written.map_err(NotFinite::inside_element)?;
                }
                out.push(b'}');
                Ok(())
            }
        }
    }
}

/// The places of a row's elements.
fn range(ends: &[i32], row: usize) -> std::ops::Range<usize> {
    let end = |place: usize| ends.get(place).and_then(|end| usize::try_from(*end).ok());
    end(row).unwrap_or(0)..end(row + 1).unwrap_or(0)
}

/// Appends a value that is not null and may be a number.
#[inline]
fn write_cell(
    cells: &Cells<'_>,
    row: usize,
    style: Style,
    out: &mut Vec<u8>,
) -> Result<(), NotFinite> {
    let start = out.len();
    let written = cells.write(row, style.form, out);
    if written == Written::Bare {
        return Ok(());
    }
    let text = String::from_utf8_lossy(out.get(start..).unwrap_or_default()).into_owned();
    out.truncate(start);
    if written == Written::NotFinite && !style.quotes_not_finite {
        let path = String::new();
        return Err(NotFinite(Box::new(Unwritten { path, text })));
    }
    write_string(&text, out);
    Ok(())
}

/// Appends a text in quotes, escaped where it must be.
fn write_string(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.push(b'"');
    let start = out.len();
    if !write_plain(bytes, out) {
        out.truncate(start);
        write_escaped(bytes, out);
    }
    out.push(b'"');
}

/// Appends a text that needs no escapes, sixteen bytes at a time, as copies of a known
/// length take no call; `false` once it finds that it needs some.
#[inline]
fn write_plain(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let (chunks, rest) = bytes.as_chunks::<16>();
    for chunk in chunks {
        if sweep::specials(chunk) != 0 {
            return false;
        }
        out.extend_from_slice(chunk);
    }
    let end = out.len() + rest.len();
    if let Some(last) = bytes.last_chunk() {
        // The rest once more with some bytes before it.
        out.truncate(end - last.len());
        out.extend_from_slice(last);
        return sweep::specials(last) == 0;
    }
    let mut padded = [b' '; 16];
    if let Some(place) = padded.get_mut(..rest.len()) {
        place.copy_from_slice(rest);
    }
    out.extend_from_slice(&padded);
    out.truncate(end);
    sweep::specials(&padded) == 0
}

#[inline(never)]
fn write_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    let mut start = 0;
    loop {
        let end = sweep::special(bytes, start);
        out.extend_from_slice(bytes.get(start..end).unwrap_or_default());
        let Some(&byte) = bytes.get(end) else {
            break;
        };
        write_escape(byte, out);
        start = end + 1;
    }
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            let digit = |value: u8| b"0123456789abcdef".get(usize::from(value)).copied();
            let [high, low] = [byte >> 4, byte & 0xf].map(|half| digit(half).unwrap_or(b'0'));
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_is_escaped_as_by_serde_json(text in "([\\x00-\\x7f]|\\PC){0,40}") {
            let mut out = Vec::new();
            write_string(&text, &mut out);
            prop_assert_eq!(out, serde_json::to_vec(&text).unwrap());
        }
    }
}

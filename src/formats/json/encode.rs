//! Rows to JSON objects, the fields in the order of the columns.

#![expect(
    clippy::inline_always,
    reason = "a call for each value takes as long as writing it"
)]

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, FieldRef, Fields, Int64Type, SchemaRef};

use super::Json;
use super::quote::{write_first, write_string};
use crate::formats::cells::{Cells, Form, Written};
use crate::formats::datetime::TimestampForm;
use crate::formats::digits::{push_first, write_integer};
use crate::formats::{EncodedRecords, Encoder, RowError};

/// Writes rows as JSON objects.
#[derive(Debug)]
pub(in crate::formats) struct JsonEncoder {
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

/// The values of a column; the most frequent types come first. The tag stands by
/// itself, so that it needs no arithmetic.
#[repr(u8)]
enum Values<'a> {
    Text(Texts<'a>),
    Integer(&'a [i64]),
    /// Quoted, and nothing in them is escaped.
    Plain(Cells<'a>),
    Other(Other<'a>),
}

/// The bytes of all texts, and where each of them ends; the first end is its beginning.
struct Texts<'a> {
    bytes: &'a [u8],
    ends: &'a [i32],
}

enum Other<'a> {
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
    pub(in crate::formats) fn new(options: Json) -> Self {
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
    #[inline]
    fn write_label(&self, out: &mut Vec<u8>) {
        if self.label.len() > LABEL_HEAD_BYTES {
            out.extend_from_slice(&self.label);
            return;
        }
        push_first(&self.label_head, self.label.len(), out);
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
            DataType::Utf8 => Values::Text(Texts::new(array.as_string())),
            DataType::Int64 => Values::Integer(array.as_primitive::<Int64Type>().values()),
            _ => match Cells::new(array) {
                cells if cells.is_plain() => Values::Plain(cells),
                cells => Values::Other(Other::new(array, cells)),
            },
        };
        Self {
            nulls: array.nulls(),
            values,
        }
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    /// Appends the value of a row that stands in an array or a map.
    #[inline(never)]
    fn write_element(&self, row: usize, style: Style, out: &mut Vec<u8>) -> Result<(), NotFinite> {
        let written = self.write(row, style, out);
        written.map_err(NotFinite::inside_element)
    }

    /// Appends the value of a row.
    #[inline(always)]
    fn write(&self, row: usize, style: Style, out: &mut Vec<u8>) -> Result<(), NotFinite> {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match &self.values {
            Values::Text(texts) => texts.write(row, out),
            Values::Integer(integers) => write_integer(integers[row], out),
            Values::Plain(cells) => {
                out.push(b'"');
                cells.write(row, style.form, out);
                out.push(b'"');
            }
            Values::Other(values) => values.write(row, style, out)?,
        }
        Ok(())
    }
}

impl<'a> Texts<'a> {
    fn new(array: &'a StringArray) -> Self {
        Self {
            bytes: array.value_data(),
            ends: array.value_offsets(),
        }
    }

    #[inline(always)]
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        let Range { start, end } = range(self.ends, row);
        write_first(
            self.bytes.get(start..).unwrap_or_default(),
            end - start,
            out,
        );
    }
}

impl<'a> Other<'a> {
    fn new(array: &'a ArrayRef, cells: Cells<'a>) -> Self {
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
            _ => Self::Flat(cells),
        }
    }

    /// Appends a value that is not null.
    #[inline(never)]
    fn write(&self, row: usize, style: Style, out: &mut Vec<u8>) -> Result<(), NotFinite> {
        match self {
            Self::Flat(cells) => write_cell(cells, row, style, out),
            Self::Row(object) => object.write(row, style, out),
            Self::List { ends, elements } => {
                out.push(b'[');
                for (count, place) in range(ends, row).enumerate() {
                    if count > 0 {
                        out.push(b',');
                    }
                    elements.write_element(place, style, out)?;
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
                    values.write_element(place, style, out)?;
                }
                out.push(b'}');
                Ok(())
            }
        }
    }
}

/// The places of a row's elements.
#[inline]
fn range(ends: &[i32], row: usize) -> Range<usize> {
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

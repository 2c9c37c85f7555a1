//! The sink of a bare `SELECT`: rows on standard output as a table, JSON or CSV.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use indexmap::IndexMap;

use super::OptionError;
use super::lines::{json_lines, lines};
use super::stdout::{self, Stream};
use crate::formats::{self, Encoder, FormatRef, Options, RowText};
use crate::runtime::{Committer, Prepared, Result, Sink, SinkFactory, SinkTask, Written};
use crate::stream::{Barrier, BarrierKind, Batch};

/// The name under which rows that cannot be shown become dead letters.
const ORIGIN: &str = "SELECT";

/// How the rows of a bare `SELECT` are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConsoleFormat {
    /// A table for people, of columns of fixed width.
    #[default]
    Table,
    /// A JSON object a line.
    Json,
    /// CSV.
    Csv,
}

/// The sink of a bare `SELECT` with these columns.
///
/// # Errors
/// Every column that has no form as text.
pub fn console(
    format: ConsoleFormat,
    schema: &SchemaRef,
) -> Result<Arc<dyn SinkFactory>, Vec<OptionError>> {
    let (schema, records) = match format {
        ConsoleFormat::Table => (Arc::clone(schema), None),
        ConsoleFormat::Json => (Arc::clone(schema), Some(records("json", schema)?)),
        ConsoleFormat::Csv => {
            let schema = flat_schema(schema);
            let records = records("csv", &schema)?;
            (schema, Some(records))
        }
    };
    Ok(Arc::new(Console {
        schema,
        is_json: format == ConsoleFormat::Json,
        records,
        header_shown: Arc::new(AtomicBool::new(false)),
    }))
}

/// A format without options.
fn records(name: &str, schema: &SchemaRef) -> Result<FormatRef, Vec<OptionError>> {
    let given = IndexMap::from([("format".to_owned(), name.to_owned())]);
    let mut options = Options::new(&given);
    let format = formats::format(&mut options, schema);
    options.finish()?;
    Ok(format.expect("a format without errors is there"))
}

/// The columns with texts for rows, arrays and maps, which CSV has no form for.
fn flat_schema(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        if field.data_type().is_nested() {
            Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8))
        } else {
            Arc::clone(field)
        }
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The rows in the columns of [`flat_schema`].
fn flat(records: &RecordBatch) -> RecordBatch {
    let text = RowText::new(records);
    let texts = |column: usize| {
        let value = |row| {
            let mut out = Vec::new();
            let is_there = text.write(row, column, &mut out);
            is_there.then(|| String::from_utf8_lossy(&out).into_owned())
        };
        (0..records.num_rows()).map(value).collect::<StringArray>()
    };
    let columns = records.columns().iter().enumerate();
    let columns = columns.map(|(place, column)| {
        if column.data_type().is_nested() {
            Arc::new(texts(place)) as ArrayRef
        } else {
            Arc::clone(column)
        }
    });
    RecordBatch::try_new(flat_schema(&records.schema()), columns.collect())
        .expect("each column has the type of its field")
}

/// The rows with what each does in front, if it is not the same for all.
fn with_op(batch: &Batch) -> RecordBatch {
    if batch.kinds.is_none() {
        return batch.records.clone();
    }
    let kinds = (0..batch.num_rows()).map(|row| batch.kind(row).to_string());
    let kinds: ArrayRef = Arc::new(kinds.map(Some).collect::<StringArray>());
    let own = batch.records.schema();
    let fields = own.fields().iter().cloned();
    let op = Arc::new(Field::new("op", DataType::Utf8, false));
    let schema = Schema::new(std::iter::once(op).chain(fields).collect::<Vec<_>>());
    let columns = std::iter::once(kinds).chain(batch.records.columns().iter().cloned());
    RecordBatch::try_new(Arc::new(schema), columns.collect()).expect("a kind for each row")
}

struct Console {
    schema: SchemaRef,
    is_json: bool,
    /// The format of records; a table if there is none.
    records: Option<FormatRef>,
    header_shown: Arc<AtomicBool>,
}

impl SinkFactory for Console {
    fn sink(&self, _task: SinkTask) -> Result<Box<dyn Sink>> {
        let shape = match &self.records {
            Some(format) if self.is_json => Shape::Json(format.encoder(&self.schema)),
            Some(format) => Shape::Records(format.encoder(&self.schema)),
            None => Shape::Table(TableShape {
                layout: Layout::new(&self.schema),
                header_shown: self.header_shown.clone(),
            }),
        };
        Ok(Box::new(ConsoleSink { shape }))
    }

    fn committer(&self) -> Option<Arc<dyn Committer>> {
        None
    }
}

struct ConsoleSink {
    shape: Shape,
}

enum Shape {
    Table(TableShape),
    Json(Box<dyn Encoder>),
    Records(Box<dyn Encoder>),
}

struct TableShape {
    layout: Layout,
    /// Shared by the tasks of the sink, so that the header comes once.
    header_shown: Arc<AtomicBool>,
}

impl TableShape {
    /// The header, the first time that anyone asks.
    fn header(&self) -> Vec<u8> {
        if self.header_shown.swap(true, Ordering::Relaxed) {
            return Vec::new();
        }
        self.layout.header()
    }
}

#[async_trait]
impl Sink for ConsoleSink {
    async fn write(&mut self, batch: Batch) -> Result<Written> {
        let (text, dead_letters) = match &mut self.shape {
            Shape::Table(table) => {
                let mut text = table.header();
                table.layout.rows(&batch, &mut text);
                (text, Vec::new())
            }
            Shape::Json(encoder) => {
                let rows = json_lines(encoder.as_mut(), &with_op(&batch));
                (rows, Vec::new())
            }
            Shape::Records(encoder) => {
                let rows = Batch::new(flat(&with_op(&batch)));
                lines(encoder.as_mut(), &rows, ORIGIN)
            }
        };
        let bytes = text.len();
        stdout::write(Stream::Output, text).await?;
        Ok(Written {
            bytes,
            dead_letters,
        })
    }

    async fn prepare(&mut self, barrier: Barrier) -> Result<Prepared> {
        // A query without rows still shows its columns.
        if let (Shape::Table(table), BarrierKind::Last) = (&self.shape, barrier.kind) {
            stdout::write(Stream::Output, table.header()).await?;
        }
        Ok(Prepared::default())
    }
}

/// The widths of a table's columns.
#[derive(Debug)]
struct Layout {
    columns: Vec<(String, usize)>,
}

impl Layout {
    fn new(schema: &SchemaRef) -> Self {
        let column = |field: &Field| {
            let name_width = field.name().chars().count();
            (
                field.name().clone(),
                name_width.max(width_of(field.data_type())),
            )
        };
        Self {
            columns: schema.fields().iter().map(|field| column(field)).collect(),
        }
    }

    fn header(&self) -> Vec<u8> {
        let mut rule = String::from("+----+");
        let mut names = String::from("| op |");
        for (name, width) in &self.columns {
            rule.push_str(&"-".repeat(width + 2));
            rule.push('+');
            write!(names, " {name:>width$} |").expect("writing into memory succeeds");
        }
        format!("{rule}\n{names}\n{rule}\n").into_bytes()
    }

    /// A value that is wider than its column is shown whole all the same.
    fn rows(&self, batch: &Batch, out: &mut Vec<u8>) {
        let text = RowText::new(&batch.records);
        let mut cell = Vec::new();
        for row in 0..batch.num_rows() {
            out.extend_from_slice(format!("| {} |", batch.kind(row)).as_bytes());
            for (place, (_, width)) in self.columns.iter().enumerate() {
                cell.clear();
                if !text.write(row, place, &mut cell) {
                    cell.extend_from_slice(b"<NULL>");
                }
                let shown = String::from_utf8_lossy(&cell).replace(['\n', '\r', '\t'], " ");
                out.extend_from_slice(format!(" {shown:>width$} |").as_bytes());
            }
            out.push(b'\n');
        }
    }
}

/// The width that holds most values of a type.
fn width_of(data_type: &DataType) -> usize {
    match data_type {
        DataType::Boolean => 7,
        DataType::Int8 => 4,
        DataType::Int16 => 6,
        DataType::Int32 => 11,
        DataType::Int64 => 20,
        DataType::Decimal128(precision, _) => usize::from(*precision) + 2,
        DataType::Date32 => 10,
        DataType::Time32(_) | DataType::Time64(_) => 12,
        DataType::Timestamp(..) => 23,
        _ => 30,
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, StructArray};
    use arrow::datatypes::Fields;

    use super::*;

    /// CSV has no rows inside rows.
    #[test]
    fn csv_shows_rows_as_text() {
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
        let fields = Fields::from(vec![Field::new("a", DataType::Int32, true)]);
        let row = StructArray::new(fields, vec![Arc::clone(&numbers)], None);
        let columns = [("n", numbers), ("r", Arc::new(row) as ArrayRef)];
        let records = flat(&RecordBatch::try_from_iter(columns).unwrap());
        let format = super::records("csv", &records.schema()).unwrap();
        let mut encoder = format.encoder(&records.schema());
        let (text, _) = lines(encoder.as_mut(), &Batch::new(records), ORIGIN);
        assert_eq!(String::from_utf8(text).unwrap(), "1,(1)\n,(NULL)\n");
    }

    #[test]
    fn a_table_has_fixed_widths() {
        let names = StringArray::from(vec![Some("a\nb"), None, Some("c")]);
        let records = RecordBatch::try_from_iter([
            ("id", Arc::new(Int32Array::from(vec![1, 2, 3])) as ArrayRef),
            ("name", Arc::new(names)),
        ])
        .unwrap();
        let layout = Layout::new(&records.schema());
        let mut out = layout.header();
        layout.rows(&Batch::new(records), &mut out);
        let expected = "\
+----+-------------+--------------------------------+
| op |          id |                           name |
+----+-------------+--------------------------------+
| +I |           1 |                            a b |
| +I |           2 |                         <NULL> |
| +I |           3 |                              c |
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

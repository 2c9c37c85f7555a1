//! Rows to JSON objects, the fields in the order of the columns.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::Json;
use crate::formats::cells::{Cells, Form, Written};
use crate::formats::datetime::TimestampForm;
use crate::formats::{Encoder, RowError};

/// Writes rows as JSON objects.
#[derive(Debug)]
pub(super) struct JsonEncoder {
    form: Form,
    ignore_null_fields: bool,
    /// `"name":` of each column.
    labels: Vec<Vec<u8>>,
    scratch: Vec<u8>,
}

impl JsonEncoder {
    pub(super) fn new(options: Json, schema: &SchemaRef) -> Self {
        Self {
            form: Form {
                timestamp: options.timestamp,
                scientific_decimals: !options.plain_decimals,
            },
            ignore_null_fields: options.ignore_null_fields,
            labels: labels(schema),
            scratch: Vec::new(),
        }
    }
}

impl Encoder for JsonEncoder {
    fn encode(
        &mut self,
        records: &RecordBatch,
        out: &mut Vec<u8>,
        ends: &mut Vec<usize>,
    ) -> Result<(), RowError> {
        let cells = Cells::of(records);
        for row in 0..records.num_rows() {
            let start = out.len();
            out.push(b'{');
            for (place, (label, cells)) in self.labels.iter().zip(&cells).enumerate() {
                if cells.is_null(row) && self.ignore_null_fields {
                    continue;
                }
                if out.len() > start + 1 {
                    out.push(b',');
                }
                out.extend_from_slice(label);
                let written = write_cell(cells, row, self.form, &mut self.scratch, out);
                if written == Written::NotFinite {
                    out.truncate(start);
                    return Err(RowError(format!(
                        "column '{}': {} is not a number in JSON",
                        records.schema().field(place).name(),
                        String::from_utf8_lossy(&self.scratch)
                    )));
                }
            }
            out.push(b'}');
            ends.push(out.len());
        }
        Ok(())
    }
}

/// One row as JSON for a person: what is no number in JSON stands as a string.
pub(in crate::formats) fn row_to_json(records: &RecordBatch, row: usize) -> Vec<u8> {
    let form = Form {
        timestamp: TimestampForm::Sql,
        scientific_decimals: false,
    };
    let slice = records.slice(row, 1);
    let (mut out, mut scratch) = (vec![b'{'], Vec::new());
    for (label, cells) in labels(&records.schema()).iter().zip(Cells::of(&slice)) {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(label);
        if write_cell(&cells, 0, form, &mut scratch, &mut out) == Written::NotFinite {
            write_string(&String::from_utf8_lossy(&scratch), &mut out);
        }
    }
    out.push(b'}');
    out
}

fn labels(schema: &SchemaRef) -> Vec<Vec<u8>> {
    let label = |name: &str| {
        let mut label = Vec::new();
        write_string(name, &mut label);
        label.push(b':');
        label
    };
    schema
        .fields()
        .iter()
        .map(|field| label(field.name()))
        .collect()
}

/// Appends one value; what is not finite is left in `scratch` instead.
fn write_cell(
    cells: &Cells<'_>,
    row: usize,
    form: Form,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Written {
    if cells.is_null(row) {
        out.extend_from_slice(b"null");
        return Written::Bare;
    }
    if let Some(text) = cells.text(row) {
        write_string(text, out);
        return Written::Text;
    }
    scratch.clear();
    let written = cells.write(row, form, scratch);
    match written {
        Written::Bare => out.extend_from_slice(scratch),
        Written::Text => write_string(&String::from_utf8_lossy(scratch), out),
        Written::Plain => {
            out.push(b'"');
            out.extend_from_slice(scratch);
            out.push(b'"');
        }
        Written::NotFinite => {}
    }
    written
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("writing a string into memory succeeds");
}

//! Rows as text for people: what `print` shows and what a dead letter keeps.

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;

use super::cells::{Cells, Form};
use super::datetime::TimestampForm;

/// The values of one batch as plain text, without the quotes of any format.
#[derive(Debug)]
pub struct RowText<'a> {
    columns: Vec<Cells<'a>>,
}

impl<'a> RowText<'a> {
    /// The text of `records`.
    pub fn new(records: &'a RecordBatch) -> Self {
        Self {
            columns: Cells::of(records),
        }
    }

    /// How many columns it has.
    pub fn num_columns(&self) -> usize {
        self.columns.len()
    }

    /// Appends one value; `false` and nothing appended if it is null.
    pub fn write(&self, row: usize, column: usize, out: &mut Vec<u8>) -> bool {
        const FORM: Form = Form {
            timestamp: TimestampForm::Sql,
            scientific_decimals: false,
        };
        match self.columns.get(column) {
            Some(cells) if !cells.is_null(row) => {
                cells.write(row, FORM, out);
                true
            }
            _ => false,
        }
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

//! Values as text outside of any format: what `print` shows, what a dead letter
//! keeps, what an option gives.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, TimeUnit};

use super::cells::{Cells, Form};
use super::datetime::{self, TimestampForm};
use super::decimal;

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

/// Milliseconds since 1970 of a timestamp such as `2020-01-01 12:00:00.123`.
pub fn parse_timestamp_millis(text: &str) -> Option<i64> {
    datetime::parse_timestamp(text, TimestampForm::Sql, TimeUnit::Millisecond)
}

/// The unscaled value of a decimal's text, if it fits the type.
pub fn parse_decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    decimal::parse(text, precision, scale).ok()
}

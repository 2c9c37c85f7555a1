//! What an operator has put out, for the models that it is held against.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

use crate::runtime::Output;
use crate::stream::{Batch, DeadLetter};

/// Rows, and how many were late. No row may fail.
#[derive(Default)]
pub(super) struct Collected {
    pub rows: Vec<RecordBatch>,
    pub late: usize,
    pub late_rows: Vec<RecordBatch>,
}

impl Collected {
    /// The numbers in a column of what was kept of late rows.
    pub fn late_numbers(&self, column: usize) -> Vec<i64> {
        let columns = self.late_rows.iter();
        let columns = columns.map(|rows| rows.column(column).as_primitive::<Int64Type>());
        columns
            .flat_map(|column| column.values().to_vec())
            .collect()
    }
}

impl Output for Collected {
    fn emit(&mut self, batch: Batch) {
        self.rows.push(batch.records);
    }
    fn dead_letter(&mut self, letter: DeadLetter) {
        panic!("no row fails: {letter:?}");
    }
    fn late(&mut self, rows: usize) {
        self.late += rows;
    }
    fn late_rows(&mut self, batch: Batch) {
        self.late_rows.push(batch.records);
    }
}

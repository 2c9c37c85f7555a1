//! What an operator has put out, for the models that it is held against.

use arrow::array::RecordBatch;

use crate::runtime::Output;
use crate::stream::{Batch, DeadLetter};

/// Rows, and how many were late. No row may fail.
#[derive(Default)]
pub(super) struct Collected {
    pub rows: Vec<RecordBatch>,
    pub late: usize,
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
}

//! Sources of rows that are computed from their numbers.
//!
//! *Row n depends on n alone* (and on the options): a restart makes the same rows
//! again, whatever number of tasks makes them, so a generated job can be checked
//! like one that reads files. A connector says what a row is; this says which
//! rows a split makes, when they are due, and what time it is in them.

use arrow::array::RecordBatch;

mod options;
mod random;
mod reader;
mod source;

pub(super) use options::{SPLITS, splits, start_time};
pub(super) use random::{bounded, mix, unit_interval};
pub(super) use source::GeneratedSource;

/// The rows of one batch: their numbers and their times.
#[derive(Debug)]
pub(super) struct RowNumbers {
    pub numbers: Vec<u64>,
    /// Milliseconds since 1970 of each.
    pub millis: Vec<i64>,
}

/// Makes the columns that the plan reads.
pub(super) trait RowMaker: Send {
    /// The rows with these numbers. A number without a row makes none.
    fn make(&self, rows: &RowNumbers) -> RecordBatch;
}

/// Which rows there are, and when.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    /// `None` makes rows as fast as they are taken.
    pub rows_per_second: Option<u64>,
    /// By how many rows the time in the rows goes on by a second.
    pub rows_per_event_second: u64,
    /// `None` never ends.
    pub rows: Option<u64>,
    /// Into how many splits the rows are dealt.
    pub splits: u64,
    /// When row 0 happens, in milliseconds since 1970; `None` is the first start.
    pub start_millis: Option<i64>,
}

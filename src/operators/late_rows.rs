//! What is kept of rows that came too late for their windows.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::expr;
use crate::stream::Batch;

/// What is kept of late rows.
#[derive(Clone, Debug)]
pub struct LateRows {
    /// The columns of the input that are kept.
    pub columns: Vec<usize>,
    /// The rows that they make.
    pub schema: SchemaRef,
}

impl LateRows {
    /// What is kept of these rows.
    pub(super) fn of(&self, rows: &RecordBatch) -> expr::Result<Batch> {
        let columns = self.columns.iter();
        let columns = columns.map(|&column| Arc::clone(rows.column(column)));
        let kept = RecordBatch::try_new(Arc::clone(&self.schema), columns.collect())?;
        Ok(Batch::new(kept))
    }
}

//! Computes columns from columns.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};

use super::row_errors::evaluate_rows;
use crate::expr::{self, Expression, SharedParts};
use crate::runtime::{Operator, Output, Result};
use crate::stream::Batch;

/// `SELECT`: one expression a column.
pub struct Project {
    schema: SchemaRef,
    columns: SharedParts,
}

impl Project {
    /// A projection of rows of `input` to rows of `schema`.
    pub fn new(schema: SchemaRef, columns: &[Expression], input: &Schema) -> Self {
        let columns = SharedParts::of(columns, input);
        Self { schema, columns }
    }

    fn compute(&self, records: &RecordBatch) -> expr::Result<RecordBatch> {
        let records = self.columns.rows(records)?;
        let columns = self
            .columns
            .expressions()
            .iter()
            .map(|column| column.evaluate(&records))
            .collect::<expr::Result<Vec<_>>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(records.num_rows()));
        let schema = Arc::clone(&self.schema);
        Ok(RecordBatch::try_new_with_options(schema, columns, &rows)?)
    }
}

impl Operator for Project {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn process(&mut self, batch: Batch, out: &mut dyn Output) -> Result<()> {
        let parts = evaluate_rows(&batch, "project", out, &mut |part| {
            let records = self.compute(&part.records)?;
            Ok(Batch::with_kinds(records, part.kinds.clone()))
        });
        for part in parts.into_iter().filter(|part| part.num_rows() > 0) {
            out.emit(part);
        }
        Ok(())
    }
}

//! Holds rows to the columns of a table that are NOT NULL.

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::SchemaRef;

use super::row_errors::dead_letter;
use crate::runtime::{Error, Operator, Output, Result};
use crate::stream::Batch;

/// Lets rows pass that have a value wherever `table` wants one; the others become
/// dead letters.
pub struct NotNull {
    table: String,
    schema: SchemaRef,
    columns: Vec<usize>,
}

impl NotNull {
    /// The check in front of `table` for rows of `schema`, of which `columns`
    /// must not be null.
    pub fn new(table: String, schema: SchemaRef, columns: Vec<usize>) -> Self {
        Self {
            table,
            schema,
            columns,
        }
    }

    /// The rows that have a null where none may be; `None` if there are none.
    fn valid(&self, records: &RecordBatch) -> Option<NullBuffer> {
        let nulls = self
            .columns
            .iter()
            .map(|&column| records.column(column).nulls());
        let valid = nulls.fold(None, |valid: Option<NullBuffer>, nulls| {
            NullBuffer::union(valid.as_ref(), nulls)
        });
        valid.filter(|valid| valid.null_count() > 0)
    }
}

impl Operator for NotNull {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn process(&mut self, batch: Batch, out: &mut dyn Output) -> Result<()> {
        let Some(valid) = self.valid(&batch.records) else {
            out.emit(batch);
            return Ok(());
        };
        for row in (0..valid.len()).filter(|&row| valid.is_null(row)) {
            let null = self.columns.iter().copied();
            let mut null = null.filter(|&column| batch.records.column(column).is_null(row));
            let column = null.next().map_or("?", |column| {
                let field = &self.schema.fields()[column];
                field.name().as_str()
            });
            let reason = format!("column {column} of table {} is NOT NULL", self.table);
            out.dead_letter(dead_letter(&batch.records, row, &self.table, reason));
        }
        let kept = BooleanArray::new(valid.into_inner(), None);
        let kept = batch.filter(&kept);
        let kept = kept.map_err(|error| Error::Fatal(error.to_string()))?;
        if kept.num_rows() > 0 {
            out.emit(kept);
        }
        Ok(())
    }
}

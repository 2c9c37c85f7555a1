//! The rows that a decoder builds, appended whole or not at all.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;

use super::column::Column;

/// Columns of equal length.
#[derive(Debug)]
pub(super) struct Rows {
    schema: SchemaRef,
    columns: Vec<Column>,
    count: usize,
}

impl Rows {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        let columns = schema.fields().iter().map(|field| Column::new(field));
        Self {
            schema: schema.clone(),
            columns: columns.collect(),
            count: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Appends the row for which `fill` pushes one value to every column. If it
    /// fails, the columns are cut back to where they were.
    #[inline]
    pub(super) fn push<E>(
        &mut self,
        fill: impl FnOnce(&mut [Column]) -> Result<(), E>,
    ) -> Result<(), E> {
        let filled = fill(&mut self.columns);
        if filled.is_err() {
            for column in &mut self.columns {
                column.truncate(self.count);
            }
            return filled;
        }
        self.count += 1;
        debug_assert!(
            self.columns.iter().all(|column| column.len() == self.count),
            "every column gets one value a row"
        );
        Ok(())
    }

    /// Takes the rows and starts anew.
    pub(super) fn finish(&mut self) -> RecordBatch {
        let columns = self.columns.iter_mut().map(Column::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.count));
        self.count = 0;
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .expect("the columns were made for this schema and have one length")
    }
}

//! The columns of a reader, each with its generator.

use std::collections::HashMap;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;

use super::field::FieldGenerator;
use crate::connectors::generated::{RowMaker, RowNumbers};

/// Makes the columns of `schema`.
pub(super) struct Columns {
    schema: SchemaRef,
    fields: Vec<FieldGenerator>,
}

impl Columns {
    /// The columns of `schema`, which are some of the table's; `fields` has the
    /// generators of the table's columns by name.
    pub(super) fn new(schema: &SchemaRef, fields: &HashMap<String, FieldGenerator>) -> Self {
        let columns = schema.fields().iter();
        let generators = columns.map(|column| fields.get(column.name()).cloned());
        Self {
            schema: schema.clone(),
            fields: generators
                .collect::<Option<_>>()
                .expect("the columns that are read are columns of the table"),
        }
    }
}

impl RowMaker for Columns {
    fn make(&self, rows: &RowNumbers) -> RecordBatch {
        let columns: Vec<ArrayRef> = self.fields.iter().map(|f| f.generate(rows)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.numbers.len()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .expect("every column is made with its type")
    }
}

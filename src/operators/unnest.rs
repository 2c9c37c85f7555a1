//! `UNNEST`: a row for each element of a row's array.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{ArrowNativeType, DataType, SchemaRef};

use crate::runtime::{Error, Operator, Output, Result};
use crate::stream::Batch;

/// The most rows that go on at once: an array may have any number of elements.
const ROWS_AT_ONCE: usize = 8_192;

/// Repeats a row for each element of one of its columns, which takes the array's place; what
/// the row does, each of them does.
pub struct Unnest {
    schema: SchemaRef,
    column: usize,
    keeps_rows: bool,
}

impl Unnest {
    /// The elements of `column`; `keeps_rows` lets a row without any pass with a null.
    pub fn new(schema: SchemaRef, column: usize, keeps_rows: bool) -> Self {
        Self {
            schema,
            column,
            keeps_rows,
        }
    }

    /// The rows at these places, each with the element at its place, or with null.
    fn rows(&self, batch: &Batch, rows: Vec<u32>, elements: Vec<Option<u32>>) -> Result<Batch> {
        let failed = |error: arrow::error::ArrowError| Error::Fatal(error.to_string());
        let repeated = batch.take(&UInt32Array::from(rows)).map_err(failed)?;
        let all = batch.records.column(self.column).as_list::<i32>().values();
        let elements = take(all, &UInt32Array::from(elements), None).map_err(failed)?;
        let mut columns = repeated.records.columns().to_vec();
        columns[self.column] = elements;
        let records = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(failed)?;
        Ok(Batch::with_kinds(records, repeated.kinds))
    }
}

impl Operator for Unnest {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn process(&mut self, batch: Batch, out: &mut dyn Output) -> Result<()> {
        let arrays = batch.records.column(self.column).as_list::<i32>().clone();
        let (mut rows, mut elements) = (Vec::new(), Vec::new());
        // A null among rows is no element, as in Flink; among other values it is one.
        let is_of_rows = matches!(arrays.values().data_type(), DataType::Struct(_));
        let nulls = arrays.values().nulls().filter(|_| is_of_rows);
        let is_element = |element: &usize| nulls.is_none_or(|nulls| nulls.is_valid(*element));
        for row in 0..arrays.len() {
            let number = u32::try_from(row).expect("a batch has fewer than 2^32 rows");
            let own = if arrays.is_null(row) {
                0..0
            } else {
                let ends = arrays.value_offsets();
                ends[row].as_usize()..ends[row + 1].as_usize()
            };
            let mut has_elements = false;
            for element in own.filter(is_element) {
                has_elements = true;
                rows.push(number);
                elements.push(u32::try_from(element).ok());
                if rows.len() == ROWS_AT_ONCE {
                    let some = (std::mem::take(&mut rows), std::mem::take(&mut elements));
                    out.emit(self.rows(&batch, some.0, some.1)?);
                }
            }
            if self.keeps_rows && !has_elements {
                rows.push(number);
                elements.push(None);
            }
        }
        if !rows.is_empty() {
            out.emit(self.rows(&batch, rows, elements)?);
        }
        Ok(())
    }
}

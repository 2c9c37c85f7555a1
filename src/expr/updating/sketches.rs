//! About how many different values keys have, where rows are only added.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::DataType;

use super::accumulator::Accumulator;
use super::rows::SelectedRows;
use crate::expr::sketch::{Sketch, hashes, sketches_to_column};
use crate::expr::{KeyIndex, Result};

/// A sketch for each index.
#[derive(Default)]
pub(super) struct Sketches {
    sketches: Vec<Sketch>,
}

impl Accumulator for Sketches {
    fn grow(&mut self, indexes: usize) {
        self.sketches.resize_with(indexes, Sketch::default);
    }

    fn update(&mut self, rows: &SelectedRows, _: &KeyIndex) -> Result<()> {
        for (hash, &index) in hashes(&rows.value)?.into_iter().zip(&*rows.indexes) {
            if let Some(hash) = hash {
                self.sketches[index as usize].add(hash);
            }
        }
        Ok(())
    }

    fn results(&self, indexes: &[u32]) -> Result<ArrayRef> {
        let counts = indexes.iter();
        let counts = counts.map(|&index| self.sketches[index as usize].count());
        Ok(Arc::new(Int64Array::from_iter_values(counts)))
    }

    fn clear(&mut self, index: u32, _: &[u8]) {
        self.sketches[index as usize] = Sketch::default();
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Binary]
    }

    fn states(&self, indexes: &[u32]) -> Result<Vec<ArrayRef>> {
        let sketches = indexes.iter().map(|&index| &self.sketches[index as usize]);
        Ok(vec![sketches_to_column(sketches)])
    }

    fn restore(&mut self, indexes: &[u32], states: &[ArrayRef]) -> Result<()> {
        for (bytes, &index) in states[0].as_binary::<i32>().iter().zip(indexes) {
            self.sketches[index as usize] = Sketch::from_bytes(bytes.unwrap_or_default())?;
        }
        Ok(())
    }
}

//! About how many different values the keys of a pane have.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array};

use crate::expr::Result;
use crate::expr::sketch::{Sketch, hashes, sketches_to_column};

/// A sketch for each group.
#[derive(Default)]
pub(super) struct PaneSketches {
    sketches: Vec<Sketch>,
}

impl PaneSketches {
    /// The bytes of memory that it holds, about.
    pub fn num_bytes(&self) -> usize {
        self.sketches.iter().map(Sketch::num_bytes).sum()
    }

    /// Takes the values of rows in, with the group of each.
    ///
    /// # Errors
    /// If values of their type are not hashed.
    pub fn update(
        &mut self,
        values: &ArrayRef,
        group_of_row: &[usize],
        filtered: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        self.sketches.resize_with(groups, Sketch::default);
        let counts = |row| filtered.is_none_or(|kept| kept.is_valid(row) && kept.value(row));
        for (row, (hash, &group)) in hashes(values)?.into_iter().zip(group_of_row).enumerate() {
            if let Some(hash) = hash.filter(|_| counts(row)) {
                self.sketches[group].add(hash);
            }
        }
        Ok(())
    }

    /// Takes partial states in, as [`Self::drain_states`] makes them.
    ///
    /// # Errors
    /// If they are not of its making.
    pub fn merge(
        &mut self,
        states: &ArrayRef,
        group_of_row: &[usize],
        groups: usize,
    ) -> Result<()> {
        self.sketches.resize_with(groups, Sketch::default);
        for (bytes, &group) in states.as_binary::<i32>().iter().zip(group_of_row) {
            self.sketches[group].merge(&Sketch::from_bytes(bytes.unwrap_or_default())?);
        }
        Ok(())
    }

    /// Takes everything out as partial states, one a group.
    pub fn drain_states(&mut self) -> ArrayRef {
        sketches_to_column(std::mem::take(&mut self.sketches).iter())
    }

    /// Takes everything out as the numbers of values, one a group.
    pub fn drain_counts(&mut self) -> ArrayRef {
        let sketches = std::mem::take(&mut self.sketches);
        let counts = sketches.iter().map(Sketch::count);
        Arc::new(Int64Array::from_iter_values(counts))
    }
}

//! The rows of a batch that one call takes in.

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array};
use arrow::compute::{and, is_not_null, take};

use crate::expr::Result;

/// Rows that are added to indexes, or taken back from them, with the value of each.
pub(super) struct SelectedRows<'a> {
    pub indexes: Cow<'a, [u32]>,
    /// Whether each row is added; without it all are.
    adds: Option<Cow<'a, [bool]>>,
    pub value: ArrayRef,
}

impl<'a> SelectedRows<'a> {
    /// All rows of a batch.
    pub fn all(indexes: &'a [u32], adds: Option<&'a [bool]>, value: ArrayRef) -> Self {
        Self {
            indexes: Cow::Borrowed(indexes),
            adds: adds.map(Cow::Borrowed),
            value,
        }
    }

    /// Whether a row is added.
    pub fn adds(&self, row: usize) -> bool {
        self.adds.as_ref().is_none_or(|adds| adds[row])
    }

    /// The rows for which `filter` is true, and whose value is not null if it `skips_nulls`.
    pub fn selected(self, filter: Option<&ArrayRef>, skips_nulls: bool) -> Result<Self> {
        let mut kept: Option<BooleanArray> = None;
        if let Some(filter) = filter {
            let filter = filter.as_boolean();
            kept = Some(and(filter, &is_not_null(filter)?)?);
        }
        if skips_nulls && self.value.null_count() > 0 {
            let there = is_not_null(&self.value)?;
            kept = Some(match kept {
                Some(kept) => and(&kept, &there)?,
                None => there,
            });
        }
        let Some(kept) = kept else {
            return Ok(self);
        };
        let rows = (0..kept.len()).filter(|&row| kept.is_valid(row) && kept.value(row));
        self.only(&rows.collect::<Vec<_>>())
    }

    /// Some of the rows.
    pub fn only(&self, rows: &[usize]) -> Result<Self> {
        let numbers = rows
            .iter()
            .map(|&row| u32::try_from(row).expect("a batch has fewer than 2^32 rows"));
        let numbers = UInt32Array::from_iter_values(numbers);
        let adds = self.adds.as_ref();
        Ok(Self {
            indexes: rows.iter().map(|&row| self.indexes[row]).collect(),
            adds: adds.map(|adds| rows.iter().map(|&row| adds[row]).collect()),
            value: take(&self.value, &numbers, None)?,
        })
    }
}

//! What becomes of the results of keys.

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::concat;
use arrow::compute::kernels::cmp::not_distinct;

use crate::expr::Result;

/// What has become of the row of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// Nothing.
    None,
    /// It has a row now.
    Inserted,
    /// It has another row.
    Updated,
    /// It has none any more.
    Deleted,
}

/// Keys whose rows may have changed, each once.
#[derive(Debug)]
pub struct KeyChanges {
    /// Their columns.
    pub keys: Vec<ArrayRef>,
    /// The results before; of no meaning where there was no row.
    pub old: Vec<ArrayRef>,
    /// The results now; of no meaning where there is no row.
    pub new: Vec<ArrayRef>,
    /// What has become of each.
    pub changes: Vec<KeyChange>,
}

/// Keys that were touched since their changes were last taken, and how they were before.
#[derive(Default)]
pub(super) struct Touched {
    pub indexes: Vec<u32>,
    /// Whether they had a row.
    pub had_rows: Vec<bool>,
    /// Their results, in parts.
    old: Vec<Vec<ArrayRef>>,
    /// By index, whether it is among them.
    is_in: Vec<bool>,
}

impl Touched {
    pub fn grow(&mut self, indexes: usize) {
        self.is_in.resize(indexes, false);
    }

    pub fn contains(&self, index: u32) -> bool {
        self.is_in[index as usize]
    }

    /// Notes that an index is touched; whether it was not before.
    pub fn touch(&mut self, index: u32, had_rows: bool) -> bool {
        if std::mem::replace(&mut self.is_in[index as usize], true) {
            return false;
        }
        self.indexes.push(index);
        self.had_rows.push(had_rows);
        true
    }

    /// Keeps the results of the indexes that were touched last.
    pub fn keep(&mut self, old: Vec<ArrayRef>) {
        self.old.push(old);
    }

    /// Everything, and nothing is touched then.
    pub fn take(&mut self) -> Result<(Vec<u32>, Vec<bool>, Vec<ArrayRef>)> {
        let indexes = std::mem::take(&mut self.indexes);
        for &index in &indexes {
            self.is_in[index as usize] = false;
        }
        let parts = std::mem::take(&mut self.old);
        let columns = parts.first().map_or(0, Vec::len);
        let old = (0..columns).map(|column| {
            let arrays: Vec<&dyn Array> = parts.iter().map(|part| &*part[column]).collect();
            Ok(concat(&arrays)?)
        });
        let old = old.collect::<Result<_>>()?;
        Ok((indexes, std::mem::take(&mut self.had_rows), old))
    }
}

/// Which rows of two sets of columns are equal; nulls are.
pub(super) fn equal_rows(old: &[ArrayRef], new: &[ArrayRef], rows: usize) -> Result<Vec<bool>> {
    let mut equal = vec![true; rows];
    for (old, new) in old.iter().zip(new) {
        if old.data_type().is_nested() {
            for (row, equal) in equal.iter_mut().enumerate() {
                *equal &= old.slice(row, 1) == new.slice(row, 1);
            }
            continue;
        }
        let same: BooleanArray = not_distinct(old, new)?;
        for (equal, same) in equal.iter_mut().zip(same.values()) {
            *equal &= same;
        }
    }
    Ok(equal)
}

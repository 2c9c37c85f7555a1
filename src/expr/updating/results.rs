//! What keys come to in the end, where nobody asks what has become of them in between.

use arrow::array::ArrayRef;

use super::UpdatingAggregates;
use crate::expr::Result;

/// Keys with what they come to.
#[derive(Debug)]
pub struct KeyResults {
    /// How many keys there are.
    pub num_keys: usize,
    /// Their columns.
    pub keys: Vec<ArrayRef>,
    /// Their results.
    pub results: Vec<ArrayRef>,
}

impl UpdatingAggregates {
    /// The next keys that have rows, `count_max` at most, each told once; none if there are no
    /// others. Behind this no rows come.
    ///
    /// # Errors
    /// If results cannot be made.
    pub fn take_results(&mut self, count_max: usize) -> Result<KeyResults> {
        let mut indexes = Vec::new();
        while self.next_result < self.rows.len() && indexes.len() < count_max {
            if self.rows[self.next_result] > 0 {
                let index = u32::try_from(self.next_result);
                indexes.push(index.expect("a task has fewer than 2^32 keys"));
            }
            self.next_result += 1;
        }
        Ok(KeyResults {
            num_keys: indexes.len(),
            keys: self.keys.columns_of(indexes.iter().copied())?,
            results: self.results(&indexes)?,
        })
    }

    /// Forgets those of the keys that have no rows any more.
    pub(super) fn forget_empty(&mut self, mut indexes: Vec<u32>) {
        indexes.retain(|&index| self.rows[index as usize] == 0);
        indexes.sort_unstable();
        indexes.dedup();
        for index in indexes {
            self.remove(index);
        }
    }
}

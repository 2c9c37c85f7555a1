//! Which keys have not been touched for too long.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, new_null_array};
use arrow::datatypes::{DataType, Int64Type};

/// When each key was last touched, and who is next to go.
pub(super) struct TimeToLive {
    ms: Option<i64>,
    /// By index; [`NEVER`] for one that is in nobody's use.
    stamps: Vec<i64>,
    /// Indexes with the time at which they were put here.
    queue: VecDeque<(i64, u32)>,
    /// Whether an index is in the queue.
    is_queued: Vec<bool>,
}

const NEVER: i64 = i64::MIN;

impl TimeToLive {
    pub fn new(ms: Option<i64>) -> Self {
        Self {
            ms,
            stamps: Vec::new(),
            queue: VecDeque::new(),
            is_queued: Vec::new(),
        }
    }

    pub fn grow(&mut self, indexes: usize) {
        if self.ms.is_some() {
            self.stamps.resize(indexes, NEVER);
            self.is_queued.resize(indexes, false);
        }
    }

    pub fn touch(&mut self, index: u32, now_ms: i64) {
        if self.ms.is_some() {
            self.stamps[index as usize] = now_ms;
            self.enqueue(index, now_ms);
        }
    }

    fn enqueue(&mut self, index: u32, now_ms: i64) {
        if !std::mem::replace(&mut self.is_queued[index as usize], true) {
            self.queue.push_back((now_ms, index));
        }
    }

    pub fn forget(&mut self, index: u32) {
        if self.ms.is_some() {
            self.stamps[index as usize] = NEVER;
        }
    }

    /// Whether the time of an index is over.
    pub fn is_over(&self, index: u32, now_ms: i64) -> bool {
        let Some(ms) = self.ms else { return false };
        let stamp = self.stamps[index as usize];
        stamp != NEVER && now_ms.saturating_sub(stamp) >= ms
    }

    /// A index whose time is over, to be touched or forgotten by the caller. It may be found
    /// late, but no later than after twice the time.
    pub fn next_over(&mut self, now_ms: i64) -> Option<u32> {
        let ms = self.ms?;
        while let Some(&(queued, index)) = self.queue.front()
            && now_ms.saturating_sub(queued) >= ms
        {
            self.queue.pop_front();
            self.is_queued[index as usize] = false;
            if self.is_over(index, now_ms) {
                return Some(index);
            }
            if self.stamps[index as usize] != NEVER {
                self.enqueue(index, now_ms);
            }
        }
        None
    }

    /// When indexes were last touched.
    pub fn stamps(&self, indexes: &[u32]) -> ArrayRef {
        if self.ms.is_none() {
            return new_null_array(&DataType::Int64, indexes.len());
        }
        let stamps = indexes.iter().map(|&index| self.stamps[index as usize]);
        Arc::new(Int64Array::from_iter_values(stamps))
    }

    /// Takes stamps back. A key that had none lives from the first time on: that it was kept
    /// without an end was somebody's wish.
    pub fn restore(&mut self, indexes: &[u32], stamps: &ArrayRef) {
        if self.ms.is_none() {
            return;
        }
        let stamps = stamps.as_primitive::<Int64Type>();
        let mut of_keys: Vec<(i64, u32)> = Vec::with_capacity(indexes.len());
        for (row, &index) in indexes.iter().enumerate() {
            let stamp = if stamps.is_valid(row) {
                stamps.value(row)
            } else {
                0
            };
            self.stamps[index as usize] = stamp;
            of_keys.push((stamp, index));
        }
        of_keys.sort_unstable();
        for (stamp, index) in of_keys {
            self.enqueue(index, stamp);
        }
    }
}

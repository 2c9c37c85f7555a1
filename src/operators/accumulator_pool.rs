//! Accumulators between two uses: a hash table that has grown once need not grow
//! again for the next slice.

use std::sync::Arc;

use crate::expr::{self, AggregateLayout, GroupedAccumulators};

/// The most accumulators that wait for their next use.
const IDLE_MAX: usize = 4;

/// Makes accumulators of one layout, and takes them back.
#[derive(Debug)]
pub struct AccumulatorPool {
    layout: Arc<AggregateLayout>,
    idle: Vec<GroupedAccumulators>,
}

impl AccumulatorPool {
    /// A pool without accumulators.
    pub fn new(layout: Arc<AggregateLayout>) -> Self {
        Self {
            layout,
            idle: Vec::new(),
        }
    }

    /// Whether it matters in which order states are merged.
    pub fn is_ordered(&self) -> bool {
        self.layout.is_ordered()
    }

    /// Empty accumulators.
    ///
    /// # Errors
    /// If they cannot be made.
    pub fn take(&mut self) -> expr::Result<GroupedAccumulators> {
        match self.idle.pop() {
            Some(idle) => Ok(idle),
            None => self.layout.accumulators(),
        }
    }

    /// The accumulators of a place, which it is given if it has none.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn filled<'a>(
        &mut self,
        place: &'a mut Option<GroupedAccumulators>,
    ) -> expr::Result<&'a mut GroupedAccumulators> {
        match place {
            Some(accumulators) => Ok(accumulators),
            None => Ok(place.insert(self.take()?)),
        }
    }

    /// Takes accumulators back that were drained.
    pub fn give_back(&mut self, drained: GroupedAccumulators) {
        debug_assert!(drained.is_empty(), "what is in them would be counted again");
        if self.idle.len() < IDLE_MAX {
            self.idle.push(drained);
        }
    }
}

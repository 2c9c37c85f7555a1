//! Aggregates: the calls of a plan node, and the accumulators that compute them of rows
//! that are only added.

mod call;
mod grouped;
mod pane_accumulator;
mod pane_sketches;
mod pane_values;

pub use call::{AggregateCall, AggregateFunction};
pub use grouped::{AggregateLayout, GroupedAccumulators};

//! Expressions and aggregates over Arrow arrays.
//!
//! With `sql/` and `plan/` the only place that names the query library; what
//! operators need of it they get here.

mod aggregate;
mod error;
mod expression;
pub mod functions;
mod key_index;
mod listed_values;
mod row_bytes;
mod shared_parts;
mod sketch;
mod updating;
mod wording;

pub use aggregate::{AggregateCall, AggregateFunction, AggregateLayout, GroupedAccumulators};
pub use error::{Error, Result};
pub use expression::Expression;
pub use key_index::KeyIndex;
pub use row_bytes::{EncodedRows, RowBytes};
pub use shared_parts::SharedParts;
pub use updating::{
    KeyChange, KeyChanges, KeyResults, Tells, UpdatingAggregates, UpdatingSpec, UpdatingState,
};
pub use wording::in_sql_words;

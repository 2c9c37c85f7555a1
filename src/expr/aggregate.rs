//! Grouped aggregates: the calls of a plan node, and their accumulators.

use arrow::datatypes::FieldRef;
use std::fmt;

/// The aggregate functions that have accumulators. `AVG` is planned as a
/// division of `SUM` by `COUNT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateFunction {
    /// Rows, or values that are not null.
    Count,
    /// The sum of the values that are not null.
    Sum,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
}

/// One aggregate of a plan node.
#[derive(Clone, Debug)]
pub struct AggregateCall {
    /// The function.
    pub function: AggregateFunction,
    /// The column of the input; `None` is `COUNT(*)`.
    pub argument: Option<usize>,
    /// Name, type and nullability of the result, as Flink has it: `SUM` has the
    /// type of its argument (of a decimal with 38 digits), `COUNT` is `BIGINT`.
    pub result: FieldRef,
}

impl fmt::Display for AggregateCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.function {
            AggregateFunction::Count => "COUNT",
            AggregateFunction::Sum => "SUM",
            AggregateFunction::Min => "MIN",
            AggregateFunction::Max => "MAX",
        };
        match self.argument {
            Some(column) => write!(f, "{name}(#{column})"),
            None => write!(f, "{name}(*)"),
        }
    }
}

//! The aggregates of a plan node.

use std::fmt;

use arrow::datatypes::FieldRef;

/// The aggregate functions that have accumulators. What else SQL has is planned as an
/// expression over these: `AVG` as a division of `SUM` by `COUNT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AggregateFunction {
    /// Rows, or values that are not null.
    Count,
    /// The sum of the values that are not null.
    Sum,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
    /// The value that came first.
    First,
    /// The value that came last.
    Last,
    /// The values as text, in the order in which they came.
    Text {
        /// What stands between two of them.
        separator: String,
    },
    /// All values, nulls as well, in the order in which they came.
    Array,
    /// The values, each with how often it came.
    Multiset,
    /// About how many different values there are.
    ApproximateCount,
}

impl AggregateFunction {
    /// Whether a row whose value is null is left out.
    pub fn skips_nulls(&self) -> bool {
        !matches!(self, Self::Array)
    }

    /// Whether it counts or adds up.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Count | Self::Sum)
    }

    /// Whether it is the least or the greatest value.
    pub fn is_extreme(&self) -> bool {
        matches!(self, Self::Min | Self::Max)
    }

    /// Whether it depends on the order in which values come.
    pub fn is_ordered(&self) -> bool {
        matches!(
            self,
            Self::First | Self::Last | Self::Text { .. } | Self::Array
        )
    }

    /// Whether what it has seen of a row can be taken back from it.
    pub fn can_retract(&self) -> bool {
        !matches!(self, Self::ApproximateCount)
    }

    /// Its name in SQL.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Count => "COUNT",
            Self::Sum => "SUM",
            Self::Min => "MIN",
            Self::Max => "MAX",
            Self::First => "FIRST_VALUE",
            Self::Last => "LAST_VALUE",
            Self::Text { .. } => "LISTAGG",
            Self::Array => "ARRAY_AGG",
            Self::Multiset => "COLLECT",
            Self::ApproximateCount => "APPROX_COUNT_DISTINCT",
        }
    }
}

impl fmt::Display for AggregateFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One aggregate of a plan node.
#[derive(Clone, Debug)]
pub struct AggregateCall {
    /// The function.
    pub function: AggregateFunction,
    /// The column of the input; `None` is `COUNT(*)`.
    pub argument: Option<usize>,
    /// Whether equal values count once.
    pub distinct: bool,
    /// The column of the input that says which rows count; `None` lets all count.
    pub filter: Option<usize>,
    /// Name, type and nullability of the result, as Flink has it: `SUM` has the
    /// type of its argument (of a decimal with 38 digits), `COUNT` is `BIGINT`.
    pub result: FieldRef,
}

impl fmt::Display for AggregateCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.function)?;
        if self.distinct {
            f.write_str("DISTINCT ")?;
        }
        match self.argument {
            Some(column) => write!(f, "#{column}")?,
            None => f.write_str("*")?,
        }
        if let AggregateFunction::Text { separator } = &self.function {
            write!(f, ", '{}'", separator.replace('\'', "''"))?;
        }
        f.write_str(")")?;
        match self.filter {
            Some(column) => write!(f, " FILTER (WHERE #{column})"),
            None => Ok(()),
        }
    }
}

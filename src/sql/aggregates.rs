//! The aggregate functions with Flink's result types, as the planner sees them.
//!
//! They are never run: `lower_aggregate` turns a call into the accumulators of
//! `expr/`.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::expr::AggregateFunctionParams;
use datafusion_expr::function::AccumulatorArgs;
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility, lit};

use super::data_type::MAX_PRECISION;

/// The aggregate function of this name, in any case of letters.
pub(super) fn aggregate(name: &str) -> Option<Arc<AggregateUDF>> {
    let wanted = FUNCTIONS
        .iter()
        .find(|function| function.name().eq_ignore_ascii_case(name));
    wanted.cloned()
}

/// All their names.
pub(super) fn names() -> Vec<String> {
    let names = FUNCTIONS.iter().map(|function| function.name().to_owned());
    names.collect()
}

/// Which aggregate a call of the plan means.
///
/// # Panics
/// If the function is not of this module; the planner knows no others.
pub(super) fn meaning(function: &AggregateUDF) -> Meaning {
    let known = MEANINGS.iter().find(|(name, _)| *name == function.name());
    known.expect("the catalog holds these functions only").1
}

/// An aggregate of SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Meaning {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    First,
    Last,
    ListAgg,
    ArrayAgg,
    Collect,
    ApproxCountDistinct,
    /// What tells the sets of `GROUP BY` apart.
    Grouping(GroupingCall),
    /// The values as the elements of a JSON array.
    JsonArrayAgg,
    /// Keys and values as the fields of a JSON object.
    JsonObjectAgg,
    /// The variance of values that are all, or a sample of them, or its root.
    Spread {
        of_sample: bool,
        root: bool,
    },
}

/// How the sets of `GROUP BY` are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum GroupingCall {
    /// A bit for each expression: whether the set does not have it.
    Of,
    /// How many sets before are the same.
    Repeated,
}

/// The functions by name.
const MEANINGS: [(&str, Meaning); 22] = [
    ("COUNT", Meaning::Count),
    ("SUM", Meaning::Sum),
    ("AVG", Meaning::Avg),
    ("MIN", Meaning::Min),
    ("MAX", Meaning::Max),
    ("FIRST_VALUE", Meaning::First),
    ("LAST_VALUE", Meaning::Last),
    ("LISTAGG", Meaning::ListAgg),
    ("ARRAY_AGG", Meaning::ArrayAgg),
    ("COLLECT", Meaning::Collect),
    ("APPROX_COUNT_DISTINCT", Meaning::ApproxCountDistinct),
    ("GROUPING", Meaning::Grouping(GroupingCall::Of)),
    ("GROUPING_ID", Meaning::Grouping(GroupingCall::Of)),
    ("GROUP_ID", Meaning::Grouping(GroupingCall::Repeated)),
    ("JSON_ARRAYAGG", Meaning::JsonArrayAgg),
    ("JSON_OBJECTAGG", Meaning::JsonObjectAgg),
    ("VAR_POP", spread(false, false)),
    ("VAR_SAMP", spread(true, false)),
    ("VARIANCE", spread(true, false)),
    ("STDDEV_POP", spread(false, true)),
    ("STDDEV_SAMP", spread(true, true)),
    ("STDDEV", spread(true, true)),
];

const fn spread(of_sample: bool, root: bool) -> Meaning {
    Meaning::Spread { of_sample, root }
}

impl Meaning {
    /// The type of the result over values of type `argument`; `None` if it has none.
    pub(super) fn result(self, argument: &DataType) -> Option<DataType> {
        match self {
            Self::Count | Self::ApproxCountDistinct | Self::Grouping(_) => Some(DataType::Int64),
            Self::Sum | Self::Avg | Self::Spread { .. } if !argument.is_numeric() => None,
            Self::Sum => Some(match argument {
                DataType::Decimal128(_, scale) => DataType::Decimal128(MAX_PRECISION, *scale),
                other => other.clone(),
            }),
            Self::Avg | Self::Spread { .. } => Some(match argument {
                DataType::Decimal128(_, scale) => {
                    DataType::Decimal128(MAX_PRECISION, (*scale).max(6))
                }
                other => other.clone(),
            }),
            Self::Min | Self::Max => (!matches!(argument, DataType::Binary)
                && !matches!(argument, DataType::Interval(_)))
            .then(|| argument.clone()),
            Self::First | Self::Last => Some(argument.clone()),
            Self::ListAgg => (*argument == DataType::Utf8).then_some(DataType::Utf8),
            Self::ArrayAgg => Some(array(argument)),
            Self::Collect => Some(multiset(argument)),
            Self::JsonArrayAgg => Some(DataType::Utf8),
            Self::JsonObjectAgg => {
                matches!(argument, DataType::Utf8 | DataType::Null).then_some(DataType::Utf8)
            }
        }
    }

    /// Whether equal values count once or change nothing.
    pub(super) fn ignores_distinct(self) -> bool {
        matches!(self, Self::Min | Self::Max | Self::ApproxCountDistinct)
    }

    /// Whether it has a result where there are no values.
    pub(super) fn is_always_there(self) -> bool {
        matches!(
            self,
            Self::Count
                | Self::ApproxCountDistinct
                | Self::Grouping(_)
                | Self::JsonArrayAgg
                | Self::JsonObjectAgg
        )
    }

    /// How many arguments it takes, at least and at most.
    pub(super) fn arguments(self) -> (usize, usize) {
        match self {
            Self::ListAgg => (1, 2),
            // The last says whether there are nulls in the text.
            Self::JsonArrayAgg => (2, 2),
            Self::JsonObjectAgg => (3, 3),
            _ => (1, 1),
        }
    }
}

fn array(element: &DataType) -> DataType {
    DataType::List(Arc::new(Field::new("element", element.clone(), true)))
}

/// A multiset is a map of its values to how often they occur.
fn multiset(value: &DataType) -> DataType {
    let fields = [
        Field::new("key", value.clone(), false),
        Field::new("value", DataType::Int32, false),
    ];
    let entries = Field::new_struct("entries", fields.to_vec(), false);
    DataType::Map(Arc::new(entries), false)
}

static FUNCTIONS: LazyLock<Vec<Arc<AggregateUDF>>> = LazyLock::new(|| {
    let functions = MEANINGS.iter().map(|&(name, meaning)| {
        Arc::new(AggregateUDF::from(FlinkAggregate {
            name,
            meaning,
            signature: Signature::user_defined(Volatility::Immutable),
        }))
    });
    functions.collect()
});

#[derive(Debug, PartialEq, Eq, Hash)]
struct FlinkAggregate {
    name: &'static str,
    meaning: Meaning,
    signature: Signature,
}

impl AggregateUDFImpl for FlinkAggregate {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// `NULL` where there is none: `typing` refuses that in better words.
    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let argument = arguments.first().unwrap_or(&DataType::Null);
        Ok(self.meaning.result(argument).unwrap_or(DataType::Null))
    }

    fn schema_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        if self.meaning == Meaning::Count && params.args.as_slice() == [lit(true)] {
            return Ok(match &params.filter {
                None => "COUNT(*)".to_owned(),
                Some(filter) => format!("COUNT(*) FILTER (WHERE {filter})"),
            });
        }
        // The library's own form leaves casts out, so that two calls would have
        // one name.
        self.display_name(params)
    }

    fn is_nullable(&self) -> bool {
        !self.meaning.is_always_there()
    }

    fn accumulator(&self, _arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        internal_err!("an aggregate of the plan is never run")
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arguments.to_vec())
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        match self.meaning {
            Meaning::Count | Meaning::ApproxCountDistinct => Ok(ScalarValue::Int64(Some(0))),
            _ => ScalarValue::try_from(data_type),
        }
    }
}

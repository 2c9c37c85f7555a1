//! The aggregate functions with Flink's result types, as the planner sees them.
//!
//! They are never run: `lower_aggregate` turns a call into the accumulators of
//! `expr/`.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
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
    let all = [
        Meaning::Count,
        Meaning::Sum,
        Meaning::Avg,
        Meaning::Min,
        Meaning::Max,
    ];
    all.into_iter()
        .find(|meaning| meaning.name() == function.name())
        .expect("the catalog holds these functions only")
}

/// An aggregate of SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Meaning {
    Count,
    Sum,
    Avg,
    Min,
    Max,
}

impl Meaning {
    fn name(self) -> &'static str {
        match self {
            Self::Count => "COUNT",
            Self::Sum => "SUM",
            Self::Avg => "AVG",
            Self::Min => "MIN",
            Self::Max => "MAX",
        }
    }

    /// The type of the result over values of type `argument`; `None` if it has none.
    pub(super) fn result(self, argument: &DataType) -> Option<DataType> {
        match self {
            Self::Count => Some(DataType::Int64),
            Self::Sum | Self::Avg if !argument.is_numeric() => None,
            Self::Sum => Some(match argument {
                DataType::Decimal128(_, scale) => DataType::Decimal128(MAX_PRECISION, *scale),
                other => other.clone(),
            }),
            Self::Avg => Some(match argument {
                DataType::Decimal128(_, scale) => {
                    DataType::Decimal128(MAX_PRECISION, (*scale).max(6))
                }
                other => other.clone(),
            }),
            Self::Min | Self::Max => (!matches!(argument, DataType::Binary)
                && !matches!(argument, DataType::Interval(_)))
            .then(|| argument.clone()),
        }
    }
}

static FUNCTIONS: LazyLock<Vec<Arc<AggregateUDF>>> = LazyLock::new(|| {
    [
        Meaning::Count,
        Meaning::Sum,
        Meaning::Avg,
        Meaning::Min,
        Meaning::Max,
    ]
    .into_iter()
    .map(|meaning| {
        Arc::new(AggregateUDF::from(FlinkAggregate {
            meaning,
            signature: Signature::user_defined(Volatility::Immutable),
        }))
    })
    .collect()
});

#[derive(Debug, PartialEq, Eq, Hash)]
struct FlinkAggregate {
    meaning: Meaning,
    signature: Signature,
}

impl AggregateUDFImpl for FlinkAggregate {
    fn name(&self) -> &str {
        self.meaning.name()
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
            return Ok("COUNT(*)".to_owned());
        }
        // The library's own form leaves casts out, so that two calls would have
        // one name.
        self.display_name(params)
    }

    fn is_nullable(&self) -> bool {
        self.meaning != Meaning::Count
    }

    fn accumulator(&self, _arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        internal_err!("an aggregate of the plan is never run")
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arguments.to_vec())
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        match self.meaning {
            Meaning::Count => Ok(ScalarValue::Int64(Some(0))),
            _ => ScalarValue::try_from(data_type),
        }
    }
}

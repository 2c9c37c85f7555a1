//! The calls of aggregate functions as accumulators and what is computed from
//! them: `AVG` is a division, a narrow `SUM` is added up wide, and truth values
//! are compared as numbers.

use arrow::datatypes::DataType;
use datafusion_common::{Column, DFSchema, Result};
use datafusion_expr::expr::{AggregateFunction as LogicalCall, BinaryExpr, Case, ScalarFunction};
use datafusion_expr::{Expr, ExprSchemable, Operator};

use super::aggregates::{Meaning, meaning};
use super::arithmetic;
use super::conversion::cast_to;
use super::diagnose::refusal;
use super::typing::misfit;
use super::window_removal::bare;
use crate::expr::AggregateFunction;
use crate::expr::functions::narrow;
use crate::plan::type_name;

/// The accumulators of an aggregation, each once, and what is computed from them.
#[derive(Default)]
pub(super) struct Calls {
    /// What is aggregated.
    pub arguments: Vec<Expr>,
    pub accumulators: Vec<Call>,
    results: Vec<CallResult>,
}

/// One accumulator.
#[derive(PartialEq)]
pub(super) struct Call {
    pub function: AggregateFunction,
    /// Its place among the arguments.
    pub argument: Option<usize>,
    pub result: DataType,
}

/// The result of a call of SQL over the accumulators, by their places.
enum CallResult {
    Plain(usize),
    Narrow(usize, DataType),
    Cast(usize, DataType),
    Quotient {
        sum: usize,
        count: usize,
        result: DataType,
    },
}

impl Calls {
    /// Takes a call of SQL in.
    ///
    /// # Errors
    /// If no accumulator does what it asks for.
    pub(super) fn add(&mut self, call: &Expr, schema: &DFSchema) -> Result<()> {
        let Expr::AggregateFunction(LogicalCall { func, params }) = bare(call) else {
            return Err(refusal("an aggregate must be a call", None, None));
        };
        let meaning = meaning(func);
        let [argument] = params.args.as_slice() else {
            return Err(refusal(
                format!("{} takes one argument", func.name()),
                None,
                None,
            ));
        };
        if params.distinct {
            let message = format!("{}(DISTINCT …) is not supported yet", func.name());
            return Err(misfit(message, &[argument]));
        }
        if !params.order_by.is_empty() || params.null_treatment.is_some() {
            let message = format!("{} takes no ORDER BY and no IGNORE NULLS", func.name());
            return Err(misfit(message, &[argument]));
        }
        let argument = match &params.filter {
            None => argument.clone(),
            Some(filter) => filtered(argument, filter),
        };
        let result = self.planned(meaning, argument, schema)?;
        self.results.push(result);
        Ok(())
    }

    fn planned(
        &mut self,
        meaning: Meaning,
        argument: Expr,
        schema: &DFSchema,
    ) -> Result<CallResult> {
        let data_type = argument.get_type(schema)?;
        if meaning != Meaning::Count && !crate::stream::is_key_type(&data_type) {
            let message = format!("cannot aggregate values of type {}", type_name(&data_type));
            return Err(misfit(message, &[&argument]));
        }
        Ok(match meaning {
            Meaning::Count => CallResult::Plain(self.count(argument)),
            Meaning::Min => self.extreme(AggregateFunction::Min, argument, data_type, schema)?,
            Meaning::Max => self.extreme(AggregateFunction::Max, argument, data_type, schema)?,
            Meaning::Sum => match self.sum(argument, &data_type, schema)? {
                sum if data_type == DataType::Float32 => CallResult::Cast(sum, data_type),
                sum if data_type.is_integer() && data_type != DataType::Int64 => {
                    CallResult::Narrow(sum, data_type)
                }
                sum => CallResult::Plain(sum),
            },
            Meaning::Avg => {
                let sum = self.sum(argument.clone(), &data_type, schema)?;
                let count = self.count(argument);
                let result = match data_type {
                    DataType::Decimal128(_, scale) => DataType::Decimal128(38, scale.max(6)),
                    other => other,
                };
                CallResult::Quotient { sum, count, result }
            }
        })
    }

    /// The accumulators do not compare truth values: these are numbers there.
    fn extreme(
        &mut self,
        function: AggregateFunction,
        argument: Expr,
        data_type: DataType,
        schema: &DFSchema,
    ) -> Result<CallResult> {
        if data_type != DataType::Boolean {
            return Ok(CallResult::Plain(self.call(function, argument, data_type)));
        }
        let number = cast_to(argument, &DataType::Int8, schema)?;
        let place = self.call(function, number, DataType::Int8);
        Ok(CallResult::Cast(place, data_type))
    }

    /// The sum of integers is added up as `BIGINT`, and that of `FLOAT` as `DOUBLE`.
    fn sum(&mut self, argument: Expr, data_type: &DataType, schema: &DFSchema) -> Result<usize> {
        let (argument, result) = match data_type {
            DataType::Decimal128(_, scale) => (argument, DataType::Decimal128(38, *scale)),
            other if other.is_integer() => {
                let wide = cast_to(argument, &DataType::Int64, schema)?;
                (wide, DataType::Int64)
            }
            DataType::Float32 => {
                let wide = cast_to(argument, &DataType::Float64, schema)?;
                (wide, DataType::Float64)
            }
            other => (argument, other.clone()),
        };
        Ok(self.call(AggregateFunction::Sum, argument, result))
    }

    fn count(&mut self, argument: Expr) -> usize {
        let is_constant = matches!(&argument, Expr::Literal(value, _) if !value.is_null());
        if is_constant {
            return self.keep(AggregateFunction::Count, None, DataType::Int64);
        }
        self.call(AggregateFunction::Count, argument, DataType::Int64)
    }

    fn call(&mut self, function: AggregateFunction, argument: Expr, result: DataType) -> usize {
        let known = self.arguments.iter().position(|known| *known == argument);
        let place = known.unwrap_or_else(|| {
            self.arguments.push(argument);
            self.arguments.len() - 1
        });
        self.keep(function, Some(place), result)
    }

    fn keep(
        &mut self,
        function: AggregateFunction,
        argument: Option<usize>,
        result: DataType,
    ) -> usize {
        let call = Call {
            function,
            argument,
            result,
        };
        let known = self.accumulators.iter().position(|known| *known == call);
        known.unwrap_or_else(|| {
            self.accumulators.push(call);
            self.accumulators.len() - 1
        })
    }

    /// The results over the columns of the window aggregate.
    ///
    /// # Errors
    /// If a column is missing there.
    pub(super) fn results(&self, schema: &DFSchema) -> Result<Vec<Expr>> {
        let column = |place: &usize| Expr::Column(Column::new_unqualified(format!("$agg{place}")));
        let results = self.results.iter().map(|result| match result {
            CallResult::Plain(place) => Ok(column(place)),
            CallResult::Narrow(place, data_type) => Ok(narrowed(column(place), data_type)),
            CallResult::Cast(place, data_type) => cast_to(column(place), data_type, schema),
            CallResult::Quotient { sum, count, result } => {
                quotient(column(sum), column(count), result, schema)
            }
        });
        results.collect()
    }
}

/// What is aggregated of the rows that a `FILTER` lets pass.
fn filtered(argument: &Expr, filter: &Expr) -> Expr {
    Expr::Case(Case {
        expr: None,
        when_then_expr: vec![(Box::new(filter.clone()), Box::new(argument.clone()))],
        else_expr: None,
    })
}

fn narrowed(value: Expr, data_type: &DataType) -> Expr {
    // What was added up as BIGINT is one already.
    match narrow(data_type).filter(|_| *data_type != DataType::Int64) {
        Some(function) => Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![value])),
        None => value,
    }
}

/// The sum is null when nothing was counted, so nothing is divided by zero.
fn quotient(sum: Expr, count: Expr, result: &DataType, schema: &DFSchema) -> Result<Expr> {
    let division = |left: Expr, right: Expr| {
        Expr::BinaryExpr(BinaryExpr::new(
            Box::new(left),
            Operator::Divide,
            Box::new(right),
        ))
    };
    match result {
        DataType::Decimal128(_, _) => {
            let count = cast_to(count, &DataType::Decimal128(19, 0), schema)?;
            arithmetic::divide(sum, count, result)
        }
        data_type if data_type.is_integer() => Ok(narrowed(division(sum, count), data_type)),
        data_type => {
            let count = cast_to(count, &DataType::Float64, schema)?;
            cast_to(division(sum, count), data_type, schema)
        }
    }
}

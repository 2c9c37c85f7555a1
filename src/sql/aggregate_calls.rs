//! The calls of aggregate functions as accumulators and what is computed from
//! them: `AVG` is a division, a narrow `SUM` is added up wide, and truth values
//! are compared as numbers.

use arrow::datatypes::DataType;
use datafusion_common::{Column, DFSchema, Result, ScalarValue};
use datafusion_expr::expr::{AggregateFunction as LogicalCall, BinaryExpr, Case, ScalarFunction};
use datafusion_expr::{Expr, ExprSchemable, Operator, lit};

use super::aggregates::{Meaning, meaning};
use super::arithmetic;
use super::conversion::cast_to;
use super::data_type::MAX_PRECISION;
use super::diagnose::refusal;
use super::grouping::number_of_set;
use super::json;
use super::rewrite::call;
use super::typing::misfit;
use super::window_removal::bare;
use crate::expr::AggregateFunction;
use crate::expr::functions::{narrow, row_function, sum_of_squares};
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
    pub distinct: bool,
    /// The place of its filter among the arguments.
    pub filter: Option<usize>,
    pub result: DataType,
}

/// What is aggregated, and of which rows.
#[derive(Clone)]
struct Values {
    argument: Expr,
    distinct: bool,
    filter: Option<usize>,
}

impl Values {
    fn of(&self, argument: Expr) -> Self {
        Self {
            argument,
            ..self.clone()
        }
    }
}

/// The result of a call of SQL over the accumulators, by their places.
enum CallResult {
    Plain(usize),
    Narrow(usize, DataType),
    Cast(usize, DataType),
    /// What the set of a row comes to.
    OfSet(Expr),
    /// What a function of one argument makes of it.
    Of(&'static str, usize),
    Quotient {
        sum: usize,
        count: usize,
        result: DataType,
    },
    Spread {
        squares: Squares,
        sum: usize,
        count: usize,
        of_sample: bool,
        root: bool,
        result: DataType,
    },
}

/// The sum of squares: an accumulator, or of the values that one has listed.
enum Squares {
    Sum(usize),
    OfList(usize),
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
        let [argument, rest @ ..] = params.args.as_slice() else {
            return Err(refusal(
                format!("{} takes an argument", func.name()),
                None,
                None,
            ));
        };
        if !params.order_by.is_empty() || params.null_treatment.is_some() {
            let message = format!("{} takes no ORDER BY and no IGNORE NULLS", func.name());
            return Err(misfit(message, &[argument]));
        }
        let filter = params
            .filter
            .as_ref()
            .map(|filter| self.argument(filter.as_ref().clone()));
        let values = Values {
            argument: argument.clone(),
            distinct: params.distinct && !meaning.ignores_distinct(),
            filter,
        };
        let result = self.planned(meaning, values, rest, schema)?;
        self.results.push(result);
        Ok(())
    }

    /// Counts rows if nothing else is asked for: batches have columns.
    pub(super) fn or_rows(&mut self) {
        if self.accumulators.is_empty() {
            self.accumulators.push(Call {
                function: AggregateFunction::Count,
                argument: None,
                distinct: false,
                filter: None,
                result: DataType::Int64,
            });
        }
    }

    fn planned(
        &mut self,
        meaning: Meaning,
        values: Values,
        rest: &[Expr],
        schema: &DFSchema,
    ) -> Result<CallResult> {
        use AggregateFunction as Function;
        let data_type = values.argument.get_type(schema)?;
        let result = meaning.result(&data_type).unwrap_or(DataType::Null);
        let is_compared = matches!(meaning, Meaning::Min | Meaning::Max);
        if is_compared && !crate::stream::is_key_type(&data_type) {
            let message = format!("cannot aggregate values of type {}", type_name(&data_type));
            return Err(misfit(message, &[&values.argument]));
        }
        Ok(match meaning {
            Meaning::Count => CallResult::Plain(self.count(values)),
            Meaning::Min => self.extreme(Function::Min, values, data_type, schema)?,
            Meaning::Max => self.extreme(Function::Max, values, data_type, schema)?,
            Meaning::Sum => match self.sum(values, &data_type, schema)? {
                sum if data_type == DataType::Float32 => CallResult::Cast(sum, data_type),
                sum if data_type.is_integer() && data_type != DataType::Int64 => {
                    CallResult::Narrow(sum, data_type)
                }
                sum => CallResult::Plain(sum),
            },
            Meaning::Avg => {
                let sum = self.sum(values.clone(), &data_type, schema)?;
                let count = self.count(values);
                CallResult::Quotient { sum, count, result }
            }
            Meaning::Spread { of_sample, root } => {
                let double = cast_to(values.argument.clone(), &DataType::Float64, schema)?;
                let values = values.of(double);
                CallResult::Spread {
                    squares: self.squares(values.clone(), schema)?,
                    sum: self.sum(values.clone(), &DataType::Float64, schema)?,
                    count: self.count(values),
                    of_sample,
                    root,
                    result,
                }
            }
            Meaning::First => CallResult::Plain(self.call(Function::First, values, result)),
            Meaning::Last => CallResult::Plain(self.call(Function::Last, values, result)),
            Meaning::ListAgg => {
                let separator = separator(rest)?;
                CallResult::Plain(self.call(Function::Text { separator }, values, result))
            }
            Meaning::ArrayAgg => CallResult::Plain(self.call(Function::Array, values, result)),
            Meaning::Collect => CallResult::Plain(self.call(Function::Multiset, values, result)),
            Meaning::ApproxCountDistinct => {
                CallResult::Plain(self.call(Function::ApproximateCount, values, result))
            }
            Meaning::Grouping(_) => CallResult::OfSet(number_of_set(&values.argument)),
            Meaning::JsonArrayAgg => {
                let elements = json::element(values.argument.clone(), rest);
                self.json("JSON_ARRAY_OF", values.of(elements))
            }
            Meaning::JsonObjectAgg => {
                let fields = json::field(values.argument.clone(), rest);
                self.json("JSON_OBJECT_OF", values.of(fields))
            }
        })
    }

    /// What a function makes of the parts of a JSON text; those that are null are left out.
    fn json(&mut self, function: &'static str, parts: Values) -> CallResult {
        let separator = ",".to_owned();
        let listed = AggregateFunction::Text { separator };
        CallResult::Of(function, self.call(listed, parts, DataType::Utf8))
    }

    /// What the sum of the squares of values of type `DOUBLE` is made from. Different values may
    /// have one square, so those that count once are listed.
    fn squares(&mut self, values: Values, schema: &DFSchema) -> Result<Squares> {
        if values.distinct {
            let list = Meaning::ArrayAgg.result(&DataType::Float64);
            let list = list.unwrap_or(DataType::Null);
            let place = self.call(AggregateFunction::Array, values, list);
            return Ok(Squares::OfList(place));
        }
        let argument = values.argument.clone();
        let square = binary(argument.clone(), Operator::Multiply, argument);
        let sum = self.sum(values.of(square), &DataType::Float64, schema)?;
        Ok(Squares::Sum(sum))
    }

    /// The accumulators do not compare truth values: these are numbers there.
    fn extreme(
        &mut self,
        function: AggregateFunction,
        values: Values,
        data_type: DataType,
        schema: &DFSchema,
    ) -> Result<CallResult> {
        if data_type != DataType::Boolean {
            return Ok(CallResult::Plain(self.call(function, values, data_type)));
        }
        let number = cast_to(values.argument.clone(), &DataType::Int8, schema)?;
        let place = self.call(function, values.of(number), DataType::Int8);
        Ok(CallResult::Cast(place, data_type))
    }

    /// The sum of integers is added up as `BIGINT`, and that of `FLOAT` as `DOUBLE`.
    fn sum(&mut self, values: Values, data_type: &DataType, schema: &DFSchema) -> Result<usize> {
        let (values, result) = match data_type {
            DataType::Decimal128(_, scale) => (values, DataType::Decimal128(MAX_PRECISION, *scale)),
            other if other.is_integer() => {
                let wide = cast_to(values.argument.clone(), &DataType::Int64, schema)?;
                (values.of(wide), DataType::Int64)
            }
            DataType::Float32 => {
                let wide = cast_to(values.argument.clone(), &DataType::Float64, schema)?;
                (values.of(wide), DataType::Float64)
            }
            other => (values, other.clone()),
        };
        Ok(self.call(AggregateFunction::Sum, values, result))
    }

    fn count(&mut self, values: Values) -> usize {
        let is_constant = matches!(&values.argument, Expr::Literal(value, _) if !value.is_null());
        if is_constant && !values.distinct {
            return self.keep(AggregateFunction::Count, None, &values, DataType::Int64);
        }
        self.call(AggregateFunction::Count, values, DataType::Int64)
    }

    fn argument(&mut self, argument: Expr) -> usize {
        let known = self.arguments.iter().position(|known| *known == argument);
        known.unwrap_or_else(|| {
            self.arguments.push(argument);
            self.arguments.len() - 1
        })
    }

    fn call(&mut self, function: AggregateFunction, values: Values, result: DataType) -> usize {
        let place = self.argument(values.argument.clone());
        self.keep(function, Some(place), &values, result)
    }

    fn keep(
        &mut self,
        function: AggregateFunction,
        argument: Option<usize>,
        values: &Values,
        result: DataType,
    ) -> usize {
        let call = Call {
            function,
            argument,
            distinct: values.distinct,
            filter: values.filter,
            result,
        };
        let known = self.accumulators.iter().position(|known| *known == call);
        known.unwrap_or_else(|| {
            self.accumulators.push(call);
            self.accumulators.len() - 1
        })
    }

    /// The results over the columns of the aggregate.
    ///
    /// # Errors
    /// If a column is missing there.
    pub(super) fn results(&self, schema: &DFSchema) -> Result<Vec<Expr>> {
        let column = |place: &usize| Expr::Column(Column::new_unqualified(format!("$agg{place}")));
        let results = self.results.iter().map(|result| match result {
            CallResult::Plain(place) => Ok(column(place)),
            CallResult::Narrow(place, data_type) => Ok(narrowed(column(place), data_type)),
            CallResult::Cast(place, data_type) => cast_to(column(place), data_type, schema),
            CallResult::OfSet(number) => Ok(number.clone()),
            CallResult::Of(function, place) => {
                Ok(call(row_function(function), vec![column(place)]))
            }
            CallResult::Quotient { sum, count, result } => {
                quotient(column(sum), column(count), result, schema)
            }
            CallResult::Spread {
                squares,
                sum,
                count,
                of_sample,
                root,
                result,
            } => {
                let squares = match squares {
                    Squares::Sum(place) => column(place),
                    Squares::OfList(place) => call(sum_of_squares(), vec![column(place)]),
                };
                let parts = [squares, column(sum), column(count)];
                spread(parts, *of_sample, *root, result, schema)
            }
        });
        results.collect()
    }
}

/// What stands between the values of `LISTAGG`: a constant, because it is no part of the state.
fn separator(rest: &[Expr]) -> Result<String> {
    match rest {
        [] => Ok(",".to_owned()),
        [Expr::Literal(ScalarValue::Utf8(Some(separator)), _)] => Ok(separator.clone()),
        [other, ..] => {
            let message = "the separator of LISTAGG is a text that stands in the query";
            Err(misfit(message.to_owned(), &[other]))
        }
    }
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
    let division = |left: Expr, right: Expr| binary(left, Operator::Divide, right);
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

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}

/// The variance as Flink has it, of the sum of the squares, the sum and the number of the
/// values: `(squares - sum * sum / count) / count`, or by one less for a sample, which has none
/// if it is a single value.
fn spread(
    [squares, sum, count]: [Expr; 3],
    of_sample: bool,
    root: bool,
    result: &DataType,
    schema: &DFSchema,
) -> Result<Expr> {
    let count = cast_to(count, &DataType::Float64, schema)?;
    let mean_square = binary(
        binary(sum.clone(), Operator::Multiply, sum),
        Operator::Divide,
        count.clone(),
    );
    let deviation = binary(squares, Operator::Minus, mean_square);
    let divisor = if of_sample {
        let one = lit(1.0_f64);
        Expr::Case(Case {
            expr: None,
            when_then_expr: vec![(
                Box::new(binary(count.clone(), Operator::Eq, one.clone())),
                Box::new(lit(ScalarValue::Float64(None))),
            )],
            else_expr: Some(Box::new(binary(count, Operator::Minus, one))),
        })
    } else {
        count
    };
    let variance = binary(deviation, Operator::Divide, divisor);
    let value = if root {
        let power = datafusion_functions::math::power();
        Expr::ScalarFunction(ScalarFunction::new_udf(power, vec![variance, lit(0.5_f64)]))
    } else {
        variance
    };
    cast_to(value, result, schema)
}

//! `GROUP BY` over windows to the accumulators that exist: `AVG` becomes a
//! division, a narrow `SUM` is added up wide, and rows that are only counted in
//! their windows are not copied for each of them.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion_common::{Column, DFSchema, Result};
use datafusion_expr::expr::{AggregateFunction as LogicalCall, BinaryExpr, Case, ScalarFunction};
use datafusion_expr::logical_plan::{Aggregate, Filter, Projection, SubqueryAlias};
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, Operator};

use super::aggregates::{Meaning, meaning};
use super::arithmetic;
use super::conversion::cast_to;
use super::diagnose::refusal;
use super::lower::{Lowering, Role, Rows, expression, window_roles, with_window_columns};
use super::typing::misfit;
use super::window_function::{WINDOW_COLUMNS, WindowAssign};
use crate::expr::functions::narrow;
use crate::expr::{AggregateCall, AggregateFunction, Expression};
use crate::plan::{NodeKind, Window, WindowInput, type_name};

impl Lowering {
    /// The nodes of an aggregation over windows.
    ///
    /// # Errors
    /// If it is not over windows, or does what no accumulator can do yet.
    pub(super) fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Rows> {
        let mark = self.nodes.len();
        let attached = self.rows(&aggregate.input)?;
        let groups = Groups::of(aggregate, &attached)?;
        let mut calls = Calls::default();
        let schema = aggregate.input.schema();
        for call in &aggregate.aggr_expr {
            calls.add(call, schema)?;
        }
        let uses_window = |part: &Expr| {
            let columns = part.column_refs();
            let mut places = columns
                .iter()
                .filter_map(|column| schema.maybe_index_of_column(column));
            places.any(|place| {
                attached
                    .roles
                    .get(place)
                    .is_some_and(|role| role.is_of_window())
            })
        };
        let mut inputs = groups.keys.iter().chain(&calls.arguments);
        let stripped = if inputs.any(uses_window) {
            None
        } else {
            without_windows(&aggregate.input)?
        };
        let (rows, schema, ends) = match &stripped {
            Some(stripped) => {
                self.nodes.truncate(mark);
                let rows = self.rows(&stripped.plan)?;
                let time = Expr::Column(stripped.time.clone());
                (rows, stripped.plan.schema(), vec![time])
            }
            None => (
                attached,
                schema,
                vec![groups.start.clone(), groups.end.clone()],
            ),
        };
        let mut columns = groups.keys.clone();
        columns.extend(calls.arguments.iter().cloned());
        columns.extend(ends);
        let (input, places) = self.chosen(rows, &columns, schema)?;
        self.grouped(aggregate, &groups, &calls, &input, &places)
    }

    /// The rows with these columns among theirs, and where they are. No node is
    /// added if they are all there.
    fn chosen(
        &mut self,
        rows: Rows,
        columns: &[Expr],
        schema: &DFSchema,
    ) -> Result<(Rows, Vec<usize>)> {
        let bound = columns
            .iter()
            .map(|column| expression(column, schema))
            .collect::<Result<Vec<_>>>()?;
        let places: Option<Vec<usize>> = bound.iter().map(Expression::as_column).collect();
        if let Some(places) = places {
            return Ok((rows, places));
        }
        let names: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(place, column)| match column {
                Expr::Column(column) => column.name.clone(),
                _ => format!("$f{place}"),
            })
            .collect();
        let places = (0..bound.len()).collect();
        let rows = self.project(rows, bound, names.iter().map(String::as_str));
        Ok((rows, places))
    }

    fn grouped(
        &mut self,
        aggregate: &Aggregate,
        groups: &Groups,
        calls: &Calls,
        input: &Rows,
        places: &[usize],
    ) -> Result<Rows> {
        let (keys, rest) = places.split_at(groups.keys.len());
        let (arguments, ends) = rest.split_at(calls.arguments.len());
        let windows = match *ends {
            [time] => WindowInput::Time {
                time,
                window: groups.window,
            },
            [start, end] => WindowInput::Attached { start, end },
            _ => {
                return Err(refusal(
                    "a window has a time, or a start and an end",
                    None,
                    None,
                ));
            }
        };
        let mut fields = groups.key_fields(aggregate)?;
        let mut aggregates = Vec::new();
        for (place, call) in calls.accumulators.iter().enumerate() {
            let nullable = call.function != AggregateFunction::Count;
            let name = format!("$agg{place}");
            let field = Arc::new(Field::new(name, call.result.clone(), nullable));
            fields.push(Arc::clone(&field));
            aggregates.push(AggregateCall {
                function: call.function,
                argument: call
                    .argument
                    .and_then(|place| arguments.get(place).copied()),
                result: field,
            });
        }
        let schema = with_window_columns(&Arc::new(Schema::new(fields)));
        let mut roles = vec![Role::Value; schema.fields().len() - WINDOW_COLUMNS.len()];
        roles.extend(window_roles(groups.window));
        let kind = NodeKind::WindowAggregate {
            keys: keys.to_vec(),
            aggregates,
            input: windows,
        };
        let id = self.push(vec![input.id], kind, Arc::clone(&schema));
        let rows = Rows {
            id,
            schema: Arc::clone(&schema),
            roles,
        };
        let schema = DFSchema::try_from(schema)?;
        let mut columns = Vec::new();
        for column in groups.outputs.iter().chain(&calls.results(&schema)?) {
            columns.push(expression(column, &schema)?);
        }
        let names = aggregate.schema.fields().iter().map(|field| field.name());
        Ok(self.project(rows, columns, names.map(String::as_str)))
    }
}

/// The grouping of an aggregation.
struct Groups {
    window: Window,
    start: Expr,
    end: Expr,
    keys: Vec<Expr>,
    /// Each expression of `GROUP BY` as a column of the window aggregate.
    outputs: Vec<Expr>,
}

impl Groups {
    fn of(aggregate: &Aggregate, input: &Rows) -> Result<Self> {
        let schema = aggregate.input.schema();
        let (mut start, mut end) = (None, None);
        let mut keys = Vec::new();
        let mut outputs = Vec::new();
        let names = aggregate.schema.fields().iter().map(|field| field.name());
        for (group, name) in aggregate.group_expr.iter().zip(names) {
            let group = bare(group);
            let output = match role(group, schema, input) {
                Role::WindowStart(window) => {
                    start = Some((window, group.clone()));
                    "window_start"
                }
                Role::WindowEnd(window) => {
                    end = Some((window, group.clone()));
                    "window_end"
                }
                Role::WindowTime(_) => "window_time",
                Role::Value | Role::EventTime => {
                    check_key(group, schema)?;
                    keys.push(group.clone());
                    name.as_str()
                }
            };
            outputs.push(Expr::Column(Column::new_unqualified(output)));
        }
        match (start, end) {
            (Some((window, start)), Some((of_end, end))) if window == of_end => Ok(Self {
                window,
                start,
                end,
                keys,
                outputs,
            }),
            _ => {
                let message = "GROUP BY without a window is not supported yet: group by \
                               window_start and window_end of TUMBLE or HOP";
                let parts: Vec<&Expr> = aggregate.group_expr.iter().collect();
                Err(misfit(message.to_owned(), &parts))
            }
        }
    }

    /// The fields of the keys, with the names that the aggregation gives them.
    fn key_fields(&self, aggregate: &Aggregate) -> Result<Vec<FieldRef>> {
        let schema = aggregate.input.schema();
        let mut fields: Vec<FieldRef> = Vec::new();
        for (group, output) in aggregate.group_expr.iter().zip(&self.outputs) {
            let group = bare(group);
            if let (Expr::Column(output), true) = (output, self.keys.contains(group)) {
                let (_, field) = group.to_field(schema)?;
                fields.push(Arc::new(field.as_ref().clone().with_name(&output.name)));
            }
        }
        Ok(fields)
    }
}

fn check_key(group: &Expr, schema: &DFSchema) -> Result<()> {
    if matches!(group, Expr::GroupingSet(_)) {
        let message = "GROUPING SETS, ROLLUP and CUBE are not supported yet";
        return Err(misfit(message.to_owned(), &[group]));
    }
    let data_type = group.get_type(schema)?;
    if crate::stream::is_key_type(&data_type) {
        return Ok(());
    }
    let message = format!("cannot group by a value of type {}", type_name(&data_type));
    Err(misfit(message, &[group]))
}

fn role(group: &Expr, schema: &DFSchema, input: &Rows) -> Role {
    let place = match group {
        Expr::Column(column) => schema.maybe_index_of_column(column),
        _ => None,
    };
    let role = place.and_then(|place| input.roles.get(place));
    role.copied().unwrap_or(Role::Value)
}

/// An expression without the names that it was given.
fn bare(expression: &Expr) -> &Expr {
    match expression {
        Expr::Alias(alias) => bare(&alias.expr),
        other => other,
    }
}

/// The accumulators of an aggregation, each once, and what is computed from them.
#[derive(Default)]
struct Calls {
    arguments: Vec<Expr>,
    accumulators: Vec<Call>,
    results: Vec<CallResult>,
}

#[derive(PartialEq)]
struct Call {
    function: AggregateFunction,
    argument: Option<usize>,
    result: DataType,
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
    fn add(&mut self, call: &Expr, schema: &DFSchema) -> Result<()> {
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
                sum if data_type.is_integer() && data_type != DataType::Int64 => {
                    CallResult::Narrow(sum, data_type)
                }
                sum if data_type == DataType::Float32 => CallResult::Cast(sum, data_type),
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

    /// The least or greatest value; truth values are compared as numbers, for
    /// which there are accumulators.
    fn extreme(
        &mut self,
        function: AggregateFunction,
        argument: Expr,
        data_type: DataType,
        schema: &DFSchema,
    ) -> Result<CallResult> {
        if data_type == DataType::Boolean {
            let number = cast_to(argument, &DataType::Int8, schema)?;
            let place = self.call(function, number, DataType::Int8);
            return Ok(CallResult::Cast(place, data_type));
        }
        Ok(CallResult::Plain(self.call(function, argument, data_type)))
    }

    /// The sum of integers is added up as `BIGINT`, of floating point as `DOUBLE`.
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
    fn results(&self, schema: &DFSchema) -> Result<Vec<Expr>> {
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
    match narrow(data_type) {
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

/// A plan without the window function below it.
struct Stripped {
    plan: LogicalPlan,
    /// The event time of its rows.
    time: Column,
    /// The columns of the window that are gone.
    gone: HashSet<Column>,
}

/// The plan without its window function, if only filters and projections stand
/// above that and none of them looks at the window.
fn without_windows(plan: &LogicalPlan) -> Result<Option<Stripped>> {
    match plan {
        LogicalPlan::Extension(extension) => {
            let node = extension.node.as_any().downcast_ref::<WindowAssign>();
            let Some(assign) = node else { return Ok(None) };
            let Expr::Column(time) = &assign.time else {
                return Ok(None);
            };
            Ok(Some(Stripped {
                plan: assign.input.as_ref().clone(),
                time: time.clone(),
                gone: WINDOW_COLUMNS.map(Column::new_unqualified).into(),
            }))
        }
        LogicalPlan::Filter(filter) => {
            let Some(input) = without_windows(&filter.input)? else {
                return Ok(None);
            };
            if looks_at(&filter.predicate, &input.gone) {
                return Ok(None);
            }
            let filter = Filter::try_new(filter.predicate.clone(), Arc::new(input.plan))?;
            Ok(Some(Stripped {
                plan: LogicalPlan::Filter(filter),
                ..input
            }))
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let Some(input) = without_windows(&alias.input)? else {
                return Ok(None);
            };
            let qualified = |column: Column| Column::new(Some(alias.alias.clone()), column.name);
            let plan = SubqueryAlias::try_new(Arc::new(input.plan), alias.alias.clone())?;
            Ok(Some(Stripped {
                plan: LogicalPlan::SubqueryAlias(plan),
                time: qualified(input.time),
                gone: input.gone.into_iter().map(qualified).collect(),
            }))
        }
        LogicalPlan::Projection(projection) => projected_without_windows(projection),
        _ => Ok(None),
    }
}

fn projected_without_windows(projection: &Projection) -> Result<Option<Stripped>> {
    const TIME: &str = "$time";
    let Some(input) = without_windows(&projection.input)? else {
        return Ok(None);
    };
    let mut columns = Vec::new();
    let mut gone = HashSet::new();
    for (column, output) in projection.expr.iter().zip(projection.schema.columns()) {
        match bare(column) {
            Expr::Column(name) if input.gone.contains(name) => {
                gone.insert(output);
            }
            other if looks_at(other, &input.gone) => return Ok(None),
            _ => columns.push(column.clone()),
        }
    }
    columns.push(Expr::Column(input.time).alias(TIME));
    let plan = Projection::try_new(columns, Arc::new(input.plan))?;
    Ok(Some(Stripped {
        plan: LogicalPlan::Projection(plan),
        time: Column::new_unqualified(TIME),
        gone,
    }))
}

fn looks_at(expression: &Expr, columns: &HashSet<Column>) -> bool {
    let references = expression.column_refs();
    references
        .into_iter()
        .any(|column| columns.contains(column))
}

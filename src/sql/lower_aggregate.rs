//! `GROUP BY` over windows to nodes; rows that are only counted in their windows
//! are not copied for each of them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion_common::{Column, DFSchema, Result};
use datafusion_expr::logical_plan::Aggregate;
use datafusion_expr::{Expr, ExprSchemable};

use super::aggregate_calls::Calls;
use super::diagnose::refusal;
use super::grouping::{Grouping, SET, check_key};
use super::late_rows::LateRows;
use super::lower::{Lowering, Role, Rows, expression, window_roles, with_window_columns};
use super::typing::misfit;
use super::window_function::WINDOW_COLUMNS;
use super::window_removal::without_windows;
use crate::expr::{AggregateCall, AggregateFunction, AggregateLayout, Expression};
use crate::plan::{NodeKind, Window, WindowInput};

impl Lowering {
    /// The nodes of an aggregation.
    ///
    /// # Errors
    /// If it does what no accumulator can do yet.
    pub(super) fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Rows> {
        if let Some(stripped) = without_windows(&aggregate.input)?
            && stripped.is_of_sessions()
            && let Some(rows) = self.session_aggregate(aggregate, &stripped)?
        {
            return Ok(rows);
        }
        let mark = self.nodes.len();
        let attached = self.rows(&aggregate.input)?;
        let mut calls = Calls::default();
        let schema = aggregate.input.schema();
        for call in &aggregate.aggr_expr {
            calls.add(call, schema)?;
        }
        let grouping = Grouping::of(aggregate)?;
        let role_of = |group: &Expr| role(group, schema, &attached);
        let Some(groups) = Groups::of_windows(aggregate, &grouping, role_of)? else {
            return self.group_aggregate(aggregate, &grouping, attached, &calls);
        };
        if groups.keys.is_empty() {
            calls.or_rows();
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
            without_windows(&aggregate.input)?.filter(|stripped| !stripped.is_of_sessions())
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
        if groups.by_clock && stripped.is_none() {
            let message = "windows over processing time can only be grouped by yet: no condition and no \
                           aggregate has their columns";
            return Err(misfit(message.to_owned(), &[&groups.start]));
        }
        let (rows, late) = if groups.by_clock {
            (rows, None)
        } else if groups.sets.is_none() {
            self.with_late_rows(rows)?
        } else {
            let why = "each row is copied for GROUPING SETS before the window";
            self.refuse_late_rows(rows.id, why);
            (rows, None)
        };
        let others: Vec<Expr> = calls.arguments.iter().cloned().chain(ends).collect();
        let (input, places) = match &groups.sets {
            None => {
                let columns: Vec<Expr> = groups.keys.iter().cloned().chain(others).collect();
                self.chosen(
                    rows,
                    &columns,
                    schema,
                    late.as_ref(),
                    late.is_some() || groups.by_clock,
                )?
            }
            Some(sets) => {
                let names = column_names(groups.keys.iter().chain(&others));
                let columns = (groups.keys.as_slice(), others.as_slice());
                let rows = self.expanded(&rows, schema, columns, sets, &names)?;
                let places = (0..rows.schema.fields().len()).collect();
                (rows, places)
            }
        };
        let input = (&input, places.as_slice());
        self.grouped((aggregate, &grouping), &groups, &calls, input, late)
    }

    /// The rows with these columns among theirs, or `in_order` in front of them, and where they
    /// are; behind them what is brought along for late rows. No node is added if they are all
    /// there.
    pub(super) fn chosen(
        &mut self,
        rows: Rows,
        columns: &[Expr],
        schema: &DFSchema,
        late: Option<&LateRows>,
        in_order: bool,
    ) -> Result<(Rows, Vec<usize>)> {
        let mut bound = columns
            .iter()
            .map(|column| expression(column, schema))
            .collect::<Result<Vec<_>>>()?;
        let late = late.iter().flat_map(|late| &late.places);
        bound.extend(late.map(|place| Expression::column(&rows.schema, *place)));
        let places: Option<Vec<usize>> = bound.iter().map(Expression::as_column).collect();
        let places =
            places.filter(|places| !in_order || (0..places.len()).eq(places.iter().copied()));
        if let Some(places) = places {
            return Ok((rows, places));
        }
        let mut names = column_names(columns.iter());
        let late = bound[columns.len()..].iter();
        names.extend(late.map(|column| column.field().name().clone()));
        let places = (0..bound.len()).collect();
        let rows = self.project(rows, bound, names.iter().map(String::as_str));
        Ok((rows, places))
    }

    /// The node of an aggregation, of whose input `places` are the keys, the arguments, what
    /// tells the windows, and what is brought along for late rows; these end in their table.
    pub(super) fn grouped(
        &mut self,
        (aggregate, grouping): (&Aggregate, &Grouping<'_>),
        groups: &Groups,
        calls: &Calls,
        (input, places): (&Rows, &[usize]),
        late: Option<LateRows>,
    ) -> Result<Rows> {
        let num_keys = groups.keys.len() + usize::from(groups.sets.is_some());
        let (keys, rest) = places.split_at(num_keys);
        let (arguments, rest) = rest.split_at(calls.arguments.len());
        let carried = late.as_ref().map_or(0, |late| late.places.len());
        let (ends, late_rows) = rest.split_at(rest.len() - carried);
        let late_rows = late_rows.to_vec();
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
        let mut fields = groups.key_fields(aggregate, grouping)?;
        let aggregates = aggregate_calls(calls, arguments);
        fields.extend(aggregates.iter().map(|call| Arc::clone(&call.result)));
        // What cannot be aggregated is said now, not when the job starts.
        AggregateLayout::new(&input.schema, keys, aggregates.clone())
            .and_then(|layout| Arc::new(layout).accumulators())
            .map_err(|error| {
                let calls: Vec<&Expr> = aggregate.aggr_expr.iter().collect();
                misfit(error.to_string(), &calls)
            })?;
        let schema = with_window_columns(&Arc::new(Schema::new(fields)));
        let mut roles = vec![Role::Value; schema.fields().len() - WINDOW_COLUMNS.len()];
        roles.extend(window_roles(groups.window, groups.by_clock));
        let kind = match (windows, groups.window) {
            (WindowInput::Time { time, .. }, Window::Session { gap_ms }) => {
                NodeKind::SessionAggregate {
                    keys: keys.len(),
                    aggregates,
                    time,
                    gap_ms,
                    late_rows,
                    by_clock: groups.by_clock,
                }
            }
            _ => NodeKind::WindowAggregate {
                keys: keys.to_vec(),
                aggregates,
                input: windows,
                late_rows,
                by_clock: groups.by_clock,
                // What comes in is known later.
                retracts: false,
            },
        };
        let id = self.push(vec![input.id], kind, Arc::clone(&schema));
        if let Some(late) = &late {
            self.late_sink(id, late);
        }
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

/// Columns keep their names, others get one.
fn column_names<'a>(columns: impl Iterator<Item = &'a Expr>) -> Vec<String> {
    let name = |(place, column): (usize, &Expr)| match column {
        Expr::Column(column) => column.name.clone(),
        _ => format!("$f{place}"),
    };
    columns.enumerate().map(name).collect()
}

/// The calls over the columns `arguments`.
pub(super) fn aggregate_calls(calls: &Calls, arguments: &[usize]) -> Vec<AggregateCall> {
    let place_of = |argument: Option<usize>| argument.map(|place| arguments[place]);
    let calls = calls.accumulators.iter().enumerate();
    let calls = calls.map(|(place, call)| {
        let nullable = !matches!(
            call.function,
            AggregateFunction::Count | AggregateFunction::ApproximateCount
        );
        let name = format!("$agg{place}");
        AggregateCall {
            function: call.function.clone(),
            argument: place_of(call.argument),
            distinct: call.distinct,
            filter: place_of(call.filter),
            result: Arc::new(Field::new(name, call.result.clone(), nullable)),
        }
    });
    calls.collect()
}

/// The grouping of an aggregation over windows.
pub(super) struct Groups {
    window: Window,
    /// Whether these are windows over processing time.
    pub by_clock: bool,
    start: Expr,
    end: Expr,
    pub keys: Vec<Expr>,
    /// Which of the keys each set has, if there are several.
    pub sets: Option<Vec<Vec<bool>>>,
    /// Each expression of `GROUP BY` as a column of the window aggregate, and the number of
    /// the set.
    outputs: Vec<Expr>,
}

impl Groups {
    /// `None` if it is not by the start and the end of a window; `role_of` tells what a column
    /// means.
    pub(super) fn of_windows(
        aggregate: &Aggregate,
        grouping: &Grouping<'_>,
        role_of: impl Fn(&Expr) -> Role,
    ) -> Result<Option<Self>> {
        let schema = aggregate.input.schema();
        let (mut start, mut end) = (None, None);
        let mut by_clock = false;
        let mut keys = Vec::new();
        let mut outputs = Vec::new();
        let mut places = Vec::new();
        let names = aggregate.schema.fields().iter().map(|field| field.name());
        for (place, (&group, name)) in grouping.groups.iter().zip(names).enumerate() {
            let of_window = role_of(group).is_of_window();
            let is_everywhere = |sets: &Vec<Vec<bool>>| sets.iter().all(|set| set[place]);
            if of_window && !grouping.sets.as_ref().is_none_or(is_everywhere) {
                return Ok(None);
            }
            if !of_window {
                places.push(place);
            }
            let output = match role_of(group) {
                Role::WindowStart(window) | Role::ClockStart(window) => {
                    by_clock = matches!(role_of(group), Role::ClockStart(_));
                    start = Some((window, group.clone()));
                    "window_start"
                }
                Role::WindowEnd(window) | Role::ClockEnd(window) => {
                    end = Some((window, group.clone()));
                    "window_end"
                }
                Role::WindowTime(_) | Role::ClockTime(_) => "window_time",
                Role::Value | Role::EventTime | Role::ProcessingTime => {
                    check_key(group, schema)?;
                    keys.push(group.clone());
                    name.as_str()
                }
            };
            outputs.push(Expr::Column(Column::new_unqualified(output)));
        }
        outputs.extend(grouping.id(aggregate));
        let of_keys = |set: &Vec<bool>| places.iter().map(|&place| set[place]).collect();
        let sets = grouping.sets.as_ref();
        match (start, end) {
            (Some((window, start)), Some((of_end, end))) if window == of_end => Ok(Some(Self {
                window,
                by_clock,
                start,
                end,
                keys,
                sets: sets.map(|sets| sets.iter().map(of_keys).collect()),
                outputs,
            })),
            _ => Ok(None),
        }
    }

    /// The fields of the keys, with the names that the aggregation gives them.
    fn key_fields(&self, aggregate: &Aggregate, grouping: &Grouping<'_>) -> Result<Vec<FieldRef>> {
        let schema = aggregate.input.schema();
        let mut fields: Vec<FieldRef> = Vec::new();
        for (&group, output) in grouping.groups.iter().zip(&self.outputs) {
            if let (Expr::Column(output), true) = (output, self.keys.contains(group)) {
                let (_, field) = group.to_field(schema)?;
                let nullable = field.is_nullable() || self.sets.is_some();
                let field = field.as_ref().clone().with_nullable(nullable);
                fields.push(Arc::new(field.with_name(&output.name)));
            }
        }
        if self.sets.is_some() {
            fields.push(Arc::new(Field::new(SET, DataType::Int32, false)));
        }
        Ok(fields)
    }
}

fn role(group: &Expr, schema: &DFSchema, input: &Rows) -> Role {
    let place = match group {
        Expr::Column(column) => schema.maybe_index_of_column(column),
        _ => None,
    };
    let role = place.and_then(|place| input.roles.get(place));
    role.copied().unwrap_or(Role::Value)
}

//! A plan whose rows are aggregated in their windows, without the copies of each
//! row for each of its windows.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, Result, Span as LibrarySpan};
use datafusion_expr::logical_plan::{Filter, Projection, SubqueryAlias};
use datafusion_expr::{Expr, LogicalPlan};

use super::diagnose::refusal;
use super::window_function::{WINDOW_COLUMNS, WindowAssign};
use crate::plan::Window;

/// A plan without the window function below it.
pub(super) struct Stripped {
    pub plan: LogicalPlan,
    /// The event time of its rows.
    pub time: Column,
    pub window: Window,
    /// The columns by which sessions are kept apart; `None` for one that has been left out.
    pub partition: Vec<Option<Column>>,
    /// Where the time was named.
    pub span: Option<LibrarySpan>,
    /// Conditions on whole sessions, over columns of [`WINDOW_COLUMNS`] and those that
    /// [`partition_column`] names: they have to be held against what is made of the rows.
    pub of_sessions: Vec<Expr>,
    /// The columns of the window that are gone, with their names of [`WINDOW_COLUMNS`].
    gone: HashMap<Column, &'static str>,
}

/// The name that conditions on sessions have for a column of `PARTITION BY`, by its place.
pub(super) fn partition_column(place: usize) -> Column {
    Column::new_unqualified(format!("$partition{place}"))
}

impl Stripped {
    /// The name that the window function gave to the column which an expression is.
    pub(super) fn window_column(&self, expression: &Expr) -> Option<&'static str> {
        match expression {
            Expr::Column(column) => self.gone.get(column).copied(),
            _ => None,
        }
    }

    /// A condition as one of [`Self::of_sessions`], if all rows of a session have the same of what
    /// it looks at.
    fn of_session(&self, predicate: &Expr) -> Result<Option<Expr>> {
        let mut is_of_session = true;
        let renamed = predicate.clone().transform(|part| {
            let Expr::Column(column) = &part else {
                return Ok(Transformed::no(part));
            };
            let is_same = |known: &Option<Column>| known.as_ref() == Some(column);
            let renamed = if let Some(name) = self.gone.get(column) {
                Column::new_unqualified(*name)
            } else if let Some(place) = self.partition.iter().position(is_same) {
                partition_column(place)
            } else {
                is_of_session = false;
                return Ok(Transformed::no(part));
            };
            Ok(Transformed::yes(Expr::Column(renamed)))
        })?;
        Ok(is_of_session.then_some(renamed.data))
    }

    /// Whether the window function makes sessions.
    pub(super) fn is_of_sessions(&self) -> bool {
        matches!(self.window, Window::Session { .. })
    }

    /// Whether a column of the window is part of the expression.
    pub(super) fn looks_at_window(&self, expression: &Expr) -> bool {
        looks_at(expression, &self.gone)
    }
}

/// The plan without its window function, if only filters and projections stand
/// above that and none of them looks at the window.
///
/// # Errors
/// If the library refuses to build it, or single rows of sessions are filtered: Flink holds such
/// a condition against the rows before it makes sessions of them, which SQL does not say.
pub(super) fn without_windows(plan: &LogicalPlan) -> Result<Option<Stripped>> {
    match plan {
        LogicalPlan::Extension(extension) => {
            let node = extension.node.as_any().downcast_ref::<WindowAssign>();
            let Some(assign) = node else { return Ok(None) };
            let Expr::Column(time) = &assign.time else {
                return Ok(None);
            };
            let column = |expression: &Expr| match expression {
                Expr::Column(column) => Some(column.clone()),
                _ => None,
            };
            let gone = WINDOW_COLUMNS.map(|name| (Column::new_unqualified(name), name));
            Ok(Some(Stripped {
                plan: assign.input.as_ref().clone(),
                time: time.clone(),
                window: assign.window,
                partition: assign.partition.iter().map(column).collect(),
                of_sessions: Vec::new(),
                span: assign.span,
                gone: gone.into(),
            }))
        }
        LogicalPlan::Filter(filter) => {
            let Some(mut input) = without_windows(&filter.input)? else {
                return Ok(None);
            };
            if input.is_of_sessions() {
                // A row that is taken away may hold a session together.
                let Some(predicate) = input.of_session(&filter.predicate)? else {
                    let message = "a condition on single rows of SESSION windows that are aggregated could be meant \
                                   for the rows before or behind their sessions are made";
                    let hint = "filter rows in a view that SESSION reads, or use FILTER (WHERE …) in the aggregates";
                    return Err(refusal(message, input.span, Some(hint.to_owned())));
                };
                input.of_sessions.push(predicate);
                return Ok(Some(input));
            }
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
                partition: input
                    .partition
                    .into_iter()
                    .map(|column| column.map(qualified))
                    .collect(),
                gone: input
                    .gone
                    .into_iter()
                    .map(|(column, name)| (qualified(column), name))
                    .collect(),
                ..input
            }))
        }
        LogicalPlan::Projection(projection) => projected_without_windows(projection),
        _ => Ok(None),
    }
}

fn projected_without_windows(projection: &Projection) -> Result<Option<Stripped>> {
    let Some(input) = without_windows(&projection.input)? else {
        return Ok(None);
    };
    let mut columns = Vec::new();
    let mut time = None;
    let mut name = input.time.name.clone();
    let mut partition = vec![None; input.partition.len()];
    let mut gone = HashMap::new();
    for (column, output) in projection.expr.iter().zip(projection.schema.columns()) {
        match bare(column) {
            Expr::Column(name) if input.gone.contains_key(name) => {
                gone.insert(output, input.gone[name]);
            }
            other if looks_at(other, &input.gone) => return Ok(None),
            other => {
                if output.name == name {
                    "$time".clone_into(&mut name);
                }
                if *other == Expr::Column(input.time.clone()) {
                    time = Some(output.clone());
                }
                for (known, place) in input.partition.iter().zip(&mut partition) {
                    if known
                        .as_ref()
                        .is_some_and(|known| *other == Expr::Column(known.clone()))
                    {
                        *place = Some(output.clone());
                    }
                }
                columns.push(column.clone());
            }
        }
    }
    // A row without a time becomes a dead letter: there its column has the name
    // that the user knows, unless that has become another column's.
    let time = time.unwrap_or_else(|| {
        columns.push(Expr::Column(input.time.clone()).alias(name.clone()));
        Column::new_unqualified(name)
    });
    let plan = Projection::try_new(columns, Arc::new(input.plan.clone()))?;
    Ok(Some(Stripped {
        plan: LogicalPlan::Projection(plan),
        time,
        partition,
        gone,
        ..input
    }))
}

fn looks_at(expression: &Expr, columns: &HashMap<Column, &'static str>) -> bool {
    let references = expression.column_refs();
    references
        .into_iter()
        .any(|column| columns.contains_key(column))
}

/// An expression without the names that it was given.
pub(super) fn bare(expression: &Expr) -> &Expr {
    match expression {
        Expr::Alias(alias) => bare(&alias.expr),
        other => other,
    }
}

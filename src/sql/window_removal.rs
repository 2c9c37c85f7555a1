//! A plan whose rows are aggregated in their windows, without the copies of each
//! row for each of its windows.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion_common::{Column, Result};
use datafusion_expr::logical_plan::{Filter, Projection, SubqueryAlias};
use datafusion_expr::{Expr, LogicalPlan};

use super::window_function::{WINDOW_COLUMNS, WindowAssign};

/// A plan without the window function below it.
pub(super) struct Stripped {
    pub plan: LogicalPlan,
    /// The event time of its rows.
    pub time: Column,
    /// The columns of the window that are gone.
    gone: HashSet<Column>,
}

/// The plan without its window function, if only filters and projections stand
/// above that and none of them looks at the window.
///
/// # Errors
/// If the library refuses to build it.
pub(super) fn without_windows(plan: &LogicalPlan) -> Result<Option<Stripped>> {
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
    let Some(input) = without_windows(&projection.input)? else {
        return Ok(None);
    };
    let mut columns = Vec::new();
    let mut time = None;
    let mut name = input.time.name.clone();
    let mut gone = HashSet::new();
    for (column, output) in projection.expr.iter().zip(projection.schema.columns()) {
        match bare(column) {
            Expr::Column(name) if input.gone.contains(name) => {
                gone.insert(output);
            }
            other if looks_at(other, &input.gone) => return Ok(None),
            other => {
                if output.name == name {
                    "$time".clone_into(&mut name);
                }
                if *other == Expr::Column(input.time.clone()) {
                    time = Some(output);
                }
                columns.push(column.clone());
            }
        }
    }
    // A row without a time becomes a dead letter: there its column has the name
    // that the user knows, unless that has become another column's.
    let time = time.unwrap_or_else(|| {
        columns.push(Expr::Column(input.time).alias(name.clone()));
        Column::new_unqualified(name)
    });
    let plan = Projection::try_new(columns, Arc::new(input.plan))?;
    Ok(Some(Stripped {
        plan: LogicalPlan::Projection(plan),
        time,
        gone,
    }))
}

fn looks_at(expression: &Expr, columns: &HashSet<Column>) -> bool {
    let references = expression.column_refs();
    references
        .into_iter()
        .any(|column| columns.contains(column))
}

/// An expression without the names that it was given.
pub(super) fn bare(expression: &Expr) -> &Expr {
    match expression {
        Expr::Alias(alias) => bare(&alias.expr),
        other => other,
    }
}

//! `GROUP BY` over session windows to nodes.
//!
//! Which rows are of one session is known only when they are aggregated, so the window function
//! and the aggregation above it become one node, and the sessions of a key are its groups.

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, Result};
use datafusion_expr::Expr;
use datafusion_expr::logical_plan::Aggregate;

use super::aggregate_calls::Calls;
use super::diagnose::refusal;
use super::grouping::Grouping;
use super::lower::{Lowering, Role, Rows, expression, goes_by_clock, window_roles};
use super::lower_aggregate::Groups;
use super::window_function::WINDOW_COLUMNS;
use super::window_removal::{Stripped, partition_column};
use crate::plan::NodeKind;

impl Lowering {
    /// The nodes of an aggregation right above a session window function, without which
    /// `stripped` is its input; `None` if its groups are not the sessions.
    ///
    /// # Errors
    /// If it does what no accumulator can do yet.
    pub(super) fn session_aggregate(
        &mut self,
        aggregate: &Aggregate,
        stripped: &Stripped,
    ) -> Result<Option<Rows>> {
        let roles = window_roles(stripped.window, false);
        let role_of = |group: &Expr| {
            let column = stripped.window_column(group);
            let place = WINDOW_COLUMNS.iter().position(|name| Some(*name) == column);
            place.map_or(Role::Value, |place| roles[place])
        };
        let grouping = Grouping::of(aggregate)?;
        let groups = Groups::of_windows(aggregate, &grouping, role_of)?;
        let is_of_sessions =
            |groups: &Groups| groups.sets.is_none() && is_by_partition(groups, stripped);
        let Some(mut groups) = groups.filter(is_of_sessions) else {
            return Ok(None);
        };
        let mut calls = Calls::default();
        for call in &aggregate.aggr_expr {
            calls.add(call, aggregate.input.schema())?;
        }
        if groups.keys.is_empty() {
            calls.or_rows();
        }
        let of_window = |argument: &Expr| stripped.looks_at_window(argument);
        if calls.arguments.iter().any(of_window) {
            return Ok(None);
        }
        let rows = self.rows(&stripped.plan)?;
        let schema = stripped.plan.schema();
        let time = schema.index_of_column(&stripped.time)?;
        groups.by_clock = goes_by_clock(&rows, time, stripped.span)?;
        let (rows, late) = if groups.by_clock {
            (rows, None)
        } else {
            self.with_late_rows(rows)?
        };
        let mut columns = groups.keys.clone();
        columns.extend(calls.arguments.iter().cloned());
        columns.push(Expr::Column(stripped.time.clone()));
        let (input, places) = self.chosen(rows, &columns, schema, late.as_ref(), true)?;
        let input = (&input, places.as_slice());
        let mut rows = self.grouped((aggregate, &grouping), &groups, &calls, input, late)?;
        for condition in &stripped.of_sessions {
            let condition = of_groups(condition, aggregate, &grouping, stripped)?;
            let predicate = expression(&condition, &aggregate.schema)?;
            let kind = NodeKind::Filter { predicate };
            rows.id = self.push(vec![rows.id], kind, Arc::clone(&rows.schema));
        }
        Ok(Some(rows))
    }
}

/// A condition on sessions over the columns of their aggregation.
fn of_groups(
    condition: &Expr,
    aggregate: &Aggregate,
    grouping: &Grouping<'_>,
    stripped: &Stripped,
) -> Result<Expr> {
    let is_named = |group: &Expr, name: &Column| {
        let is_of_partition = |(place, column): (usize, &Option<Column>)| {
            *name == partition_column(place)
                && column
                    .as_ref()
                    .is_some_and(|column| *group == Expr::Column(column.clone()))
        };
        stripped.window_column(group) == Some(name.name.as_str())
            || stripped.partition.iter().enumerate().any(is_of_partition)
    };
    let renamed = condition.clone().transform(|part| {
        let Expr::Column(name) = &part else {
            return Ok(Transformed::no(part));
        };
        let mut groups = grouping.groups.iter();
        let Some(place) = groups.position(|group| is_named(group, name)) else {
            let message = format!("GROUP BY must name {} if WHERE does", name.name);
            return Err(refusal(message, stripped.span, None));
        };
        let column = Column::from(aggregate.schema.qualified_field(place));
        Ok(Transformed::yes(Expr::Column(column)))
    });
    Ok(renamed?.data)
}

/// Whether the groups beside the windows are the columns by which sessions are kept apart.
fn is_by_partition(groups: &Groups, stripped: &Stripped) -> bool {
    let partition = stripped.partition.iter();
    let partition: Option<Vec<Expr>> = partition
        .map(|column| column.clone().map(Expr::Column))
        .collect();
    partition.is_some_and(|partition| {
        let is_key = |column| groups.keys.contains(column);
        partition.iter().all(is_key) && groups.keys.iter().all(|key| partition.contains(key))
    })
}

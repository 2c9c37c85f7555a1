//! `GROUP BY` and `DISTINCT` without windows to nodes: what becomes of the row of each key.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema};
use datafusion_common::{DFSchema, Result};
use datafusion_expr::Expr;
use datafusion_expr::LogicalPlan;
use datafusion_expr::logical_plan::Aggregate;

use super::aggregate_calls::Calls;
use super::diagnose::refusal;
use super::grouping::{Grouping, check_key};
use super::hints;
use super::lower::{Lowering, Role, Rows, expression};
use super::lower_aggregate::aggregate_calls;
use super::typing::misfit;
use crate::expr::{AggregateCall, Expression, Tells, UpdatingAggregates, UpdatingSpec};
use crate::plan::{NodeKind, type_name};
use crate::stream::OperatorId;

impl Lowering {
    /// The nodes of an aggregation by key alone.
    ///
    /// # Errors
    /// If it does what no accumulator can do yet.
    pub(super) fn group_aggregate(
        &mut self,
        aggregate: &Aggregate,
        grouping: &Grouping<'_>,
        input: Rows,
        calls: &Calls,
    ) -> Result<Rows> {
        let schema = aggregate.input.schema();
        let groups: Vec<Expr> = grouping.groups.iter().copied().cloned().collect();
        for group in &groups {
            check_key(group, schema)?;
        }
        let of_keys = aggregate
            .schema
            .fields()
            .iter()
            .map(|field| field.name().as_str());
        let names = unique_names(
            of_keys.take(groups.len()),
            groups.len() + calls.arguments.len(),
        );
        let input = match &grouping.sets {
            None => {
                let columns = groups.iter().chain(&calls.arguments);
                let columns = columns.map(|column| expression(column, schema));
                let columns = columns.collect::<Result<_>>()?;
                self.project(input, columns, names.iter().map(String::as_str))
            }
            Some(sets) => {
                let columns = (groups.as_slice(), calls.arguments.as_slice());
                self.expanded(&input, schema, columns, sets, &names)?
            }
        };
        let num_keys = groups.len() + usize::from(grouping.sets.is_some());
        let arguments: Vec<usize> = (num_keys..input.schema.fields().len()).collect();
        let aggregates = aggregate_calls(calls, &arguments);
        if let Some(stuck) = aggregates.iter().find(|call| !call.function.can_retract())
            && self.has_changing_results(input.id)
        {
            let message = format!(
                "{} cannot take rows back, and the results that it reads change",
                stuck.function
            );
            return Err(misfit(
                message,
                &aggregate.aggr_expr.iter().collect::<Vec<_>>(),
            ));
        }
        let spec = UpdatingSpec {
            input: Arc::clone(&input.schema),
            keys: (0..num_keys).collect(),
            calls: aggregates.clone(),
            // What comes in is known later.
            retracts: aggregates.iter().all(|call| call.function.can_retract()),
            time_to_live_ms: None,
            tells: Tells::Changes,
        };
        check(spec).map_err(|message| {
            let calls: Vec<&Expr> = aggregate.aggr_expr.iter().collect();
            misfit(message, &calls)
        })?;
        let time_to_live_ms = hints::state_ttl(&aggregate.input);
        let rows = self.push_group_aggregate(input, num_keys, aggregates, time_to_live_ms);
        let schema = DFSchema::try_from(Arc::clone(&rows.schema))?;
        let keys = (0..groups.len()).map(|key| Ok(Expression::column(&rows.schema, key)));
        let results = grouping
            .id(aggregate)
            .into_iter()
            .chain(calls.results(&schema)?);
        let results = results.map(|result| expression(&result, &schema));
        let columns = keys.chain(results).collect::<Result<Vec<_>>>()?;
        let names = aggregate.schema.fields().iter().map(|field| field.name());
        Ok(self.project(rows, columns, names.map(String::as_str)))
    }

    /// Whether rows that come from a node may be results that become others.
    fn has_changing_results(&self, id: OperatorId) -> bool {
        let node = &self.nodes[id.0 as usize];
        let is_changing = match &node.kind {
            NodeKind::GroupAggregate { aggregates, .. } => !aggregates.is_empty(),
            _ => false,
        };
        is_changing
            || node
                .inputs
                .iter()
                .any(|&input| self.has_changing_results(input))
    }

    /// The nodes of a query whose equal rows count once.
    ///
    /// # Errors
    /// If rows of that kind cannot be compared.
    pub(super) fn distinct(&mut self, input: &LogicalPlan) -> Result<Rows> {
        let rows = self.rows(input)?;
        for field in rows.schema.fields() {
            if !crate::stream::is_key_type(field.data_type()) {
                let name = type_name(field.data_type());
                let message = format!(
                    "the column {} is of type {name}, which cannot be compared",
                    field.name()
                );
                let hint = "leave the column out, or CAST it to STRING";
                return Err(refusal(message, None, Some(hint.to_owned())));
            }
        }
        let keys = rows.schema.fields().len();
        let time_to_live_ms = hints::state_ttl(input);
        Ok(self.push_group_aggregate(rows, keys, Vec::new(), time_to_live_ms))
    }

    fn push_group_aggregate(
        &mut self,
        input: Rows,
        keys: usize,
        aggregates: Vec<AggregateCall>,
        time_to_live_ms: Option<i64>,
    ) -> Rows {
        let of_keys = input.schema.fields().iter().take(keys).cloned();
        let results = aggregates.iter().map(|call| Arc::clone(&call.result));
        let schema = Arc::new(Schema::new(
            of_keys.chain(results).collect::<Vec<FieldRef>>(),
        ));
        let kind = NodeKind::GroupAggregate {
            keys,
            aggregates,
            retracts: false,
            emits_update_before: true,
            time_to_live_ms,
        };
        let id = self.push(vec![input.id], kind, Arc::clone(&schema));
        let roles = vec![Role::Value; schema.fields().len()];
        Rows { id, schema, roles }
    }
}

/// What cannot be aggregated is said now, not when the job starts.
fn check(spec: UpdatingSpec) -> std::result::Result<(), String> {
    let mut aggregates = UpdatingAggregates::new(spec).map_err(|error| error.to_string())?;
    if aggregates.states().len() > OperatorId::STATES_MAX {
        return Err(format!(
            "the query keeps the values of more than {} aggregates: split it",
            OperatorId::STATES_MAX - 1
        ));
    }
    Ok(())
}

/// `count` names, those that are given first, none twice.
fn unique_names<'a>(given: impl Iterator<Item = &'a str>, count: usize) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut names: Vec<String> = Vec::with_capacity(count);
    for (place, name) in given.enumerate() {
        let free = if taken.insert(name) {
            name.to_owned()
        } else {
            format!("{name}$k{place}")
        };
        names.push(free);
    }
    names.extend((names.len()..count).map(|place| format!("$f{place}")));
    names
}

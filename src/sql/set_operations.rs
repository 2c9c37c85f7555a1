//! `INTERSECT` and `EXCEPT`: rows of both sides are counted together, and the counts tell how often
//! each row is there.
//!
//! The library makes joins of them, which are known by what no other join has: nulls are equal.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, JoinType, NullEquality, Result};
use datafusion_expr::expr::{AggregateFunction, Case};
use datafusion_expr::logical_plan::{Distinct, Join};
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, col, lit};

use super::aggregates::aggregate;
use super::diagnose::refusal;
use super::rewrite::call;
use super::unnest;
use crate::expr::functions;

/// How many rows the left side has, and the right one.
const LEFT: &str = "$left";
const RIGHT: &str = "$right";

/// The plan with aggregates in the place of these operations.
///
/// # Errors
/// If the library cannot build it.
pub(super) fn as_aggregates(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up(|node| match node {
        LogicalPlan::Join(join) if join.null_equality == NullEquality::NullEqualsNull => {
            Ok(Transformed::yes(counted(join)?))
        }
        other => Ok(Transformed::no(other)),
    });
    Ok(plan?.data)
}

fn counted(join: Join) -> Result<LogicalPlan> {
    let of_join = Arc::clone(&join.schema);
    let (left, is_all) = match Arc::unwrap_or_clone(join.left) {
        LogicalPlan::Distinct(Distinct::All(left)) => (Arc::unwrap_or_clone(left), false),
        left => (left, true),
    };
    let right = Arc::unwrap_or_clone(join.right);
    let columns: Vec<String> = (0..of_join.fields().len())
        .map(|place| format!("$c{place}"))
        .collect();
    let counts = [LEFT, RIGHT].map(sum);
    let counts = counts.into_iter().collect::<Result<Vec<_>>>()?;
    let groups: Vec<Expr> = columns.iter().map(col).collect();
    let plan = LogicalPlanBuilder::from(marked(left, &columns, [1, 0])?)
        .union(marked(right, &columns, [0, 1])?)?
        .aggregate(groups.clone(), counts)?
        .build()?;
    let counts: Vec<Expr> = plan
        .schema()
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect();
    let (lefts, rights) = (
        counts[groups.len()].clone(),
        counts[groups.len() + 1].clone(),
    );
    let none = || lit(0_i64);
    let (is_there, times) = match join.join_type {
        JoinType::LeftSemi => {
            let least = Case {
                expr: None,
                when_then_expr: vec![(
                    Box::new(lefts.clone().lt(rights.clone())),
                    Box::new(lefts.clone()),
                )],
                else_expr: Some(Box::new(rights.clone())),
            };
            (lefts.gt(none()).and(rights.gt(none())), Expr::Case(least))
        }
        _ if is_all => (lefts.clone().gt(rights.clone()), lefts - rights),
        _ => (lefts.gt(none()).and(rights.eq(none())), none()),
    };
    let mut plan = LogicalPlanBuilder::from(plan).filter(is_there)?;
    if is_all {
        plan = unnest::repeated(plan, groups, call(functions::places(), vec![times]))?;
    }
    let named = of_join
        .iter()
        .zip(&columns)
        .map(|((qualifier, field), column)| {
            col(Column::new_unqualified(column)).alias_qualified(qualifier.cloned(), field.name())
        });
    plan.project(named.collect::<Vec<_>>())?.build()
}

/// The rows of one side, with what each of them counts for either.
fn marked(plan: LogicalPlan, names: &[String], [left, right]: [i64; 2]) -> Result<LogicalPlan> {
    let columns = plan.schema().columns().into_iter().zip(names);
    let columns = columns.map(|(column, name)| Expr::Column(column).alias(name));
    let mut columns: Vec<Expr> = columns.collect();
    // A literal alone would be an INT, and so would the sum.
    let wide = |count: i64| cast(lit(count), DataType::Int64);
    columns.extend([wide(left).alias(LEFT), wide(right).alias(RIGHT)]);
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

fn sum(column: &str) -> Result<Expr> {
    let Some(sum) = aggregate("SUM") else {
        return Err(refusal("there is no SUM", None, None));
    };
    let call = AggregateFunction::new_udf(sum, vec![col(column)], false, None, Vec::new(), None);
    Ok(Expr::AggregateFunction(call))
}

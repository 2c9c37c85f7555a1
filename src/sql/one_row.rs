//! Aggregates of whole tables, kept from the library's rule that takes each for a row.
//!
//! Of an aggregate without `GROUP BY` of which nobody reads a column, that rule makes a constant
//! row: a table that has ended has one in any case. Of a stream there is none before its first
//! row.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchemaRef, Result};
use datafusion_expr::logical_plan::UserDefinedLogicalNodeCore;
use datafusion_expr::{Expr, Extension, LogicalPlan};

/// Passes the rows of an aggregate on, and reads a column of them whatever is read of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct OneRow(Arc<LogicalPlan>);

/// The plan with all aggregates of whole tables kept.
///
/// # Errors
/// If the library cannot build it.
pub(super) fn kept(plan: LogicalPlan) -> Result<LogicalPlan> {
    let kept = plan.transform_up(|node| match node {
        LogicalPlan::Aggregate(ref aggregate) if aggregate.group_expr.is_empty() => {
            let node = Arc::new(OneRow(Arc::new(node)));
            Ok(Transformed::yes(LogicalPlan::Extension(Extension { node })))
        }
        other => Ok(Transformed::no(other)),
    });
    Ok(kept?.data)
}

/// The plan without what [`kept`] has put into it.
///
/// # Errors
/// If the library cannot build it.
pub(super) fn released(plan: LogicalPlan) -> Result<LogicalPlan> {
    let released = plan.transform_up(|node| {
        if let LogicalPlan::Extension(extension) = &node {
            let own: &dyn std::any::Any = extension.node.as_any();
            if let Some(OneRow(input)) = own.downcast_ref() {
                return Ok(Transformed::yes(input.as_ref().clone()));
            }
        }
        Ok(Transformed::no(node))
    });
    Ok(released?.data)
}

impl PartialOrd for OneRow {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.0.partial_cmp(&other.0)
    }
}

impl UserDefinedLogicalNodeCore for OneRow {
    fn name(&self) -> &'static str {
        "OneRow"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.0]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.0.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    /// A condition on the row stays behind it, as it does behind the aggregate.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        let fields = self.0.schema().fields().iter();
        fields.map(|field| field.name().clone()).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneRow")
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        Ok(Self(inputs.pop().map_or_else(|| self.0.clone(), Arc::new)))
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![if output_columns.is_empty() {
            vec![0]
        } else {
            output_columns.to_vec()
        }])
    }
}

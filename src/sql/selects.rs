//! Every `SELECT` of a query, what is inside first.

use datafusion_common::Result;
use datafusion_sql::sqlparser::ast::{Query, Select, SetExpr, TableFactor, TableWithJoins};

/// Does something to every `SELECT` in `query`.
///
/// # Errors
/// The first that `act` returns.
pub(super) fn each_select(
    query: &mut Query,
    act: &mut dyn FnMut(&mut Select) -> Result<()>,
) -> Result<()> {
    if let Some(with) = &mut query.with {
        for table in &mut with.cte_tables {
            each_select(&mut table.query, act)?;
        }
    }
    each_of_set(&mut query.body, act)
}

fn each_of_set(body: &mut SetExpr, act: &mut dyn FnMut(&mut Select) -> Result<()>) -> Result<()> {
    match body {
        SetExpr::Select(select) => {
            for TableWithJoins { relation, joins } in &mut select.from {
                let joined = joins.iter_mut().map(|join| &mut join.relation);
                for factor in std::iter::once(relation).chain(joined) {
                    if let TableFactor::Derived { subquery, .. } = factor {
                        each_select(subquery, act)?;
                    }
                }
            }
            act(select)
        }
        SetExpr::Query(query) => each_select(query, act),
        SetExpr::SetOperation { left, right, .. } => {
            each_of_set(left, act)?;
            each_of_set(right, act)
        }
        _ => Ok(()),
    }
}

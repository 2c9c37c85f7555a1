//! The names of a query's columns, as Flink gives them: an expression without a
//! name is `EXPR$n`, and a name that occurs twice gets a number.

use std::collections::HashSet;

use datafusion_sql::sqlparser::ast::{
    Expr, Ident, Query, Select, SelectItem, SetExpr, TableFactor, TableWithJoins,
};

use super::unnest;

/// Names every column of every `SELECT` in `query`.
pub(super) fn name_columns(query: &mut Query) {
    if let Some(with) = &mut query.with {
        for table in &mut with.cte_tables {
            name_columns(&mut table.query);
        }
    }
    name_set_columns(&mut query.body);
}

fn name_set_columns(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => name_select_columns(select),
        SetExpr::Query(query) => name_columns(query),
        SetExpr::SetOperation { left, right, .. } => {
            name_set_columns(left);
            name_set_columns(right);
        }
        _ => (),
    }
}

fn name_select_columns(select: &mut Select) {
    for TableWithJoins { relation, joins } in &mut select.from {
        let joined = joins.iter_mut().map(|join| &mut join.relation);
        for factor in std::iter::once(relation).chain(joined) {
            if let TableFactor::Derived { subquery, .. } = factor {
                name_columns(subquery);
            }
        }
    }
    unnest::folded(&mut select.from);
    let mut taken = HashSet::new();
    for (position, item) in select.projection.iter_mut().enumerate() {
        name_item(item, position, &mut taken);
    }
}

fn name_item(item: &mut SelectItem, position: usize, taken: &mut HashSet<String>) {
    match item {
        SelectItem::UnnamedExpr(expression) => {
            let own = match &*expression {
                Expr::Identifier(name) => Some(name.clone()),
                Expr::CompoundIdentifier(parts) => parts.last().cloned(),
                _ => None,
            };
            // With dots it may be a field of a row, which has no name by itself.
            let is_column = matches!(expression, Expr::Identifier(_));
            let wanted = own.unwrap_or_else(|| Ident::new(format!("EXPR${position}")));
            let name = free_name(&wanted.value, taken);
            if !is_column || name != wanted.value {
                *item = SelectItem::ExprWithAlias {
                    expr: expression.clone(),
                    alias: Ident {
                        value: name,
                        ..wanted
                    },
                };
            }
        }
        SelectItem::ExprWithAlias { alias, .. } => alias.value = free_name(&alias.value, taken),
        _ => (),
    }
}

fn free_name(wanted: &str, taken: &mut HashSet<String>) -> String {
    let numbered = (0..).map(|number: u32| format!("{wanted}{number}"));
    let name = std::iter::once(wanted.to_owned())
        .chain(numbered)
        .find(|name| !taken.contains(name))
        .expect("there are more numbers than columns");
    taken.insert(name.clone());
    name
}

//! The names of the columns of a `SELECT`, as Flink gives them: an expression without a
//! name is `EXPR$n`, and a name that occurs twice gets a number.

use std::collections::HashSet;

use datafusion_sql::sqlparser::ast::{Expr, Ident, Select, SelectItem};

/// Names every column of a `SELECT`.
pub(super) fn name_columns(select: &mut Select) {
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

//! Where an error stands that names no place: at the column or the condition of
//! the query without which there would be no such error.

use datafusion_sql::sqlparser::ast::{Expr, Query, SelectItem, SetExpr, Spanned, Value};

use super::diagnose::{library_span, place};
use crate::plan::{Diagnostic, Span};

/// The longest `SELECT` whose columns are tried one by one.
const COLUMNS_MAX: usize = 64;

/// The errors of a query; those that stand at the statement's beginning are moved
/// to the part of the query that they come from, if it can be found. `errors_of`
/// plans a query.
pub(super) fn placed(
    mut found: Vec<Diagnostic>,
    query: &Query,
    statement: Span,
    errors_of: impl Fn(&Query) -> Vec<Diagnostic>,
) -> Vec<Diagnostic> {
    let unplaced = |error: &&mut Diagnostic| error.span == statement;
    for error in found.iter_mut().filter(unplaced) {
        let has_error = |query: &Query| {
            let errors = errors_of(query);
            errors.iter().any(|other| other.message == error.message)
        };
        if let Some(part) = part_of(query, has_error) {
            error.span = place(library_span(part), statement);
        }
    }
    found
}

/// The part of a plain `SELECT` that alone has the error.
fn part_of(
    query: &Query,
    has_error: impl Fn(&Query) -> bool,
) -> Option<datafusion_sql::sqlparser::tokenizer::Span> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    let columns = &select.projection;
    if columns.len() > COLUMNS_MAX || has_error(&reduced(query, None, false)) {
        return None;
    }
    let alone = |place: &usize| has_error(&reduced(query, Some(*place), false));
    let column = (0..columns.len()).find(alone);
    match (
        column.and_then(|place| columns.get(place)),
        &select.selection,
    ) {
        (Some(column), _) => Some(column.span()),
        (None, Some(condition)) if has_error(&reduced(query, None, true)) => Some(condition.span()),
        _ => None,
    }
}

/// The query with a number instead of each column but one. All columns keep
/// their places, from which they have their names.
fn reduced(query: &Query, kept: Option<usize>, with_condition: bool) -> Query {
    let mut query = query.clone();
    if let SetExpr::Select(select) = query.body.as_mut() {
        for (place, column) in select.projection.iter_mut().enumerate() {
            if Some(place) != kept {
                let number = Value::Number("1".to_owned(), false);
                *column = SelectItem::UnnamedExpr(Expr::value(number));
            }
        }
        if !with_condition {
            select.selection = None;
        }
    }
    query
}

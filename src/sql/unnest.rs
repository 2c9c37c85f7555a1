//! `FROM t CROSS JOIN UNNEST(array) AS u (x)`: how it is taken out of the joins, and its plan.

use arrow::datatypes::DataType;
use datafusion_common::{Column, Result, Span, UnnestOptions};
use datafusion_expr::planner::{PlannedRelation, RelationPlannerContext, RelationPlanning};
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, col, lit};
use datafusion_sql::sqlparser::ast::{
    Expr as SqlExpr, FunctionArg, FunctionArgExpr, Join, JoinConstraint, JoinOperator, TableAlias,
    TableFactor, TableWithJoins, Value,
};

use super::diagnose::{library_span, refusal};
use super::rewrite::call;
use super::typing::{plan_with_flink_types, with_flink_types};
use crate::expr::functions;
use crate::plan::type_name;

/// The column that is taken apart, until it has been.
const COLLECTION: &str = "$unnest";

/// A call of `UNNEST` in the place of a relation.
pub(super) struct UnnestCall<'a> {
    /// What is taken apart.
    pub arguments: &'a [FunctionArg],
    /// The names of the elements.
    pub alias: Option<&'a TableAlias>,
    /// Whether it said `WITH ORDINALITY`.
    pub with_ordinality: bool,
}

/// The call that a relation is, if it is one.
pub(super) fn call_of(factor: &TableFactor) -> Option<UnnestCall<'_>> {
    let TableFactor::Table {
        name,
        args: Some(arguments),
        alias,
        with_ordinality,
        ..
    } = factor
    else {
        return None;
    };
    let [name] = name.0.as_slice() else {
        return None;
    };
    let name = name.as_ident().map(|name| name.value.as_str());
    let is_unnest = name.is_some_and(|name| name.eq_ignore_ascii_case("UNNEST"));
    is_unnest.then_some(UnnestCall {
        arguments: &arguments.args,
        alias: alias.as_ref(),
        with_ordinality: *with_ordinality,
    })
}

/// Whether a join with `UNNEST` keeps the rows that have no elements; `None` if it is of
/// another kind.
pub(super) fn keeps_rows(join: &JoinOperator) -> Option<bool> {
    let is_true = |constraint: &JoinConstraint| match constraint {
        JoinConstraint::None => true,
        JoinConstraint::On(SqlExpr::Value(value)) => value.value == Value::Boolean(true),
        _ => false,
    };
    match join {
        JoinOperator::CrossJoin(_) => Some(false),
        JoinOperator::Join(on) | JoinOperator::Inner(on) if is_true(on) => Some(false),
        JoinOperator::Left(on) | JoinOperator::LeftOuter(on) if is_true(on) => Some(true),
        _ => None,
    }
}

/// Makes `FROM t, UNNEST(a)` and `FROM t JOIN UNNEST(a)` one relation each, which
/// [`planned`] knows: the library sees no join.
pub(super) fn folded(from: &mut Vec<TableWithJoins>) {
    let mut whole: Vec<TableWithJoins> = Vec::with_capacity(from.len());
    for relations in std::mem::take(from) {
        match (call_of(&relations.relation), whole.last_mut()) {
            (Some(_), Some(before)) => {
                before.joins.push(Join {
                    relation: relations.relation,
                    global: false,
                    join_operator: JoinOperator::CrossJoin(JoinConstraint::None),
                });
                before.joins.extend(relations.joins);
            }
            _ => whole.push(relations),
        }
    }
    for relations in &mut whole {
        for join in std::mem::take(&mut relations.joins) {
            if call_of(&join.relation).is_none() {
                relations.joins.push(join);
                continue;
            }
            let before = TableWithJoins {
                relation: relations.relation.clone(),
                joins: std::mem::take(&mut relations.joins),
            };
            relations.relation = TableFactor::NestedJoin {
                table_with_joins: Box::new(TableWithJoins {
                    relation: unnested(before),
                    joins: vec![join],
                }),
                alias: None,
            };
        }
    }
    *from = whole;
}

/// A relation for what stands before an `UNNEST`.
fn unnested(before: TableWithJoins) -> TableFactor {
    if before.joins.is_empty() {
        return before.relation;
    }
    TableFactor::NestedJoin {
        table_with_joins: Box::new(before),
        alias: None,
    }
}

/// The plan of a relation that [`folded`] has made; other relations as they are.
pub(super) fn planned(
    relation: TableFactor,
    context: &mut dyn RelationPlannerContext,
) -> Result<RelationPlanning> {
    let TableFactor::NestedJoin {
        table_with_joins,
        alias: None,
    } = &relation
    else {
        return Ok(RelationPlanning::Original(Box::new(relation)));
    };
    let [join] = table_with_joins.joins.as_slice() else {
        return Ok(RelationPlanning::Original(Box::new(relation)));
    };
    let Some(UnnestCall {
        arguments,
        alias,
        with_ordinality,
    }) = call_of(&join.relation)
    else {
        return Ok(RelationPlanning::Original(Box::new(relation)));
    };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(collection))] = arguments else {
        return Err(refusal("UNNEST takes one ARRAY or MAP", None, None));
    };
    let input = plan_with_flink_types(context.plan(table_with_joins.relation.clone())?)?;
    let collection = context.sql_to_expr(collection.clone(), input.schema())?;
    let collection = with_flink_types(collection, input.schema())?;
    let collection = elements_of(collection, &input, alias)?;
    let collection = if with_ordinality {
        call(functions::numbered(), vec![collection])
    } else {
        collection
    };
    let keeps_rows = keeps_rows(&join.join_operator).unwrap_or(false);
    let plan = taken_apart(input, collection, alias, keeps_rows)?;
    let planned = PlannedRelation::new(plan, None);
    Ok(RelationPlanning::Planned(Box::new(planned)))
}

/// The array of what is taken apart.
fn elements_of(collection: Expr, input: &LogicalPlan, alias: Option<&TableAlias>) -> Result<Expr> {
    match collection.get_type(input.schema())? {
        DataType::List(_) => Ok(collection),
        DataType::Map(..) => Ok(call(functions::entries(), vec![collection])),
        other => {
            let message = format!("UNNEST takes an ARRAY or a MAP, not {}", type_name(&other));
            Err(refusal(message, place_of(alias), None))
        }
    }
}

/// Where messages about the elements point to.
fn place_of(alias: Option<&TableAlias>) -> Option<Span> {
    library_span(alias?.name.span)
}

fn taken_apart(
    input: LogicalPlan,
    collection: Expr,
    alias: Option<&TableAlias>,
    keeps_rows: bool,
) -> Result<LogicalPlan> {
    let of_input: Vec<Expr> = input
        .schema()
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect();
    let mut columns = of_input.clone();
    columns.push(collection.alias(COLLECTION));
    let options = options(keeps_rows);
    let plan = LogicalPlanBuilder::from(input)
        .project(columns)?
        .unnest_columns_with_options(vec![Column::new_unqualified(COLLECTION)], options)?
        .build()?;
    let element = col(COLLECTION);
    let own = match element.get_type(plan.schema())? {
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| {
                let name = lit(field.name().as_str());
                let value = call(functions::field(), vec![element.clone(), name]);
                (value, field.name().clone())
            });
            fields.collect()
        }
        _ => vec![(element, functions::ELEMENT.to_owned())],
    };
    let names: Vec<&str> = alias
        .iter()
        .flat_map(|alias| &alias.columns)
        .map(|column| column.name.value.as_str())
        .collect();
    if !names.is_empty() && names.len() != own.len() {
        let message = format!(
            "the elements of UNNEST have {} columns, but {} names are given",
            own.len(),
            names.len()
        );
        return Err(refusal(message, place_of(alias), None));
    }
    let relation = alias.map(|alias| alias.name.value.clone());
    let mut columns = of_input;
    for (place, (value, name)) in own.into_iter().enumerate() {
        let name = names.get(place).map_or(name, |name| (*name).to_owned());
        columns.push(match &relation {
            Some(relation) => value.alias_qualified(Some(relation.as_str()), name),
            None => value.alias(name),
        });
    }
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

/// The rows with these columns, each once for each element of an array.
///
/// # Errors
/// If the library cannot build it.
pub(super) fn repeated(
    plan: LogicalPlanBuilder,
    mut columns: Vec<Expr>,
    elements: Expr,
) -> Result<LogicalPlanBuilder> {
    columns.push(elements.alias(COLLECTION));
    let column = vec![Column::new_unqualified(COLLECTION)];
    plan.project(columns)?
        .unnest_columns_with_options(column, options(false))
}

/// The library's name for whether rows without elements are kept.
fn options(keeps_rows: bool) -> UnnestOptions {
    UnnestOptions::new().with_preserve_nulls(keeps_rows)
}

/// Whether an `UNNEST` of the library's keeps rows without elements, and which column it
/// takes apart; `None` if it does more than that.
pub(super) fn meaning(unnest: &datafusion_expr::logical_plan::Unnest) -> Option<(usize, bool)> {
    let ([(column, list)], []) = (
        unnest.list_type_columns.as_slice(),
        unnest.struct_type_columns.as_slice(),
    ) else {
        return None;
    };
    let keeps_rows = unnest.options == options(true);
    (list.depth == 1).then_some((*column, keeps_rows))
}

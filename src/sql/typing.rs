//! Gives every expression of a logical plan Flink's types, by explicit casts.
//!
//! The query library reads `1` as `BIGINT` and coerces by its own rules; after
//! this pass nothing is left for it to coerce. The pass may run again over a
//! plan that it has made (a view that is read): it then changes nothing.

use arrow::datatypes::DataType;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, Result, ScalarValue, Span};
use datafusion_expr::expr::{
    AggregateFunction, Between, BinaryExpr, Case, Cast, InList, Like, ScalarFunction, TryCast,
};
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::logical_plan::{Projection, Union};
use datafusion_expr::utils::merge_schema;
use datafusion_expr::{Expr, LogicalPlan, Operator, lit};
use std::sync::Arc;

use super::aggregates;
use super::arithmetic;
use super::conversion::{self, cast_to, common_type, type_of};
use super::diagnose::refusal;
use super::functions;
use super::rewrite::call;
use super::row_comparison::{self, is_of_parts};
use super::values;
use crate::expr::functions::{check_similar, row_function};
use crate::plan::type_name;

/// The plan with Flink's types.
///
/// # Errors
/// If the types of an expression do not fit each other.
pub(super) fn plan_with_flink_types(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up(|node| Ok(Transformed::yes(retype_node(node)?)))
        .map(|transformed| transformed.data)
}

/// The expression over the columns of `schema` with Flink's types.
///
/// # Errors
/// As [`plan_with_flink_types`].
pub(super) fn with_flink_types(expression: Expr, schema: &DFSchema) -> Result<Expr> {
    expression
        .transform_up(|part| Ok(Transformed::yes(retype(part, schema)?)))
        .map(|transformed| transformed.data)
}

/// An error of types, at the first column of the expression that has a place.
pub(super) fn misfit(message: String, parts: &[&Expr]) -> datafusion_common::DataFusionError {
    refusal(message, place_of(parts), None)
}

/// Where the first column of the expression that has a place stands.
pub(super) fn place_of(parts: &[&Expr]) -> Option<Span> {
    let mut span = None;
    for part in parts {
        // The walk itself cannot fail: it only looks.
        let _ = part.apply(|inner| {
            if span.is_none()
                && let Expr::Column(column) = inner
            {
                span = column.spans.first();
            }
            Ok(datafusion_common::tree_node::TreeNodeRecursion::Continue)
        });
    }
    span
}

fn retype_node(node: LogicalPlan) -> Result<LogicalPlan> {
    if let LogicalPlan::Union(union) = node {
        return unify(union);
    }
    let schema = merge_schema(&node.inputs());
    let names = NamePreserver::new(&node);
    let retyped = node.map_expressions(|expression| {
        let name = names.save(&expression);
        let typed = with_flink_types(expression, &schema)?;
        Ok(Transformed::yes(name.restore(typed)))
    })?;
    if let LogicalPlan::Values(rows) = retyped.data {
        return values::typed(rows);
    }
    let plan = retyped.data.recompute_schema()?;
    if let LogicalPlan::Filter(filter) = &plan {
        let data_type = type_of(&filter.predicate, &schema)?;
        if !matches!(data_type, DataType::Boolean | DataType::Null) {
            let message = format!("a condition must be BOOLEAN, not {}", type_name(&data_type));
            return Err(misfit(message, &[&filter.predicate]));
        }
    }
    Ok(plan)
}

/// Casts the inputs of a union to common types.
fn unify(union: Union) -> Result<LogicalPlan> {
    let mut inputs = union.inputs.into_iter();
    let Some(first) = inputs.next() else {
        return Err(refusal("a union needs inputs", None, None));
    };
    let mut types: Vec<DataType> = data_types(&first);
    let inputs: Vec<_> = std::iter::once(first).chain(inputs).collect();
    for input in &inputs {
        for (column, (common, own)) in types.iter_mut().zip(data_types(input)).enumerate() {
            let merged = common_type(common, &own).ok_or_else(|| {
                let (left, right) = (type_name(common), type_name(&own));
                let column = column + 1;
                let message =
                    format!("column {column} is {left} in one input and {right} in another");
                let is_castable = !common.is_nested() && !own.is_nested();
                refusal(
                    message,
                    None,
                    is_castable.then(|| "write CAST(…)".to_owned()),
                )
            })?;
            *common = merged;
        }
    }
    let names: Vec<String> = inputs
        .first()
        .map(|input| input.schema().field_names())
        .unwrap_or_default();
    let mut casted = Vec::with_capacity(inputs.len());
    for input in inputs {
        casted.push(Arc::new(project_to(input, &types, &names)?));
    }
    Ok(LogicalPlan::Union(Union::try_new(casted)?))
}

fn data_types(plan: &LogicalPlan) -> Vec<DataType> {
    let fields = plan.schema().fields().iter();
    fields.map(|field| field.data_type().clone()).collect()
}

fn project_to(
    input: Arc<LogicalPlan>,
    types: &[DataType],
    names: &[String],
) -> Result<LogicalPlan> {
    if data_types(&input) == types {
        return Ok(Arc::unwrap_or_clone(input));
    }
    let mut columns = Vec::with_capacity(types.len());
    for ((column, data_type), name) in input.schema().columns().into_iter().zip(types).zip(names) {
        let bare = name.rsplit('.').next().unwrap_or(name);
        let casted = cast_to(Expr::Column(column), data_type, input.schema())?;
        columns.push(casted.alias(bare));
    }
    Ok(LogicalPlan::Projection(Projection::try_new(
        columns, input,
    )?))
}

/// One expression whose parts are typed already.
fn retype(expression: Expr, schema: &DFSchema) -> Result<Expr> {
    match expression {
        Expr::Literal(ScalarValue::Int64(Some(value)), metadata) => {
            Ok(match i32::try_from(value) {
                Ok(value) => Expr::Literal(ScalarValue::Int32(Some(value)), metadata),
                Err(_) => Expr::Literal(ScalarValue::Int64(Some(value)), metadata),
            })
        }
        Expr::Literal(ScalarValue::UInt64(Some(value)), _) => {
            Ok(lit(ScalarValue::Decimal128(Some(value.into()), 20, 0)))
        }
        Expr::Literal(ScalarValue::Decimal128(Some(value), precision, scale), _) => {
            Ok(lit(number(value, precision, scale)))
        }
        Expr::AggregateFunction(call) => {
            check_aggregate(&call, schema)?;
            Ok(Expr::AggregateFunction(call))
        }
        Expr::BinaryExpr(binary) => retype_binary(binary, schema),
        Expr::Between(between) => retype_between(between, schema),
        Expr::InList(list) => retype_in_list(list, schema),
        Expr::Case(case) => retype_case(case, schema),
        Expr::Like(like) => retype_like(like, schema),
        Expr::Not(inner) => {
            require_boolean(&inner, schema, "NOT")?;
            Ok(Expr::Not(inner))
        }
        Expr::Cast(Cast { expr, field }) => {
            let value = conversion::explicit_cast(*expr, field.data_type(), schema)?;
            Ok(conversion::of_length(value, &field))
        }
        Expr::TryCast(TryCast { expr, field }) => {
            let value = conversion::try_cast(*expr, field.data_type(), schema)?;
            Ok(conversion::of_length(value, &field))
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) => {
            functions::typed_call(func, args, schema)
        }
        Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) => Err(refusal(
            "a subquery inside an expression is not supported yet",
            None,
            None,
        )),
        Expr::SimilarTo(like) => retype_similar(like, schema),
        other => Ok(other),
    }
}

/// A number with a point or an exponent. One with a positive exponent is a
/// `DOUBLE`; a decimal has at least the digits behind its point.
fn number(value: i128, precision: u8, scale: i8) -> ScalarValue {
    if scale >= 0 {
        let precision = precision.max(scale.unsigned_abs());
        return ScalarValue::Decimal128(Some(value), precision, scale);
    }
    let text = format!("{value}e{}", scale.unsigned_abs());
    ScalarValue::Float64(text.parse().ok())
}

fn check_aggregate(call: &AggregateFunction, schema: &DFSchema) -> Result<()> {
    let name = call.func.name();
    let meaning = aggregates::meaning(&call.func);
    let arguments = &call.params.args;
    let (least, most) = meaning.arguments();
    let argument = match arguments.first() {
        Some(first) if (least..=most).contains(&arguments.len()) => first,
        _ => {
            let number = if most == 1 {
                "one argument"
            } else {
                "one or two arguments"
            };
            let message = format!("{name} takes {number}");
            return Err(misfit(message, &arguments.iter().collect::<Vec<_>>()));
        }
    };
    if let Some(filter) = &call.params.filter {
        require_boolean(filter, schema, "FILTER")?;
    }
    let is_changed = call.params.distinct || call.params.filter.is_some();
    if is_changed && matches!(meaning, aggregates::Meaning::Grouping(_)) {
        let message = format!("{name} takes no DISTINCT and no FILTER");
        return Err(misfit(message, &[argument]));
    }
    let data_type = type_of(argument, schema)?;
    if meaning.result(&data_type).is_none() {
        let message = format!("{name} cannot be computed over {}", type_name(&data_type));
        return Err(misfit(message, &[argument]));
    }
    Ok(())
}

/// The operation on parts that are typed already.
///
/// # Errors
/// If there is no such operation on their types.
pub(super) fn retype_binary(binary: BinaryExpr, schema: &DFSchema) -> Result<Expr> {
    let BinaryExpr { left, op, right } = binary;
    match op {
        Operator::Plus
        | Operator::Minus
        | Operator::Multiply
        | Operator::Divide
        | Operator::Modulo => arithmetic::typed(*left, op, *right, schema),
        Operator::And | Operator::Or => {
            require_boolean(&left, schema, &op.to_string())?;
            require_boolean(&right, schema, &op.to_string())?;
            Ok(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        Operator::StringConcat => {
            require_text(&left, schema, "||")?;
            require_text(&right, schema, "||")?;
            Ok(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        Operator::Eq
        | Operator::NotEq
        | Operator::Lt
        | Operator::LtEq
        | Operator::Gt
        | Operator::GtEq
        | Operator::IsDistinctFrom
        | Operator::IsNotDistinctFrom => {
            if is_of_parts(&type_of(&left, schema)?) && is_of_parts(&type_of(&right, schema)?) {
                return row_comparison::compared(BinaryExpr { left, op, right }, schema);
            }
            let data_type = compared_type(&[&left, &right], schema)?;
            let left = Box::new(cast_to(*left, &data_type, schema)?);
            let right = Box::new(cast_to(*right, &data_type, schema)?);
            Ok(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        other => Err(misfit(
            format!("the operator {other} is not supported yet"),
            &[&left, &right],
        )),
    }
}

fn equality(left: &Expr, right: Expr) -> BinaryExpr {
    BinaryExpr::new(Box::new(left.clone()), Operator::Eq, Box::new(right))
}

fn retype_between(between: Between, schema: &DFSchema) -> Result<Expr> {
    let data_type = compared_type(&[&between.expr, &between.low, &between.high], schema)?;
    Ok(Expr::Between(Between {
        expr: Box::new(cast_to(*between.expr, &data_type, schema)?),
        negated: between.negated,
        low: Box::new(cast_to(*between.low, &data_type, schema)?),
        high: Box::new(cast_to(*between.high, &data_type, schema)?),
    }))
}

fn retype_in_list(in_list: InList, schema: &DFSchema) -> Result<Expr> {
    let InList {
        expr,
        list,
        negated,
    } = in_list;
    if is_of_parts(&type_of(&expr, schema)?) {
        let equal = |item| retype_binary(equality(&expr, item), schema);
        let equal = list.into_iter().map(equal).collect::<Result<Vec<_>>>()?;
        let found = equal
            .into_iter()
            .reduce(Expr::or)
            .unwrap_or_else(|| lit(false));
        return Ok(if negated {
            Expr::Not(Box::new(found))
        } else {
            found
        });
    }
    let mut all: Vec<&Expr> = vec![&expr];
    all.extend(&list);
    let data_type = compared_type(&all, schema)?;
    let list = list
        .into_iter()
        .map(|item| cast_to(item, &data_type, schema))
        .collect::<Result<_>>()?;
    Ok(Expr::InList(InList {
        expr: Box::new(cast_to(*expr, &data_type, schema)?),
        list,
        negated,
    }))
}

fn retype_case(case: Case, schema: &DFSchema) -> Result<Expr> {
    let Case {
        expr,
        when_then_expr,
        else_expr,
    } = case;
    let (mut whens, thens): (Vec<Expr>, Vec<Expr>) = when_then_expr
        .into_iter()
        .map(|(when, then)| (*when, *then))
        .unzip();
    let mut results: Vec<Expr> = thens;
    let has_else = else_expr.is_some();
    results.extend(else_expr.map(|inner| *inner));
    let results = unified(results, schema, "the branches of CASE")?;
    let of_parts = match &expr {
        Some(value) => is_of_parts(&type_of(value, schema)?),
        None => false,
    };
    let expr = if let Some(value) = expr.as_ref().filter(|_| of_parts) {
        let equal = |when| retype_binary(equality(value, when), schema);
        whens = whens.into_iter().map(equal).collect::<Result<_>>()?;
        None
    } else if let Some(value) = expr {
        whens.push(*value);
        let refs: Vec<&Expr> = whens.iter().collect();
        let data_type = compared_type(&refs, schema)?;
        whens = whens
            .into_iter()
            .map(|when| cast_to(when, &data_type, schema))
            .collect::<Result<_>>()?;
        whens.pop().map(Box::new)
    } else {
        for when in &whens {
            require_boolean(when, schema, "WHEN")?;
        }
        None
    };
    let mut results = results.into_iter();
    let when_then_expr = whens
        .into_iter()
        .map(Box::new)
        .zip(results.by_ref().map(Box::new))
        .collect();
    Ok(Expr::Case(Case {
        expr,
        when_then_expr,
        else_expr: has_else.then(|| results.next().map(Box::new)).flatten(),
    }))
}

fn retype_like(like: Like, schema: &DFSchema) -> Result<Expr> {
    require_text(&like.expr, schema, "LIKE")?;
    require_text(&like.pattern, schema, "LIKE")?;
    if like.case_insensitive {
        return Err(misfit(
            "ILIKE is not supported: compare UPPER(…) with LIKE".to_owned(),
            &[&like.expr],
        ));
    }
    Ok(Expr::Like(Like {
        pattern: Box::new(escaped_pattern(*like.pattern, like.escape_char)?),
        escape_char: Some('\\'),
        ..like
    }))
}

fn retype_similar(like: Like, schema: &DFSchema) -> Result<Expr> {
    require_text(&like.expr, schema, "SIMILAR TO")?;
    require_text(&like.pattern, schema, "SIMILAR TO")?;
    let text = cast_to(*like.expr, &DataType::Utf8, schema)?;
    let pattern = cast_to(*like.pattern, &DataType::Utf8, schema)?;
    let pattern = escaped_pattern(pattern, like.escape_char)?;
    if let Expr::Literal(ScalarValue::Utf8(Some(pattern)), _) = &pattern {
        check_similar(pattern).map_err(|message| misfit(message, &[&text]))?;
    }
    let similar = call(row_function("SIMILAR"), vec![text, pattern]);
    Ok(if like.negated {
        Expr::Not(Box::new(similar))
    } else {
        similar
    })
}

/// The pattern, in which a backslash escapes.
fn escaped_pattern(pattern: Expr, escape: Option<char>) -> Result<Expr> {
    match pattern {
        Expr::Literal(ScalarValue::Utf8(Some(pattern)), _) => {
            Ok(lit(escaped_by_backslash(&pattern, escape)))
        }
        // The kernel escapes by a backslash, whatever the text of the rows.
        other if matches!(escape, None | Some('\\')) => Ok(other),
        other => {
            let message = "ESCAPE needs a pattern that is written out".to_owned();
            Err(misfit(message, &[&other]))
        }
    }
}

/// Without `ESCAPE` no character of a pattern escapes another, and with it the
/// one that it names does; the library's kernels know the backslash alone.
fn escaped_by_backslash(pattern: &str, escape: Option<char>) -> String {
    if escape == Some('\\') {
        return pattern.to_owned();
    }
    let mut escaped = String::with_capacity(pattern.len());
    for character in pattern.chars() {
        match character {
            _ if Some(character) == escape => escaped.push('\\'),
            '\\' => escaped.push_str("\\\\"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The expressions, cast to the type that they have in common.
///
/// # Errors
/// If they have none.
pub(super) fn unified(parts: Vec<Expr>, schema: &DFSchema, what: &str) -> Result<Vec<Expr>> {
    let mut common = DataType::Null;
    for part in &parts {
        let own = type_of(part, schema)?;
        common = common_type(&common, &own).ok_or_else(|| {
            let (left, right) = (type_name(&common), type_name(&own));
            let message = format!("{what} have no common type: {left} and {right}");
            misfit(message, &parts.iter().collect::<Vec<_>>())
        })?;
    }
    let casted = parts.into_iter();
    casted.map(|part| cast_to(part, &common, schema)).collect()
}

/// The type in which values of these expressions are compared. A text that is
/// written out is read as what it is compared with, if that is a time.
fn compared_type(parts: &[&Expr], schema: &DFSchema) -> Result<DataType> {
    let mut types = Vec::with_capacity(parts.len());
    for part in parts {
        types.push((type_of(part, schema)?, matches!(part, Expr::Literal(_, _))));
    }
    let has_time = types.iter().any(|(data_type, _)| data_type.is_temporal());
    let mut common = DataType::Null;
    for (data_type, is_literal) in &types {
        if has_time && *is_literal && *data_type == DataType::Utf8 {
            continue;
        }
        common = common_type(&common, data_type).ok_or_else(|| {
            let (left, right) = (type_name(&common), type_name(data_type));
            misfit(
                format!("cannot compare {left} with {right}: write CAST(…)"),
                parts,
            )
        })?;
    }
    if common.is_nested() {
        let message = format!("values of type {} cannot be compared", type_name(&common));
        return Err(misfit(message, parts));
    }
    Ok(common)
}

fn require_boolean(part: &Expr, schema: &DFSchema, operator: &str) -> Result<()> {
    match type_of(part, schema)? {
        DataType::Boolean | DataType::Null => Ok(()),
        other => Err(misfit(
            format!("{operator} needs BOOLEAN, not {}", type_name(&other)),
            &[part],
        )),
    }
}

fn require_text(part: &Expr, schema: &DFSchema, operator: &str) -> Result<()> {
    match type_of(part, schema)? {
        DataType::Utf8 | DataType::Null => Ok(()),
        other => Err(misfit(
            format!(
                "{operator} needs STRING, not {}: write CAST(… AS STRING)",
                type_name(&other)
            ),
            &[part],
        )),
    }
}

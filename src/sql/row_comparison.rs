//! Comparisons of rows, arrays and what is written as `(a, b)`.
//!
//! Rows that are written out are compared field by field, as SQL says: `(a, b) = (1, 2)` is `a = 1
//! AND b = 2`. Of a row that a column holds a null field is a value like others, as in Flink.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, Result};
use datafusion_expr::expr::BinaryExpr;
use datafusion_expr::{Expr, ExprSchemable, Operator, ScalarUDF, lit};

use super::conversion::{cast_to, common_type};
use super::rewrite::call;
use super::typing::{misfit, retype_binary};
use crate::expr::functions;
use crate::plan::type_name;

/// Whether values of this type are compared as a whole.
pub(super) fn is_of_parts(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Struct(_) | DataType::List(_))
}

/// The comparison of two rows, or two arrays, whose parts are typed.
///
/// # Errors
/// If they are of different types, or the operator asks for an order.
pub(super) fn compared(binary: BinaryExpr, schema: &DFSchema) -> Result<Expr> {
    let BinaryExpr { left, op, right } = binary;
    let written = match (written_row(&left), written_row(&right)) {
        (Some(left), Some(right)) if left.len() == right.len() => Some((left, right)),
        _ => None,
    };
    match (op, written) {
        (Operator::Eq | Operator::IsNotDistinctFrom, Some((left, right))) => {
            let fields = left.iter().zip(right);
            let fields = fields.map(|(left, right)| {
                let (left, right) = (Box::new(left.clone()), Box::new(right.clone()));
                retype_binary(BinaryExpr { left, op, right }, schema)
            });
            let fields = fields.collect::<Result<Vec<_>>>()?;
            Ok(fields
                .into_iter()
                .reduce(Expr::and)
                .unwrap_or_else(|| lit(true)))
        }
        (Operator::IsDistinctFrom, Some(_)) => {
            let op = Operator::IsNotDistinctFrom;
            let same = compared(BinaryExpr { left, op, right }, schema)?;
            Ok(Expr::Not(Box::new(same)))
        }
        (Operator::Eq, None) => whole(functions::equals(), *left, *right, schema),
        (Operator::NotEq, _) => {
            let equal = whole(functions::equals(), *left, *right, schema)?;
            Ok(Expr::Not(Box::new(equal)))
        }
        (Operator::IsNotDistinctFrom, None) => whole(functions::is_same(), *left, *right, schema),
        (Operator::IsDistinctFrom, None) => {
            let same = whole(functions::is_same(), *left, *right, schema)?;
            Ok(Expr::Not(Box::new(same)))
        }
        _ => {
            let data_type = left.get_type(schema)?;
            let message = format!(
                "values of type {} have no order: they are compared by =, <>, IN and IS [NOT] DISTINCT FROM",
                type_name(&data_type)
            );
            Err(misfit(message, &[&left, &right]))
        }
    }
}

/// The fields of a row that is written out.
fn written_row(row: &Expr) -> Option<&[Expr]> {
    match row {
        Expr::ScalarFunction(call) if *call.func == *functions::row() => Some(&call.args),
        _ => None,
    }
}

/// A comparison of two values of one type by a function.
fn whole(function: Arc<ScalarUDF>, left: Expr, right: Expr, schema: &DFSchema) -> Result<Expr> {
    let types = (left.get_type(schema)?, right.get_type(schema)?);
    let common = common_parts(&types.0, &types.1);
    let (Some(common), true) = (&common, !has_map(&types.0)) else {
        let message = format!(
            "cannot compare {} with {}",
            type_name(&types.0),
            type_name(&types.1)
        );
        return Err(misfit(message, &[&left, &right]));
    };
    let left = as_parts(left, common, schema)?;
    let right = as_parts(right, common, schema)?;
    Ok(call(function, vec![left, right]))
}

/// The types in which the fields of two rows, or two arrays as a whole, are compared.
fn common_parts(left: &DataType, right: &DataType) -> Option<Vec<DataType>> {
    let (DataType::Struct(left), DataType::Struct(right)) = (left, right) else {
        return common_type(left, right).map(|common| vec![common]);
    };
    if left.len() != right.len() {
        return None;
    }
    let fields = left.iter().zip(right);
    let types = fields.map(|(left, right)| common_type(left.data_type(), right.data_type()));
    types.collect()
}

/// A value whose fields have these types, if it is a row that is written out or has them already.
fn as_parts(value: Expr, parts: &[DataType], schema: &DFSchema) -> Result<Expr> {
    let own = match value.get_type(schema)? {
        DataType::Struct(fields) => fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect(),
        other => vec![other],
    };
    if own == parts {
        return Ok(value);
    }
    let Some(fields) = written_row(&value) else {
        if let ([list], DataType::List(_)) = (parts, value.get_type(schema)?) {
            return cast_to(value, list, schema);
        }
        let own = type_name(&value.get_type(schema)?);
        let message = format!("cannot compare {own} with a row whose fields have other types");
        return Err(misfit(message, &[&value]));
    };
    let fields = fields.iter().zip(parts);
    let fields = fields.map(|(field, wanted)| cast_to(field.clone(), wanted, schema));
    Ok(call(functions::row(), fields.collect::<Result<_>>()?))
}

/// Maps have no order of their entries, and nothing compares them.
fn has_map(data_type: &DataType) -> bool {
    match data_type {
        DataType::Map(..) => true,
        DataType::List(element) => has_map(element.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_map(field.data_type())),
        _ => false,
    }
}

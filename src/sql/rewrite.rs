//! Functions of Flink that become other expressions, for their types or their
//! meaning.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::expr::{BinaryExpr, Case, ScalarFunction};
use datafusion_expr::{Expr, ExprSchemable, Operator, ScalarUDF, lit};
use datafusion_functions as library;

use super::arithmetic;
use super::conversion::{cast_to, explicit_cast};
use super::data_type::MAX_PRECISION;
use super::typing::{misfit, retype_binary, unified};
use crate::expr::functions as own;
use crate::plan::{column_type_name, type_name};

/// A call of a function that the library or `expr/` has.
pub(super) fn call(function: Arc<ScalarUDF>, arguments: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(function, arguments))
}

pub(super) fn left(arguments: Vec<Expr>) -> Expr {
    empty_if_negative(library::unicode::left(), arguments)
}

pub(super) fn right(arguments: Vec<Expr>) -> Expr {
    empty_if_negative(library::unicode::right(), arguments)
}

/// The library's functions count a negative length from the other end.
fn empty_if_negative(function: Arc<ScalarUDF>, arguments: Vec<Expr>) -> Expr {
    let length = arguments.last().cloned().unwrap_or_else(|| lit(0_i64));
    let whole = call(function, arguments);
    Expr::Case(Case {
        expr: None,
        when_then_expr: vec![(Box::new(length.lt(lit(0_i64))), Box::new(lit("")))],
        else_expr: Some(Box::new(whole)),
    })
}

/// `left op right` whose types were not known when it was read.
pub(super) fn operation(op: Operator, parts: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let mut parts = parts.into_iter().map(Box::new);
    match (parts.next(), parts.next()) {
        (Some(left), Some(right)) => retype_binary(BinaryExpr::new(left, op, right), schema),
        _ => Ok(lit(ScalarValue::Null)),
    }
}

/// A regular expression that is written out, the second argument, is tried now:
/// a wrong one would fail for each row.
pub(super) fn check_regex(arguments: &[Expr]) -> Result<()> {
    match text_of(arguments.get(1)).map(own::check_regex) {
        Some(Err(message)) => Err(misfit(message, &arguments.iter().collect::<Vec<_>>())),
        _ => Ok(()),
    }
}

/// The text of an argument that is written out.
pub(super) fn text_of(argument: Option<&Expr>) -> Option<&str> {
    match argument {
        Some(Expr::Literal(ScalarValue::Utf8(Some(text)), _)) => Some(text),
        _ => None,
    }
}

/// The least integer has no positive one of its type and stays as it is.
pub(super) fn abs(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let value = arguments.into_iter().next().unwrap_or_else(|| lit(0_i32));
    let data_type = value.get_type(schema)?;
    if !data_type.is_integer() {
        return Ok(call(library::math::abs(), vec![value]));
    }
    let wide = cast_to(value, &DataType::Int64, schema)?;
    explicit_cast(
        call(own::row_function("ABS_BIGINT"), vec![wide]),
        &data_type,
        schema,
    )
}

pub(super) fn ceil(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    whole_number(library::math::ceil(), arguments, schema)
}

pub(super) fn floor(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    whole_number(library::math::floor(), arguments, schema)
}

/// An integer is its own floor, and a decimal's has no digits behind the point.
fn whole_number(function: Arc<ScalarUDF>, arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let Some(argument) = arguments.first() else {
        return Ok(call(function, arguments));
    };
    match argument.get_type(schema)? {
        data_type if data_type.is_integer() => Ok(argument.clone()),
        DataType::Decimal128(_, 0) => Ok(argument.clone()),
        DataType::Decimal128(precision, scale) => {
            // The function keeps the scale, and 99.9 has a digit less than 100.0.
            let wide = DataType::Decimal128((precision + 1).min(MAX_PRECISION), scale);
            let whole = call(function, vec![cast_to(argument.clone(), &wide, schema)?]);
            explicit_cast(whole, &DataType::Decimal128(precision, 0), schema)
        }
        _ => Ok(call(function, arguments)),
    }
}

/// How a number is made shorter.
#[derive(Clone, Copy)]
enum Shortening {
    Rounded,
    CutOff,
}

pub(super) fn round(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    shortened(Shortening::Rounded, arguments, schema)
}

pub(super) fn truncate(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    shortened(Shortening::CutOff, arguments, schema)
}

fn shortened(kind: Shortening, arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let mut arguments = arguments.into_iter();
    let value = arguments.next().unwrap_or_else(|| lit(ScalarValue::Null));
    // A literal of the planner is an INT wherever it fits, whatever it was made as.
    let places = arguments.next().unwrap_or_else(|| lit(0_i32));
    let data_type = value.get_type(schema)?;
    let (of_integer, of_float) = match kind {
        Shortening::Rounded => ("ROUND_BIGINT", "ROUND_DOUBLE"),
        Shortening::CutOff => ("TRUNCATE_BIGINT", "TRUNCATE_DOUBLE"),
    };
    let (function, wide) = match &data_type {
        DataType::Decimal128(precision, scale) => {
            return shortened_decimal(kind, value, (*precision, *scale), &places, schema);
        }
        integer if integer.is_integer() => (of_integer, DataType::Int64),
        _ => (of_float, DataType::Float64),
    };
    let wide = cast_to(value, &wide, schema)?;
    let shortened = call(
        own::row_function(function),
        vec![wide, cast_to(places, &DataType::Int64, schema)?],
    );
    explicit_cast(shortened, &data_type, schema)
}

/// The digits that are left are part of the type, so that their number is a constant.
fn shortened_decimal(
    kind: Shortening,
    value: Expr,
    (precision, scale): (u8, i8),
    places: &Expr,
    schema: &DFSchema,
) -> Result<Expr> {
    let places = match places {
        Expr::Cast(cast) => cast.expr.as_ref(),
        other => other,
    };
    let places = match places {
        Expr::Literal(ScalarValue::Int64(Some(places)), _) => *places,
        Expr::Literal(ScalarValue::Int32(Some(places)), _) => i64::from(*places),
        _ => {
            let message = "the number of places of a DECIMAL must be a constant";
            return Err(misfit(message.to_owned(), &[&value]));
        }
    };
    if places >= i64::from(scale) {
        return Ok(value);
    }
    let left = i8::try_from(places.max(0)).unwrap_or(scale);
    let whole = precision.cast_signed() - scale;
    let digits = whole.saturating_add(1).saturating_add(left).cast_unsigned();
    let digits = digits.min(MAX_PRECISION);
    let rounds = i128::from(matches!(kind, Shortening::Rounded));
    let shape = lit(ScalarValue::Decimal128(Some(rounds), digits, left));
    let value = cast_to(value, &DataType::Decimal128(precision, scale), schema)?;
    let places = lit(i32::try_from(places).unwrap_or(i32::MIN));
    let arguments = vec![value, places, shape];
    Ok(call(own::decimal_shorten(), arguments))
}

/// A whole number from 0 on, below the argument.
pub(super) fn rand_integer(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let bound = arguments.into_iter().next().unwrap_or_else(|| lit(0_i32));
    let bound = cast_to(bound, &DataType::Float64, schema)?;
    let random = call(library::math::random(), Vec::new());
    let product = Expr::BinaryExpr(BinaryExpr::new(
        Box::new(random),
        Operator::Multiply,
        Box::new(bound),
    ));
    explicit_cast(product, &DataType::Int32, schema)
}

pub(super) fn modulo(mut arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    match (arguments.pop(), arguments.pop()) {
        (Some(divisor), Some(dividend)) => {
            arithmetic::typed(dividend, Operator::Modulo, divisor, schema)
        }
        _ => Ok(lit(ScalarValue::Null)),
    }
}

pub(super) fn sign(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let Some(value) = arguments.into_iter().next() else {
        return Ok(lit(ScalarValue::Null));
    };
    let data_type = match value.get_type(schema)? {
        // A decimal without whole digits has no 1.
        DataType::Decimal128(precision, scale) if precision == scale.unsigned_abs() => {
            let scale = scale.min(MAX_PRECISION.cast_signed() - 1);
            DataType::Decimal128(scale.unsigned_abs() + 1, scale)
        }
        other => other,
    };
    let float = cast_to(value, &DataType::Float64, schema)?;
    let sign = call(library::math::signum(), vec![float]);
    explicit_cast(sign, &data_type, schema)
}

pub(super) fn coalesce(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let arguments = unified(arguments, schema, "the arguments of COALESCE")?;
    Ok(call(library::core::coalesce(), arguments))
}

pub(super) fn choose(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let mut arguments = arguments.into_iter();
    let condition = arguments.next().unwrap_or_else(|| lit(false));
    let data_type = condition.get_type(schema)?;
    if !matches!(data_type, DataType::Boolean | DataType::Null) {
        let message = format!("IF needs BOOLEAN first, not {}", type_name(&data_type));
        return Err(misfit(message, &[&condition]));
    }
    let mut branches = unified(arguments.collect(), schema, "the branches of IF")?.into_iter();
    let yes = branches.next().unwrap_or_else(|| lit(ScalarValue::Null));
    Ok(Expr::Case(Case {
        expr: None,
        when_then_expr: vec![(Box::new(condition), Box::new(yes))],
        else_expr: branches.next().map(Box::new),
    }))
}

/// The name of the argument's type, as a text.
pub(super) fn type_of_argument(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let argument = arguments.into_iter().next();
    let argument = argument.unwrap_or_else(|| lit(ScalarValue::Null));
    let (_, field) = argument.to_field(schema)?;
    Ok(lit(column_type_name(&field)))
}

/// A call whose second argument is a path into JSON, which is checked if it is written out.
pub(super) fn with_json_path(name: &str, arguments: Vec<Expr>) -> Result<Expr> {
    match text_of(arguments.get(1)).map(own::check_json_path) {
        Some(Err(message)) => Err(misfit(message, &arguments.iter().collect::<Vec<_>>())),
        _ => Ok(call(own::row_function(name), arguments)),
    }
}

//! Functions of Flink that become other expressions, for their types or their
//! meaning.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion_expr::expr::{BinaryExpr, Case, ScalarFunction};
use datafusion_expr::{Expr, ExprSchemable, Operator, ScalarUDF, lit};
use datafusion_functions as library;
use datafusion_functions::regex::regexp_like;

use super::arithmetic;
use super::conversion::{cast_to, explicit_cast, try_cast};
use super::data_type::MAX_PRECISION;
use super::time_zone::TimeZone;
use super::typing::{misfit, retype_binary, unified};
use crate::expr::functions as own;
use crate::plan::type_name;

/// A call of a function that the library or `expr/` has.
pub(super) fn call(function: Arc<ScalarUDF>, arguments: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(function, arguments))
}

pub(super) fn extract(arguments: Vec<Expr>, _schema: &DFSchema) -> Result<Expr> {
    if let Some(Expr::Literal(ScalarValue::Utf8(Some(field)), _)) = arguments.first()
        && !own::is_extract_field(field)
    {
        let message = format!("EXTRACT does not know the field {field}");
        return Err(misfit(message, &arguments.iter().collect::<Vec<_>>()));
    }
    Ok(call(own::extract(), arguments))
}

pub(super) fn part(field: &str, arguments: Vec<Expr>) -> Expr {
    let mut all = vec![lit(field)];
    all.extend(arguments);
    call(own::extract(), all)
}

pub(super) fn locate(mut arguments: Vec<Expr>) -> Expr {
    arguments.reverse();
    call(library::unicode::strpos(), arguments)
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

pub(super) fn regexp(arguments: Vec<Expr>, _schema: &DFSchema) -> Result<Expr> {
    check_regex(&arguments)?;
    Ok(call(regexp_like(), arguments))
}

pub(super) fn regexp_replace(arguments: Vec<Expr>, _schema: &DFSchema) -> Result<Expr> {
    check_regex(&arguments)?;
    Ok(call(own::regexp_replace(), arguments))
}

/// A regular expression that is written out, the second argument, is tried now:
/// a wrong one would fail for each row.
fn check_regex(arguments: &[Expr]) -> Result<()> {
    match text_of(arguments.get(1)).map(own::check_regex) {
        Some(Err(message)) => Err(misfit(message, &arguments.iter().collect::<Vec<_>>())),
        _ => Ok(()),
    }
}

pub(super) fn date_format(arguments: Vec<Expr>, _schema: &DFSchema) -> Result<Expr> {
    match text_of(arguments.get(1)).map(own::check_date_pattern) {
        Some(Err(message)) => Err(misfit(message, &arguments.iter().collect::<Vec<_>>())),
        _ => Ok(call(own::date_format(), arguments)),
    }
}

/// The text of an argument that is written out.
fn text_of(argument: Option<&Expr>) -> Option<&str> {
    match argument {
        Some(Expr::Literal(ScalarValue::Utf8(Some(text)), _)) => Some(text),
        _ => None,
    }
}

pub(super) fn regexp_extract(mut arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    check_regex(&arguments)?;
    if arguments.len() == 2 {
        arguments.push(lit(0_i32));
    }
    if let Some(group) = arguments.pop() {
        arguments.push(cast_to(group, &DataType::Int32, schema)?);
    }
    Ok(call(own::regexp_extract(), arguments))
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

pub(super) fn round(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let (Some(value), places) = (arguments.first(), arguments.get(1)) else {
        return Ok(call(library::math::round(), arguments));
    };
    let data_type = value.get_type(schema)?;
    if data_type.is_floating() {
        return Ok(call(library::math::round(), arguments));
    }
    let places = match places {
        None => 0,
        Some(Expr::Literal(ScalarValue::Int64(Some(places)), _)) => *places,
        Some(Expr::Cast(cast)) => match cast.expr.as_ref() {
            Expr::Literal(ScalarValue::Int32(Some(places)), _) => i64::from(*places),
            _ => i64::MIN,
        },
        Some(_) => i64::MIN,
    };
    match (data_type, i8::try_from(places)) {
        (_, Ok(places)) if places < 0 => Err(unconstant_round(value)),
        (data_type, Ok(_)) if data_type.is_integer() => Ok(value.clone()),
        (DataType::Decimal128(precision, scale), Ok(places)) if places < scale => {
            let whole = precision.cast_signed() - scale;
            let digits = whole.saturating_add(1).saturating_add(places).min(38);
            let rounded = DataType::Decimal128(digits.cast_unsigned(), places);
            explicit_cast(value.clone(), &rounded, schema)
        }
        (DataType::Decimal128(_, _), Ok(_)) => Ok(value.clone()),
        _ => Err(unconstant_round(value)),
    }
}

fn unconstant_round(value: &Expr) -> DataFusionError {
    let message = "ROUND of an exact number needs a constant number of places from 0 on";
    misfit(message.to_owned(), &[value])
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

pub(super) fn proctime(arguments: Vec<Expr>, zone: &TimeZone) -> Expr {
    call(
        own::proctime(zone.instants(TimeUnit::Millisecond)),
        arguments,
    )
}

/// A text that is no timestamp becomes null.
pub(super) fn to_timestamp(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let data_type = DataType::Timestamp(TimeUnit::Millisecond, None);
    parsed(arguments, &data_type, schema)
}

pub(super) fn to_date(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    parsed(arguments, &DataType::Date32, schema)
}

fn parsed(arguments: Vec<Expr>, data_type: &DataType, schema: &DFSchema) -> Result<Expr> {
    match arguments.into_iter().next() {
        Some(text) => try_cast(text, data_type, schema),
        None => Ok(lit(ScalarValue::try_from(data_type)?)),
    }
}

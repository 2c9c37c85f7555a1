//! The types of `+ - * / %`, as Flink has them.

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::expr::{BinaryExpr, ScalarFunction};
use datafusion_expr::{Expr, Operator, lit};

use super::conversion::{cast_to, common_type, decimal_of_integer, explicit_cast, type_of};
use super::data_type::MAX_PRECISION;
use super::typing::misfit;
use crate::expr::functions::{decimal_divide, decimal_multiply};
use crate::plan::type_name;

/// The digits behind the point that a result keeps when its digits run out.
const MIN_SCALE: i16 = 6;

/// `left op right` of Flink's type.
///
/// # Errors
/// If there is no such operation on these types.
pub(super) fn typed(left: Expr, op: Operator, right: Expr, schema: &DFSchema) -> Result<Expr> {
    let (left_type, right_type) = (type_of(&left, schema)?, type_of(&right, schema)?);
    match (&left_type, &right_type) {
        (DataType::Null, DataType::Null) => Ok(lit(ScalarValue::Null)),
        (DataType::Null, other) if other.is_numeric() => {
            let left = cast_to(left, other, schema)?;
            typed(left, op, right, schema)
        }
        (other, DataType::Null) if other.is_numeric() => {
            let right = cast_to(right, other, schema)?;
            typed(left, op, right, schema)
        }
        (l, r) if is_decimal(l) && is_exact(r) || is_exact(l) && is_decimal(r) => {
            decimal(left, op, right, schema)
        }
        (l, r) if l.is_numeric() && r.is_numeric() => numeric(left, op, right, schema),
        (l, r) if is_time_arithmetic(l, op, r) => {
            let shown = [l, r]
                .into_iter()
                .find(|side| is_shown_elsewhere(side))
                .cloned();
            let Some(instant) = shown else {
                return Ok(binary(left, op, right));
            };
            // A day of an instant has 24 hours and its months are those of UTC, whatever
            // the clock of its zone shows.
            let left = in_utc(left, schema)?;
            let right = in_utc(right, schema)?;
            cast_to(binary(left, op, right), &instant, schema)
        }
        (l, r) => Err(misfit(
            format!("cannot compute {} {op} {}", type_name(l), type_name(r)),
            &[&left, &right],
        )),
    }
}

/// Whether it is an instant of another zone than UTC.
fn is_shown_elsewhere(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, Some(zone)) if zone.as_ref() != "UTC")
}

fn in_utc(side: Expr, schema: &DFSchema) -> Result<Expr> {
    match type_of(&side, schema)? {
        DataType::Timestamp(unit, Some(_)) => {
            cast_to(side, &DataType::Timestamp(unit, Some("UTC".into())), schema)
        }
        _ => Ok(side),
    }
}

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(_, _))
}

fn is_exact(data_type: &DataType) -> bool {
    is_decimal(data_type) || data_type.is_integer()
}

fn numeric(left: Expr, op: Operator, right: Expr, schema: &DFSchema) -> Result<Expr> {
    let (left_type, right_type) = (type_of(&left, schema)?, type_of(&right, schema)?);
    let common = common_type(&left_type, &right_type).ok_or_else(|| {
        let (l, r) = (type_name(&left_type), type_name(&right_type));
        misfit(format!("cannot compute {l} {op} {r}"), &[&left, &right])
    })?;
    let left = cast_to(left, &common, schema)?;
    let right = cast_to(right, &common, schema)?;
    let result = binary(left, op, right);
    // A remainder is smaller than the divisor and has its type.
    if op == Operator::Modulo && common.is_integer() {
        return explicit_cast(result, &right_type, schema);
    }
    Ok(result)
}

fn decimal(left: Expr, op: Operator, right: Expr, schema: &DFSchema) -> Result<Expr> {
    let (p1, s1) = digits(&type_of(&left, schema)?);
    let (p2, s2) = digits(&type_of(&right, schema)?);
    let (precision, scale) = match op {
        Operator::Multiply => (p1 + p2 + 1, s1 + s2),
        Operator::Divide => {
            let scale = MIN_SCALE.max(s1 + p2 + 1);
            (p1 - s1 + s2 + scale, scale)
        }
        Operator::Modulo => {
            let scale = s1.max(s2);
            ((p1 - s1).min(p2 - s2) + scale, scale)
        }
        _ => {
            let scale = s1.max(s2);
            ((p1 - s1).max(p2 - s2) + scale + 1, scale)
        }
    };
    let result_type = fitted(precision, scale);
    let left = cast_to(left, &decimal_type(p1, s1), schema)?;
    let right = cast_to(right, &decimal_type(p2, s2), schema)?;
    if op == Operator::Divide {
        return divide(left, right, &result_type);
    }
    if op == Operator::Multiply && precision > i16::from(MAX_PRECISION) {
        let shape = lit(ScalarValue::new_zero(&result_type)?);
        let arguments = vec![left, right, shape];
        let product = ScalarFunction::new_udf(decimal_multiply(), arguments);
        return Ok(Expr::ScalarFunction(product));
    }
    explicit_cast(binary(left, op, right), &result_type, schema)
}

/// `left / right` rounded half up to `result`, which is a decimal.
///
/// # Errors
/// If `result` is no decimal.
pub(super) fn divide(left: Expr, right: Expr, result: &DataType) -> Result<Expr> {
    // Zero, not null: its text shows the digits, and texts tell plans apart.
    let shape = lit(ScalarValue::new_zero(result)?);
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(
        decimal_divide(),
        vec![left, right, shape],
    )))
}

/// The digits of a decimal, or of the decimal that holds all values of an integer.
fn digits(data_type: &DataType) -> (i16, i16) {
    let decimal = decimal_of_integer(data_type);
    match decimal.as_ref().unwrap_or(data_type) {
        DataType::Decimal128(precision, scale) => (i16::from(*precision), i16::from(*scale)),
        _ => (i16::from(MAX_PRECISION), 0),
    }
}

/// Drops digits behind the point, but not the last [`MIN_SCALE`], until it fits.
fn fitted(precision: i16, scale: i16) -> DataType {
    let most = i16::from(MAX_PRECISION);
    if precision <= most {
        return decimal_type(precision, scale);
    }
    let whole = precision - scale;
    decimal_type(most, (most - whole).max(scale.min(MIN_SCALE)))
}

fn decimal_type(precision: i16, scale: i16) -> DataType {
    DataType::Decimal128(
        u8::try_from(precision).unwrap_or(MAX_PRECISION),
        i8::try_from(scale).unwrap_or(0),
    )
}

fn is_time_arithmetic(left: &DataType, op: Operator, right: &DataType) -> bool {
    let is_interval = |data_type: &DataType| matches!(data_type, DataType::Interval(_));
    let is_time =
        |data_type: &DataType| matches!(data_type, DataType::Timestamp(..) | DataType::Date32);
    match op {
        Operator::Plus => {
            (is_time(left) || is_interval(left)) && is_interval(right)
                || is_interval(left) && is_time(right)
        }
        Operator::Minus => (is_time(left) || is_interval(left)) && is_interval(right),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_behind_the_point_are_dropped_first() {
        for ((precision, scale), expected) in [
            ((10, 2), (10, 2)),
            ((38, 38), (38, 38)),
            ((40, 10), (38, 8)),
            ((60, 10), (38, 6)),
            ((50, 3), (38, 3)),
        ] {
            let (precision_max, scale_max) = expected;
            let expected = DataType::Decimal128(precision_max, scale_max);
            assert_eq!(fitted(precision, scale), expected, "{precision}, {scale}");
        }
    }
}

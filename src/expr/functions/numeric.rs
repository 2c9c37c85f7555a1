//! Division of decimals, and narrowing of integers that wraps around.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, Decimal128Array, PrimitiveArray};
use arrow::datatypes::{DataType, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type, i256};
use datafusion_common::{DataFusionError, Result, exec_err, internal_err};
use datafusion_expr::ScalarUDF;

use super::kernel::Kernel;

/// `DIVIDE(dividend, divisor, shape)`: the quotient of two decimals, rounded
/// half away from zero to the type of `shape`, whose value is not looked at. A
/// quotient with too many digits is null, as in Flink; a division by zero is an
/// error.
pub fn decimal_divide() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "DIVIDE",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |arguments| arguments.get(2).cloned().unwrap_or(DataType::Null),
            evaluate: divide,
        }
        .function()
    });
    Arc::clone(&FUNCTION)
}

/// The lowest bits of a `BIGINT` as `data_type`, a narrower integer, as Java's
/// casts have it: a `SUM` of `INT` wraps around. `None` for another type.
pub fn narrow(data_type: &DataType) -> Option<Arc<ScalarUDF>> {
    static FUNCTIONS: LazyLock<[Arc<ScalarUDF>; 3]> = LazyLock::new(|| {
        [
            narrowing("TO_TINYINT", |_| DataType::Int8),
            narrowing("TO_SMALLINT", |_| DataType::Int16),
            narrowing("TO_INT", |_| DataType::Int32),
        ]
    });
    let [tiny, small, int] = &*FUNCTIONS;
    match data_type {
        DataType::Int8 => Some(Arc::clone(tiny)),
        DataType::Int16 => Some(Arc::clone(small)),
        DataType::Int32 => Some(Arc::clone(int)),
        _ => None,
    }
}

fn narrowing(name: &'static str, result: fn(&[DataType]) -> DataType) -> Arc<ScalarUDF> {
    Kernel {
        name,
        accept: |arguments| Ok(arguments.to_vec()),
        result,
        evaluate: lowest_bits,
    }
    .function()
}

fn divide(arguments: &[ArrayRef], result: &DataType) -> Result<ArrayRef> {
    let (Some(dividend), Some(divisor), DataType::Decimal128(precision, scale)) = (
        arguments.first().and_then(as_decimal),
        arguments.get(1).and_then(as_decimal),
        result,
    ) else {
        return internal_err!("DIVIDE is planned for decimals only");
    };
    // dividend · 10^shift / divisor has the scale of the result.
    let shift = i32::from(*scale) - i32::from(dividend.scale()) + i32::from(divisor.scale());
    let limit = 10_i128.pow(u32::from(*precision));
    let mut quotients = Vec::with_capacity(dividend.len());
    for (left, right) in dividend.iter().zip(divisor.iter()) {
        quotients.push(match (left, right) {
            (Some(_), Some(0)) => return exec_err!("division by zero"),
            (Some(left), Some(right)) => {
                quotient(left, right, shift).filter(|value| value.abs() < limit)
            }
            _ => None,
        });
    }
    let quotients = Decimal128Array::from(quotients);
    Ok(Arc::new(
        quotients.with_precision_and_scale(*precision, *scale)?,
    ))
}

fn as_decimal(array: &ArrayRef) -> Option<&Decimal128Array> {
    array.as_primitive_opt::<Decimal128Type>()
}

/// `left · 10^shift / right`, rounded half away from zero, if it has at most 128 bits.
fn quotient(left: i128, right: i128, shift: i32) -> Option<i128> {
    let ten_to = |exponent: i32| i256::from_i128(10).checked_pow(exponent.unsigned_abs());
    let (mut dividend, mut divisor) = (i256::from_i128(left), i256::from_i128(right));
    if shift >= 0 {
        dividend = dividend.checked_mul(ten_to(shift)?)?;
    } else {
        divisor = divisor.checked_mul(ten_to(shift)?)?;
    }
    let quotient = dividend.checked_div(divisor)?;
    let rest = dividend.checked_rem(divisor)?;
    let twice = rest.wrapping_abs().checked_mul(i256::from_i128(2))?;
    let away = if twice < divisor.wrapping_abs() {
        i256::ZERO
    } else if (left < 0) == (right < 0) {
        i256::ONE
    } else {
        i256::MINUS_ONE
    };
    quotient.checked_add(away)?.to_i128()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the lowest bits are what is asked for"
)]
fn lowest_bits(arguments: &[ArrayRef], result: &DataType) -> Result<ArrayRef> {
    let values = arguments
        .first()
        .and_then(|array| array.as_primitive_opt::<Int64Type>())
        .ok_or_else(|| DataFusionError::Internal("only a BIGINT is narrowed".into()))?;
    Ok(match result {
        DataType::Int8 => {
            let narrowed: PrimitiveArray<Int8Type> = values.unary(|value| value as i8);
            Arc::new(narrowed)
        }
        DataType::Int16 => {
            let narrowed: PrimitiveArray<Int16Type> = values.unary(|value| value as i16);
            Arc::new(narrowed)
        }
        DataType::Int32 => {
            let narrowed: PrimitiveArray<Int32Type> = values.unary(|value| value as i32);
            Arc::new(narrowed)
        }
        _ => return internal_err!("a BIGINT is narrowed to a narrower integer"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_are_rounded_half_away_from_zero() {
        for (left, right, shift, expected) in [
            (1, 3, 2, Some(33)),
            (2, 3, 2, Some(67)),
            (-2, 3, 2, Some(-67)),
            (2, -3, 2, Some(-67)),
            (-1, -2, 0, Some(1)),
            (1, 2, 0, Some(1)),
            (149, 1, -2, Some(1)),
            (150, 1, -2, Some(2)),
            (i128::MAX, 1, 30, None),
        ] {
            assert_eq!(quotient(left, right, shift), expected, "{left}/{right}");
        }
    }
}

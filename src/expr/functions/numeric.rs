//! Products and quotients of decimals, and casts to integers that never fail.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, PrimitiveArray};
use arrow::datatypes::{
    DataType, Decimal128Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, i256,
};
use datafusion_common::{Result, exec_err, internal_err};
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

/// `MULTIPLY(left, right, shape)`: as [`decimal_divide`], the product.
pub fn decimal_multiply() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "MULTIPLY",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |arguments| arguments.get(2).cloned().unwrap_or(DataType::Null),
            evaluate: multiply,
        }
        .function()
    });
    Arc::clone(&FUNCTION)
}

/// `SHORTEN(value, places, shape)`: a decimal cut off behind so many digits behind the
/// point (before it, if the number is negative), as the type of `shape`. `places` and
/// `shape` are constants, and the value of `shape` says whether it is rounded half away
/// from zero (1) or cut off (0). What has too many digits is null.
pub fn decimal_shorten() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "SHORTEN",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |arguments| arguments.get(2).cloned().unwrap_or(DataType::Null),
            evaluate: shorten,
        }
        .function()
    });
    Arc::clone(&FUNCTION)
}

/// A `BIGINT` or `DOUBLE` as an integer of type `data_type`, as Java's casts have
/// it: the lowest bits of a `BIGINT`, so that a `SUM` of `INT` wraps around, and
/// the nearest integer towards zero of a `DOUBLE`. `None` for another type.
pub fn narrow(data_type: &DataType) -> Option<Arc<ScalarUDF>> {
    static FUNCTIONS: LazyLock<[Arc<ScalarUDF>; 4]> = LazyLock::new(|| {
        [
            narrowing("TO_TINYINT", |_| DataType::Int8),
            narrowing("TO_SMALLINT", |_| DataType::Int16),
            narrowing("TO_INT", |_| DataType::Int32),
            narrowing("TO_BIGINT", |_| DataType::Int64),
        ]
    });
    let [tiny, small, int, big] = &*FUNCTIONS;
    match data_type {
        DataType::Int8 => Some(Arc::clone(tiny)),
        DataType::Int16 => Some(Arc::clone(small)),
        DataType::Int32 => Some(Arc::clone(int)),
        DataType::Int64 => Some(Arc::clone(big)),
        _ => None,
    }
}

fn narrowing(name: &'static str, result: fn(&[DataType]) -> DataType) -> Arc<ScalarUDF> {
    Kernel {
        name,
        accept: |arguments| Ok(arguments.to_vec()),
        result,
        evaluate: to_integer,
    }
    .strict_function()
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

fn multiply(arguments: &[ArrayRef], result: &DataType) -> Result<ArrayRef> {
    let (Some(left), Some(right), DataType::Decimal128(precision, scale)) = (
        arguments.first().and_then(as_decimal),
        arguments.get(1).and_then(as_decimal),
        result,
    ) else {
        return internal_err!("MULTIPLY is planned for decimals only");
    };
    let shift = i32::from(*scale) - i32::from(left.scale()) - i32::from(right.scale());
    let limit = 10_i128.pow(u32::from(*precision));
    let products = left.iter().zip(right.iter()).map(|(left, right)| {
        // Two factors of 38 digits have a product of at most 253 bits.
        let product = i256::from_i128(left?).checked_mul(i256::from_i128(right?))?;
        scaled_quotient(product, i256::ONE, shift).filter(|value| value.abs() < limit)
    });
    let products: Decimal128Array = products.collect();
    Ok(Arc::new(
        products.with_precision_and_scale(*precision, *scale)?,
    ))
}

fn shorten(arguments: &[ArrayRef], result: &DataType) -> Result<ArrayRef> {
    let (Some(values), Some(places), Some(shape), DataType::Decimal128(precision, scale)) = (
        arguments.first().and_then(as_decimal),
        arguments
            .get(1)
            .and_then(|places| places.as_primitive_opt::<Int32Type>()),
        arguments.get(2).and_then(as_decimal),
        result,
    ) else {
        return internal_err!("SHORTEN is planned for a decimal and constants");
    };
    let limit = 10_i128.pow(u32::from(*precision));
    let own_scale = i64::from(values.scale());
    let rows = values.iter().zip(places.iter()).zip(shape.iter());
    let shortened = rows.map(|((value, places), rounds)| {
        let (value, places) = (value?, i64::from(places?));
        // No decimal has more digits than 38.
        let dropped = u32::try_from(own_scale.saturating_sub(places).clamp(0, 38)).ok()?;
        let unit = 10_i128.checked_pow(dropped)?;
        let rest = value % unit;
        let is_half = rounds? != 0 && rest.abs() >= unit - rest.abs();
        let whole = value - rest + if is_half { unit * rest.signum() } else { 0 };
        let shift = i32::from(*scale) - i32::from(values.scale());
        let shortened = quotient(whole, 1, shift)?;
        (shortened.abs() < limit).then_some(shortened)
    });
    let shortened: Decimal128Array = shortened.collect();
    Ok(Arc::new(
        shortened.with_precision_and_scale(*precision, *scale)?,
    ))
}

fn quotient(left: i128, right: i128, shift: i32) -> Option<i128> {
    scaled_quotient(i256::from_i128(left), i256::from_i128(right), shift)
}

/// `dividend · 10^shift / divisor`, rounded half away from zero, if it has at most
/// 128 bits.
fn scaled_quotient(mut dividend: i256, mut divisor: i256, shift: i32) -> Option<i128> {
    let is_negative = dividend.is_negative() != divisor.is_negative();
    let ten_to = |exponent: i32| i256::from_i128(10).checked_pow(exponent.unsigned_abs());
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
    } else if is_negative {
        i256::MINUS_ONE
    } else {
        i256::ONE
    };
    quotient.checked_add(away)?.to_i128()
}

fn to_integer(arguments: &[ArrayRef], result: &DataType) -> Result<ArrayRef> {
    let Some(values) = arguments.first() else {
        return internal_err!("a cast to an integer is planned with an argument");
    };
    if let Some(values) = values.as_primitive_opt::<Int64Type>() {
        return lowest_bits(values, result);
    }
    let Some(values) = values.as_primitive_opt::<Float64Type>() else {
        return internal_err!("only a BIGINT or a DOUBLE is cast to an integer here");
    };
    nearest_to_zero(values, result)
}

/// Like Java, by way of `INT` to the types that are narrower still.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast of a float ends at the bounds of the integer, and the rest is Java's"
)]
fn nearest_to_zero(values: &Float64Array, result: &DataType) -> Result<ArrayRef> {
    Ok(match result {
        DataType::Int8 => {
            let integers: PrimitiveArray<Int8Type> = values.unary(|value| value as i32 as i8);
            Arc::new(integers)
        }
        DataType::Int16 => {
            let integers: PrimitiveArray<Int16Type> = values.unary(|value| value as i32 as i16);
            Arc::new(integers)
        }
        DataType::Int32 => {
            let integers: PrimitiveArray<Int32Type> = values.unary(|value| value as i32);
            Arc::new(integers)
        }
        DataType::Int64 => {
            let integers: PrimitiveArray<Int64Type> = values.unary(|value| value as i64);
            Arc::new(integers)
        }
        _ => return internal_err!("a DOUBLE is cast to an integer"),
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the lowest bits are what is asked for"
)]
fn lowest_bits(values: &Int64Array, result: &DataType) -> Result<ArrayRef> {
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
    use proptest::prelude::*;

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

    proptest! {
        /// No other quotient is nearer.
        #[test]
        fn quotients_are_the_nearest(
            left in -(1_i128 << 60)..1 << 60,
            right in prop_oneof![-(1_i128 << 60)..0, 1_i128..1 << 60],
            shift in 0_i32..12,
        ) {
            let quotient = quotient(left, right, shift).unwrap();
            let rest = left * 10_i128.pow(shift.unsigned_abs()) - quotient * right;
            prop_assert!(2 * rest.abs() <= right.abs());
        }
    }
}

//! Dates and times as microseconds, and back. A cast of SQL does not lead from one to the other.

use std::sync::{Arc, LazyLock};

use arrow::array::AsArray;
use arrow::array::{ArrayRef, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use datafusion_common::{Result, internal_err};
use datafusion_expr::ScalarUDF;

use super::kernel::Kernel;

/// `MICROS(moment)`: microseconds since 1970, or since midnight of a `TIME`.
pub fn micros_of() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "MICROS",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |_| DataType::Int64,
            evaluate: |arguments, _| {
                let [moments] = arguments else {
                    return internal_err!("MICROS is planned with one argument");
                };
                let wide = wide(moments.data_type());
                Ok(cast(&cast(moments, &wide)?, &DataType::Int64)?)
            },
        }
        .strict_function()
    });
    Arc::clone(&FUNCTION)
}

/// `MOMENT(micros, shape)`: the value of the type of `shape`, whose value is not looked
/// at. A time behind midnight is one of the next day.
pub fn moment_of() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "MOMENT",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |arguments| arguments.last().cloned().unwrap_or(DataType::Null),
            evaluate: |arguments, result| {
                let [micros, _] = arguments else {
                    return internal_err!("MOMENT is planned with two arguments");
                };
                moments(micros, result)
            },
        }
        .function()
    });
    Arc::clone(&FUNCTION)
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

fn moments(micros: &ArrayRef, result: &DataType) -> Result<ArrayRef> {
    let wide = wide(result);
    if !matches!(wide, DataType::Time64(_)) {
        return Ok(cast(&cast(micros, &wide)?, result)?);
    }
    let of_day: Int64Array = micros
        .as_primitive::<Int64Type>()
        .unary(|micros| micros.rem_euclid(MICROS_PER_DAY));
    Ok(cast(&cast(&of_day, &wide)?, result)?)
}

/// The type of microseconds that a type is cast through.
fn wide(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        _ => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}

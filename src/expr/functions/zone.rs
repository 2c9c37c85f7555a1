//! Instants and local times: what a clock on the wall of a time zone shows, and when it does.
//!
//! An instant is a timestamp whose type names the zone in which it is shown; its
//! value counts from 1970 in UTC, as that of a local time does in no zone.

use std::sync::{Arc, LazyLock};

use arrow::array::timezone::Tz;
use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use datafusion_common::{Result, exec_err, internal_err};
use datafusion_expr::ScalarUDF;

use super::kernel::Kernel;
use crate::formats::{instant_seconds, local_seconds};

/// `LOCAL_TIME(instant)`: what the clock of the instant's zone shows, as a `TIMESTAMP`.
pub fn local_time() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "LOCAL_TIME",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |arguments| match arguments {
                [DataType::Timestamp(unit, _)] => DataType::Timestamp(*unit, None),
                _ => DataType::Null,
            },
            evaluate: |arguments, result| {
                let [instants] = arguments else {
                    return internal_err!("LOCAL_TIME is planned with one argument");
                };
                shifted(instants, instants.data_type(), result, local_seconds)
            },
        }
        .strict_function()
    });
    Arc::clone(&FUNCTION)
}

/// `INSTANT(local, shape)`: when the clock of the zone that the type of `shape` names shows
/// a local time. Where it shows it twice the first time counts; where it skips it, as much
/// later as the clock was put forward. That is what Java's `LocalDateTime.atZone` does.
pub fn instant() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "INSTANT",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |arguments| arguments.last().cloned().unwrap_or(DataType::Null),
            evaluate: |arguments, result| {
                let [locals, _] = arguments else {
                    return internal_err!("INSTANT is planned with two arguments");
                };
                shifted(locals, result, result, instant_seconds)
            },
        }
        .strict_function()
    });
    Arc::clone(&FUNCTION)
}

/// The timestamps with their whole seconds changed by the zone that `zoned` names; their
/// unit is that of `result`.
fn shifted(
    times: &ArrayRef,
    zoned: &DataType,
    result: &DataType,
    shift: fn(i64, Tz) -> Option<i64>,
) -> Result<ArrayRef> {
    let DataType::Timestamp(unit, Some(zone)) = zoned else {
        return internal_err!("a time zone is planned for an instant");
    };
    let numbers = cast(times, &DataType::Int64)?;
    if zone.as_ref() == "UTC" {
        return Ok(cast(&numbers, result)?);
    }
    let zone: Tz = zone.parse()?;
    let per_second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let one = |time: i64| {
        let seconds = time.div_euclid(per_second);
        let by = shift(seconds, zone)? - seconds;
        time.checked_add(by.checked_mul(per_second)?)
    };
    let mut moved = Vec::with_capacity(numbers.len());
    for time in numbers.as_primitive::<Int64Type>() {
        match time.map(one) {
            None => moved.push(None),
            Some(Some(time)) => moved.push(Some(time)),
            Some(None) => return exec_err!("a timestamp is too far from now for a time zone"),
        }
    }
    let moved: ArrayRef = Arc::new(Int64Array::from(moved));
    Ok(cast(&moved, result)?)
}

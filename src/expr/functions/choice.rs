//! `GREATEST` and `LEAST`, which are null if an argument is, and `BETWEEN SYMMETRIC`.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::kernels::cmp::{gt_eq, lt_eq};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{and_kleene, is_null, or, or_kleene};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion_common::{Result, internal_err};
use datafusion_expr::ScalarUDF;

use super::kernel::Kernel;

/// `GREATEST(a, b, …)` of arguments of one type.
pub fn greatest() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "GREATEST",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |arguments| arguments.first().cloned().unwrap_or(DataType::Null),
            evaluate: |arguments, _| fold(arguments, |left, right| gt_eq(left, right)),
        }
        .function()
    });
    Arc::clone(&FUNCTION)
}

/// `LEAST(a, b, …)` of arguments of one type.
pub fn least() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "LEAST",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |arguments| arguments.first().cloned().unwrap_or(DataType::Null),
            evaluate: |arguments, _| fold(arguments, |left, right| lt_eq(left, right)),
        }
        .function()
    });
    Arc::clone(&FUNCTION)
}

/// `BETWEEN_SYMMETRIC(value, bound, bound)` of arguments of one type: whether the value
/// lies between the bounds, in either order.
pub fn between_symmetric() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "BETWEEN_SYMMETRIC",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |_| DataType::Boolean,
            evaluate: |arguments, _| {
                let [value, first, second] = arguments else {
                    return internal_err!("BETWEEN_SYMMETRIC is planned with three arguments");
                };
                let rising = and_kleene(&gt_eq(value, first)?, &lt_eq(value, second)?)?;
                let falling = and_kleene(&gt_eq(value, second)?, &lt_eq(value, first)?)?;
                Ok(Arc::new(or_kleene(&rising, &falling)?))
            },
        }
        .function()
    });
    Arc::clone(&FUNCTION)
}

fn fold(
    arguments: &[ArrayRef],
    keeps_left: fn(&ArrayRef, &ArrayRef) -> Result<BooleanArray, ArrowError>,
) -> Result<ArrayRef> {
    let Some((first, rest)) = arguments.split_first() else {
        return internal_err!("a choice is planned with arguments");
    };
    let mut chosen = Arc::clone(first);
    for other in rest {
        // A null on the left is kept; `zip` takes the right side, null or not,
        // where the comparison is null because of the right.
        let left_is_null = is_null(&chosen)?;
        let compared = keeps_left(&chosen, other)?;
        let known = BooleanArray::new(compared.values().clone(), None);
        let valid = compared.nulls().map_or_else(
            || known.clone(),
            |nulls| BooleanArray::new(compared.values() & nulls.inner(), None),
        );
        chosen = zip(&or(&left_is_null, &valid)?, &chosen, other)?;
    }
    Ok(chosen)
}

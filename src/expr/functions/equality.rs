//! Whether rows and arrays are equal: all their parts are, and nulls among these are equal.

use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, make_comparator};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::SortOptions;
use arrow::datatypes::DataType;
use datafusion_common::{Result, internal_err};
use datafusion_expr::ScalarUDF;

use super::kernel::Kernel;

/// `EQUALS(a, b)`: null if one of the two is null.
pub fn equals() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "EQUALS",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |_| DataType::Boolean,
            evaluate: |arguments, _| {
                let [left, right] = arguments else {
                    return internal_err!("EQUALS is planned with two arguments");
                };
                let nulls = NullBuffer::union(left.nulls(), right.nulls());
                Ok(Arc::new(BooleanArray::new(same(left, right)?, nulls)))
            },
        }
        .function()
    });
    Arc::clone(&FUNCTION)
}

/// `IS_SAME(a, b)`: nulls are the same, and the result is never null.
pub fn is_same() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "IS_SAME",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |_| DataType::Boolean,
            evaluate: |arguments, _| {
                let [left, right] = arguments else {
                    return internal_err!("IS_SAME is planned with two arguments");
                };
                Ok(Arc::new(BooleanArray::new(same(left, right)?, None)))
            },
        }
        .function()
    });
    Arc::clone(&FUNCTION)
}

/// Which values are the same. Fields of rows go by their places, whatever they are called.
fn same(left: &ArrayRef, right: &ArrayRef) -> Result<BooleanBuffer> {
    let (Some(rows), Some(others)) = (left.as_struct_opt(), right.as_struct_opt()) else {
        let compare = make_comparator(left, right, SortOptions::default())?;
        let is_same = |row| compare(row, row) == Ordering::Equal;
        return Ok(BooleanBuffer::collect_bool(left.len(), is_same));
    };
    let mut fields = BooleanBuffer::new_set(left.len());
    for (field, other) in rows.columns().iter().zip(others.columns()) {
        fields = &fields & &same(field, other)?;
    }
    let is_same = |row| match (left.is_null(row), right.is_null(row)) {
        (false, false) => fields.value(row),
        (own, other) => own && other,
    };
    Ok(BooleanBuffer::collect_bool(left.len(), is_same))
}

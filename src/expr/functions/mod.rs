//! Scalar functions whose meaning in Flink is not that of the query library's.

mod arrays;
mod calendar;
mod choice;
mod clock;
mod date_text;
mod elements;
mod encodings;
mod equality;
mod floats;
mod java_regex;
mod json;
mod json_text;
mod kernel;
mod length;
mod maps;
mod micros;
mod narrowed_row;
mod nested;
mod numbered;
mod numeric;
mod printf;
mod regular;
mod row_kernel;
mod strings;
mod temporal;
mod text;
mod url;
mod zone;

pub use arrays::{
    array, array_append, array_concat, array_contains, array_distinct, array_except,
    array_intersect, array_join, array_max, array_min, array_position, array_prepend, array_remove,
    array_reverse, array_slice, array_sort, array_union, element, sum_of_squares,
};
pub use calendar::{is_calendar_part, is_calendar_unit, is_shorter_than_a_day};
pub use choice::{between_symmetric, greatest, least};
pub use clock::{PROCTIME, current_timestamp, proctime};
pub use equality::{equals, is_same};
pub use json::check_json_path;
pub use json_text::json_string;
pub use length::{pad_to, trim_to};
pub use maps::{map_entries, map_from_arrays, map_keys, map_union, map_values, places, row};
pub use micros::{micros_of, moment_of};
pub use narrowed_row::NarrowedRow;
pub use nested::{cardinality, entries, field, item};
pub use numbered::{ELEMENT, numbered};
pub use numeric::{decimal_divide, decimal_multiply, decimal_shorten, narrow};
pub use regular::{check_regex, check_similar};
pub use temporal::{
    check_date_pattern, check_read_pattern, date_format, extract, is_extract_field,
};
pub use text::{concat, substring, to_text, whole_part};
pub use zone::{instant, local_time};

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion_expr::ScalarUDF;

/// The function of this name that is computed row by row.
///
/// # Panics
/// If there is none: only the planner's tables name them.
pub fn row_function(name: &str) -> Arc<ScalarUDF> {
    static FUNCTIONS: LazyLock<HashMap<&str, Arc<ScalarUDF>>> = LazyLock::new(|| {
        let kernels = [
            strings::KERNELS.as_slice(),
            encodings::KERNELS.as_slice(),
            calendar::KERNELS.as_slice(),
            date_text::KERNELS.as_slice(),
            floats::KERNELS.as_slice(),
            json::KERNELS.as_slice(),
            json_text::KERNELS.as_slice(),
            printf::KERNELS.as_slice(),
            regular::KERNELS.as_slice(),
            url::KERNELS.as_slice(),
        ];
        let kernels = kernels.into_iter().flatten();
        kernels
            .map(|kernel| (kernel.name, kernel.function()))
            .collect()
    });
    let function = FUNCTIONS.get(name);
    Arc::clone(function.expect("the planner's tables name row functions that exist"))
}

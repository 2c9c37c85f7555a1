//! Functions of arrays, maps and rows.

use super::Form::{Call, Expand, Rewrite};
use super::Function;
use crate::expr::functions as own;
use crate::sql::rewrite_nested;

/// `ARRAY[…]`, `MAP[…]` and `ROW(…)`, called so.
pub(in crate::sql) const ARRAY: &str = "$ARRAY";
pub(in crate::sql) const MAP: &str = "$MAP";
pub(in crate::sql) const ROW: &str = "$ROW";

pub(super) static TABLE: &[Function] = &[
    Function("CARDINALITY", &["c"], Call(own::cardinality)),
    Function("ELEMENT", &["l"], Call(own::element)),
    Function(ARRAY, &["x*"], Expand(rewrite_nested::array)),
    Function(MAP, &["xx*"], Expand(rewrite_nested::map)),
    Function(ROW, &["x*"], Call(own::row)),
    Function(
        "ARRAY_APPEND",
        &["lx"],
        Expand(rewrite_nested::array_append),
    ),
    Function(
        "ARRAY_CONCAT",
        &["l*"],
        Expand(rewrite_nested::array_concat),
    ),
    Function(
        "ARRAY_CONTAINS",
        &["lx"],
        Expand(rewrite_nested::array_contains),
    ),
    Function("ARRAY_DISTINCT", &["l"], Call(own::array_distinct)),
    Function(
        "ARRAY_EXCEPT",
        &["ll"],
        Expand(rewrite_nested::array_except),
    ),
    Function(
        "ARRAY_INTERSECT",
        &["ll"],
        Expand(rewrite_nested::array_intersect),
    ),
    Function("ARRAY_JOIN", &["ls", "lss"], Call(own::array_join)),
    Function("ARRAY_MAX", &["l"], Call(own::array_max)),
    Function("ARRAY_MIN", &["l"], Call(own::array_min)),
    Function(
        "ARRAY_POSITION",
        &["lx"],
        Expand(rewrite_nested::array_position),
    ),
    Function(
        "ARRAY_PREPEND",
        &["lx"],
        Expand(rewrite_nested::array_prepend),
    ),
    Function(
        "ARRAY_REMOVE",
        &["lx"],
        Expand(rewrite_nested::array_remove),
    ),
    Function("ARRAY_REVERSE", &["l"], Call(own::array_reverse)),
    Function("ARRAY_SLICE", &["li", "lii"], Call(own::array_slice)),
    Function(
        "ARRAY_SORT",
        &["l", "lo", "loo"],
        Rewrite(rewrite_nested::array_sort),
    ),
    Function("ARRAY_UNION", &["ll"], Expand(rewrite_nested::array_union)),
    Function("MAP_ENTRIES", &["m"], Call(own::map_entries)),
    Function("MAP_FROM_ARRAYS", &["ll"], Call(own::map_from_arrays)),
    Function("MAP_KEYS", &["m"], Call(own::map_keys)),
    Function("MAP_UNION", &["m*"], Expand(rewrite_nested::map_union)),
    Function("MAP_VALUES", &["m"], Call(own::map_values)),
];

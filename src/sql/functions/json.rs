//! Functions of texts that are JSON.

use super::Form::{Call, Expand, Row};
use super::Function;
use crate::expr::functions as own;
use crate::sql::rewrite;

/// `text IS JSON kind`, called so.
pub(in crate::sql) const IS_JSON: &str = "$IS_JSON";

pub(super) static TABLE: &[Function] = &[
    Function(IS_JSON, &["ss"], Call(|| own::row_function("IS_JSON"))),
    Function(
        "JSON_EXISTS",
        &["ss"],
        Expand(|arguments, _| rewrite::with_json_path("JSON_EXISTS", arguments)),
    ),
    Function(
        "JSON_QUERY",
        &["ss"],
        Expand(|arguments, _| rewrite::with_json_path("JSON_QUERY", arguments)),
    ),
    Function("JSON_QUOTE", &["s"], Row),
    Function("JSON_UNQUOTE", &["s"], Row),
    Function(
        "JSON_VALUE",
        &["ss"],
        Expand(|arguments, _| rewrite::with_json_path("JSON_VALUE", arguments)),
    ),
];

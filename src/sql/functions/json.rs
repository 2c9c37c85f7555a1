//! Functions of texts that are JSON.

use super::Form::{Call, Expand, Rewrite, Row};
use super::Function;
use crate::expr::functions as own;
use crate::sql::json;

/// `text IS JSON kind`, called so.
pub(in crate::sql) const IS_JSON: &str = "$IS_JSON";

pub(super) static TABLE: &[Function] = &[
    Function(IS_JSON, &["ss"], Call(|| own::row_function("IS_JSON"))),
    Function("JSON", &["s"], Row),
    Function("JSON_ARRAY", &["o", "ox*"], Rewrite(json::array)),
    Function("JSON_EXISTS", &["ss", "sss"], Expand(json::exists)),
    Function("JSON_OBJECT", &["o", "ox*"], Expand(json::object)),
    Function("JSON_QUERY", &["ss", "ssssss"], Expand(json::query)),
    Function("JSON_QUOTE", &["s"], Row),
    Function("JSON_STRING", &["x"], Rewrite(json::string)),
    Function("JSON_UNQUOTE", &["s"], Row),
    Function("JSON_VALUE", &["ss", "ssssxsx"], Expand(json::value)),
];

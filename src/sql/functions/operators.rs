//! Operators on what has no type yet: no name of SQL is written so.

use datafusion_expr::Operator;

use super::Form::{Expand, Rewrite};
use super::Function;
use crate::sql::access;
use crate::sql::rewrite;

/// A cast beside the type that was written. The library calls a cast as it calls what is cast, so
/// that the two get mixed up where both are columns; a call has a name of its own.
pub(in crate::sql) const CAST: &str = "$CAST";

pub(super) static TABLE: &[Function] = &[
    Function(CAST, &["xx"], Rewrite(|mut parts| parts.swap_remove(0))),
    Function(access::FIELD, &["xs*"], Expand(access::field)),
    Function(access::ITEM, &["xx"], Expand(access::item)),
    Function(
        "+",
        &["aa"],
        Expand(|parts, schema| rewrite::operation(Operator::Plus, parts, schema)),
    ),
    Function(
        "-",
        &["aa"],
        Expand(|parts, schema| rewrite::operation(Operator::Minus, parts, schema)),
    ),
    Function(
        "*",
        &["aa"],
        Expand(|parts, schema| rewrite::operation(Operator::Multiply, parts, schema)),
    ),
    Function(
        "/",
        &["aa"],
        Expand(|parts, schema| rewrite::operation(Operator::Divide, parts, schema)),
    ),
    Function(
        "%",
        &["aa"],
        Expand(|parts, schema| rewrite::operation(Operator::Modulo, parts, schema)),
    ),
    Function(
        "||",
        &["aa"],
        Expand(|parts, schema| rewrite::operation(Operator::StringConcat, parts, schema)),
    ),
];

//! Operators on what has no type yet: no name of SQL is written so.

use datafusion_expr::Operator;

use super::Form::Expand;
use super::Function;
use crate::sql::access;
use crate::sql::rewrite;

pub(super) static TABLE: &[Function] = &[
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

//! Functions of numbers.

use datafusion_expr::lit;
use datafusion_functions as library;

use super::Form::{Call, Expand, Rewrite, Row};
use super::Function;
use crate::sql::rewrite;

pub(super) static TABLE: &[Function] = &[
    Function("ABS", &["n"], Expand(rewrite::abs)),
    Function("CEIL", &["n"], Expand(rewrite::ceil)),
    Function("CEILING", &["n"], Expand(rewrite::ceil)),
    Function("FLOOR", &["n"], Expand(rewrite::floor)),
    Function("ROUND", &["n", "ni"], Expand(rewrite::round)),
    Function("MOD", &["nn"], Expand(rewrite::modulo)),
    Function("POWER", &["dd"], Call(library::math::power)),
    Function("SQRT", &["d"], Row),
    Function("LN", &["d"], Call(library::math::ln)),
    Function("LOG10", &["d"], Call(library::math::log10)),
    Function("LOG2", &["d"], Call(library::math::log2)),
    Function("EXP", &["d"], Call(library::math::exp)),
    Function("SIN", &["d"], Call(library::math::sin)),
    Function("COS", &["d"], Call(library::math::cos)),
    Function("TAN", &["d"], Call(library::math::tan)),
    Function("ASIN", &["d"], Call(library::math::asin)),
    Function("ACOS", &["d"], Call(library::math::acos)),
    Function("ATAN", &["d"], Call(library::math::atan)),
    Function("ATAN2", &["dd"], Call(library::math::atan2)),
    Function("DEGREES", &["d"], Call(library::math::degrees)),
    Function("RADIANS", &["d"], Call(library::math::radians)),
    Function("PI", &[""], Call(library::math::pi)),
    Function("SIGN", &["n"], Expand(rewrite::sign)),
    Function("BIN", &["i"], Row),
    Function("COSH", &["d"], Row),
    Function("COT", &["d"], Row),
    Function("E", &[""], Rewrite(|_| lit(std::f64::consts::E))),
    Function("LOG", &["d", "dd"], Row),
    Function("RAND", &[""], Call(library::math::random)),
    Function("RAND_INTEGER", &["i"], Expand(rewrite::rand_integer)),
    Function("SINH", &["d"], Row),
    Function("TANH", &["d"], Row),
    Function("TRUNCATE", &["n", "ni"], Expand(rewrite::truncate)),
];

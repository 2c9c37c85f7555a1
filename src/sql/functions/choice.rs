//! Functions that choose among their arguments.

use datafusion_functions as library;

use super::Form::{Expand, Unified};
use super::Function;
use crate::expr::functions as own;
use crate::sql::rewrite;

/// `value BETWEEN SYMMETRIC low AND high`, called so.
pub(in crate::sql) const BETWEEN_SYMMETRIC: &str = "$BETWEEN_SYMMETRIC";

pub(super) static TABLE: &[Function] = &[
    Function("GREATEST", &["a*"], Unified(own::greatest)),
    Function("LEAST", &["a*"], Unified(own::least)),
    Function("COALESCE", &["x*"], Expand(rewrite::coalesce)),
    Function("IFNULL", &["xx"], Expand(rewrite::coalesce)),
    Function("NULLIF", &["aa"], Unified(library::core::nullif)),
    Function("IF", &["aaa"], Expand(rewrite::choose)),
    Function(BETWEEN_SYMMETRIC, &["aaa"], Unified(own::between_symmetric)),
    Function("TYPEOF", &["x", "xo"], Expand(rewrite::type_of_argument)),
];

//! Functions of arrays, maps and rows.

use super::Form::Call;
use super::Function;
use crate::expr::functions as own;

pub(super) static TABLE: &[Function] = &[Function("CARDINALITY", &["c"], Call(own::cardinality))];

//! `(s, e) OVERLAPS (s, e)`: whether two periods have a moment in common.

use datafusion_common::{DFSchema, Result};
use datafusion_expr::expr::{BinaryExpr, Case};
use datafusion_expr::{Expr, ExprSchemable, Operator};

use arrow::datatypes::DataType;

use super::arithmetic;
use super::typing::{misfit, retype_binary};

/// The condition that two periods overlap, given the start and the end of each. An end may be
/// how long the period is; what is called its start may be the later of the two.
///
/// # Errors
/// If they are no dates or times of one type.
pub(super) fn overlaps(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let parts: Vec<&Expr> = arguments.iter().collect();
    let refused = || {
        let message = "OVERLAPS compares two periods of dates, times or timestamps, each from one to another of its \
                       type or with an INTERVAL for its end";
        misfit(message.to_owned(), &parts)
    };
    let [start, end, other_start, other_end] = arguments.as_slice() else {
        return Err(refused());
    };
    let period = Period::of(start, end, schema)?.ok_or_else(refused)?;
    let other = Period::of(other_start, other_end, schema)?.ok_or_else(refused)?;
    if kind(&period.first, schema)? != kind(&other.first, schema)? {
        return Err(refused());
    }
    let reaches = |last: Expr, first: Expr| compared(last, Operator::GtEq, first, schema);
    let one = reaches(period.last, other.first)?;
    Ok(one.and(reaches(other.last, period.first)?))
}

struct Period {
    first: Expr,
    last: Expr,
}

impl Period {
    /// `None` if the two do not bound a period.
    fn of(start: &Expr, end: &Expr, schema: &DFSchema) -> Result<Option<Self>> {
        let end = match end.get_type(schema)? {
            DataType::Interval(_) => {
                arithmetic::typed(start.clone(), Operator::Plus, end.clone(), schema)?
            }
            _ => end.clone(),
        };
        let Some(own) = kind(start, schema)? else {
            return Ok(None);
        };
        if kind(&end, schema)? != Some(own) {
            return Ok(None);
        }
        let in_order = compared(start.clone(), Operator::LtEq, end.clone(), schema)?;
        let either = |yes: &Expr, no: &Expr| {
            Expr::Case(Case {
                expr: None,
                when_then_expr: vec![(Box::new(in_order.clone()), Box::new(yes.clone()))],
                else_expr: Some(Box::new(no.clone())),
            })
        };
        Ok(Some(Self {
            first: either(start, &end),
            last: either(&end, start),
        }))
    }
}

/// Which of the types that bound a period, if any.
fn kind(moment: &Expr, schema: &DFSchema) -> Result<Option<&'static str>> {
    Ok(match moment.get_type(schema)? {
        DataType::Date32 => Some("date"),
        DataType::Time32(_) | DataType::Time64(_) => Some("time"),
        DataType::Timestamp(_, None) => Some("timestamp"),
        DataType::Timestamp(_, Some(_)) => Some("instant"),
        _ => None,
    })
}

fn compared(left: Expr, op: Operator, right: Expr, schema: &DFSchema) -> Result<Expr> {
    let (left, right) = (Box::new(left), Box::new(right));
    retype_binary(BinaryExpr { left, op, right }, schema)
}

//! What SQL writes in a form of its own, as the calls of functions that it means.

use datafusion_sql::sqlparser::ast::{
    BinaryOperator, CeilFloorKind, DateTimeField, Expr, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, ObjectName, Value,
};

use super::access::written_call;
use super::functions::{CAST, CEIL_TO, FLOOR_TO, OVERLAPS, ROW};

/// Rewrites an expression if it has such a form; those inside it come before it.
pub(super) fn as_calls(expression: &mut Expr) {
    match expression {
        Expr::Ceil { expr, field } => {
            if let Some(call) = to_unit(CEIL_TO, expr, field) {
                *expression = call;
            }
        }
        Expr::Floor { expr, field } => {
            if let Some(call) = to_unit(FLOOR_TO, expr, field) {
                *expression = call;
            }
        }
        Expr::Tuple(parts) => *expression = written_call(ROW, std::mem::take(parts)),
        Expr::BinaryOp { left, op, right } if *op == BinaryOperator::Overlaps => {
            if let (Some(left), Some(right)) = (parts_of_row(left), parts_of_row(right)) {
                *expression = written_call(OVERLAPS, [left, right].concat());
            }
        }
        Expr::Cast { data_type, .. } => {
            let data_type = Value::SingleQuotedString(data_type.to_string());
            let cast = std::mem::replace(expression, Expr::value(Value::Null));
            *expression = written_call(CAST, vec![cast, Expr::value(data_type)]);
        }
        Expr::Function(function) => {
            let name = function.name.to_string();
            if name.eq_ignore_ascii_case("ROW") {
                function.name = ObjectName::from(vec![Ident::new(ROW)]);
            }
            let has_unit = ["TIMESTAMPADD", "TIMESTAMPDIFF"];
            if has_unit
                .iter()
                .any(|known| known.eq_ignore_ascii_case(&name))
            {
                name_unit(&mut function.args);
            }
        }
        _ => (),
    }
}

/// The two parts of `(a, b)`, which is the call of a row by now.
fn parts_of_row(row: &Expr) -> Option<Vec<Expr>> {
    let Expr::Function(call) = row else {
        return None;
    };
    let FunctionArguments::List(list) = &call.args else {
        return None;
    };
    let parts = list.args.iter().map(|part| match part {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(part)) => Some(part.clone()),
        _ => None,
    });
    let parts = parts.collect::<Option<Vec<_>>>()?;
    (call.name.to_string() == ROW && parts.len() == 2).then_some(parts)
}

/// `FLOOR(moment TO unit)`.
fn to_unit(name: &str, moment: &mut Expr, field: &CeilFloorKind) -> Option<Expr> {
    let CeilFloorKind::DateTimeField(unit) = field else {
        return None;
    };
    if *unit == DateTimeField::NoDateTime {
        return None;
    }
    let unit = Expr::value(Value::SingleQuotedString(unit.to_string()));
    let moment = std::mem::replace(moment, Expr::value(Value::Null));
    Some(written_call(name, vec![unit, moment]))
}

/// The unit that stands first, as a text.
fn name_unit(arguments: &mut FunctionArguments) {
    if let FunctionArguments::List(list) = arguments
        && let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(first))) = list.args.first_mut()
        && let Expr::Identifier(unit) = first
    {
        let unit = Value::SingleQuotedString(unit.value.clone()).with_span(unit.span);
        *first = Expr::Value(unit);
    }
}

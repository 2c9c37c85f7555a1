//! The scalar functions of Flink that a query may call, and what each becomes.
//!
//! A function that is not in a table is refused: the query library knows many
//! more, of which some have another meaning under Flink's name.

mod choice;
mod json;
mod nested;
mod numeric;
mod operators;
mod planner;
mod signature;
mod temporal;
mod text;

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, Result};
use datafusion_expr::{Expr, ExprSchemable, ScalarUDF};

use super::conversion::cast_to;
use super::rewrite::{call, check_regex};
use super::time_zone::TimeZone;
use super::typing::{misfit, unified};
use super::untyped_call::UntypedCall;
use crate::expr::functions as own;
use crate::plan::type_name;

pub(super) use choice::BETWEEN_SYMMETRIC;
pub(super) use json::IS_JSON;
pub(super) use nested::{ARRAY, MAP, ROW};
pub(super) use operators::CAST;
pub(super) use planner::FlinkExpressions;
pub(super) use temporal::{CEIL_TO, FLOOR_TO, OVERLAPS};

/// How a call is typed.
#[derive(Clone, Copy)]
enum Form {
    /// The call of the row function of the same name.
    Row,
    /// The same; the second argument is a regular expression.
    Regex,
    /// The call of another function with the same arguments.
    Call(fn() -> Arc<ScalarUDF>),
    /// The call of another function whose arguments all get their common type.
    Unified(fn() -> Arc<ScalarUDF>),
    /// An expression, whatever the types.
    Rewrite(fn(Vec<Expr>) -> Expr),
    /// An expression that depends on the program's time zone.
    Zoned(fn(Vec<Expr>, &TimeZone, &DFSchema) -> Result<Expr>),
    /// An expression.
    Expand(fn(Vec<Expr>, &DFSchema) -> Result<Expr>),
}

/// A function: its name, the arguments that it takes in each of its forms (see
/// `signature`), and how a call of it is typed.
struct Function(&'static str, &'static [&'static str], Form);

/// All of them.
fn table() -> impl Iterator<Item = &'static Function> {
    let tables = [
        text::TABLE,
        numeric::TABLE,
        temporal::TABLE,
        choice::TABLE,
        nested::TABLE,
        json::TABLE,
        operators::TABLE,
    ];
    tables.into_iter().flatten()
}

/// The function of this name, in any case of letters, as the planner calls it
/// before its arguments are typed, in a program of this time zone.
pub(super) fn scalar(name: &str, zone: &TimeZone) -> Option<Arc<ScalarUDF>> {
    let entry = table().find(|function| function.0.eq_ignore_ascii_case(name));
    entry.map(|function| UntypedCall::function(function.0, zone.clone()))
}

/// A function that SQL writes in a form of its own; none of them looks at a clock.
pub(super) fn operator(name: &str) -> Option<Arc<ScalarUDF>> {
    scalar(name, &TimeZone::default())
}

/// All their names.
pub(super) fn names() -> Vec<String> {
    let names = table().map(|function| function.0);
    let written = names.filter(|name| name.starts_with(char::is_alphabetic));
    written.map(str::to_owned).collect()
}

/// The call of a function whose arguments are typed. A call that is typed
/// already stays as it is.
///
/// # Errors
/// If the arguments are too many, too few or of other types than it takes.
pub(super) fn typed_call(
    function: Arc<ScalarUDF>,
    arguments: Vec<Expr>,
    schema: &DFSchema,
) -> Result<Expr> {
    let Some(untyped) = UntypedCall::of(&function) else {
        return Ok(call(function, arguments));
    };
    let entry = table().find(|entry| entry.0 == function.name());
    let Function(name, patterns, form) = entry.expect("an untyped call is of the table");
    let arguments = signature::fitted(name, patterns, arguments, schema)?;
    let typed = match form {
        Form::Row => call(own::row_function(name), arguments),
        Form::Regex => {
            check_regex(&arguments)?;
            call(own::row_function(name), arguments)
        }
        Form::Call(target) => call(target(), arguments),
        Form::Unified(target) => {
            let what = format!("the arguments of {name}");
            call(target(), unified(arguments, schema, &what)?)
        }
        Form::Rewrite(form) => form(arguments),
        Form::Zoned(form) => form(arguments, untyped.zone(), schema)?,
        Form::Expand(expand) => expand(arguments, schema)?,
    };
    plain_text(name, typed, schema)
}

/// The library's functions may make other layouts of text than columns have.
fn plain_text(name: &str, expression: Expr, schema: &DFSchema) -> Result<Expr> {
    match expression.get_type(schema) {
        Ok(DataType::Utf8View | DataType::LargeUtf8) => {
            cast_to(expression, &DataType::Utf8, schema)
        }
        Ok(_) => Ok(expression),
        Err(_) => {
            let parts: Vec<&Expr> = match &expression {
                Expr::ScalarFunction(call) => call.args.iter().collect(),
                other => vec![other],
            };
            let types = parts.iter().map(|part| part.get_type(schema));
            let types: Result<Vec<String>> =
                types.map(|own| own.map(|own| type_name(&own))).collect();
            let message = format!("{name} does not take ({})", types?.join(", "));
            Err(misfit(message, &parts))
        }
    }
}

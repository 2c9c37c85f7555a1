//! Functions that make or read JSON, as what is computed.

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::{Expr, ExprSchemable, lit};

use super::conversion::{cast_to, explicit_cast};
use super::rewrite::{call, text_of, with_json_path};
use super::typing::misfit;
use crate::expr::functions as own;
use crate::plan::type_name;

/// Functions whose results are put into others as they are, and not as texts.
const MAKE_JSON: [&str; 3] = ["JSON", "JSON_ARRAY", "JSON_OBJECT"];

/// `JSON_STRING(value)`.
pub(super) fn string(arguments: Vec<Expr>) -> Expr {
    call(own::json_string(), arguments)
}

/// A value as a JSON text.
pub(super) fn as_json(value: Expr) -> Expr {
    match &value {
        Expr::ScalarFunction(function) if MAKE_JSON.contains(&function.name()) => value,
        _ => call(own::json_string(), vec![value]),
    }
}

/// `JSON_ARRAY(nulls, value, …)`: the first argument says whether nulls are elements.
pub(super) fn array(arguments: Vec<Expr>) -> Expr {
    let mut arguments = arguments.into_iter();
    let nulls = arguments.next();
    let values = nulls.into_iter().chain(arguments.map(as_json));
    call(own::row_function("JSON_ARRAY"), values.collect())
}

/// `JSON_OBJECT(nulls, name, value, …)`.
pub(super) fn object(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let mut parts = Vec::with_capacity(arguments.len());
    for (place, argument) in arguments.into_iter().enumerate() {
        parts.push(match place {
            0 => argument,
            name if name % 2 == 1 => {
                let data_type = argument.get_type(schema)?;
                if !matches!(data_type, DataType::Utf8 | DataType::Null) {
                    let message = format!(
                        "the name of a field is a STRING, not {}",
                        type_name(&data_type)
                    );
                    return Err(misfit(message, &[&argument]));
                }
                argument
            }
            _ => as_json(argument),
        });
    }
    Ok(call(own::row_function("JSON_OBJECT"), parts))
}

/// A value of `JSON_ARRAYAGG` as a text; behind it stands whether nulls are elements.
pub(super) fn element(value: Expr, rest: &[Expr]) -> Expr {
    let text = as_json(value);
    if rest.last() == Some(&lit(true)) {
        return call(own::row_function("JSON_ELEMENT"), vec![text]);
    }
    text
}

/// The name of `JSON_OBJECTAGG` with what stands behind it as the text of a field.
pub(super) fn field(name: Expr, rest: &[Expr]) -> Expr {
    let mut rest = rest.iter().cloned();
    let value = rest.next().unwrap_or_else(|| lit(ScalarValue::Null));
    let arguments = [name, as_json(value)].into_iter().chain(rest);
    call(own::row_function("JSON_FIELD"), arguments.collect())
}

/// `JSON_EXISTS(text, path)`, maybe with what holds on an error.
pub(super) fn exists(arguments: Vec<Expr>, _: &DFSchema) -> Result<Expr> {
    with_json_path("JSON_EXISTS", arguments)
}

/// `JSON_VALUE(text, path)`, maybe with a type, and twice what comes instead: a word and a value.
pub(super) fn value(mut arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let Some(returning) = text_of(arguments.get(2)).map(str::to_owned) else {
        return with_json_path("JSON_VALUE", arguments);
    };
    let (name, data_type) = match returning.to_ascii_uppercase().as_str() {
        "INT" | "INTEGER" => ("INT", DataType::Int32),
        "DOUBLE" => ("DOUBLE", DataType::Float64),
        "BOOLEAN" => ("BOOLEAN", DataType::Boolean),
        "STRING" | "VARCHAR" => ("STRING", DataType::Utf8),
        _ => {
            let message = format!("JSON_VALUE does not return {returning}");
            return Err(misfit(message, &arguments.iter().collect::<Vec<_>>()));
        }
    };
    arguments[2] = lit(name);
    for place in [4, 6] {
        let default = std::mem::replace(&mut arguments[place], lit(ScalarValue::Null));
        let default = cast_to(default, &data_type, schema)?;
        arguments[place] = explicit_cast(default, &DataType::Utf8, schema)?;
    }
    explicit_cast(with_json_path("JSON_VALUE", arguments)?, &data_type, schema)
}

/// `JSON_QUERY(text, path)`, maybe with a type, the wrapper, and twice what comes instead.
pub(super) fn query(mut arguments: Vec<Expr>, _: &DFSchema) -> Result<Expr> {
    if arguments.len() == 2 {
        return with_json_path("JSON_QUERY", arguments);
    }
    let returning = arguments.remove(2);
    let returning = text_of(Some(&returning)).unwrap_or_default();
    let name = match returning.to_ascii_uppercase().replace(' ', "").as_str() {
        "STRING" | "VARCHAR" => "JSON_QUERY",
        "ARRAY<STRING>" | "ARRAY<VARCHAR>" => "JSON_QUERY_ARRAY",
        _ => {
            let message = format!("JSON_QUERY does not return {returning}");
            return Err(misfit(message, &arguments.iter().collect::<Vec<_>>()));
        }
    };
    with_json_path(name, arguments)
}

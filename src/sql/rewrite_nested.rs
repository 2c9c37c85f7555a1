//! Functions of arrays, maps and rows that become other expressions.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::{Expr, ExprSchemable, ScalarUDF, lit};

use super::conversion::{cast_to, common_type};
use super::rewrite::call;
use super::typing::{misfit, unified};
use crate::expr::functions as own;
use crate::plan::type_name;

/// `ARRAY[a, b]`.
pub(super) fn array(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let elements = unified(arguments, schema, "the elements of the array")?;
    Ok(call(own::array(), elements))
}

/// `MAP[key, value, key, value]`.
pub(super) fn map(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    if !arguments.len().is_multiple_of(2) {
        let message = "MAP[…] has a value for each key".to_owned();
        return Err(misfit(message, &arguments.iter().collect::<Vec<_>>()));
    }
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for (place, argument) in arguments.into_iter().enumerate() {
        if place % 2 == 0 {
            keys.push(argument);
        } else {
            values.push(argument);
        }
    }
    let keys = unified(keys, schema, "the keys of the map")?;
    let values = unified(values, schema, "the values of the map")?;
    let arrays = vec![call(own::array(), keys), call(own::array(), values)];
    Ok(call(own::map_from_arrays(), arrays))
}

/// A call whose arguments are arrays and, where `false` stands, elements of them.
fn of_elements(
    function: Arc<ScalarUDF>,
    arguments: Vec<Expr>,
    are_lists: &[bool],
    schema: &DFSchema,
) -> Result<Expr> {
    let mut element = DataType::Null;
    for (place, argument) in arguments.iter().enumerate() {
        let data_type = argument.get_type(schema)?;
        let is_list = are_lists.get(place).copied().unwrap_or(true);
        let own = match &data_type {
            DataType::List(own) if is_list => own.data_type().clone(),
            // A needle becomes what the array has, and not the other way round.
            other if !is_list && common_type(&element, other).as_ref() == Some(&element) => {
                continue;
            }
            DataType::Null => continue,
            other => other.clone(),
        };
        if element != DataType::Null && element != own {
            let (left, right) = (type_name(&element), type_name(&own));
            let message = format!("an array of {left} has no elements of type {right}");
            return Err(misfit(message, &arguments.iter().collect::<Vec<_>>()));
        }
        element = own;
    }
    let list = DataType::List(Arc::new(Field::new("element", element.clone(), true)));
    let arguments = arguments.into_iter().enumerate().map(|(place, argument)| {
        let is_list = are_lists.get(place).copied().unwrap_or(true);
        let is_null = argument.get_type(schema)? == DataType::Null;
        match (is_list, is_null) {
            (true, true) => Ok(lit(ScalarValue::try_from(&list)?)),
            (true, false) => Ok(argument),
            (false, _) => cast_to(argument, &element, schema),
        }
    });
    Ok(call(function, arguments.collect::<Result<_>>()?))
}

macro_rules! of_elements {
    ($(($function:ident, $are_lists:expr)),* $(,)?) => {
        $(pub(super) fn $function(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
            of_elements(own::$function(), arguments, $are_lists, schema)
        })*
    };
}

of_elements!(
    (array_append, &[true, false]),
    (array_concat, &[]),
    (array_contains, &[true, false]),
    (array_except, &[]),
    (array_intersect, &[]),
    (array_position, &[true, false]),
    (array_prepend, &[true, false]),
    (array_remove, &[true, false]),
    (array_union, &[]),
);

/// Rising if nothing is said.
pub(super) fn array_sort(mut arguments: Vec<Expr>) -> Expr {
    if arguments.len() == 1 {
        arguments.push(lit(true));
    }
    call(own::array_sort(), arguments)
}

/// Of maps of one type.
pub(super) fn map_union(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    Ok(call(
        own::map_union(),
        unified(arguments, schema, "the maps of MAP_UNION")?,
    ))
}

//! `row.field`, `array[1]` and `map['key']`: written in a query, and called as
//! functions before types are known.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field};
use datafusion_common::{Column, DFSchema, Result, ScalarValue, Spans, TableReference};
use datafusion_expr::{Expr, lit};
use datafusion_sql::sqlparser::ast::{
    AccessExpr, Expr as SqlExpr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, Subscript, Value,
};

use super::conversion::{cast_to, common_type, type_of};
use super::diagnose::{did_you_mean, library_span, refusal};
use super::functions::operator;
use super::rewrite::call;
use super::typing::{misfit, place_of};
use crate::expr::functions as own;
use crate::plan::type_name;

/// The function as which access to fields is planned: the row, and the names on
/// the way to the field. No name of SQL is written so.
pub(super) const FIELD: &str = ".";

/// The function as which access to an element is planned.
pub(super) const ITEM: &str = "[]";

/// The places of the names with dots in one text, each where it stands first:
/// what is wrong with it there is wrong with it everywhere. The library forgets them.
#[derive(Debug, Default)]
pub(super) struct DottedNames(HashMap<Vec<String>, Spans>);

fn accessed(inner: SqlExpr, access: AccessExpr) -> SqlExpr {
    match (inner, access) {
        (SqlExpr::Identifier(first), AccessExpr::Dot(SqlExpr::Identifier(name))) => {
            SqlExpr::CompoundIdentifier(vec![first, name])
        }
        (SqlExpr::CompoundIdentifier(mut names), AccessExpr::Dot(SqlExpr::Identifier(name))) => {
            names.push(name);
            SqlExpr::CompoundIdentifier(names)
        }
        (inner, AccessExpr::Dot(SqlExpr::Identifier(name))) => {
            let name = Value::SingleQuotedString(name.value).with_span(name.span);
            written_call(FIELD, vec![inner, SqlExpr::Value(name)])
        }
        (inner, AccessExpr::Subscript(Subscript::Index { index })) => {
            written_call(ITEM, vec![inner, index])
        }
        // The walk of `refuse` has refused the rest.
        (inner, AccessExpr::Dot(_) | AccessExpr::Subscript(Subscript::Slice { .. })) => inner,
    }
}

/// A call as it would be written.
pub(super) fn written_call(name: &str, arguments: Vec<SqlExpr>) -> SqlExpr {
    let unnamed = |argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument));
    SqlExpr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.into_iter().map(unnamed).collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

impl DottedNames {
    /// Rewrites access to what is inside an expression as calls, and notes its names;
    /// the expressions inside it come before it. A name with dots stays as it is: only
    /// the planner knows where the table ends and the column begins.
    pub(super) fn as_calls(&mut self, expression: &mut SqlExpr) {
        if let SqlExpr::CompoundFieldAccess { root, access_chain } = expression {
            let null = SqlExpr::value(Value::Null);
            let root = std::mem::replace(root.as_mut(), null);
            let chain = std::mem::take(access_chain);
            *expression = chain.into_iter().fold(root, |inner, access| {
                let rewritten = accessed(inner, access);
                self.note(&rewritten);
                rewritten
            });
        }
        self.note(expression);
    }

    /// Notes a name as it is written, and without the table that it may begin with.
    fn note(&mut self, expression: &SqlExpr) {
        let SqlExpr::CompoundIdentifier(names) = expression else {
            return;
        };
        for tail in [names.as_slice(), names.get(1..).unwrap_or_default()] {
            let name = tail.iter().map(|part| part.value.clone()).collect();
            self.0.entry(name).or_insert_with(|| {
                let places = tail.iter().filter_map(|part| library_span(part.span));
                Spans(places.collect())
            });
        }
    }

    /// The call that reads a field of a column. The column has the places of its
    /// own name and of all names behind it.
    pub(super) fn field_of(
        &self,
        field: &Field,
        table: Option<&TableReference>,
        names: &[String],
    ) -> Expr {
        let mut column = Column::new(table.cloned(), field.name());
        let written = std::iter::once(field.name()).chain(names).cloned();
        let places = self.0.get(&written.collect::<Vec<_>>());
        column.spans = places.cloned().unwrap_or_default();
        let names = names.iter().map(|name| lit(name.as_str()));
        let arguments = std::iter::once(Expr::Column(column)).chain(names);
        let function = operator(FIELD).expect("it is in the table of functions");
        call(function, arguments.collect())
    }
}

/// `row.a.b`, with its types.
///
/// # Errors
/// If there is no such field.
pub(super) fn field(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let mut arguments = arguments.into_iter();
    let mut value = arguments.next().unwrap_or_else(|| lit(ScalarValue::Null));
    let (mut path, spans) = match &value {
        Expr::Column(column) => (column.name.clone(), column.spans.0.clone()),
        other => (type_name(&type_of(other, schema)?), Vec::new()),
    };
    for (depth, name) in arguments.enumerate() {
        let Expr::Literal(ScalarValue::Utf8(Some(name)), _) = name else {
            return Err(misfit("a field has a name".to_owned(), &[&value]));
        };
        let data_type = type_of(&value, schema)?;
        let (message, hint) = match &data_type {
            DataType::Struct(fields) if fields.find(&name).is_some() => {
                path = format!("{path}.{name}");
                value = call(own::field(), vec![value, lit(name)]);
                continue;
            }
            DataType::Struct(fields) => {
                let known = fields.iter().map(|field| field.name().as_str());
                let hint = did_you_mean(&name, known);
                (format!("{path} has no field {name}"), hint)
            }
            other => {
                let other = type_name(other);
                let message = if path == other {
                    format!("{other} has no field {name}")
                } else {
                    format!("{path} is {other} and has no field {name}")
                };
                (message, None)
            }
        };
        let span = spans.get(depth + 1).copied();
        return Err(refusal(message, span.or_else(|| place_of(&[&value])), hint));
    }
    Ok(value)
}

/// `array[1]` and `map['key']`, with their types.
///
/// # Errors
/// If it is neither, or the key does not fit.
pub(super) fn item(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let mut arguments = arguments.into_iter();
    let (Some(collection), Some(key)) = (arguments.next(), arguments.next()) else {
        return Err(refusal("[…] takes one value", None, None));
    };
    let data_type = type_of(&collection, schema)?;
    let of_key = type_of(&key, schema)?;
    let wanted = match &data_type {
        DataType::List(_) if of_key.is_integer() || of_key == DataType::Null => DataType::Int64,
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => fields
                .first()
                .map_or(DataType::Null, |key| key.data_type().clone()),
            _ => DataType::Null,
        },
        DataType::List(_) => {
            let message = format!(
                "the place in an array is an integer, not {}",
                type_name(&of_key)
            );
            return Err(misfit(message, &[&collection, &key]));
        }
        other => {
            let message = format!(
                "{} has no elements: […] is for ARRAY and MAP",
                type_name(other)
            );
            return Err(misfit(message, &[&collection, &key]));
        }
    };
    let is_map = matches!(data_type, DataType::Map(..));
    if is_map && common_type(&wanted, &of_key).as_ref() != Some(&wanted) {
        let (wanted, found) = (type_name(&wanted), type_name(&of_key));
        let message = format!("the keys of the map are {wanted}, not {found}");
        return Err(misfit(message, &[&collection, &key]));
    }
    if !is_map && matches!(&key, Expr::Literal(ScalarValue::Int32(Some(place)), _) if *place < 1) {
        let message = "the elements of an array are counted from 1".to_owned();
        return Err(misfit(message, &[&collection]));
    }
    let key = cast_to(key, &wanted, schema)?;
    Ok(call(own::item(), vec![collection, key]))
}

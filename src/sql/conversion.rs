//! Which type can become which: casts that are written, and casts that are implied.

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::expr::{Cast, ScalarFunction, TryCast};
use datafusion_expr::{Expr, ExprSchemable, Operator, lit};

use super::data_type::{Length, MAX_PRECISION};
use super::typing::misfit;
use crate::expr::functions::{instant, local_time, narrow, pad_to, to_text, trim_to, whole_part};
use crate::plan::type_name;

/// The type of an expression whose parts are typed.
///
/// The library derives the types of all parts down to the columns. Asked at each
/// operator of a chain it would walk the chain as often as it has operators.
///
/// # Errors
/// If it has no type.
pub(super) fn type_of(expression: &Expr, schema: &DFSchema) -> Result<DataType> {
    if let Expr::BinaryExpr(binary) = expression {
        match binary.op {
            Operator::And
            | Operator::Or
            | Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq => return Ok(DataType::Boolean),
            Operator::Plus
            | Operator::Minus
            | Operator::Multiply
            | Operator::Divide
            | Operator::Modulo => {
                // Both sides have been cast to it.
                let right = type_of(&binary.right, schema)?;
                if right.is_integer() || right.is_floating() {
                    return Ok(right);
                }
            }
            Operator::StringConcat if type_of(&binary.right, schema)? == DataType::Utf8 => {
                return Ok(DataType::Utf8);
            }
            _ => {}
        }
    }
    expression.get_type(schema)
}

/// The expression as `data_type`; the expression itself if it has that type.
///
/// # Errors
/// If it has no type.
pub(super) fn cast_to(expression: Expr, data_type: &DataType, schema: &DFSchema) -> Result<Expr> {
    let own = type_of(&expression, schema)?;
    if own == *data_type {
        return Ok(expression);
    }
    if own == DataType::Null {
        return Ok(lit(ScalarValue::try_from(data_type)?));
    }
    if let Some(moved) = moved(&expression, &own, data_type, schema)? {
        return Ok(moved);
    }
    Ok(Expr::Cast(Cast::new(
        Box::new(expression),
        data_type.clone(),
    )))
}

/// An instant as what depends on its zone's clock, or the reverse; the library's own casts
/// read that clock as one in UTC. `None` if the clock has nothing to do with it.
fn moved(
    expression: &Expr,
    own: &DataType,
    data_type: &DataType,
    schema: &DFSchema,
) -> Result<Option<Expr>> {
    let call =
        |function, arguments| Expr::ScalarFunction(ScalarFunction::new_udf(function, arguments));
    match (own, data_type) {
        (DataType::Timestamp(_, Some(_)), DataType::Timestamp(_, Some(_))) => Ok(None),
        (DataType::Timestamp(_, Some(_)), _) => {
            let local = call(local_time(), vec![expression.clone()]);
            cast_to(local, data_type, schema).map(Some)
        }
        (_, DataType::Timestamp(unit, Some(_))) => {
            let local = cast_to(
                expression.clone(),
                &DataType::Timestamp(*unit, None),
                schema,
            )?;
            // Zero, not null: its text shows the zone, and texts tell plans apart.
            let shape = lit(ScalarValue::new_zero(data_type)?);
            Ok(Some(call(instant(), vec![local, shape])))
        }
        _ => Ok(None),
    }
}

/// `CAST(expression AS data_type)`. A value that cannot be converted is an error
/// of its row.
///
/// # Errors
/// If values of one type never become values of the other.
pub(super) fn explicit_cast(
    expression: Expr,
    data_type: &DataType,
    schema: &DFSchema,
) -> Result<Expr> {
    check(&expression, data_type, schema)?;
    if let Some(number) = number_form(&expression, data_type, schema)? {
        return Ok(number);
    }
    let expression = readable(expression, data_type, schema)?;
    match text_form(&expression, data_type, schema)? {
        Some(text) => Ok(text),
        // A cast that changes nothing stays, so that an alias of the library's
        // keeps its name and a literal its type.
        None => cast_to(expression, data_type, schema),
    }
}

/// `TRY_CAST(expression AS data_type)`. A value that cannot be converted is null.
///
/// # Errors
/// As [`explicit_cast`].
pub(super) fn try_cast(expression: Expr, data_type: &DataType, schema: &DFSchema) -> Result<Expr> {
    check(&expression, data_type, schema)?;
    if let Some(number) = number_form(&expression, data_type, schema)? {
        return Ok(number);
    }
    let expression = readable(expression, data_type, schema)?;
    let own = type_of(&expression, schema)?;
    if let (DataType::Utf8, DataType::Timestamp(unit, Some(_))) = (&own, data_type) {
        let local = try_cast(expression, &DataType::Timestamp(*unit, None), schema)?;
        return cast_to(local, data_type, schema);
    }
    match text_form(&expression, data_type, schema)? {
        Some(text) => Ok(text),
        None if moved(&expression, &own, data_type, schema)?.is_some() => {
            cast_to(expression, data_type, schema)
        }
        None => Ok(Expr::TryCast(TryCast::new(
            Box::new(expression),
            data_type.clone(),
        ))),
    }
}

/// What a cast has made, brought to the length of its target.
pub(super) fn of_length(value: Expr, target: &Field) -> Expr {
    let Some(length) = Length::of(target) else {
        return value;
    };
    let function = if length.is_padded {
        pad_to()
    } else {
        trim_to()
    };
    let call = ScalarFunction::new_udf(function, vec![value, lit(length.most)]);
    Expr::ScalarFunction(call)
}

/// A written cast between numbers never fails: an integer that is too large wraps
/// around, a floating-point number ends at the bounds, and a decimal with too many
/// digits is null.
fn number_form(expression: &Expr, data_type: &DataType, schema: &DFSchema) -> Result<Option<Expr>> {
    let own = type_of(expression, schema)?;
    let keeps_all = common_type(&own, data_type).as_ref() == Some(data_type);
    if !own.is_numeric() || !data_type.is_numeric() || keeps_all || data_type.is_floating() {
        return Ok(None);
    }
    if let DataType::Decimal128(_, _) = data_type {
        let fitted = TryCast::new(Box::new(expression.clone()), data_type.clone());
        return Ok(Some(Expr::TryCast(fitted)));
    }
    let wide = if own.is_floating() {
        DataType::Float64
    } else {
        DataType::Int64
    };
    let wide = cast_to(expression.clone(), &wide, schema)?;
    let own = type_of(&wide, schema)?;
    let narrowed = narrow(data_type).filter(|_| own != *data_type);
    Ok(Some(match narrowed {
        Some(function) => Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![wide])),
        None => wide,
    }))
}

/// A text that becomes an integer may have a fraction, which is cut off.
fn readable(expression: Expr, data_type: &DataType, schema: &DFSchema) -> Result<Expr> {
    let is_cut = matches!(&expression, Expr::ScalarFunction(call) if call.func == whole_part());
    if is_cut || !data_type.is_integer() || type_of(&expression, schema)? != DataType::Utf8 {
        return Ok(expression);
    }
    let call = ScalarFunction::new_udf(whole_part(), vec![expression]);
    Ok(Expr::ScalarFunction(call))
}

/// Flink writes truth values, floating-point numbers and timestamps in another
/// way than the kernels of Arrow, and replaces bytes that are no text.
fn text_form(expression: &Expr, data_type: &DataType, schema: &DFSchema) -> Result<Option<Expr>> {
    let value = as_local(expression.clone(), schema)?;
    let own = type_of(&value, schema)?;
    let differs = matches!(own, DataType::Boolean | DataType::Binary)
        || own.is_floating()
        || is_timestamp(&own);
    if *data_type != DataType::Utf8 || !differs {
        return Ok(None);
    }
    let call = ScalarFunction::new_udf(to_text(), vec![value]);
    Ok(Some(Expr::ScalarFunction(call)))
}

fn check(expression: &Expr, to: &DataType, schema: &DFSchema) -> Result<()> {
    let from = type_of(expression, schema)?;
    if can_cast(&from, to) {
        return Ok(());
    }
    let (from, to) = (type_name(&from), type_name(to));
    Err(misfit(format!("cannot cast {from} to {to}"), &[expression]))
}

fn is_timestamp(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, None))
}

/// An instant as what the clock of its zone shows; anything else as it is.
///
/// # Errors
/// If it has no type.
pub(super) fn as_local(expression: Expr, schema: &DFSchema) -> Result<Expr> {
    match type_of(&expression, schema)? {
        DataType::Timestamp(unit, Some(_)) => {
            cast_to(expression, &DataType::Timestamp(unit, None), schema)
        }
        _ => Ok(expression),
    }
}

fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Time32(_) | DataType::Time64(_))
}

fn can_cast(from: &DataType, to: &DataType) -> bool {
    use DataType::{Binary, Boolean, Date32, Null, Utf8};
    let is_moment = |data_type: &DataType| {
        matches!(data_type, DataType::Timestamp(..)) || is_time(data_type) || *data_type == Date32
    };
    match (from, to) {
        (Null, _) | (Utf8, Binary | Boolean) | (Binary | Boolean, Utf8) => true,
        (from, to) if from == to => true,
        (from, to) if from.is_numeric() && to.is_numeric() => true,
        (from, Utf8) => from.is_numeric() || is_moment(from),
        (Utf8, to) => to.is_numeric() || is_moment(to),
        (Boolean, to) => to.is_numeric(),
        (from, Boolean) => from.is_integer(),
        (from, Date32) => matches!(from, DataType::Timestamp(..)),
        (Date32, to) => matches!(to, DataType::Timestamp(..)),
        (DataType::Timestamp(..), to) => matches!(to, DataType::Timestamp(..)) || is_time(to),
        (from, to) => is_time(from) && is_time(to),
    }
}

/// The type that holds the values of both, if there is one.
pub(super) fn common_type(left: &DataType, right: &DataType) -> Option<DataType> {
    use DataType::{Date32, Decimal128, Float32, Float64, Null};
    Some(match (left, right) {
        (left, right) if left == right => left.clone(),
        (Null, other) | (other, Null) => other.clone(),
        (left, right) if left.is_integer() && right.is_integer() => {
            if integer_width(left) >= integer_width(right) {
                left.clone()
            } else {
                right.clone()
            }
        }
        (Float32, exact) | (exact, Float32) if exact.is_integer() => Float32,
        (left, right)
            if left.is_numeric()
                && right.is_numeric()
                && (left.is_floating() || right.is_floating()) =>
        {
            Float64
        }
        (left, right) if left.is_numeric() && right.is_numeric() => {
            let left = decimal_of_integer(left).unwrap_or_else(|| left.clone());
            let right = decimal_of_integer(right).unwrap_or_else(|| right.clone());
            match (left, right) {
                (Decimal128(p1, s1), Decimal128(p2, s2)) => wider_decimal((p1, s1), (p2, s2)),
                _ => return None,
            }
        }
        // What a clock shows becomes an instant beside one.
        (DataType::Timestamp(l, left), DataType::Timestamp(r, right)) => {
            DataType::Timestamp(finer(*l, *r), left.as_ref().or(right.as_ref()).cloned())
        }
        (Date32, DataType::Timestamp(unit, zone)) | (DataType::Timestamp(unit, zone), Date32) => {
            DataType::Timestamp(*unit, zone.clone())
        }
        (left, right) if is_time(left) && is_time(right) => {
            if time_precision(left) >= time_precision(right) {
                left.clone()
            } else {
                right.clone()
            }
        }
        _ => return None,
    })
}

/// Whether a value of the query goes into a column of a sink without a written cast.
pub(super) fn is_assignable(from: &DataType, to: &DataType) -> bool {
    if from.is_nested() || to.is_nested() {
        return *from == DataType::Null || is_within(from, to);
    }
    let to_decimal = matches!(to, DataType::Decimal128(_, _));
    match (from, to) {
        (DataType::Null, _) => true,
        (DataType::Decimal128(_, _), to) => to_decimal || to.is_floating(),
        (from, _) if from.is_integer() && to_decimal => true,
        (DataType::Timestamp(..), DataType::Timestamp(..)) => true,
        (from, to) => common_type(from, to).as_ref() == Some(to),
    }
}

/// Whether `to` is `from`, but for nulls that it may hold in more places.
fn is_within(from: &DataType, to: &DataType) -> bool {
    let fits = |from: &Field, to: &Field| {
        from.name() == to.name()
            && (to.is_nullable() || !from.is_nullable())
            && is_within(from.data_type(), to.data_type())
    };
    match (from, to) {
        (DataType::Struct(from), DataType::Struct(to)) => {
            from.len() == to.len() && from.iter().zip(to).all(|(from, to)| fits(from, to))
        }
        (DataType::List(from), DataType::List(to))
        | (DataType::Map(from, _), DataType::Map(to, _)) => fits(from, to),
        (from, to) => from == to,
    }
}

/// The decimal that holds all values of an integer type.
pub(super) fn decimal_of_integer(data_type: &DataType) -> Option<DataType> {
    let precision = match data_type {
        DataType::Int8 => 3,
        DataType::Int16 => 5,
        DataType::Int32 => 10,
        DataType::Int64 => 19,
        _ => return None,
    };
    Some(DataType::Decimal128(precision, 0))
}

fn wider_decimal((p1, s1): (u8, i8), (p2, s2): (u8, i8)) -> DataType {
    let scale = s1.max(s2);
    let whole = (p1.cast_signed() - s1).max(p2.cast_signed() - s2);
    let precision = whole.saturating_add(scale).cast_unsigned();
    DataType::Decimal128(precision.min(MAX_PRECISION), scale)
}

fn integer_width(data_type: &DataType) -> usize {
    data_type.primitive_width().unwrap_or(0)
}

fn finer(left: TimeUnit, right: TimeUnit) -> TimeUnit {
    if unit_precision(left) >= unit_precision(right) {
        left
    } else {
        right
    }
}

fn unit_precision(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

fn time_precision(data_type: &DataType) -> u8 {
    match data_type {
        DataType::Time32(unit) | DataType::Time64(unit) => unit_precision(*unit),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, Schema};
    use datafusion_expr::{binary_expr, col};

    use super::*;

    /// The short way to a type leads to the library's own.
    #[test]
    fn types_of_typed_operations() {
        let numbers = [
            DataType::Int8,
            DataType::Int16,
            DataType::Int32,
            DataType::Int64,
            DataType::Float32,
            DataType::Float64,
            DataType::Decimal128(10, 2),
        ];
        let arithmetic = [
            Operator::Plus,
            Operator::Minus,
            Operator::Multiply,
            Operator::Divide,
            Operator::Modulo,
        ];
        let others = [DataType::Utf8, DataType::Date32, DataType::Boolean];
        for data_type in numbers.iter().chain(&others) {
            let schema = Schema::new(vec![Field::new("a", data_type.clone(), true)]);
            let schema = DFSchema::try_from(schema).unwrap();
            let operators: &[Operator] = match data_type {
                DataType::Utf8 => &[Operator::StringConcat, Operator::Eq],
                DataType::Boolean => &[Operator::And, Operator::Or, Operator::NotEq],
                DataType::Date32 => &[Operator::Lt, Operator::GtEq],
                _ => &arithmetic,
            };
            for operator in operators {
                let once = binary_expr(col("a"), *operator, col("a"));
                let twice = binary_expr(once.clone(), *operator, col("a"));
                let is_chain = once.get_type(&schema).unwrap() == *data_type;
                for expression in [Some(once), is_chain.then_some(twice)]
                    .into_iter()
                    .flatten()
                {
                    assert_eq!(
                        type_of(&expression, &schema).unwrap(),
                        expression.get_type(&schema).unwrap(),
                        "{expression} of {data_type}"
                    );
                }
            }
        }
    }
}

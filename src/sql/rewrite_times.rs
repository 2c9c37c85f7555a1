//! Functions of dates and times that become other expressions.

#![expect(
    clippy::unnecessary_wraps,
    reason = "all functions of one form have one type, whether they fail or not"
)]

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::{Expr, ExprSchemable, lit};

use super::conversion::{as_local, cast_to, try_cast};
use super::rewrite::{call, text_of};
use super::time_zone::TimeZone;
use super::typing::misfit;
use crate::expr::functions as own;

const MICROS: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

pub(super) fn extract(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let Some(field) = text_of(arguments.first()).map(str::to_owned) else {
        return Ok(call(own::extract(), arguments));
    };
    if own::is_calendar_part(&field) {
        let moment = arguments.into_iter().nth(1);
        let moment = moment.unwrap_or_else(|| lit(ScalarValue::Null));
        let micros = in_micros(moment, schema)?;
        return Ok(call(
            own::row_function("CALENDAR_PART"),
            vec![lit(field), micros],
        ));
    }
    if !own::is_extract_field(&field) {
        let message = format!("EXTRACT does not know the field {field}");
        return Err(misfit(message, &arguments.iter().collect::<Vec<_>>()));
    }
    Ok(call(own::extract(), arguments))
}

pub(super) fn part(field: &str, arguments: Vec<Expr>) -> Expr {
    let mut all = vec![lit(field)];
    all.extend(arguments);
    call(own::extract(), all)
}

/// A date or time as microseconds since 1970, or since midnight.
fn in_micros(moment: Expr, schema: &DFSchema) -> Result<Expr> {
    Ok(call(own::micros_of(), vec![as_local(moment, schema)?]))
}

/// Microseconds as a value of a type of dates and times; for an instant they are of the
/// clocks of its zone.
fn of_micros(micros: Expr, data_type: &DataType, schema: &DFSchema) -> Result<Expr> {
    let local = match data_type {
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, None),
        other => other.clone(),
    };
    cast_to(moment(micros, &local)?, data_type, schema)
}

/// Microseconds since 1970, in UTC if that is an instant.
fn moment(micros: Expr, data_type: &DataType) -> Result<Expr> {
    let shape = lit(shape_of(data_type)?);
    Ok(call(own::moment_of(), vec![micros, shape]))
}

/// A value of a type. It is not null: texts tell plans apart, and that of null is the
/// same for all types.
fn shape_of(data_type: &DataType) -> Result<ScalarValue> {
    ScalarValue::Int64(Some(0))
        .cast_to(&DataType::Timestamp(TimeUnit::Second, None))?
        .cast_to(data_type)
}

/// The unit that a function has first, checked.
fn unit(name: &str, arguments: &[Expr]) -> Result<String> {
    let unit = text_of(arguments.first()).unwrap_or_default();
    if own::is_calendar_unit(unit) {
        return Ok(unit.to_owned());
    }
    let message = format!("{name} does not know the unit {unit}");
    Err(misfit(message, &arguments.iter().collect::<Vec<_>>()))
}

/// The type of a moment to which times shorter than a day may have been added.
fn moved_type(unit: &str, data_type: DataType) -> DataType {
    match data_type {
        DataType::Date32 if own::is_shorter_than_a_day(unit) => MICROS,
        other => other,
    }
}

pub(super) fn timestamp_add(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let unit = unit("TIMESTAMPADD", &arguments)?;
    let mut arguments = arguments.into_iter().skip(1);
    let count = arguments.next().unwrap_or_else(|| lit(ScalarValue::Null));
    let moment = arguments.next().unwrap_or_else(|| lit(ScalarValue::Null));
    let data_type = moved_type(&unit, moment.get_type(schema)?);
    let micros = in_micros(moment, schema)?;
    let moved = call(
        own::row_function("TIMESTAMPADD"),
        vec![lit(unit), count, micros],
    );
    of_micros(moved, &data_type, schema)
}

pub(super) fn timestamp_diff(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let unit = unit("TIMESTAMPDIFF", &arguments)?;
    let moments = arguments.into_iter().skip(1);
    let moments = moments.map(|moment| in_micros(moment, schema));
    let mut all = vec![lit(unit)];
    all.extend(moments.collect::<Result<Vec<_>>>()?);
    Ok(call(own::row_function("TIMESTAMPDIFF"), all))
}

pub(super) fn ceil(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    to_unit("CEIL", "CALENDAR_CEIL", arguments, schema)
}

pub(super) fn floor(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    to_unit("FLOOR", "CALENDAR_FLOOR", arguments, schema)
}

/// `FLOOR(moment TO unit)`, called with the unit first.
fn to_unit(name: &str, function: &str, arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let unit = unit(name, &arguments)?;
    let moment = arguments.into_iter().nth(1);
    let moment = moment.unwrap_or_else(|| lit(ScalarValue::Null));
    let data_type = moved_type("DAY", moment.get_type(schema)?);
    let micros = in_micros(moment, schema)?;
    let moved = call(own::row_function(function), vec![lit(unit), micros]);
    of_micros(moved, &data_type, schema)
}

/// Of a text only one that is a date and a time.
pub(super) fn date_format(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    check_pattern(&arguments, own::check_date_pattern)?;
    let is_text = match arguments.first() {
        Some(moment) => moment.get_type(schema)? == DataType::Utf8,
        None => false,
    };
    let function = if is_text {
        own::row_function("DATE_TEXT")
    } else {
        own::date_format()
    };
    Ok(call(function, arguments))
}

/// A pattern that is written out, the second argument, is checked now.
fn check_pattern(arguments: &[Expr], check: fn(&str) -> Result<(), String>) -> Result<()> {
    match text_of(arguments.get(1)).map(check) {
        Some(Err(message)) => Err(misfit(message, &arguments.iter().collect::<Vec<_>>())),
        _ => Ok(()),
    }
}

/// A text that is no timestamp becomes null.
pub(super) fn to_timestamp(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let data_type = DataType::Timestamp(TimeUnit::Millisecond, None);
    parsed(arguments, &data_type, schema)
}

/// Without a pattern a day that its month has not is no date.
pub(super) fn to_date(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    match <[Expr; 1]>::try_from(arguments) {
        Ok([text]) => try_cast(text, &DataType::Date32, schema),
        Err(arguments) => parsed(arguments, &DataType::Date32, schema),
    }
}

fn parsed(arguments: Vec<Expr>, data_type: &DataType, schema: &DFSchema) -> Result<Expr> {
    check_pattern(&arguments, own::check_read_pattern)?;
    let micros = call(own::row_function("PARSE_MOMENT"), arguments);
    of_micros(micros, data_type, schema)
}

/// The seconds since 1970 of now, or of a text.
pub(super) fn unix_timestamp(
    arguments: Vec<Expr>,
    zone: &TimeZone,
    schema: &DFSchema,
) -> Result<Expr> {
    if arguments.is_empty() {
        let micros = call(own::micros_of(), vec![now(&TimeZone::default())]);
        let million = cast_to(lit(1_000_000), &DataType::Int64, schema)?;
        return Ok(micros / million);
    }
    check_pattern(&arguments, own::check_read_pattern)?;
    Ok(with_zone("UNIX_TIMESTAMP", arguments, zone))
}

pub(super) fn from_unixtime(
    arguments: Vec<Expr>,
    zone: &TimeZone,
    _schema: &DFSchema,
) -> Result<Expr> {
    check_pattern(&arguments, own::check_date_pattern)?;
    Ok(with_zone("FROM_UNIXTIME", arguments, zone))
}

/// The call of a row function whose last argument is a zone.
fn with_zone(function: &str, mut arguments: Vec<Expr>, zone: &TimeZone) -> Expr {
    arguments.push(lit(zone.name()));
    call(own::row_function(function), arguments)
}

/// An instant of a number, or of a text in the program's time zone or in the one that is
/// given last.
pub(super) fn to_timestamp_ltz(
    mut arguments: Vec<Expr>,
    zone: &TimeZone,
    schema: &DFSchema,
) -> Result<Expr> {
    let is_text = match arguments.first() {
        Some(first) => first.get_type(schema)? == DataType::Utf8,
        None => false,
    };
    let micros = match arguments.len() {
        _ if !is_text => {
            if arguments.len() == 1 {
                arguments.push(cast_to(lit(3), &DataType::Int64, schema)?);
            }
            call(own::row_function("EPOCH_MICROS"), arguments)
        }
        3 => call(own::row_function("PARSE_INSTANT"), arguments),
        _ => {
            check_pattern(&arguments, own::check_read_pattern)?;
            with_zone("PARSE_INSTANT", arguments, zone)
        }
    };
    moment(micros, &zone.instants(TimeUnit::Millisecond))
}

fn now(zone: &TimeZone) -> Expr {
    let instants = zone.instants(TimeUnit::Millisecond);
    call(own::current_timestamp(instants), Vec::new())
}

pub(super) fn current_timestamp(
    _arguments: Vec<Expr>,
    zone: &TimeZone,
    _schema: &DFSchema,
) -> Result<Expr> {
    Ok(now(zone))
}

pub(super) fn local_timestamp(
    _arguments: Vec<Expr>,
    zone: &TimeZone,
    _schema: &DFSchema,
) -> Result<Expr> {
    Ok(call(own::local_time(), vec![now(zone)]))
}

pub(super) fn local_time(arguments: Vec<Expr>, zone: &TimeZone, schema: &DFSchema) -> Result<Expr> {
    let now = local_timestamp(arguments, zone, schema)?;
    cast_to(now, &DataType::Time32(TimeUnit::Second), schema)
}

pub(super) fn current_date(
    arguments: Vec<Expr>,
    zone: &TimeZone,
    schema: &DFSchema,
) -> Result<Expr> {
    cast_to(
        local_timestamp(arguments, zone, schema)?,
        &DataType::Date32,
        schema,
    )
}

pub(super) fn proctime(arguments: Vec<Expr>, zone: &TimeZone, _schema: &DFSchema) -> Result<Expr> {
    let instants = zone.instants(TimeUnit::Millisecond);
    Ok(call(own::proctime(instants), arguments))
}

//! The values of a batch as text, column by column, for whoever writes them out.

use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, RecordBatch};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow::util::display::array_value_to_string;
use base64::{Engine, engine::general_purpose::STANDARD};

use super::column::unit_of;
use super::datetime::{self, TimestampForm, WrittenDate};
use super::{decimal, digits};

/// The values of one column of a batch, looked at once by type and then row by row.
#[derive(Debug)]
pub(super) struct Cells<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

#[derive(Debug)]
#[repr(u8)]
enum Values<'a> {
    Boolean(&'a BooleanBuffer),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    Decimal(&'a [i128], i8),
    Text(&'a arrow::array::StringArray),
    Binary(&'a arrow::array::BinaryArray),
    Date(&'a [i32]),
    Time32(&'a [i32], TimeUnit),
    Time64(&'a [i64], TimeUnit),
    Timestamp(&'a [i64], TimeUnit, WrittenDate),
    Instant(&'a [i64], TimeUnit, Tz, WrittenDate),
    /// A type that no table has, but a column inside the plan may.
    Other(&'a ArrayRef),
}

/// How values are written where formats differ.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// Timestamps.
    pub timestamp: TimestampForm,
    /// Whether a small decimal is written with an exponent.
    pub scientific_decimals: bool,
}

/// What kind of text a cell has given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// A number or a boolean, which JSON takes as it is.
    Bare,
    /// Text that JSON has to quote; nothing in it has to be escaped.
    Plain,
    /// Text that JSON has to quote and escape.
    Text,
    /// NaN or an infinity, which no number in JSON is.
    NotFinite,
}

impl<'a> Cells<'a> {
    /// The cells of every column.
    pub(super) fn of(records: &'a RecordBatch) -> Vec<Self> {
        records.columns().iter().map(Self::new).collect()
    }

    /// The cells of a column.
    pub(super) fn new(array: &'a ArrayRef) -> Self {
        Self {
            nulls: array.nulls(),
            values: Values::new(array),
        }
    }

    /// Whether JSON quotes all of its values and escapes none.
    pub(super) fn is_plain(&self) -> bool {
        matches!(
            self.values,
            Values::Binary(_)
                | Values::Date(_)
                | Values::Time32(..)
                | Values::Time64(..)
                | Values::Timestamp(..)
                | Values::Instant(..)
        )
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    /// The text of a `STRING` as it is.
    pub(super) fn text(&self, row: usize) -> Option<&'a str> {
        match self.values {
            Values::Text(strings) => Some(strings.value(row)),
            _ => None,
        }
    }

    /// The bytes of a `BYTES` as they are.
    pub(super) fn binary(&self, row: usize) -> Option<&'a [u8]> {
        match self.values {
            Values::Binary(values) => Some(values.value(row)),
            _ => None,
        }
    }

    /// Appends the value of a row that is not null; bytes as base64.
    pub(super) fn write(&self, row: usize, form: Form, out: &mut Vec<u8>) -> Written {
        match &self.values {
            Values::Boolean(values) => {
                out.extend_from_slice(if values.value(row) { b"true" } else { b"false" });
                Written::Bare
            }
            Values::Int8(values) => write_integer(values[row], out),
            Values::Int16(values) => write_integer(values[row], out),
            Values::Int32(values) => write_integer(values[row], out),
            Values::Int64(values) => write_integer(values[row], out),
            Values::Float32(values) => match values[row] {
                value if value.is_finite() => write_number(&value, out),
                value => write_not_finite(f64::from(value), out),
            },
            Values::Float64(values) => match values[row] {
                value if value.is_finite() => write_number(&value, out),
                value => write_not_finite(value, out),
            },
            Values::Decimal(values, scale) => {
                if form.scientific_decimals {
                    decimal::write_scientific(values[row], *scale, out);
                } else {
                    decimal::write_plain(values[row], *scale, out);
                }
                Written::Bare
            }
            Values::Text(values) => {
                out.extend_from_slice(values.value(row).as_bytes());
                Written::Text
            }
            Values::Binary(values) => {
                let bytes = values.value(row);
                let start = out.len();
                out.resize(start + bytes.len().div_ceil(3) * 4, 0);
                let room = out.get_mut(start..).unwrap_or_default();
                let written = STANDARD.encode_slice(bytes, room);
                written.expect("three bytes take four letters");
                Written::Plain
            }
            Values::Date(values) => {
                datetime::write_date(i64::from(values[row]), out);
                Written::Plain
            }
            Values::Time32(values, unit) => {
                datetime::write_time(i64::from(values[row]) * datetime::nanos_per(*unit), out);
                Written::Plain
            }
            Values::Time64(values, unit) => {
                datetime::write_time(values[row] * datetime::nanos_per(*unit), out);
                Written::Plain
            }
            Values::Other(array) => {
                let text = array_value_to_string(array, row);
                let text = text.unwrap_or_else(|error| error.to_string());
                out.extend_from_slice(text.as_bytes());
                Written::Text
            }
            Values::Timestamp(values, unit, date) => {
                datetime::write_timestamp(values[row], *unit, form.timestamp, date, out);
                Written::Plain
            }
            Values::Instant(values, unit, zone, date) => {
                let instant = values[row];
                if form.timestamp == TimestampForm::Local {
                    let local = datetime::local_units(instant, *unit, *zone);
                    datetime::write_timestamp(local, *unit, form.timestamp, date, out);
                } else {
                    datetime::write_timestamp(instant, *unit, form.timestamp, date, out);
                    out.push(b'Z');
                }
                Written::Plain
            }
        }
    }
}

impl<'a> Values<'a> {
    fn new(array: &'a ArrayRef) -> Self {
        let data_type = array.data_type();
        let unit = unit_of(data_type);
        match data_type {
            DataType::Boolean => Self::Boolean(array.as_boolean().values()),
            DataType::Int8 => Self::Int8(slice::<Int8Type>(array)),
            DataType::Int16 => Self::Int16(slice::<Int16Type>(array)),
            DataType::Int32 => Self::Int32(slice::<Int32Type>(array)),
            DataType::Int64 => Self::Int64(slice::<Int64Type>(array)),
            DataType::Float32 => Self::Float32(slice::<Float32Type>(array)),
            DataType::Float64 => Self::Float64(slice::<Float64Type>(array)),
            DataType::Decimal128(_, scale) => Self::Decimal(slice::<Decimal128Type>(array), *scale),
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::Binary => Self::Binary(array.as_binary()),
            DataType::Date32 => Self::Date(slice::<Date32Type>(array)),
            DataType::Time32(_) => Self::Time32(times32(array, unit), unit),
            DataType::Time64(_) => Self::Time64(times64(array, unit), unit),
            DataType::Timestamp(_, Some(zone)) => {
                let zone = zone.parse().expect("the planner knows the zone");
                let values = timestamps(array, unit);
                Self::Instant(values, unit, zone, WrittenDate::default())
            }
            DataType::Timestamp(_, None) => {
                Self::Timestamp(timestamps(array, unit), unit, WrittenDate::default())
            }
            _ => Self::Other(array),
        }
    }
}

/// The values of a column of short times.
pub(super) fn times32(array: &ArrayRef, unit: TimeUnit) -> &[i32] {
    match unit {
        TimeUnit::Second => slice::<Time32SecondType>(array),
        _ => slice::<Time32MillisecondType>(array),
    }
}

/// The values of a column of long times.
pub(super) fn times64(array: &ArrayRef, unit: TimeUnit) -> &[i64] {
    match unit {
        TimeUnit::Microsecond => slice::<Time64MicrosecondType>(array),
        _ => slice::<Time64NanosecondType>(array),
    }
}

/// The values of a column of timestamps.
pub(super) fn timestamps(array: &ArrayRef, unit: TimeUnit) -> &[i64] {
    match unit {
        TimeUnit::Second => slice::<TimestampSecondType>(array),
        TimeUnit::Millisecond => slice::<TimestampMillisecondType>(array),
        TimeUnit::Microsecond => slice::<TimestampMicrosecondType>(array),
        TimeUnit::Nanosecond => slice::<TimestampNanosecondType>(array),
    }
}

/// Whole numbers of any length.
#[derive(Clone, Copy, Debug)]
pub(super) enum Integers<'a> {
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
}

impl<'a> Integers<'a> {
    /// The values of a column of whole numbers.
    pub(super) fn new(array: &'a ArrayRef) -> Self {
        match array.data_type() {
            DataType::Int8 => Self::Int8(slice::<Int8Type>(array)),
            DataType::Int16 => Self::Int16(slice::<Int16Type>(array)),
            DataType::Int32 => Self::Int32(slice::<Int32Type>(array)),
            _ => Self::Int64(slice::<Int64Type>(array)),
        }
    }

    #[inline]
    pub(super) fn get(&self, row: usize) -> i64 {
        match self {
            Self::Int8(values) => values[row].into(),
            Self::Int16(values) => values[row].into(),
            Self::Int32(values) => values[row].into(),
            Self::Int64(values) => values[row],
        }
    }
}

/// The places of a row's elements among those of all rows.
pub(super) fn within(ends: &[i32], row: usize) -> std::ops::Range<usize> {
    let end = |place: usize| ends.get(place).and_then(|end| usize::try_from(*end).ok());
    end(row).unwrap_or(0)..end(row + 1).unwrap_or(0)
}

fn slice<T: ArrowPrimitiveType>(array: &ArrayRef) -> &[T::Native] {
    array.as_primitive::<T>().values()
}

/// Appends an integer.
fn write_integer(value: impl Into<i64>, out: &mut Vec<u8>) -> Written {
    digits::write_integer(value.into(), out);
    Written::Bare
}

fn write_number(value: &impl serde::Serialize, out: &mut Vec<u8>) -> Written {
    serde_json::to_writer(out, value).expect("writing a number into memory succeeds");
    Written::Bare
}

fn write_not_finite(value: f64, out: &mut Vec<u8>) -> Written {
    out.extend_from_slice(if value.is_nan() {
        b"NaN".as_slice()
    } else if value > 0.0 {
        b"Infinity"
    } else {
        b"-Infinity"
    });
    Written::NotFinite
}

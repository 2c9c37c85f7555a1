//! A column while rows are appended to it: it takes values as text, and can be
//! cut back to an earlier length, so that a refused record leaves no trace.

use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, BooleanBufferBuilder,
    NullBufferBuilder, PrimitiveArray, StringArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::datetime::{self, TimestampForm};
use super::decimal;

/// One column of the batch that a decoder builds.
#[derive(Debug)]
pub(super) struct Column {
    name: String,
    data_type: DataType,
    nullable: bool,
    values: Values,
    validity: NullBufferBuilder,
}

#[derive(Debug)]
enum Values {
    Boolean(BooleanBufferBuilder),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Decimal(Vec<i128>),
    Text(Strings),
    Binary(Strings),
    Date(Vec<i32>),
    Time(Vec<i64>),
    Timestamp(Vec<i64>),
}

/// Values of any length, one behind the other.
#[derive(Debug)]
struct Strings {
    bytes: Vec<u8>,
    ends: Vec<i32>,
}

/// Whether the formats have a form for values of this type.
pub(super) fn is_supported(data_type: &DataType) -> bool {
    Values::new(data_type).is_some()
}

impl Column {
    /// An empty column for `field`, whose type was checked when its table was resolved.
    pub(super) fn new(field: &Field) -> Self {
        Self {
            name: field.name().clone(),
            data_type: field.data_type().clone(),
            nullable: field.is_nullable(),
            values: Values::new(field.data_type())
                .expect("the types of a table are checked when its format is made"),
            validity: NullBufferBuilder::new(0),
        }
    }

    pub(super) fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// How many values it has.
    pub(super) fn len(&self) -> usize {
        self.validity.len()
    }

    /// A reason that names this column.
    pub(super) fn reason(&self, why: &str) -> String {
        format!("column '{}': {why}", self.name)
    }

    /// Appends a null.
    pub(super) fn push_null(&mut self) -> Result<(), String> {
        if !self.nullable {
            return Err(self.reason("is NOT NULL but the record has no value for it"));
        }
        self.values.push_default();
        self.validity.append_null();
        Ok(())
    }

    /// Appends the value that `text` stands for; bytes stand as base64.
    pub(super) fn push_text(&mut self, text: &str, form: TimestampForm) -> Result<(), String> {
        self.values
            .push_text(text, &self.data_type, form)
            .map_err(|why| self.reason(&why))?;
        self.validity.append_non_null();
        Ok(())
    }

    /// Appends bytes as they are to a column of bytes or, if they are UTF-8, of text.
    pub(super) fn push_raw(&mut self, raw: &[u8]) -> Result<(), String> {
        let pushed = match &mut self.values {
            Values::Binary(strings) => strings.push(raw),
            Values::Text(strings) => match std::str::from_utf8(raw) {
                Ok(_) => strings.push(raw),
                Err(error) => Err(format!("is not UTF-8 from byte {}", error.valid_up_to())),
            },
            _ => Err("takes no raw bytes".to_owned()),
        };
        pushed.map_err(|why| self.reason(&why))?;
        self.validity.append_non_null();
        Ok(())
    }

    /// Cuts it back to its first `rows` values.
    pub(super) fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.validity.truncate(rows);
    }

    /// Takes the values as an array and leaves the column empty.
    pub(super) fn finish(&mut self) -> ArrayRef {
        let nulls = self.validity.finish();
        let empty = Values::new(&self.data_type).expect("the column was made with this type");
        std::mem::replace(&mut self.values, empty).into_array(&self.data_type, nulls)
    }
}

impl Strings {
    fn new() -> Self {
        Self {
            bytes: Vec::new(),
            ends: vec![0],
        }
    }

    fn push(&mut self, value: &[u8]) -> Result<(), String> {
        let end = i32::try_from(self.bytes.len() + value.len())
            .map_err(|_| "more than 2 GiB of text in one batch".to_owned())?;
        self.bytes.extend_from_slice(value);
        self.ends.push(end);
        Ok(())
    }

    fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows + 1);
        let end = self.ends.last().copied().unwrap_or(0);
        self.bytes.truncate(usize::try_from(end).unwrap_or(0));
    }

    fn into_parts(self) -> (OffsetBuffer<i32>, Buffer) {
        (
            OffsetBuffer::new(ScalarBuffer::from(self.ends)),
            Buffer::from_vec(self.bytes),
        )
    }
}

impl Values {
    fn new(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean(BooleanBufferBuilder::new(0)),
            DataType::Int8 => Self::Int8(Vec::new()),
            DataType::Int16 => Self::Int16(Vec::new()),
            DataType::Int32 => Self::Int32(Vec::new()),
            DataType::Int64 => Self::Int64(Vec::new()),
            DataType::Float32 => Self::Float32(Vec::new()),
            DataType::Float64 => Self::Float64(Vec::new()),
            DataType::Decimal128(_, scale) if *scale >= 0 => Self::Decimal(Vec::new()),
            DataType::Utf8 => Self::Text(Strings::new()),
            DataType::Binary => Self::Binary(Strings::new()),
            DataType::Date32 => Self::Date(Vec::new()),
            DataType::Time32(_) | DataType::Time64(_) => Self::Time(Vec::new()),
            DataType::Timestamp(_, None) => Self::Timestamp(Vec::new()),
            _ => return None,
        })
    }

    fn push_default(&mut self) {
        match self {
            Self::Boolean(values) => values.append(false),
            Self::Int8(values) => values.push(0),
            Self::Int16(values) => values.push(0),
            Self::Int32(values) | Self::Date(values) => values.push(0),
            Self::Int64(values) | Self::Time(values) | Self::Timestamp(values) => values.push(0),
            Self::Float32(values) => values.push(0.0),
            Self::Float64(values) => values.push(0.0),
            Self::Decimal(values) => values.push(0),
            Self::Text(values) | Self::Binary(values) => {
                values.push(&[]).expect("an empty value needs no room");
            }
        }
    }

    fn push_text(&mut self, text: &str, of: &DataType, form: TimestampForm) -> Result<(), String> {
        match self {
            Self::Boolean(values) => match text.trim() {
                yes if yes.eq_ignore_ascii_case("true") => values.append(true),
                no if no.eq_ignore_ascii_case("false") => values.append(false),
                _ => return Err(not_a(text, of)),
            },
            Self::Int8(values) => values.push(integer(text, of)?),
            Self::Int16(values) => values.push(integer(text, of)?),
            Self::Int32(values) => values.push(integer(text, of)?),
            Self::Int64(values) => values.push(integer(text, of)?),
            Self::Float32(values) => values.push(float(text, of, f32::is_infinite)?),
            Self::Float64(values) => values.push(float(text, of, f64::is_infinite)?),
            Self::Decimal(values) => values.push(decimal_of(text, of)?),
            Self::Text(values) => values.push(text.as_bytes())?,
            Self::Binary(values) => {
                let bytes = STANDARD
                    .decode(text)
                    .map_err(|error| format!("{} is not base64: {error}", quoted(text)))?;
                values.push(&bytes)?;
            }
            Self::Date(values) => {
                let days = datetime::parse_date(text.trim());
                values.push(days.ok_or_else(|| shaped(text, of, "2020-01-31"))?);
            }
            Self::Time(values) => {
                let nanos = datetime::parse_time(text.trim());
                let nanos = nanos.ok_or_else(|| shaped(text, of, "12:00:00.123"))?;
                values.push(nanos / datetime::nanos_per(unit_of(of)));
            }
            Self::Timestamp(values) => {
                let units = datetime::parse_timestamp(text.trim(), form, unit_of(of));
                values.push(units.ok_or_else(|| shaped(text, of, form.example()))?);
            }
        }
        Ok(())
    }

    fn truncate(&mut self, rows: usize) {
        match self {
            Self::Boolean(values) => values.truncate(rows),
            Self::Int8(values) => values.truncate(rows),
            Self::Int16(values) => values.truncate(rows),
            Self::Int32(values) | Self::Date(values) => values.truncate(rows),
            Self::Int64(values) | Self::Time(values) | Self::Timestamp(values) => {
                values.truncate(rows);
            }
            Self::Float32(values) => values.truncate(rows),
            Self::Float64(values) => values.truncate(rows),
            Self::Decimal(values) => values.truncate(rows),
            Self::Text(values) | Self::Binary(values) => values.truncate(rows),
        }
    }

    fn into_array(self, of: &DataType, nulls: Option<NullBuffer>) -> ArrayRef {
        match self {
            Self::Boolean(values) => Arc::new(BooleanArray::new(values.build(), nulls)),
            Self::Int8(values) => primitive::<Int8Type>(values, of, nulls),
            Self::Int16(values) => primitive::<Int16Type>(values, of, nulls),
            Self::Int32(values) => primitive::<Int32Type>(values, of, nulls),
            Self::Int64(values) => primitive::<Int64Type>(values, of, nulls),
            Self::Float32(values) => primitive::<Float32Type>(values, of, nulls),
            Self::Float64(values) => primitive::<Float64Type>(values, of, nulls),
            Self::Decimal(values) => primitive::<Decimal128Type>(values, of, nulls),
            Self::Date(values) => primitive::<Date32Type>(values, of, nulls),
            Self::Text(strings) => {
                let (offsets, bytes) = strings.into_parts();
                Arc::new(StringArray::new(offsets, bytes, nulls))
            }
            Self::Binary(strings) => {
                let (offsets, bytes) = strings.into_parts();
                Arc::new(BinaryArray::new(offsets, bytes, nulls))
            }
            Self::Time(values) => time_array(values, of, nulls),
            Self::Timestamp(values) => match unit_of(of) {
                TimeUnit::Second => primitive::<TimestampSecondType>(values, of, nulls),
                TimeUnit::Millisecond => primitive::<TimestampMillisecondType>(values, of, nulls),
                TimeUnit::Microsecond => primitive::<TimestampMicrosecondType>(values, of, nulls),
                TimeUnit::Nanosecond => primitive::<TimestampNanosecondType>(values, of, nulls),
            },
        }
    }
}

fn time_array(values: Vec<i64>, of: &DataType, nulls: Option<NullBuffer>) -> ArrayRef {
    let narrow = |values: Vec<i64>| {
        let narrow = |value| i32::try_from(value).expect("a day has fewer milliseconds than 2^31");
        values.into_iter().map(narrow).collect::<Vec<_>>()
    };
    match unit_of(of) {
        TimeUnit::Second => primitive::<Time32SecondType>(narrow(values), of, nulls),
        TimeUnit::Millisecond => primitive::<Time32MillisecondType>(narrow(values), of, nulls),
        TimeUnit::Microsecond => primitive::<Time64MicrosecondType>(values, of, nulls),
        TimeUnit::Nanosecond => primitive::<Time64NanosecondType>(values, of, nulls),
    }
}

fn primitive<T: ArrowPrimitiveType>(
    values: Vec<T::Native>,
    of: &DataType,
    nulls: Option<NullBuffer>,
) -> ArrayRef {
    let values = ScalarBuffer::from(values);
    Arc::new(PrimitiveArray::<T>::new(values, nulls).with_data_type(of.clone()))
}

/// The unit of a time or timestamp type.
pub(super) fn unit_of(data_type: &DataType) -> TimeUnit {
    match data_type {
        DataType::Time32(unit) | DataType::Time64(unit) | DataType::Timestamp(unit, _) => *unit,
        _ => TimeUnit::Nanosecond,
    }
}

/// A whole number, also one written as `1.0` or `1e3`; a part behind the point is refused.
fn integer<T: FromStr + TryFrom<i128>>(text: &str, of: &DataType) -> Result<T, String> {
    let text = text.trim();
    if let Ok(value) = text.parse() {
        return Ok(value);
    }
    let outside = || format!("{} is outside the range of {}", quoted(text), sql_name(of));
    let scaled = match decimal::parse(text, decimal::PRECISION_MAX, 1) {
        Ok(scaled) => scaled,
        Err(decimal::Error::Overflow) => return Err(outside()),
        Err(decimal::Error::Malformed) => return Err(not_a(text, of)),
    };
    // One digit behind the point shows a fraction of a tenth or more; the exact
    // value must be the same as that of the whole part.
    let whole = scaled / 10;
    let has_fraction = scaled % 10 != 0
        || decimal::parse(text, decimal::PRECISION_MAX, 18).is_ok_and(|fine| {
            whole
                .checked_mul(1_000_000_000_000_000_000)
                .is_some_and(|expected| expected != fine)
        });
    if has_fraction {
        return Err(format!("{} is not a whole number", quoted(text)));
    }
    T::try_from(whole).map_err(|_| outside())
}

fn float<T: FromStr + Copy>(
    text: &str,
    of: &DataType,
    is_infinite: fn(T) -> bool,
) -> Result<T, String> {
    let text = text.trim();
    let spelled = matches!(text, "NaN" | "Infinity" | "-Infinity" | "+Infinity");
    let numeric = |b: &u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E');
    if !spelled && !text.as_bytes().iter().all(numeric) {
        return Err(not_a(text, of));
    }
    let value = text.parse().map_err(|_| not_a(text, of))?;
    if is_infinite(value) && !spelled {
        return Err(format!(
            "{} is outside the range of {}",
            quoted(text),
            sql_name(of)
        ));
    }
    Ok(value)
}

fn decimal_of(text: &str, of: &DataType) -> Result<i128, String> {
    let &DataType::Decimal128(precision, scale) = of else {
        return Err(not_a(text, of));
    };
    decimal::parse(text.trim(), precision, scale).map_err(|error| match error {
        decimal::Error::Malformed => not_a(text, of),
        decimal::Error::Overflow => {
            format!("{} does not fit into {}", quoted(text), sql_name(of))
        }
    })
}

/// The message for a text that is no value of a type at all.
pub(super) fn not_a(text: &str, of: &DataType) -> String {
    format!("{} is not a value of {}", quoted(text), sql_name(of))
}

fn shaped(text: &str, of: &DataType, example: &str) -> String {
    format!("{}; expected the form '{example}'", not_a(text, of))
}

/// The text in quotes, shortened for a message.
pub(super) fn quoted(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    let mut shown = String::from("'");
    for (count, c) in text.chars().enumerate() {
        if count == CHARS_MAX {
            shown.push('…');
            break;
        }
        if c.is_control() {
            write!(shown, "{}", c.escape_default()).expect("writing into memory succeeds");
        } else {
            shown.push(c);
        }
    }
    shown.push('\'');
    shown
}

/// A type as SQL names it.
pub(super) fn sql_name(data_type: &DataType) -> String {
    let digits = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    };
    match data_type {
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Float32 => "FLOAT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::Utf8 => "STRING".to_owned(),
        DataType::Binary => "BYTES".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Time32(unit) | DataType::Time64(unit) => format!("TIME({})", digits(unit)),
        DataType::Timestamp(unit, None) => format!("TIMESTAMP({})", digits(unit)),
        other => other.to_string(),
    }
}

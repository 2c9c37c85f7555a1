//! The values of one generated column: each is a pure function of its row's number.

use std::fmt::{Display, Write as _};
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, PrimitiveArray, StringArray,
};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};

use crate::connectors::generated::{RowNumbers, bounded, mix, unit_interval};
use crate::formats::{Options, parse_decimal, sql_name};

const MILLIS_PER_DAY: i64 = 86_400_000;

/// Makes the values of one column.
#[derive(Clone, Debug)]
pub(super) struct FieldGenerator {
    data_type: DataType,
    salt: u64,
    null_rate: f64,
    values: Values,
}

#[derive(Clone, Copy, Debug)]
enum Values {
    /// `start + n` up to and with `end`, unscaled if the column is a decimal.
    Sequence {
        start: i128,
        end: i128,
        step: i128,
    },
    /// Between the two, both included; unscaled if the column is a decimal.
    Integers {
        min: i128,
        max: i128,
    },
    Floats {
        min: f64,
        max: f64,
    },
    Booleans,
    Strings {
        length: u64,
        varies: bool,
    },
    Times {
        past_millis: u64,
    },
}

impl FieldGenerator {
    /// The generator of a column by its `fields.NAME.` options.
    pub(super) fn new(field: &Field, salt: u64, options: &mut Options) -> Self {
        let data_type = field.data_type().clone();
        let key = |suffix: &str| format!("fields.{}.{suffix}", field.name());
        let sequence = options.choice(
            &key("kind"),
            &[("random", false), ("sequence", true)],
            false,
        );
        let values = if sequence {
            sequence_of(&data_type, &key, options)
        } else {
            random_of(&data_type, &key, options)
        };
        let null_rate = options.parsed(&key("null-rate"), "a number").unwrap_or(0.0);
        if !(0.0..=1.0).contains(&null_rate) {
            options.reject(&key("null-rate"), "must be between 0 and 1");
        } else if null_rate > 0.0 && !field.is_nullable() {
            options.reject(&key("null-rate"), "the column is NOT NULL");
        }
        Self {
            data_type,
            salt,
            null_rate,
            values,
        }
    }

    /// After how many rows a sequence is at its end.
    pub(super) fn rows(&self) -> Option<u64> {
        match self.values {
            Values::Sequence { start, end, step } => {
                Some(u64::try_from((end - start) / step + 1).unwrap_or(u64::MAX))
            }
            _ => None,
        }
    }

    /// The values of these rows.
    pub(super) fn generate(&self, rows: &RowNumbers) -> ArrayRef {
        match &self.data_type {
            DataType::Boolean => {
                let values = self.each(rows, |n, _| self.random(n) & 1 == 1);
                Arc::new(values.collect::<BooleanArray>())
            }
            DataType::Int8 => self.integers::<Int8Type>(rows),
            DataType::Int16 => self.integers::<Int16Type>(rows),
            DataType::Int32 => self.integers::<Int32Type>(rows),
            DataType::Int64 => self.integers::<Int64Type>(rows),
            DataType::Decimal128(..) => self.integers::<Decimal128Type>(rows),
            DataType::Float64 => {
                self.primitives::<Float64Type>(self.each(rows, |n, _| self.float(n)))
            }
            #[expect(clippy::cast_possible_truncation, reason = "the bounds fit into f32")]
            DataType::Float32 => {
                self.primitives::<Float32Type>(self.each(rows, |n, _| self.float(n) as f32))
            }
            DataType::Binary => {
                let values = self.each(rows, |n, _| self.bytes(n));
                Arc::new(values.collect::<BinaryArray>())
            }
            DataType::Utf8 => {
                let values = self.each(rows, |n, _| self.text(n));
                Arc::new(values.collect::<StringArray>())
            }
            _ => self.times(rows),
        }
    }

    /// Each row's value, with its share of nulls.
    fn each<'a, T>(
        &'a self,
        rows: &'a RowNumbers,
        value: impl Fn(u64, i64) -> T + 'a,
    ) -> impl Iterator<Item = Option<T>> + 'a {
        let rows = rows.numbers.iter().zip(&rows.millis);
        rows.map(move |(&n, &millis)| (!self.is_null(n)).then(|| value(n, millis)))
    }

    fn integers<T: ArrowPrimitiveType>(&self, rows: &RowNumbers) -> ArrayRef
    where
        T::Native: TryFrom<i128>,
    {
        let narrow = |value| {
            T::Native::try_from(value)
                .unwrap_or_else(|_| unreachable!("the bounds of a column fit its type"))
        };
        self.primitives::<T>(self.each(rows, |n, _| narrow(self.integer(n))))
    }

    fn times(&self, rows: &RowNumbers) -> ArrayRef {
        let time = |n, millis: i64| millis.saturating_sub(self.past(n));
        let of_day = |n, millis| time(n, millis).rem_euclid(MILLIS_PER_DAY);
        let narrow = |value: i64| i32::try_from(value).unwrap_or(i32::MAX);
        match &self.data_type {
            DataType::Date32 => self.primitives::<Date32Type>(
                self.each(rows, |n, at| narrow(time(n, at).div_euclid(MILLIS_PER_DAY))),
            ),
            DataType::Time32(TimeUnit::Second) => self.primitives::<Time32SecondType>(
                self.each(rows, |n, at| narrow(of_day(n, at) / 1_000)),
            ),
            DataType::Time32(_) => self.primitives::<Time32MillisecondType>(
                self.each(rows, |n, at| narrow(of_day(n, at))),
            ),
            DataType::Time64(TimeUnit::Microsecond) => self.primitives::<Time64MicrosecondType>(
                self.each(rows, |n, at| of_day(n, at) * 1_000),
            ),
            DataType::Time64(_) => self.primitives::<Time64NanosecondType>(
                self.each(rows, |n, at| of_day(n, at) * 1_000_000),
            ),
            DataType::Timestamp(TimeUnit::Second, _) => self.primitives::<TimestampSecondType>(
                self.each(rows, |n, at| time(n, at).div_euclid(1_000)),
            ),
            DataType::Timestamp(TimeUnit::Microsecond, _) => self
                .primitives::<TimestampMicrosecondType>(
                    self.each(rows, |n, at| time(n, at).saturating_mul(1_000)),
                ),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => self
                .primitives::<TimestampNanosecondType>(
                    self.each(rows, |n, at| time(n, at).saturating_mul(1_000_000)),
                ),
            _ => self.primitives::<TimestampMillisecondType>(self.each(rows, time)),
        }
    }

    fn primitives<T: ArrowPrimitiveType>(
        &self,
        values: impl Iterator<Item = Option<T::Native>>,
    ) -> ArrayRef {
        let values: PrimitiveArray<T> = values.collect();
        Arc::new(values.with_data_type(self.data_type.clone()))
    }

    fn is_null(&self, n: u64) -> bool {
        self.null_rate > 0.0 && unit_interval(mix(self.salt ^ 0x6e75_6c6c, n)) < self.null_rate
    }

    fn random(&self, n: u64) -> u64 {
        mix(self.salt, n)
    }

    fn integer(&self, n: u64) -> i128 {
        match self.values {
            Values::Sequence { start, step, .. } => start + i128::from(n) * step,
            Values::Integers { min, max } => {
                let count = max.abs_diff(min) + 1;
                if let Ok(count) = u64::try_from(count) {
                    return min + i128::from(bounded(self.random(n), count));
                }
                let wide = u128::from(self.random(n)) << 64 | u128::from(mix(!self.salt, n));
                min + i128::try_from(wide % count).expect("a column's range is below 2^127")
            }
            _ => unreachable!("a column of integers has integers"),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a DOUBLE is not exact")]
    fn float(&self, n: u64) -> f64 {
        match self.values {
            Values::Sequence { start, step, .. } => (start + i128::from(n) * step) as f64,
            Values::Floats { min, max } => {
                let share = unit_interval(self.random(n));
                // Not min + share * (max - min): the difference may be too large.
                min * (1.0 - share) + max * share
            }
            _ => unreachable!("a column of floats has floats"),
        }
    }

    fn length(&self, n: u64) -> usize {
        match self.values {
            Values::Strings {
                length,
                varies: true,
            } if length > 0 => {
                usize::try_from(mix(!self.salt, n) % length + 1).unwrap_or(usize::MAX)
            }
            Values::Strings { length, .. } => usize::try_from(length).unwrap_or(usize::MAX),
            _ => 0,
        }
    }

    fn text(&self, n: u64) -> String {
        if let Values::Sequence { start, step, .. } = self.values {
            return (start + i128::from(n) * step).to_string();
        }
        let length = self.length(n);
        let mut text = String::with_capacity(length + 16);
        let mut block = self.random(n);
        while text.len() < length {
            write!(text, "{block:016x}").expect("writing into memory succeeds");
            block = mix(self.salt, block);
        }
        text.truncate(length);
        text
    }

    fn bytes(&self, n: u64) -> Vec<u8> {
        let length = self.length(n);
        let mut bytes = Vec::with_capacity(length + 8);
        let mut block = self.random(n);
        while bytes.len() < length {
            bytes.extend_from_slice(&block.to_le_bytes());
            block = mix(self.salt, block);
        }
        bytes.truncate(length);
        bytes
    }

    fn past(&self, n: u64) -> i64 {
        match self.values {
            Values::Times { past_millis } if past_millis > 0 => {
                i64::try_from(self.random(n) % (past_millis + 1)).unwrap_or(i64::MAX)
            }
            _ => 0,
        }
    }
}

fn sequence_of(
    data_type: &DataType,
    key: &impl Fn(&str) -> String,
    options: &mut Options,
) -> Values {
    let step = match data_type {
        DataType::Decimal128(_, scale) => 10_i128.pow(u32::try_from(*scale).unwrap_or(0)),
        _ => 1,
    };
    let bounds = bounds_of(data_type);
    if bounds.is_none()
        && !matches!(
            data_type,
            DataType::Float32 | DataType::Float64 | DataType::Utf8
        )
    {
        let name = sql_name(data_type);
        options.reject(&key("kind"), format!("there are no sequences of {name}"));
    }
    let mut bound = |suffix: &str| {
        if options.text(&key(suffix)).is_none() {
            options.reject_table(format!(
                "option '{}' is required for a sequence",
                key(suffix)
            ));
        }
        let value = options.parsed::<i64>(&key(suffix), "a whole number");
        let value = i128::from(value.unwrap_or(0)).saturating_mul(step);
        if bounds.is_some_and(|(min, max)| value < min || value > max) {
            options.reject(
                &key(suffix),
                format!("does not fit into {}", sql_name(data_type)),
            );
        }
        value
    };
    let (start, end) = (bound("start"), bound("end"));
    if end < start {
        options.reject(&key("end"), "is less than the start");
    }
    Values::Sequence { start, end, step }
}

fn random_of(data_type: &DataType, key: &impl Fn(&str) -> String, options: &mut Options) -> Values {
    match data_type {
        DataType::Boolean => Values::Booleans,
        DataType::Float32 => floats(f64::from(f32::MIN), f64::from(f32::MAX), key, options),
        DataType::Float64 => floats(f64::MIN, f64::MAX, key, options),
        DataType::Utf8 | DataType::Binary => {
            let length = options
                .parsed(&key("length"), "a whole number")
                .unwrap_or(100);
            if length > 1 << 20 {
                options.reject(&key("length"), "must be at most 1048576");
            }
            Values::Strings {
                length: length.min(1 << 20),
                varies: options.boolean(&key("var-len"), false),
            }
        }
        DataType::Decimal128(precision, scale) => {
            let (precision, scale) = (*precision, *scale);
            let parse = move |text: &str| parse_decimal(text, precision, scale);
            integers(data_type, parse, key, options)
        }
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            integers(data_type, |text| i128::from_str(text).ok(), key, options)
        }
        _ => {
            let past = options.duration(&key("max-past")).unwrap_or_default();
            Values::Times {
                past_millis: u64::try_from(past.as_millis()).unwrap_or(u64::MAX - 1),
            }
        }
    }
}

fn integers(
    data_type: &DataType,
    parse: impl Fn(&str) -> Option<i128>,
    key: &impl Fn(&str) -> String,
    options: &mut Options,
) -> Values {
    let (least, greatest) = bounds_of(data_type).unwrap_or((0, 0));
    let mut bound = |suffix: &str, default| {
        let Some(text) = options.text(&key(suffix)) else {
            return default;
        };
        let parsed = parse(text.trim()).filter(|value| (least..=greatest).contains(value));
        parsed.unwrap_or_else(|| {
            options.reject(
                &key(suffix),
                format!("'{text}' is no {}", sql_name(data_type)),
            );
            default
        })
    };
    let (min, max) = (bound("min", least), bound("max", greatest));
    check_order(&min, &max, key, options);
    Values::Integers { min, max }
}

fn floats(
    least: f64,
    greatest: f64,
    key: &impl Fn(&str) -> String,
    options: &mut Options,
) -> Values {
    let mut bound = |suffix: &str, default| {
        let value = options.parsed(&key(suffix), "a number").unwrap_or(default);
        if !(least..=greatest).contains(&value) {
            options.reject(&key(suffix), "is outside the range of the type");
        }
        value
    };
    let (min, max) = (bound("min", least), bound("max", greatest));
    check_order(&min, &max, key, options);
    Values::Floats { min, max }
}

fn check_order<T: PartialOrd + Display>(
    min: &T,
    max: &T,
    key: &impl Fn(&str) -> String,
    options: &mut Options,
) {
    if max < min {
        options.reject(&key("max"), format!("{max} is less than the minimum {min}"));
    }
}

/// The least and the greatest value of a type of exact numbers, unscaled.
fn bounds_of(data_type: &DataType) -> Option<(i128, i128)> {
    Some(match data_type {
        DataType::Int8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => (i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 => (i32::MIN.into(), i32::MAX.into()),
        DataType::Int64 => (i64::MIN.into(), i64::MAX.into()),
        DataType::Decimal128(precision, _) => {
            let greatest = 10_i128.pow(u32::from(*precision).min(38)) - 1;
            // All 38 digits to both sides would not fit into a range of 128 bits.
            let least = if *precision >= 38 { 0 } else { -greatest };
            (least, greatest)
        }
        _ => return None,
    })
}

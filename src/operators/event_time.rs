//! Event time as operators read it: milliseconds, whatever a column counts in.

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};

/// A column of event time.
#[derive(Debug)]
pub struct EventTimes<'a> {
    /// Milliseconds since 1970, rounded down; anything where the time is null.
    pub millis: Cow<'a, [i64]>,
    /// Which rows have a time; `None` if all have.
    pub nulls: Option<&'a NullBuffer>,
}

impl<'a> EventTimes<'a> {
    /// The times of a column.
    ///
    /// # Panics
    /// If the column is no timestamp; the planner lets none through.
    pub fn new(column: &'a ArrayRef) -> Self {
        let DataType::Timestamp(unit, _) = column.data_type() else {
            panic!("event time of type {}", column.data_type());
        };
        let millis = match unit {
            TimeUnit::Second => {
                converted::<TimestampSecondType>(column, |seconds| seconds.saturating_mul(1_000))
            }
            TimeUnit::Millisecond => {
                let values = column.as_primitive::<TimestampMillisecondType>().values();
                Cow::Borrowed(values.as_ref())
            }
            TimeUnit::Microsecond => {
                converted::<TimestampMicrosecondType>(column, |micros| micros.div_euclid(1_000))
            }
            TimeUnit::Nanosecond => {
                converted::<TimestampNanosecondType>(column, |nanos| nanos.div_euclid(1_000_000))
            }
        };
        Self {
            millis,
            nulls: column.nulls().filter(|nulls| nulls.null_count() > 0),
        }
    }

    /// The time of each row.
    pub fn iter(&self) -> impl Iterator<Item = Option<i64>> {
        let rows = self.millis.iter().enumerate();
        rows.map(|(row, &millis)| {
            let has_time = self.nulls.is_none_or(|nulls| nulls.is_valid(row));
            has_time.then_some(millis)
        })
    }
}

fn converted<T: ArrowPrimitiveType<Native = i64>>(
    column: &ArrayRef,
    to_millis: impl Fn(i64) -> i64,
) -> Cow<'_, [i64]> {
    let values = column.as_primitive::<T>().values();
    values.iter().map(|&value| to_millis(value)).collect()
}

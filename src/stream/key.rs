//! Key groups: which group a row's key belongs to, and which task owns a group.
//!
//! The hash is part of the format of the state: two versions of the program must
//! put a key into the same group. It depends on the values alone, not on their
//! type's width, so that `INT` and `BIGINT` keys of one value meet.

use std::fmt;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// The name of the hash function, kept in the state's metadata.
pub const HASH_FUNCTION: &str = "thalweg-1";

/// Where the hash of every key begins, so that the key 0 is not group 0 for ever:
/// the first bits of pi.
const SEED: u64 = 0x243f_6a88_85a3_08d3;

/// Null hashes like no other value: the golden ratio's bits.
const NULL_HASH: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number of a key group: the unit of everything that moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyGroup(pub u16);

/// Key groups `start..end` of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyRange {
    /// The first group.
    pub start: u16,
    /// One past the last group.
    pub end: u16,
}

impl KeyRange {
    /// Whether `group` lies in it.
    pub fn contains(self, group: KeyGroup) -> bool {
        (self.start..self.end).contains(&group.0)
    }

    /// Its groups, in order.
    pub fn groups(self) -> impl Iterator<Item = KeyGroup> {
        (self.start..self.end).map(KeyGroup)
    }
}

impl fmt::Display for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// The fixed number of key groups of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyGroups(u16);

impl KeyGroups {
    /// What a job gets if it does not say.
    pub const DEFAULT: Self = Self(128);

    /// `count` key groups, if that is a number from 1 to 32,768.
    pub fn new(count: u16) -> Option<Self> {
        (1..=32_768).contains(&count).then_some(Self(count))
    }

    /// How many there are.
    pub fn count(self) -> u16 {
        self.0
    }

    /// The range that holds them all.
    pub fn all(self) -> KeyRange {
        KeyRange {
            start: 0,
            end: self.0,
        }
    }

    /// The group of a key with this hash.
    pub fn group_of(self, hash: u64) -> KeyGroup {
        // The high bits choose, as a fraction of the whole range.
        let group = (u128::from(hash) * u128::from(self.0)) >> 64;
        KeyGroup(u16::try_from(group).expect("a fraction of a u16 is a u16"))
    }

    /// The groups of task `index` when `parallelism` tasks share them evenly.
    pub fn range_of_task(self, index: usize, parallelism: usize) -> KeyRange {
        let bound = |task: usize| {
            let start = (task * usize::from(self.0)).div_ceil(parallelism);
            u16::try_from(start).expect("a task's first group is at most their number")
        };
        KeyRange {
            start: bound(index),
            end: bound(index + 1),
        }
    }

    /// The task that owns `group` when `parallelism` tasks share them evenly.
    pub fn task_of(self, group: KeyGroup, parallelism: usize) -> usize {
        usize::from(group.0) * parallelism / usize::from(self.0)
    }

    /// The key group of each row, from its key columns.
    ///
    /// # Panics
    /// If a column's type cannot be a key; the planner lets none through
    /// (see [`is_key_type`]).
    pub fn of_rows(self, keys: &[ArrayRef], rows: usize) -> Vec<KeyGroup> {
        let mut hashes = vec![SEED; rows];
        for column in keys {
            hash_column(column, &mut hashes);
        }
        hashes.into_iter().map(|hash| self.group_of(hash)).collect()
    }
}

/// Whether a column of this type can be part of a key.
pub fn is_key_type(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Boolean
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Float32
            | DataType::Float64
            | DataType::Decimal128(_, _)
            | DataType::Date32
            | DataType::Time32(_)
            | DataType::Time64(_)
            | DataType::Timestamp(_, _)
            | DataType::Utf8
            | DataType::Binary
    )
}

/// Folds a column's values into the hash of each row.
fn hash_column(column: &ArrayRef, hashes: &mut [u64]) {
    match column.data_type() {
        DataType::Boolean => hash_boolean(column.as_boolean(), hashes),
        DataType::Int8 => hash_integers::<Int8Type>(column, hashes),
        DataType::Int16 => hash_integers::<Int16Type>(column, hashes),
        DataType::Int32 => hash_integers::<Int32Type>(column, hashes),
        DataType::Int64 => hash_integers::<Int64Type>(column, hashes),
        DataType::Date32 => hash_integers::<Date32Type>(column, hashes),
        DataType::Time32(TimeUnit::Second) => hash_integers::<Time32SecondType>(column, hashes),
        DataType::Time32(_) => hash_integers::<Time32MillisecondType>(column, hashes),
        DataType::Time64(TimeUnit::Microsecond) => {
            hash_integers::<Time64MicrosecondType>(column, hashes);
        }
        DataType::Time64(_) => hash_integers::<Time64NanosecondType>(column, hashes),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => hash_integers::<TimestampSecondType>(column, hashes),
            TimeUnit::Millisecond => hash_integers::<TimestampMillisecondType>(column, hashes),
            TimeUnit::Microsecond => hash_integers::<TimestampMicrosecondType>(column, hashes),
            TimeUnit::Nanosecond => hash_integers::<TimestampNanosecondType>(column, hashes),
        },
        DataType::Float32 => {
            let values = column.as_primitive::<Float32Type>();
            fold(column, hashes, |row| hash_float(values.value(row).into()));
        }
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>();
            fold(column, hashes, |row| hash_float(values.value(row)));
        }
        DataType::Decimal128(_, _) => {
            let values = column.as_primitive::<Decimal128Type>();
            fold(column, hashes, |row| {
                xxh3_64(&values.value(row).to_le_bytes())
            });
        }
        DataType::Utf8 => {
            let values = column.as_string::<i32>();
            fold(column, hashes, |row| xxh3_64(values.value(row).as_bytes()));
        }
        DataType::Binary => {
            let values = column.as_binary::<i32>();
            fold(column, hashes, |row| xxh3_64(values.value(row)));
        }
        other => panic!("a column of type {other} cannot be a key"),
    }
}

fn hash_boolean(values: &BooleanArray, hashes: &mut [u64]) {
    fold(values, hashes, |row| mix(u64::from(values.value(row))));
}

fn hash_integers<T>(column: &ArrayRef, hashes: &mut [u64])
where
    T: ArrowPrimitiveType<Native: Into<i64>>,
{
    let values = column.as_primitive::<T>();
    fold(column, hashes, |row| {
        mix(values.value(row).into().cast_unsigned())
    });
}

/// Zero has two signs and NaN many bits; each is one key.
fn hash_float(value: f64) -> u64 {
    let canonical = if value.is_nan() {
        f64::NAN
    } else if value == 0.0 {
        0.0
    } else {
        value
    };
    mix(canonical.to_bits())
}

fn fold(column: &dyn Array, hashes: &mut [u64], hash_of: impl Fn(usize) -> u64) {
    for (row, hash) in hashes.iter_mut().enumerate() {
        let value = if column.is_valid(row) {
            hash_of(row)
        } else {
            NULL_HASH
        };
        *hash = mix(hash.rotate_left(5) ^ value);
    }
}

/// The finaliser of `MurmurHash3` (Appleby, public domain): every input bit
/// reaches every output bit.
fn mix(mut bits: u64) -> u64 {
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ (bits >> 33)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, Int64Array, StringArray};

    use super::*;

    #[test]
    fn ranges_of_tasks_cover_all_groups_once() {
        for groups in [1, 2, 7, 128, 1_024] {
            let groups = KeyGroups::new(groups).unwrap();
            for parallelism in 1..=9 {
                let mut next = 0;
                for task in 0..parallelism {
                    let range = groups.range_of_task(task, parallelism);
                    assert_eq!(range.start, next);
                    next = range.end;
                    for group in range.groups() {
                        assert_eq!(groups.task_of(group, parallelism), task);
                    }
                }
                assert_eq!(next, groups.count());
            }
        }
    }

    /// The hash is a format: these answers may never change.
    #[test]
    fn hash_is_fixed() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(0), Some(1), Some(-1), None]));
        let names: ArrayRef = Arc::new(StringArray::from(vec!["", "a", "thalweg", "x"]));
        let groups = KeyGroups::new(1_024).unwrap();
        let of = |columns: &[ArrayRef]| -> Vec<u16> {
            let groups = groups.of_rows(columns, 4);
            groups.into_iter().map(|group| group.0).collect()
        };
        assert_eq!(of(std::slice::from_ref(&numbers)), [985, 406, 273, 354]);
        assert_eq!(of(std::slice::from_ref(&names)), [502, 746, 898, 185]);
        assert_eq!(of(&[numbers, names]), [612, 964, 905, 360]);
    }

    #[test]
    fn width_of_an_integer_does_not_matter() {
        let narrow: ArrayRef = Arc::new(Int32Array::from(vec![5, -7]));
        let wide: ArrayRef = Arc::new(Int64Array::from(vec![5, -7]));
        assert_eq!(
            KeyGroups::DEFAULT.of_rows(&[narrow], 2),
            KeyGroups::DEFAULT.of_rows(&[wide], 2),
        );
    }
}

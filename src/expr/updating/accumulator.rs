//! What is kept of one call for every key, by index: numbers and single values.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::{
    ArrowPrimitiveType, DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Float64Type, Int64Type,
    Schema,
};

use super::collected::Collected;
use super::collection::Collection;
use super::rows::SelectedRows;
use super::sketches::Sketches;
use crate::expr::sketch::check_hashed;
use crate::expr::{AggregateCall, AggregateFunction, Error, KeyIndex, Result, RowBytes};

/// One call for all keys.
pub(super) trait Accumulator: Send {
    /// Makes room for so many indexes.
    fn grow(&mut self, indexes: usize);

    /// Takes rows in.
    fn update(&mut self, rows: &SelectedRows, keys: &KeyIndex) -> Result<()>;

    /// The results of indexes.
    fn results(&self, indexes: &[u32]) -> Result<ArrayRef>;

    /// Forgets an index, whose key was `key`.
    fn clear(&mut self, index: u32, key: &[u8]);

    /// The types of its columns in the row of a key.
    fn state_types(&self) -> Vec<DataType> {
        Vec::new()
    }

    /// Its columns in the rows of indexes.
    fn states(&self, indexes: &[u32]) -> Result<Vec<ArrayRef>> {
        let _ = indexes;
        Ok(Vec::new())
    }

    /// Takes its columns back.
    fn restore(&mut self, indexes: &[u32], states: &[ArrayRef]) -> Result<()> {
        let _ = (indexes, states);
        Ok(())
    }

    /// The values that it keeps beside the row of a key, if it does.
    fn collection(&mut self) -> Option<&mut Collection> {
        None
    }
}

/// The accumulator of a call over values of type `value`. Where rows may be taken back, the
/// least, first or last value needs all the others as well.
///
/// # Errors
/// If there is none for that type.
pub(super) fn accumulator(
    call: &AggregateCall,
    value: &DataType,
    keys: &Schema,
    retracts: bool,
) -> Result<Box<dyn Accumulator>> {
    use AggregateFunction as Function;
    let kept = match &call.function {
        Function::Count => return Ok(Box::new(Count::default())),
        Function::Sum => return sum(value),
        Function::Min => Kept::Least,
        Function::Max => Kept::Greatest,
        Function::First => Kept::First,
        Function::Last => Kept::Last,
        Function::ApproximateCount if retracts => {
            return Err(Error(format!("{} cannot take rows back", call.function)));
        }
        Function::ApproximateCount => {
            check_hashed(value)?;
            return Ok(Box::new(Sketches::default()));
        }
        Function::Text { .. } | Function::Array | Function::Multiset => {
            return Ok(Box::new(Collected::new(call, value, keys)?));
        }
    };
    if retracts {
        return Ok(Box::new(Collected::new(call, value, keys)?));
    }
    Ok(Box::new(Single::new(kept, value)?))
}

/// How many rows there are, or values that are not null.
#[derive(Default)]
struct Count {
    counts: Vec<i64>,
}

impl Accumulator for Count {
    fn grow(&mut self, indexes: usize) {
        self.counts.resize(indexes, 0);
    }

    fn update(&mut self, rows: &SelectedRows, _: &KeyIndex) -> Result<()> {
        for (row, &index) in rows.indexes.iter().enumerate() {
            self.counts[index as usize] += if rows.adds(row) { 1 } else { -1 };
        }
        Ok(())
    }

    fn results(&self, indexes: &[u32]) -> Result<ArrayRef> {
        let counts = indexes.iter().map(|&index| self.counts[index as usize]);
        Ok(Arc::new(Int64Array::from_iter_values(counts)))
    }

    fn clear(&mut self, index: u32, _: &[u8]) {
        self.counts[index as usize] = 0;
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Int64]
    }

    fn states(&self, indexes: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.results(indexes)?])
    }

    fn restore(&mut self, indexes: &[u32], states: &[ArrayRef]) -> Result<()> {
        let counts = states[0].as_primitive::<Int64Type>();
        for (&index, &count) in indexes.iter().zip(counts.values()) {
            self.counts[index as usize] = count;
        }
        Ok(())
    }
}

fn sum(value: &DataType) -> Result<Box<dyn Accumulator>> {
    Ok(match value {
        DataType::Int64 => Box::new(Sum::<Int64Type>::new(value)),
        DataType::Float64 => Box::new(Sum::<Float64Type>::new(value)),
        DataType::Decimal128(_, _) => Box::new(Sum::<Decimal128Type>::new(value)),
        other => return Err(Error(format!("there is no sum of values of type {other}"))),
    })
}

/// A type whose values are added up.
trait Summed: ArrowPrimitiveType {
    fn plus(sum: Self::Native, value: Self::Native) -> Self::Native;
    fn minus(sum: Self::Native, value: Self::Native) -> Self::Native;
    fn array(sums: impl Iterator<Item = Option<Self::Native>>, of: &DataType) -> ArrayRef;
}

impl Summed for Int64Type {
    fn plus(sum: i64, value: i64) -> i64 {
        sum.wrapping_add(value)
    }
    fn minus(sum: i64, value: i64) -> i64 {
        sum.wrapping_sub(value)
    }
    fn array(sums: impl Iterator<Item = Option<i64>>, _: &DataType) -> ArrayRef {
        Arc::new(sums.collect::<Int64Array>())
    }
}

impl Summed for Float64Type {
    fn plus(sum: f64, value: f64) -> f64 {
        sum + value
    }
    fn minus(sum: f64, value: f64) -> f64 {
        sum - value
    }
    fn array(sums: impl Iterator<Item = Option<f64>>, _: &DataType) -> ArrayRef {
        Arc::new(sums.collect::<Float64Array>())
    }
}

impl Summed for Decimal128Type {
    fn plus(sum: i128, value: i128) -> i128 {
        sum.wrapping_add(value)
    }
    fn minus(sum: i128, value: i128) -> i128 {
        sum.wrapping_sub(value)
    }
    /// A sum with more digits than there can be is null, as in Flink.
    fn array(sums: impl Iterator<Item = Option<i128>>, of: &DataType) -> ArrayRef {
        let limit = 10_i128.pow(u32::from(DECIMAL128_MAX_PRECISION));
        let sums = sums.map(|sum| sum.filter(|sum| (1 - limit..limit).contains(sum)));
        Arc::new(sums.collect::<Decimal128Array>().with_data_type(of.clone()))
    }
}

/// The sum of values, and how many they are.
struct Sum<T: Summed> {
    data_type: DataType,
    sums: Vec<T::Native>,
    counts: Count,
}

impl<T: Summed> Sum<T> {
    fn new(data_type: &DataType) -> Self {
        Self {
            data_type: data_type.clone(),
            sums: Vec::new(),
            counts: Count::default(),
        }
    }
}

impl<T: Summed> Accumulator for Sum<T> {
    fn grow(&mut self, indexes: usize) {
        self.sums.resize(indexes, T::Native::default());
        self.counts.grow(indexes);
    }

    fn update(&mut self, rows: &SelectedRows, keys: &KeyIndex) -> Result<()> {
        let values = rows.value.as_primitive::<T>().values();
        for (row, (&index, &value)) in rows.indexes.iter().zip(values).enumerate() {
            let sum = &mut self.sums[index as usize];
            *sum = if rows.adds(row) {
                T::plus(*sum, value)
            } else {
                T::minus(*sum, value)
            };
        }
        self.counts.update(rows, keys)
    }

    fn results(&self, indexes: &[u32]) -> Result<ArrayRef> {
        let sums = indexes.iter().map(|&index| {
            let index = index as usize;
            (self.counts.counts[index] > 0).then_some(self.sums[index])
        });
        Ok(T::array(sums, &self.data_type))
    }

    fn clear(&mut self, index: u32, key: &[u8]) {
        self.sums[index as usize] = T::Native::default();
        self.counts.clear(index, key);
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.data_type.clone(), DataType::Int64]
    }

    fn states(&self, indexes: &[u32]) -> Result<Vec<ArrayRef>> {
        let sums = indexes.iter().map(|&index| Some(self.sums[index as usize]));
        let sums = T::array(sums, &self.data_type);
        Ok(vec![sums, self.counts.results(indexes)?])
    }

    fn restore(&mut self, indexes: &[u32], states: &[ArrayRef]) -> Result<()> {
        let sums = states[0].as_primitive::<T>();
        for (&index, &sum) in indexes.iter().zip(sums.values()) {
            self.sums[index as usize] = sum;
        }
        self.counts.restore(indexes, &states[1..])
    }
}

/// Which value is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Least,
    Greatest,
    First,
    Last,
}

/// One value of each key, of rows that are never taken back.
struct Single {
    kept: Kept,
    data_type: DataType,
    bytes: RowBytes,
    /// By index, as bytes, so that their bytes sort as they do.
    values: Vec<Option<Box<[u8]>>>,
}

impl Single {
    fn new(kept: Kept, value: &DataType) -> Result<Self> {
        let column = arrow::datatypes::Field::new("value", value.clone(), true);
        Ok(Self {
            kept,
            data_type: value.clone(),
            bytes: RowBytes::new(&vec![column].into())?,
            values: Vec::new(),
        })
    }
}

impl Accumulator for Single {
    fn grow(&mut self, indexes: usize) {
        self.values.resize(indexes, None);
    }

    fn update(&mut self, rows: &SelectedRows, _: &KeyIndex) -> Result<()> {
        let values = self.bytes.encode(&[Arc::clone(&rows.value)])?;
        for (row, &index) in rows.indexes.iter().enumerate() {
            let (own, new) = (&mut self.values[index as usize], values.row(row));
            let is_kept = own.as_ref().is_none_or(|own| match self.kept {
                Kept::Least => *new < **own,
                Kept::Greatest => *new > **own,
                Kept::First => false,
                Kept::Last => true,
            });
            if is_kept {
                *own = Some(new.into());
            }
        }
        Ok(())
    }

    fn results(&self, indexes: &[u32]) -> Result<ArrayRef> {
        let values = indexes
            .iter()
            .map(|&index| self.values[index as usize].as_deref());
        one_or_null(&self.bytes, values)
    }

    fn clear(&mut self, index: u32, _: &[u8]) {
        self.values[index as usize] = None;
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.data_type.clone()]
    }

    fn states(&self, indexes: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.results(indexes)?])
    }

    fn restore(&mut self, indexes: &[u32], states: &[ArrayRef]) -> Result<()> {
        let values = self.bytes.encode(&states[..1])?;
        for (row, &index) in indexes.iter().enumerate() {
            let there = states[0].is_valid(row);
            self.values[index as usize] = there.then(|| values.row(row).into());
        }
        Ok(())
    }
}

/// The last columns of rows; null where there is none.
pub(super) fn one_or_null<'a>(
    bytes: &RowBytes,
    rows: impl Iterator<Item = Option<&'a [u8]>>,
) -> Result<ArrayRef> {
    let mut there = Vec::new();
    let places = rows.map(|row| {
        let row = row?;
        there.push(row);
        Some(u32::try_from(there.len() - 1).expect("a batch has fewer than 2^32 rows"))
    });
    let places: UInt32Array = places.collect();
    let mut columns = bytes.decode(there)?;
    let values = columns
        .pop()
        .ok_or_else(|| Error("a value has no column".to_owned()))?;
    Ok(take(&values, &places, None)?)
}

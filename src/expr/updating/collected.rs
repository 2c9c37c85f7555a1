//! Aggregates over all values of a key.

use arrow::array::{ArrayRef, Int32Array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Schema};

use super::accumulator::Accumulator;
use super::collection::{Collection, Order};
use super::rows::SelectedRows;
use crate::expr::listed_values::ListedValues;
use crate::expr::{AggregateCall, AggregateFunction, KeyIndex, Result};

/// A call whose result is made of the values that there are.
pub(super) struct Collected {
    function: AggregateFunction,
    result: DataType,
    values: Collection,
}

impl Collected {
    pub fn new(call: &AggregateCall, value: &DataType, keys: &Schema) -> Result<Self> {
        use AggregateFunction as Function;
        let order = match call.function {
            Function::Min | Function::Max | Function::Multiset => Order::ByValue,
            _ => Order::ByArrival,
        };
        Ok(Self {
            function: call.function.clone(),
            result: call.result.data_type().clone(),
            values: Collection::new(order, keys, value)?,
        })
    }

    /// All values of keys, one key behind the other.
    fn all(&self, indexes: &[u32]) -> Result<ListedValues> {
        let mut ids = Vec::new();
        let mut counts = Vec::new();
        let mut lengths = Vec::with_capacity(indexes.len());
        for &index in indexes {
            let before = ids.len();
            for (id, count) in self.values.values(index) {
                ids.push(id);
                counts.push(i32::try_from(count).unwrap_or(i32::MAX));
            }
            lengths.push(ids.len() - before);
        }
        Ok(ListedValues {
            offsets: OffsetBuffer::from_lengths(lengths),
            values: self.values.values_of(ids.into_iter())?,
            counts: Some(Int32Array::from(counts)),
        })
    }
}

impl Accumulator for Collected {
    fn grow(&mut self, indexes: usize) {
        self.values.grow(indexes);
    }

    fn update(&mut self, rows: &SelectedRows, keys: &KeyIndex) -> Result<()> {
        self.values.update(rows, keys)?;
        Ok(())
    }

    fn results(&self, indexes: &[u32]) -> Result<ArrayRef> {
        use AggregateFunction as Function;
        match &self.function {
            Function::Min | Function::First => self.values.one_or_null(indexes, Collection::first),
            Function::Max | Function::Last => self.values.one_or_null(indexes, Collection::last),
            function => self.all(indexes)?.result(function, &self.result),
        }
    }

    fn clear(&mut self, index: u32, key: &[u8]) {
        self.values.clear(index, key);
    }

    fn collection(&mut self) -> Option<&mut Collection> {
        Some(&mut self.values)
    }
}

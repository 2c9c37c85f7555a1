//! Aggregates over all values of a key.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int32Array, ListArray, MapArray, StringBuilder, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Schema};

use super::accumulator::Accumulator;
use super::collection::{Collection, Order};
use super::keys::KeyIndex;
use super::rows::SelectedRows;
use crate::expr::{AggregateCall, AggregateFunction, Error, Result};

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

    /// All values of indexes, where those of each begin, how often each is there, and which
    /// indexes have some.
    fn all(&self, indexes: &[u32]) -> Result<AllValues> {
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
        Ok(AllValues {
            there: lengths
                .iter()
                .map(|length| *length > 0)
                .collect::<Vec<_>>()
                .into(),
            offsets: OffsetBuffer::from_lengths(lengths),
            values: self.values.values_of(ids.into_iter())?,
            counts: Int32Array::from(counts),
        })
    }
}

struct AllValues {
    offsets: OffsetBuffer<i32>,
    values: ArrayRef,
    counts: Int32Array,
    there: NullBuffer,
}

impl AllValues {
    fn text(&self, separator: &str) -> ArrayRef {
        let values = self.values.as_string::<i32>();
        let mut texts = StringBuilder::new();
        let mut all = values.iter().flatten();
        for (row, length) in self.offsets.lengths().enumerate() {
            if self.there.is_null(row) {
                texts.append_null();
                continue;
            }
            let of_row: Vec<_> = all.by_ref().take(length).collect();
            texts.append_value(of_row.join(separator));
        }
        Arc::new(texts.finish())
    }

    fn array(self, data_type: &DataType) -> Result<ArrayRef> {
        let DataType::List(element) = data_type else {
            return Err(Error(format!("{data_type} is no array")));
        };
        let element = Arc::clone(element);
        let array = ListArray::try_new(element, self.offsets, self.values, Some(self.there));
        Ok(Arc::new(array?))
    }

    fn multiset(self, data_type: &DataType) -> Result<ArrayRef> {
        let DataType::Map(entries, sorted) = data_type else {
            return Err(Error(format!("{data_type} is no multiset")));
        };
        let DataType::Struct(fields) = entries.data_type() else {
            return Err(Error(format!("{data_type} has no entries")));
        };
        let columns = vec![self.values, Arc::new(self.counts) as ArrayRef];
        let values = StructArray::try_new(fields.clone(), columns, None)?;
        let entries = Arc::clone(entries);
        let map = MapArray::try_new(entries, self.offsets, values, Some(self.there), *sorted);
        Ok(Arc::new(map?))
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
            Function::Text { separator } => Ok(self.all(indexes)?.text(separator)),
            Function::Array => self.all(indexes)?.array(&self.result),
            Function::Multiset => self.all(indexes)?.multiset(&self.result),
            Function::Count | Function::Sum => {
                Err(Error(format!("{} keeps no values", self.function)))
            }
        }
    }

    fn clear(&mut self, index: u32, key: &[u8]) {
        self.values.clear(index, key);
    }

    fn collection(&mut self) -> Option<&mut Collection> {
        Some(&mut self.values)
    }
}

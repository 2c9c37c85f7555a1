//! The values of keys, listed one key behind the other, and what aggregates make of them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int32Array, ListArray, MapArray, StringBuilder, StructArray, UInt32Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::take;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};

use super::{AggregateFunction, Error, Result};

/// The values of some keys.
pub(super) struct ListedValues {
    /// Where the values of each key begin and end.
    pub offsets: OffsetBuffer<i32>,
    pub values: ArrayRef,
    /// How often each value is there; without it once.
    pub counts: Option<Int32Array>,
}

impl ListedValues {
    /// What a function makes of the values of each key; null where there are none.
    ///
    /// # Errors
    /// If the function does not go by lists of values, or has no result of that type.
    pub fn result(self, function: &AggregateFunction, result: &DataType) -> Result<ArrayRef> {
        match function {
            AggregateFunction::Text { separator } => Ok(self.text(separator)),
            AggregateFunction::Array => self.array(result),
            AggregateFunction::Multiset => self.counted()?.multiset(result),
            AggregateFunction::First => self.one(|begin, _| begin),
            AggregateFunction::Last => self.one(|_, end| end - 1),
            other => Err(Error(format!("{other} is not made of lists"))),
        }
    }

    fn there(&self) -> NullBuffer {
        let lengths = self.offsets.lengths();
        lengths.map(|length| length > 0).collect::<Vec<_>>().into()
    }

    /// One value of each key, chosen by where its values begin and end.
    fn one(&self, chosen: fn(i32, i32) -> i32) -> Result<ArrayRef> {
        let places = self.offsets.windows(2).map(|bounds| {
            let (begin, end) = (bounds[0], bounds[1]);
            (begin < end).then(|| chosen(begin, end).cast_unsigned())
        });
        Ok(take(&self.values, &places.collect::<UInt32Array>(), None)?)
    }

    fn text(&self, separator: &str) -> ArrayRef {
        let values = self.values.as_string::<i32>();
        let mut all = values.iter().flatten();
        let mut texts = StringBuilder::new();
        for length in self.offsets.lengths() {
            if length == 0 {
                texts.append_null();
                continue;
            }
            let of_key: Vec<_> = all.by_ref().take(length).collect();
            texts.append_value(of_key.join(separator));
        }
        Arc::new(texts.finish())
    }

    fn array(self, data_type: &DataType) -> Result<ArrayRef> {
        let DataType::List(element) = data_type else {
            return Err(Error(format!("{data_type} is no array")));
        };
        let there = Some(self.there());
        let array = ListArray::try_new(Arc::clone(element), self.offsets, self.values, there);
        Ok(Arc::new(array?))
    }

    /// The same with equal values once.
    fn counted(self) -> Result<Self> {
        if self.counts.is_some() {
            return Ok(self);
        }
        let field = SortField::new(self.values.data_type().clone());
        let converter = RowConverter::new(vec![field])?;
        let rows = converter.convert_columns(&[Arc::clone(&self.values)])?;
        let mut places: Vec<u32> = Vec::new();
        let mut counts: Vec<i32> = Vec::new();
        let mut lengths = Vec::new();
        for bounds in self.offsets.windows(2) {
            let before = places.len();
            let mut known = HashMap::new();
            for place in bounds[0].cast_unsigned()..bounds[1].cast_unsigned() {
                let next = counts.len();
                let known = *known.entry(rows.row(place as usize)).or_insert(next);
                if known == next {
                    places.push(place);
                    counts.push(0);
                }
                counts[known] += 1;
            }
            lengths.push(places.len() - before);
        }
        Ok(Self {
            offsets: OffsetBuffer::from_lengths(lengths),
            values: take(&self.values, &UInt32Array::from(places), None)?,
            counts: Some(Int32Array::from(counts)),
        })
    }

    fn multiset(self, data_type: &DataType) -> Result<ArrayRef> {
        let DataType::Map(entries, sorted) = data_type else {
            return Err(Error(format!("{data_type} is no multiset")));
        };
        let DataType::Struct(fields) = entries.data_type() else {
            return Err(Error(format!("{data_type} has no entries")));
        };
        let there = Some(self.there());
        let counts = self
            .counts
            .ok_or_else(|| Error("a multiset lacks counts".to_owned()))?;
        let columns = vec![self.values, Arc::new(counts) as ArrayRef];
        let values = StructArray::try_new(fields.clone(), columns, None)?;
        let map = MapArray::try_new(Arc::clone(entries), self.offsets, values, there, *sorted);
        Ok(Arc::new(map?))
    }
}

//! The values that came under each key, for aggregates that need them all: to take one of
//! them back, or to have them in the result.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema, SchemaRef};

use super::accumulator::one_or_null;
use super::batch;
use super::rows::SelectedRows;
use crate::expr::{EncodedRows, Error, KeyIndex, Result, RowBytes};

/// The order in which values stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The least first, and equal ones once, counted.
    ByValue,
    /// The first that came first.
    ByArrival,
}

/// How many bytes the number of a value's arrival has in front of the value.
const ARRIVAL_BYTES: usize = 9;

/// The values of all keys. A value is known by its *id*: its bytes, behind the number of its
/// arrival where that is the order.
pub(super) struct Collection {
    order: Order,
    bytes: RowBytes,
    schema: SchemaRef,
    key_columns: usize,
    by_index: Vec<BTreeMap<Bytes, Entry>>,
    arrivals: i64,
    /// What the state has otherwise.
    dirty: Vec<(u32, Bytes)>,
    /// Keys and ids of values that are gone and that the state may still have.
    gone: HashSet<(Bytes, Bytes)>,
}

/// A key or an id.
type Bytes = Box<[u8]>;

struct Entry {
    count: i64,
    is_dirty: bool,
}

impl Collection {
    /// No values of type `value` under keys of `keys`.
    pub fn new(order: Order, keys: &Schema, value: &DataType) -> Result<Self> {
        let mut columns: Vec<FieldRef> = Vec::new();
        if order == Order::ByArrival {
            columns.push(Arc::new(Field::new("arrival", DataType::Int64, false)));
        }
        columns.push(Arc::new(Field::new("value", value.clone(), true)));
        let bytes = RowBytes::new(&columns.iter().cloned().collect())?;
        let mut fields: Vec<FieldRef> = keys.fields().iter().cloned().collect();
        fields.extend(columns);
        fields.push(Arc::new(Field::new("count", DataType::Int64, false)));
        fields.push(Arc::new(Field::new("exists", DataType::Boolean, false)));
        Ok(Self {
            order,
            bytes,
            schema: Arc::new(Schema::new(fields)),
            key_columns: keys.fields().len(),
            by_index: Vec::new(),
            arrivals: 0,
            dirty: Vec::new(),
            gone: HashSet::new(),
        })
    }

    /// The columns of its state: key, id, how often the value is there, and whether it is.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many of them tell a row from all others.
    pub fn identity_columns(&self) -> usize {
        self.schema.fields().len() - 2
    }

    pub fn grow(&mut self, indexes: usize) {
        self.by_index.resize_with(indexes, BTreeMap::new);
    }

    /// Puts values in and takes values out; the rows by which a value came that was not
    /// there, or the last of its kind went. One that is taken out and is not there is passed
    /// over, as a key may have been forgotten since it came.
    pub fn update(&mut self, rows: &SelectedRows, keys: &KeyIndex) -> Result<Vec<usize>> {
        let ids = self.ids(rows)?;
        let mut first_or_last = Vec::new();
        for (row, &index) in rows.indexes.iter().enumerate() {
            let id = ids.row(row);
            let has_turned = if rows.adds(row) {
                self.add(index, id)
            } else {
                self.take(index, id, keys)
            };
            if has_turned {
                first_or_last.push(row);
            }
        }
        Ok(first_or_last)
    }

    fn ids(&mut self, rows: &SelectedRows) -> Result<EncodedRows> {
        let value = Arc::clone(&rows.value);
        if self.order == Order::ByValue {
            return Ok(self.bytes.encode(&[value])?);
        }
        let first = self.arrivals;
        self.arrivals += i64::try_from(value.len()).expect("a batch has fewer than 2^63 rows");
        let arrivals: ArrayRef = Arc::new(Int64Array::from_iter_values(first..self.arrivals));
        Ok(self.bytes.encode(&[arrivals, value])?)
    }

    fn add(&mut self, index: u32, id: &[u8]) -> bool {
        let values = &mut self.by_index[index as usize];
        let is_new = !values.contains_key(id);
        let entry = if is_new {
            let new = Entry {
                count: 0,
                is_dirty: false,
            };
            values.entry(id.into()).or_insert(new)
        } else {
            values.get_mut(id).expect("it is there")
        };
        entry.count += 1;
        if !entry.is_dirty {
            entry.is_dirty = true;
            self.dirty.push((index, id.into()));
        }
        is_new
    }

    fn take(&mut self, index: u32, id: &[u8], keys: &KeyIndex) -> bool {
        let values = &mut self.by_index[index as usize];
        let id = match self.order {
            Order::ByValue => Some(id.into()),
            Order::ByArrival => {
                let value = &id[ARRIVAL_BYTES..];
                let mut known = values.keys();
                known.find(|own| own[ARRIVAL_BYTES..] == *value).cloned()
            }
        };
        let Some(id): Option<Bytes> = id else {
            return false;
        };
        let Some(entry) = values.get_mut(&id) else {
            return false;
        };
        entry.count -= 1;
        if entry.count > 0 {
            if !entry.is_dirty {
                entry.is_dirty = true;
                self.dirty.push((index, id));
            }
            return false;
        }
        values.remove(&id);
        self.gone.insert((keys.key(index).into(), id));
        true
    }

    /// Forgets all values of a key.
    pub fn clear(&mut self, index: u32, key: &[u8]) {
        let values = std::mem::take(&mut self.by_index[index as usize]);
        let gone = values.into_keys().map(|id| (key.into(), id));
        self.gone.extend(gone);
    }

    /// The first and the last value of each index, as bytes.
    pub fn first(&self, index: u32) -> Option<&[u8]> {
        let first = self.by_index[index as usize].first_key_value();
        first.map(|(id, _)| &**id)
    }

    pub fn last(&self, index: u32) -> Option<&[u8]> {
        let last = self.by_index[index as usize].last_key_value();
        last.map(|(id, _)| &**id)
    }

    /// One value of each index, if it has any.
    pub fn one_or_null(
        &self,
        indexes: &[u32],
        chosen: fn(&Self, u32) -> Option<&[u8]>,
    ) -> Result<ArrayRef> {
        one_or_null(
            &self.bytes,
            indexes.iter().map(|index| chosen(self, *index)),
        )
    }

    /// The ids of an index in order, with how often each value is there.
    pub fn values(&self, index: u32) -> impl Iterator<Item = (&[u8], i64)> {
        let values = self.by_index[index as usize].iter();
        values.map(|(id, entry)| (&**id, entry.count))
    }

    /// The values with these ids.
    pub fn values_of<'a>(&self, ids: impl Iterator<Item = &'a [u8]>) -> Result<ArrayRef> {
        let mut columns = self.bytes.decode(ids)?;
        columns
            .pop()
            .ok_or_else(|| Error("a value has no column".to_owned()))
    }

    /// What has changed since the last time: first what is gone, then what is there.
    pub fn drain_delta(&mut self, keys: &KeyIndex) -> Result<Vec<RecordBatch>> {
        let mut parts = Vec::new();
        let gone = std::mem::take(&mut self.gone);
        if !gone.is_empty() {
            let gone: Vec<_> = gone.into_iter().collect();
            let of_key = keys.columns(gone.iter().map(|(key, _)| &**key))?;
            let ids = gone.iter().map(|(_, id)| &**id);
            parts.push(self.records(of_key, ids, vec![0; gone.len()], false)?);
        }
        let mut there = Vec::new();
        let mut counts = Vec::new();
        for (index, id) in std::mem::take(&mut self.dirty) {
            // It may be gone, or come back and stand here twice.
            if let Some(entry) = self.by_index[index as usize].get_mut(&id)
                && entry.is_dirty
            {
                entry.is_dirty = false;
                counts.push(entry.count);
                there.push((index, id));
            }
        }
        if !there.is_empty() {
            let of_key = keys.columns(there.iter().map(|(index, _)| keys.key(*index)))?;
            let ids = there.iter().map(|(_, id)| &**id);
            parts.push(self.records(of_key, ids, counts, true)?);
        }
        Ok(parts)
    }

    fn records<'a>(
        &self,
        mut columns: Vec<ArrayRef>,
        ids: impl Iterator<Item = &'a [u8]>,
        counts: Vec<i64>,
        exists: bool,
    ) -> Result<RecordBatch> {
        let rows = counts.len();
        columns.extend(self.bytes.decode(ids)?);
        columns.push(Arc::new(Int64Array::from(counts)));
        columns.push(Arc::new(BooleanArray::from(vec![exists; rows])));
        batch(&self.schema, columns, rows)
    }

    /// Takes back what a checkpoint kept, for keys whose indexes are known.
    pub fn restore(&mut self, indexes: &[u32], records: &RecordBatch) -> Result<()> {
        let ids = &records.columns()[self.key_columns..self.identity_columns()];
        let counts = records.column(self.identity_columns());
        let counts = counts.as_primitive::<Int64Type>();
        if let (Order::ByArrival, Some(arrivals)) = (self.order, ids.first()) {
            let last = arrow::compute::max(arrivals.as_primitive::<Int64Type>());
            self.arrivals = self.arrivals.max(last.map_or(0, |last| last + 1));
        }
        let ids = self.bytes.encode(ids)?;
        for (row, &index) in indexes.iter().enumerate() {
            let entry = Entry {
                count: counts.value(row),
                is_dirty: false,
            };
            let id = ids.row(row).into();
            self.by_index[index as usize].insert(id, entry);
        }
        Ok(())
    }
}

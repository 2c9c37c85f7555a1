//! Aggregates of keys that are never done: rows are added and taken back, and after each
//! batch it is known what has become of the result of every key.
//!
//! A key has an *index*, under which every accumulator has what it knows of it. What the state
//! keeps of a key is one row with all that is a number or a single value, and beside it, in
//! states of their own, the values that some aggregates need: a set of a million of them is
//! not written anew for each that comes.

mod accumulator;
mod changes;
mod collected;
mod collection;
mod results;
mod rows;
mod sketches;
#[cfg(test)]
mod tests;
mod time_to_live;
mod view;

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, new_null_array,
};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema, SchemaRef};

pub use changes::{KeyChange, KeyChanges};
pub use results::KeyResults;

use super::{AggregateCall, KeyIndex, Result};
use changes::{Touched, equal_rows};
use time_to_live::TimeToLive;
use view::View;

/// What is aggregated, and of what.
#[derive(Clone, Debug)]
pub struct UpdatingSpec {
    /// The rows that come in.
    pub input: SchemaRef,
    /// Their key columns.
    pub keys: Vec<usize>,
    /// The aggregates.
    pub calls: Vec<AggregateCall>,
    /// Whether rows may be taken back.
    pub retracts: bool,
    /// For how many milliseconds a key is kept to which nothing happens.
    pub time_to_live_ms: Option<i64>,
    /// What it is asked for.
    pub tells: Tells,
}

/// What aggregates are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// Again and again, what has become of keys: [`UpdatingAggregates::take_changes`].
    Changes,
    /// In the end, what keys come to: [`UpdatingAggregates::take_results`].
    Results,
}

/// The shape of one of its states.
#[derive(Clone, Debug)]
pub struct UpdatingState {
    /// The columns; the last says whether there is a row.
    pub schema: SchemaRef,
    /// How many of them tell a row from all others.
    pub identity_columns: usize,
}

/// The aggregates of a task's keys.
pub struct UpdatingAggregates {
    spec: UpdatingSpec,
    keys: KeyIndex,
    /// How many rows the key of an index has; without any it is none.
    rows: Vec<i64>,
    views: Vec<View>,
    state: SchemaRef,
    touched: Touched,
    time_to_live: TimeToLive,
    /// Indexes whose rows the state has otherwise.
    dirty: Vec<u32>,
    is_dirty: Vec<bool>,
    /// Keys that the state may still have.
    gone: HashSet<Box<[u8]>>,
    /// The first index whose results have not been taken.
    next_result: usize,
}

impl UpdatingAggregates {
    /// No keys.
    ///
    /// # Errors
    /// If a call has no accumulator for the type of its argument.
    pub fn new(spec: UpdatingSpec) -> Result<Self> {
        let keys = spec.keys.iter().map(|&key| spec.input.field(key).clone());
        let keys = Schema::new(keys.collect::<Vec<_>>());
        let views = View::of_calls(&spec.calls, &spec.input, &keys, spec.retracts)?;
        let state = Self::state_of(&keys, &views);
        Ok(Self {
            keys: KeyIndex::new(keys.fields())?,
            rows: Vec::new(),
            views,
            state,
            touched: Touched::default(),
            time_to_live: TimeToLive::new(spec.time_to_live_ms),
            dirty: Vec::new(),
            is_dirty: Vec::new(),
            gone: HashSet::new(),
            next_result: 0,
            spec,
        })
    }

    fn state_of(keys: &Schema, views: &[View]) -> SchemaRef {
        let column = |name: &str, data_type, nullable| -> FieldRef {
            Arc::new(Field::new(name, data_type, nullable))
        };
        let mut fields: Vec<FieldRef> = keys.fields().iter().cloned().collect();
        fields.push(column("rows", DataType::Int64, true));
        fields.push(column("touched", DataType::Int64, true));
        for (place, accumulator) in views.iter().flat_map(View::accumulators) {
            for data_type in accumulator.state_types() {
                fields.push(column(&place.to_string(), data_type, true));
            }
        }
        fields.push(column("exists", DataType::Boolean, false));
        Arc::new(Schema::new(fields))
    }

    /// Its states: first the rows of keys, then the values that are kept beside them.
    pub fn states(&mut self) -> Vec<UpdatingState> {
        let rows = UpdatingState {
            schema: Arc::clone(&self.state),
            identity_columns: self.spec.keys.len(),
        };
        let collections = self.views.iter_mut().flat_map(View::collections);
        let values = collections.map(|collection| UpdatingState {
            schema: Arc::clone(collection.schema()),
            identity_columns: collection.identity_columns(),
        });
        std::iter::once(rows).chain(values).collect()
    }

    /// How many keys were touched since [`Self::take_changes`].
    pub fn num_touched(&self) -> usize {
        self.touched.indexes.len()
    }

    /// Takes rows in; `adds` says which of them are added, all without it. The time is that
    /// of the clock, in milliseconds.
    ///
    /// # Errors
    /// If the columns do not have the types of the input.
    pub fn update(
        &mut self,
        records: &RecordBatch,
        adds: Option<&[bool]>,
        now_ms: i64,
    ) -> Result<()> {
        self.expire(now_ms);
        let keys = self.spec.keys.iter();
        let keys: Vec<_> = keys.map(|&key| Arc::clone(records.column(key))).collect();
        let indexes = self.keys.indexes(&keys, records.num_rows())?;
        self.grow();
        self.reset_those_over(&indexes, now_ms);
        let first_touched = self.touched.indexes.len();
        let unknown = self.count_rows(&indexes, adds, now_ms);
        if self.touched.indexes.len() > first_touched {
            let old = self.results(&self.touched.indexes[first_touched..])?;
            self.touched.keep(old);
        }
        self.aggregate_known(records, &indexes, adds, &unknown)?;
        if self.spec.tells == Tells::Results {
            self.forget_empty(indexes);
        }
        Ok(())
    }

    /// Aggregates all rows but the `unknown` ones.
    fn aggregate_known(
        &mut self,
        records: &RecordBatch,
        indexes: &[u32],
        adds: Option<&[bool]>,
        unknown: &[usize],
    ) -> Result<()> {
        if unknown.is_empty() {
            return self.aggregate(records, indexes, adds);
        }
        // What is taken back and never came, or was forgotten since, counts for nothing.
        let known = |row: &usize| unknown.binary_search(row).is_err();
        let known: Vec<usize> = (0..indexes.len()).filter(known).collect();
        let rows = known.iter().map(|&row| row as u64).collect::<Vec<_>>();
        let rows = arrow::array::UInt64Array::from(rows);
        let records = arrow::compute::take_record_batch(records, &rows)?;
        let indexes: Vec<_> = known.iter().map(|&row| indexes[row]).collect();
        let adds = adds.map(|adds| known.iter().map(|&row| adds[row]).collect::<Vec<_>>());
        self.aggregate(&records, &indexes, adds.as_deref())
    }

    fn aggregate(
        &mut self,
        records: &RecordBatch,
        indexes: &[u32],
        adds: Option<&[bool]>,
    ) -> Result<()> {
        for view in &mut self.views {
            view.update(records, indexes, adds, &self.keys)?;
        }
        Ok(())
    }

    fn grow(&mut self) {
        let indexes = self.keys.index_bound();
        if self.rows.len() == indexes {
            return;
        }
        self.rows.resize(indexes, 0);
        self.is_dirty.resize(indexes, false);
        self.touched.grow(indexes);
        self.time_to_live.grow(indexes);
        for view in &mut self.views {
            view.grow(indexes);
        }
    }

    /// Counts the rows of keys; which rows take back what is not there.
    fn count_rows(&mut self, indexes: &[u32], adds: Option<&[bool]>, now_ms: i64) -> Vec<usize> {
        let mut unknown = Vec::new();
        for (row, &index) in indexes.iter().enumerate() {
            let place = index as usize;
            let had_rows = self.rows[place] > 0;
            if self.spec.tells == Tells::Changes {
                self.touched.touch(index, had_rows);
            }
            if adds.is_none_or(|adds| adds[row]) {
                self.rows[place] += 1;
            } else if had_rows {
                self.rows[place] -= 1;
            } else {
                unknown.push(row);
            }
            if !std::mem::replace(&mut self.is_dirty[place], true) {
                self.dirty.push(index);
            }
            self.time_to_live.touch(index, now_ms);
        }
        unknown
    }

    fn results(&self, indexes: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut results: Vec<Option<ArrayRef>> = vec![None; self.spec.calls.len()];
        for (place, accumulator) in self.views.iter().flat_map(View::accumulators) {
            results[place] = Some(accumulator.results(indexes)?);
        }
        Ok(results.into_iter().flatten().collect())
    }

    /// What has become of the keys that were touched since the last time.
    ///
    /// # Errors
    /// If results cannot be made.
    pub fn take_changes(&mut self) -> Result<KeyChanges> {
        let (indexes, had_rows, old) = self.touched.take()?;
        let new = self.results(&indexes)?;
        let equal = equal_rows(&old, &new, indexes.len())?;
        let changes = indexes.iter().enumerate().map(|(row, &index)| {
            match (had_rows[row], self.rows[index as usize] > 0) {
                (false, true) => KeyChange::Inserted,
                (true, false) => KeyChange::Deleted,
                (true, true) if !equal[row] => KeyChange::Updated,
                _ => KeyChange::None,
            }
        });
        let changes = KeyChanges {
            changes: changes.collect(),
            keys: self.keys.columns_of(indexes.iter().copied())?,
            old,
            new,
        };
        for index in indexes {
            if self.rows[index as usize] == 0 {
                self.remove(index);
            }
        }
        Ok(changes)
    }

    /// Forgets keys to which nothing has happened for too long.
    fn expire(&mut self, now_ms: i64) {
        while let Some(index) = self.time_to_live.next_over(now_ms) {
            if self.touched.contains(index) {
                // It is forgotten when its changes have gone out.
                self.time_to_live.touch(index, now_ms);
            } else {
                self.remove(index);
            }
        }
    }

    /// Lets keys begin anew whose time is over and who have not been found yet.
    fn reset_those_over(&mut self, indexes: &[u32], now_ms: i64) {
        for &index in indexes {
            if self.time_to_live.is_over(index, now_ms) && !self.touched.contains(index) {
                self.rows[index as usize] = 0;
                self.time_to_live.forget(index);
                for view in &mut self.views {
                    view.clear(index, self.keys.key(index));
                }
            }
        }
    }

    fn remove(&mut self, index: u32) {
        let key = self.keys.remove(index);
        self.rows[index as usize] = 0;
        self.is_dirty[index as usize] = false;
        self.time_to_live.forget(index);
        for view in &mut self.views {
            view.clear(index, &key);
        }
        self.gone.insert(key);
    }

    /// What its states are told, by their places in [`Self::states`]: all that has changed
    /// since the last time, in an order in which what is gone comes first.
    ///
    /// # Errors
    /// If the rows cannot be made.
    pub fn drain_deltas(&mut self) -> Result<Vec<Vec<RecordBatch>>> {
        let mut deltas = vec![self.drain_rows()?];
        for collection in self.views.iter_mut().flat_map(View::collections) {
            deltas.push(collection.drain_delta(&self.keys)?);
        }
        Ok(deltas)
    }

    fn drain_rows(&mut self) -> Result<Vec<RecordBatch>> {
        let mut parts = Vec::new();
        let gone = std::mem::take(&mut self.gone);
        if !gone.is_empty() {
            let mut columns = self.keys.columns(gone.iter().map(|key| &**key))?;
            let others = self.state.fields().iter().skip(columns.len());
            let others = others.take(self.state.fields().len() - columns.len() - 1);
            columns.extend(others.map(|field| new_null_array(field.data_type(), gone.len())));
            columns.push(Arc::new(BooleanArray::from(vec![false; gone.len()])));
            parts.push(batch(&self.state, columns, gone.len())?);
        }
        let mut indexes = std::mem::take(&mut self.dirty);
        // A index that has become another key's may stand here twice.
        indexes.retain(|&index| std::mem::replace(&mut self.is_dirty[index as usize], false));
        if !indexes.is_empty() {
            let mut columns = self.keys.columns_of(indexes.iter().copied())?;
            let rows = indexes.iter().map(|&index| self.rows[index as usize]);
            columns.push(Arc::new(Int64Array::from_iter_values(rows)));
            columns.push(self.time_to_live.stamps(&indexes));
            for (_, accumulator) in self.views.iter().flat_map(View::accumulators) {
                columns.extend(accumulator.states(&indexes)?);
            }
            columns.push(Arc::new(BooleanArray::from(vec![true; indexes.len()])));
            parts.push(batch(&self.state, columns, indexes.len())?);
        }
        Ok(parts)
    }

    /// Takes back what a checkpoint kept in one of its states: that of the keys' rows first.
    ///
    /// # Errors
    /// If the rows are not of its making.
    pub fn restore(&mut self, state: usize, records: &RecordBatch) -> Result<()> {
        let (keys, rest) = records.columns().split_at(self.spec.keys.len());
        let indexes = self.keys.indexes(keys, records.num_rows())?;
        self.grow();
        let mut collections = self.views.iter_mut().flat_map(View::collections);
        if state > 0 {
            return match collections.nth(state - 1) {
                Some(collection) => collection.restore(&indexes, records),
                None => Err(super::Error(format!("there is no state {state}"))),
            };
        }
        drop(collections);
        let (counts, stamps) = (rest[0].as_primitive::<Int64Type>(), &rest[1]);
        for (&index, &rows) in indexes.iter().zip(counts.values()) {
            self.rows[index as usize] = rows;
        }
        self.time_to_live.restore(&indexes, stamps);
        let mut states = &rest[2..];
        for accumulator in self.views.iter_mut().flat_map(View::accumulators_mut) {
            accumulator.restore(&indexes, states)?;
            states = &states[accumulator.state_types().len()..];
        }
        Ok(())
    }
}

/// A batch of columns, of which there may be none.
fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let schema = SchemaRef::clone(schema);
    Ok(RecordBatch::try_new_with_options(
        schema, columns, &options,
    )?)
}

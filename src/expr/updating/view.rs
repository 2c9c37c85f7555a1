//! The calls that take the same rows in.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};

use super::accumulator::{Accumulator, accumulator};
use super::collection::{Collection, Order};
use super::rows::SelectedRows;
use crate::expr::{AggregateCall, AggregateFunction, KeyIndex, Result};

/// Calls with one argument, one filter and one `DISTINCT`.
pub(super) struct View {
    argument: Option<usize>,
    value: DataType,
    filter: Option<usize>,
    skips_nulls: bool,
    is_distinct: bool,
    /// The values that have come, if equal ones count once.
    distinct: Option<Collection>,
    /// With the place of each call.
    accumulators: Vec<(usize, Box<dyn Accumulator>)>,
}

impl View {
    /// The views of calls over rows of `input`.
    ///
    /// # Errors
    /// If a call has no accumulator for the type of its argument.
    pub fn of_calls(
        calls: &[AggregateCall],
        input: &Schema,
        keys: &Schema,
        retracts: bool,
    ) -> Result<Vec<Self>> {
        let mut views: Vec<Self> = Vec::new();
        for (place, call) in calls.iter().enumerate() {
            let value = value_type(call, input);
            let accumulator = accumulator(call, &value, keys, retracts)?;
            let known = views.iter_mut().find(|view| view.serves(call, &value));
            if let Some(view) = known {
                view.accumulators.push((place, accumulator));
                continue;
            }
            let distinct = call
                .distinct
                .then(|| Collection::new(Order::ByValue, keys, &value));
            views.push(Self {
                argument: call.argument,
                filter: call.filter,
                skips_nulls: call.function.skips_nulls(),
                is_distinct: call.distinct,
                distinct: distinct.transpose()?,
                accumulators: vec![(place, accumulator)],
                value,
            });
        }
        Ok(views)
    }

    fn serves(&self, call: &AggregateCall, value: &DataType) -> bool {
        self.argument == call.argument
            && self.value == *value
            && self.filter == call.filter
            && self.skips_nulls == call.function.skips_nulls()
            && self.is_distinct == call.distinct
    }

    pub fn grow(&mut self, indexes: usize) {
        if let Some(distinct) = &mut self.distinct {
            distinct.grow(indexes);
        }
        for (_, accumulator) in &mut self.accumulators {
            accumulator.grow(indexes);
        }
    }

    /// Takes in what it counts of the rows of a batch.
    pub fn update(
        &mut self,
        records: &RecordBatch,
        indexes: &[u32],
        adds: Option<&[bool]>,
        keys: &KeyIndex,
    ) -> Result<()> {
        let value: ArrayRef = match self.argument {
            Some(column) => cast(records.column(column), &self.value)?,
            // Any value will do where rows are counted.
            None => Arc::new(Int64Array::from_value(1, records.num_rows())),
        };
        let filter = self.filter.map(|column| records.column(column));
        let rows = SelectedRows::all(indexes, adds, value);
        let mut rows = rows.selected(filter, self.skips_nulls)?;
        if let Some(distinct) = &mut self.distinct {
            let turned = distinct.update(&rows, keys)?;
            rows = rows.only(&turned)?;
        }
        for (_, accumulator) in &mut self.accumulators {
            accumulator.update(&rows, keys)?;
        }
        Ok(())
    }

    pub fn clear(&mut self, index: u32, key: &[u8]) {
        if let Some(distinct) = &mut self.distinct {
            distinct.clear(index, key);
        }
        for (_, accumulator) in &mut self.accumulators {
            accumulator.clear(index, key);
        }
    }

    /// Its accumulators, with the place of each call.
    pub fn accumulators(&self) -> impl Iterator<Item = (usize, &dyn Accumulator)> {
        let accumulators = self.accumulators.iter();
        accumulators.map(|(place, accumulator)| (*place, &**accumulator))
    }

    /// Its accumulators, to take their states back.
    pub fn accumulators_mut(&mut self) -> impl Iterator<Item = &mut Box<dyn Accumulator>> {
        self.accumulators
            .iter_mut()
            .map(|(_, accumulator)| accumulator)
    }

    /// The values that it keeps beside the rows of keys.
    pub fn collections(&mut self) -> impl Iterator<Item = &mut Collection> {
        let accumulators = self.accumulators.iter_mut();
        let of_calls = accumulators.filter_map(|(_, accumulator)| accumulator.collection());
        self.distinct.iter_mut().chain(of_calls)
    }
}

/// The type in which a call takes its values.
fn value_type(call: &AggregateCall, input: &Schema) -> DataType {
    match (call.argument, &call.function) {
        (None, _) => DataType::Int64,
        (Some(_), AggregateFunction::Sum) => call.result.data_type().clone(),
        (Some(column), _) => input.field(column).data_type().clone(),
    }
}

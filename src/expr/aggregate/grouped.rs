//! The accumulators of rows that are only added, for all keys at once.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion_expr::EmitTo;
use datafusion_physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion_physical_plan::aggregates::order::GroupOrdering;

use super::AggregateCall;
use super::pane_accumulator::{PaneAccumulator, PaneFunction};
use crate::expr::{Error, Result};

/// The columns of one grouped aggregation: its keys, its results, and the
/// partial states between them.
#[derive(Debug)]
pub struct AggregateLayout {
    keys: SchemaRef,
    calls: Vec<AggregateCall>,
    functions: Vec<PaneFunction>,
    states: SchemaRef,
    state_columns: Vec<usize>,
}

impl AggregateLayout {
    /// The layout of `calls` over `input`, grouped by its columns `keys`.
    ///
    /// # Errors
    /// If a function has no accumulator for the type of its argument.
    pub fn new(input: &SchemaRef, keys: &[usize], calls: Vec<AggregateCall>) -> Result<Self> {
        let keys: Vec<_> = keys.iter().map(|&key| input.field(key).clone()).collect();
        let functions = calls
            .iter()
            .map(|call| PaneFunction::new(call, input))
            .collect::<Result<Vec<_>>>()?;
        let mut fields: Vec<FieldRef> = keys.iter().cloned().map(Arc::new).collect();
        let mut state_columns = Vec::with_capacity(functions.len());
        for (place, function) in functions.iter().enumerate() {
            let states = function.state_fields()?;
            state_columns.push(states.len());
            for (name, data_type) in states {
                let field = Field::new(format!("{place}:{name}"), data_type, true);
                fields.push(Arc::new(field));
            }
        }
        Ok(Self {
            keys: Arc::new(Schema::new(keys)),
            calls,
            functions,
            states: Arc::new(Schema::new(fields)),
            state_columns,
        })
    }

    /// The keys.
    pub fn keys(&self) -> &SchemaRef {
        &self.keys
    }

    /// The keys, then the partial states of each call.
    pub fn states(&self) -> &SchemaRef {
        &self.states
    }

    /// The results of the calls.
    pub fn results(&self) -> impl Iterator<Item = &FieldRef> {
        self.calls.iter().map(|call| &call.result)
    }

    /// Whether a result depends on the order in which states are merged: oldest first.
    pub fn is_ordered(&self) -> bool {
        self.calls.iter().any(|call| call.function.is_ordered())
    }

    /// Empty accumulators.
    ///
    /// # Errors
    /// If a key's type cannot be grouped by.
    pub fn accumulators(self: &Arc<Self>) -> Result<GroupedAccumulators> {
        let keys = if self.keys.fields().is_empty() {
            None
        } else {
            let keys = Arc::clone(&self.keys);
            Some(new_group_values(keys, &GroupOrdering::None)?)
        };
        let accumulators = self
            .functions
            .iter()
            .map(PaneFunction::accumulator)
            .collect::<Result<Vec<_>>>()?;
        Ok(GroupedAccumulators {
            layout: Arc::clone(self),
            keys,
            accumulators,
            groups: 0,
            group_of_row: Vec::new(),
        })
    }
}

/// The values of an aggregation, per key.
pub struct GroupedAccumulators {
    layout: Arc<AggregateLayout>,
    /// `None` without keys: then there is one group as soon as there is a row.
    keys: Option<Box<dyn GroupValues>>,
    accumulators: Vec<PaneAccumulator>,
    groups: usize,
    group_of_row: Vec<usize>,
}

impl fmt::Debug for GroupedAccumulators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupedAccumulators")
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

impl GroupedAccumulators {
    /// How many keys it holds.
    pub fn num_groups(&self) -> usize {
        self.groups
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.groups == 0
    }

    /// The memory that it holds, in bytes.
    pub fn num_bytes(&self) -> usize {
        let keys = self.keys.as_ref().map_or(0, |keys| keys.size());
        let values: usize = self
            .accumulators
            .iter()
            .map(PaneAccumulator::num_bytes)
            .sum();
        keys + values
    }

    /// Takes rows of the input in, whose columns `keys` are the keys.
    ///
    /// # Errors
    /// If the columns do not have the types of the layout.
    pub fn update(&mut self, input: &RecordBatch, keys: &[usize]) -> Result<()> {
        if input.num_rows() == 0 {
            return Ok(());
        }
        let columns: Vec<_> = keys.iter().map(|&key| input.column(key).clone()).collect();
        self.assign_groups(&columns, input.num_rows())?;
        for (accumulator, call) in self.accumulators.iter_mut().zip(&self.layout.calls) {
            accumulator.update(call, input, &self.group_of_row, self.groups)?;
        }
        Ok(())
    }

    /// Takes partial states in, as [`Self::drain_states`] makes them.
    ///
    /// # Errors
    /// If the columns are not those of [`AggregateLayout::states`].
    pub fn merge(&mut self, states: &RecordBatch) -> Result<()> {
        if states.num_rows() == 0 {
            return Ok(());
        }
        if states.num_columns() != self.layout.states.fields().len() {
            return Err(Error(format!(
                "cannot merge partial aggregates of {} columns into {}",
                states.num_columns(),
                self.layout.states.fields().len(),
            )));
        }
        let (keys, mut rest) = states.columns().split_at(self.layout.keys.fields().len());
        self.assign_groups(keys, states.num_rows())?;
        for (accumulator, &columns) in self.accumulators.iter_mut().zip(&self.layout.state_columns)
        {
            let (values, others) = rest.split_at(columns);
            accumulator.merge(values, &self.group_of_row, self.groups)?;
            rest = others;
        }
        Ok(())
    }

    /// Takes everything out as partial states, a row per key, and is empty then.
    ///
    /// # Errors
    /// If an accumulator fails.
    pub fn drain_states(&mut self) -> Result<RecordBatch> {
        let mut columns = self.drain_keys()?;
        for accumulator in &mut self.accumulators {
            columns.extend(accumulator.drain_states()?);
        }
        let columns = with_types_of(columns, &self.layout.states)?;
        let states = RecordBatch::try_new(Arc::clone(&self.layout.states), columns)?;
        self.groups = 0;
        Ok(states)
    }

    /// Takes everything out as keys and results, a row per key, and is empty then.
    ///
    /// # Errors
    /// If an accumulator fails.
    pub fn drain_results(&mut self) -> Result<Vec<ArrayRef>> {
        let mut columns = self.drain_keys()?;
        for (accumulator, call) in self.accumulators.iter_mut().zip(&self.layout.calls) {
            columns.push(accumulator.drain_results(call)?);
        }
        self.groups = 0;
        Ok(columns)
    }

    fn drain_keys(&mut self) -> Result<Vec<ArrayRef>> {
        match &mut self.keys {
            Some(keys) => {
                let columns = keys.emit(EmitTo::All)?;
                // With several keys the library leaves its hash table as it was,
                // which would name groups that are gone to the next rows.
                keys.clear_shrink(self.groups);
                with_types_of(columns, &self.layout.keys)
            }
            None => Ok(Vec::new()),
        }
    }

    fn assign_groups(&mut self, keys: &[ArrayRef], rows: usize) -> Result<()> {
        if let Some(values) = &mut self.keys {
            values.intern(keys, &mut self.group_of_row)?;
            self.groups = values.len();
        } else {
            self.group_of_row.clear();
            self.group_of_row.resize(rows, 0);
            self.groups = 1;
        }
        Ok(())
    }
}

/// The library may emit a type's twin (a view for a string): the layout's types
/// are those that are kept and sent.
fn with_types_of(columns: Vec<ArrayRef>, schema: &SchemaRef) -> Result<Vec<ArrayRef>> {
    columns
        .into_iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            if column.data_type() == field.data_type() {
                Ok(column)
            } else {
                Ok(cast(&column, field.data_type())?)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Int64Type};

    use super::*;
    use crate::expr::AggregateFunction;

    fn layout(keys: &[usize]) -> Arc<AggregateLayout> {
        let input = Arc::new(Schema::new(vec![
            Field::new("name", DataType::Utf8, true),
            Field::new("value", DataType::Int64, true),
        ]));
        let call = |function, argument, name: &str| AggregateCall {
            function,
            argument,
            distinct: false,
            filter: None,
            result: Arc::new(Field::new(name, DataType::Int64, true)),
        };
        let calls = vec![
            call(AggregateFunction::Count, None, "rows"),
            call(AggregateFunction::Count, Some(1), "values"),
            call(AggregateFunction::Sum, Some(1), "sum"),
            call(AggregateFunction::Min, Some(1), "min"),
            call(AggregateFunction::Max, Some(1), "max"),
        ];
        Arc::new(AggregateLayout::new(&input, keys, calls).unwrap())
    }

    fn batch(rows: &[(&str, Option<i64>)]) -> RecordBatch {
        let names = StringArray::from_iter_values(rows.iter().map(|row| row.0));
        let values: Int64Array = rows.iter().map(|row| row.1).collect();
        RecordBatch::try_from_iter([
            ("name", Arc::new(names) as ArrayRef),
            ("value", Arc::new(values) as ArrayRef),
        ])
        .unwrap()
    }

    fn numbers(column: &ArrayRef) -> Vec<Option<i64>> {
        column.as_primitive::<Int64Type>().iter().collect()
    }

    /// A pane that is drained at a barrier is filled again. With two keys the next
    /// row once found the group that it had before, and panicked.
    #[test]
    fn what_was_drained_can_be_filled_again() {
        for keys in [&[0][..], &[1], &[0, 1]] {
            let layout = layout(keys);
            let mut pane = layout.accumulators().unwrap();
            let rows = batch(&[("a", Some(1)), ("b", Some(2)), ("c", Some(3))]);
            for part in [rows.clone(), rows.slice(2, 1), rows] {
                pane.update(&part, keys).unwrap();
                let counts = &pane.drain_results().unwrap()[keys.len()];
                assert_eq!(numbers(counts), vec![Some(1); part.num_rows()]);
                assert!(pane.is_empty());
            }
        }
    }

    #[test]
    fn partial_states_merge_to_the_same_results() {
        let layout = layout(&[0]);
        let first = batch(&[("a", Some(3)), ("b", None), ("a", Some(-1))]);
        let second = batch(&[("c", Some(7)), ("a", None)]);

        let mut whole = layout.accumulators().unwrap();
        whole.update(&first, &[0]).unwrap();
        whole.update(&second, &[0]).unwrap();
        let expected = whole.drain_results().unwrap();
        assert!(whole.is_empty());

        let mut merged = layout.accumulators().unwrap();
        for part in [first, second] {
            let mut pane = layout.accumulators().unwrap();
            pane.update(&part, &[0]).unwrap();
            merged.merge(&pane.drain_states().unwrap()).unwrap();
        }
        assert_eq!(merged.num_groups(), 3);
        assert_eq!(merged.drain_results().unwrap(), expected);
        assert_eq!(numbers(&expected[1]), [Some(3), Some(1), Some(1)]);
        assert_eq!(numbers(&expected[3]), [Some(2), None, Some(7)]);
    }

    /// A call without an accumulator once passed here and failed with the first row.
    #[test]
    fn a_call_without_an_accumulator_has_no_layout() {
        let input = Arc::new(Schema::new(vec![Field::new("t", DataType::Boolean, true)]));
        let call = AggregateCall {
            function: AggregateFunction::Min,
            argument: Some(0),
            distinct: false,
            filter: None,
            result: Arc::new(Field::new("min", DataType::Boolean, true)),
        };
        let error = AggregateLayout::new(&input, &[], vec![call]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "MIN(#0) has no accumulator for values of type BOOLEAN"
        );
    }

    #[test]
    fn without_keys_there_is_one_group_once_there_is_a_row() {
        let layout = layout(&[]);
        let mut all = layout.accumulators().unwrap();
        assert!(all.is_empty());
        all.update(&batch(&[("a", Some(3)), ("b", Some(4))]), &[])
            .unwrap();
        let results = all.drain_results().unwrap();
        assert_eq!(numbers(&results[0]), [Some(2)]);
        assert_eq!(numbers(&results[2]), [Some(7)]);
        assert!(all.is_empty());
    }
}

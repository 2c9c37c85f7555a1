//! A window on its way out, some rows at a time, so that a window of millions of
//! keys neither holds its task nor fills the memory with results that wait.

use std::collections::VecDeque;

use arrow::array::{ArrayRef, RecordBatch};

use crate::expr::{self, GroupedAccumulators};
use crate::stream::EventTime;

/// The most rows that one step takes in or puts out.
const STEP_ROWS: usize = 8_192;

/// A window whose slices have been read, and whose rows are not all emitted.
#[derive(Debug)]
pub struct WindowFiring {
    end: EventTime,
    window: GroupedAccumulators,
    /// Partial states that are not in `window` yet.
    parts: VecDeque<RecordBatch>,
    /// The results that are still to be emitted, once there are any.
    results: Option<RecordBatch>,
}

/// What a step has done.
#[derive(Debug)]
pub enum Step {
    /// It has worked on the result.
    Working,
    /// These rows are to be emitted.
    Emit(RecordBatch),
    /// Everything was emitted before.
    Done,
}

impl WindowFiring {
    /// The window that ends at `end`: what is in `window`, and `parts`.
    pub fn new(end: EventTime, window: GroupedAccumulators, parts: Vec<RecordBatch>) -> Self {
        Self {
            end,
            window,
            parts: parts.into(),
            results: None,
        }
    }

    /// The end of the window.
    pub fn end(&self) -> EventTime {
        self.end
    }

    /// The accumulators, empty once everything was emitted.
    pub fn into_window(self) -> GroupedAccumulators {
        self.window
    }

    /// Goes one step on. `rows_of` makes the rows of the output from the columns
    /// of [`GroupedAccumulators::drain_results`] and their number.
    ///
    /// # Errors
    /// If the accumulators fail.
    pub fn step(
        &mut self,
        rows_of: impl FnOnce(Vec<ArrayRef>, usize) -> expr::Result<RecordBatch>,
    ) -> expr::Result<Step> {
        if let Some(part) = self.parts.pop_front() {
            let rows = part.num_rows().min(STEP_ROWS);
            self.window.merge(&part.slice(0, rows))?;
            if rows < part.num_rows() {
                self.parts
                    .push_front(part.slice(rows, part.num_rows() - rows));
            }
            return Ok(Step::Working);
        }
        let results = match self.results.take() {
            Some(results) => results,
            None if self.window.is_empty() => return Ok(Step::Done),
            None => {
                let groups = self.window.num_groups();
                rows_of(self.window.drain_results()?, groups)?
            }
        };
        let rows = results.num_rows().min(STEP_ROWS);
        if rows < results.num_rows() {
            self.results = Some(results.slice(rows, results.num_rows() - rows));
        }
        Ok(Step::Emit(results.slice(0, rows)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};

    use super::*;
    use crate::expr::{AggregateCall, AggregateFunction, AggregateLayout};

    fn schema() -> SchemaRef {
        let field = |name| Field::new(name, DataType::Int64, false);
        Arc::new(Schema::new(vec![field("key"), field("rows")]))
    }

    fn pane(layout: &Arc<AggregateLayout>, keys: std::ops::Range<i64>) -> GroupedAccumulators {
        let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(keys));
        let rows = RecordBatch::try_from_iter([("key", keys)]).unwrap();
        let mut pane = layout.accumulators().unwrap();
        pane.update(&rows, &[0]).unwrap();
        pane
    }

    #[test]
    fn no_step_is_large_and_every_key_comes_once() {
        let input = Arc::new(schema().project(&[0]).unwrap());
        let call = AggregateCall {
            function: AggregateFunction::Count,
            argument: None,
            distinct: false,
            filter: None,
            result: Arc::new(Field::new("rows", DataType::Int64, false)),
        };
        let layout = Arc::new(AggregateLayout::new(&input, &[0], vec![call]).unwrap());
        let many = 3 * i64::try_from(STEP_ROWS).unwrap();
        let parts = [0..many, many / 2..2 * many];
        let parts = parts.map(|keys| pane(&layout, keys).drain_states().unwrap());
        let window = pane(&layout, 0..10);
        let mut firing = WindowFiring::new(EventTime::MAX, window, parts.to_vec());

        let mut found = BTreeMap::new();
        let mut working = 0;
        loop {
            let step = firing.step(|columns, _| Ok(RecordBatch::try_new(schema(), columns)?));
            match step.unwrap() {
                Step::Working => working += 1,
                Step::Emit(rows) => {
                    assert!((1..=STEP_ROWS).contains(&rows.num_rows()));
                    let [keys, counts] = [0, 1].map(|place| rows.column(place).clone());
                    let keys = keys.as_primitive::<Int64Type>().values().to_vec();
                    let counts = counts.as_primitive::<Int64Type>().values().to_vec();
                    for (key, count) in keys.into_iter().zip(counts) {
                        assert_eq!(found.insert(key, count), None, "{key} came twice");
                    }
                }
                Step::Done => break,
            }
        }
        assert_eq!(working, 3 + 5, "a step takes a batch at most");
        let expected = (0..2 * many).map(|key| {
            let parts = [0..10, 0..many, many / 2..2 * many];
            (
                key,
                parts
                    .iter()
                    .map(|part| i64::from(part.contains(&key)))
                    .sum(),
            )
        });
        assert_eq!(found, expected.collect());
    }
}

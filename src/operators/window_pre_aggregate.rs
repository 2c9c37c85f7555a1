//! Aggregates rows by key and slice before an exchange, so that a key crosses it
//! once per interval and not once per row.
//!
//! It judges no row late: only the aggregate behind the exchange knows the
//! watermark of all inputs. *Nothing overtakes*: panes of every window that a
//! watermark closes go out before it, all panes before a barrier, and a row of a
//! window that closed here already goes out at once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::accumulator_pool::AccumulatorPool;
use super::event_time::EventTimes;
use super::row_errors::dead_letter;
use super::slice_rows::RowsBySlice;
use super::window::Slicing;
use super::window_aggregate::Input;
use crate::expr::{self, AggregateCall, AggregateFunction, AggregateLayout, GroupedAccumulators};
use crate::runtime::{Error, Operator, Output, Progress, Result};
use crate::state::OperatorDelta;
use crate::stream::{Barrier, Batch, EventTime};

/// The near half of a window aggregate that is cut by an exchange.
pub struct WindowPreAggregate {
    schema: SchemaRef,
    pool: AccumulatorPool,
    slicing: Slicing,
    input: Input,
    panes: BTreeMap<EventTime, GroupedAccumulators>,
    closed: EventTime,
}

impl WindowPreAggregate {
    /// A pre-aggregate of `calls` over `records` grouped by the key columns of
    /// the input, which are rows or windowed rows.
    ///
    /// # Errors
    /// If a function has no accumulator for the type of its argument.
    pub fn new(
        records: &SchemaRef,
        mut calls: Vec<AggregateCall>,
        slicing: Slicing,
        input: Input,
    ) -> expr::Result<Self> {
        let keys = match &input {
            Input::Rows { keys, .. } | Input::Windowed { keys, .. } => keys,
            Input::Partials => return Err(expr::Error("partial rows are aggregated twice".into())),
        };
        // How many rows a partial row stands for, should it turn out to be late.
        calls.push(AggregateCall {
            function: AggregateFunction::Count,
            argument: None,
            distinct: false,
            filter: None,
            result: Arc::new(Field::new("rows", DataType::Int64, false)),
        });
        let layout = AggregateLayout::new(records, keys, calls)?;
        let mut fields: Vec<_> = layout.states().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new("slice", DataType::Int64, false)));
        Ok(Self {
            schema: Arc::new(Schema::new(fields)),
            pool: AccumulatorPool::new(Arc::new(layout)),
            slicing,
            input,
            panes: BTreeMap::new(),
            closed: EventTime::MIN,
        })
    }

    fn take_rows(&mut self, records: &RecordBatch, out: &mut dyn Output) -> expr::Result<()> {
        let (keys, found) = match &self.input {
            Input::Rows { keys, time } => {
                let times = EventTimes::new(records.column(*time));
                (keys, RowsBySlice::by_time(self.slicing, &times))
            }
            Input::Windowed { keys, end } => {
                let ends = EventTimes::new(records.column(*end));
                (keys, RowsBySlice::by_end(&ends))
            }
            Input::Partials => unreachable!("the constructor refuses partial rows"),
        };
        for row in found.without_time {
            let reason = "the event time of a windowed row is null".to_owned();
            out.dead_letter(dead_letter(records, row, "window", reason));
        }
        for (slice, rows) in found.slices {
            let pane = match self.panes.entry(slice) {
                Entry::Occupied(pane) => pane.into_mut(),
                Entry::Vacant(place) => place.insert(self.pool.take()?),
            };
            pane.update(&rows.of(records)?, keys)?;
        }
        self.emit_until(self.closed, out)
    }

    /// Emits the panes of slices until `end`.
    fn emit_until(&mut self, end: EventTime, out: &mut dyn Output) -> expr::Result<()> {
        while let Some(pane) = self.panes.first_entry()
            && *pane.key() <= end
        {
            let (slice, mut pane) = pane.remove_entry();
            let states = pane.drain_states()?;
            self.pool.give_back(pane);
            if states.num_rows() == 0 {
                continue;
            }
            let mut columns = states.columns().to_vec();
            let slices = Int64Array::from_value(slice.millis(), states.num_rows());
            columns.push(Arc::new(slices) as ArrayRef);
            let records = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
            out.emit(Batch::new(records));
        }
        Ok(())
    }
}

impl Operator for WindowPreAggregate {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn process(&mut self, batch: Batch, out: &mut dyn Output) -> Result<()> {
        self.take_rows(&batch.records, out).map_err(failed)
    }

    fn watermark(&mut self, at: EventTime, out: &mut dyn Output) -> Result<Progress> {
        let closed = self.slicing.closed_by(at);
        if closed > self.closed {
            self.closed = closed;
            self.emit_until(closed, out).map_err(failed)?;
        }
        Ok(Progress::Done)
    }

    fn idle(&mut self, out: &mut dyn Output) -> Result<()> {
        self.emit_until(EventTime::MAX, out).map_err(failed)
    }

    fn barrier(&mut self, _: Barrier, out: &mut dyn Output) -> Result<Vec<OperatorDelta>> {
        self.emit_until(EventTime::MAX, out).map_err(failed)?;
        Ok(Vec::new())
    }
}

fn failed(error: expr::Error) -> Error {
    Error::Fatal(format!("cannot aggregate before an exchange: {error}"))
}

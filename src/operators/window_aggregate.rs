//! Aggregates rows by key and window, and emits a window when the watermark
//! closes it.
//!
//! *Invariants.* A window is emitted once. A row is late if every window that it
//! belongs to has been emitted, and is counted then. Restored, the operator has
//! emitted exactly the windows that its restored watermark closes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};

use super::accumulator_pool::AccumulatorPool;
use super::event_time::EventTimes;
use super::late_rows::LateRows;
use super::row_errors::dead_letter;
use super::slice_rows::RowsBySlice;
use super::window::Slicing;
use super::window_assign::window_columns;
use super::window_firing::{Step, WindowFiring};
use super::window_state::SliceState;
use crate::expr::{self, AggregateLayout};
use crate::runtime::{Error, Operator, Output, Progress, Result};
use crate::state::{DeltaKind, DeltaRows, OperatorDelta, RestoredState};
use crate::stream::{Barrier, Batch, CheckpointId, EventTime, KeyRange, OperatorId};

/// `GROUP BY` over windows, in one task.
pub struct WindowAggregate {
    spec: Spec,
    slices: BTreeMap<EventTime, SliceState>,
    pool: AccumulatorPool,
    watermark: EventTime,
    /// The end of the last window that was emitted or that closed empty.
    fired: EventTime,
    /// The window that is being emitted.
    firing: Option<WindowFiring>,
    late_records: u64,
    decided: CheckpointId,
    reported: Reported,
}

/// What it computes, and for whom.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The plan node.
    pub operator: OperatorId,
    /// The key groups of the task.
    pub range: KeyRange,
    /// The rows that it emits: keys, results and the columns of the window.
    pub schema: SchemaRef,
    /// Keys, states and results.
    pub layout: Arc<AggregateLayout>,
    /// The windows.
    pub slicing: Slicing,
    /// What comes in.
    pub input: Input,
    /// Whether the last key is the window's start, which the rows brought along;
    /// it is no column of the output then.
    pub start_is_last_key: bool,
    /// What is kept of late rows, if they are not only counted.
    pub late_rows: Option<LateRows>,
}

/// What comes in.
#[derive(Clone, Debug)]
pub enum Input {
    /// Rows with an event time.
    Rows {
        /// The key columns.
        keys: Vec<usize>,
        /// The column of event time.
        time: usize,
    },
    /// Rows that were assigned to a window.
    Windowed {
        /// The key columns, the window's start last.
        keys: Vec<usize>,
        /// The column of the window's end.
        end: usize,
    },
    /// Partial states, the number of their rows and their slice, in this order,
    /// from a pre-aggregate on the other side of an exchange.
    Partials,
}

/// What the last checkpoint was told, apart from rows.
#[derive(Debug, PartialEq, Eq)]
struct Reported {
    watermark: EventTime,
    late_records: u64,
}

impl WindowAggregate {
    /// An aggregate without rows.
    pub fn new(spec: Spec) -> Self {
        Self {
            pool: AccumulatorPool::new(Arc::clone(&spec.layout)),
            spec,
            slices: BTreeMap::new(),
            watermark: EventTime::MIN,
            fired: EventTime::MIN,
            firing: None,
            late_records: 0,
            decided: CheckpointId(0),
            reported: Reported {
                watermark: EventTime::MIN,
                late_records: 0,
            },
        }
    }

    /// Whether every window of a slice has been emitted.
    fn is_late(&self, slice: EventTime) -> bool {
        self.spec.slicing.last_window_of(slice) <= self.fired
    }

    fn take_rows(&mut self, records: &RecordBatch, out: &mut dyn Output) -> expr::Result<()> {
        let found = match &self.spec.input {
            Input::Rows { time, .. } => {
                let times = EventTimes::new(records.column(*time));
                RowsBySlice::by_time(self.spec.slicing, &times)
            }
            Input::Windowed { end, .. } => {
                RowsBySlice::by_end(&EventTimes::new(records.column(*end)))
            }
            Input::Partials => {
                let slices = records
                    .column(self.num_states() + 1)
                    .as_primitive::<Int64Type>();
                let millis = Cow::Borrowed(slices.values().as_ref());
                RowsBySlice::by_end(&EventTimes {
                    millis,
                    nulls: None,
                })
            }
        };
        for row in found.without_time {
            let reason = "the event time of a windowed row is null".to_owned();
            out.dead_letter(dead_letter(records, row, "window", reason));
        }
        let mut late = 0;
        for (slice, rows) in found.slices {
            let rows = rows.of(records)?;
            if self.is_late(slice) {
                late += self.count(&rows);
                if let Some(kept) = &self.spec.late_rows {
                    out.late_rows(kept.of(&rows)?);
                }
            } else {
                self.add(slice, &rows)?;
            }
        }
        if late > 0 {
            self.late_records += late as u64;
            out.late(late);
        }
        Ok(())
    }

    /// How many rows of the table these are.
    fn count(&self, rows: &RecordBatch) -> usize {
        if !matches!(self.spec.input, Input::Partials) {
            return rows.num_rows();
        }
        let counts = rows.column(self.num_states()).as_primitive::<Int64Type>();
        let counts = counts.values().iter();
        counts.map(|&rows| usize::try_from(rows).unwrap_or(0)).sum()
    }

    fn num_states(&self) -> usize {
        self.spec.layout.states().fields().len()
    }

    fn add(&mut self, slice: EventTime, rows: &RecordBatch) -> expr::Result<()> {
        let num_states = self.num_states();
        let state = self.slices.entry(slice).or_default();
        let open = state.open(&mut self.pool)?;
        match &self.spec.input {
            Input::Rows { keys, .. } | Input::Windowed { keys, .. } => open.update(rows, keys),
            Input::Partials => {
                let states = rows.project(&(0..num_states).collect::<Vec<_>>())?;
                open.merge(&states)
            }
        }
    }

    /// The end of the next window that is not empty and not after `closed`.
    fn next_window(&self, closed: EventTime) -> Option<EventTime> {
        let (&first, _) = self.slices.first_key_value()?;
        let next = first.max(self.fired.saturating_add(self.spec.slicing.slide_ms));
        (next <= closed).then_some(next)
    }

    /// Takes what the window with this end has out of its slices.
    fn begin_firing(&mut self, end: EventTime) -> expr::Result<WindowFiring> {
        let slicing = self.spec.slicing;
        let start = slicing.start_of(end);
        let mut window = None;
        let mut parts = Vec::new();
        // Slices that belong to no later window give what they have away.
        while let Some(first) = self.slices.first_entry()
            && slicing.last_window_of(*first.key()) <= end
        {
            let mut slice = first.remove();
            if window.is_none() {
                let (accumulators, states) = slice.into_window(&mut self.pool)?;
                window = Some(accumulators);
                parts = states;
            } else {
                parts.extend(slice.parts()?);
            }
        }
        let others = self.slices.range_mut(start.saturating_add(1)..=end);
        for (_, slice) in others {
            parts.extend(slice.parts()?);
        }
        let window = match window {
            Some(window) => window,
            None => self.pool.take()?,
        };
        Ok(WindowFiring::new(end, window, parts))
    }

    fn fire(&mut self, firing: &mut WindowFiring, out: &mut dyn Output) -> expr::Result<Progress> {
        let end = firing.end();
        let start = self.spec.slicing.start_of(end);
        let step = firing.step(|columns, rows| {
            let columns = self.with_window(columns, rows, start, end);
            let schema = Arc::clone(&self.spec.schema);
            Ok(RecordBatch::try_new(schema, columns)?)
        })?;
        match step {
            Step::Working => Ok(Progress::More),
            Step::Emit(rows) => {
                out.emit(Batch::new(rows));
                Ok(Progress::More)
            }
            Step::Done => Ok(Progress::Done),
        }
    }

    fn with_window(
        &self,
        mut columns: Vec<ArrayRef>,
        rows: usize,
        start: EventTime,
        end: EventTime,
    ) -> Vec<ArrayRef> {
        let windows = std::iter::repeat_n((start, end), rows);
        let [mut starts, ends, times] = window_columns(&windows);
        if self.spec.start_is_last_key {
            starts = columns.remove(self.spec.layout.keys().fields().len() - 1);
        }
        columns.extend([starts, ends, times]);
        columns
    }

    /// Rows of slices until here belong to no window that is still to come.
    fn closed_until(&self) -> Option<EventTime> {
        if self.fired == EventTime::MIN {
            return None;
        }
        let closed = self.spec.slicing.last_slice_done_with(self.fired);
        Some(closed.min(EventTime::MAX.saturating_sub(1)))
    }
}

impl Operator for WindowAggregate {
    fn schema(&self) -> &SchemaRef {
        &self.spec.schema
    }

    fn restore(&mut self, state: RestoredState) -> Result<()> {
        self.watermark = state.watermark;
        self.fired = self.spec.slicing.closed_by(state.watermark);
        self.late_records = state.late_records;
        self.reported = Reported {
            watermark: self.watermark,
            late_records: self.late_records,
        };
        for (slice, states) in &state.rows {
            let slice = self.slices.entry(*slice).or_default();
            slice.restore(states, &mut self.pool).map_err(failed)?;
        }
        Ok(())
    }

    fn process(&mut self, batch: Batch, out: &mut dyn Output) -> Result<()> {
        self.take_rows(&batch.records, out).map_err(failed)
    }

    fn watermark(&mut self, at: EventTime, out: &mut dyn Output) -> Result<Progress> {
        let closed = self.spec.slicing.closed_by(at);
        let firing = match (self.firing.take(), self.next_window(closed)) {
            (Some(firing), _) => Some(firing),
            (None, Some(end)) => Some(self.begin_firing(end).map_err(failed)?),
            (None, None) => None,
        };
        if let Some(mut firing) = firing {
            match self.fire(&mut firing, out).map_err(failed)? {
                Progress::More => self.firing = Some(firing),
                Progress::Done => {
                    self.fired = firing.end();
                    self.pool.give_back(firing.into_window());
                }
            }
            return Ok(Progress::More);
        }
        // After a restart the input begins anew, with the time of whichever split
        // speaks first: kept as it is, it would open windows again that were emitted.
        self.watermark = self.watermark.max(at);
        self.fired = self.fired.max(closed);
        Ok(Progress::Done)
    }

    fn barrier(&mut self, barrier: Barrier, _: &mut dyn Output) -> Result<Vec<OperatorDelta>> {
        let mut rows = Vec::new();
        for (&time, slice) in &mut self.slices {
            let records = slice
                .drain(barrier.checkpoint, &mut self.pool)
                .map_err(failed)?;
            rows.extend(records.map(|records| DeltaRows {
                kind: DeltaKind::Merge,
                time,
                records,
            }));
        }
        let reported = Reported {
            watermark: self.watermark,
            late_records: self.late_records,
        };
        let nothing = rows.is_empty() && reported == self.reported;
        // Of more tasks than key groups some have none, and nothing to keep.
        if nothing || self.spec.range.start == self.spec.range.end {
            return Ok(Vec::new());
        }
        self.reported = reported;
        Ok(vec![OperatorDelta {
            operator: self.spec.operator,
            range: self.spec.range,
            watermark: self.watermark,
            late_records: self.late_records,
            closed_until: self.closed_until(),
            rows,
        }])
    }

    fn next_close(&self) -> Option<EventTime> {
        self.next_window(EventTime::MAX)
    }

    fn decided(&mut self, checkpoint: CheckpointId) {
        self.decided = checkpoint;
    }

    fn background(&mut self, budget: Duration) -> Result<Progress> {
        let start = Instant::now();
        for slice in self.slices.values_mut() {
            while slice.fold(self.decided, &mut self.pool).map_err(failed)? == Progress::More {
                if start.elapsed() >= budget {
                    return Ok(Progress::More);
                }
            }
        }
        Ok(Progress::Done)
    }
}

fn failed(error: expr::Error) -> Error {
    Error::Fatal(format!("cannot aggregate a window: {error}"))
}

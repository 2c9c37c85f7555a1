//! Aggregates rows by key and window where rows may be taken back, and emits a window once, when
//! the watermark closes it.
//!
//! *Invariants.* What it emits of a window is the result of the rows that are in it when it
//! closes; a key whose rows have all been taken back is not told. A change that comes behind that
//! is late, whether it adds a row or takes one back: the two halves of an update are late each by
//! its own time. Each window has aggregates of its own, so a window that has left is one drop
//! here and one fact in the state, where rows of a window stand under its end.

use std::collections::BTreeMap;
use std::iter;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use super::row_errors::dead_letter;
use super::window_assign::window_columns;
use super::windows_of_row::{Bounds, WindowsOfRow, closed_by};
use crate::expr::{self, AggregateCall, KeyResults, Tells, UpdatingAggregates, UpdatingSpec};
use crate::runtime::{Error, Operator, Output, Progress, Result};
use crate::state::{DeltaKind, DeltaRows, OperatorDelta, RestoredState, StateSchema};
use crate::stream::{Barrier, Batch, EventTime, KeyRange, OperatorId};

/// The most rows of a window that are emitted at a time.
const STEP_ROWS: usize = 8_192;

/// `GROUP BY` over windows of rows that may be taken back, in one task.
pub struct RetractingWindowAggregate {
    spec: Spec,
    aggregates: UpdatingSpec,
    windows: BTreeMap<Bounds, UpdatingAggregates>,
    states: Vec<StateSchema>,
    watermark: EventTime,
    late_records: u64,
    /// What the last checkpoint was told, apart from rows.
    reported: (EventTime, u64),
}

/// What it computes, and for whom.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The plan node.
    pub operator: OperatorId,
    /// The key groups of the task.
    pub range: KeyRange,
    /// The rows that come in.
    pub input: SchemaRef,
    /// The rows that it emits: keys, results and the columns of the window.
    pub schema: SchemaRef,
    /// How many of the first columns of the input are the key.
    pub keys: usize,
    /// Where a row's windows come from.
    pub windows: WindowsOfRow,
    /// What is aggregated.
    pub calls: Vec<AggregateCall>,
}

impl RetractingWindowAggregate {
    /// An aggregate without rows.
    ///
    /// # Errors
    /// If a call has no accumulator for the type of its argument.
    pub fn new(spec: Spec) -> Result<Self> {
        let aggregates = aggregates_of(&spec);
        let states = UpdatingAggregates::new(aggregates.clone())
            .map_err(failed)?
            .states();
        let states = states.into_iter().enumerate().map(|(place, state)| {
            let operator = spec.operator.state(place);
            StateSchema::of_rows(operator, state.schema, spec.keys, state.identity_columns)
        });
        Ok(Self {
            states: states.collect(),
            aggregates,
            spec,
            windows: BTreeMap::new(),
            watermark: EventTime::MIN,
            late_records: 0,
            reported: (EventTime::MIN, 0),
        })
    }

    /// What it keeps: first the rows of keys, then the values that are kept beside them.
    pub fn states(&self) -> &[StateSchema] {
        &self.states
    }

    /// Takes back what a decided checkpoint kept of one of its states, the first first.
    ///
    /// # Errors
    /// If the rows are not of its making.
    pub fn restore_state(&mut self, state: usize, restored: &RestoredState) -> Result<()> {
        if state == 0 {
            self.watermark = restored.watermark;
            self.late_records = restored.late_records;
            self.reported = (self.watermark, self.late_records);
        }
        for (_, records) in &restored.rows {
            self.take_back(state, records).map_err(failed)?;
        }
        Ok(())
    }

    fn take_back(&mut self, state: usize, records: &RecordBatch) -> expr::Result<()> {
        let bounds = WindowsOfRow::Attached {
            start: self.spec.keys,
            end: self.spec.keys + 1,
        };
        for (bounds, rows) in by_window(bounds.of_rows(records, i64::MIN)) {
            let records = take_record_batch(records, &rows)?;
            self.window(bounds)?.restore(state, &records)?;
        }
        Ok(())
    }

    fn window(&mut self, bounds: Bounds) -> expr::Result<&mut UpdatingAggregates> {
        use std::collections::btree_map::Entry;
        Ok(match self.windows.entry(bounds) {
            Entry::Occupied(window) => window.into_mut(),
            Entry::Vacant(place) => place.insert(UpdatingAggregates::new(self.aggregates.clone())?),
        })
    }

    fn take_rows(&mut self, batch: &Batch, out: &mut dyn Output) -> expr::Result<()> {
        let records = &batch.records;
        let windows = self
            .spec
            .windows
            .of_rows(records, closed_by(self.watermark));
        for (row, _) in windows
            .iter()
            .enumerate()
            .filter(|(_, windows)| windows.is_none())
        {
            let reason = "the event time of a windowed row is null".to_owned();
            out.dead_letter(dead_letter(records, row, "window", reason));
        }
        let late = windows
            .iter()
            .flatten()
            .filter(|windows| windows.is_empty());
        let late = late.count();
        if late > 0 {
            self.late_records += late as u64;
            out.late(late);
        }
        for (bounds, rows) in by_window(windows) {
            let adds = batch.kinds.as_ref().map(|_| {
                let rows = rows.values().iter();
                rows.map(|&row| batch.kind(row as usize).adds())
                    .collect::<Vec<_>>()
            });
            let rows = self.in_window(&take_record_batch(records, &rows)?, bounds)?;
            self.window(bounds)?.update(&rows, adds.as_deref(), 0)?;
        }
        Ok(())
    }

    /// Rows with the bounds of their window behind their columns.
    fn in_window(&self, rows: &RecordBatch, (end, start): Bounds) -> expr::Result<RecordBatch> {
        let [start, end, _] = columns_of((end, start), rows.num_rows());
        let mut columns = rows.columns().to_vec();
        columns.extend([start, end]);
        let schema = Arc::clone(&self.aggregates.input);
        Ok(RecordBatch::try_new(schema, columns)?)
    }

    /// Emits some rows of the first of the windows that end at `closed` or earlier.
    fn emit_some(&mut self, closed: i64, out: &mut dyn Output) -> expr::Result<Progress> {
        while let Some(mut first) = self.windows.first_entry()
            && first.key().0 <= closed
        {
            let bounds = *first.key();
            let results = first.get_mut().take_results(STEP_ROWS)?;
            if results.num_keys > 0 {
                out.emit(self.batch(bounds, results)?);
                return Ok(Progress::More);
            }
            first.remove();
        }
        Ok(Progress::Done)
    }

    fn batch(&self, bounds: Bounds, results: KeyResults) -> expr::Result<Batch> {
        let mut columns = results.keys;
        columns.truncate(self.spec.keys);
        columns.extend(results.results);
        columns.extend(columns_of(bounds, results.num_keys));
        let schema = Arc::clone(&self.spec.schema);
        Ok(Batch::new(RecordBatch::try_new(schema, columns)?))
    }

    /// What the states are told, by their places.
    fn deltas(&mut self) -> expr::Result<Vec<Vec<DeltaRows>>> {
        let mut deltas = vec![Vec::new(); self.states.len()];
        for ((end, _), window) in &mut self.windows {
            for (delta, parts) in deltas.iter_mut().zip(window.drain_deltas()?) {
                delta.extend(parts.into_iter().map(|records| DeltaRows {
                    kind: DeltaKind::Put,
                    time: EventTime::from_millis(*end),
                    records,
                }));
            }
        }
        Ok(deltas)
    }
}

/// What is aggregated in a window: rows with its bounds behind their columns, which are part of
/// the key.
fn aggregates_of(spec: &Spec) -> UpdatingSpec {
    let width = spec.input.fields().len();
    let bound = DataType::Timestamp(TimeUnit::Millisecond, None);
    let bounds = ["$start", "$end"].map(|name| Arc::new(Field::new(name, bound.clone(), false)));
    let fields = spec.input.fields().iter().cloned().chain(bounds);
    UpdatingSpec {
        input: Arc::new(Schema::new(fields.collect::<Fields>())),
        keys: (0..spec.keys).chain([width, width + 1]).collect(),
        calls: spec.calls.clone(),
        retracts: true,
        time_to_live_ms: None,
        tells: Tells::Results,
    }
}

/// The columns of a window that all of `rows` rows are in.
fn columns_of((end, start): Bounds, rows: usize) -> [ArrayRef; 3] {
    let [start, end] = [start, end].map(EventTime::from_millis);
    window_columns(&iter::repeat_n((start, end), rows))
}

/// The places of rows, by the windows that each of them has.
fn by_window(windows: Vec<Option<Vec<Bounds>>>) -> BTreeMap<Bounds, UInt32Array> {
    let mut places: BTreeMap<Bounds, Vec<u32>> = BTreeMap::new();
    for (row, windows) in windows.into_iter().enumerate() {
        let row = u32::try_from(row).expect("a batch has fewer than 2^32 rows");
        for bounds in windows.into_iter().flatten() {
            places.entry(bounds).or_default().push(row);
        }
    }
    let places = places.into_iter();
    places.map(|(bounds, rows)| (bounds, rows.into())).collect()
}

impl Operator for RetractingWindowAggregate {
    fn schema(&self) -> &SchemaRef {
        &self.spec.schema
    }

    fn process(&mut self, batch: Batch, out: &mut dyn Output) -> Result<()> {
        self.take_rows(&batch, out).map_err(failed)
    }

    fn watermark(&mut self, at: EventTime, out: &mut dyn Output) -> Result<Progress> {
        if at <= self.watermark {
            // After a restart the input begins anew, with the time of whichever split speaks
            // first.
            return Ok(Progress::Done);
        }
        if self.emit_some(closed_by(at), out).map_err(failed)? == Progress::More {
            return Ok(Progress::More);
        }
        self.watermark = at;
        Ok(Progress::Done)
    }

    fn barrier(&mut self, _: Barrier, _: &mut dyn Output) -> Result<Vec<OperatorDelta>> {
        let deltas = self.deltas().map_err(failed)?;
        let reported = (self.watermark, self.late_records);
        let nothing = deltas.iter().all(Vec::is_empty) && reported == self.reported;
        // Of more tasks than key groups some have none, and nothing to keep.
        if nothing || self.spec.range.start == self.spec.range.end {
            return Ok(Vec::new());
        }
        self.reported = reported;
        let closed = EventTime::from_millis(closed_by(self.watermark));
        let closed = closed.min(EventTime::MAX.saturating_sub(1));
        let deltas = self.states.iter().zip(deltas).enumerate();
        let deltas = deltas.map(|(place, (state, rows))| OperatorDelta {
            operator: state.operator,
            range: self.spec.range,
            watermark: self.watermark,
            // The first state alone counts, or they would count several times.
            late_records: if place == 0 { self.late_records } else { 0 },
            closed_until: (closed > EventTime::MIN).then_some(closed),
            rows,
        });
        Ok(deltas.collect())
    }
}

fn failed(error: expr::Error) -> Error {
    Error::Fatal(format!("cannot aggregate a window: {error}"))
}

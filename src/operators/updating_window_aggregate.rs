//! Aggregates rows by key and window, and tells a window's result before the watermark closes
//! it, again when it does, and again for rows that are late by no more than is allowed.
//!
//! *Invariants.* What it emits of a window are changes of one row a key; when the watermark has
//! reached the window's last millisecond, and whenever it goes on behind that, the row is the
//! result of all rows until then. A row is late, and counted, if every window that it belongs to
//! is forgotten. Restored, the operator knows what it has said last.

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{take, take_record_batch};
use arrow::datatypes::{DataType, Field, Fields, Int64Type, Schema, SchemaRef};

use super::late_rows::LateRows;
use super::row_errors::dead_letter;
use super::updating_windows::{RowName, UpdatingWindows, WindowRow};
use super::window_assign::window_columns;
use super::windows_of_row::{Bounds, WindowsOfRow, closed_by};
use crate::expr::{self, AggregateCall, AggregateLayout, GroupedAccumulators, RowBytes};
use crate::runtime::{Error, Operator, Output, Progress, Result};
use crate::state::{DeltaKind, DeltaRows, OperatorDelta, RestoredState, StateSchema};
use crate::stream::{Barrier, Batch, ChangeKind, EventTime, KeyRange, OperatorId};

/// The most rows of windows that are told at a time.
const STEP_ROWS: usize = 8_192;

/// `GROUP BY` over windows whose results change, in one task.
pub struct UpdatingWindowAggregate {
    spec: Spec,
    windows: UpdatingWindows,
    /// By the number of a row of a window; empty between two calls.
    accumulators: GroupedAccumulators,
    /// The input with that number behind its columns.
    numbered: SchemaRef,
    layout: Arc<AggregateLayout>,
    state: StateSchema,
    keys: RowBytes,
    states: RowBytes,
    results: RowBytes,
    /// When what is unsaid of open windows, and of passed ones, goes out at the latest.
    early: Option<Instant>,
    late: Option<Instant>,
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
    /// When results are told.
    pub firing: Firing,
    /// Whether whoever comes behind needs the rows that are taken back by others (`-U`).
    pub emits_update_before: bool,
    /// What is aggregated.
    pub calls: Vec<AggregateCall>,
    /// What is kept of late rows, if they are not only counted.
    pub late_rows: Option<LateRows>,
}

/// When the results of windows are told, besides when the watermark closes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firing {
    /// How long a change may wait before that; `None`: until then.
    pub early: Option<Duration>,
    /// How long one may wait afterwards.
    pub late: Duration,
    /// For how many milliseconds of event time rows are taken afterwards.
    pub lateness_ms: i64,
}

impl UpdatingWindowAggregate {
    /// An aggregate without rows.
    ///
    /// # Errors
    /// If a call has no accumulator for the type of its argument.
    pub fn new(spec: Spec) -> Result<Self> {
        Self::prepared(spec).map_err(failed)
    }

    fn prepared(spec: Spec) -> expr::Result<Self> {
        let number = Arc::new(Field::new("number", DataType::Int64, false));
        let fields = spec.input.fields().iter().cloned().chain([number]);
        let numbered: SchemaRef = Arc::new(Schema::new(fields.collect::<Fields>()));
        let by = [spec.input.fields().len()];
        let layout = Arc::new(AggregateLayout::new(&numbered, &by, spec.calls.clone())?);
        let keys = spec.input.fields().iter().take(spec.keys).cloned();
        let keys: Fields = keys.collect();
        let states: Fields = layout.states().fields().iter().skip(1).cloned().collect();
        let results: Fields = layout.results().cloned().collect();
        Ok(Self {
            windows: UpdatingWindows::default(),
            accumulators: layout.accumulators()?,
            numbered,
            layout,
            state: state(spec.operator, &keys, &states, &results),
            keys: RowBytes::new(&keys)?,
            states: RowBytes::new(&states)?,
            results: RowBytes::new(&results)?,
            early: None,
            late: None,
            spec,
            watermark: EventTime::MIN,
            late_records: 0,
            reported: (EventTime::MIN, 0),
        })
    }

    /// What it keeps: the rows of windows, with what was said of them last.
    pub fn state(&self) -> StateSchema {
        self.state.clone()
    }

    fn take_rows(&mut self, records: &RecordBatch, out: &mut dyn Output) -> expr::Result<()> {
        let keys = self.keys.encode(&records.columns()[..self.spec.keys])?;
        let mut numbers: HashMap<(Bounds, &[u8]), i64> = HashMap::new();
        let mut names: Vec<RowName> = Vec::new();
        let (mut places, mut ids): (Vec<u32>, Vec<i64>) = Default::default();
        let forgotten = self.forgotten(self.watermark);
        let windows = self.spec.windows.of_rows(records, forgotten);
        let mut late: Vec<u32> = Vec::new();
        for (row, windows) in windows.into_iter().enumerate() {
            let place = u32::try_from(row).expect("a batch has fewer than 2^32 rows");
            let Some(windows) = windows else {
                let reason = "the event time of a windowed row is null".to_owned();
                out.dead_letter(dead_letter(records, row, "window", reason));
                continue;
            };
            if windows.is_empty() {
                late.push(place);
            }
            for bounds in windows {
                let id = *numbers.entry((bounds, keys.row(row))).or_insert_with(|| {
                    names.push((bounds, keys.row(row).into()));
                    i64::try_from(names.len() - 1).expect("fewer than 2^63 rows")
                });
                places.push(place);
                ids.push(id);
            }
        }
        if !late.is_empty() {
            self.late_records += late.len() as u64;
            out.late(late.len());
            if let Some(kept) = &self.spec.late_rows {
                let rows = take_record_batch(records, &UInt32Array::from(late))?;
                out.late_rows(kept.of(&rows)?);
            }
        }
        let rows = take_record_batch(records, &UInt32Array::from(places))?;
        self.aggregate(&rows, ids, &names)?;
        self.tell_at_once(&names, out)
    }

    /// Adds rows to what is known of the rows of windows with these names.
    fn aggregate(
        &mut self,
        rows: &RecordBatch,
        ids: Vec<i64>,
        names: &[RowName],
    ) -> expr::Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        self.merge(names)?;
        let mut columns = rows.columns().to_vec();
        columns.push(Arc::new(Int64Array::from(ids)));
        let rows = RecordBatch::try_new(Arc::clone(&self.numbered), columns)?;
        self.accumulators
            .update(&rows, &[self.numbered.fields().len() - 1])?;
        let states = self.accumulators.drain_states()?;
        let encoded = self.states.encode(&states.columns()[1..])?;
        let ids = states.column(0).as_primitive::<Int64Type>();
        for (row, &id) in ids.values().iter().enumerate() {
            let name = names[place(id)].clone();
            self.windows.put_state(name, encoded.row(row).into());
        }
        Ok(())
    }

    /// Takes the partial states of these rows in, by their places.
    fn merge(&mut self, names: &[RowName]) -> expr::Result<()> {
        let known = names.iter().zip(0_i64..);
        let known = known.filter_map(|(name, id)| Some((id, self.windows.row(name)?)));
        let (ids, states): (Vec<i64>, Vec<&[u8]>) =
            known.map(|(id, row)| (id, &*row.state)).unzip();
        if ids.is_empty() {
            return Ok(());
        }
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(ids))];
        columns.extend(self.states.decode(states)?);
        let states = RecordBatch::try_new(Arc::clone(self.layout.states()), columns)?;
        self.accumulators.merge(&states)
    }

    /// Tells what may not wait of rows that have just changed, and notes until when the rest may.
    fn tell_at_once(&mut self, names: &[RowName], out: &mut dyn Output) -> expr::Result<()> {
        let passed = closed_by(self.watermark);
        let (mut has_open, mut has_passed) = (false, false);
        for ((end, _), _) in names {
            has_open |= *end > passed;
            has_passed |= *end <= passed;
        }
        let Firing { early, late, .. } = self.spec.firing;
        if has_passed && late.is_zero() {
            self.tell(..=passed, out)?;
        } else if has_passed {
            self.late.get_or_insert_with(|| Instant::now() + late);
        }
        match early.filter(|_| has_open) {
            Some(Duration::ZERO) => self.tell((Bound::Excluded(passed), Bound::Unbounded), out)?,
            Some(early) => _ = self.early.get_or_insert_with(|| Instant::now() + early),
            None => (),
        }
        Ok(())
    }

    /// Tells all that is unsaid of windows that end in `ends`.
    fn tell(
        &mut self,
        ends: impl std::ops::RangeBounds<i64> + Clone,
        out: &mut dyn Output,
    ) -> expr::Result<()> {
        while self.tell_some(ends.clone(), out)? == Progress::More {}
        Ok(())
    }

    /// Tells some of it; [`Progress::Done`] if nothing was left.
    fn tell_some(
        &mut self,
        ends: impl std::ops::RangeBounds<i64>,
        out: &mut dyn Output,
    ) -> expr::Result<Progress> {
        let names = self.windows.take_unsaid(ends, STEP_ROWS);
        if names.is_empty() {
            return Ok(Progress::Done);
        }
        self.merge(&names)?;
        let results = self.accumulators.drain_results()?;
        let encoded = self.results.encode(&results[1..])?;
        let ids = results[0].as_primitive::<Int64Type>().values();
        let mut changes: Vec<(ChangeKind, RowName, Box<[u8]>)> = Vec::new();
        for (row, &id) in ids.iter().enumerate() {
            let name = &names[place(id)];
            let result = encoded.row(row);
            let said = self.windows.row(name).and_then(|row| row.said.clone());
            if said.as_deref() == Some(result) {
                continue;
            }
            let kind = match said {
                None => ChangeKind::Insert,
                Some(said) => {
                    if self.spec.emits_update_before {
                        changes.push((ChangeKind::UpdateBefore, name.clone(), said));
                    }
                    ChangeKind::UpdateAfter
                }
            };
            changes.push((kind, name.clone(), result.into()));
            self.windows.put_said(name.clone(), result.into());
        }
        if !changes.is_empty() {
            out.emit(self.batch(&changes)?);
        }
        Ok(Progress::More)
    }

    fn batch(&self, changes: &[(ChangeKind, RowName, Box<[u8]>)]) -> expr::Result<Batch> {
        let keys = changes.iter().map(|(_, (_, key), _)| &**key);
        let mut columns = self.keys.decode(keys)?;
        columns.extend(
            self.results
                .decode(changes.iter().map(|(_, _, row)| &**row))?,
        );
        let time = EventTime::from_millis;
        let windows = changes.iter().map(|(_, (bounds, _), _)| *bounds);
        columns.extend(window_columns(
            &windows.map(|(end, start)| (time(start), time(end))),
        ));
        let records = RecordBatch::try_new(Arc::clone(&self.spec.schema), columns)?;
        let is_plain = changes
            .iter()
            .all(|(kind, _, _)| *kind == ChangeKind::Insert);
        let kinds = changes.iter().map(|(kind, _, _)| *kind);
        Ok(Batch::with_kinds(
            records,
            (!is_plain).then(|| kinds.collect()),
        ))
    }

    /// Windows that end here or earlier take no rows any more.
    fn forgotten(&self, watermark: EventTime) -> i64 {
        if watermark == EventTime::MIN || watermark == EventTime::MAX {
            return watermark.millis();
        }
        closed_by(watermark).saturating_sub(self.spec.firing.lateness_ms)
    }

    /// What the state is told of the rows of windows, a part for each end.
    fn delta(&mut self) -> expr::Result<Vec<DeltaRows>> {
        let rows = self.windows.take_unkept();
        let windows = rows.chunk_by(|((left, _), _), ((right, _), _)| left.0 == right.0);
        windows.map(|rows| self.kept(rows)).collect()
    }

    fn kept(&self, rows: &[(RowName, WindowRow)]) -> expr::Result<DeltaRows> {
        let names = rows.iter().map(|(name, _)| name);
        let mut columns = self.keys.decode(names.clone().map(|(_, key)| &**key))?;
        let number = |of: fn(&Bounds) -> i64| -> ArrayRef {
            let values = names.clone().map(|(bounds, _)| of(bounds));
            Arc::new(Int64Array::from_iter_values(values))
        };
        columns.push(number(|(_, start)| *start));
        columns.push(number(|(end, _)| *end));
        columns.extend(
            self.states
                .decode(rows.iter().map(|(_, row)| &*row.state))?,
        );
        let said = rows.iter().filter_map(|(_, row)| row.said.as_deref());
        let said = self.results.decode(said)?;
        let mut next = 0_u32..;
        let places = rows.iter().map(|(_, row)| {
            row.said.as_ref()?;
            next.next()
        });
        let places: UInt32Array = places.collect();
        for column in &said {
            columns.push(take(column, &places, None)?);
        }
        let flags = rows.iter().map(|(_, row)| Some(row.said.is_some()));
        columns.push(Arc::new(flags.collect::<BooleanArray>()));
        columns.push(Arc::new(BooleanArray::from(vec![true; rows.len()])));
        let ((end, _), _) = rows[0].0;
        Ok(DeltaRows {
            kind: DeltaKind::Put,
            time: EventTime::from_millis(end),
            records: RecordBatch::try_new(Arc::clone(&self.state.schema), columns)?,
        })
    }

    fn take_back(&mut self, records: &RecordBatch) -> expr::Result<()> {
        let states = self.layout.states().fields().len() - 1;
        let (keys, others) = records.columns().split_at(self.spec.keys);
        let keys = self.keys.encode(keys)?;
        let bound = |column: usize| others[column].as_primitive::<Int64Type>();
        let (starts, ends) = (bound(0), bound(1));
        let said = others[others.len() - 2].as_boolean();
        let results = self.results.encode(&others[2 + states..others.len() - 2])?;
        let states = self.states.encode(&others[2..2 + states])?;
        for row in 0..records.num_rows() {
            let name = ((ends.value(row), starts.value(row)), keys.row(row).into());
            let kept = WindowRow {
                state: states.row(row).into(),
                said: said.value(row).then(|| results.row(row).into()),
            };
            self.windows.restore(name, kept);
        }
        Ok(())
    }
}

/// The state of rows of windows: key and bounds, partial states, what was said last and whether
/// anything was.
fn state(operator: OperatorId, keys: &Fields, states: &Fields, results: &Fields) -> StateSchema {
    let field = |name, data_type| Arc::new(Field::new(name, data_type, false));
    let bounds = ["start", "end"].map(|name| field(name, DataType::Int64));
    let flags = ["said", "exists"].map(|name| field(name, DataType::Boolean));
    let results = results.iter().enumerate().map(|(place, result)| {
        let said = result.as_ref().clone().with_nullable(true);
        Arc::new(said.with_name(format!("said {place}")))
    });
    let fields = keys.iter().cloned().chain(bounds);
    let fields = fields.chain(states.iter().cloned()).chain(results);
    let schema = Arc::new(Schema::new(fields.chain(flags).collect::<Fields>()));
    StateSchema::of_rows(operator, schema, keys.len(), keys.len() + 2)
}

impl Operator for UpdatingWindowAggregate {
    fn schema(&self) -> &SchemaRef {
        &self.spec.schema
    }

    fn restore(&mut self, state: RestoredState) -> Result<()> {
        self.watermark = state.watermark;
        self.late_records = state.late_records;
        self.reported = (self.watermark, self.late_records);
        for (_, records) in &state.rows {
            self.take_back(records).map_err(failed)?;
        }
        // What waited then has waited for long enough.
        self.early = self.spec.firing.early.map(|_| Instant::now());
        self.late = Some(Instant::now());
        Ok(())
    }

    fn process(&mut self, batch: Batch, out: &mut dyn Output) -> Result<()> {
        self.take_rows(&batch.records, out).map_err(failed)
    }

    fn deadline(&self) -> Option<Instant> {
        [self.early, self.late].into_iter().flatten().min()
    }

    fn flush(&mut self, out: &mut dyn Output) -> Result<()> {
        let now = Instant::now();
        let passed = closed_by(self.watermark);
        if self.late.take_if(|late| *late <= now).is_some() {
            self.tell(..=passed, out).map_err(failed)?;
        }
        if self.early.take_if(|early| *early <= now).is_some() {
            let open = (Bound::Excluded(passed), Bound::Unbounded);
            self.tell(open, out).map_err(failed)?;
        }
        Ok(())
    }

    fn watermark(&mut self, at: EventTime, out: &mut dyn Output) -> Result<Progress> {
        if at <= self.watermark {
            // After a restart the input begins anew, with the time of whichever split speaks
            // first.
            return Ok(Progress::Done);
        }
        let (before, passed) = (closed_by(self.watermark), closed_by(at));
        let forgotten = self.forgotten(at);
        let newly = (Bound::Excluded(before), Bound::Included(passed));
        for ends in [newly, (Bound::Unbounded, Bound::Included(forgotten))] {
            if self.tell_some(ends, out).map_err(failed)? == Progress::More {
                return Ok(Progress::More);
            }
        }
        self.windows.forget(forgotten);
        self.watermark = at;
        Ok(Progress::Done)
    }

    fn barrier(&mut self, _: Barrier, _: &mut dyn Output) -> Result<Vec<OperatorDelta>> {
        let rows = self.delta().map_err(failed)?;
        let reported = (self.watermark, self.late_records);
        let nothing = rows.is_empty() && reported == self.reported;
        // Of more tasks than key groups some have none, and nothing to keep.
        if nothing || self.spec.range.start == self.spec.range.end {
            return Ok(Vec::new());
        }
        self.reported = reported;
        let forgotten = EventTime::from_millis(self.forgotten(self.watermark));
        let forgotten = forgotten.min(EventTime::MAX.saturating_sub(1));
        Ok(vec![OperatorDelta {
            operator: self.spec.operator,
            range: self.spec.range,
            watermark: self.watermark,
            late_records: self.late_records,
            closed_until: (forgotten > EventTime::MIN).then_some(forgotten),
            rows,
        }])
    }
}

fn place(id: i64) -> usize {
    usize::try_from(id).expect("the place of a name")
}

fn failed(error: expr::Error) -> Error {
    Error::Fatal(format!("cannot aggregate a window: {error}"))
}

//! Aggregates rows by key and session, and emits a session when the watermark closes it.
//!
//! *Invariants.* A session is emitted once. A row is late, and counted, if no open session takes
//! it and one of its own would be closed. Restored, the operator has emitted exactly the
//! sessions that its restored watermark closes.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array, new_null_array,
};
use arrow::compute::{filter_record_batch, is_not_null, take_record_batch};
use arrow::datatypes::{DataType, Field, Fields, Int64Type, Schema, SchemaRef};

use super::event_time::EventTimes;
use super::late_rows::LateRows;
use super::row_errors::dead_letter;
use super::sessions::{Session, SessionId, Sessions};
use super::window_assign::window_columns;
use crate::expr::{self, AggregateCall, AggregateLayout, GroupedAccumulators, KeyIndex, RowBytes};
use crate::runtime::{Error, Operator, Output, Progress, Result};
use crate::state::{DeltaKind, DeltaRows, OperatorDelta, RestoredState, StateSchema};
use crate::stream::{Barrier, Batch, EventTime, KeyRange, OperatorId};

/// The most sessions that one step emits.
const STEP_SESSIONS: usize = 8_192;

/// `GROUP BY` over session windows, in one task.
pub struct SessionAggregate {
    spec: Spec,
    sessions: Sessions,
    /// By session; empty between two batches.
    accumulators: GroupedAccumulators,
    /// The input with the session of each row behind its columns.
    numbered: SchemaRef,
    layout: Arc<AggregateLayout>,
    state: StateSchema,
    states: RowBytes,
    watermark: EventTime,
    late_records: u64,
    /// What the last checkpoint was told, apart from sessions.
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
    /// The column of event time.
    pub time: usize,
    /// A session ends when there is no row for so long.
    pub gap_ms: i64,
    /// What is aggregated.
    pub calls: Vec<AggregateCall>,
    /// What is kept of late rows, if they are not only counted.
    pub late_rows: Option<LateRows>,
}

impl SessionAggregate {
    /// An aggregate without rows.
    ///
    /// # Errors
    /// If a call has no accumulator for the type of its argument.
    pub fn new(spec: Spec) -> Result<Self> {
        Self::prepared(spec).map_err(failed)
    }

    fn prepared(spec: Spec) -> expr::Result<Self> {
        let session = Arc::new(Field::new("session", DataType::Int64, false));
        let fields = spec.input.fields().iter().cloned().chain([session]);
        let numbered: SchemaRef = Arc::new(Schema::new(fields.collect::<Fields>()));
        let by = [spec.input.fields().len()];
        let layout = Arc::new(AggregateLayout::new(&numbered, &by, spec.calls.clone())?);
        let keys = spec.input.fields().iter().take(spec.keys).cloned();
        let keys: Fields = keys.collect();
        let states: Fields = layout.states().fields().iter().skip(1).cloned().collect();
        Ok(Self {
            sessions: Sessions::new(spec.gap_ms, KeyIndex::new(&keys)?),
            accumulators: layout.accumulators()?,
            numbered,
            layout,
            state: state(spec.operator, &keys, &states),
            states: RowBytes::new(&states)?,
            spec,
            watermark: EventTime::MIN,
            late_records: 0,
            reported: (EventTime::MIN, 0),
        })
    }

    /// What it keeps: the open sessions, by key and start.
    pub fn state(&self) -> StateSchema {
        self.state.clone()
    }

    fn take_rows(&mut self, records: &RecordBatch, out: &mut dyn Output) -> expr::Result<()> {
        let keys = self
            .sessions
            .keys()
            .encode(&records.columns()[..self.spec.keys])?;
        let times = EventTimes::new(records.column(self.spec.time));
        let mut late: Vec<u32> = Vec::new();
        let mut placed = Vec::with_capacity(records.num_rows());
        for (row, time) in times.iter().enumerate() {
            let Some(time) = time else {
                let reason = "the event time of a windowed row is null".to_owned();
                out.dead_letter(dead_letter(records, row, "window", reason));
                placed.push(None);
                continue;
            };
            let session = self.sessions.place(keys.row(row), time, self.watermark);
            if session.is_none() {
                late.push(u32::try_from(row).expect("a batch has fewer than 2^32 rows"));
            }
            placed.push(session);
        }
        if !late.is_empty() {
            self.late_records += late.len() as u64;
            out.late(late.len());
            if let Some(kept) = &self.spec.late_rows {
                let rows = take_record_batch(records, &UInt32Array::from(late))?;
                out.late_rows(kept.of(&rows)?);
            }
        }
        self.aggregate(records, &placed)
    }

    /// Adds the rows that have a session to what is known of it.
    fn aggregate(
        &mut self,
        records: &RecordBatch,
        placed: &[Option<SessionId>],
    ) -> expr::Result<()> {
        let rows = self.numbered(records, placed)?;
        let before = self.sessions.take_states();
        let before = before.iter().map(|(id, state)| (*id, &**state));
        self.merge(&before.collect::<Vec<_>>())?;
        self.accumulators
            .update(&rows, &[self.numbered.fields().len() - 1])?;
        let states = self.accumulators.drain_states()?;
        let encoded = self.states.encode(&states.columns()[1..])?;
        let ids = states.column(0).as_primitive::<Int64Type>();
        for (row, &id) in ids.values().iter().enumerate() {
            let id = SessionId::of_number(id);
            self.sessions.put_state(id, encoded.row(row).into());
        }
        self.sessions.settle();
        Ok(())
    }

    /// The rows that have a session, with its number.
    fn numbered(
        &self,
        records: &RecordBatch,
        placed: &[Option<SessionId>],
    ) -> expr::Result<RecordBatch> {
        let number = |id: &Option<SessionId>| id.map(|id| self.sessions.resolve(id).number());
        let ids: Int64Array = placed.iter().map(number).collect();
        let has_session = (ids.null_count() > 0).then(|| is_not_null(&ids));
        let ids = Int64Array::new(ids.values().clone(), None);
        let mut columns = records.columns().to_vec();
        columns.push(Arc::new(ids));
        let rows = RecordBatch::try_new(Arc::clone(&self.numbered), columns)?;
        match has_session {
            Some(has_session) => Ok(filter_record_batch(&rows, &has_session?)?),
            None => Ok(rows),
        }
    }

    /// Takes partial states of sessions in.
    fn merge(&mut self, states: &[(SessionId, &[u8])]) -> expr::Result<()> {
        if states.is_empty() {
            return Ok(());
        }
        let ids = states.iter().map(|(id, _)| id.number());
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(ids));
        let mut columns = vec![ids];
        columns.extend(self.states.decode(states.iter().map(|(_, state)| *state))?);
        let states = RecordBatch::try_new(Arc::clone(self.layout.states()), columns)?;
        self.accumulators.merge(&states)
    }

    /// The rows of sessions that are closed.
    fn results(&mut self, closed: &[(SessionId, Session)]) -> expr::Result<RecordBatch> {
        let states = closed.iter().flat_map(|(id, session)| {
            let states = session.states.iter();
            states.map(|state| (*id, &**state))
        });
        self.merge(&states.collect::<Vec<_>>())?;
        let results = self.accumulators.drain_results()?;
        let ids = results[0].as_primitive::<Int64Type>().values();
        let of_closed = closed.iter().map(|(id, _)| id.number());
        let in_order = ids.iter().copied().eq(of_closed);
        assert!(in_order, "results come in the order of the states");
        let keys = closed.iter().map(|(_, session)| session.key);
        let mut columns = self.sessions.keys().columns_of(keys)?;
        columns.extend_from_slice(&results[1..]);
        let time = EventTime::from_millis;
        let windows = closed.iter();
        let windows = windows.map(|(_, session)| (time(session.start), time(session.end)));
        columns.extend(window_columns(&windows));
        Ok(RecordBatch::try_new(
            Arc::clone(&self.spec.schema),
            columns,
        )?)
    }

    /// What the state is told of sessions: those that are there, and those that are not.
    fn delta(&mut self) -> expr::Result<Vec<RecordBatch>> {
        let changes = self.sessions.take_changes();
        let mut parts = Vec::new();
        if !changes.put.is_empty() {
            let sessions = changes.put.iter().map(|id| self.sessions.session(*id));
            let sessions: Vec<_> = sessions.collect();
            let keys = sessions.iter().map(|session| session.key);
            let mut columns = self.sessions.keys().columns_of(keys)?;
            let bound = |of: fn(&&Session) -> i64| -> ArrayRef {
                Arc::new(Int64Array::from_iter_values(sessions.iter().map(of)))
            };
            columns.push(bound(|session| session.start));
            columns.push(bound(|session| session.end));
            let states = sessions.iter().flat_map(|session| &session.states);
            columns.extend(self.states.decode(states.map(|state| &**state))?);
            parts.push(self.kept(columns, sessions.len(), true)?);
        }
        if !changes.gone.is_empty() {
            let gone = &changes.gone;
            let keys = gone.iter().map(|(key, _)| &**key);
            let mut columns = self.sessions.keys().columns(keys)?;
            let starts = gone.iter().map(|(_, start)| *start);
            columns.push(Arc::new(Int64Array::from_iter_values(starts)));
            let fields = self.state.schema.fields();
            let others = fields[columns.len()..fields.len() - 1].iter();
            columns.extend(others.map(|field| new_null_array(field.data_type(), gone.len())));
            parts.push(self.kept(columns, gone.len(), false)?);
        }
        Ok(parts)
    }

    fn kept(
        &self,
        mut columns: Vec<ArrayRef>,
        rows: usize,
        exists: bool,
    ) -> expr::Result<RecordBatch> {
        columns.push(Arc::new(BooleanArray::from(vec![exists; rows])));
        Ok(RecordBatch::try_new(
            Arc::clone(&self.state.schema),
            columns,
        )?)
    }

    fn take_back(&mut self, parts: &[(EventTime, RecordBatch)]) -> expr::Result<()> {
        let mut known = HashMap::new();
        for (_, records) in parts {
            let (keys, others) = records.columns().split_at(self.spec.keys);
            let keys = self.sessions.keys().encode(keys)?;
            let states = self.states.encode(&others[2..others.len() - 1])?;
            let number = |column: usize| others[column].as_primitive::<Int64Type>();
            let exists = others[others.len() - 1].as_boolean();
            for row in 0..records.num_rows() {
                let key: Box<[u8]> = keys.row(row).into();
                let identity = (key, number(0).value(row));
                if exists.value(row) {
                    let state: Box<[u8]> = states.row(row).into();
                    known.insert(identity, (number(1).value(row), state));
                } else {
                    known.remove(&identity);
                }
            }
        }
        for ((key, start), (end, state)) in known {
            self.sessions.restore(&key, start, end, state);
        }
        Ok(())
    }
}

/// The state of sessions: key and start, the end, the partial states.
fn state(operator: OperatorId, keys: &Fields, states: &Fields) -> StateSchema {
    let bound = |name, nullable| Arc::new(Field::new(name, DataType::Int64, nullable));
    let bounds = [bound("start", false), bound("end", true)];
    let exists = Arc::new(Field::new("exists", DataType::Boolean, false));
    let states = states.iter().cloned();
    let fields = keys.iter().cloned().chain(bounds).chain(states);
    let schema = Arc::new(Schema::new(fields.chain([exists]).collect::<Fields>()));
    StateSchema::of_rows(operator, schema, keys.len(), keys.len() + 1)
}

impl Operator for SessionAggregate {
    fn schema(&self) -> &SchemaRef {
        &self.spec.schema
    }

    fn restore(&mut self, state: RestoredState) -> Result<()> {
        self.watermark = state.watermark;
        self.late_records = state.late_records;
        self.reported = (self.watermark, self.late_records);
        self.take_back(&state.rows).map_err(failed)
    }

    fn process(&mut self, batch: Batch, out: &mut dyn Output) -> Result<()> {
        self.take_rows(&batch.records, out).map_err(failed)
    }

    fn watermark(&mut self, at: EventTime, out: &mut dyn Output) -> Result<Progress> {
        let closed = self.sessions.close(at, STEP_SESSIONS);
        if !closed.is_empty() {
            let rows = self.results(&closed).map_err(failed)?;
            out.emit(Batch::new(rows));
            return Ok(Progress::More);
        }
        // After a restart the input begins anew, with the time of whichever split speaks
        // first: kept as it is, it would open sessions again that were emitted.
        self.watermark = self.watermark.max(at);
        Ok(Progress::Done)
    }

    fn next_close(&self) -> Option<EventTime> {
        self.sessions.next_close()
    }

    fn barrier(&mut self, _: Barrier, _: &mut dyn Output) -> Result<Vec<OperatorDelta>> {
        let parts = self.delta().map_err(failed)?;
        let reported = (self.watermark, self.late_records);
        let nothing = parts.is_empty() && reported == self.reported;
        // Of more tasks than key groups some have none, and nothing to keep.
        if nothing || self.spec.range.start == self.spec.range.end {
            return Ok(Vec::new());
        }
        self.reported = reported;
        let rows = parts.into_iter().map(|records| DeltaRows {
            kind: DeltaKind::Put,
            time: EventTime::MAX,
            records,
        });
        Ok(vec![OperatorDelta {
            operator: self.spec.operator,
            range: self.spec.range,
            watermark: self.watermark,
            late_records: self.late_records,
            closed_until: None,
            rows: rows.collect(),
        }])
    }
}

fn failed(error: expr::Error) -> Error {
    Error::Fatal(format!("cannot aggregate a session: {error}"))
}

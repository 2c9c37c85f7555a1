//! Aggregates rows by key without a window: a key's result is never final, and each time that
//! it becomes another one the old one is taken back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{interleave, take};
use arrow::datatypes::SchemaRef;

use crate::clock;
use crate::expr::{self, KeyChange, KeyChanges, UpdatingAggregates, UpdatingSpec};
use crate::runtime::{Error, Operator, Output, Progress, Result};
use crate::state::{DeltaKind, DeltaRows, OperatorDelta, RestoredState, StateSchema};
use crate::stream::{Barrier, Batch, ChangeKind, EventTime, KeyRange, OperatorId};

/// `GROUP BY` without windows, in one task.
pub struct GroupAggregate {
    spec: Spec,
    aggregates: UpdatingAggregates,
    /// The operators of its states, by their places in [`UpdatingAggregates::states`].
    states: Vec<OperatorId>,
    /// When the first change came that has not gone out.
    waiting_since: Option<Instant>,
    watermark: EventTime,
}

/// What it computes, and for whom.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The plan node.
    pub operator: OperatorId,
    /// The key groups of the task.
    pub range: KeyRange,
    /// The rows that it emits: keys and results.
    pub schema: SchemaRef,
    /// What is aggregated.
    pub aggregates: UpdatingSpec,
    /// Whether whoever comes behind needs the rows that are taken back by others (`-U`).
    pub emits_update_before: bool,
    /// How long changes may wait for others of the same keys.
    pub mini_batch: Option<MiniBatch>,
}

/// How changes are collected before they go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MiniBatch {
    /// No change waits longer.
    pub latency: Duration,
    /// No more keys wait.
    pub keys_max: usize,
}

impl GroupAggregate {
    /// The operator, without rows.
    ///
    /// # Errors
    /// If a call has no accumulator for the type of its argument.
    pub fn new(spec: Spec) -> Result<Self> {
        let mut aggregates = UpdatingAggregates::new(spec.aggregates.clone()).map_err(failed)?;
        let states = 0..aggregates.states().len();
        Ok(Self {
            states: states.map(|state| spec.operator.state(state)).collect(),
            aggregates,
            spec,
            waiting_since: None,
            watermark: EventTime::MIN,
        })
    }

    /// What it keeps, a state a thing of its own.
    pub fn states(&mut self) -> Vec<StateSchema> {
        let keys = self.spec.aggregates.keys.len();
        let states = self.aggregates.states().into_iter().zip(&self.states);
        states
            .map(|(state, operator)| {
                StateSchema::of_rows(*operator, state.schema, keys, state.identity_columns)
            })
            .collect()
    }

    /// Takes back what a decided checkpoint kept of one of its states.
    ///
    /// # Errors
    /// If the rows are not of its making.
    pub fn restore_state(&mut self, state: usize, restored: &RestoredState) -> Result<()> {
        self.watermark = self.watermark.max(restored.watermark);
        for (_, records) in &restored.rows {
            self.aggregates.restore(state, records).map_err(failed)?;
        }
        Ok(())
    }

    fn emit_changes(&mut self, out: &mut dyn Output) -> expr::Result<()> {
        self.waiting_since = None;
        let changes = self.aggregates.take_changes()?;
        let batch = self.batch(&changes)?;
        if batch.num_rows() > 0 {
            out.emit(batch);
        }
        Ok(())
    }

    /// The changes as rows: of each key the old one first.
    fn batch(&self, changes: &KeyChanges) -> expr::Result<Batch> {
        let mut kinds = Vec::new();
        let mut keys: Vec<u32> = Vec::new();
        let mut results: Vec<(usize, usize)> = Vec::new();
        let mut add = |kind: ChangeKind, key: usize| {
            kinds.push(kind);
            keys.push(u32::try_from(key).expect("a task has fewer than 2^32 keys"));
            results.push((usize::from(kind.adds()), key));
        };
        for (key, change) in changes.changes.iter().enumerate() {
            match change {
                KeyChange::None => {}
                KeyChange::Inserted => add(ChangeKind::Insert, key),
                KeyChange::Deleted => add(ChangeKind::Delete, key),
                KeyChange::Updated => {
                    if self.spec.emits_update_before {
                        add(ChangeKind::UpdateBefore, key);
                    }
                    add(ChangeKind::UpdateAfter, key);
                }
            }
        }
        let rows = keys.len();
        let keys = UInt32Array::from(keys);
        let of_keys = changes
            .keys
            .iter()
            .map(|column| Ok(take(column, &keys, None)?));
        let of_results = changes.old.iter().zip(&changes.new);
        let of_results = of_results.map(|(old, new)| {
            let sides: [&dyn Array; 2] = [&**old, &**new];
            Ok(interleave(&sides, &results)?)
        });
        let columns = of_keys
            .chain(of_results)
            .collect::<expr::Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = Arc::clone(&self.spec.schema);
        let records = RecordBatch::try_new_with_options(schema, columns, &options)?;
        let is_plain = kinds.iter().all(|kind| *kind == ChangeKind::Insert);
        Ok(Batch::with_kinds(
            records,
            (!is_plain).then(|| kinds.into_iter().collect()),
        ))
    }

    /// Whether changes have to go out now.
    fn is_full(&self) -> bool {
        self.spec
            .mini_batch
            .is_none_or(|batch| self.aggregates.num_touched() >= batch.keys_max)
    }
}

impl Operator for GroupAggregate {
    fn schema(&self) -> &SchemaRef {
        &self.spec.schema
    }

    fn process(&mut self, batch: Batch, out: &mut dyn Output) -> Result<()> {
        let adds = batch.kinds.as_ref().map(|_| {
            let rows = 0..batch.num_rows();
            rows.map(|row| batch.kind(row).adds()).collect::<Vec<_>>()
        });
        let now = clock::now().millis();
        self.aggregates
            .update(&batch.records, adds.as_deref(), now)
            .map_err(failed)?;
        if self.is_full() {
            return self.emit_changes(out).map_err(failed);
        }
        self.waiting_since.get_or_insert_with(Instant::now);
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        let batch = self.spec.mini_batch?;
        Some(self.waiting_since? + batch.latency)
    }

    fn flush(&mut self, out: &mut dyn Output) -> Result<()> {
        if self.waiting_since.is_some() {
            self.emit_changes(out).map_err(failed)?;
        }
        Ok(())
    }

    fn idle(&mut self, out: &mut dyn Output) -> Result<()> {
        self.flush(out)
    }

    fn watermark(&mut self, at: EventTime, _: &mut dyn Output) -> Result<Progress> {
        self.watermark = self.watermark.max(at);
        Ok(Progress::Done)
    }

    fn barrier(&mut self, _: Barrier, out: &mut dyn Output) -> Result<Vec<OperatorDelta>> {
        self.flush(out)?;
        let deltas = self.aggregates.drain_deltas().map_err(failed)?;
        let deltas = self
            .states
            .iter()
            .zip(deltas)
            .filter(|(_, parts)| !parts.is_empty());
        Ok(deltas
            .map(|(operator, parts)| OperatorDelta {
                operator: *operator,
                range: self.spec.range,
                watermark: self.watermark,
                late_records: 0,
                closed_until: None,
                rows: parts.into_iter().map(put).collect(),
            })
            .collect())
    }
}

/// Rows that take the place of those of the same key.
fn put(records: RecordBatch) -> DeltaRows {
    DeltaRows {
        kind: DeltaKind::Put,
        time: EventTime::MAX,
        records,
    }
}

fn failed(error: expr::Error) -> Error {
    Error::Fatal(format!("cannot aggregate rows: {error}"))
}

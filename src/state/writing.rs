//! Transactions: a checkpoint, a confirmation, the end of a job.

use redb::{Durability, ReadableTable, WriteTransaction};
use serde::Serialize;

use super::closed::Closing;
use super::failure::ResultExt as _;
use super::layout::{
    CLOSED, COMPLETE, DEAD_LETTERS, DELTAS, META, META_HEADER, META_PROGRESS, OPEN, OPERATORS,
    PAGES, PUBLISH, SCHEMAS, SPLITS, UNDO, create_tables, outputs_of, range_key,
};
use super::log::{LogChunk, LogWriter};
use super::ranges::{RangeRecord, put_range};
use super::store::{Store, schema_text};
use super::undo;
use super::{Checkpoint, Decider, Finished, Header, Job, OperatorDelta, Progress, Result, Written};
use crate::stream::{CheckpointId, EventTime, OperatorId};

impl Store {
    /// Begins a job in a store that holds none.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn create_job(&mut self, header: Header) -> Result<()> {
        assert!(self.job.is_none(), "a job was begun over another");
        self.guarded(|store| {
            let progress = Progress::default();
            let transaction = store.begin("create a job in")?;
            {
                let mut meta = transaction.open_table(META).doing("write")?;
                meta.insert(META_HEADER, json(&header).as_slice())
                    .doing("write")?;
                meta.insert(META_PROGRESS, json(&progress).as_slice())
                    .doing("write")?;
            }
            transaction.commit().doing("commit")?;
            store.job = Some(Job { header, progress });
            Ok(())
        })
    }

    /// Makes a checkpoint durable in one transaction, and thereby decides it, or
    /// prepares it if another decides. With it go pages that folding has made, and
    /// the deletion of closed units.
    ///
    /// # Errors
    /// If it is not durable for certain; the store then refuses everything.
    ///
    /// # Panics
    /// If the number is not above the last one's. Where another decides: if it is
    /// not the next one, if the last one is undecided, or if the job has no marker.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "its buffers are given back on this thread"
    )]
    pub fn commit(&mut self, checkpoint: Checkpoint) -> Result<Written> {
        self.guarded(|store| store.commit_checkpoint(&checkpoint))
    }

    /// Writes folded pages and deletes closed units in a transaction of its own,
    /// for a job that makes no checkpoint. `false` if there was nothing to do.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn fold_idle(&mut self) -> Result<bool> {
        let nothing = self.staged.is_none() && self.units.closed().next().is_none();
        // A roll back needs what an undecided checkpoint has closed.
        if nothing || self.undecided().is_some() {
            return Ok(false);
        }
        self.guarded(|store| {
            let transaction = store.begin("fold")?;
            let upkeep = store.write_upkeep(&transaction, 0)?;
            store.write_progress(&transaction)?;
            transaction.commit().doing("commit")?;
            upkeep.note_in(&mut store.units);
            Ok(true)
        })
    }

    /// Notes durably that all outputs of these checkpoints are published.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn confirm(&mut self, confirmed: &[CheckpointId]) -> Result<()> {
        if confirmed.is_empty() {
            return self.usable();
        }
        self.guarded(|store| {
            let transaction = store.begin("confirm outputs in")?;
            forget_outputs(&transaction, confirmed)?;
            store.write_progress(&transaction)?;
            transaction.commit().doing("commit")
        })
    }

    /// Notes durably that a sink has dealt with everything that an earlier run
    /// left, be it decided or open.
    ///
    /// # Errors
    /// As [`Self::commit`].
    ///
    /// # Panics
    /// If a checkpoint is undecided.
    pub fn settle(&mut self, operators: &[OperatorId]) -> Result<()> {
        self.assert_decided("outputs were settled");
        self.guarded(|store| {
            let transaction = store.begin("settle outputs in")?;
            {
                let mut publish = transaction.open_table(PUBLISH).doing("write")?;
                publish
                    .retain(|(_, operator, _), _| !operators.contains(&OperatorId(operator)))
                    .doing("write")?;
                let mut open = transaction.open_table(OPEN).doing("write")?;
                open.retain(|(operator, _, _), _| !operators.contains(&OperatorId(operator)))
                    .doing("write")?;
            }
            store.write_progress(&transaction)?;
            transaction.commit().doing("commit")
        })
    }

    /// Notes durably that the job is finished: all input read, all output published.
    ///
    /// # Errors
    /// As [`Self::commit`].
    ///
    /// # Panics
    /// If a checkpoint is undecided.
    pub fn finish(&mut self, finished: Finished) -> Result<()> {
        self.assert_decided("the job was finished");
        self.guarded(|store| {
            let job = store.job.as_mut().expect("a job was begun before it ends");
            job.progress.finished = Some(finished);
            let transaction = store.begin("finish the job in")?;
            store.write_progress(&transaction)?;
            empty_outputs(&transaction)?;
            transaction.commit().doing("commit")
        })
    }

    /// Forgets the job and everything of it, in one transaction.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn remove_job(&mut self) -> Result<()> {
        self.guarded(|store| {
            let transaction = store.begin("remove the job from")?;
            {
                let mut meta = transaction.open_table(META).doing("write")?;
                meta.remove(META_HEADER).doing("write")?;
                meta.remove(META_PROGRESS).doing("write")?;
            }
            empty_tables(&transaction)?;
            transaction.commit().doing("commit")?;
            store.job = None;
            store.units.clear();
            store.closed.clear();
            store.schemas.clear();
            store.staged = None;
            store.generation += 1;
            Ok(())
        })
    }

    fn commit_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<Written> {
        let job = self
            .job
            .as_ref()
            .expect("a job was begun before its checkpoints");
        let decider = job.header.decider;
        let progress = after(&job.progress, checkpoint.id, decider);
        let log = LogWriter::new(checkpoint.id, job.header.key_groups);

        let closings = self.closings_of(&checkpoint.deltas);
        let (chunks, delta_rows) = self.encode(log, &checkpoint.deltas, &closings)?;
        let delta_bytes = chunks.iter().map(|chunk| chunk.bytes.len() as u64).sum();

        let transaction = self.begin("write a checkpoint to")?;
        if decider != Decider::State {
            undo::keep(&transaction, checkpoint, &closings)?;
        }
        write_chunks(&transaction, &chunks)?;
        self.write_operators(&transaction, &checkpoint.deltas, &closings)?;
        write_sources(&transaction, checkpoint)?;
        write_outputs(&transaction, checkpoint)?;
        write_progress(&transaction, &progress)?;
        let upkeep = self.write_upkeep(&transaction, chunks.len() as u64)?;
        transaction.commit().doing("commit")?;

        let written = Written {
            delta_rows,
            delta_bytes,
            page_bytes: upkeep.page_bytes(),
        };
        upkeep.note_in(&mut self.units);
        for chunk in &chunks {
            self.units
                .add_chunk(chunk.key, chunk.chunk, chunk.bytes.len() as u64);
        }
        for closing in closings {
            self.units
                .close(closing.operator, closing.range, closing.until);
            self.closed.insert(closing);
        }
        self.last_delta_bytes = delta_bytes;
        if let Some(job) = &mut self.job {
            job.progress = progress;
        }
        Ok(written)
    }

    /// A durable transaction as every commit of the state is: synced, two-phase,
    /// and quick to open after a crash.
    pub(super) fn begin(&self, act: &'static str) -> Result<WriteTransaction> {
        let mut transaction = self.database.begin_write().doing(act)?;
        transaction
            .set_durability(Durability::Immediate)
            .doing(act)?;
        transaction.set_two_phase_commit(true);
        transaction.set_quick_repair(true);
        Ok(transaction)
    }

    /// The closings that the deltas bring, as far as they are news.
    fn closings_of(&self, deltas: &[OperatorDelta]) -> Vec<Closing> {
        let mut closings = Vec::new();
        for delta in deltas {
            // State without time has the last time there is; nothing closes it.
            let last = EventTime::MAX.saturating_sub(1);
            if let Some(until) = delta.closed_until.map(|until| until.min(last)) {
                let closing = Closing {
                    operator: delta.operator,
                    range: delta.range,
                    until,
                };
                if self.closed.is_news(closing) {
                    closings.push(closing);
                }
            }
        }
        closings
    }

    fn encode(
        &self,
        mut log: LogWriter,
        deltas: &[OperatorDelta],
        closings: &[Closing],
    ) -> Result<(Vec<LogChunk>, u64)> {
        for delta in deltas {
            if delta.rows.is_empty() {
                continue;
            }
            let schema = self
                .schemas
                .get(&delta.operator.0)
                .expect("an operator is registered before its first delta");
            log.add(schema, delta, |unit| {
                self.closed.covers(unit) || closings.iter().any(|closing| closing.covers(unit))
            })?;
        }
        Ok(log.finish())
    }

    fn write_operators(
        &self,
        transaction: &WriteTransaction,
        deltas: &[OperatorDelta],
        closings: &[Closing],
    ) -> Result<()> {
        let mut operators = transaction.open_table(OPERATORS).doing("write")?;
        let mut schemas = transaction.open_table(SCHEMAS).doing("write")?;
        for delta in deltas {
            let record = RangeRecord {
                range: delta.range,
                watermark: delta.watermark,
                late_records: delta.late_records,
            };
            put_range(&mut operators, delta.operator, record)?;
            if let Some(schema) = self.schemas.get(&delta.operator.0)
                && schemas.get(delta.operator.0).doing("write")?.is_none()
            {
                schemas
                    .insert(delta.operator.0, schema_text(schema).as_str())
                    .doing("write")?;
            }
        }
        let mut closed = transaction.open_table(CLOSED).doing("write")?;
        for closing in closings {
            closed
                .insert(
                    range_key(closing.operator, closing.range),
                    closing.until.millis(),
                )
                .doing("write")?;
        }
        Ok(())
    }
}

/// How far a job has come with a checkpoint that is about to be made durable.
fn after(last: &Progress, checkpoint: CheckpointId, decider: Decider) -> Progress {
    let Progress {
        prepared,
        committed,
        ..
    } = *last;
    assert!(
        checkpoint > committed,
        "checkpoint {checkpoint} was made after {committed}"
    );
    assert_eq!(
        prepared, committed,
        "checkpoint {checkpoint} was made while another was undecided"
    );
    let mut progress = last.clone();
    progress.prepared = checkpoint;
    match decider {
        Decider::State => progress.committed = checkpoint,
        // A marker tells one checkpoint from the one before it, and only if there
        // is always one.
        Decider::Kafka => {
            assert_eq!(checkpoint, committed.next(), "a number was left out");
            assert!(
                last.claim.is_some(),
                "a checkpoint was made without a claim"
            );
        }
    }
    progress
}

/// Writes how far the job has come.
pub(super) fn write_progress(transaction: &WriteTransaction, progress: &Progress) -> Result<()> {
    let mut meta = transaction.open_table(META).doing("write")?;
    meta.insert(META_PROGRESS, json(progress).as_slice())
        .doing("write")?;
    Ok(())
}

pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("a record has no keys but strings")
}

fn write_chunks(transaction: &WriteTransaction, chunks: &[LogChunk]) -> Result<()> {
    let mut deltas = transaction.open_table(DELTAS).doing("write")?;
    for chunk in chunks {
        deltas
            .insert(chunk.key.delta_key(chunk.chunk), chunk.bytes.as_slice())
            .doing("write")?;
    }
    Ok(())
}

fn write_sources(transaction: &WriteTransaction, checkpoint: &Checkpoint) -> Result<()> {
    let mut splits = transaction.open_table(SPLITS).doing("write")?;
    for split in &checkpoint.splits {
        splits
            .insert(
                (split.operator.0, split.split.as_str()),
                json(split).as_slice(),
            )
            .doing("write")?;
    }
    let mut complete = transaction.open_table(COMPLETE).doing("write")?;
    for operator in &checkpoint.complete_sources {
        complete.insert(operator.0, ()).doing("write")?;
    }
    let mut dead_letters = transaction.open_table(DEAD_LETTERS).doing("write")?;
    for file in &checkpoint.dead_letters {
        dead_letters
            .insert(file.name.as_str(), (file.bytes, file.rows))
            .doing("write")?;
    }
    Ok(())
}

fn write_outputs(transaction: &WriteTransaction, checkpoint: &Checkpoint) -> Result<()> {
    forget_outputs(transaction, &checkpoint.confirmed)?;
    let mut publish = transaction.open_table(PUBLISH).doing("write")?;
    for (number, (operator, output)) in (0..).zip(&checkpoint.publish) {
        publish
            .insert(
                (checkpoint.id.0, operator.0, number),
                json(output).as_slice(),
            )
            .doing("write")?;
    }
    let mut open = transaction.open_table(OPEN).doing("write")?;
    for task in &checkpoint.open {
        let (operator, index) = (task.operator.0, task.task);
        open.retain_in(
            (operator, index, 0)..=(operator, index, u32::MAX),
            |_, _| false,
        )
        .doing("write")?;
        for (number, output) in (0..).zip(&task.outputs) {
            open.insert((operator, index, number), json(output).as_slice())
                .doing("write")?;
        }
    }
    Ok(())
}

fn forget_outputs(transaction: &WriteTransaction, confirmed: &[CheckpointId]) -> Result<()> {
    let mut publish = transaction.open_table(PUBLISH).doing("write")?;
    for checkpoint in confirmed {
        publish
            .retain_in(outputs_of(*checkpoint), |_, _| false)
            .doing("write")?;
    }
    Ok(())
}

/// Deletes every table of a job but `meta`, and makes them anew, empty.
fn empty_tables(transaction: &WriteTransaction) -> Result<()> {
    transaction.delete_table(SCHEMAS).doing("write")?;
    transaction.delete_table(COMPLETE).doing("write")?;
    transaction.delete_table(SPLITS).doing("write")?;
    transaction.delete_table(OPERATORS).doing("write")?;
    transaction.delete_table(CLOSED).doing("write")?;
    transaction.delete_table(DELTAS).doing("write")?;
    transaction.delete_table(PAGES).doing("write")?;
    transaction.delete_table(DEAD_LETTERS).doing("write")?;
    transaction.delete_table(UNDO).doing("write")?;
    empty_outputs(transaction)?;
    create_tables(transaction)
}

fn empty_outputs(transaction: &WriteTransaction) -> Result<()> {
    transaction.delete_table(PUBLISH).doing("write")?;
    transaction.delete_table(OPEN).doing("write")?;
    create_tables(transaction)
}

//! What a prepared checkpoint has written over, and how it is put back.
//!
//! Its blobs and outputs bear its number and need no record. Neither do the
//! columns of an operator, which say nothing about rows.

use std::collections::BTreeSet;

use redb::{ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::closed::Closing;
use super::failure::{self, ResultExt as _};
use super::layout::{
    CLOSED, COMPLETE, DEAD_LETTERS, DELTAS, OPEN, OPERATORS, PUBLISH, SPLITS, UNDO, blobs_of,
    outputs_of, range_key,
};
use super::store::parse;
use super::writing::json;
use super::{Checkpoint, Error, Result};
use crate::stream::CheckpointId;

/// The small records that a checkpoint changes, as they were before it.
#[derive(Serialize, Deserialize)]
struct Undo {
    /// All ranges of each operator: writing one may cut others.
    operators: Vec<Ranges>,
    closed: Vec<Row<RangeKey, i64>>,
    splits: Vec<Row<(u32, String), String>>,
    /// The sources that were not complete.
    incomplete: Vec<u32>,
    dead_letters: Vec<Row<String, (u64, u64)>>,
    /// All outputs of each task.
    open: Vec<Outputs>,
}

/// A key and what stood there, if anything did.
type Row<K, V> = (K, Option<V>);
/// The key of a range of an operator.
type RangeKey = (u32, u16, u16);
/// An operator and all rows of its ranges.
type Ranges = (u32, Vec<(RangeKey, (i64, u64))>);
/// A task and all its open outputs by number.
type Outputs = ((u32, u32), Vec<(u32, String)>);

/// Keeps what `checkpoint` is about to write over, in the same transaction, in the
/// place of what the checkpoint before it kept.
pub(super) fn keep(
    transaction: &WriteTransaction,
    checkpoint: &Checkpoint,
    closings: &[Closing],
) -> Result<()> {
    let before = Undo {
        operators: operators_before(transaction, checkpoint)?,
        closed: closed_before(transaction, closings)?,
        splits: splits_before(transaction, checkpoint)?,
        incomplete: incomplete_before(transaction, checkpoint)?,
        dead_letters: dead_letters_before(transaction, checkpoint)?,
        open: open_before(transaction, checkpoint)?,
    };
    let mut undo = transaction.open_table(UNDO).doing("write")?;
    undo.retain(|_, _| false).doing("write")?;
    undo.insert(checkpoint.id.0, json(&before).as_slice())
        .doing("write")?;
    Ok(())
}

/// Takes everything of a checkpoint back.
pub(super) fn apply(transaction: &WriteTransaction, checkpoint: CheckpointId) -> Result<()> {
    let before: Undo = {
        let mut undo = transaction.open_table(UNDO).doing("roll back")?;
        let record = undo.remove(checkpoint.0).doing("roll back")?;
        let record = record.ok_or_else(|| failure::missing("what to roll back to"))?;
        parse("what to roll back to", record.value())?
    };
    let mut deltas = transaction.open_table(DELTAS).doing("roll back")?;
    deltas
        .retain_in(blobs_of(checkpoint), |_, _| false)
        .doing("roll back")?;
    let mut publish = transaction.open_table(PUBLISH).doing("roll back")?;
    publish
        .retain_in(outputs_of(checkpoint), |_, _| false)
        .doing("roll back")?;
    put_back_operators(transaction, &before)?;
    put_back_sources(transaction, &before)?;
    put_back_open(transaction, &before)
}

fn operators_before(
    transaction: &WriteTransaction,
    checkpoint: &Checkpoint,
) -> Result<Vec<Ranges>> {
    let table = transaction.open_table(OPERATORS).doing("write")?;
    let touched: BTreeSet<u32> = checkpoint.deltas.iter().map(|d| d.operator.0).collect();
    let mut before = Vec::with_capacity(touched.len());
    for operator in touched {
        let mut rows = Vec::new();
        for entry in table.range(ranges_of(operator)).doing("write")? {
            let (key, value) = entry.doing("write")?;
            rows.push((key.value(), value.value()));
        }
        before.push((operator, rows));
    }
    Ok(before)
}

fn closed_before(
    transaction: &WriteTransaction,
    closings: &[Closing],
) -> Result<Vec<Row<RangeKey, i64>>> {
    let table = transaction.open_table(CLOSED).doing("write")?;
    let rows = closings.iter().map(|closing| {
        let key = range_key(closing.operator, closing.range);
        let value = table.get(key).doing("write")?;
        Ok((key, value.map(|until| until.value())))
    });
    rows.collect()
}

fn splits_before(
    transaction: &WriteTransaction,
    checkpoint: &Checkpoint,
) -> Result<Vec<Row<(u32, String), String>>> {
    let table = transaction.open_table(SPLITS).doing("write")?;
    let rows = checkpoint.splits.iter().map(|split| {
        let (operator, name) = (split.operator.0, split.split.as_str());
        let value = table.get((operator, name)).doing("write")?;
        let value = value.map(|split| text(split.value())).transpose()?;
        Ok(((operator, name.to_owned()), value))
    });
    rows.collect()
}

fn incomplete_before(transaction: &WriteTransaction, checkpoint: &Checkpoint) -> Result<Vec<u32>> {
    let table = transaction.open_table(COMPLETE).doing("write")?;
    let mut incomplete = Vec::new();
    for operator in &checkpoint.complete_sources {
        if table.get(operator.0).doing("write")?.is_none() {
            incomplete.push(operator.0);
        }
    }
    Ok(incomplete)
}

fn dead_letters_before(
    transaction: &WriteTransaction,
    checkpoint: &Checkpoint,
) -> Result<Vec<Row<String, (u64, u64)>>> {
    let table = transaction.open_table(DEAD_LETTERS).doing("write")?;
    let rows = checkpoint.dead_letters.iter().map(|file| {
        let value = table.get(file.name.as_str()).doing("write")?;
        Ok((file.name.clone(), value.map(|length| length.value())))
    });
    rows.collect()
}

fn open_before(transaction: &WriteTransaction, checkpoint: &Checkpoint) -> Result<Vec<Outputs>> {
    let table = transaction.open_table(OPEN).doing("write")?;
    let mut before = Vec::with_capacity(checkpoint.open.len());
    for open in &checkpoint.open {
        let task = (open.operator.0, open.task);
        let mut rows = Vec::new();
        for entry in table.range(outputs_of_task(task)).doing("write")? {
            let (key, value) = entry.doing("write")?;
            rows.push((key.value().2, text(value.value())?));
        }
        before.push((task, rows));
    }
    Ok(before)
}

fn put_back_operators(transaction: &WriteTransaction, before: &Undo) -> Result<()> {
    let mut operators = transaction.open_table(OPERATORS).doing("roll back")?;
    for (operator, rows) in &before.operators {
        operators
            .retain_in(ranges_of(*operator), |_, _| false)
            .doing("roll back")?;
        for (key, value) in rows {
            operators.insert(*key, *value).doing("roll back")?;
        }
    }
    let mut closed = transaction.open_table(CLOSED).doing("roll back")?;
    for (key, until) in &before.closed {
        match until {
            Some(until) => closed.insert(*key, *until),
            None => closed.remove(*key),
        }
        .doing("roll back")?;
    }
    Ok(())
}

fn put_back_sources(transaction: &WriteTransaction, before: &Undo) -> Result<()> {
    let mut splits = transaction.open_table(SPLITS).doing("roll back")?;
    for ((operator, name), split) in &before.splits {
        let key = (*operator, name.as_str());
        match split {
            Some(split) => splits.insert(key, split.as_bytes()),
            None => splits.remove(key),
        }
        .doing("roll back")?;
    }
    let mut complete = transaction.open_table(COMPLETE).doing("roll back")?;
    for operator in &before.incomplete {
        complete.remove(*operator).doing("roll back")?;
    }
    let mut dead_letters = transaction.open_table(DEAD_LETTERS).doing("roll back")?;
    for (name, length) in &before.dead_letters {
        match length {
            Some(length) => dead_letters.insert(name.as_str(), *length),
            None => dead_letters.remove(name.as_str()),
        }
        .doing("roll back")?;
    }
    Ok(())
}

fn put_back_open(transaction: &WriteTransaction, before: &Undo) -> Result<()> {
    let mut open = transaction.open_table(OPEN).doing("roll back")?;
    for (task, rows) in &before.open {
        open.retain_in(outputs_of_task(*task), |_, _| false)
            .doing("roll back")?;
        for (number, output) in rows {
            open.insert((task.0, task.1, *number), output.as_bytes())
                .doing("roll back")?;
        }
    }
    Ok(())
}

fn ranges_of(operator: u32) -> std::ops::RangeInclusive<RangeKey> {
    (operator, 0, 0)..=(operator, u16::MAX, u16::MAX)
}

fn outputs_of_task((operator, task): (u32, u32)) -> std::ops::RangeInclusive<(u32, u32, u32)> {
    (operator, task, 0)..=(operator, task, u32::MAX)
}

/// JSON of a record as text.
fn text(json: &[u8]) -> Result<String> {
    let text = str::from_utf8(json);
    text.map(str::to_owned)
        .map_err(|error| Error::Corrupt(format!("a record is not text: {error}")))
}

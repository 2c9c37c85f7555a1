//! What a restart reads from the store.

use std::collections::BTreeMap;

use redb::{ReadTransaction, ReadableTable};
use serde_json::Value;

use super::failure::ResultExt as _;
use super::folding::{self, FoldJob, FoldUnit};
use super::layout::{COMPLETE, DEAD_LETTERS, OPEN, PUBLISH, SPLITS};
use super::ranges::range_records;
use super::runs;
use super::store::{Store, parse};
use super::{DeadLetterFile, Folded, Outputs, RestoredState, Result, SplitRecord, StateSchema};
use crate::stream::{CheckpointId, EventTime, KeyRange, OperatorId};

/// Folding takes up to this many times what the last checkpoint wrote: a unit is
/// folded when its deltas are half of its pages, which costs three times their
/// bytes, so that this much keeps up with any rate.
const FOLD_SLICE_FACTOR: u64 = 4;

impl Store {
    /// What the last checkpoint kept of an operator in the key groups of `range`,
    /// which may be other ranges than those it was written from. `None` if the
    /// operator has left nothing there.
    ///
    /// # Errors
    /// If it cannot be read, or has other columns.
    pub fn load(&mut self, schema: &StateSchema, range: KeyRange) -> Result<Option<RestoredState>> {
        self.register(schema.clone())?;
        self.guarded(|store| store.read(|snapshot| store.load_from(snapshot, schema, range)))
    }

    fn load_from(
        &self,
        snapshot: &ReadTransaction,
        schema: &StateSchema,
        range: KeyRange,
    ) -> Result<Option<RestoredState>> {
        let records = range_records(snapshot, schema.operator)?;
        let overlapping = records
            .iter()
            .filter(|record| record.range.start < range.end && range.start < record.range.end);
        let Some(watermark) = overlapping.clone().map(|record| record.watermark).min() else {
            return Ok(None);
        };
        // Each count goes to the one task that owns the first group of its range.
        let late_records = overlapping
            .filter(|record| range.contains(crate::stream::KeyGroup(record.range.start)))
            .map(|record| record.late_records)
            .sum();
        // The n-th runs of all groups make one batch: no two of them share a key.
        let mut levels: BTreeMap<(i64, usize), Vec<arrow::array::RecordBatch>> = BTreeMap::new();
        for group in range.groups() {
            for (key, unit) in self.units.open_of(schema.operator, group) {
                let found = folding::read_runs(snapshot, schema, key, unit)?;
                let settled = runs::settle_puts(schema, found)?;
                for (level, records) in settled.into_iter().enumerate() {
                    let records = runs::without_deletions(schema, records)?;
                    levels.entry((key.time, level)).or_default().push(records);
                }
            }
        }
        let mut rows = Vec::with_capacity(levels.len());
        for ((time, _), batches) in levels {
            let records = runs::concat(schema, &batches)?;
            rows.push((EventTime::from_millis(time), records));
        }
        Ok(Some(RestoredState {
            watermark,
            late_records,
            rows,
        }))
    }

    /// How many rows an operator has dropped as late since the job began, as the
    /// last checkpoint counted them.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn late_records(&mut self, operator: OperatorId) -> Result<u64> {
        self.guarded(|store| {
            store.read(|snapshot| {
                let records = range_records(snapshot, operator)?;
                Ok(records.iter().map(|record| record.late_records).sum())
            })
        })
    }

    /// The parts of `range` that have a clock of their own in an operator: each
    /// part's watermark is one, and differs from its neighbours'. What has left no
    /// watermark is a part by itself.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn clocks(&mut self, operator: OperatorId, range: KeyRange) -> Result<Vec<KeyRange>> {
        self.guarded(|store| {
            store.read(|snapshot| {
                let records = range_records(snapshot, operator)?;
                let watermark_of = |group: crate::stream::KeyGroup| {
                    let own = records.iter().filter(|record| record.range.contains(group));
                    own.map(|record| record.watermark).min()
                };
                let mut parts: Vec<(KeyRange, Option<EventTime>)> = Vec::new();
                for group in range.groups() {
                    let watermark = watermark_of(group);
                    match parts.last_mut() {
                        Some((part, of)) if *of == watermark => part.end = group.0 + 1,
                        _ => {
                            let (start, end) = (group.0, group.0 + 1);
                            parts.push((KeyRange { start, end }, watermark));
                        }
                    }
                }
                Ok(parts.into_iter().map(|(part, _)| part).collect())
            })
        })
    }

    /// The splits of a source in the order in which they were found, and whether
    /// there will be no more.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn splits(&mut self, operator: OperatorId) -> Result<(Vec<SplitRecord>, bool)> {
        self.guarded(|store| {
            store.read(|snapshot| {
                let table = snapshot.open_table(SPLITS).doing("read")?;
                let mut splits: Vec<SplitRecord> = Vec::new();
                for entry in table.range((operator.0, "")..).doing("read")? {
                    let (key, value) = entry.doing("read")?;
                    if key.value().0 != operator.0 {
                        break;
                    }
                    splits.push(parse("a split", value.value())?);
                }
                splits.sort_by_key(|split| split.ordinal);
                let complete = snapshot.open_table(COMPLETE).doing("read")?;
                let complete = complete.get(operator.0).doing("read")?.is_some();
                Ok((splits, complete))
            })
        })
    }

    /// The outputs of a sink that are still to be dealt with.
    ///
    /// # Errors
    /// If they cannot be read.
    ///
    /// # Panics
    /// If a checkpoint is undecided: its outputs are among them.
    pub fn outputs(&mut self, operator: OperatorId) -> Result<Outputs> {
        self.assert_decided("outputs were asked for");
        self.guarded(|store| {
            store.read(|snapshot| {
                let mut outputs = Outputs::default();
                let publish = snapshot.open_table(PUBLISH).doing("read")?;
                for entry in publish.iter().doing("read")? {
                    let (key, value) = entry.doing("read")?;
                    let (checkpoint, of, _) = key.value();
                    if of == operator.0 {
                        let output: Value = parse("an output", value.value())?;
                        outputs.publish.push((CheckpointId(checkpoint), output));
                    }
                }
                let open = snapshot.open_table(OPEN).doing("read")?;
                let first = (operator.0, 0, 0);
                let last = (operator.0, u32::MAX, u32::MAX);
                for entry in open.range(first..=last).doing("read")? {
                    let (_, value) = entry.doing("read")?;
                    outputs.open.push(parse("an open output", value.value())?);
                }
                Ok(outputs)
            })
        })
    }

    /// The files of dead letters, as long as the last checkpoint left them.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn dead_letter_files(&mut self) -> Result<Vec<DeadLetterFile>> {
        self.guarded(|store| {
            store.read(|snapshot| {
                let table = snapshot.open_table(DEAD_LETTERS).doing("read")?;
                let mut files = Vec::new();
                for entry in table.iter().doing("read")? {
                    let (name, value) = entry.doing("read")?;
                    let (bytes, rows) = value.value();
                    files.push(DeadLetterFile {
                        name: name.value().to_owned(),
                        bytes,
                        rows,
                    });
                }
                Ok(files)
            })
        })
    }

    /// Work for another thread, if units wait to be folded, no result of earlier
    /// work waits to be written, and everything is decided.
    ///
    /// # Errors
    /// If no snapshot can be had.
    pub fn plan_fold(&mut self) -> Result<Option<FoldJob>> {
        // What is undecided may be rolled back, and cannot be out of a page.
        if self.folding || self.staged.is_some() || self.undecided().is_some() {
            return Ok(None);
        }
        self.guarded(|store| {
            let bytes =
                (FOLD_SLICE_FACTOR * store.last_delta_bytes).max(store.options.fold_slice_bytes);
            let due = store
                .units
                .take_due(bytes, |operator| store.schemas.contains_key(&operator));
            if due.is_empty() {
                return Ok(None);
            }
            let units = due
                .into_iter()
                .filter_map(|(key, unit)| {
                    let schema = store.schemas.get(&key.operator)?.clone();
                    Some(FoldUnit { key, unit, schema })
                })
                .collect();
            let snapshot = redb::ReadableDatabase::begin_read(&store.database).doing("read")?;
            store.folding = true;
            Ok(Some(FoldJob {
                generation: store.generation,
                snapshot,
                units,
            }))
        })
    }

    /// Takes the result of a job, to be written with the next checkpoint.
    ///
    /// # Errors
    /// If the job has failed; the store then refuses everything.
    pub fn stage(&mut self, folded: Result<Folded>) -> Result<()> {
        self.folding = false;
        self.guarded(|store| {
            let folded = folded?;
            if folded.generation == store.generation {
                store.staged = Some(folded);
            }
            Ok(())
        })
    }
}

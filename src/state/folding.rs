//! Folding: the deltas of a unit become sorted pages, away from the writer.
//!
//! A [`FoldJob`] reads from the snapshot of one decided checkpoint, so it can run
//! on any thread while later checkpoints are made. Its result names the last blob
//! that went into it; blobs that came since stay in the log.

use redb::ReadTransaction;

use super::codec::{self, Encoder};
use super::failure::{self, ResultExt as _};
use super::layout::{ChunkKey, DELTAS, PAGES, UnitKey};
use super::runs::{self, Run};
use super::units::Unit;
use super::{DeltaKind, Result, StateSchema};

/// Units to fold, with the snapshot to read them from.
pub struct FoldJob {
    pub(super) generation: u64,
    pub(super) snapshot: ReadTransaction,
    pub(super) units: Vec<FoldUnit>,
}

/// One unit of a job.
pub(super) struct FoldUnit {
    pub key: UnitKey,
    pub unit: Unit,
    pub schema: StateSchema,
}

/// What a job has made, to be written with the next checkpoint.
pub struct Folded {
    pub(super) generation: u64,
    pub(super) units: Vec<FoldedUnit>,
}

/// The pages that take the place of a unit's pages and of its blobs up to `last`.
pub(super) struct FoldedUnit {
    pub key: UnitKey,
    pub last: ChunkKey,
    /// Key and value of each page, in order.
    pub pages: Vec<(Vec<u8>, Vec<u8>)>,
}

impl FoldJob {
    /// Computes the pages. Reads the file, writes nothing.
    ///
    /// # Errors
    /// If the file cannot be read or is corrupt.
    pub fn run(self) -> Result<Folded> {
        let mut encoder = Encoder::new();
        let mut units = Vec::with_capacity(self.units.len());
        for unit in &self.units {
            units.extend(fold_unit(&self.snapshot, unit, &mut encoder)?);
        }
        Ok(Folded {
            generation: self.generation,
            units,
        })
    }
}

fn fold_unit(
    snapshot: &ReadTransaction,
    unit: &FoldUnit,
    encoder: &mut Encoder,
) -> Result<Option<FoldedUnit>> {
    let Some(&(last, _)) = unit.unit.chunks.last() else {
        return Ok(None);
    };
    let runs = read_runs(snapshot, &unit.schema, unit.key, &unit.unit)?;
    let folded = runs::fold(&unit.schema, runs)?;
    // All that the unit has had until here is in it: nothing is left to be deleted.
    let folded = runs::without_deletions(&unit.schema, folded)?;
    let sorted = runs::sort(&unit.schema, &folded)?;
    let blobs = encoder.encode(DeltaKind::Put, &sorted.records)?;
    let pages = blobs
        .into_iter()
        .map(|blob| {
            let first = sorted.keys.row(blob.first_row);
            (unit.key.page_key(first.as_ref()), blob.bytes)
        })
        .collect();
    Ok(Some(FoldedUnit {
        key: unit.key,
        last,
        pages,
    }))
}

/// Everything that the file holds of a unit: its pages as one run, which is a
/// put, then its blobs.
pub(super) fn read_runs(
    snapshot: &ReadTransaction,
    schema: &StateSchema,
    key: UnitKey,
    unit: &Unit,
) -> Result<Vec<Run>> {
    let mut runs = Vec::with_capacity(unit.chunks.len() + 1);
    if unit.pages > 0 {
        let pages = snapshot.open_table(PAGES).doing("read")?;
        let first = key.page_key(&[]);
        let mut records = Vec::new();
        let range = match key.page_end() {
            Some(end) => pages.range(first.as_slice()..end.as_slice()),
            None => pages.range(first.as_slice()..),
        };
        for entry in range.doing("read")? {
            let (_, bytes) = entry.doing("read")?;
            records.push(codec::decode(&schema.schema, bytes.value())?.1);
        }
        if records.len() as u64 != unit.pages {
            return Err(failure::missing("a page"));
        }
        runs.push(Run {
            kind: DeltaKind::Put,
            records: runs::concat(schema, &records)?,
        });
    }
    if !unit.chunks.is_empty() {
        let deltas = snapshot.open_table(DELTAS).doing("read")?;
        for (chunk, _) in &unit.chunks {
            let bytes = deltas
                .get(key.delta_key(*chunk))
                .doing("read")?
                .ok_or_else(|| failure::missing("a blob of the delta log"))?;
            let (kind, records) = codec::decode(&schema.schema, bytes.value())?;
            runs.push(Run { kind, records });
        }
    }
    Ok(runs)
}

//! What a transaction does besides its checkpoint: it writes folded pages and
//! deletes closed units.

use std::ops::Bound;

use redb::WriteTransaction;

use super::failure::{self, ResultExt as _};
use super::layout::{ChunkKey, DELTAS, PAGES, UnitKey};
use super::store::Store;
use super::units::{Unit, Units};
use super::{Folded, Result};

/// Blobs and pages of closed units that one transaction deletes, at least; with
/// much to write it deletes as much as it writes and more.
const DELETE_ENTRIES_MIN: u64 = 4_096;

/// What a transaction did besides its checkpoint; noted in the index once it is durable.
#[derive(Default)]
pub(super) struct Upkeep {
    removed: Vec<UnitKey>,
    folded: Vec<(UnitKey, ChunkKey, Vec<u64>)>,
}

impl Upkeep {
    pub fn page_bytes(&self) -> u64 {
        let sizes = self.folded.iter().flat_map(|(_, _, sizes)| sizes);
        sizes.sum()
    }

    pub fn note_in(self, units: &mut Units) {
        for key in self.removed {
            units.remove(key);
        }
        for (key, last, sizes) in self.folded {
            units.replace(key, last, &sizes);
        }
    }
}

impl Store {
    /// Writes staged pages and deletes closed units, in a slice that is bounded
    /// by `chunks_written`.
    pub(super) fn write_upkeep(
        &mut self,
        transaction: &WriteTransaction,
        chunks_written: u64,
    ) -> Result<Upkeep> {
        let mut upkeep = Upkeep::default();
        let budget = DELETE_ENTRIES_MIN.max(4 * chunks_written);
        let mut entries = 0;
        for (key, unit) in self.units.closed() {
            if entries >= budget {
                break;
            }
            delete_unit(transaction, key, unit)?;
            entries += unit.pages + unit.chunks.len() as u64;
            upkeep.removed.push(key);
        }
        if let Some(Folded { units, .. }) = self.staged.take() {
            for folded in units {
                // A unit that was closed meanwhile is deleted as it stands.
                let Some(unit) = self.units.get(folded.key) else {
                    continue;
                };
                if self.units.is_closed(folded.key) {
                    continue;
                }
                let mut consumed = unit.clone();
                consumed.chunks.retain(|(chunk, _)| *chunk <= folded.last);
                delete_unit(transaction, folded.key, &consumed)?;
                let mut pages = transaction.open_table(PAGES).doing("fold")?;
                let mut sizes = Vec::with_capacity(folded.pages.len());
                for (key, value) in &folded.pages {
                    pages
                        .insert(key.as_slice(), value.as_slice())
                        .doing("fold")?;
                    sizes.push(value.len() as u64);
                }
                upkeep.folded.push((folded.key, folded.last, sizes));
            }
        }
        Ok(upkeep)
    }
}

/// Deletes all pages of a unit and the blobs that `unit` names.
fn delete_unit(transaction: &WriteTransaction, key: UnitKey, unit: &Unit) -> Result<()> {
    if unit.pages > 0 {
        let mut pages = transaction.open_table(PAGES).doing("fold")?;
        let first = key.page_key(&[]);
        let end = key.page_end();
        let end = match &end {
            Some(end) => Bound::Excluded(end.as_slice()),
            None => Bound::Unbounded,
        };
        pages
            .retain_in::<&[u8], _>((Bound::Included(first.as_slice()), end), |_, _| false)
            .doing("fold")?;
    }
    if !unit.chunks.is_empty() {
        let mut deltas = transaction.open_table(DELTAS).doing("fold")?;
        for (chunk, _) in &unit.chunks {
            let removed = deltas.remove(key.delta_key(*chunk)).doing("fold")?;
            if removed.is_none() {
                return Err(failure::missing("a blob of the delta log"));
            }
        }
    }
    Ok(())
}

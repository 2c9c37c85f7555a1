//! The tables of the file and the keys in them.

use redb::{TableDefinition, WriteTransaction};

use super::Result;
use super::failure::ResultExt as _;
use crate::stream::{CheckpointId, EventTime, KeyGroup, KeyRange, OperatorId};

/// The version of everything below. It changes with any change that an older
/// program could misread.
pub(super) const FORMAT_VERSION: u32 = 1;

/// Facts about the file as a whole, by the names below.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// The format version, in decimal digits, so that any later program can read it.
pub(super) const META_FORMAT: &str = "format";
/// What was fixed when the job began: [`super::Header`] as JSON.
pub(super) const META_HEADER: &str = "header";
/// How far the job has come: [`super::Progress`] as JSON.
pub(super) const META_PROGRESS: &str = "progress";

/// Operator → the columns of its state, as text that must not change.
pub(super) const SCHEMAS: TableDefinition<'_, u32, &str> = TableDefinition::new("schemas");
/// Source operators that will find no more splits.
pub(super) const COMPLETE: TableDefinition<'_, u32, ()> = TableDefinition::new("complete");
/// Operator, split → [`super::SplitRecord`] as JSON.
pub(super) const SPLITS: TableDefinition<'_, (u32, &str), &[u8]> = TableDefinition::new("splits");
/// Operator, first group, end of groups → watermark, late records. The ranges of
/// one operator do not overlap.
pub(super) const OPERATORS: TableDefinition<'_, (u32, u16, u16), (i64, u64)> =
    TableDefinition::new("operators");
/// Operator, first group, end of groups → the time up to which rows are no longer
/// needed. Ranges may overlap; the latest time counts.
pub(super) const CLOSED: TableDefinition<'_, (u32, u16, u16), i64> = TableDefinition::new("closed");
/// Checkpoint, operator, group, time, chunk → kind and rows. The checkpoint
/// comes first, so that a commit appends at the right edge of the tree.
pub(super) const DELTAS: TableDefinition<'_, (u64, u32, u16, i64, u32), &[u8]> =
    TableDefinition::new("deltas");
/// [`UnitKey::page_key`] → rows in the order of their keys.
pub(super) const PAGES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("pages");
/// Checkpoint, operator, number → an output to publish, as JSON.
pub(super) const PUBLISH: TableDefinition<'_, (u64, u32, u32), &[u8]> =
    TableDefinition::new("publish");
/// Operator, task, number → an output still being written, as JSON.
pub(super) const OPEN: TableDefinition<'_, (u32, u32, u32), &[u8]> = TableDefinition::new("open");
/// File of dead letters → its bytes and rows.
pub(super) const DEAD_LETTERS: TableDefinition<'_, &str, (u64, u64)> =
    TableDefinition::new("dead_letters");

/// Checkpoint → what it has written over, as JSON: the one checkpoint that may be
/// rolled back. The table is made with its first row.
pub(super) const UNDO: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("undo");

/// Makes every table that is not there but [`UNDO`], which few jobs need.
pub(super) fn create_tables(transaction: &WriteTransaction) -> Result<()> {
    transaction.open_table(META).doing("create")?;
    transaction.open_table(SCHEMAS).doing("create")?;
    transaction.open_table(COMPLETE).doing("create")?;
    transaction.open_table(SPLITS).doing("create")?;
    transaction.open_table(OPERATORS).doing("create")?;
    transaction.open_table(CLOSED).doing("create")?;
    transaction.open_table(DELTAS).doing("create")?;
    transaction.open_table(PAGES).doing("create")?;
    transaction.open_table(PUBLISH).doing("create")?;
    transaction.open_table(OPEN).doing("create")?;
    transaction.open_table(DEAD_LETTERS).doing("create")?;
    Ok(())
}

/// The place of a row in the state, but for its key: an operator, a key group
/// and a time. It is what is folded, closed and counted as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct UnitKey {
    pub operator: u32,
    pub group: u16,
    pub time: i64,
}

/// One blob of a unit in the delta log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ChunkKey {
    pub checkpoint: u64,
    pub chunk: u32,
}

impl UnitKey {
    pub fn new(operator: OperatorId, group: KeyGroup, time: EventTime) -> Self {
        Self {
            operator: operator.0,
            group: group.0,
            time: time.millis(),
        }
    }

    /// The first unit of an operator's key group.
    pub fn first_of(operator: OperatorId, group: KeyGroup) -> Self {
        Self::new(operator, group, EventTime::MIN)
    }

    /// The last unit of an operator's key group.
    pub fn last_of(operator: OperatorId, group: KeyGroup) -> Self {
        Self::new(operator, group, EventTime::MAX)
    }

    pub fn delta_key(self, chunk: ChunkKey) -> (u64, u32, u16, i64, u32) {
        let ChunkKey { checkpoint, chunk } = chunk;
        (checkpoint, self.operator, self.group, self.time, chunk)
    }

    pub fn of_delta_key(key: (u64, u32, u16, i64, u32)) -> (Self, ChunkKey) {
        let (checkpoint, operator, group, time, chunk) = key;
        let unit = Self {
            operator,
            group,
            time,
        };
        (unit, ChunkKey { checkpoint, chunk })
    }

    /// The key of the page whose first row has the key `first`. Big-endian, and
    /// the time with its sign turned, so that bytes sort as the numbers do.
    pub fn page_key(self, first: &[u8]) -> Vec<u8> {
        let mut key = Vec::with_capacity(PAGE_PREFIX_BYTES + first.len());
        key.extend_from_slice(&self.operator.to_be_bytes());
        key.extend_from_slice(&self.group.to_be_bytes());
        key.extend_from_slice(&(self.time.cast_unsigned() ^ SIGN).to_be_bytes());
        key.extend_from_slice(first);
        key
    }

    /// The least key above all pages of the unit; `None` at the end of all keys.
    pub fn page_end(self) -> Option<Vec<u8>> {
        let mut key = self.page_key(&[]);
        while let Some(last) = key.pop() {
            if last < u8::MAX {
                key.push(last + 1);
                return Some(key);
            }
        }
        None
    }

    /// The unit to which a page belongs; `None` if that is no key of a page.
    pub fn of_page_key(key: &[u8]) -> Option<Self> {
        let (operator, rest) = key.split_first_chunk::<4>()?;
        let (group, rest) = rest.split_first_chunk::<2>()?;
        let (time, _) = rest.split_first_chunk::<8>()?;
        Some(Self {
            operator: u32::from_be_bytes(*operator),
            group: u16::from_be_bytes(*group),
            time: (u64::from_be_bytes(*time) ^ SIGN).cast_signed(),
        })
    }
}

const PAGE_PREFIX_BYTES: usize = 4 + 2 + 8;
const SIGN: u64 = 1 << 63;

/// The bounds of a checkpoint's outputs.
pub(super) fn outputs_of(checkpoint: CheckpointId) -> std::ops::Range<(u64, u32, u32)> {
    (checkpoint.0, 0, 0)..(checkpoint.next().0, 0, 0)
}

/// The bounds of a checkpoint's blobs.
pub(super) fn blobs_of(checkpoint: CheckpointId) -> std::ops::Range<(u64, u32, u16, i64, u32)> {
    (checkpoint.0, 0, 0, i64::MIN, 0)..(checkpoint.next().0, 0, 0, i64::MIN, 0)
}

/// The key of a task's record in [`OPERATORS`].
pub(super) fn range_key(operator: OperatorId, range: KeyRange) -> (u32, u16, u16) {
    (operator.0, range.start, range.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_keys_sort_as_their_units_do() {
        let mut units = Vec::new();
        for operator in [0, 1, u32::MAX] {
            for group in [0, 255, 256] {
                for time in [i64::MIN, -1, 0, 1, i64::MAX] {
                    units.push(UnitKey {
                        operator,
                        group,
                        time,
                    });
                }
            }
        }
        for pair in units.windows(2) {
            let end = pair[0].page_end().unwrap();
            assert!(pair[0].page_key(&[0xff; 40]) < end);
            assert!(end <= pair[1].page_key(&[]));
        }
        for unit in units {
            assert_eq!(UnitKey::of_page_key(&unit.page_key(b"key")), Some(unit));
        }
        assert_eq!(UnitKey::of_page_key(&[1, 2, 3]), None);
    }

    #[test]
    fn the_last_unit_of_all_has_no_end() {
        let unit = UnitKey {
            operator: u32::MAX,
            group: u16::MAX,
            time: i64::MAX,
        };
        assert_eq!(unit.page_end(), None);
    }
}

//! Which blobs and pages each unit has: an index in memory of what is in the file.

use std::collections::{BTreeMap, BTreeSet};

use super::Stats;
use super::layout::{ChunkKey, UnitKey};
use crate::stream::{EventTime, KeyGroup, KeyRange, OperatorId};

/// All units of the file.
#[derive(Debug)]
pub(super) struct Units {
    fold_bytes_min: u64,
    by_key: BTreeMap<UnitKey, Unit>,
    /// Units whose deltas have outgrown half of their pages.
    due: BTreeSet<UnitKey>,
    /// Closed units that are still in the file.
    closed: BTreeSet<UnitKey>,
}

/// What the file holds of one unit.
#[derive(Clone, Debug, Default)]
pub(super) struct Unit {
    /// Its blobs in the delta log, oldest first, with their sizes.
    pub chunks: Vec<(ChunkKey, u64)>,
    pub delta_bytes: u64,
    pub page_bytes: u64,
    pub pages: u64,
}

impl Units {
    /// No units; one is due only if its deltas have more than `fold_bytes_min`.
    pub fn new(fold_bytes_min: u64) -> Self {
        Self {
            fold_bytes_min,
            by_key: BTreeMap::new(),
            due: BTreeSet::new(),
            closed: BTreeSet::new(),
        }
    }

    /// Forgets all units.
    pub fn clear(&mut self) {
        *self = Self::new(self.fold_bytes_min);
    }

    /// Notes a blob, which is younger than all others of its unit.
    pub fn add_chunk(&mut self, key: UnitKey, chunk: ChunkKey, bytes: u64) {
        let unit = self.by_key.entry(key).or_default();
        debug_assert!(unit.chunks.last().is_none_or(|(last, _)| *last < chunk));
        unit.chunks.push((chunk, bytes));
        unit.delta_bytes += bytes;
        self.note_due(key);
    }

    /// Notes a page.
    pub fn add_page(&mut self, key: UnitKey, bytes: u64) {
        let unit = self.by_key.entry(key).or_default();
        unit.pages += 1;
        unit.page_bytes += bytes;
    }

    /// Puts pages of these sizes in the place of all pages and of the blobs up to `last`.
    pub fn replace(&mut self, key: UnitKey, last: ChunkKey, pages: &[u64]) {
        let unit = self.by_key.entry(key).or_default();
        unit.chunks.retain(|(chunk, _)| *chunk > last);
        unit.delta_bytes = unit.chunks.iter().map(|(_, bytes)| bytes).sum();
        unit.pages = pages.len() as u64;
        unit.page_bytes = pages.iter().sum();
        self.due.remove(&key);
        if unit.pages == 0 && unit.chunks.is_empty() {
            self.remove(key);
        } else {
            self.note_due(key);
        }
    }

    /// Notes that the units of `range` up to `until` are closed.
    pub fn close(&mut self, operator: OperatorId, range: KeyRange, until: EventTime) {
        for group in range.groups() {
            let first = UnitKey::first_of(operator, group);
            let last = UnitKey::new(operator, group, until);
            for (key, _) in self.by_key.range(first..=last) {
                self.closed.insert(*key);
                self.due.remove(key);
            }
        }
    }

    /// Forgets a unit.
    pub fn remove(&mut self, key: UnitKey) {
        self.by_key.remove(&key);
        self.due.remove(&key);
        self.closed.remove(&key);
    }

    pub fn get(&self, key: UnitKey) -> Option<&Unit> {
        self.by_key.get(&key)
    }

    pub fn is_closed(&self, key: UnitKey) -> bool {
        self.closed.contains(&key)
    }

    /// The closed units that are still in the file.
    pub fn closed(&self) -> impl Iterator<Item = (UnitKey, &Unit)> {
        self.closed.iter().map(|key| {
            let unit = self
                .by_key
                .get(key)
                .expect("a closed unit is known until it is removed");
            (*key, unit)
        })
    }

    /// The units of one key group that are not closed, by rising time.
    pub fn open_of(
        &self,
        operator: OperatorId,
        group: KeyGroup,
    ) -> impl Iterator<Item = (UnitKey, &Unit)> {
        self.by_key
            .range(UnitKey::first_of(operator, group)..=UnitKey::last_of(operator, group))
            .filter(|(key, _)| !self.closed.contains(key))
            .map(|(key, unit)| (*key, unit))
    }

    /// Takes units that are due from the list until their sizes exceed `bytes`.
    pub fn take_due(&mut self, bytes: u64) -> Vec<(UnitKey, Unit)> {
        let mut taken = Vec::new();
        let mut total = 0;
        while total < bytes
            && let Some(key) = self.due.pop_first()
        {
            let unit = self.by_key.get(&key).expect("a due unit is known").clone();
            total += unit.delta_bytes + unit.page_bytes;
            taken.push((key, unit));
        }
        taken
    }

    pub fn stats(&self) -> Stats {
        let mut stats = Stats {
            units: self.by_key.len() as u64,
            fold_backlog: self.due.len() as u64,
            closed_backlog: self.closed.len() as u64,
            ..Stats::default()
        };
        for unit in self.by_key.values() {
            stats.page_bytes += unit.page_bytes;
            stats.delta_bytes += unit.delta_bytes;
            stats.chunks += unit.chunks.len() as u64;
        }
        stats
    }

    fn note_due(&mut self, key: UnitKey) {
        if let Some(unit) = self.by_key.get(&key)
            && unit.delta_bytes > (unit.page_bytes / 2).max(self.fold_bytes_min)
        {
            self.due.insert(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: UnitKey = UnitKey {
        operator: 1,
        group: 2,
        time: 3,
    };

    fn chunk(checkpoint: u64) -> ChunkKey {
        ChunkKey {
            checkpoint,
            chunk: 0,
        }
    }

    #[test]
    fn a_unit_is_due_when_its_deltas_outgrow_half_of_its_pages() {
        let mut units = Units::new(10);
        units.add_page(KEY, 100);
        units.add_chunk(KEY, chunk(1), 50);
        assert!(units.take_due(u64::MAX).is_empty());
        units.add_chunk(KEY, chunk(2), 1);
        let due = units.take_due(u64::MAX);
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].1.delta_bytes, 51);
        assert!(units.take_due(u64::MAX).is_empty(), "it is taken once");
        // Younger blobs stay in the log, and may make it due again.
        units.add_chunk(KEY, chunk(3), 60);
        units.replace(KEY, chunk(2), &[70, 30]);
        let unit = units.get(KEY).unwrap();
        assert_eq!(
            (unit.delta_bytes, unit.page_bytes, unit.pages),
            (60, 100, 2)
        );
        assert_eq!(units.take_due(u64::MAX).len(), 1);
    }

    #[test]
    fn a_small_unit_is_left_alone() {
        let mut units = Units::new(10);
        units.add_chunk(KEY, chunk(1), 10);
        assert!(units.take_due(u64::MAX).is_empty());
    }

    #[test]
    fn a_closed_unit_is_neither_due_nor_open() {
        let mut units = Units::new(0);
        units.add_chunk(KEY, chunk(1), 10);
        let range = KeyRange { start: 0, end: 4 };
        let (operator, group) = (OperatorId(1), KeyGroup(2));
        units.close(operator, range, EventTime::from_millis(2));
        assert_eq!(units.open_of(operator, group).count(), 1);
        units.close(operator, range, EventTime::from_millis(3));
        assert_eq!(units.open_of(operator, group).count(), 0);
        assert_eq!(units.closed().count(), 1);
        assert!(units.take_due(u64::MAX).is_empty());
        units.remove(KEY);
        assert_eq!(units.stats(), Stats::default());
    }

    #[test]
    fn a_unit_that_folds_to_nothing_is_gone() {
        let mut units = Units::new(0);
        units.add_chunk(KEY, chunk(1), 10);
        units.replace(KEY, chunk(1), &[]);
        assert_eq!(units.stats(), Stats::default());
    }
}

//! Windows whose results are told before they are final: what each key has in each window, what
//! was said of it last, and what is still to be said. Keys, partial states and results are
//! nothing but bytes here.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::mem;
use std::ops::RangeBounds;
use std::sync::Arc;

use super::windows_of_row::Bounds;

/// The name of what a key has in a window.
pub type RowName = (Bounds, Arc<[u8]>);

/// The windows of one task.
#[derive(Debug, Default)]
pub struct UpdatingWindows {
    rows: BTreeMap<Bounds, HashMap<Arc<[u8]>, WindowRow>>,
    /// What may have changed since it was said.
    unsaid: BTreeMap<Bounds, HashSet<Arc<[u8]>>>,
    /// What the durable state does not know yet.
    unkept: BTreeSet<RowName>,
}

/// What a key has in a window.
#[derive(Clone, Debug, Default)]
pub struct WindowRow {
    /// The partial state; empty before the first row.
    pub state: Box<[u8]>,
    /// The result that was said last.
    pub said: Option<Box<[u8]>>,
}

impl UpdatingWindows {
    /// The row with this name.
    pub fn row(&self, (bounds, key): &RowName) -> Option<&WindowRow> {
        self.rows.get(bounds)?.get(key)
    }

    /// Gives a row its partial state, of which nothing has been said yet.
    pub fn put_state(&mut self, name: RowName, state: Box<[u8]>) {
        let (bounds, key) = name.clone();
        self.row_mut(&name).state = state;
        self.unsaid.entry(bounds).or_default().insert(key);
        self.unkept.insert(name);
    }

    /// Notes what was said of a row.
    pub fn put_said(&mut self, name: RowName, said: Box<[u8]>) {
        self.row_mut(&name).said = Some(said);
        self.unkept.insert(name);
    }

    fn row_mut(&mut self, (bounds, key): &RowName) -> &mut WindowRow {
        let window = self.rows.entry(*bounds).or_default();
        window.entry(Arc::clone(key)).or_default()
    }

    /// Takes out what is still to be said of windows that end in `ends`, the earliest first,
    /// `count_max` rows at most.
    pub fn take_unsaid(&mut self, ends: impl RangeBounds<i64>, count_max: usize) -> Vec<RowName> {
        let mut names = Vec::new();
        let windows = self.unsaid.iter_mut();
        for (bounds, keys) in windows.filter(|((end, _), _)| ends.contains(end)) {
            let room = count_max - names.len();
            let taken: Vec<_> = keys.iter().take(room).cloned().collect();
            for key in taken {
                keys.remove(&key);
                names.push((*bounds, key));
            }
            if names.len() == count_max {
                break;
            }
        }
        self.unsaid.retain(|_, keys| !keys.is_empty());
        names
    }

    /// Forgets windows that end here or earlier.
    pub fn forget(&mut self, end: i64) {
        let behind = (end, i64::MAX);
        while let Some(first) = self.rows.first_entry()
            && *first.key() <= behind
        {
            first.remove();
        }
        self.unsaid.retain(|bounds, _| *bounds > behind);
        self.unkept.retain(|(bounds, _)| *bounds > behind);
    }

    /// The rows that have changed since this was asked the last time, by their windows.
    pub fn take_unkept(&mut self) -> Vec<(RowName, WindowRow)> {
        let names = mem::take(&mut self.unkept).into_iter();
        let rows = names.filter_map(|name| {
            let row = self.row(&name)?.clone();
            Some((name, row))
        });
        rows.collect()
    }

    /// Takes back a row that the durable state has. Whether its result was said is found out
    /// when it is next to be said.
    pub fn restore(&mut self, name: RowName, row: WindowRow) {
        let (bounds, key) = name.clone();
        *self.row_mut(&name) = row;
        self.unsaid.entry(bounds).or_default().insert(key);
    }
}

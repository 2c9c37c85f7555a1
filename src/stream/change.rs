//! What a row does to the table that its stream stands for.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, UInt8Array, UInt32Array};
use arrow::compute::{concat, filter, take};
use arrow::error::Result;

/// What a row does, in the words and signs of Flink's `RowKind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// `+I`: it is new.
    Insert,
    /// `-U`: it is what another row takes the place of, which follows it.
    UpdateBefore,
    /// `+U`: it takes the place of the row before it, or of the one with its key.
    UpdateAfter,
    /// `-D`: it is gone.
    Delete,
}

impl ChangeKind {
    const ALL: [Self; 4] = [
        Self::Insert,
        Self::UpdateBefore,
        Self::UpdateAfter,
        Self::Delete,
    ];

    /// Whether the row is part of the table behind the change.
    pub const fn adds(self) -> bool {
        matches!(self, Self::Insert | Self::UpdateAfter)
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Insert => "+I",
            Self::UpdateBefore => "-U",
            Self::UpdateAfter => "+U",
            Self::Delete => "-D",
        })
    }
}

/// The kinds of the rows of a batch, one a row; a byte each.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeKinds(Arc<UInt8Array>);

impl ChangeKinds {
    /// The kind of a row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn get(&self, row: usize) -> ChangeKind {
        ChangeKind::ALL[usize::from(self.0.value(row))]
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(kinds: &dyn Array) -> Self {
        Self(Arc::new(UInt8Array::from(kinds.to_data())))
    }

    pub(super) fn slice(&self, start: usize, length: usize) -> Self {
        Self(Arc::new(self.0.slice(start, length)))
    }

    pub(super) fn filter(&self, kept: &BooleanArray) -> Result<Self> {
        Ok(Self::of(&filter(&*self.0, kept)?))
    }

    pub(super) fn take(&self, rows: &UInt32Array) -> Result<Self> {
        Ok(Self::of(&take(&*self.0, rows, None)?))
    }

    /// The kinds of several batches, one behind the other.
    pub(super) fn concat(all: &[Self]) -> Result<Self> {
        let arrays: Vec<&dyn Array> = all.iter().map(|kinds| &*kinds.0 as &dyn Array).collect();
        Ok(Self::of(&concat(&arrays)?))
    }
}

impl FromIterator<ChangeKind> for ChangeKinds {
    fn from_iter<T: IntoIterator<Item = ChangeKind>>(kinds: T) -> Self {
        let kinds = kinds.into_iter().map(|kind| kind as u8);
        Self(Arc::new(UInt8Array::from_iter_values(kinds)))
    }
}

/// What changes a stream may carry, each mode those of the modes before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangelogMode {
    /// `+I` alone.
    #[default]
    InsertOnly,
    /// A key and what becomes of it: `+I`, `+U`, and `-D`, of which only the key counts.
    Upsert,
    /// Whole rows: `+I`, `-U`, `+U`, `-D`.
    Retract,
}

impl fmt::Display for ChangelogMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InsertOnly => "+I",
            Self::Upsert => "+I, +U, -D",
            Self::Retract => "+I, -U, +U, -D",
        })
    }
}

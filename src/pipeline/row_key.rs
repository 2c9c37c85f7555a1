//! By which columns the rows of a stream are known that change, and what the key of a sink is
//! beside them.

use std::collections::BTreeSet;

use arrow::datatypes::SchemaRef;

use crate::plan::{NodeKind, Table, Window, WindowInput};

/// The columns by which rows are known: each part is one of some columns that say the same, as
/// the start and the end of a window do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RowKey(Vec<BTreeSet<usize>>);

/// What the key of a table is beside the one by which rows are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// The same.
    Same,
    /// It has all of its columns, and others: a row may get another key.
    More,
    /// It lacks a column, so two rows may have one key.
    Others,
}

impl RowKey {
    /// The first columns.
    pub(super) fn of_first(columns: usize) -> Self {
        Self(
            (0..columns)
                .map(|column| BTreeSet::from([column]))
                .collect(),
        )
    }

    /// The key of a table among the columns of `schema`, if it has one that is all there.
    pub(super) fn of_table(table: &Table, schema: &SchemaRef) -> Option<Self> {
        let parts = table.primary_key.iter();
        let parts = parts.map(|name| Some(BTreeSet::from([schema.index_of(name).ok()?])));
        let parts: Vec<_> = parts.collect::<Option<_>>()?;
        (!parts.is_empty()).then_some(Self(parts))
    }

    /// The first columns, and the window whose start, end and time stand at `place`.
    pub(super) fn of_windows(columns: usize, place: usize, windows: WindowInput) -> Self {
        let Self(mut parts) = Self::of_first(columns);
        let [start, end, time] = [place, place + 1, place + 2];
        match windows {
            WindowInput::Time {
                window: Window::Tumble { .. } | Window::Hop { .. },
                ..
            } => parts.push(BTreeSet::from([start, end, time])),
            WindowInput::Time { .. } => parts.push(BTreeSet::from([end, time])),
            WindowInput::Attached { .. } => {
                parts.extend([BTreeSet::from([start]), BTreeSet::from([end, time])]);
            }
        }
        Self(parts)
    }

    /// Where the key is behind a node, if it is still there.
    pub(super) fn behind(&self, kind: &NodeKind) -> Option<Self> {
        match kind {
            NodeKind::Filter { .. }
            | NodeKind::WindowAssign {
                window: Window::Tumble { .. },
                ..
            } => Some(self.clone()),
            NodeKind::Project { columns } => {
                let moved = |part: &BTreeSet<usize>| {
                    let columns = columns.iter().enumerate();
                    let among = columns.filter(|(_, column)| {
                        column
                            .as_column()
                            .is_some_and(|place| part.contains(&place))
                    });
                    let part: BTreeSet<_> = among.map(|(place, _)| place).collect();
                    (!part.is_empty()).then_some(part)
                };
                let parts = self.0.iter().map(moved);
                Some(Self(parts.collect::<Option<_>>()?))
            }
            _ => None,
        }
    }
}

impl Keys {
    /// The key of a table that gets rows which are known by `rows`.
    pub(super) fn of(table: &Table, rows: Option<&RowKey>) -> Self {
        let schema = table.physical_schema();
        let own = table.primary_key.iter();
        let own: Option<BTreeSet<_>> = own.map(|name| schema.index_of(name).ok()).collect();
        let (Some(own), Some(RowKey(parts))) = (own, rows) else {
            return Self::Others;
        };
        if parts.iter().any(|part| part.is_disjoint(&own)) {
            return Self::Others;
        }
        let is_known = |column| parts.iter().any(|part| part.contains(column));
        if own.iter().all(is_known) {
            Self::Same
        } else {
            Self::More
        }
    }
}

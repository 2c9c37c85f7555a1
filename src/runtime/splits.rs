//! The splits of one source that wait for a reader, shared by its tasks.
//!
//! *Invariant*: every split is in this queue, or with one task, or finished. A
//! checkpoint takes the new ones from here and the others from the tasks, after
//! all tasks have acknowledged it; so none is missed and none counts twice.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::runtime::{Discovery, Split};
use crate::state::SplitRecord;
use crate::stream::{EventTime, OperatorId};

/// The splits of one source table that wait for a reader.
#[derive(Debug)]
pub struct SplitQueue {
    operator: OperatorId,
    unstarted_hold_watermark: bool,
    read_before: (u64, u64),
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug)]
struct Inner {
    known: Vec<Split>,
    waiting: VecDeque<SplitRecord>,
    /// Found since the last checkpoint.
    unreported: Vec<SplitRecord>,
    complete: bool,
    complete_unreported: bool,
}

impl SplitQueue {
    /// The queue of a source, with what a checkpoint knew of its splits.
    pub fn new(
        operator: OperatorId,
        unstarted_hold_watermark: bool,
        restored: Vec<SplitRecord>,
        complete: bool,
    ) -> Self {
        let known = restored.iter().map(|record| Split {
            id: record.split.clone(),
            spec: record.spec.clone(),
        });
        let known = known.collect();
        let read_before = restored.iter().fold((0, 0), |(rows, bytes), split| {
            (rows + split.rows, bytes + split.bytes)
        });
        let mut waiting: Vec<_> = restored
            .into_iter()
            .filter(|record| !record.finished)
            .collect();
        // What was begun goes on first: it holds the watermark in any case.
        waiting.sort_by_key(|record| (record.position.is_none(), record.ordinal));
        Self {
            operator,
            unstarted_hold_watermark,
            read_before,
            inner: Mutex::new(Inner {
                known,
                waiting: waiting.into(),
                unreported: Vec::new(),
                complete,
                complete_unreported: false,
            }),
            changed: Notify::new(),
        }
    }

    /// The source.
    pub fn operator(&self) -> OperatorId {
        self.operator
    }

    /// The splits found so far.
    pub fn known(&self) -> Vec<Split> {
        self.inner.lock().known.clone()
    }

    /// Rows and bytes of the source that earlier runs have read.
    pub fn read_before(&self) -> (u64, u64) {
        self.read_before
    }

    /// Whether no more splits will be found.
    pub fn is_complete(&self) -> bool {
        self.inner.lock().complete
    }

    /// Adds what the enumerator has found.
    pub fn add(&self, discovery: Discovery) {
        let mut inner = self.inner.lock();
        for split in discovery.found {
            let record = SplitRecord {
                operator: self.operator,
                split: split.id.clone(),
                ordinal: inner.known.len() as u64,
                spec: split.spec.clone(),
                position: None,
                watermark: EventTime::MIN,
                idle: false,
                finished: false,
                rows: 0,
                bytes: 0,
            };
            inner.known.push(split);
            inner.waiting.push_back(record.clone());
            inner.unreported.push(record);
        }
        if discovery.complete && !inner.complete {
            inner.complete = true;
            inner.complete_unreported = true;
        }
        drop(inner);
        self.changed.notify_waiters();
    }

    /// The next split for a reader.
    pub fn take(&self) -> Option<SplitRecord> {
        let split = self.inner.lock().waiting.pop_front();
        if split.is_some() {
            // The others may have to know that fewer wait.
            self.changed.notify_waiters();
        }
        split
    }

    /// Waits until something has changed since `enabled` was made.
    pub fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    /// The time that the splits which wait here hold the watermark at.
    pub fn holds_watermark_at(&self) -> Option<EventTime> {
        let inner = self.inner.lock();
        let holding = inner.waiting.iter().filter(|split| {
            !split.idle && (split.position.is_some() || self.unstarted_hold_watermark)
        });
        holding.map(|split| split.watermark).min()
    }

    /// Whether no split waits and none will ever come.
    pub fn is_exhausted(&self) -> bool {
        let inner = self.inner.lock();
        inner.complete && inner.waiting.is_empty()
    }

    /// What a checkpoint has not seen yet: new splits, and whether the list has
    /// become complete.
    pub fn take_unreported(&self) -> (Vec<SplitRecord>, bool) {
        let mut inner = self.inner.lock();
        let complete = std::mem::take(&mut inner.complete_unreported);
        (std::mem::take(&mut inner.unreported), complete)
    }

    /// Whether [`Self::take_unreported`] would have something.
    pub fn has_unreported(&self) -> bool {
        let inner = self.inner.lock();
        inner.complete_unreported || !inner.unreported.is_empty()
    }
}

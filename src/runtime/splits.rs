//! The splits of one source, shared by its tasks: those that wait for a reader,
//! and the one watermark of all.
//!
//! *Invariants.* Every split is in this queue, or with one task, or finished. A
//! checkpoint takes the new ones from here and the others from the tasks, after
//! all tasks have acknowledged it; so none is missed and none counts twice.
//!
//! The watermark is the least of all splits, whichever task has them, and every
//! task sends this one. Were each task to send the least of its own, or that it
//! is idle, a task behind it could hear of another's time before it hears that
//! this one has begun an older split.

use std::collections::{BTreeMap, HashSet, VecDeque};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Notify;

use crate::runtime::{Discovery, Split};
use crate::state::SplitRecord;
use crate::stream::{EventTime, OperatorId, Watermark};

/// In the place of a split: the first look has found none.
const LOOK: &str = "";

/// The splits of one source table.
#[derive(Debug)]
pub struct SplitQueue {
    operator: OperatorId,
    rules: SplitRules,
    read_before: (u64, u64),
    inner: Mutex<Inner>,
    changed: Notify,
}

/// How splits are handed out and what they do to the watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitRules {
    /// How many tasks read the source.
    pub tasks: usize,
    /// How many splits a task may have at a time.
    pub splits_per_task: usize,
    /// Whether splits of which nothing was read hold the watermark back.
    pub unstarted_hold_watermark: bool,
    /// Whether the source ends by itself: then it is never idle.
    pub bounded: bool,
}

#[derive(Debug)]
struct Inner {
    /// The names of all splits there ever were.
    names: HashSet<String>,
    /// Splits that are not finished, by name.
    known: BTreeMap<String, Split>,
    waiting: VecDeque<SplitRecord>,
    active: BTreeMap<String, Time>,
    merged: Watermark,
    highest: EventTime,
    /// Found since the last checkpoint.
    unreported: Vec<SplitRecord>,
    complete: bool,
    complete_unreported: bool,
}

/// What a split that is being read says of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Time {
    at: EventTime,
    idle: bool,
    started: bool,
}

impl Time {
    fn of(record: &SplitRecord) -> Self {
        Self {
            at: record.watermark,
            idle: record.idle,
            started: record.position.is_some(),
        }
    }
}

impl SplitQueue {
    /// The queue of a source, with what a checkpoint knew of its splits.
    pub fn new(
        operator: OperatorId,
        rules: SplitRules,
        restored: Vec<SplitRecord>,
        complete: bool,
    ) -> Self {
        let names: HashSet<String> = restored.iter().map(|record| record.split.clone()).collect();
        let read_before = restored.iter().fold((0, 0), |(rows, bytes), split| {
            (rows + split.rows, bytes + split.bytes)
        });
        let mut waiting: Vec<_> = restored
            .into_iter()
            .filter(|record| !record.finished)
            .collect();
        let known = waiting.iter().map(|record| {
            let split = Split {
                id: record.split.clone(),
                spec: record.spec.clone(),
            };
            (record.split.clone(), split)
        });
        let known = known.collect();
        // What was begun goes on first: it holds the watermark in any case.
        waiting.sort_by_key(|record| (record.position.is_none(), record.ordinal));
        let looked_before = complete || !names.is_empty();
        let mut inner = Inner {
            names,
            known,
            waiting: waiting.into(),
            active: BTreeMap::new(),
            merged: Watermark::At(EventTime::MIN),
            highest: EventTime::MIN,
            unreported: Vec::new(),
            complete,
            complete_unreported: false,
        };
        // What was restored has its time already. Before the first look nobody
        // knows which splits there are, and nobody is idle.
        if looked_before {
            inner.merge(rules);
        }
        Self {
            operator,
            rules,
            read_before,
            inner: Mutex::new(inner),
            changed: Notify::new(),
        }
    }

    /// The source.
    pub fn operator(&self) -> OperatorId {
        self.operator
    }

    /// Whether somebody has looked for splits in this life or an earlier one.
    pub fn has_looked(&self) -> bool {
        let inner = self.inner.lock();
        inner.complete || !inner.names.is_empty()
    }

    /// The splits that are not finished.
    pub fn known(&self) -> Vec<Split> {
        self.inner.lock().known.values().cloned().collect()
    }

    /// Rows and bytes of the source that earlier runs have read.
    pub fn read_before(&self) -> (u64, u64) {
        self.read_before
    }

    /// Whether no more splits will be found.
    pub fn is_complete(&self) -> bool {
        self.inner.lock().complete
    }

    /// Adds what the enumerator has found. A name that a finished split had
    /// before gets a number, so that the two stay apart.
    pub fn add(&self, discovery: Discovery) {
        let mut inner = self.inner.lock();
        if inner.names.is_empty() && discovery.found.is_empty() && !discovery.complete {
            // That there was nothing has to be remembered: what comes later is new.
            let mut look = self.record(LOOK.to_owned(), Value::Null, 0);
            look.finished = true;
            inner.names.insert(look.split.clone());
            inner.unreported.push(look);
        }
        for mut split in discovery.found {
            let ordinal = inner.names.len() as u64;
            if inner.names.contains(&split.id) {
                split.id = format!("{}#{ordinal}", split.id);
            }
            let record = self.record(split.id.clone(), split.spec.clone(), ordinal);
            inner.names.insert(split.id.clone());
            inner.known.insert(split.id.clone(), split);
            inner.waiting.push_back(record.clone());
            inner.unreported.push(record);
        }
        if discovery.complete && !inner.complete {
            inner.complete = true;
            inner.complete_unreported = true;
        }
        inner.merge(self.rules);
        drop(inner);
        self.changed.notify_waiters();
    }

    fn record(&self, split: String, spec: Value, ordinal: u64) -> SplitRecord {
        SplitRecord {
            operator: self.operator,
            split,
            ordinal,
            spec,
            position: None,
            watermark: EventTime::MIN,
            idle: false,
            finished: false,
            rows: 0,
            bytes: 0,
        }
    }

    /// The next split for a task that has `held` already, if it may have another.
    pub fn take(&self, held: usize) -> Option<SplitRecord> {
        let mut inner = self.inner.lock();
        // Shared out evenly: a followed split stays with its task for ever.
        let share = inner.known.len().div_ceil(self.rules.tasks);
        if held >= self.rules.splits_per_task.min(share) {
            return None;
        }
        let split = inner.waiting.pop_front()?;
        inner.active.insert(split.split.clone(), Time::of(&split));
        Some(split)
    }

    /// Notes how far a task has come with a split, after it has sent its rows on.
    pub fn update(&self, record: &SplitRecord) {
        let mut inner = self.inner.lock();
        if record.finished {
            inner.active.remove(&record.split);
            inner.known.remove(&record.split);
        } else {
            inner.active.insert(record.split.clone(), Time::of(record));
        }
        let changed = inner.merge(self.rules);
        drop(inner);
        if changed || record.finished {
            self.changed.notify_waiters();
        }
    }

    /// [`Self::update`], if the split is known.
    pub fn update_from(&self, record: Option<&SplitRecord>) {
        if let Some(record) = record {
            self.update(record);
        }
    }

    /// The watermark of all splits together, which every task sends.
    pub fn watermark(&self) -> Watermark {
        self.inner.lock().merged
    }

    /// Waits until a split or the watermark has changed since it was enabled.
    pub fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
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

impl Inner {
    /// Joins the times of all splits; `true` if that has changed the watermark.
    fn merge(&mut self, rules: SplitRules) -> bool {
        let waiting = self.waiting.iter().map(Time::of);
        let splits = waiting.chain(self.active.values().copied());
        let mut active = splits.filter(|time| !time.idle).peekable();
        let any_active = active.peek().is_some();
        let least = active
            .filter(|time| time.started || rules.unstarted_hold_watermark)
            .map(|time| time.at)
            .min();
        let merged = match least {
            Some(at) => {
                self.highest = self.highest.max(at);
                Watermark::At(self.highest)
            }
            None if self.complete && self.known.is_empty() => Watermark::At(EventTime::MAX),
            // A split that was not started yet is never idle, nor is a source
            // that ends by itself.
            None if any_active || rules.bounded => return false,
            None => Watermark::Idle,
        };
        let changed = merged != self.merged;
        self.merged = merged;
        changed
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RULES: SplitRules = SplitRules {
        tasks: 2,
        splits_per_task: usize::MAX,
        unstarted_hold_watermark: true,
        bounded: false,
    };

    /// A restored task once said nothing of time until its split had a new row.
    #[test]
    fn restored_splits_have_their_time_at_once() {
        let found = queue(RULES, &["a", "b"], true);
        assert_eq!(found.watermark(), Watermark::At(EventTime::MIN));
        let mut records = Vec::new();
        for (split, millis) in [("a", 7), ("b", 9)] {
            let mut record = found.take(0).unwrap();
            assert_eq!(record.split, split);
            read(&found, &mut record, millis);
            records.push(record);
        }
        let restored = SplitQueue::new(OperatorId(0), RULES, records, true);
        assert_eq!(restored.watermark(), at(7));
        let new = SplitQueue::new(OperatorId(0), RULES, Vec::new(), false);
        assert_eq!(new.watermark(), Watermark::At(EventTime::MIN));
    }

    /// A pattern once matched no topic yet, and after a restart the first topic was taken
    /// for one that had been there at the start: its first records were not read.
    #[test]
    fn a_look_that_has_found_nothing_is_remembered() {
        let new = SplitQueue::new(OperatorId(0), RULES, Vec::new(), false);
        assert!(!new.has_looked());
        add(&new, &[], false);
        add(&new, &[], false);
        assert!(new.has_looked() && new.known().is_empty());
        let (unreported, _) = new.take_unreported();
        assert_eq!(unreported.len(), 1);
        let restored = SplitQueue::new(OperatorId(0), RULES, unreported, false);
        assert!(restored.has_looked() && restored.known().is_empty());
        add(&restored, &["a"], false);
        assert_eq!(restored.take(0).unwrap().split, "a");
        assert!(!restored.is_exhausted());
    }

    fn queue(rules: SplitRules, splits: &[&str], complete: bool) -> SplitQueue {
        let queue = SplitQueue::new(OperatorId(0), rules, Vec::new(), false);
        add(&queue, splits, complete);
        queue
    }

    fn add(queue: &SplitQueue, splits: &[&str], complete: bool) {
        let found = splits.iter().map(|split| Split {
            id: (*split).to_owned(),
            spec: json!(null),
        });
        queue.add(Discovery {
            found: found.collect(),
            complete,
        });
    }

    fn at(millis: i64) -> Watermark {
        Watermark::At(EventTime::from_millis(millis))
    }

    fn read(queue: &SplitQueue, record: &mut SplitRecord, millis: i64) {
        record.position = Some(json!(1));
        record.watermark = EventTime::from_millis(millis);
        record.idle = false;
        queue.update(record);
    }

    #[test]
    fn the_least_split_of_any_task_holds_the_watermark() {
        let queue = queue(RULES, &["a", "b"], false);
        let mut a = queue.take(0).unwrap();
        assert_eq!(queue.take(1), None, "the other split is for the other task");
        read(&queue, &mut a, 100);
        assert_eq!(queue.watermark(), Watermark::At(EventTime::MIN), "b waits");
        let mut b = queue.take(0).unwrap();
        assert_eq!(
            queue.watermark(),
            Watermark::At(EventTime::MIN),
            "b is silent"
        );
        read(&queue, &mut b, 50);
        assert_eq!(queue.watermark(), at(50));
        b.idle = true;
        queue.update(&b);
        assert_eq!(queue.watermark(), at(100));
        read(&queue, &mut b, 60);
        assert_eq!(queue.watermark(), at(100), "time does not go back");
        for record in [&mut a, &mut b] {
            record.idle = true;
            queue.update(record);
        }
        assert_eq!(queue.watermark(), Watermark::Idle);
    }

    #[test]
    fn unstarted_splits_are_not_idle_but_need_not_hold() {
        let rules = SplitRules {
            unstarted_hold_watermark: false,
            ..RULES
        };
        let queue = queue(rules, &["a", "b"], false);
        assert_eq!(queue.watermark(), Watermark::At(EventTime::MIN));
        let mut a = queue.take(0).unwrap();
        read(&queue, &mut a, 7);
        assert_eq!(queue.watermark(), at(7));
        a.idle = true;
        queue.update(&a);
        assert_eq!(queue.watermark(), at(7), "b may have rows at any moment");
    }

    #[test]
    fn the_end_of_all_splits_is_the_end_of_time() {
        let rules = SplitRules {
            bounded: true,
            splits_per_task: 1,
            ..RULES
        };
        let queue = queue(rules, &["a", "b", "c"], true);
        let mut left = Vec::new();
        while let Some(split) = queue.take(0) {
            left.push(split);
        }
        assert_eq!(left.len(), 3);
        assert!(queue.is_exhausted());
        for mut record in left {
            assert_ne!(queue.watermark(), Watermark::At(EventTime::MAX));
            record.finished = true;
            queue.update(&record);
        }
        assert_eq!(queue.watermark(), Watermark::At(EventTime::MAX));
    }

    #[test]
    fn a_name_is_never_given_twice() {
        let queue = queue(RULES, &["a"], false);
        let mut a = queue.take(0).unwrap();
        a.finished = true;
        queue.update(&a);
        assert!(queue.known().is_empty());
        add(&queue, &["a"], false);
        assert_eq!(queue.known()[0].id, "a#1");
    }
}

//! The event time of the splits that one source task reads.
//!
//! A split is idle when successful fetches have shown it at its end for the idle
//! timeout, by the monotonic clock; a split that cannot be fetched is not idle.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::state::SplitRecord;
use crate::stream::EventTime;

/// The splits of one source task with their watermarks.
#[derive(Debug)]
pub struct SplitClock {
    idle_timeout: Option<Duration>,
    /// Whether nobody can tell for now which splits are at their ends.
    held: bool,
    splits: BTreeMap<String, ActiveSplit>,
}

#[derive(Debug)]
struct ActiveSplit {
    record: SplitRecord,
    reported: Option<SplitRecord>,
    at_end_since: Option<Instant>,
}

/// What was read of a split at a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read {
    /// Where to read on.
    pub position: serde_json::Value,
    /// The rows.
    pub rows: u64,
    /// The bytes.
    pub bytes: u64,
    /// The highest watermark among the rows.
    pub watermark: Option<EventTime>,
}

impl SplitClock {
    /// No splits. Without a timeout (a bounded source) nothing is ever idle.
    pub fn new(idle_timeout: Option<Duration>) -> Self {
        Self {
            idle_timeout,
            held: false,
            splits: BTreeMap::new(),
        }
    }

    /// How many splits are being read.
    pub fn len(&self) -> usize {
        self.unfinished().count()
    }

    /// A split is read from now on.
    pub fn add(&mut self, record: SplitRecord) {
        let split = ActiveSplit {
            record: record.clone(),
            reported: Some(record.clone()),
            at_end_since: None,
        };
        self.splits.insert(record.split, split);
    }

    /// The splits, with those that have been finished since the last checkpoint.
    pub fn all(&self) -> impl Iterator<Item = &SplitRecord> {
        self.splits.values().map(|split| &split.record)
    }

    /// The splits that are being read.
    pub fn unfinished(&self) -> impl Iterator<Item = &SplitRecord> {
        self.all().filter(|record| !record.finished)
    }

    /// The watermark of a split.
    pub fn watermark_of(&self, split: &str) -> EventTime {
        self.splits
            .get(split)
            .map_or(EventTime::MIN, |split| split.record.watermark)
    }

    /// More of a split was read; how far it has come with that.
    pub fn read(&mut self, split: &str, read: Read) -> Option<&SplitRecord> {
        let split = self.splits.get_mut(split)?;
        split.record.position = Some(read.position);
        split.record.rows += read.rows;
        split.record.bytes += read.bytes;
        if read.bytes > 0 || read.rows > 0 || read.watermark.is_some() {
            split.record.idle = false;
            split.at_end_since = None;
        }
        if let Some(at) = read.watermark {
            split.record.watermark = split.record.watermark.max(at);
        }
        Some(&split.record)
    }

    /// A fetch has shown a split at its end.
    pub fn at_end(&mut self, split: &str, now: Instant) {
        if let Some(split) = self.splits.get_mut(split) {
            split.at_end_since.get_or_insert(now);
        }
    }

    /// A split is not at its end, and has nothing that can be read.
    pub fn not_at_end(&mut self, split: &str) -> Option<&SplitRecord> {
        let split = self.splits.get_mut(split)?;
        split.at_end_since = None;
        split.record.idle = false;
        Some(&split.record)
    }

    /// Nobody looks any more whether a split is at its end.
    pub fn unwatched(&mut self, split: &str) {
        if let Some(split) = self.splits.get_mut(split) {
            split.at_end_since = None;
        }
    }

    /// From now on nobody can tell whether a split is still at its end.
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// One can tell again: those that were at their ends have their time once more.
    pub fn release(&mut self, now: Instant) {
        if std::mem::take(&mut self.held) {
            for split in self.splits.values_mut() {
                split.at_end_since = split.at_end_since.map(|_| now);
            }
        }
    }

    /// A split was read whole.
    pub fn finished(&mut self, split: &str) -> Option<&SplitRecord> {
        let split = self.splits.get_mut(split)?;
        split.record.finished = true;
        Some(&split.record)
    }

    /// When the next split may become idle.
    pub fn next_idle(&self) -> Option<Instant> {
        let timeout = self.idle_timeout.filter(|_| !self.held)?;
        let waiting = self
            .splits
            .values()
            .filter(|split| !split.record.idle && !split.record.finished);
        waiting
            .filter_map(|split| split.at_end_since.map(|since| since + timeout))
            .min()
    }

    /// The splits that have become idle by `now`.
    pub fn tick(&mut self, now: Instant) -> Vec<&SplitRecord> {
        let Some(timeout) = self.idle_timeout.filter(|_| !self.held) else {
            return Vec::new();
        };
        let mut idle = Vec::new();
        for split in self.splits.values_mut() {
            let since = split.at_end_since;
            if !split.record.idle && since.is_some_and(|since| now >= since + timeout) {
                split.record.idle = true;
                idle.push(&split.record);
            }
        }
        idle
    }

    /// The splits that have changed since the last call. Finished ones are then
    /// forgotten.
    pub fn changed(&mut self) -> Vec<SplitRecord> {
        let mut changed = Vec::new();
        for split in self.splits.values_mut() {
            if split.reported.as_ref() != Some(&split.record) {
                split.reported = Some(split.record.clone());
                changed.push(split.record.clone());
            }
        }
        self.splits.retain(|_, split| !split.record.finished);
        changed
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::stream::OperatorId;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn clock(splits: &[&str]) -> SplitClock {
        let mut clock = SplitClock::new(Some(TIMEOUT));
        for split in splits {
            clock.add(SplitRecord {
                operator: OperatorId(0),
                split: (*split).to_owned(),
                ordinal: 0,
                spec: json!(null),
                position: None,
                watermark: EventTime::MIN,
                idle: false,
                finished: false,
                rows: 0,
                bytes: 0,
            });
        }
        clock
    }

    fn row(millis: i64) -> Read {
        Read {
            position: json!(1),
            rows: 1,
            bytes: 1,
            watermark: Some(EventTime::from_millis(millis)),
        }
    }

    #[test]
    fn a_split_at_its_end_is_idle_after_the_timeout() {
        let mut clock = clock(&["a", "b"]);
        let start = Instant::now();
        clock.at_end("b", start);
        clock.at_end("b", start + TIMEOUT / 2);
        assert_eq!(clock.next_idle(), Some(start + TIMEOUT));
        assert!(clock.tick(start + TIMEOUT / 2).is_empty());
        let idle = clock.tick(start + TIMEOUT);
        assert_eq!((idle.len(), idle[0].split.as_str()), (1, "b"));
        assert_eq!(clock.next_idle(), None);
        assert!(!clock.read("b", row(50)).unwrap().idle);
    }

    #[test]
    fn while_the_source_is_held_no_split_becomes_idle() {
        let mut clock = clock(&["a", "b"]);
        let start = Instant::now();
        clock.at_end("a", start);
        clock.hold();
        assert_eq!(clock.next_idle(), None);
        assert!(clock.tick(start + TIMEOUT * 9).is_empty());
        let released = start + TIMEOUT * 9;
        clock.release(released);
        assert!(clock.tick(released + TIMEOUT / 2).is_empty());
        assert_eq!(clock.next_idle(), Some(released + TIMEOUT));
        assert_eq!(clock.tick(released + TIMEOUT).len(), 1);
        // Without a hold nothing begins anew.
        clock.at_end("b", released);
        clock.release(released + TIMEOUT / 2);
        assert_eq!(clock.next_idle(), Some(released + TIMEOUT));
    }

    #[test]
    fn rows_before_the_timeout_keep_a_split_active() {
        let mut clock = clock(&["a"]);
        let start = Instant::now();
        clock.at_end("a", start);
        assert_eq!(clock.read("a", row(5)).unwrap().rows, 1);
        assert!(clock.tick(start + TIMEOUT * 2).is_empty());
        let watermark = clock.read("a", row(3)).unwrap().watermark;
        assert_eq!(watermark, EventTime::from_millis(5), "it does not go back");
    }

    #[test]
    fn a_split_with_records_that_cannot_be_read_is_not_idle() {
        let start = Instant::now();
        let mut clock = clock(&["a"]);
        clock.at_end("a", start);
        assert!(clock.not_at_end("a").is_some());
        assert!(clock.tick(start + TIMEOUT * 9).is_empty());
        clock.at_end("a", start);
        assert_eq!(
            clock.tick(start + TIMEOUT).len(),
            1,
            "it is at its end again"
        );
        assert!(clock.not_at_end("a").is_some_and(|record| !record.idle));
    }

    #[test]
    fn a_checkpoint_gets_what_has_changed_once() {
        let mut clock = clock(&["a", "b"]);
        clock.read("a", row(5));
        assert_eq!(clock.changed().len(), 1);
        assert!(clock.changed().is_empty());
        assert!(clock.finished("b").unwrap().finished);
        assert_eq!(clock.len(), 1);
        assert_eq!(clock.changed().len(), 1);
        assert!(clock.changed().is_empty());
    }
}

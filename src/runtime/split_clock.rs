//! The event time of the splits that one source task reads.
//!
//! A split is idle when successful fetches have shown it at its end for the idle
//! timeout, by the monotonic clock; a split that cannot be fetched is not idle.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::state::SplitRecord;
use crate::stream::{EventTime, Watermark};

/// The splits of one source task with their watermarks.
#[derive(Debug)]
pub struct SplitClock {
    idle_timeout: Option<Duration>,
    splits: BTreeMap<String, ActiveSplit>,
    highest: EventTime,
    sent: Watermark,
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
            splits: BTreeMap::new(),
            highest: EventTime::MIN,
            sent: Watermark::At(EventTime::MIN),
        }
    }

    /// How many splits are being read.
    pub fn len(&self) -> usize {
        self.splits
            .values()
            .filter(|split| !split.record.finished)
            .count()
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

    /// The watermark of a split.
    pub fn watermark_of(&self, split: &str) -> EventTime {
        self.splits
            .get(split)
            .map_or(EventTime::MIN, |split| split.record.watermark)
    }

    /// More of a split was read.
    pub fn read(&mut self, split: &str, read: Read) {
        if let Some(split) = self.splits.get_mut(split) {
            split.record.position = Some(read.position);
            split.record.rows += read.rows;
            split.record.bytes += read.bytes;
            if read.bytes > 0 || read.rows > 0 {
                split.record.idle = false;
                split.at_end_since = None;
            }
            if let Some(at) = read.watermark {
                split.record.watermark = split.record.watermark.max(at);
            }
        }
    }

    /// A fetch has shown a split at its end.
    pub fn at_end(&mut self, split: &str, now: Instant) {
        if let Some(split) = self.splits.get_mut(split) {
            split.at_end_since.get_or_insert(now);
        }
    }

    /// A split was read whole.
    pub fn finished(&mut self, split: &str) {
        if let Some(split) = self.splits.get_mut(split) {
            split.record.finished = true;
        }
    }

    /// When the next split may become idle.
    pub fn next_idle(&self) -> Option<Instant> {
        let timeout = self.idle_timeout?;
        let waiting = self
            .splits
            .values()
            .filter(|split| !split.record.idle && !split.record.finished);
        waiting
            .filter_map(|split| split.at_end_since.map(|since| since + timeout))
            .min()
    }

    /// Notes the splits that have become idle by `now`.
    pub fn tick(&mut self, now: Instant) {
        let Some(timeout) = self.idle_timeout else {
            return;
        };
        for split in self.splits.values_mut() {
            if split
                .at_end_since
                .is_some_and(|since| now >= since + timeout)
            {
                split.record.idle = true;
            }
        }
    }

    /// What the task has to send on, if that has changed: the least watermark of
    /// its active splits and of those that wait for a reader (`held_at`). With
    /// nothing left to read (`exhausted`) time is over.
    pub fn advance(&mut self, held_at: Option<EventTime>, exhausted: bool) -> Option<Watermark> {
        let active = self
            .splits
            .values()
            .map(|split| &split.record)
            .filter(|record| !record.finished && !record.idle)
            .map(|record| record.watermark)
            .chain(held_at)
            .min();
        let merged = match active {
            Some(at) => {
                self.highest = self.highest.max(at);
                Watermark::At(self.highest)
            }
            None if exhausted && self.len() == 0 => Watermark::At(EventTime::MAX),
            // A bounded source is never idle: another task may be about to take
            // a split, and who merges the two would not know of it in time.
            None if self.idle_timeout.is_none() => return None,
            None => Watermark::Idle,
        };
        if merged == self.sent {
            return None;
        }
        self.sent = merged;
        Some(merged)
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

    fn record(split: &str) -> SplitRecord {
        SplitRecord {
            operator: OperatorId(0),
            split: split.to_owned(),
            ordinal: 0,
            spec: json!(null),
            position: None,
            watermark: EventTime::MIN,
            idle: false,
            finished: false,
            rows: 0,
            bytes: 0,
        }
    }

    fn at(millis: i64) -> EventTime {
        EventTime::from_millis(millis)
    }

    fn row(millis: i64) -> Read {
        Read {
            position: json!(1),
            rows: 1,
            bytes: 1,
            watermark: Some(at(millis)),
        }
    }

    fn clock(splits: &[&str]) -> SplitClock {
        let mut clock = SplitClock::new(Some(TIMEOUT));
        for split in splits {
            clock.add(record(split));
        }
        clock
    }

    #[test]
    fn the_slowest_split_holds_the_watermark_until_it_is_idle() {
        let mut clock = clock(&["a", "b"]);
        let start = Instant::now();
        clock.read("a", row(100));
        assert_eq!(clock.advance(None, false), None);
        clock.at_end("b", start);
        clock.at_end("b", start + TIMEOUT / 2);
        assert_eq!(clock.next_idle(), Some(start + TIMEOUT));
        clock.tick(start + TIMEOUT);
        assert_eq!(clock.advance(None, false), Some(Watermark::At(at(100))));
        clock.read("b", row(50));
        assert_eq!(clock.advance(None, false), None, "time does not go back");
    }

    #[test]
    fn rows_before_the_timeout_keep_a_split_active() {
        let mut clock = clock(&["a"]);
        let start = Instant::now();
        clock.at_end("a", start);
        clock.read("a", row(5));
        clock.tick(start + TIMEOUT * 2);
        assert_eq!(clock.advance(None, false), Some(Watermark::At(at(5))));
    }

    #[test]
    fn splits_that_wait_hold_the_watermark() {
        let mut clock = clock(&["a"]);
        clock.read("a", row(5));
        assert_eq!(clock.advance(Some(EventTime::MIN), false), None);
        assert_eq!(clock.advance(None, false), Some(Watermark::At(at(5))));
    }

    #[test]
    fn the_end_of_all_splits_is_the_end_of_time() {
        let mut clock = clock(&["a"]);
        clock.finished("a");
        assert_eq!(clock.advance(None, false), Some(Watermark::Idle));
        let end = Some(Watermark::At(EventTime::MAX));
        assert_eq!(clock.advance(None, true), end);
        assert_eq!(clock.changed().len(), 1);
        assert!(clock.changed().is_empty());
    }
}

//! Keeps splits together in event time: who is far ahead of the slowest waits, so that what
//! joins or aggregates them need not keep what one of them alone has brought.
//!
//! Splits that were not started, are idle or are read whole hold nobody back, and the
//! slowest itself never waits: so somebody always goes on.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::state::SplitRecord;
use crate::stream::{EventTime, OperatorId};

/// The times of the splits of a group of sources.
#[derive(Debug, Default)]
pub struct Alignment {
    times: Mutex<BTreeMap<(OperatorId, String), EventTime>>,
    moved: Notify,
}

impl Alignment {
    /// Takes in what a split says of time.
    pub fn update(&self, record: &SplitRecord) {
        let counts = record.position.is_some() && !record.idle && !record.finished;
        let split = (record.operator, record.split.clone());
        let mut times = self.times.lock();
        let before = least(&times);
        if counts {
            times.insert(split, record.watermark);
        } else {
            times.remove(&split);
        }
        let has_moved = least(&times) != before;
        drop(times);
        if has_moved {
            self.moved.notify_waiters();
        }
    }

    /// How far a split may be whose group drifts apart by this much at most.
    pub fn ceiling(&self, drift_ms_max: i64) -> EventTime {
        let least = least(&self.times.lock());
        least.map_or(EventTime::MAX, |least| least.saturating_add(drift_ms_max))
    }

    /// Waits until the slowest has moved since it was enabled.
    pub fn moved(&self) -> Notified<'_> {
        self.moved.notified()
    }
}

fn least(times: &BTreeMap<(OperatorId, String), EventTime>) -> Option<EventTime> {
    times.values().min().copied()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(operator: u32, split: &str, millis: i64) -> SplitRecord {
        SplitRecord {
            operator: OperatorId(operator),
            split: split.to_owned(),
            ordinal: 0,
            spec: json!(null),
            position: Some(json!(1)),
            watermark: EventTime::from_millis(millis),
            idle: false,
            finished: false,
            rows: 0,
            bytes: 0,
        }
    }

    #[test]
    fn the_slowest_started_split_says_how_far_the_others_may_be() {
        let alignment = Alignment::default();
        let ceiling = || alignment.ceiling(10);
        assert_eq!(ceiling(), EventTime::MAX);
        alignment.update(&record(1, "a", 100));
        assert_eq!(ceiling(), EventTime::from_millis(110));
        // Another source of the group, with a split of the same name.
        alignment.update(&record(2, "a", 50));
        assert_eq!(ceiling(), EventTime::from_millis(60));
        alignment.update(&record(2, "a", 70));
        assert_eq!(ceiling(), EventTime::from_millis(80));
        let unstarted = SplitRecord {
            position: None,
            ..record(1, "b", 0)
        };
        let idle = SplitRecord {
            idle: true,
            ..record(2, "a", 70)
        };
        let finished = SplitRecord {
            finished: true,
            ..record(1, "a", 100)
        };
        alignment.update(&unstarted);
        assert_eq!(ceiling(), EventTime::from_millis(80));
        alignment.update(&idle);
        assert_eq!(ceiling(), EventTime::from_millis(110));
        alignment.update(&finished);
        assert_eq!(ceiling(), EventTime::MAX);
    }
}

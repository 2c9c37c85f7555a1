//! What one task counts: rows, bytes, time busy, idle and blocked, watermark, late rows.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::stream::EventTime;

/// Counters of one task, written by the task and read by anyone.
#[derive(Debug)]
pub struct TaskMetrics {
    /// The operators chained in the task, for people: `source events -> filter`.
    pub name: String,
    /// The stage it belongs to and its number in it.
    pub stage: u32,
    /// Whether it reads a source.
    pub is_source: bool,
    /// The number of the task in its stage, from 0.
    pub index: usize,
    /// Rows that came in.
    pub records_in: AtomicU64,
    /// Rows that went out.
    pub records_out: AtomicU64,
    /// Bytes that came in: of a source the bytes read, else of the batches.
    pub bytes_in: AtomicU64,
    /// Bytes that went out: of a sink the bytes written, else of the batches.
    pub bytes_out: AtomicU64,
    /// Rows dropped because every window they belong to had closed.
    pub late_records: AtomicU64,
    /// Rows that became dead letters.
    pub dead_letters: AtomicU64,
    /// Splits that wait for slower ones, now.
    pub paused_splits: AtomicU64,
    watermark: AtomicI64,
    busy_nanos: AtomicU64,
    idle_nanos: AtomicU64,
    blocked_nanos: AtomicU64,
}

/// What a task does with its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Working on rows.
    Busy,
    /// Waiting for input.
    Idle,
    /// Waiting for room behind it: backpressure.
    Blocked,
}

/// Time of a task by activity, since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskTimes {
    /// Working on rows.
    pub busy: Duration,
    /// Waiting for input.
    pub idle: Duration,
    /// Waiting for room behind it.
    pub blocked: Duration,
}

impl TaskMetrics {
    /// Counters at zero.
    pub fn new(name: String, stage: u32, index: usize, is_source: bool) -> Self {
        Self {
            name,
            stage,
            is_source,
            index,
            records_in: AtomicU64::new(0),
            records_out: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            late_records: AtomicU64::new(0),
            dead_letters: AtomicU64::new(0),
            paused_splits: AtomicU64::new(0),
            watermark: AtomicI64::new(EventTime::MIN.millis()),
            busy_nanos: AtomicU64::new(0),
            idle_nanos: AtomicU64::new(0),
            blocked_nanos: AtomicU64::new(0),
        }
    }

    /// Adds `by` to one of the counters.
    pub fn add(counter: &AtomicU64, by: usize) {
        counter.fetch_add(by as u64, Ordering::Relaxed);
    }

    /// The watermark that the task last sent on.
    pub fn watermark(&self) -> EventTime {
        EventTime::from_millis(self.watermark.load(Ordering::Relaxed))
    }

    /// Notes the watermark that the task sends on.
    pub fn set_watermark(&self, at: EventTime) {
        self.watermark.store(at.millis(), Ordering::Relaxed);
    }

    /// Notes that `time` went to `activity`.
    pub fn spent(&self, activity: Activity, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let counter = match activity {
            Activity::Busy => &self.busy_nanos,
            Activity::Idle => &self.idle_nanos,
            Activity::Blocked => &self.blocked_nanos,
        };
        counter.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Time by activity so far.
    pub fn times(&self) -> TaskTimes {
        let of = |nanos: &AtomicU64| Duration::from_nanos(nanos.load(Ordering::Relaxed));
        TaskTimes {
            busy: of(&self.busy_nanos),
            idle: of(&self.idle_nanos),
            blocked: of(&self.blocked_nanos),
        }
    }
}

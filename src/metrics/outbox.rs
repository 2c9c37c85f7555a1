//! What waits in an outbox: bytes, records, and since when.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::stream::EventTime;

/// Figures of one outbox, written by the outbox and read by anyone.
#[derive(Debug)]
pub struct OutboxMetrics {
    /// The table whose rows wait.
    pub table: String,
    /// Bytes on disk.
    pub bytes: AtomicU64,
    /// Records in them.
    pub records: AtomicU64,
    /// When the oldest decided ones were made, in milliseconds since 1970.
    oldest_ms: AtomicI64,
}

impl OutboxMetrics {
    /// Of an empty outbox.
    pub const fn new(table: String) -> Self {
        Self {
            table,
            bytes: AtomicU64::new(0),
            records: AtomicU64::new(0),
            oldest_ms: AtomicI64::new(i64::MAX),
        }
    }

    /// When the oldest decided records were made; `None` if all are sent.
    pub fn oldest(&self) -> Option<EventTime> {
        let at = self.oldest_ms.load(Ordering::Relaxed);
        (at != i64::MAX).then(|| EventTime::from_millis(at))
    }

    /// Notes when the oldest decided records were made.
    pub fn set_oldest(&self, at: Option<EventTime>) {
        let at = at.map_or(i64::MAX, EventTime::millis);
        self.oldest_ms.store(at, Ordering::Relaxed);
    }
}

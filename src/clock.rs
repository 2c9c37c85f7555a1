//! The only door to wall-clock time.
//!
//! Everything that asks for the time of day asks here, so that a test can see
//! every place where a run may depend on it. Durations are measured with
//! [`std::time::Instant`], which cannot jump.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::stream::EventTime;

/// The wall clock in milliseconds since 1970-01-01T00:00:00Z, negative before.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one door to wall time"
)]
pub fn now() -> EventTime {
    let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis)
        }
    };
    EventTime::from_millis(millis)
}

/// How often who waits for a time of [`Clock::set_by`] looks whether it has come.
const LOOK: Duration = Duration::from_millis(1);

/// The clock that windows over processing time go by.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// A clock that shows what a test has set, in milliseconds.
    pub fn set_by(millis: Arc<AtomicI64>) -> Self {
        Self(Some(millis))
    }

    /// What it shows.
    pub fn now(&self) -> EventTime {
        match &self.0 {
            Some(millis) => EventTime::from_millis(millis.load(Ordering::SeqCst)),
            None => now(),
        }
    }

    /// When to look whether it shows `at`.
    pub fn instant_of(&self, at: EventTime) -> Instant {
        let ahead = at.millis().saturating_sub(self.now().millis());
        let ahead = Duration::from_millis(u64::try_from(ahead).unwrap_or(0));
        // The clock may be set; who has looked an hour ahead looks again.
        let ahead = ahead.min(Duration::from_hours(1));
        let ahead = self.0.as_ref().map_or(ahead, |_| ahead.min(LOOK));
        Instant::now() + ahead
    }
}

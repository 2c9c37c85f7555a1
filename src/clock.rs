//! The only door to wall-clock time.
//!
//! Everything that asks for the time of day asks here, so that a test can see
//! every place where a run may depend on it. Durations are measured with
//! [`std::time::Instant`], which cannot jump.

use std::time::{SystemTime, UNIX_EPOCH};

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

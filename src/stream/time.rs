//! Event time: milliseconds since 1970-01-01T00:00:00Z with saturating arithmetic.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A point in event time, in milliseconds since the Unix epoch.
///
/// Arithmetic saturates: a hostile timestamp near the ends of `i64` cannot wrap
/// around and close or reopen a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTime(i64);

impl EventTime {
    /// Before everything: the watermark of a stream that has said nothing yet.
    pub const MIN: Self = Self(i64::MIN);
    /// After everything: the watermark of a stream that has ended.
    pub const MAX: Self = Self(i64::MAX);

    /// The time `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This time as a date and time of day in UTC: `2026-01-31 12:00:00.000Z`.
    pub fn to_utc(self) -> String {
        arrow::temporal_conversions::timestamp_ms_to_datetime(self.0).map_or_else(
            || self.to_string(),
            |time| format!("{}Z", time.format("%Y-%m-%d %H:%M:%S%.3f")),
        )
    }

    /// This time plus `millis`, held at [`Self::MAX`] or [`Self::MIN`].
    #[must_use]
    pub const fn saturating_add(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// This time minus `millis`, held at [`Self::MAX`] or [`Self::MIN`].
    #[must_use]
    pub const fn saturating_sub(self, millis: i64) -> Self {
        Self(self.0.saturating_sub(millis))
    }
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MIN => f.write_str("-inf"),
            Self::MAX => f.write_str("+inf"),
            Self(millis) => write!(f, "{millis}"),
        }
    }
}

//! The arithmetic of windows that overlap: they are cut into slices, of which
//! each window is a whole number.
//!
//! A slice is named by its end. Aggregates are kept per slice, so that a row is
//! aggregated once however many windows it belongs to (Li et al., "No pane, no
//! gain", SIGMOD Record 2005).

use crate::stream::EventTime;

/// Windows of `size_ms` that start every `slide_ms`, aligned to the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slicing {
    /// The length of a window, a multiple of the slide.
    pub size_ms: i64,
    /// From one start to the next; the length of a slice.
    pub slide_ms: i64,
}

impl Slicing {
    /// Windows that do not overlap.
    pub fn tumbling(size_ms: i64) -> Self {
        Self {
            size_ms,
            slide_ms: size_ms,
        }
    }

    /// The end of the slice that holds `at`.
    pub fn slice_of(self, at: EventTime) -> EventTime {
        self.last_end_until(at).saturating_add(self.slide_ms)
    }

    /// The last of the ends of windows that is not after `at`. Near the
    /// beginning of time, where there is none, the beginning of time.
    pub fn last_end_until(self, at: EventTime) -> EventTime {
        let millis = at.millis();
        EventTime::from_millis(millis.saturating_sub(millis.rem_euclid(self.slide_ms)))
    }

    /// The end of the last window that a slice belongs to.
    pub fn last_window_of(self, slice: EventTime) -> EventTime {
        slice.saturating_add(self.size_ms - self.slide_ms)
    }

    /// The start of the window with this end.
    pub fn start_of(self, end: EventTime) -> EventTime {
        end.saturating_sub(self.size_ms)
    }

    /// The end of the last window that a watermark closes: a window is complete
    /// when the watermark has reached its last millisecond.
    pub fn closed_by(self, watermark: EventTime) -> EventTime {
        if watermark == EventTime::MIN {
            return EventTime::MIN;
        }
        if watermark == EventTime::MAX {
            return EventTime::MAX;
        }
        self.last_end_until(watermark.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> EventTime {
        EventTime::from_millis(millis)
    }

    #[test]
    fn slices_are_aligned_to_the_epoch() {
        let hop = Slicing {
            size_ms: 30,
            slide_ms: 10,
        };
        for (time, slice) in [(0, 10), (9, 10), (10, 20), (-1, 0), (-10, 0), (-11, -10)] {
            assert_eq!(hop.slice_of(at(time)), at(slice), "{time}");
        }
        assert_eq!(hop.last_window_of(at(10)), at(30));
        assert_eq!(hop.start_of(at(30)), at(0));
    }

    #[test]
    fn a_window_closes_with_its_last_millisecond() {
        let tumble = Slicing::tumbling(10);
        for (watermark, closed) in [(8, 0), (9, 10), (10, 10), (18, 10), (19, 20), (-1, 0)] {
            assert_eq!(tumble.closed_by(at(watermark)), at(closed), "{watermark}");
        }
        assert_eq!(tumble.closed_by(EventTime::MIN), EventTime::MIN);
        assert_eq!(tumble.closed_by(EventTime::MAX), EventTime::MAX);
    }

    #[test]
    fn the_ends_of_time_saturate() {
        let hop = Slicing {
            size_ms: 30,
            slide_ms: 10,
        };
        assert_eq!(hop.slice_of(at(i64::MAX)), EventTime::MAX);
        assert_eq!(hop.last_window_of(EventTime::MAX), EventTime::MAX);
        assert!(hop.slice_of(at(i64::MIN)) > at(i64::MIN));
        assert_eq!(hop.start_of(at(i64::MIN)), EventTime::MIN);
    }
}

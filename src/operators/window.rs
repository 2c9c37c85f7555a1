//! The arithmetic of windows that overlap: they are cut into slices, of which
//! each window is a whole number.
//!
//! A slice is named by its end. Aggregates are kept per slice, so that a row is
//! aggregated once however many windows it belongs to (Li et al., "No pane, no
//! gain", SIGMOD Record 2005).

use crate::stream::EventTime;

/// How windows lie, and into which slices they are cut. All are aligned to the epoch, moved by
/// an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slicing {
    /// The length of the longest window, a multiple of the slide.
    pub size_ms: i64,
    /// From one end of a window to the next; the length of a slice.
    pub slide_ms: i64,
    /// How far the windows are moved.
    pub offset_ms: i64,
    /// Where a window begins.
    pub start: Start,
}

/// Where a window begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Its size before its end: windows slide.
    BeforeEnd,
    /// Where the one before it began, until it has reached its size: windows cumulate.
    Shared,
}

impl Slicing {
    /// Windows that do not overlap.
    pub fn tumbling(size_ms: i64) -> Self {
        Self::sliding(size_ms, size_ms)
    }

    /// Windows of `size_ms` that end every `slide_ms`.
    pub fn sliding(size_ms: i64, slide_ms: i64) -> Self {
        Self {
            size_ms,
            slide_ms,
            offset_ms: 0,
            start: Start::BeforeEnd,
        }
    }

    /// Windows that grow by `step_ms` until they have `size_ms`, where the next one begins.
    pub fn cumulating(size_ms: i64, step_ms: i64) -> Self {
        Self {
            start: Start::Shared,
            ..Self::sliding(size_ms, step_ms)
        }
    }

    /// The same windows, moved.
    #[must_use]
    pub fn moved_by(self, offset_ms: i64) -> Self {
        Self { offset_ms, ..self }
    }

    /// The end of the slice that holds `at`.
    pub fn slice_of(self, at: EventTime) -> EventTime {
        self.last_end_until(at).saturating_add(self.slide_ms)
    }

    /// The last of the ends of windows that is not after `at`. Near the
    /// beginning of time, where there is none, the beginning of time.
    pub fn last_end_until(self, at: EventTime) -> EventTime {
        self.last_multiple_until(at, self.slide_ms)
    }

    /// The last of the times every `step_ms` that is not after `at`.
    fn last_multiple_until(self, at: EventTime, step_ms: i64) -> EventTime {
        let millis = at.millis();
        let Some(unmoved) = millis.checked_sub(self.offset_ms) else {
            return at;
        };
        EventTime::from_millis(millis.saturating_sub(unmoved.rem_euclid(step_ms)))
    }

    /// The end of the last window that a slice belongs to.
    pub fn last_window_of(self, slice: EventTime) -> EventTime {
        match self.start {
            Start::BeforeEnd => slice.saturating_add(self.size_ms - self.slide_ms),
            Start::Shared => self.start_of(slice).saturating_add(self.size_ms),
        }
    }

    /// The starts and ends of the windows that hold `at`.
    pub fn windows_of(self, at: EventTime) -> impl Iterator<Item = (EventTime, EventTime)> {
        let first = self.slice_of(at);
        let last = self.last_window_of(first);
        let next = move |end: &EventTime| (*end < last).then(|| end.saturating_add(self.slide_ms));
        let ends = std::iter::successors(Some(first), next);
        ends.map(move |end| (self.start_of(end), end))
    }

    /// The start of the window with this end.
    pub fn start_of(self, end: EventTime) -> EventTime {
        match self.start {
            Start::BeforeEnd => end.saturating_sub(self.size_ms),
            Start::Shared => self.last_multiple_until(end.saturating_sub(1), self.size_ms),
        }
    }

    /// The end of the last slice that no window after that with the end `fired` has.
    pub fn last_slice_done_with(self, fired: EventTime) -> EventTime {
        match self.start {
            Start::BeforeEnd => fired.saturating_sub(self.size_ms - self.slide_ms),
            Start::Shared => self.last_multiple_until(fired, self.size_ms),
        }
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
        let hop = Slicing::sliding(30, 10);
        for (time, slice) in [(0, 10), (9, 10), (10, 20), (-1, 0), (-10, 0), (-11, -10)] {
            assert_eq!(hop.slice_of(at(time)), at(slice), "{time}");
        }
        assert_eq!(hop.last_window_of(at(10)), at(30));
        assert_eq!(hop.start_of(at(30)), at(0));
    }

    #[test]
    fn windows_can_be_moved() {
        let hop = Slicing::sliding(30, 10).moved_by(-3);
        for (time, slice) in [(0, 7), (6, 7), (7, 17), (-3, 7), (-4, -3)] {
            assert_eq!(hop.slice_of(at(time)), at(slice), "{time}");
        }
        assert_eq!(hop.start_of(at(17)), at(-13));
    }

    #[test]
    fn windows_that_cumulate_begin_together() {
        let cumulate = Slicing::cumulating(30, 10).moved_by(5);
        for (end, start, last) in [
            (15, 5, 35),
            (25, 5, 35),
            (35, 5, 35),
            (45, 35, 65),
            (5, -25, 5),
        ] {
            assert_eq!(cumulate.start_of(at(end)), at(start), "{end}");
            assert_eq!(cumulate.last_window_of(at(end)), at(last), "{end}");
        }
        for (fired, done) in [(5, 5), (15, 5), (25, 5), (35, 35), (45, 35)] {
            assert_eq!(
                cumulate.last_slice_done_with(at(fired)),
                at(done),
                "{fired}"
            );
        }
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
        let hop = Slicing::sliding(30, 10);
        assert_eq!(hop.slice_of(at(i64::MAX)), EventTime::MAX);
        assert_eq!(hop.last_window_of(EventTime::MAX), EventTime::MAX);
        assert!(hop.slice_of(at(i64::MIN)) > at(i64::MIN));
        assert_eq!(hop.start_of(at(i64::MIN)), EventTime::MIN);
    }
}

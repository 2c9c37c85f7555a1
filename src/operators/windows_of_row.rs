//! Which windows a row belongs to, for aggregates that keep each window by itself.

use arrow::array::RecordBatch;

use super::event_time::EventTimes;
use super::window::Slicing;
use crate::stream::EventTime;

/// The end and the start of a window, in milliseconds.
pub type Bounds = (i64, i64);

/// Where a row's windows come from.
#[derive(Clone, Copy, Debug)]
pub enum WindowsOfRow {
    /// From a column of event time.
    Time {
        /// The column.
        time: usize,
        /// The windows.
        slicing: Slicing,
    },
    /// The row brings one along.
    Attached {
        /// The column of the window's start.
        start: usize,
        /// The column of the window's end.
        end: usize,
    },
}

impl WindowsOfRow {
    /// The windows of each row that end behind `forgotten`; `None` if it has no time.
    pub fn of_rows(self, records: &RecordBatch, forgotten: i64) -> Vec<Option<Vec<Bounds>>> {
        let is_kept = |bounds: &Bounds| bounds.0 > forgotten;
        match self {
            Self::Time { time, slicing } => {
                let times = EventTimes::new(records.column(time));
                let windows = times.iter().map(|time| {
                    let all = slicing.windows_of(EventTime::from_millis(time?));
                    let all = all.map(|(start, end)| (end.millis(), start.millis()));
                    Some(all.filter(is_kept).collect())
                });
                windows.collect()
            }
            Self::Attached { start, end } => {
                let starts = EventTimes::new(records.column(start));
                let ends = EventTimes::new(records.column(end));
                let windows = starts.iter().zip(ends.iter()).map(|(start, end)| {
                    let bounds = (end?, start?);
                    Some(Some(bounds).filter(is_kept).into_iter().collect())
                });
                windows.collect()
            }
        }
    }
}

/// Windows that end here or earlier are passed by a watermark: it has reached their last
/// millisecond.
pub fn closed_by(watermark: EventTime) -> i64 {
    if watermark == EventTime::MIN {
        return i64::MIN;
    }
    watermark.saturating_add(1).millis()
}

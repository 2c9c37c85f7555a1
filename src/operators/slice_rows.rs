//! Which rows of a batch belong to which slice.
//!
//! Rows come nearly in the order of their time, so a batch lies in one slice or in
//! a few runs of rows, which are cut out of it without copying.

use std::ops::Range;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;

use super::event_time::EventTimes;
use super::window::Slicing;
use crate::stream::EventTime;

/// The rows of a batch by slice.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RowsBySlice {
    /// By rising slice, each once.
    pub slices: Vec<(EventTime, Rows)>,
    /// Rows that have no event time.
    pub without_time: Vec<usize>,
}

/// Some rows of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// `length` rows from `start` on.
    Run {
        /// The first.
        start: usize,
        /// How many.
        length: usize,
    },
    /// Those with these numbers, rising.
    Scattered(Vec<u32>),
}

impl Rows {
    /// These rows of `records`.
    ///
    /// # Errors
    /// If they cannot be copied.
    pub fn of(self, records: &RecordBatch) -> arrow::error::Result<RecordBatch> {
        match self {
            Self::Run { start, length } => Ok(records.slice(start, length)),
            Self::Scattered(rows) => take_record_batch(records, &UInt32Array::from(rows)),
        }
    }
}

impl RowsBySlice {
    /// Rows by the slice that their event time lies in.
    pub fn by_time(slicing: Slicing, times: &EventTimes) -> Self {
        // Neighbours mostly share their slice, and need no division then.
        let (mut start, mut end, mut slice) = (1, 0, EventTime::MIN);
        Self::by(times, |millis| {
            if !(start..end).contains(&millis) {
                let at = EventTime::from_millis(millis);
                slice = slicing.slice_of(at);
                start = slicing.last_end_until(at).millis();
                end = slice.millis();
            }
            slice
        })
    }

    /// Rows by the slice whose end they name.
    pub fn by_end(ends: &EventTimes) -> Self {
        Self::by(ends, EventTime::from_millis)
    }

    fn by(times: &EventTimes, mut slice_of: impl FnMut(i64) -> EventTime) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        let mut without_time = Vec::new();
        for (row, millis) in times.iter().enumerate() {
            let Some(millis) = millis else {
                without_time.push(row);
                continue;
            };
            let slice = slice_of(millis);
            match runs.last_mut() {
                Some(run) if run.slice == slice && run.rows.end == row => run.rows.end += 1,
                _ => runs.push(Run {
                    slice,
                    rows: row..row + 1,
                }),
            }
        }
        runs.sort_by_key(|run| run.slice);
        let slices = runs.chunk_by(|left, right| left.slice == right.slice);
        Self {
            slices: slices.map(|runs| (runs[0].slice, rows_of(runs))).collect(),
            without_time,
        }
    }
}

/// Neighbouring rows of one slice.
struct Run {
    slice: EventTime,
    rows: Range<usize>,
}

/// The rows of the runs of one slice.
fn rows_of(runs: &[Run]) -> Rows {
    if let [run] = runs {
        return Rows::Run {
            start: run.rows.start,
            length: run.rows.len(),
        };
    }
    let rows = runs.iter().flat_map(|run| run.rows.clone());
    let number = |row| u32::try_from(row).expect("a batch has fewer than 2^32 rows");
    Rows::Scattered(rows.map(number).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, TimestampMicrosecondArray};

    use super::*;

    fn by_time(slicing: Slicing, micros: &[Option<i64>]) -> RowsBySlice {
        let column: ArrayRef = Arc::new(TimestampMicrosecondArray::from(micros.to_vec()));
        RowsBySlice::by_time(slicing, &EventTimes::new(&column))
    }

    #[test]
    fn rows_in_order_are_cut_and_others_picked() {
        let tumble = Slicing::tumbling(10);
        let ended = |millis, rows| (EventTime::from_millis(millis), rows);
        let run = |start, length| Rows::Run { start, length };

        let sorted = [3_000, 9_999, 10_000, 25_000].map(Some);
        let expected = vec![
            ended(10, run(0, 2)),
            ended(20, run(2, 1)),
            ended(30, run(3, 1)),
        ];
        assert_eq!(by_time(tumble, &sorted).slices, expected);

        let mixed = [
            Some(15_000),
            Some(-1),
            None,
            Some(12_000),
            Some(-10_000),
            Some(11_000),
        ];
        let found = by_time(tumble, &mixed);
        let expected = vec![
            ended(0, Rows::Scattered(vec![1, 4])),
            ended(20, Rows::Scattered(vec![0, 3, 5])),
        ];
        assert_eq!((found.slices, found.without_time), (expected, vec![2]));

        assert_eq!(by_time(tumble, &[]), RowsBySlice::default());
    }

    #[test]
    fn the_ends_of_time_have_slices() {
        let hop = Slicing::sliding(30, 10);
        let column: ArrayRef = Arc::new(arrow::array::TimestampMillisecondArray::from(vec![
            i64::MIN,
            i64::MAX,
            i64::MAX,
        ]));
        let found = RowsBySlice::by_time(hop, &EventTimes::new(&column)).slices;
        let of = |millis| hop.slice_of(EventTime::from_millis(millis));
        let expected = [
            (
                of(i64::MIN),
                Rows::Run {
                    start: 0,
                    length: 1,
                },
            ),
            (
                of(i64::MAX),
                Rows::Run {
                    start: 1,
                    length: 2,
                },
            ),
        ];
        assert_eq!(found, expected);
    }
}

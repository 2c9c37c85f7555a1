//! Windows over processing time: rows are of the time at which they come to the aggregate, and
//! the clock closes its windows.
//!
//! The aggregate is that of event time; the clock takes the place of the watermark. So a row is
//! never late, and after a restart windows that have passed meanwhile are told at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::SchemaRef;

use crate::clock::Clock;
use crate::runtime::{Error, Operator, Output, Progress, Result};
use crate::state::OperatorDelta;
use crate::stream::{Barrier, Batch, CheckpointId, EventTime};

/// An aggregate over windows that goes by the clock.
pub struct ClockWindows {
    aggregate: Box<dyn Operator>,
    /// The column of the input that is given the time.
    time: usize,
    clock: Clock,
    /// The time that it has reached; clocks may go back, this does not.
    now: EventTime,
    /// When it next looks at the clock.
    wake: Option<Instant>,
}

impl ClockWindows {
    /// The aggregate, restored, whose column `time` is of milliseconds.
    pub fn new(aggregate: Box<dyn Operator>, time: usize, clock: Clock) -> Self {
        let mut windows = Self {
            aggregate,
            time,
            clock,
            now: EventTime::MIN,
            wake: None,
        };
        windows.set_alarm();
        windows
    }

    /// Tells the windows that the clock has closed.
    fn advance(&mut self, out: &mut dyn Output) -> Result<()> {
        self.now = self.now.max(self.clock.now());
        let passed = self.now.saturating_sub(1);
        while self.aggregate.watermark(passed, out)? == Progress::More {}
        Ok(())
    }

    fn set_alarm(&mut self) {
        let closing = self.aggregate.next_close();
        self.wake = closing.map(|at| self.clock.instant_of(at));
    }

    fn stamped(&self, records: &RecordBatch) -> arrow::error::Result<RecordBatch> {
        let times = vec![self.now.millis(); records.num_rows()];
        let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(times));
        let mut columns = records.columns().to_vec();
        columns[self.time] = arrow::compute::cast(&times, columns[self.time].data_type())?;
        RecordBatch::try_new(records.schema(), columns)
    }
}

impl Operator for ClockWindows {
    fn schema(&self) -> &SchemaRef {
        self.aggregate.schema()
    }

    fn process(&mut self, batch: Batch, out: &mut dyn Output) -> Result<()> {
        self.advance(out)?;
        let records = self.stamped(&batch.records);
        let records = records.map_err(|error| Error::Fatal(error.to_string()))?;
        self.aggregate.process(Batch::new(records), out)?;
        self.set_alarm();
        Ok(())
    }

    /// Event time means nothing here, but for its end: no row comes any more.
    fn watermark(&mut self, at: EventTime, out: &mut dyn Output) -> Result<Progress> {
        if at < EventTime::MAX {
            return Ok(Progress::Done);
        }
        let progress = self.aggregate.watermark(at, out)?;
        self.set_alarm();
        Ok(progress)
    }

    fn deadline(&self) -> Option<Instant> {
        self.wake
    }

    fn flush(&mut self, out: &mut dyn Output) -> Result<()> {
        self.advance(out)?;
        self.set_alarm();
        Ok(())
    }

    fn idle(&mut self, out: &mut dyn Output) -> Result<()> {
        self.aggregate.idle(out)
    }

    fn barrier(&mut self, barrier: Barrier, out: &mut dyn Output) -> Result<Vec<OperatorDelta>> {
        self.aggregate.barrier(barrier, out)
    }

    fn decided(&mut self, checkpoint: CheckpointId) {
        self.aggregate.decided(checkpoint);
    }

    fn background(&mut self, budget: Duration) -> Result<Progress> {
        self.aggregate.background(budget)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;

    use super::*;
    use crate::operators::Slicing;
    use crate::operators::collected::Collected;
    use crate::operators::window_model::{aggregate, batch, rows_input};
    use crate::state::RestoredState;
    use crate::stream::BarrierKind;

    fn windows(clock: &Arc<AtomicI64>, restored: Option<RestoredState>) -> ClockWindows {
        let mut inner = aggregate(Slicing::tumbling(10), rows_input());
        if let Some(restored) = restored {
            inner.restore(restored).unwrap();
        }
        ClockWindows::new(Box::new(inner), 0, Clock::set_by(Arc::clone(clock)))
    }

    /// The sums that have come out.
    fn sums(out: &Collected) -> Vec<i64> {
        let columns = out.rows.iter();
        let columns = columns.map(|rows| rows.column(2).as_primitive::<Int64Type>());
        columns.flat_map(|sums| sums.values().to_vec()).collect()
    }

    #[test]
    fn the_clock_closes_windows_and_opens_them() {
        let clock = Arc::new(AtomicI64::new(3));
        let mut windows = windows(&clock, None);
        let mut out = Collected::default();
        assert_eq!(windows.deadline(), None);
        // What the rows say of their time does not count.
        windows.process(batch(&[(500, 1, 7)]), &mut out).unwrap();
        assert!(windows.deadline().is_some());
        clock.store(9, Ordering::SeqCst);
        windows.flush(&mut out).unwrap();
        assert_eq!(sums(&out), [0_i64; 0]);
        clock.store(10, Ordering::SeqCst);
        windows.process(batch(&[(0, 1, 100)]), &mut out).unwrap();
        assert_eq!(sums(&out), [7]);
        // A clock that is put back opens nothing that was told.
        clock.store(1, Ordering::SeqCst);
        windows.process(batch(&[(0, 1, 1)]), &mut out).unwrap();
        clock.store(20, Ordering::SeqCst);
        windows.flush(&mut out).unwrap();
        assert_eq!((sums(&out), out.late), (vec![7, 101], 0));
        assert_eq!(windows.deadline(), None);
    }

    #[test]
    fn windows_that_pass_meanwhile_are_told_at_the_start() {
        let clock = Arc::new(AtomicI64::new(3));
        let mut before = windows(&clock, None);
        let mut out = Collected::default();
        before.process(batch(&[(0, 1, 7)]), &mut out).unwrap();
        let barrier = Barrier {
            checkpoint: CheckpointId(1),
            kind: BarrierKind::Interval,
        };
        let mut deltas = before.barrier(barrier, &mut out).unwrap();
        let delta = deltas.remove(0);
        clock.store(25, Ordering::SeqCst);
        let rows = delta.rows.into_iter().map(|rows| (rows.time, rows.records));
        let mut after = windows(
            &clock,
            Some(RestoredState {
                watermark: delta.watermark,
                late_records: 0,
                rows: rows.collect(),
            }),
        );
        assert!(after.deadline().is_some_and(|wake| wake <= Instant::now()));
        after.flush(&mut out).unwrap();
        assert_eq!(sums(&out), [7]);
    }
}

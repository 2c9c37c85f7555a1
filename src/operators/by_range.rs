//! Runs one aggregate for each part of a task's key range that has a clock of its
//! own.
//!
//! After a restart with another number of workers a task may get key groups whose
//! old owners had reached different times. What was late for one of them stays
//! late and what it has emitted stays emitted, so they go on side by side until
//! the next restart finds their clocks equal.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::SchemaRef;

use crate::runtime::{Error, Operator, Output, Progress, Result};
use crate::state::OperatorDelta;
use crate::stream::{Barrier, Batch, CheckpointId, EventTime, KeyGroups, KeyRange};

/// One operator per part of a key range.
pub struct ByRange {
    schema: SchemaRef,
    keys: Vec<usize>,
    groups: KeyGroups,
    parts: Vec<(KeyRange, Box<dyn Operator>)>,
}

impl ByRange {
    /// The operators of the parts, restored; `keys` are the key columns of their
    /// input. Without keys all rows are of group 0.
    ///
    /// # Panics
    /// If there are no parts.
    pub fn new(
        keys: Vec<usize>,
        groups: KeyGroups,
        parts: Vec<(KeyRange, Box<dyn Operator>)>,
    ) -> Self {
        let (_, first) = parts.first().expect("a task has at least one part");
        Self {
            schema: Arc::clone(first.schema()),
            keys,
            groups,
            parts,
        }
    }
}

impl Operator for ByRange {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn process(&mut self, batch: Batch, out: &mut dyn Output) -> Result<()> {
        let records = &batch.records;
        let keys = self.keys.iter().map(|&key| Arc::clone(records.column(key)));
        let keys: Vec<ArrayRef> = keys.collect();
        let groups = if keys.is_empty() {
            vec![crate::stream::KeyGroup(0); records.num_rows()]
        } else {
            self.groups.of_rows(&keys, records.num_rows())
        };
        for (range, part) in &mut self.parts {
            let own = groups.iter().map(|&group| Some(range.contains(group)));
            let own = batch.filter(&own.collect::<BooleanArray>());
            let own = own.map_err(|error| Error::Fatal(error.to_string()))?;
            if own.num_rows() > 0 {
                part.process(own, out)?;
            }
        }
        Ok(())
    }

    fn watermark(&mut self, at: EventTime, out: &mut dyn Output) -> Result<Progress> {
        for (_, part) in &mut self.parts {
            if part.watermark(at, out)? == Progress::More {
                return Ok(Progress::More);
            }
        }
        Ok(Progress::Done)
    }

    fn barrier(&mut self, barrier: Barrier, out: &mut dyn Output) -> Result<Vec<OperatorDelta>> {
        let mut deltas = Vec::new();
        for (_, part) in &mut self.parts {
            deltas.extend(part.barrier(barrier, out)?);
        }
        Ok(deltas)
    }

    fn next_close(&self) -> Option<EventTime> {
        let parts = self.parts.iter();
        parts.filter_map(|(_, part)| part.next_close()).min()
    }

    fn deadline(&self) -> Option<Instant> {
        let parts = self.parts.iter();
        parts.filter_map(|(_, part)| part.deadline()).min()
    }

    fn flush(&mut self, out: &mut dyn Output) -> Result<()> {
        let now = Instant::now();
        for (_, part) in &mut self.parts {
            if part.deadline().is_some_and(|deadline| deadline <= now) {
                part.flush(out)?;
            }
        }
        Ok(())
    }

    fn decided(&mut self, checkpoint: CheckpointId) {
        for (_, part) in &mut self.parts {
            part.decided(checkpoint);
        }
    }

    fn background(&mut self, budget: Duration) -> Result<Progress> {
        for (_, part) in &mut self.parts {
            if part.background(budget)? == Progress::More {
                return Ok(Progress::More);
            }
        }
        Ok(Progress::Done)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array, RecordBatch};
    use arrow::datatypes::Int64Type;

    use super::*;
    use crate::stream::DeadLetter;

    /// Lets rows pass until its own time has come, and says it once.
    struct UntilTime {
        schema: SchemaRef,
        own: EventTime,
    }

    impl Operator for UntilTime {
        fn schema(&self) -> &SchemaRef {
            &self.schema
        }
        fn process(&mut self, batch: Batch, out: &mut dyn Output) -> Result<()> {
            if self.own > EventTime::from_millis(50) {
                out.late(batch.num_rows());
            } else {
                out.emit(batch);
            }
            Ok(())
        }
        fn watermark(&mut self, at: EventTime, _: &mut dyn Output) -> Result<Progress> {
            self.own = self.own.max(at);
            Ok(Progress::Done)
        }
    }

    #[derive(Default)]
    struct Seen {
        keys: Vec<i64>,
        late: usize,
    }

    impl Output for Seen {
        fn emit(&mut self, batch: Batch) {
            let keys = batch.records.column(0).as_primitive::<Int64Type>();
            self.keys.extend(keys.values());
        }
        fn dead_letter(&mut self, letter: DeadLetter) {
            panic!("no row fails: {letter:?}");
        }
        fn late(&mut self, rows: usize) {
            self.late += rows;
        }
        fn late_rows(&mut self, _: Batch) {}
    }

    #[test]
    fn each_part_goes_by_its_own_clock() {
        let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1_000));
        let rows = RecordBatch::try_from_iter([("key", Arc::clone(&keys))]).unwrap();
        let part = |start, end, millis| {
            let own = EventTime::from_millis(millis);
            let schema = rows.schema();
            let part: Box<dyn Operator> = Box::new(UntilTime { schema, own });
            (KeyRange { start, end }, part)
        };
        let groups = KeyGroups::DEFAULT;
        let parts = vec![part(0, 40, 100), part(40, 128, 6)];
        let mut operator = ByRange::new(vec![0], groups, parts);
        let behind = groups.of_rows(&[keys], 1_000);
        let behind = behind.iter().filter(|group| group.0 >= 40).count();

        let mut seen = Seen::default();
        operator
            .process(Batch::new(rows.clone()), &mut seen)
            .unwrap();
        assert_eq!((seen.keys.len(), seen.late), (behind, 1_000 - behind));

        let now = EventTime::from_millis(51);
        assert_eq!(operator.watermark(now, &mut seen).unwrap(), Progress::Done);
        operator.process(Batch::new(rows), &mut seen).unwrap();
        assert_eq!((seen.keys.len(), seen.late), (behind, 2_000 - behind));
    }
}

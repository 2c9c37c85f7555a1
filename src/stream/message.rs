//! The one message type on every edge: batch, watermark or barrier.

use std::fmt;

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};

use super::EventTime;

/// What one edge carries, in order.
#[derive(Clone, Debug)]
pub enum Message {
    /// Rows.
    Batch(Batch),
    /// A promise about the event time of the rows to come.
    Watermark(Watermark),
    /// The cut between two checkpoints.
    Barrier(Barrier),
}

/// Rows in columns. Every row is an insertion.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The rows; their schema is the edge's schema.
    pub records: RecordBatch,
}

impl Batch {
    /// A batch of inserted rows.
    pub fn new(records: RecordBatch) -> Self {
        Self { records }
    }

    /// How many rows it has.
    pub fn num_rows(&self) -> usize {
        self.records.num_rows()
    }

    /// The bytes of its values; memory that it shares with other batches or
    /// holds for growth does not count.
    pub fn num_bytes(&self) -> usize {
        let columns = self.records.columns().iter();
        columns
            .map(|column| column.to_data().get_slice_memory_size().unwrap_or(0))
            .sum()
    }
}

/// A statement about event time on one edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watermark {
    /// No row at or before this time is expected any more; one that comes is late.
    At(EventTime),
    /// This edge has nothing to say about time until its next [`Watermark::At`];
    /// who merges several edges leaves it out.
    Idle,
}

/// The cut between two checkpoints: what comes before it on an edge belongs to
/// `checkpoint` or an earlier one, what comes after it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Barrier {
    /// The checkpoint that ends here.
    pub checkpoint: CheckpointId,
    /// Whether the stream goes on behind it.
    pub kind: BarrierKind,
}

/// Whether the stream goes on behind a barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarrierKind {
    /// A checkpoint of the interval; the stream goes on.
    Interval,
    /// The last checkpoint of this run; nothing follows.
    Last,
}

/// The number of a checkpoint: 1 for the first of a job, one more for each next.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct CheckpointId(pub u64);

impl CheckpointId {
    /// The checkpoint after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for CheckpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a plan node: the same for the same plan, so that state finds
/// its operator again after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperatorId(pub u32);

impl fmt::Display for OperatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

//! The one message type on every edge: batch, watermark or barrier.

use std::fmt;

use arrow::array::{BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::error::Result;
use serde::{Deserialize, Serialize};

use super::{ChangeKind, ChangeKinds, EventTime};

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

/// Rows in columns.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The rows; their schema is the edge's schema.
    pub records: RecordBatch,
    /// What each row does; without it all are inserted.
    pub kinds: Option<ChangeKinds>,
}

impl Batch {
    /// A batch of inserted rows.
    pub fn new(records: RecordBatch) -> Self {
        Self {
            records,
            kinds: None,
        }
    }

    /// A batch of rows of these kinds.
    ///
    /// # Panics
    /// In debug builds, if there is not a kind for each row.
    pub fn with_kinds(records: RecordBatch, kinds: Option<ChangeKinds>) -> Self {
        let of_each = |kinds: &ChangeKinds| kinds.len() == records.num_rows();
        debug_assert!(kinds.as_ref().is_none_or(of_each), "a kind for each row");
        Self { records, kinds }
    }

    /// What a row does.
    pub fn kind(&self, row: usize) -> ChangeKind {
        let kinds = self.kinds.as_ref();
        kinds.map_or(ChangeKind::Insert, |kinds| kinds.get(row))
    }

    /// Some of its rows, which share its memory.
    #[must_use]
    pub fn slice(&self, start: usize, length: usize) -> Self {
        let kinds = self.kinds.as_ref();
        Self {
            records: self.records.slice(start, length),
            kinds: kinds.map(|kinds| kinds.slice(start, length)),
        }
    }

    /// The rows for which `kept` is true.
    ///
    /// # Errors
    /// If `kept` has another length.
    pub fn filter(&self, kept: &BooleanArray) -> Result<Self> {
        let kinds = self.kinds.as_ref();
        Ok(Self {
            records: filter_record_batch(&self.records, kept)?,
            kinds: kinds.map(|kinds| kinds.filter(kept)).transpose()?,
        })
    }

    /// The rows with these numbers.
    ///
    /// # Errors
    /// If there is no such row.
    pub fn take(&self, rows: &UInt32Array) -> Result<Self> {
        let kinds = self.kinds.as_ref();
        Ok(Self {
            records: take_record_batch(&self.records, rows)?,
            kinds: kinds.map(|kinds| kinds.take(rows)).transpose()?,
        })
    }

    /// The rows of several batches of one edge; `None` if there are none.
    ///
    /// # Errors
    /// If they have different columns.
    pub fn concat(batches: &[Self]) -> Result<Option<Self>> {
        let (first, rest) = match batches {
            [] => return Ok(None),
            [only] => return Ok(Some(only.clone())),
            [first, rest @ ..] => (first, rest),
        };
        let records = batches.iter().map(|batch| &batch.records);
        let records = concat_batches(&first.records.schema(), records)?;
        let is_plain = first.kinds.is_none() && rest.iter().all(|batch| batch.kinds.is_none());
        let kinds = if is_plain {
            None
        } else {
            let all = batches.iter().map(|batch| match &batch.kinds {
                Some(kinds) => kinds.clone(),
                None => std::iter::repeat_n(ChangeKind::Insert, batch.num_rows()).collect(),
            });
            Some(ChangeKinds::concat(&all.collect::<Vec<_>>())?)
        };
        Ok(Some(Self { records, kinds }))
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

impl OperatorId {
    /// The most states that an operator may have.
    pub const STATES_MAX: usize = 128;

    /// The number of one of the states of an operator that has several; the first one has
    /// the operator's own.
    ///
    /// # Panics
    /// If the state is not below [`Self::STATES_MAX`].
    #[must_use]
    pub const fn state(self, state: usize) -> Self {
        assert!(state < Self::STATES_MAX, "an operator has too many states");
        // A program's text is too short for as many nodes as fit below these bits.
        #[expect(clippy::cast_possible_truncation, reason = "it is less than 128")]
        let state = state as u32;
        Self(self.0 | state << 24)
    }
}

impl fmt::Display for OperatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

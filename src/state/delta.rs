//! What passes between an operator and its durable state.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::state::{Error, Result};
use crate::stream::{EventTime, KeyRange, OperatorId};

/// The shape of one operator's state.
#[derive(Clone)]
pub struct StateSchema {
    /// Whose state it is.
    pub operator: OperatorId,
    /// The columns: first the key, then the value.
    pub schema: SchemaRef,
    /// How many of the columns are the key, by which rows are spread over key groups; their
    /// types are key types ([`crate::stream::is_key_type`]). Without a key all is in group 0.
    pub key_columns: usize,
    /// How many of the columns tell a row from all others: the key, and with it what may stand
    /// several times under one key. Where this module says key of a row, it means these.
    pub identity_columns: usize,
    /// Whether rows can be deleted: then the last column says of a row that is put whether
    /// there is one.
    pub has_deletions: bool,
    /// How partial rows of one key become one.
    pub fold: Arc<dyn Fold>,
}

impl StateSchema {
    /// A state with one row for each key, and none of them deleted.
    pub fn new(
        operator: OperatorId,
        schema: SchemaRef,
        key_columns: usize,
        fold: Arc<dyn Fold>,
    ) -> Self {
        Self {
            operator,
            schema,
            key_columns,
            identity_columns: key_columns,
            has_deletions: false,
            fold,
        }
    }

    /// A state whose rows are put and deleted, never merged. The last column, a `BOOLEAN`,
    /// says whether there is a row; the first `identity_columns` tell it from all others.
    pub fn of_rows(
        operator: OperatorId,
        schema: SchemaRef,
        key_columns: usize,
        identity_columns: usize,
    ) -> Self {
        Self {
            operator,
            schema,
            key_columns,
            identity_columns,
            has_deletions: true,
            fold: Arc::new(NeverMerged),
        }
    }
}

/// A later row takes the place of an earlier one, so nothing is ever folded.
struct NeverMerged;

impl Fold for NeverMerged {
    fn fold(&self, _: &[RecordBatch]) -> Result<RecordBatch> {
        let why = "rows of this state are put and never merged";
        Err(Error::Corrupt(why.to_owned()))
    }
}

/// Joins rows of one key into one.
pub trait Fold: Send + Sync {
    /// The rows of `runs`, of which several may have one key, oldest first, as
    /// one batch in which each key stands once, in any order.
    ///
    /// # Errors
    /// If the rows are not of the operator's making.
    fn fold(&self, runs: &[RecordBatch]) -> Result<RecordBatch>;
}

/// What one task of an operator hands over at a barrier: what has changed since
/// the last. Its buffers are handed over, not copied.
#[derive(Clone, Debug)]
pub struct OperatorDelta {
    /// Whose state it is.
    pub operator: OperatorId,
    /// The key groups of the task.
    pub range: KeyRange,
    /// The watermark of the task at the barrier.
    pub watermark: EventTime,
    /// Rows dropped as late since the job began.
    pub late_records: u64,
    /// All rows of the state with a time at or before this are no longer needed.
    pub closed_until: Option<EventTime>,
    /// Rows that were put or have to be merged.
    pub rows: Vec<DeltaRows>,
}

/// Rows of one time.
#[derive(Clone, Debug)]
pub struct DeltaRows {
    /// What they do to the rows that are there.
    pub kind: DeltaKind,
    /// Their time, before the key in the order of the state: the end of a
    /// window's slice. State without time has [`EventTime::MAX`], which no
    /// closing reaches.
    pub time: EventTime,
    /// The rows, in any order; each key at most once.
    pub records: RecordBatch,
}

/// What a delta's rows do to the rows of the same key that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeltaKind {
    /// They take their place.
    Put,
    /// They are folded into them.
    Merge,
}

/// What a decided checkpoint kept of one task's part of an operator.
#[derive(Clone, Debug)]
pub struct RestoredState {
    /// The watermark that the operator had reached.
    pub watermark: EventTime,
    /// Rows dropped as late before.
    pub late_records: u64,
    /// The rows, by rising time; a key may stand in several batches of one time,
    /// which then have to be folded in this order.
    pub rows: Vec<(EventTime, RecordBatch)>,
}

//! The traits of a source: how its splits are found, and how they are read.
//!
//! A *split* is the unit of reading, of position and of watermark: a file, a
//! partition. The enumerator finds splits; the runtime gives each to one reader
//! and keeps its position; a reader reads the splits it was given.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::runtime::Result;
use crate::stream::{ChangeKinds, ChangelogMode, DeadLetter, EventTime};

/// One split, as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Its name: unique in the source and the same after a restart.
    pub id: String,
    /// What the connector needs to open it, with the bound of a bounded read as
    /// it was resolved when the split was found.
    pub spec: Value,
}

/// What a look for splits has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// Splits not known before, in the order in which they should be read.
    pub found: Vec<Split>,
    /// No later look will find more.
    pub complete: bool,
}

/// Finds the splits of one source table.
#[async_trait]
pub trait Enumerator: Send {
    /// Told before the first look of a life if there was a look in an earlier one: what is
    /// found from now on has come since.
    fn has_looked(&mut self) {}

    /// Looks for splits other than `known`, which the enumerator may have found
    /// in an earlier run.
    ///
    /// # Errors
    /// If the source cannot be looked at.
    async fn discover(&mut self, known: &[Split]) -> Result<Discovery>;

    /// How long to wait between two looks.
    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// Reads the splits that one task was given.
#[async_trait]
pub trait SourceReader: Send {
    /// Takes a split over, from its start or from a position that an earlier
    /// [`SourceEvent::Rows`] of the split told.
    ///
    /// # Errors
    /// If the split is gone or is not what it was.
    async fn add_split(&mut self, split: &Split, position: Option<&Value>) -> Result<()>;

    /// Reads no more of a split, or goes on with it; what was read ahead may still come. Only
    /// called if [`SourceFactory::can_pause`].
    ///
    /// # Errors
    /// If that is not possible.
    fn pause(&mut self, split: &str, is_paused: bool) -> Result<()> {
        let _ = (split, is_paused);
        Ok(())
    }

    /// Waits for the next event of any of its splits. *Cancel safe*: a call that
    /// is dropped while it waits loses nothing. Without an unfinished split it
    /// waits for ever.
    ///
    /// # Errors
    /// If a split cannot be read on.
    async fn next(&mut self) -> Result<SourceEvent>;
}

/// Tells the source's own tools how far a job has come. Nothing depends on it: a job goes
/// on from its state alone.
#[async_trait]
pub trait PositionReporter: Send + Sync {
    /// These splits have been read up to these positions, and will not be read from before
    /// them any more.
    ///
    /// # Errors
    /// If the source does not take it.
    async fn report(&self, positions: &[(Split, Value)]) -> Result<()>;
}

/// What a reader has to say.
#[derive(Debug)]
pub enum SourceEvent {
    /// Rows of one split, in the split's order.
    Rows {
        /// The split's name.
        split: String,
        /// The rows, perhaps none.
        records: RecordBatch,
        /// What each row does; without it all are inserted.
        kinds: Option<ChangeKinds>,
        /// Records among them that are no rows.
        dead_letters: Vec<DeadLetter>,
        /// Bytes read for them.
        bytes: u64,
        /// Where to read on behind them.
        position: Value,
    },
    /// The source itself says that no row of the split at or before this time is
    /// to come ([`SourceFactory::tells_watermarks`]).
    Watermark {
        /// The split's name.
        split: String,
        /// The time.
        at: EventTime,
        /// Where to read on behind it.
        position: Value,
    },
    /// A successful fetch has shown the split at its end; more may come.
    AtEnd {
        /// The split's name.
        split: String,
    },
    /// A split that was at its end has records that cannot be read yet, as of an open
    /// transaction: until it is at its end again it is not idle.
    NotAtEnd {
        /// The split's name.
        split: String,
    },
    /// Nothing can be read for now, whatever there is, as where the schema of a record
    /// has to be fetched first: until the next event no split becomes idle.
    Held,
    /// The split is bounded and was read whole; the reader has let it go.
    Finished {
        /// The split's name.
        split: String,
    },
}

/// The watermark that rows give rise to: `WATERMARK FOR column AS expression`.
pub trait WatermarkStrategy: Send + Sync {
    /// The highest watermark of these rows that is not above `ceiling`.
    ///
    /// # Errors
    /// If the expression cannot be evaluated at all; rows for which it fails
    /// give rise to none.
    fn highest(&self, records: &RecordBatch, ceiling: EventTime) -> Result<Option<EventTime>>;
}

/// Whether a partition is wanted, given one row of the columns by which its table is partitioned.
pub type PartitionFilter = Arc<dyn Fn(&RecordBatch) -> bool + Send + Sync>;

/// A source table with its options, ready to run.
pub trait SourceFactory: Send + Sync {
    /// An enumerator; one runs per job and table.
    fn enumerator(&self) -> Box<dyn Enumerator>;

    /// An enumerator that may leave splits out all of whose rows are of a partition that
    /// nobody wants, as `wanted` says.
    fn enumerator_of(&self, wanted: PartitionFilter) -> Box<dyn Enumerator> {
        let _ = wanted;
        self.enumerator()
    }

    /// A reader for one task that makes rows of `schema`, the columns of the
    /// table that the plan reads.
    ///
    /// # Errors
    /// If the reader cannot be set up.
    fn reader(&self, schema: &SchemaRef) -> Result<Box<dyn SourceReader>>;

    /// Who is told how far the job has come, if somebody wants to know.
    fn position_reporter(&self) -> Option<Arc<dyn PositionReporter>> {
        None
    }

    /// Whether it ends by itself.
    fn bounded(&self) -> bool;

    /// Whether splits that were found but not yet started hold the watermark
    /// back. A bounded read sets it, so that its result is the batch result.
    fn unstarted_splits_hold_watermark(&self) -> bool {
        self.bounded()
    }

    /// Whether its readers can hold single splits up ([`SourceReader::pause`]).
    fn can_pause(&self) -> bool {
        false
    }

    /// Whether its splits carry watermarks of their own
    /// ([`SourceEvent::Watermark`]), which then count instead of the declared ones.
    fn tells_watermarks(&self) -> bool {
        false
    }

    /// What changes its rows are.
    fn changelog_mode(&self) -> ChangelogMode {
        ChangelogMode::InsertOnly
    }

    /// How many bytes a split has, if that is known: for progress.
    fn split_bytes(&self, split: &Split) -> Option<u64> {
        let _ = split;
        None
    }

    /// How many splits one reader reads at a time; the next is given to a reader
    /// that has finished one.
    fn splits_per_reader(&self) -> usize {
        usize::MAX
    }

    /// Whether rows may lie far ahead of the wall clock without doubt
    /// (generators); else such rows do not push the watermark.
    fn trusts_event_time(&self) -> bool {
        false
    }
}

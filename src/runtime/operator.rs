//! The trait of a relational operator, as the task that chains it sees it.

use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;

use crate::runtime::Result;
use crate::state::{OperatorDelta, RestoredState};
use crate::stream::{Barrier, Batch, CheckpointId, DeadLetter, EventTime};

/// One operator in one task. It runs on the task's thread, never blocks and
/// never waits.
///
/// *Nothing overtakes*: what the operator holds back must be emitted before a
/// watermark that concerns it ([`Self::watermark`]) and before a barrier
/// ([`Self::barrier`]) goes on; the chain forwards both itself.
pub trait Operator: Send {
    /// The rows that it emits.
    fn schema(&self) -> &SchemaRef;

    /// Takes over what a decided checkpoint kept of this operator's key range.
    /// Called once, before any row, only if there is something.
    ///
    /// # Errors
    /// If the state is not of this operator's making.
    fn restore(&mut self, state: RestoredState) -> Result<()> {
        assert!(
            state.rows.is_empty(),
            "an operator without state was given some"
        );
        Ok(())
    }

    /// Takes rows in.
    ///
    /// # Errors
    /// If the pipeline cannot go on; a row that fails alone is a dead letter.
    fn process(&mut self, batch: Batch, out: &mut dyn Output) -> Result<()>;

    /// Event time has reached `at`: emits a slice of what that completes. It is
    /// called again until it says [`Progress::Done`], then the watermark goes on.
    ///
    /// # Errors
    /// As [`Self::process`].
    fn watermark(&mut self, at: EventTime, out: &mut dyn Output) -> Result<Progress> {
        let _ = (at, out);
        Ok(Progress::Done)
    }

    /// The input has nothing to say about time for now, and who merges it with
    /// others leaves it out: emits everything that is held back for others, which
    /// would be late behind their time.
    ///
    /// # Errors
    /// As [`Self::process`].
    fn idle(&mut self, out: &mut dyn Output) -> Result<()> {
        let _ = out;
        Ok(())
    }

    /// A checkpoint ends here: emits everything that is held back for others,
    /// and hands over what changed in the state since the last barrier.
    ///
    /// # Errors
    /// As [`Self::process`].
    fn barrier(&mut self, barrier: Barrier, out: &mut dyn Output) -> Result<Vec<OperatorDelta>> {
        let _ = (barrier, out);
        Ok(Vec::new())
    }

    /// When rows that the operator holds back have to go out at the latest.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The deadline has come: emits the rows that were held back.
    ///
    /// # Errors
    /// As [`Self::process`].
    fn flush(&mut self, out: &mut dyn Output) -> Result<()> {
        let _ = out;
        Ok(())
    }

    /// Of an operator of windows: the end of the first that is open.
    fn next_close(&self) -> Option<EventTime> {
        None
    }

    /// This checkpoint and all before it are durably decided.
    fn decided(&mut self, checkpoint: CheckpointId) {
        let _ = checkpoint;
    }

    /// Works on what can wait (folding) for about `budget`; [`Progress::More`]
    /// if something is left.
    ///
    /// # Errors
    /// As [`Self::process`].
    fn background(&mut self, budget: Duration) -> Result<Progress> {
        let _ = budget;
        Ok(Progress::Done)
    }
}

/// Where an operator puts what it makes.
pub trait Output {
    /// Sends rows on.
    fn emit(&mut self, batch: Batch);
    /// Puts a row aside that could not be computed.
    fn dead_letter(&mut self, letter: DeadLetter);
    /// Counts rows that came too late.
    fn late(&mut self, rows: usize);
    /// Sends what is kept of rows that came too late to where they go.
    fn late_rows(&mut self, batch: Batch);
}

/// Whether a slice of work was the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// Nothing is left.
    Done,
    /// Call again.
    More,
}

//! The aggregates of one slice between rows, checkpoints and windows, and how
//! its partial rows are folded in the durable state.
//!
//! Rows go into the *open* pane of the interval. At a barrier the pane is drained
//! into a batch of partial states: that batch is the delta of the checkpoint. It
//! waits *undecided* and is folded into the *decided* accumulators once its
//! checkpoint is decided; accumulators are reset when they are read, so what is
//! read before its time is kept as a batch.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::accumulator_pool::AccumulatorPool;
use crate::expr::{self, AggregateLayout, GroupedAccumulators};
use crate::runtime::Progress;
use crate::state::{self, Fold};
use crate::stream::CheckpointId;

/// How many partial rows are folded before looking at the clock again.
const FOLD_ROWS: usize = 8_192;

/// Folds partial states of one slice in the durable state.
pub struct WindowFold(pub Arc<AggregateLayout>);

impl Fold for WindowFold {
    fn fold(&self, runs: &[RecordBatch]) -> state::Result<RecordBatch> {
        let corrupt = |error: expr::Error| state::Error::Corrupt(error.to_string());
        let mut folded = self.0.accumulators().map_err(corrupt)?;
        for run in runs {
            folded.merge(run).map_err(corrupt)?;
        }
        folded.drain_states().map_err(corrupt)
    }
}

/// The aggregates of one slice.
#[derive(Debug, Default)]
pub struct SliceState {
    /// Rows of this interval.
    open: Option<GroupedAccumulators>,
    /// Partial states of this interval that a window has read already; they are
    /// still owed to the next checkpoint.
    owed: Vec<RecordBatch>,
    /// Partial states of earlier intervals, oldest first.
    undecided: VecDeque<(CheckpointId, RecordBatch)>,
    /// What decided checkpoints hold.
    decided: Option<GroupedAccumulators>,
    /// What decided checkpoints hold and a window has read already.
    read: Vec<RecordBatch>,
}

impl SliceState {
    /// The pane that takes the rows of this interval.
    ///
    /// # Errors
    /// If accumulators cannot be made.
    pub fn open(&mut self, pool: &mut AccumulatorPool) -> expr::Result<&mut GroupedAccumulators> {
        pool.filled(&mut self.open)
    }

    /// Takes back what a decided checkpoint kept.
    ///
    /// # Errors
    /// If the rows are not of the layout.
    pub fn restore(
        &mut self,
        states: &RecordBatch,
        pool: &mut AccumulatorPool,
    ) -> expr::Result<()> {
        pool.filled(&mut self.decided)?.merge(states)
    }

    /// What has changed in this interval, a row per key; it is kept as part of
    /// `checkpoint`, undecided.
    ///
    /// # Errors
    /// If an accumulator fails.
    pub fn drain(
        &mut self,
        checkpoint: CheckpointId,
        pool: &mut AccumulatorPool,
    ) -> expr::Result<Option<RecordBatch>> {
        self.close_pane()?;
        let delta = match self.owed.len() {
            0 => return Ok(None),
            1 => self.owed.pop(),
            _ => {
                let mut folded = pool.take()?;
                for part in self.owed.drain(..) {
                    folded.merge(&part)?;
                }
                let states = folded.drain_states()?;
                pool.give_back(folded);
                Some(states)
            }
        };
        if let Some(delta) = &delta {
            self.undecided.push_back((checkpoint, delta.clone()));
        }
        Ok(delta)
    }

    /// Folds some of what checkpoints until `decided` hold.
    ///
    /// # Errors
    /// If the accumulators fail.
    pub fn fold(
        &mut self,
        decided: CheckpointId,
        pool: &mut AccumulatorPool,
    ) -> expr::Result<Progress> {
        let Some((checkpoint, states)) = self.undecided.pop_front() else {
            return Ok(Progress::Done);
        };
        if checkpoint > decided {
            self.undecided.push_front((checkpoint, states));
            return Ok(Progress::Done);
        }
        let rows = states.num_rows().min(FOLD_ROWS);
        pool.filled(&mut self.decided)?
            .merge(&states.slice(0, rows))?;
        if rows < states.num_rows() {
            let rest = states.slice(rows, states.num_rows() - rows);
            self.undecided.push_front((checkpoint, rest));
        }
        Ok(Progress::More)
    }

    /// The partial states of everything, for a window; the slice stays as it is.
    ///
    /// # Errors
    /// If the accumulators fail.
    pub fn parts(&mut self) -> expr::Result<Vec<RecordBatch>> {
        self.close_pane()?;
        if let Some(mut decided) = self.decided.take() {
            self.read.push(decided.drain_states()?);
        }
        let undecided = self.undecided.iter().map(|(_, states)| states);
        let parts = self.read.iter().chain(undecided).chain(&self.owed);
        Ok(parts.cloned().collect())
    }

    /// Everything, for its last window: accumulators, and partial states that are
    /// not in them.
    ///
    /// # Errors
    /// If the accumulators fail.
    pub fn into_window(
        mut self,
        pool: &mut AccumulatorPool,
    ) -> expr::Result<(GroupedAccumulators, Vec<RecordBatch>)> {
        if pool.is_ordered() {
            // What is merged first has come first.
            return Ok((pool.take()?, self.parts()?));
        }
        let mut parts = std::mem::take(&mut self.read);
        parts.extend(self.undecided.drain(..).map(|(_, states)| states));
        parts.append(&mut self.owed);
        let window = match (self.decided.take(), self.open.take()) {
            (Some(decided), Some(mut open)) => {
                if !open.is_empty() {
                    parts.push(open.drain_states()?);
                }
                pool.give_back(open);
                decided
            }
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => pool.take()?,
        };
        Ok((window, parts))
    }

    fn close_pane(&mut self) -> expr::Result<()> {
        if let Some(open) = &mut self.open
            && !open.is_empty()
        {
            self.owed.push(open.drain_states()?);
        }
        Ok(())
    }
}

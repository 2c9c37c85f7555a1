//! What tasks tell the driver of the job, and what it tells them.

use crate::checkpoint::TaskId;
use crate::runtime::{Error, Prepared};
use crate::state::{DeadLetterFile, OperatorDelta, SplitRecord};
use crate::stream::{Barrier, CheckpointId, OperatorId};

/// What a task tells the driver.
#[derive(Debug)]
pub enum Report {
    /// It has done its part of a checkpoint.
    Acknowledged {
        /// Who.
        task: TaskId,
        /// Of which checkpoint.
        checkpoint: CheckpointId,
        /// Its part.
        snapshot: TaskSnapshot,
    },
    /// A source task has read everything that it will ever read.
    AtEnd(TaskId),
    /// The task cannot go on, and has ended.
    Failed {
        /// Who.
        task: TaskId,
        /// Why.
        error: Error,
    },
}

/// What has changed in one task since its last barrier.
#[derive(Debug, Default)]
pub struct TaskSnapshot {
    /// Of its operators.
    pub deltas: Vec<OperatorDelta>,
    /// Of its splits.
    pub splits: Vec<SplitRecord>,
    /// Of its sink.
    pub output: Option<SinkSnapshot>,
    /// Of its dead letters.
    pub dead_letters: Vec<DeadLetterFile>,
}

impl TaskSnapshot {
    /// Whether there is anything to keep.
    pub fn is_empty(&self) -> bool {
        self.deltas.is_empty()
            && self.splits.is_empty()
            && self.output.is_none()
            && self.dead_letters.is_empty()
    }
}

/// What a sink's task has prepared.
#[derive(Debug)]
pub struct SinkSnapshot {
    /// The sink.
    pub operator: OperatorId,
    /// The number of the task in its stage.
    pub task: usize,
    /// What has to be kept.
    pub prepared: Prepared,
}

/// What the driver tells a source task.
#[derive(Clone, Copy, Debug)]
pub enum Command {
    /// Send a barrier.
    Barrier(Barrier),
}

//! Who decides a checkpoint, and which one stands when a job is found again.

use crate::state::{Decider, Progress};
use crate::stream::CheckpointId;

/// What a commit of the state means for its checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It counts from now on: nothing can take it back.
    Decided,
}

/// The state says two things about one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("checkpoint {prepared} was prepared but {committed} is the last decided one")]
pub struct Undecidable {
    /// The last checkpoint that was made durable.
    pub prepared: CheckpointId,
    /// The last checkpoint that was decided.
    pub committed: CheckpointId,
}

/// What it means that a checkpoint is durable. Where another system decides, it
/// would be prepared only, and the decision an event of its own.
pub fn after_commit(decider: Decider) -> Outcome {
    match decider {
        Decider::State => Outcome::Decided,
    }
}

/// The checkpoint from which a job resumes.
///
/// # Errors
/// If what is prepared is not what is decided though one transaction makes both.
pub fn last_decided(decider: Decider, progress: &Progress) -> Result<CheckpointId, Undecidable> {
    match decider {
        Decider::State if progress.prepared == progress.committed => Ok(progress.committed),
        Decider::State => Err(Undecidable {
            prepared: progress.prepared,
            committed: progress.committed,
        }),
    }
}

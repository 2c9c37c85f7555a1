//! What a system that decides a job's checkpoints keeps about it.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::CheckpointId;

/// The last checkpoint that counts, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Who has made the checkpoint, or has claimed the right to make the next.
    pub claim: Claim,
    /// The last decided checkpoint; 0 before the first.
    pub checkpoint: CheckpointId,
}

/// The right of one life of a job to have its checkpoints decided. No two lives have the
/// same, not even those of two copies of one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Claim(pub Uuid);

impl Claim {
    /// A claim that nobody has made.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

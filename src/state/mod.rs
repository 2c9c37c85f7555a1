//! The durable state of a node: one redb file, pages plus a delta log.
//!
//! It keeps rows for operators without knowing what they mean, and a checkpoint
//! as one transaction. It never knows of tasks, channels or connectors.

mod delta;
mod error;

pub use delta::{DeltaKind, DeltaRows, Fold, OperatorDelta, RestoredState, StateSchema};
pub use error::{Error, Result};

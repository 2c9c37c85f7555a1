//! The durable state of a node: one redb file, pages plus a delta log.
//!
//! It keeps rows for operators without knowing what they mean, and a checkpoint
//! as one transaction. It never knows of tasks, channels or connectors.
//!
//! *Shape.* A checkpoint appends the rows that changed to the **delta log**, in
//! blobs of one **unit** each: one operator, key group and time. Folding turns the
//! blobs of a unit into **pages**, sorted by key, once they outgrow half of its
//! pages. It reads a snapshot on a thread of its own, and its pages are written
//! with a later checkpoint. Closing a time is a fact of one line; the blobs and
//! pages that it makes needless are deleted with later checkpoints.
//!
//! *Deciding.* Where another system decides, a commit only **prepares** its
//! checkpoint. It keeps what it has written over, and nothing that an earlier
//! checkpoint needs is folded or deleted until the decision: so it can be rolled
//! back.
//!
//! *Invariants.* Whatever a call has returned is durable, but for [`Store::decided`],
//! which the decider remembers. Of a checkpoint that did not commit nothing is ever
//! seen, and of one that was rolled back nothing is left. Blobs and pages of closed times are never
//! read. After one failure the store refuses everything until it is opened anew.

mod closed;
mod codec;
mod dead_letters;
mod deciding;
#[cfg(test)]
mod deciding_tests;
mod delta;
mod error;
mod failure;
mod folding;
mod handle;
mod header;
mod layout;
mod log;
#[cfg(test)]
mod model_tests;
mod ranges;
mod reading;
mod record;
mod runs;
mod store;
#[cfg(test)]
mod tests;
mod undo;
mod units;
mod upkeep;
mod writing;

pub use dead_letters::{DeadLetterWriter, read_dead_letters, recover as recover_dead_letters};
pub use delta::{DeltaKind, DeltaRows, Fold, OperatorDelta, RestoredState, StateSchema};
pub use error::{Error, Result};
pub use folding::{FoldJob, Folded};
pub use handle::StoreHandle;
pub use header::{Decider, Finished, Header, Job, Progress};
pub use record::{Checkpoint, DeadLetterFile, OpenOutputs, Outputs, SplitRecord, Stats, Written};
pub use store::{OpenOptions, Store};

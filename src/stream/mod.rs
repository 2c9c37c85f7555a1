//! What flows on every edge, and the names by which all layers speak of it.
//!
//! This is the ground floor: it knows Arrow and nothing of this crate.
//!
//! *Stream contract.* On one edge, every batch has the edge's schema, watermarks
//! never go back, barriers come in rising order of their checkpoint, and nothing
//! overtakes: what was sent before a watermark or a barrier arrives before it.

mod change;
mod dead_letter;
mod key;
mod marker;
mod message;
mod time;

pub use change::{ChangeKind, ChangeKinds, ChangelogMode};
pub use dead_letter::{DeadLetter, Position};
pub use key::{HASH_FUNCTION, KeyGroup, KeyGroups, KeyRange, is_key_type};
pub use marker::{Claim, Marker};
pub use message::{Barrier, BarrierKind, Batch, CheckpointId, Message, OperatorId, Watermark};
pub use time::EventTime;

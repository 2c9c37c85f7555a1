//! The exactly-once protocol: when a checkpoint is made, who decides it, and from
//! what a job resumes.
//!
//! All of it is pure: events and facts come in, actions and verdicts go out. It
//! has no clock, no file and no task; `pipeline` carries the actions out.
//!
//! *Invariants.* At most one checkpoint is in flight. An output is published only
//! after its checkpoint is decided, and a job is finished only after every output
//! was confirmed. What was decided is published again until it is confirmed. No task
//! runs on a checkpoint of which it is not known whether it counts.

mod coordinator;
#[cfg(test)]
mod coordinator_tests;
mod decider;
mod restore;

pub use coordinator::{Action, Coordinator, Event, Failure, Phase, TaskId, Timing};
pub use decider::{Dispute, Undecidable, Verdict, last_decided, next_claim, resolve};
pub use restore::{Program, Refusal, Start, decide};

//! One SQL program as it lives: compiled, built, driven, restarted, stopped.

mod build;
mod build_windows;
mod changelog;
mod compile;
mod deciding;
mod driver;
mod ends;
mod event_time;
mod explain;
mod firing;
mod lifecycle;
mod metadata;
mod partition_pruning;
mod positions;
mod row_key;
mod settings;
mod stages;
mod status;
mod supervisor;
mod tasks;
mod updating;
mod window_changes;

pub use crate::connectors::ConsoleFormat as OutputFormat;
pub use compile::{CheckedProgram, compile, compile_with};
pub use ends::{Ends, SOURCE_OPTIONS};
pub use status::{CheckpointStatus, JobState, JobStatus, Progress, Status, Summary, VertexStatus};
pub use supervisor::{Failure, GRACE_DEFAULT, Options, Outcome, run};

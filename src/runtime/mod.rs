//! The engine: tasks, the edges between them, and the traits that it drives.
//!
//! It never names a concrete operator or connector, and knows neither SQL nor
//! files: `pipeline/build` hands it everything behind these traits.

mod align;
mod alignment;
mod chain;
mod check;
mod error;
mod operator;
mod operator_task;
mod outbox;
mod report;
mod sink;
mod source;
mod source_task;
mod split_clock;
mod splits;
mod tail;
mod task;
mod watermark;

pub use align::InputGate;
pub use alignment::Alignment;
pub use error::{Error, Result};
pub use operator::{Operator, Output, Progress};
pub use operator_task::OperatorTask;
pub use outbox::Outbox;
pub use report::{Command, Report, SinkSnapshot, TaskSnapshot};
pub use sink::{Committer, Prepared, Sink, SinkFactory, SinkTask, Transaction, Written};
pub use source::{
    Discovery, Enumerator, PartitionFilter, PositionReporter, SourceEvent, SourceFactory,
    SourceReader, Split, WatermarkStrategy,
};
pub use source_task::{SourceTask, SourceTime, TimeGroup};
pub use splits::{SplitQueue, SplitRules};
pub use tail::{Exchange, SinkTail, Tail};
pub use task::TaskParts;

//! The engine: tasks, the edges between them, and the traits that it drives.
//!
//! It never names a concrete operator or connector, and knows neither SQL nor
//! files: `pipeline/build` hands it everything behind these traits.

mod error;
mod operator;
mod sink;
mod source;

pub use error::{Error, Result};
pub use operator::{Operator, Output, Progress};
pub use sink::{Committer, Prepared, Sink, SinkFactory, SinkTask, Written};
pub use source::{Discovery, Enumerator, SourceEvent, SourceFactory, SourceReader, Split};

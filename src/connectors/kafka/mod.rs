//! Topics of Kafka: read by partition, written exactly once.
//!
//! *Reading*: a partition is a split. Positions live in the checkpoint alone; no group
//! is joined.
//!
//! *Writing*: the rows of a checkpoint are one transaction, whose commit decides the
//! checkpoint.
//!
//! *Keys*: columns may be of a record's key. Of `upsert-kafka` the key is the table's, and a
//! record is what its row has come to.
//!
//! *Metadata* columns read what Kafka knows of a record; its time and headers can be
//! written too.

use std::sync::Arc;

use super::{JobContext, OptionError, TableOptions};

mod docs;
mod enumerator;
mod metadata;
mod options;
mod outbox;
mod parts;
mod position_reporter;
mod reader;
mod record_encoder;
mod rows;
mod sink;
mod source;
mod target;
mod transaction;

pub(super) use docs::{KAFKA, UPSERT};
pub use outbox::remove_outboxes;
pub use transaction::JobTransaction;

use parts::TableKind;

use crate::kafka;
use crate::runtime::{Error, SinkFactory, SourceFactory};

/// The source of a table of `kafka`.
pub(super) fn source(table: &TableOptions, job: &JobContext) -> Made<dyn SourceFactory> {
    source::source(table, job, TableKind::Append)
}

/// The sink of a table of `kafka`.
pub(super) fn sink(table: &TableOptions, job: &JobContext) -> Made<dyn SinkFactory> {
    sink::sink(table, job, TableKind::Append)
}

/// The source of a table of `upsert-kafka`.
pub(super) fn upsert_source(table: &TableOptions, job: &JobContext) -> Made<dyn SourceFactory> {
    source::source(table, job, TableKind::Upsert)
}

/// The sink of a table of `upsert-kafka`.
pub(super) fn upsert_sink(table: &TableOptions, job: &JobContext) -> Made<dyn SinkFactory> {
    sink::sink(table, job, TableKind::Upsert)
}

type Made<T> = Result<Arc<T>, Vec<OptionError>>;

/// A failure of the client in the runtime's words.
fn failed(error: kafka::Error) -> Error {
    match error {
        kafka::Error::Retryable(reason) | kafka::Error::Fenced(reason) => Error::Retryable(reason),
        kafka::Error::Fatal(reason) => Error::Fatal(reason),
    }
}

/// Runs a call that blocks on a thread for such calls.
async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> kafka::Result<T> + Send + 'static,
) -> crate::runtime::Result<T> {
    match tokio::task::spawn_blocking(call).await {
        Ok(result) => result.map_err(failed),
        Err(panicked) => Err(Error::Fatal(panicked.to_string())),
    }
}

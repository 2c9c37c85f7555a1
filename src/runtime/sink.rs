//! The traits of a sink: how rows are written, and how what was written is
//! published once its checkpoint is decided.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::runtime::{Outbox, Result};
use crate::stream::{Barrier, Batch, ChangelogMode, CheckpointId, DeadLetter, Marker};

/// One sink in one task.
#[async_trait]
pub trait Sink: Send {
    /// Takes rows in. Waiting here is backpressure.
    ///
    /// # Errors
    /// If the rows cannot be written.
    async fn write(&mut self, batch: Batch) -> Result<Written>;

    /// Makes everything written so far durable, but not yet visible.
    ///
    /// # Errors
    /// If it cannot be made durable; the checkpoint then fails.
    async fn prepare(&mut self, barrier: Barrier) -> Result<Prepared>;
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Written {
    /// Bytes that were written.
    pub bytes: usize,
    /// Rows that could not be written.
    pub dead_letters: Vec<DeadLetter>,
}

/// What a sink needs to have kept with a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// Outputs to publish once the checkpoint is decided.
    pub publish: Vec<Value>,
    /// Outputs that are still being written, as far as they have come. This
    /// takes the place of what the sink of this task said last time.
    pub open: Vec<Value>,
    /// Rows that were kept back so far and cannot be written.
    pub dead_letters: Vec<DeadLetter>,
}

/// Publishes what the sinks of one table have prepared. Every call may be
/// repeated after a crash and must then find that it was done.
#[async_trait]
pub trait Committer: Send + Sync {
    /// Makes decided outputs visible.
    ///
    /// # Errors
    /// If one is not visible for certain; the call is repeated.
    async fn publish(&self, decided: &[Value]) -> Result<()>;

    /// Settles an earlier run: publishes `decided`, publishes `open` as far as
    /// it had come, and discards everything else that the job left unpublished.
    ///
    /// # Errors
    /// If something decided cannot be published.
    async fn recover(&self, decided: &[Value], open: &[Value]) -> Result<()>;
}

/// A sink table with its options, ready to run.
pub trait SinkFactory: Send + Sync {
    /// The sink of task `task` of `parallelism`.
    ///
    /// # Errors
    /// If it cannot be set up.
    fn sink(&self, task: SinkTask) -> Result<Box<dyn Sink>>;

    /// Who publishes; `None` if rows are out when they are written (`print`).
    fn committer(&self) -> Option<Arc<dyn Committer>>;

    /// What changes it can take.
    fn changelog_mode(&self) -> ChangelogMode {
        ChangelogMode::InsertOnly
    }

    /// The transaction in which the sink writes, if it writes in one. All sinks of a
    /// job that do write in the same.
    fn transaction(&self) -> Option<Arc<dyn Transaction>> {
        None
    }

    /// Where decided rows wait until another system takes them, if they do.
    fn outbox(&self) -> Option<Arc<dyn Outbox>> {
        None
    }
}

/// A transaction of another system, whose commit decides a checkpoint.
///
/// Sinks write into the open one. At a barrier a sink makes sure that everything so far
/// is in it, and keeps back what follows until the checkpoint is decided or skipped.
#[async_trait]
pub trait Transaction: Send + Sync {
    /// The marker of the transaction that was committed last, by the system's own record;
    /// `None` if it has none.
    ///
    /// # Errors
    /// If the system cannot be asked.
    async fn marker(&self) -> Result<Option<Marker>>;

    /// Shuts every other process out that had the same part in the job, waits until the
    /// outcome of what it had begun is final, and opens a transaction.
    ///
    /// # Errors
    /// If the system cannot be reached or refuses.
    async fn begin(&self) -> Result<()>;

    /// Commits the open transaction with this marker and opens the next. After an error
    /// only the marker tells whether it was committed.
    ///
    /// # Errors
    /// If the outcome is not known.
    async fn commit(&self, marker: Marker) -> Result<()>;

    /// The checkpoint of the last barrier has nothing in it: the open transaction stays.
    fn skipped(&self);

    /// Leaves nothing open, so that nobody has to wait for it.
    async fn end(&self);
}

/// Which task of a sink this is, and in which life of the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkTask {
    /// The number of the task, from 0.
    pub index: usize,
    /// The checkpoint from which this life of the job starts: files that it
    /// opens are named after it, so that no name is ever used twice.
    pub restored: CheckpointId,
}

//! The outbox: records of decided checkpoints wait on disk until Kafka has taken them.
//!
//! A sink that has one decides nothing. Its records of a checkpoint are a segment that is
//! durable before the state is; once the checkpoint is decided, by whomever, the segment gets
//! its visible name, and from then on is nobody's but the sender's.
//!
//! *The sender* writes segments in order, in transactions of an id of its own. Each carries a
//! marker that says through which checkpoint everything is sent, and the segments are deleted
//! behind it. What a crash leaves in doubt, the marker answers.

mod committer;
mod journal;
mod segment;
mod sender;
mod sink;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::options::SinkOptions;
use super::{JobContext, failed};
use crate::clock;
use crate::kafka::Identity;
use crate::metrics::OutboxMetrics;
use crate::runtime::{Committer, Error, Outbox, Result, Sink, SinkFactory, SinkTask};
use crate::stream::{ChangelogMode, CheckpointId, EventTime};

use committer::OutboxCommitter;
use segment::Segment;
use sender::Sender;
use sink::OutboxSink;

/// The folder of all outboxes in a data directory.
const FOLDER: &str = "outbox";

/// How long the sender may take to leave nothing open, unless the job is to stop.
const END_PATIENCE: Duration = Duration::from_secs(6);

/// How many bytes one transaction takes, if its checkpoints are small.
const BATCH_BYTES: u64 = 1 << 20;

/// The outbox of one sink in one life of a job.
pub(super) struct KafkaOutbox {
    table: String,
    directory: PathBuf,
    /// How many bytes may wait.
    bytes_max: u64,
    options: SinkOptions,
    identity: Identity,
    metrics: Arc<OutboxMetrics>,
    contents: watch::Sender<Contents>,
    sending: Mutex<Option<JoinHandle<()>>>,
    stop: CancellationToken,
}

/// What is in it.
#[derive(Default)]
struct Contents {
    /// Of all that is there, also what no checkpoint has yet.
    bytes: u64,
    records: u64,
    /// Segments of the checkpoint that is to be decided.
    prepared: BTreeMap<Segment, EventTime>,
    /// Segments that are to be sent, and when each was made.
    decided: BTreeMap<Segment, EventTime>,
    barrier_is_coming: bool,
    is_full: bool,
    /// Why nothing can be sent any more.
    failure: Option<String>,
}

impl Contents {
    /// Whether the sender has something that nothing undecided is in front of.
    fn is_due(&self) -> bool {
        let undecided = self.prepared.keys().next();
        let first = self.decided.keys().next();
        first.is_some_and(|first| undecided.is_none_or(|other| first.checkpoint < other.checkpoint))
    }
}

impl KafkaOutbox {
    /// The outbox of a sink that writes `table`.
    pub fn new(table: &str, options: &SinkOptions, bytes_max: u64, job: &JobContext) -> Self {
        let operator = job.operator.0;
        let folder = job.data_dir.join(FOLDER);
        Self {
            table: table.to_owned(),
            directory: folder.join(job.job.to_string()).join(operator.to_string()),
            bytes_max,
            options: options.clone(),
            identity: Identity {
                job: job.job,
                node: format!("{}.outbox-{operator}", job.node),
            },
            metrics: Arc::new(OutboxMetrics::new(table.to_owned())),
            contents: watch::Sender::default(),
            sending: Mutex::default(),
            stop: CancellationToken::new(),
        }
    }

    /// Waits until there is room, or until what is there has to be let in.
    async fn room(&self) -> Result<()> {
        let mut contents = self.contents.subscribe();
        let has_room = |contents: &Contents| !contents.is_full || contents.barrier_is_coming;
        let waited = contents.wait_for(has_room).await;
        waited.map(drop).map_err(|_| Error::NeighbourEnded)
    }

    fn change(&self, change: impl FnOnce(&mut Contents)) {
        self.contents.send_modify(|contents| {
            change(contents);
            let bytes = contents.bytes;
            let is_full = bytes >= self.bytes_max;
            if is_full != contents.is_full {
                contents.is_full = is_full;
                self.say_full(is_full, bytes);
            }
            self.metrics.bytes.store(bytes, Ordering::Relaxed);
            let records = contents.records;
            self.metrics.records.store(records, Ordering::Relaxed);
            let oldest = contents.decided.values().next();
            self.metrics.set_oldest(oldest.copied());
        });
    }

    fn say_full(&self, is_full: bool, bytes: u64) {
        let table = &self.table;
        if is_full {
            tracing::warn!(table, bytes, "the outbox is full: rows wait in front of it");
        } else {
            tracing::info!(table, bytes, "the outbox has room again");
        }
    }

    fn wrote(&self, bytes: u64, records: u64) {
        self.change(|contents| {
            contents.bytes += bytes;
            contents.records += records;
        });
    }

    /// What was open is a segment now.
    fn prepared(&self, segment: Segment) {
        self.change(|contents| {
            contents.prepared.insert(segment, clock::now());
        });
    }

    /// These have their visible names.
    fn decided(&self, segments: Vec<Segment>) {
        self.change(|contents| {
            for segment in segments {
                if let Some(made) = contents.prepared.remove(&segment) {
                    contents.decided.insert(segment, made);
                }
            }
        });
    }

    /// These were found.
    fn found(&self, segments: Vec<(Segment, EventTime)>) {
        self.change(|contents| {
            for (segment, made) in segments {
                contents.bytes += segment.bytes;
                contents.records += segment.records;
                contents.decided.insert(segment, made);
            }
        });
    }

    /// The segments of one or more whole checkpoints that are to be sent next, once there
    /// are any.
    async fn next_batch(&self) -> Vec<Segment> {
        let mut contents = self.contents.subscribe();
        let contents = contents.wait_for(Contents::is_due).await;
        let contents = contents.expect("the other end is here");
        let undecided = contents.prepared.keys().next();
        let (mut batch, mut bytes) = (Vec::<Segment>::new(), 0);
        for segment in contents.decided.keys() {
            let is_next = batch.last().map(|last| last.checkpoint) != Some(segment.checkpoint);
            let is_last = undecided.is_some_and(|other| other.checkpoint <= segment.checkpoint)
                || bytes >= BATCH_BYTES;
            if is_next && is_last {
                break;
            }
            bytes += segment.bytes;
            batch.push(segment.clone());
        }
        batch
    }

    /// The decided segments through this checkpoint.
    fn decided_through(&self, checkpoint: CheckpointId) -> Vec<Segment> {
        let contents = self.contents.borrow();
        let segments = contents.decided.keys();
        let sent = segments.take_while(|segment| segment.checkpoint <= checkpoint.0);
        sent.cloned().collect()
    }

    fn forget(&self, segments: &[Segment]) {
        self.change(|contents| {
            for segment in segments {
                if contents.decided.remove(segment).is_some() {
                    contents.bytes -= segment.bytes;
                    contents.records -= segment.records;
                }
            }
        });
    }

    fn fail(&self, why: String) {
        self.change(|contents| contents.failure = Some(why));
    }

    fn disk_failed(&self, doing: &str, error: &std::io::Error) -> Error {
        let directory = self.directory.display();
        Error::Retryable(format!("cannot {doing} the outbox '{directory}': {error}"))
    }
}

/// What the tasks, the committer and the sender of one sink share.
#[derive(Clone)]
pub(super) struct OutboxFactory(pub Arc<KafkaOutbox>);

impl SinkFactory for OutboxFactory {
    fn sink(&self, task: SinkTask) -> Result<Box<dyn Sink>> {
        Ok(Box::new(OutboxSink::new(Arc::clone(&self.0), task.index)))
    }

    fn changelog_mode(&self) -> ChangelogMode {
        self.0.options.parts.changelog_mode()
    }

    fn committer(&self) -> Option<Arc<dyn Committer>> {
        Some(Arc::new(OutboxCommitter(Arc::clone(&self.0))))
    }

    fn outbox(&self) -> Option<Arc<dyn Outbox>> {
        Some(Arc::new(self.clone()))
    }
}

#[async_trait]
impl Outbox for OutboxFactory {
    fn metrics(&self) -> Arc<OutboxMetrics> {
        Arc::clone(&self.0.metrics)
    }

    fn start(&self) {
        let sender = Sender::new(Arc::clone(&self.0));
        *self.0.sending.lock() = Some(tokio::spawn(sender.run()));
    }

    fn is_full(&self) -> Result<bool> {
        let contents = self.0.contents.borrow();
        match &contents.failure {
            Some(why) => Err(Error::Fatal(why.clone())),
            None => Ok(contents.is_full && !contents.decided.is_empty()),
        }
    }

    fn expect_barrier(&self, is_coming: bool) {
        self.0
            .change(|contents| contents.barrier_is_coming = is_coming);
    }

    async fn drained(&self) -> Result<()> {
        let mut contents = self.0.contents.subscribe();
        let is_over = |now: &Contents| now.decided.is_empty() || now.failure.is_some();
        // The sender of the channel is here.
        let _ = contents.wait_for(is_over).await;
        self.is_full().map(drop)
    }

    async fn end(&self, patience: Duration) {
        let Some(mut sending) = self.0.sending.lock().take() else {
            return;
        };
        let _ = tokio::time::timeout(patience, self.drained()).await;
        self.0.stop.cancel();
        let patience = if patience.is_zero() {
            END_PATIENCE
        } else {
            patience
        };
        if tokio::time::timeout(patience, &mut sending).await.is_err() {
            sending.abort();
        }
        let records: u64 = {
            let contents = self.0.contents.borrow();
            contents.decided.keys().map(|segment| segment.records).sum()
        };
        if records > 0 {
            let (table, bytes) = (&self.0.table, self.0.contents.borrow().bytes);
            tracing::warn!(
                table,
                records,
                bytes,
                "records are left in the outbox; the next run sends them"
            );
        }
    }
}

/// Removes the outboxes of a job that is no more.
///
/// # Errors
/// If the disk fails.
pub fn remove_outboxes(data_dir: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(data_dir.join(FOLDER)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

//! Sends decided segments to Kafka, each once, for as long as it takes.
//!
//! *A session* settles what the one before it has left in doubt, claims the marker, and then
//! sends. Whatever goes wrong ends it, and another begins: an error says nothing, the marker
//! does.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::journal::Journal;
use super::segment::{Segment, SegmentReader};
use super::{KafkaOutbox, failed};
use crate::connectors::directories::sync_directory;
use crate::connectors::kafka::blocking;
use crate::connectors::kafka::target::Target;
use crate::failpoint::{self, Plant, Step};
use crate::kafka::{Producer, Record, Transaction};
use crate::runtime::{Error, Result};
use crate::stream::{CheckpointId, Claim, Marker};

/// How long to wait before the next session.
const PAUSE: Duration = Duration::from_secs(1);

/// How long Kafka may take before that is said.
const COMPLAINT_DELAY: Duration = Duration::from_secs(3);

/// How long the marker may stay as it is: Kafka forgets those of groups that do nothing.
const MARKER_AGE_MAX: Duration = Duration::from_hours(1);

/// The sender of one outbox.
pub(super) struct Sender {
    outbox: Arc<KafkaOutbox>,
    /// The transaction of this session.
    client: Mutex<Option<Arc<Transaction>>>,
    /// Through which checkpoint everything is sent, if the journal does not know it.
    unnoted: Mutex<Option<CheckpointId>>,
    /// Whether it was said that nothing can be sent for now.
    has_complained: AtomicBool,
}

async fn reach(step: Step) -> Result<()> {
    let reached = failpoint::reach_aside(step).await;
    reached.map_err(Error::Retryable)
}

impl Sender {
    pub fn new(outbox: Arc<KafkaOutbox>) -> Self {
        Self {
            outbox,
            client: Mutex::default(),
            unnoted: Mutex::default(),
            has_complained: AtomicBool::new(false),
        }
    }

    /// Sends until it is to stop or nothing can be sent any more. Nothing is left open.
    pub async fn run(self) {
        let stop = self.outbox.stop.clone();
        loop {
            let ended = tokio::select! {
                () = stop.cancelled() => None,
                ended = self.session() => ended.err(),
            };
            let client = self.client.lock().take();
            if let Some(client) = client {
                let _ = tokio::task::spawn_blocking(move || client.end()).await;
            }
            match ended {
                None => {
                    return self.note_sent().await.unwrap_or_else(|error| {
                        tracing::warn!(%error, "the next run asks the marker again");
                    });
                }
                Some(Error::Retryable(why)) => self.complain(&why),
                Some(error) => {
                    let table = &self.outbox.table;
                    let why = format!("cannot send the outbox of table '{table}': {error}");
                    return self.outbox.fail(why);
                }
            }
            // The loop sees it at once.
            let _ = tokio::time::timeout(PAUSE, stop.cancelled()).await;
        }
    }

    /// Says once that nothing can be sent, until something was.
    fn complain(&self, error: &str) {
        let table = &self.outbox.table;
        if self.has_complained.swap(true, Ordering::Relaxed) {
            tracing::debug!(table, error, "still cannot send");
            return;
        }
        tracing::warn!(
            table,
            error,
            "cannot send for now: records wait in the outbox"
        );
    }

    fn stop_complaining(&self) {
        if self.has_complained.swap(false, Ordering::Relaxed) {
            let table = &self.outbox.table;
            tracing::info!(table, "the outbox is being sent again");
        }
    }

    /// Waits for something, and complains if it takes long: the client is patient.
    async fn patiently<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::pin!(work);
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(COMPLAINT_DELAY) => self.complain("Kafka does not answer"),
        }
        work.await
    }

    /// Sends whatever comes.
    ///
    /// # Errors
    /// Always, in the end.
    async fn session(&self) -> Result<()> {
        let (client, mut marker) = self.patiently(self.begin()).await?;
        self.stop_complaining();
        let mut targets = HashMap::new();
        loop {
            let batch = self.outbox.next_batch();
            let patience = match *self.unnoted.lock() {
                Some(_) => PAUSE,
                None => MARKER_AGE_MAX,
            };
            let Ok(batch) = tokio::time::timeout(patience, batch).await else {
                if patience == MARKER_AGE_MAX {
                    commit(&client, marker).await?;
                }
                self.note_sent().await?;
                continue;
            };
            let last = batch.last().expect("what is due").checkpoint;
            let sent = marker.checkpoint;
            marker.checkpoint = CheckpointId(last);
            *self.unnoted.lock() = None;
            self.note(move |journal| {
                journal.sent = sent;
                journal.begun = CheckpointId(last);
            })
            .await?;
            reach(Step::BeforeSend).await?;
            let sending = async {
                let producer = client.producer().map_err(failed)?;
                for segment in &batch {
                    let new = || Target::new(&self.outbox.options, segment.task);
                    let target = targets.entry(segment.task).or_insert_with(new);
                    self.send(segment, target, &producer).await?;
                }
                commit(&client, marker).await
            };
            self.patiently(sending).await?;
            self.stop_complaining();
            *self.unnoted.lock() = Some(marker.checkpoint);
            self.delete(batch).await?;
        }
    }

    /// Shuts earlier senders out, settles what they have left, and claims the marker.
    async fn begin(&self) -> Result<(Arc<Transaction>, Marker)> {
        let outbox = &self.outbox;
        let (properties, identity) = (outbox.options.properties.clone(), outbox.identity.clone());
        let topic = outbox.options.topic.clone();
        // A transaction is open only while it is sent, however rare checkpoints are.
        let made = move || Transaction::new(properties, identity, &topic, Duration::ZERO);
        let client = blocking(made).await?;
        let client = Arc::new(client);
        *self.client.lock() = Some(Arc::clone(&client));
        let journal = Journal::read(&outbox.directory);
        let journal = journal.map_err(|error| outbox.disk_failed("read", &error))?;
        let ask = async || {
            let client = Arc::clone(&client);
            let marker = blocking(move || client.marker()).await?;
            let sent = journal.resolve(marker);
            let sent = sent.map_err(|dispute| Error::Fatal(dispute.to_string()))?;
            Ok::<_, Error>((marker, sent))
        };
        // An old copy must not shut the rightful owner out.
        ask().await?;
        reach(Step::AfterFirstMarker).await?;
        let beginning = Arc::clone(&client);
        blocking(move || beginning.begin()).await?;
        let (standing, mut sent) = ask().await?;
        if failpoint::planted(Plant::ForgetSent) {
            sent = journal.sent;
        }
        self.delete(outbox.decided_through(sent)).await?;
        let claim = Claim::random();
        self.note(move |journal| *journal = Journal::claiming(standing, claim, sent))
            .await?;
        let marker = Marker {
            claim,
            checkpoint: sent,
        };
        reach(Step::BeforeClaim).await?;
        commit(&client, marker).await?;
        reach(Step::AfterClaim).await?;
        Ok((client, marker))
    }

    /// Notes what was sent: from then on nothing depends on the marker, which may expire.
    async fn note_sent(&self) -> Result<()> {
        let Some(sent) = self.unnoted.lock().take() else {
            return Ok(());
        };
        self.note(move |journal| journal.sent = sent).await
    }

    /// Makes a change of the journal durable.
    async fn note(&self, change: impl FnOnce(&mut Journal) + Send + 'static) -> Result<()> {
        let outbox = Arc::clone(&self.outbox);
        let noted = move || {
            let mut journal = Journal::read(&outbox.directory)?;
            change(&mut journal);
            journal.write(&outbox.directory)
        };
        self.on_disk("note in", noted).await
    }

    /// Deletes what was sent. A name that a power cut brings back is deleted again by the next
    /// session, for the marker knows it.
    async fn delete(&self, segments: Vec<Segment>) -> Result<()> {
        if segments.is_empty() {
            return Ok(());
        }
        reach(Step::BeforeDelete).await?;
        let (outbox, deleted) = (Arc::clone(&self.outbox), segments.clone());
        let delete = move || {
            for segment in &deleted {
                match fs::remove_file(segment.decided_path(&outbox.directory)) {
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    removed => removed?,
                }
            }
            sync_directory(&outbox.directory)
        };
        self.on_disk("delete from", delete).await?;
        self.outbox.forget(&segments);
        reach(Step::AfterDelete).await
    }

    async fn on_disk(
        &self,
        doing: &str,
        work: impl FnOnce() -> std::io::Result<()> + Send + 'static,
    ) -> Result<()> {
        let done = tokio::task::spawn_blocking(work).await;
        let done = done.map_err(std::io::Error::other).flatten();
        done.map_err(|error| self.outbox.disk_failed(doing, &error))
    }

    /// Hands the records of a segment over to the producer.
    async fn send(
        &self,
        segment: &Segment,
        target: &mut Target,
        producer: &Arc<Producer>,
    ) -> Result<()> {
        let damaged = |error: std::io::Error| {
            let path = segment.decided_path(&self.outbox.directory);
            Error::Fatal(format!("cannot read '{}': {error}", path.display()))
        };
        target.ask(producer).await?;
        let mut reader = SegmentReader::open(segment, &self.outbox.directory).map_err(damaged)?;
        while let Some(block) = reader.next_block().map_err(damaged)? {
            for record in block.records().map_err(damaged)? {
                let partition = target.next_partition();
                let record = Record {
                    topic: &target.topic,
                    partition,
                    key: record.key,
                    value: record.value,
                    timestamp: record.timestamp,
                    headers: &record.headers,
                };
                let taken = producer.send(record).await.map_err(failed)?;
                taken.map_err(|refused| Error::Fatal(refused.to_string()))?;
            }
        }
        Ok(())
    }
}

async fn commit(client: &Arc<Transaction>, marker: Marker) -> Result<()> {
    let client = Arc::clone(client);
    blocking(move || client.commit(marker)).await
}

//! One life of a job: its state is opened, what an earlier life left is settled,
//! its tasks are built and driven until they end, and the state is closed.
//!
//! A restart in process is another life: nothing of the last one is kept, so
//! there is one way to recover, and every `kill -9` tests it.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::build::{Blueprint, Job, build};
use super::compile::CheckedProgram;
use super::deciding::{settle_decision, transaction_of};
use super::driver::{Driver, Ended};
use super::ends::{sink_of, source_of};
use super::status::{JobState, Progress, Status};
use super::tasks::RunningTasks;
use crate::checkpoint::{self, Coordinator, Refusal, Start, TaskId, Timing};
use crate::clock;
use crate::connectors::{self, ConsoleFormat, JobContext, JobTransaction};
use crate::plan::NodeKind;
use crate::runtime::{Committer, Error, Outbox, Result, SinkFactory, Transaction};
use crate::state::{
    DeadLetterWriter, Decider, Finished, Header, OpenOptions, Store, StoreHandle,
    recover_dead_letters,
};
use crate::stream::{CheckpointId, Claim, KeyGroups, OperatorId};

/// How long closing the state may take once the job is to stop.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// How long a stop goes on sending what waits in an outbox.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);

/// How long ending a job for good may take to send what waits in its outbox.
const SEND_PATIENCE: Duration = Duration::from_secs(30);

/// What one life needs.
pub struct Life<'a> {
    /// The program.
    pub program: &'a CheckedProgram,
    /// Where its state lives.
    pub directory: PathBuf,
    /// How many tasks a stage has.
    pub parallelism: usize,
    /// Memory for the pages of the state.
    pub cache_bytes: usize,
    /// How a bare `SELECT` prints.
    pub output: ConsoleFormat,
    /// What others see of it.
    pub status: Arc<Status>,
    /// Cancelled when the job is to stop.
    pub stop: CancellationToken,
    /// End the job that the directory holds, and begin another.
    pub fresh: AtomicBool,
    /// With `fresh`: also if an output of the old job cannot be reached.
    pub abandon: bool,
    /// How long the last checkpoint of a stop may take.
    pub grace: Duration,
}

/// How a life ended well.
#[derive(Debug)]
pub enum LifeEnd {
    /// All input was read and every output has confirmed.
    Finished(Finished),
    /// It had ended so already.
    AlreadyFinished {
        /// How.
        finished: Finished,
        /// How many splits have come since.
        since: usize,
    },
    /// It was asked to stop.
    Stopped,
    /// The state is of another program.
    Refused(Refusal),
}

impl Life<'_> {
    /// Lives one life.
    ///
    /// # Errors
    /// What ended it before its time.
    pub async fn live(&self) -> Result<LifeEnd> {
        let options = OpenOptions {
            cache_bytes: self.cache_bytes,
            ..OpenOptions::default()
        };
        let store = StoreHandle::open(&self.directory, options)?;
        let ended = self.within_grace(self.live_on(&store)).await;
        // The directory must be free before anyone opens it again; but a disk
        // that hangs must not keep a process that is to end.
        let stopping = self.stop.is_cancelled();
        let patience = if stopping {
            CLOSE_PATIENCE
        } else {
            Duration::MAX
        };
        let _ = tokio::time::timeout(patience, store.close()).await;
        ended
    }

    async fn live_on(&self, store: &StoreHandle) -> Result<LifeEnd> {
        if self.fresh.load(Ordering::Relaxed) {
            self.end_old_job(store).await?;
            // Only now: a life that failed before must not go on with the old job.
            self.fresh.store(false, Ordering::Relaxed);
        }
        let plan = self.program.identity();
        let wanted = checkpoint::Program {
            plan: plan.clone(),
            key_groups: self.program.settings.key_groups,
        };
        let start = store
            .call(move |store| {
                Ok((
                    checkpoint::decide(store.job(), &wanted),
                    store.job().cloned(),
                ))
            })
            .await?;
        let shared = self.shared();
        let (header, sinks, mut restored) = match start {
            (Start::Refuse(refusal), _) => return Ok(LifeEnd::Refused(refusal)),
            (Start::Finished(finished), _) => {
                let since = self.splits_since(store).await?;
                return Ok(LifeEnd::AlreadyFinished { finished, since });
            }
            (Start::Resume(_) | Start::Resolve, Some(job)) => {
                let sinks = self.sinks(&job.header, &shared)?;
                (job.header, sinks, job.progress.committed)
            }
            (Start::Fresh | Start::Resume(_) | Start::Resolve, _) => {
                let groups = self
                    .program
                    .settings
                    .key_groups
                    .unwrap_or(KeyGroups::DEFAULT);
                let name = self.program.name.clone();
                let mut header = Header::new(name, plan, groups, Decider::State, clock::now());
                let sinks = self.sinks(&header, &shared)?;
                if transaction_of(&sinks).is_some() {
                    header.decider = Decider::Kafka;
                }
                let created = header.clone();
                store.call(move |store| store.create_job(created)).await?;
                (header, sinks, CheckpointId(0))
            }
        };
        self.status.update(|job| job.id = header.job);
        let mut transaction = None;
        if let Some(deciding) = transaction_of(&sinks) {
            let marker = settle_decision(store, &*deciding).await?;
            restored = marker.checkpoint;
            transaction = Some((deciding, marker.claim));
        }
        let ends = Ends {
            committers: committers_of(&sinks),
            outboxes: outboxes_of(&sinks),
            sinks,
            shared,
            transaction,
        };
        settle(store, &ends.committers).await?;
        let ended = self.run(store, &header, restored, &ends).await;
        self.end_outboxes(&ends.outboxes).await;
        // Also after a failure: until the next life readers would wait for what is open.
        if let Some((transaction, _)) = &ends.transaction {
            transaction.end().await;
        }
        ended
    }

    async fn run(
        &self,
        store: &StoreHandle,
        header: &Header,
        restored: CheckpointId,
        ends: &Ends,
    ) -> Result<LifeEnd> {
        let kept = store.call(Store::dead_letter_files).await?;
        recover_dead_letters(&self.directory, &kept)?;
        let letters = |task: TaskId| {
            let writer = DeadLetterWriter::open(&self.directory, task.0, &kept);
            Ok(writer?)
        };
        let job = build(Blueprint {
            dataflow: &self.program.dataflow,
            sinks: &ends.sinks,
            ends: &*self.program.ends,
            context: &|operator| self.context(header, operator, &ends.shared),
            parallelism: self.parallelism,
            key_groups: header.key_groups,
            restored,
            store,
            updating: self.program.settings.updating,
            dead_letters: &letters,
        })
        .await?;
        self.show(&job, restored);
        for outbox in &ends.outboxes {
            outbox.start();
        }
        let outboxes = ends.outboxes.iter().map(|outbox| outbox.metrics());
        self.status
            .update(|status| status.outboxes = outboxes.collect());
        let (running, controls) = RunningTasks::start(job, &self.status);
        let driver = Driver {
            coordinator: Coordinator::new(
                self.timing(),
                controls.tasks,
                controls.commands.keys().copied(),
                restored,
                0,
            ),
            store: store.clone(),
            commands: controls.commands,
            queues: controls.queues,
            reports: controls.reports,
            decided: controls.decided,
            committers: ends.committers.clone(),
            transaction: ends.transaction.clone(),
            outboxes: ends.outboxes.clone(),
            reporters: controls.reporters,
            status: Arc::clone(&self.status),
            stop: self.stop.clone(),
        };
        let ended = driver.run().await;
        running.end(ended.is_ok()).await;
        match ended? {
            Ended::Stopped => Ok(LifeEnd::Stopped),
            Ended::Finished => {
                if !self.drained(&ends.outboxes).await? {
                    return Ok(LifeEnd::Stopped);
                }
                let finished = self.finished(store).await?;
                Ok(LifeEnd::Finished(finished))
            }
        }
    }

    /// Waits until everything that was decided is sent; whether it was before the job is
    /// to stop.
    async fn drained(&self, outboxes: &[Arc<dyn Outbox>]) -> Result<bool> {
        for outbox in outboxes {
            tokio::select! {
                drained = outbox.drained() => drained?,
                () = self.stop.cancelled() => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Sends no more, but for what can be sent soon if the job was stopped.
    async fn end_outboxes(&self, outboxes: &[Arc<dyn Outbox>]) {
        let patience = if self.stop.is_cancelled() {
            DRAIN_PATIENCE.min(self.grace / 2)
        } else {
            Duration::ZERO
        };
        let ending = outboxes.iter().map(|outbox| outbox.end(patience));
        futures::future::join_all(ending).await;
    }

    /// Ends the job whose state is here: publishes what it has decided, discards
    /// what it has not, and forgets it. What it has published stays.
    async fn end_old_job(&self, store: &StoreHandle) -> Result<()> {
        let Some(job) = store.call(|store| Ok(store.job().cloned())).await? else {
            return Ok(());
        };
        if job.progress.finished.is_none() {
            let settled = async {
                // The outputs of another program are not known to this one.
                if job.header.plan != self.program.identity() {
                    return Err(Error::Fatal(
                        "the old job ran another program, whose outputs this one does not know; \
                         run that program with --fresh, or add --abandon to leave its \
                         unpublished output behind"
                            .to_owned(),
                    ));
                }
                let sinks = self.sinks(&job.header, &self.shared())?;
                let transaction = transaction_of(&sinks);
                if let Some(transaction) = &transaction {
                    settle_decision(store, &**transaction).await?;
                }
                settle(store, &committers_of(&sinks)).await?;
                self.send_all(&outboxes_of(&sinks)).await?;
                if let Some(transaction) = transaction {
                    transaction.end().await;
                }
                Ok(())
            };
            match settled.await {
                Err(error) if self.abandon => {
                    tracing::warn!(%error, "abandoned the unpublished output of the old job");
                }
                settled => settled?,
            }
        }
        tracing::info!(job = %job.header.job, "ended the old job");
        store.call(Store::remove_job).await?;
        // Those that a crash leaves here bear the name of a job that is no more.
        connectors::remove_outboxes(&self.directory)
            .map_err(|error| Error::Retryable(format!("cannot remove the outbox: {error}")))?;
        // In this order: letters that no state knows are removed at every start.
        recover_dead_letters(&self.directory, &[])?;
        Ok(())
    }

    /// Sends what an earlier life has left in its outboxes.
    async fn send_all(&self, outboxes: &[Arc<dyn Outbox>]) -> Result<()> {
        for outbox in outboxes {
            outbox.start();
        }
        let drained = tokio::time::timeout(SEND_PATIENCE, self.drained(outboxes)).await;
        self.end_outboxes(outboxes).await;
        match drained {
            Ok(Ok(true)) => Ok(()),
            Ok(Err(error)) => Err(error),
            Ok(Ok(false)) | Err(_) => Err(Error::Fatal(format!(
                "the old job's outbox was not sent within {SEND_PATIENCE:?}; start the job again                  when Kafka can be reached, or add --abandon to leave those rows behind"
            ))),
        }
    }

    /// How many splits a finished job would find now that it has not read.
    async fn splits_since(&self, store: &StoreHandle) -> Result<usize> {
        let mut since = 0;
        for node in &self.program.dataflow.nodes {
            let NodeKind::Source { table, .. } = &node.kind else {
                continue;
            };
            let id = node.id;
            let (read, _) = store.call(move |store| store.splits(id)).await?;
            let known: HashSet<_> = read.into_iter().map(|split| split.split).collect();
            let nobody = JobContext::for_inspection(self.program.name.clone(), id);
            if let Ok(source) = source_of(&*self.program.ends, table, &nobody)
                // It looks as a new job would: of a list that it knows it finds no more.
                && let Ok(discovery) = source.factory.enumerator().discover(&[]).await
            {
                let found = discovery.found.iter();
                since += found.filter(|split| !known.contains(&split.id)).count();
            }
        }
        Ok(since)
    }

    /// Waits for a life; once the job is to stop, no longer than the grace.
    async fn within_grace<T>(&self, run: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::pin!(run);
        tokio::select! {
            ended = &mut run => return ended,
            () = self.stop.cancelled() => {}
        }
        tokio::time::timeout(self.grace, run)
            .await
            .unwrap_or_else(|_| {
                Err(Error::Fatal(format!(
                    "the last checkpoint was not decided within {:?}; the next start goes on from \
                 the one before it, or settles it if it was decided",
                    self.grace
                )))
            })
    }

    /// Notes durably that the job has finished.
    async fn finished(&self, store: &StoreHandle) -> Result<Finished> {
        let sources: Vec<OperatorId> = self
            .program
            .dataflow
            .nodes
            .iter()
            .filter(|node| matches!(node.kind, NodeKind::Source { .. }))
            .map(|node| node.id)
            .collect();
        let at = clock::now();
        let finished = store
            .call(move |store| {
                let mut finished = Finished {
                    at,
                    rows_read: 0,
                    bytes_read: 0,
                    splits: 0,
                };
                for source in sources {
                    let (splits, _) = store.splits(source)?;
                    finished.splits += splits.len() as u64;
                    finished.rows_read += splits.iter().map(|split| split.rows).sum::<u64>();
                    finished.bytes_read += splits.iter().map(|split| split.bytes).sum::<u64>();
                }
                store.finish(finished.clone())?;
                Ok(finished)
            })
            .await?;
        Ok(finished)
    }

    /// What the sinks of one life share.
    fn shared(&self) -> Arc<JobTransaction> {
        Arc::new(JobTransaction::new(
            self.program.settings.checkpoint_interval,
        ))
    }

    fn sinks(
        &self,
        header: &Header,
        shared: &Arc<JobTransaction>,
    ) -> Result<BTreeMap<OperatorId, Arc<dyn SinkFactory>>> {
        let mut sinks = BTreeMap::new();
        for node in &self.program.dataflow.nodes {
            let sink = match &node.kind {
                NodeKind::Sink { table } => {
                    let context = self.context(header, node.id, shared);
                    sink_of(&*self.program.ends, table, &context)
                }
                NodeKind::Print => {
                    let columns = self.input_schema(node);
                    connectors::console(self.output, columns)
                }
                _ => continue,
            };
            let sink = sink.map_err(|errors| {
                let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
                Error::Fatal(errors.join("; "))
            })?;
            sinks.insert(node.id, sink);
        }
        Ok(sinks)
    }

    fn context(
        &self,
        header: &Header,
        operator: OperatorId,
        shared: &Arc<JobTransaction>,
    ) -> JobContext {
        JobContext {
            job: header.job,
            pipeline: header.pipeline.clone(),
            node: header.node.clone(),
            operator,
            data_dir: self.directory.clone(),
            transaction: Arc::clone(shared),
        }
    }

    fn input_schema(&self, node: &crate::plan::Node) -> &arrow::datatypes::SchemaRef {
        &self.program.dataflow.nodes[node.inputs[0].0 as usize].schema
    }

    fn timing(&self) -> Timing {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let settings = &self.program.settings;
        Timing {
            interval_ms: millis(settings.checkpoint_interval),
            min_pause_ms: millis(settings.checkpoint_pause_min),
            timeout_ms: millis(settings.checkpoint_timeout),
        }
    }

    fn show(&self, job: &Job, restored: CheckpointId) {
        let mut read_before = Progress::default();
        for source in &job.sources {
            let (rows, bytes) = source.queue.read_before();
            read_before.rows += rows;
            read_before.bytes += bytes;
        }
        self.status.update(|status| {
            status.tasks.clone_from(&job.metrics);
            status.stages.clone_from(&job.vertices);
            status.progress = job.bounded.then_some(read_before);
        });
        self.status.enter(JobState::Running);
        if restored > CheckpointId(0) {
            tracing::info!(checkpoint = restored.0, "resumed");
        }
    }
}

/// The sinks of one life, and who makes visible what they write.
struct Ends {
    sinks: BTreeMap<OperatorId, Arc<dyn SinkFactory>>,
    committers: BTreeMap<OperatorId, Arc<dyn Committer>>,
    outboxes: Vec<Arc<dyn Outbox>>,
    shared: Arc<JobTransaction>,
    transaction: Option<(Arc<dyn Transaction>, Claim)>,
}

fn outboxes_of(sinks: &BTreeMap<OperatorId, Arc<dyn SinkFactory>>) -> Vec<Arc<dyn Outbox>> {
    sinks.values().filter_map(|sink| sink.outbox()).collect()
}

fn committers_of(
    sinks: &BTreeMap<OperatorId, Arc<dyn SinkFactory>>,
) -> BTreeMap<OperatorId, Arc<dyn Committer>> {
    let committers = sinks.iter();
    committers
        .filter_map(|(&node, sink)| Some((node, sink.committer()?)))
        .collect()
}

/// Deals with what an earlier life has left half done.
async fn settle(
    store: &StoreHandle,
    committers: &BTreeMap<OperatorId, Arc<dyn Committer>>,
) -> Result<()> {
    for (&node, committer) in committers {
        let left = store.call(move |store| store.outputs(node)).await?;
        let decided: Vec<_> = left.publish.into_iter().map(|(_, item)| item).collect();
        committer.recover(&decided, &left.open).await?;
    }
    let nodes: Vec<_> = committers.keys().copied().collect();
    store.call(move |store| store.settle(&nodes)).await?;
    Ok(())
}

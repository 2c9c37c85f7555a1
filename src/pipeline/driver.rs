//! Carries out what the checkpoint coordinator decides, as long as the tasks run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::positions::Positions;
use super::status::Status;
use crate::checkpoint::{Action, Coordinator, Event, TaskId};
use crate::failpoint::{self, Plant, Step};
use crate::runtime::{
    Command, Committer, Error, Outbox, PositionReporter, Report, Result, SplitQueue, TaskSnapshot,
    Transaction,
};
use crate::state::{Checkpoint, OpenOutputs, Store, StoreHandle, Written};
use crate::stream::{CheckpointId, Claim, Marker, OperatorId};

/// How often the coordinator is told the time.
const TICK: Duration = Duration::from_millis(5);

/// How long a job without changes may leave its marker alone: a system that keeps markers
/// forgets them after some days.
const MARKER_AGE_MAX: Duration = Duration::from_hours(1);

/// How long a task that has ended has to say why, once others have noticed.
const CAUSE_WAIT: Duration = Duration::from_secs(1);

/// How a run of the tasks ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All input was read and every output has confirmed.
    Finished,
    /// It was asked to stop; the last checkpoint is decided.
    Stopped,
}

/// What the driver works with.
pub struct Driver {
    /// Decides what happens when.
    pub coordinator: Coordinator,
    /// The job's state.
    pub store: StoreHandle,
    /// Where source tasks take commands.
    pub commands: BTreeMap<TaskId, mpsc::UnboundedSender<Command>>,
    /// The splits that wait for a reader, by source.
    pub queues: Vec<Arc<SplitQueue>>,
    /// Where tasks and enumerators report.
    pub reports: mpsc::UnboundedReceiver<Report>,
    /// Where the last decided checkpoint is told.
    pub decided: watch::Sender<CheckpointId>,
    /// Who publishes what a sink has prepared.
    pub committers: BTreeMap<OperatorId, Arc<dyn Committer>>,
    /// The transaction whose commit decides, and the claim with which it does; `None` if
    /// the state's commit decides.
    pub transaction: Option<(Arc<dyn Transaction>, Claim)>,
    /// Where decided rows wait until another system takes them.
    pub outboxes: Vec<Arc<dyn Outbox>>,
    /// Who tells the sources' own tools how far the job has come.
    pub reporters: BTreeMap<OperatorId, Arc<dyn PositionReporter>>,
    /// What others see of it.
    pub status: Arc<Status>,
    /// Cancelled when the job is to stop.
    pub stop: CancellationToken,
}

/// The driver with what is under way.
struct Driving {
    driver: Driver,
    began: Instant,
    /// The parts of the checkpoint in flight.
    parts: Vec<TaskSnapshot>,
    part_began: Instant,
    /// Decided outputs by checkpoint.
    outputs: BTreeMap<CheckpointId, Vec<(OperatorId, Value)>>,
    work: JoinSet<Done>,
    positions: Positions,
    /// The last decided checkpoint, and when its marker was written.
    marker: (CheckpointId, Instant),
    /// Whether an outbox is full.
    output_is_full: bool,
    /// When a task first noticed that another one has ended.
    neighbour_ended: Option<Instant>,
}

/// Something that was under way has ended.
enum Done {
    Committed {
        checkpoint: CheckpointId,
        result: Result<Written>,
    },
    Published {
        checkpoint: CheckpointId,
        result: Result<()>,
    },
    /// The sources' tools know, or why they do not.
    Told(Option<String>),
}

impl Driver {
    /// Drives the tasks until the job ends, stops or fails.
    ///
    /// # Errors
    /// The first failure of a task, of the state, or of a checkpoint.
    pub async fn run(self) -> Result<Ended> {
        let now = Instant::now();
        let restored = *self.decided.borrow();
        let positions = Positions::new(self.reporters.clone());
        let mut driving = Driving {
            driver: self,
            began: now,
            parts: Vec::new(),
            part_began: now,
            outputs: BTreeMap::new(),
            work: JoinSet::new(),
            positions,
            marker: (restored, now),
            output_is_full: false,
            neighbour_ended: None,
        };
        let ended = driving.drive().await;
        // What is under way must not go on behind the back of a restart.
        while let Some(done) = driving.work.join_next().await {
            match done {
                Ok(Done::Committed {
                    result: Err(error), ..
                }) => return Err(error),
                Ok(Done::Told(failure)) => {
                    driving.positions.told(failure);
                    if ended.is_ok() {
                        driving.tell_positions();
                    }
                }
                _ => {}
            }
        }
        ended
    }
}

impl Driving {
    async fn drive(&mut self) -> Result<Ended> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let stop = self.driver.stop.clone();
        let mut stopping = false;
        loop {
            let event = tokio::select! {
                // Behind the last barrier the tasks go, and nobody reports any
                // more; one that goes before its time says so first.
                Some(report) = self.driver.reports.recv() => self.reported(report)?,
                Some(done) = self.work.join_next() => self.done(done)?,
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    Some(Event::StopRequested)
                }
                _ = ticks.tick() => Some(self.tick()?),
            };
            let Some(event) = event else {
                continue;
            };
            for action in self.driver.coordinator.step(event) {
                if let Some(ended) = self.act(action).await? {
                    return Ok(ended);
                }
            }
        }
    }

    fn tick(&mut self) -> Result<Event> {
        let mut is_full = false;
        for outbox in &self.driver.outboxes {
            is_full |= outbox.is_full()?;
        }
        if is_full != self.output_is_full {
            self.output_is_full = is_full;
            return Ok(Event::OutputFull(is_full));
        }
        match self.neighbour_ended {
            Some(since) if since.elapsed() >= CAUSE_WAIT => {
                let silent = "a task has ended without a reason".to_owned();
                Err(Error::Retryable(silent))
            }
            _ => Ok(Event::Tick(self.now_ms())),
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn reported(&mut self, report: Report) -> Result<Option<Event>> {
        match report {
            Report::Acknowledged {
                task,
                checkpoint,
                snapshot,
            } => {
                let unreported = self
                    .driver
                    .queues
                    .iter()
                    .any(|queue| queue.has_unreported());
                let changed = unreported || !snapshot.is_empty();
                self.parts.push(snapshot);
                Ok(Some(Event::Acknowledged {
                    task,
                    checkpoint,
                    changed,
                }))
            }
            Report::AtEnd(task) => Ok(Some(Event::AtEnd(task))),
            // The channels of a task close before its report is sent, so that its
            // neighbours may speak first; whether to try again is not theirs to say.
            Report::Failed {
                error: Error::NeighbourEnded,
                ..
            } => {
                self.neighbour_ended.get_or_insert_with(Instant::now);
                Ok(None)
            }
            Report::Failed { error, .. } => Err(error),
        }
    }

    fn done(&mut self, done: Result<Done, tokio::task::JoinError>) -> Result<Option<Event>> {
        let done = done.map_err(|error| Error::Fatal(format!("a commit was lost: {error}")))?;
        match done {
            Done::Committed { checkpoint, result } => {
                let written = result?;
                let took = u64::try_from(self.part_began.elapsed().as_millis());
                let bytes = written.delta_bytes + written.page_bytes;
                let status = &self.driver.status;
                status.checkpointed(checkpoint, took.unwrap_or(u64::MAX), bytes);
                Ok(Some(Event::Committed(checkpoint)))
            }
            Done::Told(failure) => {
                self.positions.told(failure);
                Ok(None)
            }
            Done::Published {
                checkpoint,
                result: Ok(()),
            } => {
                self.outputs.remove(&checkpoint);
                Ok(Some(Event::Published(checkpoint)))
            }
            Done::Published {
                result: Err(error @ (Error::Fatal(_) | Error::State(_))),
                ..
            } => Err(error),
            Done::Published {
                checkpoint,
                result: Err(error),
            } => {
                tracing::warn!(%checkpoint, %error, "cannot publish yet, trying again");
                Ok(Some(Event::PublishFailed(checkpoint)))
            }
        }
    }

    async fn act(&mut self, action: Action) -> Result<Option<Ended>> {
        match action {
            Action::InjectBarrier(barrier) => {
                self.part_began = Instant::now();
                self.expect_barrier(true);
                for command in self.driver.commands.values() {
                    // A task that has gone reports why.
                    let _ = command.send(Command::Barrier(barrier));
                }
            }
            Action::Commit {
                checkpoint,
                confirmed,
            } => {
                self.expect_barrier(false);
                self.commit(checkpoint, confirmed);
            }
            Action::SkipEmpty(_) => {
                self.expect_barrier(false);
                self.parts.clear();
                self.skipped().await?;
                // An idle job has time to tidy up.
                self.driver.store.call(Store::fold_idle).await?;
            }
            Action::NotifyDecided(checkpoint) => {
                self.marker = (checkpoint, Instant::now());
                self.tell_positions();
                self.driver.decided.send_replace(checkpoint);
            }
            Action::Publish(checkpoint) => self.publish(checkpoint),
            Action::FinishJob => return Ok(Some(Ended::Finished)),
            Action::StopJob { confirmed } => {
                let store = &self.driver.store;
                store.call(move |store| store.confirm(&confirmed)).await?;
                if self.driver.transaction.is_some() {
                    store.call(Store::note_decided).await?;
                }
                return Ok(Some(Ended::Stopped));
            }
            Action::Fail(failure) => return Err(Error::Retryable(failure.to_string())),
        }
        Ok(None)
    }

    fn expect_barrier(&self, is_coming: bool) {
        for outbox in &self.driver.outboxes {
            outbox.expect_barrier(is_coming);
        }
    }

    /// Tells how far the job has come, if nobody is at it.
    fn tell_positions(&mut self) {
        if let Some(telling) = self.positions.decided() {
            self.work.spawn(async { Done::Told(telling.await) });
        }
    }

    /// Nothing has changed, so the open transaction stays, unless the marker has to be
    /// written again.
    async fn skipped(&mut self) -> Result<()> {
        let Some((transaction, claim)) = &self.driver.transaction else {
            return Ok(());
        };
        let (checkpoint, written) = self.marker;
        let age_max = if failpoint::planted(Plant::OldMarker) {
            Duration::ZERO
        } else {
            MARKER_AGE_MAX
        };
        if written.elapsed() < age_max {
            transaction.skipped();
            return Ok(());
        }
        let claim = *claim;
        transaction.commit(Marker { claim, checkpoint }).await?;
        self.marker.1 = Instant::now();
        Ok(())
    }

    fn commit(&mut self, id: CheckpointId, confirmed: Vec<CheckpointId>) {
        let mut checkpoint = Checkpoint::new(id);
        checkpoint.confirmed = confirmed;
        let mut splits = BTreeMap::new();
        for queue in &self.driver.queues {
            let (found, complete) = queue.take_unreported();
            checkpoint
                .complete_sources
                .extend(complete.then(|| queue.operator()));
            for split in found {
                splits.insert((split.operator, split.split.clone()), split);
            }
        }
        let mut outputs = Vec::new();
        for part in self.parts.drain(..) {
            checkpoint.deltas.extend(part.deltas);
            checkpoint.dead_letters.extend(part.dead_letters);
            // What a task says of a split is newer than what the queue says.
            for split in part.splits {
                splits.insert((split.operator, split.split.clone()), split);
            }
            if let Some(output) = part.output {
                let publish = output.prepared.publish.into_iter();
                outputs.extend(publish.map(|item| (output.operator, item)));
                checkpoint.open.push(OpenOutputs {
                    operator: output.operator,
                    task: u32::try_from(output.task).expect("fewer than 2^32 tasks"),
                    outputs: output.prepared.open,
                });
            }
        }
        checkpoint.splits = splits.into_values().collect();
        self.positions.note(&checkpoint.splits);
        checkpoint.publish.clone_from(&outputs);
        self.outputs.insert(id, outputs);
        let (store, transaction) = (self.driver.store.clone(), self.driver.transaction.clone());
        self.work.spawn(async move {
            Done::Committed {
                checkpoint: id,
                result: decide(&store, checkpoint, transaction).await,
            }
        });
    }

    fn publish(&mut self, checkpoint: CheckpointId) {
        let mut by_sink: BTreeMap<OperatorId, Vec<Value>> = BTreeMap::new();
        for (operator, item) in self.outputs.get(&checkpoint).into_iter().flatten() {
            by_sink.entry(*operator).or_default().push(item.clone());
        }
        let committers = self.driver.committers.clone();
        let store = self.driver.store.clone();
        self.work.spawn(async move {
            let publish = async {
                for (operator, items) in &by_sink {
                    if let Some(committer) = committers.get(operator) {
                        committer.publish(items).await?;
                    }
                }
                // At once, and not with the next checkpoint: that may be long in
                // coming, and who reads the output may take it away meanwhile.
                if !by_sink.is_empty() {
                    store
                        .call(move |store| store.confirm(&[checkpoint]))
                        .await?;
                }
                Ok(())
            };
            Done::Published {
                checkpoint,
                result: publish.await,
            }
        });
    }
}

/// Makes a checkpoint durable, and has it decided by who decides.
async fn decide(
    store: &StoreHandle,
    checkpoint: Checkpoint,
    transaction: Option<(Arc<dyn Transaction>, Claim)>,
) -> Result<Written> {
    let id = checkpoint.id;
    let reach = async |step| {
        let reached = failpoint::reach_aside(step).await;
        reached.map_err(Error::Retryable)
    };
    let Some((transaction, claim)) = transaction else {
        reach(Step::BeforePrepare).await?;
        let written = store.commit(checkpoint).await?;
        reach(Step::AfterDecided).await?;
        return Ok(written);
    };
    let marker = Marker {
        claim,
        checkpoint: id,
    };
    if failpoint::planted(Plant::CommitBeforePrepare) {
        transaction.commit(marker).await?;
    }
    reach(Step::BeforePrepare).await?;
    let written = store.commit(checkpoint).await?;
    reach(Step::AfterPrepare).await?;
    if !failpoint::planted(Plant::CommitBeforePrepare) {
        transaction.commit(marker).await?;
    }
    store.call(move |store| store.decided(id)).await?;
    reach(Step::AfterDecided).await?;
    Ok(written)
}

//! When a checkpoint is made, and what follows from it: a state machine.

use std::collections::BTreeSet;
use std::fmt;

use crate::stream::{Barrier, BarrierKind, CheckpointId};

/// How long to wait before an output that could not be published is tried again.
const PUBLISH_RETRY_MS: u64 = 1_000;

/// The number of a task among all tasks of the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u32);

/// When checkpoints are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From the start of one to the start of the next
    /// (`execution.checkpointing.interval`).
    pub interval_ms: u64,
    /// From the end of one to the start of the next, at least
    /// (`execution.checkpointing.min-pause`).
    pub min_pause_ms: u64,
    /// How long one may take (`execution.checkpointing.timeout`).
    pub timeout_ms: u64,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The time is now so many milliseconds after some fixed point. Nothing else
    /// carries time, so ticks come at least as often as anything is to be timed.
    Tick(u64),
    /// A task has handed over what belongs to a checkpoint.
    Acknowledged {
        /// The task.
        task: TaskId,
        /// The checkpoint of the barrier that it has seen.
        checkpoint: CheckpointId,
        /// Whether anything in it has to be kept.
        changed: bool,
    },
    /// A checkpoint is durable and decided, whoever decides.
    Committed(CheckpointId),
    /// All outputs of a checkpoint are visible.
    Published(CheckpointId),
    /// Outputs of a checkpoint could not be made visible for now.
    PublishFailed(CheckpointId),
    /// A source task has read everything that there will ever be.
    AtEnd(TaskId),
    /// Whether an output is full of what was decided: then no checkpoint begins that would
    /// add to it. The last one does.
    OutputFull(bool),
    /// The job is to stop at its next checkpoint.
    StopRequested,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this barrier into the stream at every source.
    InjectBarrier(Barrier),
    /// Make the checkpoint durable and have it decided, and with it note that the outputs of these
    /// earlier ones are published. Answered by [`Event::Committed`]; if it fails,
    /// the job fails.
    Commit {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Earlier ones.
        confirmed: Vec<CheckpointId>,
    },
    /// Nothing has changed: there is no such checkpoint, its number is used again.
    SkipEmpty(CheckpointId),
    /// Tell the tasks that the checkpoint and all before it are decided.
    NotifyDecided(CheckpointId),
    /// Make the outputs of a checkpoint visible; answered by [`Event::Published`]
    /// or [`Event::PublishFailed`].
    Publish(CheckpointId),
    /// Note durably that the job is finished; it ends here.
    FinishJob,
    /// Note durably that the outputs of these checkpoints are published; the run
    /// ends here and the job can be resumed.
    StopJob {
        /// The checkpoints.
        confirmed: Vec<CheckpointId>,
    },
    /// The job cannot go on and is to be restarted from its last checkpoint.
    Fail(Failure),
}

/// Why a checkpoint was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The checkpoint.
    pub checkpoint: CheckpointId,
    /// How long it was waited for.
    pub timeout_ms: u64,
    /// Tasks that have not handed over their part; none if it is the commit that
    /// has not returned.
    pub missing: Vec<TaskId>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            checkpoint,
            timeout_ms,
            missing,
        } = self;
        write!(
            f,
            "checkpoint {checkpoint} took longer than {timeout_ms} ms: "
        )?;
        match missing.as_slice() {
            [] => f.write_str("its commit has not returned"),
            tasks => write!(f, "{} tasks have not answered", tasks.len()),
        }
    }
}

/// What the coordinator waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for the time of the next checkpoint.
    Waiting,
    /// The barrier is in the stream: waiting for the tasks that have not seen it.
    Aligning {
        /// The barrier.
        barrier: Barrier,
        /// Tasks that have not handed over their part.
        missing: BTreeSet<TaskId>,
        /// Whether a part holds anything that has to be kept.
        changed: bool,
    },
    /// All parts are there: waiting until the checkpoint is durable and decided.
    Committing {
        /// The barrier.
        barrier: Barrier,
    },
    /// The last checkpoint is decided: waiting until its outputs are visible.
    Draining,
    /// Nothing is left to wait for.
    Ended,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// All input was read.
    Finish,
    /// It was asked to stop.
    Stop,
}

/// Coordinates the checkpoints of one run of a job.
#[derive(Debug)]
pub struct Coordinator {
    timing: Timing,
    tasks: BTreeSet<TaskId>,
    reading: BTreeSet<TaskId>,
    now_ms: u64,
    /// When the last checkpoint began and ended; at first when the run began.
    started_ms: u64,
    ended_ms: u64,
    next: CheckpointId,
    phase: Phase,
    stop_requested: bool,
    output_is_full: bool,
    ending: Option<Ending>,
    publications: Vec<Publication>,
    /// Published, but not durably noted.
    confirmed: BTreeSet<CheckpointId>,
    /// Those of them that the transaction in flight notes.
    confirming: BTreeSet<CheckpointId>,
}

/// The outputs of one decided checkpoint on their way.
#[derive(Clone, Copy, Debug)]
struct Publication {
    checkpoint: CheckpointId,
    /// When to try again, if the last try has failed.
    retry_ms: Option<u64>,
}

impl Coordinator {
    /// A coordinator for a run that begins at `now_ms` behind the checkpoint
    /// `restored`. All of `tasks` take part in a checkpoint; `sources` are those
    /// among them that read.
    pub fn new(
        timing: Timing,
        tasks: impl IntoIterator<Item = TaskId>,
        sources: impl IntoIterator<Item = TaskId>,
        restored: CheckpointId,
        now_ms: u64,
    ) -> Self {
        Self {
            timing,
            tasks: tasks.into_iter().collect(),
            reading: sources.into_iter().collect(),
            now_ms,
            started_ms: now_ms,
            ended_ms: now_ms,
            next: restored.next(),
            phase: Phase::Waiting,
            stop_requested: false,
            output_is_full: false,
            ending: None,
            publications: Vec::new(),
            confirmed: BTreeSet::new(),
            confirming: BTreeSet::new(),
        }
    }

    /// What it waits for.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Takes in what has happened, and says what is to be done, in this order.
    /// Once the run has ended or failed, nothing is.
    ///
    /// # Panics
    /// If the event cannot have happened: a part of a checkpoint that is not in
    /// flight, or a second one of the same task.
    pub fn step(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.phase == Phase::Ended {
            return actions;
        }
        match event {
            Event::Tick(now_ms) => {
                self.now_ms = self.now_ms.max(now_ms);
                self.retry_publications(&mut actions);
                self.check_timeout(&mut actions);
            }
            Event::Acknowledged {
                task,
                checkpoint,
                changed,
            } => self.acknowledged(task, checkpoint, changed, &mut actions),
            Event::Committed(checkpoint) => self.committed(checkpoint, &mut actions),
            Event::Published(checkpoint) => {
                self.publications
                    .retain(|publication| publication.checkpoint != checkpoint);
                self.confirmed.insert(checkpoint);
            }
            Event::PublishFailed(checkpoint) => {
                let retry_ms = Some(self.now_ms + PUBLISH_RETRY_MS);
                for publication in &mut self.publications {
                    if publication.checkpoint == checkpoint {
                        publication.retry_ms = retry_ms;
                    }
                }
            }
            Event::AtEnd(task) => {
                self.reading.remove(&task);
            }
            Event::OutputFull(is_full) => self.output_is_full = is_full,
            Event::StopRequested => self.stop_requested = true,
        }
        self.go_on(&mut actions);
        actions
    }

    /// Starts or ends whatever can be started or ended now.
    fn go_on(&mut self, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Waiting => {
                let ending = if self.reading.is_empty() {
                    Some(Ending::Finish)
                } else if self.stop_requested {
                    Some(Ending::Stop)
                } else {
                    None
                };
                if ending.is_some() {
                    self.ending = ending;
                    self.start(BarrierKind::Last, actions);
                } else if self.is_due() {
                    self.start(BarrierKind::Interval, actions);
                }
            }
            Phase::Draining if self.publications.is_empty() => {
                self.phase = Phase::Ended;
                actions.push(match self.ending {
                    Some(Ending::Finish) => Action::FinishJob,
                    Some(Ending::Stop) | None => Action::StopJob {
                        confirmed: std::mem::take(&mut self.confirmed).into_iter().collect(),
                    },
                });
            }
            _ => {}
        }
    }

    fn is_due(&self) -> bool {
        !self.output_is_full
            && self.now_ms >= self.started_ms.saturating_add(self.timing.interval_ms)
            && self.now_ms >= self.ended_ms.saturating_add(self.timing.min_pause_ms)
    }

    fn start(&mut self, kind: BarrierKind, actions: &mut Vec<Action>) {
        let barrier = Barrier {
            checkpoint: self.next,
            kind,
        };
        self.started_ms = self.now_ms;
        self.phase = Phase::Aligning {
            barrier,
            missing: self.tasks.clone(),
            changed: false,
        };
        actions.push(Action::InjectBarrier(barrier));
    }

    fn acknowledged(
        &mut self,
        task: TaskId,
        checkpoint: CheckpointId,
        part_changed: bool,
        actions: &mut Vec<Action>,
    ) {
        let Phase::Aligning {
            barrier,
            missing,
            changed,
        } = &mut self.phase
        else {
            panic!(
                "task {} acknowledged checkpoint {checkpoint} out of time",
                task.0
            );
        };
        let barrier = *barrier;
        assert_eq!(
            barrier.checkpoint, checkpoint,
            "acknowledged by task {}",
            task.0
        );
        assert!(missing.remove(&task), "task {} acknowledged twice", task.0);
        *changed |= part_changed;
        if !missing.is_empty() {
            return;
        }
        if *changed {
            self.confirming = self.confirmed.clone();
            self.phase = Phase::Committing { barrier };
            actions.push(Action::Commit {
                checkpoint,
                confirmed: self.confirming.iter().copied().collect(),
            });
        } else {
            actions.push(Action::SkipEmpty(checkpoint));
            self.end_checkpoint(barrier);
        }
    }

    fn committed(&mut self, checkpoint: CheckpointId, actions: &mut Vec<Action>) {
        let Phase::Committing { barrier } = self.phase else {
            panic!("checkpoint {checkpoint} was committed out of time");
        };
        assert_eq!(barrier.checkpoint, checkpoint, "another one was in flight");
        self.confirmed = &self.confirmed - &self.confirming;
        self.confirming.clear();
        self.next = checkpoint.next();
        actions.push(Action::NotifyDecided(checkpoint));
        actions.push(Action::Publish(checkpoint));
        self.publications.push(Publication {
            checkpoint,
            retry_ms: None,
        });
        self.end_checkpoint(barrier);
    }

    fn end_checkpoint(&mut self, barrier: Barrier) {
        self.ended_ms = self.now_ms;
        self.phase = match barrier.kind {
            BarrierKind::Interval => Phase::Waiting,
            BarrierKind::Last => Phase::Draining,
        };
    }

    fn retry_publications(&mut self, actions: &mut Vec<Action>) {
        for publication in &mut self.publications {
            if publication.retry_ms.is_some_and(|at| at <= self.now_ms) {
                publication.retry_ms = None;
                actions.push(Action::Publish(publication.checkpoint));
            }
        }
    }

    fn check_timeout(&mut self, actions: &mut Vec<Action>) {
        let (barrier, missing) = match &self.phase {
            Phase::Aligning {
                barrier, missing, ..
            } => (*barrier, missing.iter().copied().collect()),
            Phase::Committing { barrier } => (*barrier, Vec::new()),
            Phase::Waiting | Phase::Draining | Phase::Ended => return,
        };
        if self.now_ms - self.started_ms >= self.timing.timeout_ms {
            self.phase = Phase::Ended;
            actions.push(Action::Fail(Failure {
                checkpoint: barrier.checkpoint,
                timeout_ms: self.timing.timeout_ms,
                missing,
            }));
        }
    }
}

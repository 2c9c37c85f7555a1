//! What a running job tells those who watch it.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use uuid::Uuid;

use crate::clock;
use crate::metrics::{OutboxMetrics, TaskMetrics};
use crate::stream::CheckpointId;

/// What a job is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JobState {
    /// Not yet running.
    #[default]
    Created,
    /// Running.
    Running,
    /// Waiting to run again after a failure.
    Restarting,
    /// Failed, tasks are being stopped.
    Failing,
    /// Failed for good.
    Failed,
    /// Everything was read and every output has confirmed.
    Finished,
    /// Stopped cleanly; the next run goes on.
    Stopped,
}

/// A job at one moment.
#[derive(Clone, Debug, Default)]
pub struct JobStatus {
    /// Its identity; nil until the state is open.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it is doing.
    pub state: JobState,
    /// When this run started, in milliseconds since the Unix epoch.
    pub start_time_ms: i64,
    /// When it ended, if it has.
    pub end_time_ms: Option<i64>,
    /// The counters of its tasks.
    pub tasks: Vec<Arc<TaskMetrics>>,
    /// What waits in its outboxes.
    pub outboxes: Vec<Arc<OutboxMetrics>>,
    /// Its stages.
    pub stages: Vec<VertexStatus>,
    /// Its checkpoints.
    pub checkpoints: CheckpointStatus,
    /// How often it was restarted in process.
    pub restarts: u64,
    /// The last failure.
    pub last_error: Option<String>,
    /// The ends are connected and the state is open.
    pub ready: bool,
    /// How far a bounded run has come.
    pub progress: Option<Progress>,
}

/// A stage: tasks that run the same chain of operators.
#[derive(Clone, Debug)]
pub struct VertexStatus {
    /// Its number.
    pub id: u32,
    /// Its operators.
    pub name: String,
    /// How many tasks it has.
    pub parallelism: usize,
}

/// The checkpoints of a run.
#[derive(Clone, Debug, Default)]
pub struct CheckpointStatus {
    /// How many were decided.
    pub completed: u64,
    /// How many were not.
    pub failed: u64,
    /// The last decided one.
    pub last_id: Option<u64>,
    /// How long it took.
    pub last_duration_ms: u64,
    /// What it wrote.
    pub last_bytes: u64,
}

/// How far a bounded run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows read.
    pub rows: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Bytes to read in all, if that is known.
    pub bytes_total: Option<u64>,
}

/// The status of a run, shared by the run and those who watch it.
#[derive(Debug, Default)]
pub struct Status(Mutex<JobStatus>);

impl Status {
    /// The job as it is now.
    pub fn snapshot(&self) -> JobStatus {
        let mut job = self.0.lock().clone();
        if let Some(progress) = &mut job.progress {
            let of_sources = job.tasks.iter().filter(|task| task.is_source);
            let sum = |progress: &mut Progress, task: &Arc<TaskMetrics>| {
                progress.rows += task.records_in.load(std::sync::atomic::Ordering::Relaxed);
                progress.bytes += task.bytes_in.load(std::sync::atomic::Ordering::Relaxed);
            };
            of_sources.for_each(|task| sum(progress, task));
        }
        job
    }

    /// Changes what is told.
    pub(super) fn update(&self, change: impl FnOnce(&mut JobStatus)) {
        change(&mut self.0.lock());
    }

    /// The job does something else now.
    pub(super) fn enter(&self, state: JobState) {
        self.update(|job| {
            job.state = state;
            job.ready = state == JobState::Running;
            if matches!(
                state,
                JobState::Failed | JobState::Finished | JobState::Stopped
            ) {
                job.end_time_ms = Some(clock::now().millis());
            }
        });
    }

    /// A bounded run has found so many bytes more to read.
    pub(super) fn more_to_read(&self, bytes: u64) {
        self.update(|job| {
            if let Some(progress) = &mut job.progress
                && bytes > 0
            {
                *progress.bytes_total.get_or_insert(0) += bytes;
            }
        });
    }

    /// A checkpoint was decided.
    pub(super) fn checkpointed(&self, id: CheckpointId, duration_ms: u64, bytes: u64) {
        self.update(|job| {
            let checkpoints = &mut job.checkpoints;
            checkpoints.completed += 1;
            checkpoints.last_id = Some(id.0);
            checkpoints.last_duration_ms = duration_ms;
            checkpoints.last_bytes = bytes;
        });
    }
}

/// What a finished job did, in words.
#[derive(Debug)]
pub struct Summary(pub String);

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

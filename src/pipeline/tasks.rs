//! The tasks of a job while they run, and the search for what its sources have to read.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::build::{Job, RunningSource, TaskKind};
use super::status::Status;
use crate::checkpoint::TaskId;
use crate::runtime::{Command, Error, PositionReporter, Report, Split, SplitQueue};
use crate::stream::{CheckpointId, OperatorId};

/// The tasks of a job while they run.
pub struct RunningTasks {
    /// The loops of the tasks.
    loops: JoinSet<()>,
    enumerating: JoinSet<()>,
}

/// How the tasks of a job are driven and heard.
pub struct Controls {
    /// All tasks.
    pub tasks: Vec<TaskId>,
    /// To the tasks that take commands.
    pub commands: BTreeMap<TaskId, mpsc::UnboundedSender<Command>>,
    /// What is left to read of each source.
    pub queues: Vec<Arc<SplitQueue>>,
    /// Who tells the sources' own tools how far the job has come.
    pub reporters: BTreeMap<OperatorId, Arc<dyn PositionReporter>>,
    /// From all tasks.
    pub reports: mpsc::UnboundedReceiver<Report>,
    /// Tells the tasks which checkpoint is decided.
    pub decided: watch::Sender<CheckpointId>,
}

impl RunningTasks {
    /// Starts the tasks of `job` and the search of its sources, which counts what
    /// there is to read in `status`.
    pub fn start(job: Job, status: &Arc<Status>) -> (Self, Controls) {
        let mut enumerating = JoinSet::new();
        let queues = job.sources.iter().map(|source| source.queue.clone());
        let queues = queues.collect();
        let reporters = job.sources.iter().filter_map(|source| {
            let reporter = source.factory.position_reporter()?;
            Some((source.queue.operator(), reporter))
        });
        let reporters = reporters.collect();
        for source in job.sources {
            let (reports, status) = (job.report.clone(), Arc::clone(status));
            enumerating.spawn(enumerate(source, reports, status));
        }
        let mut loops = JoinSet::new();
        let tasks = job.tasks.iter().map(|(id, _)| *id).collect();
        for (id, kind) in job.tasks {
            loops.spawn(run(id, kind, job.report.clone()));
        }
        let controls = Controls {
            tasks,
            commands: job.commands,
            queues,
            reporters,
            reports: job.reports,
            decided: job.decided,
        };
        (Self { loops, enumerating }, controls)
    }

    /// Waits for the tasks; those of a job that failed are cut off.
    pub async fn end(mut self, well: bool) {
        self.enumerating.shutdown().await;
        if !well {
            self.loops.shutdown().await;
        }
        while self.loops.join_next().await.is_some() {}
    }
}

/// Runs a task; however it fails, the report is sent.
async fn run(id: TaskId, kind: TaskKind, reports: mpsc::UnboundedSender<Report>) {
    let run = async {
        match kind {
            TaskKind::Source(task) => task.run().await,
            TaskKind::Operator(task) => task.run().await,
        }
    };
    let error = match AssertUnwindSafe(run).catch_unwind().await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(panic) => Error::Fatal(format!("a task panicked: {}", panic_text(&*panic))),
    };
    let _ = reports.send(Report::Failed { task: id, error });
}

/// Finds splits until there will be no more.
async fn enumerate(
    source: RunningSource,
    reports: mpsc::UnboundedSender<Report>,
    status: Arc<Status>,
) {
    let RunningSource {
        queue,
        mut enumerator,
        factory,
    } = source;
    let mut counted = 0;
    let mut count = |known: &[Split]| {
        let bytes = known.iter().map(|split| factory.split_bytes(split));
        let bytes = bytes.sum::<Option<u64>>().unwrap_or_default();
        status.more_to_read(bytes - counted);
        counted = bytes;
    };
    count(&queue.known());
    if queue.has_looked() {
        enumerator.has_looked();
    }
    while !queue.is_complete() {
        match enumerator.discover(&queue.known()).await {
            Ok(discovery) => {
                queue.add(discovery);
                count(&queue.known());
            }
            Err(error) => {
                let _ = reports.send(Report::Failed {
                    task: TaskId(u32::MAX),
                    error,
                });
                return;
            }
        }
        tokio::time::sleep(enumerator.interval()).await;
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a word").to_owned()
}

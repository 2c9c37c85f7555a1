//! One SQL program as it lives: compiled, run, watched, stopped.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::metrics::TaskMetrics;
use crate::plan::Diagnostic;
use crate::sql::SourceFile;

/// How a run is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the state lives; `None` leaves the choice to the program.
    pub data_dir: Option<PathBuf>,
    /// How many tasks a stage has.
    pub workers: usize,
    /// The memory for everything; `None` is 70 % of what there is.
    pub memory_bytes: Option<u64>,
    /// End the job found in the data directory and start anew.
    pub fresh: bool,
    /// With `fresh`: also if an end cannot be reached.
    pub abandon: bool,
    /// `--set key=value`, over the program's own `SET`.
    pub settings: BTreeMap<String, String>,
    /// How long the last checkpoint of a stop may take.
    pub grace: Duration,
    /// How a bare SELECT prints.
    pub output: OutputFormat,
    /// The node's name.
    pub node: Option<String>,
}

/// How a bare SELECT prints its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputFormat {
    /// Aligned columns for people.
    #[default]
    Table,
    /// A JSON object a line.
    Json,
    /// Comma-separated values.
    Csv,
}

/// A program that can run.
#[derive(Debug)]
pub struct CheckedProgram {
    name: String,
}

/// Parses and plans `files` and resolves their connectors.
///
/// # Errors
/// All errors of the program.
pub fn compile(
    files: &[SourceFile],
    settings: &BTreeMap<String, String>,
) -> Result<CheckedProgram, Vec<Diagnostic>> {
    let name = settings.get("pipeline.name").cloned();
    let name = name.or_else(|| files.first().map(|file| file.name.clone()));
    Ok(CheckedProgram {
        name: name.unwrap_or_default(),
    })
}

impl CheckedProgram {
    /// The plan for people.
    pub fn explain(&self) -> String {
        format!("{}\n", self.name)
    }

    /// The job's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether rows go to standard output (a bare SELECT, `print`).
    pub fn writes_stdout(&self) -> bool {
        false
    }
}

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
        self.0.lock().clone()
    }
}

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// Everything was read and every output has confirmed.
    Finished(Summary),
    /// It was stopped cleanly.
    Stopped,
    /// The job had finished in an earlier run.
    AlreadyFinished(Summary),
}

/// What a finished job did, in words.
#[derive(Debug)]
pub struct Summary(pub String);

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The input was wrong.
    #[error("{0}")]
    Input(String),
    /// The job failed.
    #[error("{0}")]
    Job(String),
}

/// Runs `program` until it ends or `stop` is cancelled.
///
/// # Errors
/// If the input was wrong or the job failed past its restarts.
pub fn run(
    program: CheckedProgram,
    options: Options,
    status: Arc<Status>,
    stop: CancellationToken,
) -> Result<Outcome, Failure> {
    status.0.lock().name = program.name;
    if options.abandon && !options.fresh {
        return Err(Failure::Input("--abandon needs --fresh".to_owned()));
    }
    while !stop.is_cancelled() {
        std::thread::yield_now();
    }
    Ok(Outcome::Stopped)
}

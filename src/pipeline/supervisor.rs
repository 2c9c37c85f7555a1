//! Runs a job until it ends, through failures that may pass.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::compile::CheckedProgram;
use super::lifecycle::{Life, LifeEnd};
use super::settings::Restarts;
use super::status::{JobState, Status, Summary};
use crate::clock;
use crate::connectors::ConsoleFormat;
use crate::runtime::Error;
use crate::state::Finished;

/// The share of the memory that pages of the state may take.
const CACHE_SHARE: u64 = 8;
const CACHE_BYTES_DEFAULT: u64 = 128 * 1024 * 1024;

/// How long the last checkpoint of a stop may take, if nothing is said.
pub const GRACE_DEFAULT: Duration = Duration::from_secs(25);

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
    /// How a bare `SELECT` prints.
    pub output: ConsoleFormat,
}

impl Options {
    /// A run in a data directory, everything else as it is if nothing is said; a
    /// bare `SELECT` prints lines of JSON.
    pub fn new(data_dir: PathBuf, workers: usize) -> Self {
        Self {
            data_dir: Some(data_dir),
            workers,
            memory_bytes: None,
            fresh: false,
            abandon: false,
            settings: BTreeMap::new(),
            grace: GRACE_DEFAULT,
            output: ConsoleFormat::Json,
        }
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

/// Runs `program` until it ends or `stop` is cancelled. Blocks, with threads of
/// its own for the engine.
///
/// # Errors
/// If the input was wrong or the job failed past its restarts.
#[expect(clippy::needless_pass_by_value, reason = "a run uses its options up")]
pub fn run(
    program: CheckedProgram,
    options: Options,
    status: Arc<Status>,
    stop: CancellationToken,
) -> Result<Outcome, Failure> {
    let cannot_start = |error: std::io::Error| Failure::Job(format!("cannot start: {error}"));
    let workers = program
        .settings
        .parallelism
        .unwrap_or(options.workers)
        .max(1);
    let directory = Directory::of(&program, options.data_dir.as_deref()).map_err(cannot_start)?;
    let engine = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.workers.max(1))
        .thread_name("engine")
        .enable_all()
        .build()
        .map_err(cannot_start)?;
    status.update(|job| {
        job.name.clone_from(&program.name);
        job.start_time_ms = clock::now().millis();
    });
    let cache_bytes = options
        .memory_bytes
        .map_or(CACHE_BYTES_DEFAULT, |memory| memory / CACHE_SHARE);
    let life = Life {
        program: &program,
        directory: directory.path().to_owned(),
        parallelism: workers,
        cache_bytes: usize::try_from(cache_bytes).unwrap_or(usize::MAX),
        output: options.output,
        status: Arc::clone(&status),
        stop: stop.clone(),
        fresh: AtomicBool::new(options.fresh),
        abandon: options.abandon,
        grace: options.grace,
    };
    let ended = engine.block_on(supervise(life));
    engine.shutdown_timeout(Duration::from_secs(1));
    status.enter(match &ended {
        Ok(Outcome::Stopped) => JobState::Stopped,
        Ok(_) => JobState::Finished,
        Err(_) => JobState::Failed,
    });
    ended
}

/// Lives one life after another until one ends for good.
async fn supervise(life: Life<'_>) -> Result<Outcome, Failure> {
    let mut restarts = Restarts::new(life.program.settings.restart.clone());
    loop {
        let began = Instant::now();
        let error = match life.live().await {
            Ok(end) => return outcome(end, &life),
            Err(Error::OutputClosed) => return Ok(Outcome::Stopped),
            Err(error) => error,
        };
        life.status
            .update(|job| job.last_error = Some(error.to_string()));
        let delay = match &error {
            Error::Retryable(_) if !life.stop.is_cancelled() => {
                restarts.next_delay(began.elapsed())
            }
            _ => None,
        };
        let Some(delay) = delay else {
            return Err(Failure::Job(error.to_string()));
        };
        tracing::warn!(%error, delay_ms = delay.as_millis(), "restarting from the last checkpoint");
        if life.program.writes_stdout() {
            tracing::warn!("rows printed since the last checkpoint are printed again");
        }
        life.status.enter(JobState::Restarting);
        life.status.update(|job| job.restarts += 1);
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = life.stop.cancelled() => return Ok(Outcome::Stopped),
        }
    }
}

fn outcome(end: LifeEnd, life: &Life<'_>) -> Result<Outcome, Failure> {
    let directory = &life.directory;
    match end {
        LifeEnd::Finished(finished) => Ok(Outcome::Finished(Summary(format!(
            "finished: {}{}",
            what_was_read(&finished),
            dead_letters(life)
        )))),
        LifeEnd::AlreadyFinished { finished, since } => {
            let mut text = format!(
                "this job finished at {}: {}",
                finished.at.to_utc(),
                what_was_read(&finished)
            );
            if since > 0 {
                let _ = write!(text, "; {since} splits have come since");
            }
            let _ = write!(
                text,
                ". Start anew with --fresh, or with another --data-dir than {}",
                directory.display()
            );
            Ok(Outcome::AlreadyFinished(Summary(text)))
        }
        LifeEnd::Stopped => Ok(Outcome::Stopped),
        LifeEnd::Refused(refusal) => Err(Failure::Input(format!(
            "{refusal}\nrun the program that the state in {} belongs to, or end that job and \
             start anew with --fresh; its committed output stays",
            directory.display()
        ))),
    }
}

/// What is to be said of rows that fell out of the pipeline.
fn dead_letters(life: &Life<'_>) -> String {
    let tasks = life.status.snapshot().tasks;
    let letters = tasks.iter();
    let letters: u64 = letters
        .map(|task| task.dead_letters.load(Ordering::Relaxed))
        .sum();
    if letters == 0 {
        return String::new();
    }
    format!(
        "; {letters} rows became dead letters: thalweg dead-letters list --data-dir {}",
        life.directory.display()
    )
}

fn what_was_read(finished: &Finished) -> String {
    format!(
        "{} rows and {} bytes of {} splits read, every output published",
        finished.rows_read, finished.bytes_read, finished.splits
    )
}

/// The data directory of a run; a temporary one is removed at its end.
enum Directory {
    Kept(PathBuf),
    Temporary(TempDir),
}

impl Directory {
    fn of(program: &CheckedProgram, given: Option<&Path>) -> std::io::Result<Self> {
        if let Some(given) = given {
            return Ok(Self::Kept(given.to_owned()));
        }
        if program.only_shows() {
            let temporary = tempfile::Builder::new().prefix("thalweg-").tempdir()?;
            return Ok(Self::Temporary(temporary));
        }
        Ok(Self::Kept(Path::new("thalweg-data").join(&program.name)))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(directory) => directory.path(),
        }
    }
}

//! What source tasks and operator tasks have in common: a chain, a tail, and the
//! order in which rows, watermarks and barriers go through them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use crate::checkpoint::TaskId;
use crate::metrics::{Activity, TaskMetrics};
use crate::runtime::chain::{Chain, Effects};
use crate::runtime::report::{Report, TaskSnapshot};
use crate::runtime::tail::Tail;
use crate::runtime::{Operator, Progress, Result};
use crate::state::DeadLetterWriter;
use crate::stream::{Barrier, Batch, CheckpointId, DeadLetter, Watermark};

/// How long what can wait may hold up rows at a time.
const BACKGROUND_BUDGET: Duration = Duration::from_millis(2);

/// What a task is made of, apart from where its rows come from.
pub struct TaskParts {
    /// Its number in the job.
    pub id: TaskId,
    /// Its operators, first to last, restored.
    pub operators: Vec<Box<dyn Operator>>,
    /// Where its rows go: all of them to each. A sink is the only one.
    pub tails: Vec<Tail>,
    /// Where what is kept of late rows goes, if it is.
    pub late: Option<Tail>,
    /// What it counts.
    pub metrics: Arc<TaskMetrics>,
    /// Where rows go that cannot be computed.
    pub dead_letters: DeadLetterWriter,
    /// Where it reports to.
    pub reports: mpsc::UnboundedSender<Report>,
    /// The last checkpoint that is durably decided.
    pub decided: watch::Receiver<CheckpointId>,
}

/// The running part behind a task's input.
pub struct Task {
    pub(super) id: TaskId,
    pub(super) metrics: Arc<TaskMetrics>,
    pub(super) reports: mpsc::UnboundedSender<Report>,
    pub(super) decided: watch::Receiver<CheckpointId>,
    chain: Chain,
    tails: Vec<Tail>,
    late: Option<Tail>,
    effects: Effects,
    dead_letters: DeadLetterWriter,
    /// The checkpoint of which the chain was told last.
    told: CheckpointId,
    folding: bool,
    stopwatch: Stopwatch,
}

/// Splits a task's time into busy, idle and blocked.
struct Stopwatch {
    mark: Instant,
    blocked: Duration,
}

impl Task {
    /// The task of these parts.
    pub fn new(parts: TaskParts) -> Self {
        Self {
            id: parts.id,
            reports: parts.reports,
            decided: parts.decided,
            chain: Chain::new(parts.operators),
            tails: parts.tails,
            late: parts.late,
            effects: Effects::default(),
            dead_letters: parts.dead_letters,
            told: CheckpointId(0),
            folding: false,
            stopwatch: Stopwatch {
                mark: Instant::now(),
                blocked: parts.metrics.times().blocked,
            },
            metrics: parts.metrics,
        }
    }

    /// Sends rows through.
    ///
    /// # Errors
    /// If an operator or the sink fails, or the next stage has gone.
    pub async fn rows(&mut self, batch: Batch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.chain.process(batch, &mut self.effects)?;
        self.send_effects().await
    }

    /// Sends a watermark through, behind everything that it completes.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub async fn watermark(&mut self, watermark: Watermark) -> Result<()> {
        for place in 0..self.chain.len() {
            match watermark {
                Watermark::At(at) => {
                    while self.chain.watermark(place, at, &mut self.effects)? == Progress::More {
                        self.send_effects().await?;
                    }
                }
                Watermark::Idle => self.chain.idle(place, &mut self.effects)?,
            }
            self.send_effects().await?;
        }
        if let Watermark::At(at) = watermark {
            self.metrics.set_watermark(at);
        }
        for tail in self.late.iter_mut().chain(&mut self.tails) {
            tail.watermark(watermark, &self.metrics).await?;
        }
        Ok(())
    }

    /// Sends a barrier through and acknowledges it with everything that has
    /// changed; `snapshot` has what the input adds.
    ///
    /// # Errors
    /// As [`Self::rows`], or if something cannot be made durable.
    pub async fn barrier(&mut self, barrier: Barrier, mut snapshot: TaskSnapshot) -> Result<()> {
        for place in 0..self.chain.len() {
            let delta = self.chain.barrier(place, barrier, &mut self.effects)?;
            snapshot.deltas.extend(delta);
            self.send_effects().await?;
        }
        let mut letters = Vec::new();
        if let Some(late) = &mut self.late {
            late.barrier(barrier, &self.metrics, &mut letters).await?;
        }
        for tail in &mut self.tails {
            let output = tail.barrier(barrier, &self.metrics, &mut letters).await?;
            snapshot.output = snapshot.output.or(output);
        }
        if !letters.is_empty() {
            self.put_aside(&letters)?;
        }
        snapshot.dead_letters = self.dead_letters.prepare()?;
        // Nobody listens any more when the job is being torn down.
        let _ = self.reports.send(Report::Acknowledged {
            task: self.id,
            checkpoint: barrier.checkpoint,
            snapshot,
        });
        Ok(())
    }

    /// Puts rows aside that could not be decoded.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn put_aside(&mut self, letters: &[DeadLetter]) -> Result<()> {
        let before = self.metrics.dead_letters.load(Ordering::Relaxed);
        if let (0, Some(first)) = (before, letters.first()) {
            tracing::warn!(
                origin = first.origin,
                reason = first.reason,
                "a row became a dead letter; further ones are only counted"
            );
        }
        TaskMetrics::add(&self.metrics.dead_letters, letters.len());
        Ok(self.dead_letters.append(letters)?)
    }

    /// When rows that wait for others have to be flushed.
    pub fn deadline(&self) -> Option<Instant> {
        let tails = self.tails.iter().filter_map(Tail::deadline);
        tails.chain(self.chain.deadline()).min()
    }

    /// Flushes the rows that wait for others.
    ///
    /// # Errors
    /// If the next stage has gone.
    pub async fn flush(&mut self) -> Result<()> {
        self.chain.flush(Instant::now(), &mut self.effects)?;
        self.send_effects().await?;
        for tail in &mut self.tails {
            tail.flush(&self.metrics).await?;
        }
        Ok(())
    }

    /// Whether [`Self::background`] has something to do.
    pub fn has_background(&mut self) -> bool {
        // Compared by number: whoever waits for a change takes its notice away.
        let decided = *self.decided.borrow_and_update();
        if decided != self.told {
            self.told = decided;
            self.chain.decided(decided);
            self.folding = true;
        }
        self.folding
    }

    /// Does a slice of what can wait.
    ///
    /// # Errors
    /// If an operator fails.
    pub fn background(&mut self) -> Result<()> {
        if self.has_background() {
            self.folding = self.chain.background(BACKGROUND_BUDGET)? == Progress::More;
        }
        Ok(())
    }

    /// Input has come: the time since the last call of [`Self::waiting`] was idle.
    pub fn working(&mut self) {
        let now = Instant::now();
        self.metrics
            .spent(Activity::Idle, now - self.stopwatch.mark);
        self.stopwatch.mark = now;
        self.stopwatch.blocked = self.metrics.times().blocked;
    }

    /// The task waits for input again: the time since [`Self::working`] was busy,
    /// apart from what it was blocked.
    pub fn waiting(&mut self) {
        let now = Instant::now();
        let blocked = self.metrics.times().blocked;
        let blocked = blocked.saturating_sub(self.stopwatch.blocked);
        let busy = (now - self.stopwatch.mark).saturating_sub(blocked);
        self.metrics.spent(Activity::Busy, busy);
        self.stopwatch.mark = now;
    }

    async fn send_effects(&mut self) -> Result<()> {
        if self.effects.late > 0 {
            TaskMetrics::add(&self.metrics.late_records, self.effects.late);
            self.effects.late = 0;
        }
        let mut letters = std::mem::take(&mut self.effects.dead_letters);
        if let Some(late) = &mut self.late {
            for batch in self.effects.late_rows.drain(..) {
                TaskMetrics::add(&self.metrics.records_out, batch.num_rows());
                late.send(batch, &self.metrics, &mut letters).await?;
            }
        }
        let (last, others) = self.tails.split_last_mut().expect("rows go somewhere");
        for batch in std::mem::take(&mut self.effects.rows) {
            TaskMetrics::add(&self.metrics.records_out, batch.num_rows());
            for tail in &mut *others {
                let batch = batch.clone();
                tail.send(batch, &self.metrics, &mut letters).await?;
            }
            last.send(batch, &self.metrics, &mut letters).await?;
        }
        if letters.is_empty() {
            return Ok(());
        }
        self.put_aside(&letters)
    }
}

/// Sleeps until `deadline`, or for ever.
pub(super) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

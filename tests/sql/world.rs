//! What the ends of a played pipeline share: its scripts, how it is broken off,
//! and what it has published.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;
use serde_json::Value;
use thalweg::clock::Clock;
use thalweg::connectors::{self, JobContext, OptionError, TableOptions};
use thalweg::metrics::TaskMetrics;
use thalweg::pipeline::{Ends, Status};
use thalweg::runtime::{Error, Result, SinkFactory, SourceFactory};
use thalweg::stream::EventTime;
use tokio_util::sync::CancellationToken;

use crate::golden::{Golden, Input};
use crate::script_sink::ScriptSink;
use crate::script_source::ScriptSource;

/// How a run is broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// It is not.
    Never,
    /// It is asked to stop.
    Stop,
    /// The source fails in a way that may pass.
    Restart,
    /// The source fails for good, and everything in memory is lost.
    Kill,
    /// As `Kill`, but behind a checkpoint with rows that the one before does not
    /// have, and every second decided output could not be published by then.
    KillUnpublished,
}

/// What the ends share through all runs of one play.
pub struct World {
    pub inputs: BTreeMap<String, Input>,
    /// The most rows of a batch of a source.
    pub batch_rows: usize,
    leg: Mutex<Leg>,
    clock: Arc<AtomicI64>,
    broken: AtomicBool,
    next_output: AtomicU64,
    published: Mutex<BTreeMap<u64, Publication>>,
    /// Decided outputs that the run which made them could not publish.
    refused: Mutex<BTreeSet<u64>>,
}

/// One run.
#[derive(Clone)]
struct Leg {
    parallelism: usize,
    breaks: Break,
    status: Arc<Status>,
    stop: CancellationToken,
}

/// Rows that became visible together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    pub table: String,
    /// The columns by which the table's rows are known, if they are.
    pub key: Vec<String>,
    /// Rows with whether they are added, or else taken back.
    pub rows: Vec<(bool, String)>,
}

impl World {
    pub fn new(golden: &Golden, batch_rows: usize) -> Self {
        Self {
            inputs: golden.inputs.clone(),
            batch_rows,
            leg: Mutex::new(Leg {
                parallelism: 1,
                breaks: Break::Never,
                status: Arc::default(),
                stop: CancellationToken::new(),
            }),
            clock: Arc::default(),
            broken: AtomicBool::new(false),
            next_output: AtomicU64::new(0),
            published: Mutex::default(),
            refused: Mutex::default(),
        }
    }

    /// Begins a run that is to be broken off so.
    pub fn begin(&self, parallelism: usize, breaks: Break) -> (Arc<Status>, CancellationToken) {
        let mut leg = self.leg.lock();
        leg.parallelism = parallelism;
        leg.breaks = breaks;
        leg.status = Arc::default();
        leg.stop = CancellationToken::new();
        self.broken.store(breaks == Break::Never, Ordering::SeqCst);
        (Arc::clone(&leg.status), leg.stop.clone())
    }

    pub fn parallelism(&self) -> usize {
        self.leg.lock().parallelism
    }

    /// Whether the run is still to be broken off.
    pub fn is_to_break(&self) -> bool {
        !self.broken.load(Ordering::SeqCst)
    }

    /// Breaks the run off, once.
    pub fn break_off(&self) -> Result<()> {
        if self.broken.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let leg = self.leg.lock().clone();
        match leg.breaks {
            Break::Never => Ok(()),
            Break::Stop => {
                leg.stop.cancel();
                Ok(())
            }
            Break::Restart => Err(Error::Retryable("planted failure".to_owned())),
            Break::Kill | Break::KillUnpublished => Err(Error::Fatal("planted end".to_owned())),
        }
    }

    /// Puts the clock of processing time forward.
    pub fn put_clock_forward(&self, to: EventTime) {
        self.clock.fetch_max(to.millis(), Ordering::SeqCst);
    }

    /// Whether a split is to wait for a checkpoint of each of its last rows.
    pub fn goes_by_checkpoints(&self) -> bool {
        self.leg.lock().breaks == Break::KillUnpublished
    }

    /// Whether the run was asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.leg.lock().stop.is_cancelled()
    }

    /// How many checkpoints were decided in this run.
    pub fn checkpoints(&self) -> u64 {
        let status = Arc::clone(&self.leg.lock().status);
        status.snapshot().checkpoints.completed
    }

    /// The counters of the tasks of the last life that was shown.
    pub fn tasks(&self) -> Vec<Arc<TaskMetrics>> {
        let status = Arc::clone(&self.leg.lock().status);
        status.snapshot().tasks
    }

    /// Whether the watermark has reached `at` at the last stage of a life other
    /// than that of the tasks `before`. In a job without exchange the source is
    /// the last stage.
    pub fn has_reached(&self, at: EventTime, before: &[Arc<TaskMetrics>]) -> bool {
        let tasks = self.tasks();
        let is_old = |task: &Arc<TaskMetrics>| before.iter().any(|old| Arc::ptr_eq(old, task));
        if tasks.is_empty() || tasks.iter().any(is_old) {
            return false;
        }
        let has_exchange = tasks.iter().any(|task| !task.is_source);
        let mut last = tasks.iter().filter(|task| !has_exchange || !task.is_source);
        last.all(|task| task.watermark() >= at)
    }

    /// A number that no output has had.
    pub fn next_output(&self) -> u64 {
        self.next_output.fetch_add(1, Ordering::SeqCst)
    }

    /// Fails for outputs that are to stay unpublished in this run: every second
    /// one, so that some behind them are published and confirmed all the same.
    pub fn may_publish(&self, output: u64) -> Result<()> {
        if self.leg.lock().breaks != Break::KillUnpublished || output.is_multiple_of(2) {
            return Ok(());
        }
        self.refused.lock().insert(output);
        Err(Error::Retryable("planted refusal".to_owned()))
    }

    /// How many outputs were left to a later run so.
    pub fn refused(&self) -> usize {
        self.refused.lock().len()
    }

    /// Makes rows visible; to do so again changes nothing.
    pub fn publish(&self, output: u64, publication: Publication) -> Result<()> {
        let mut published = self.published.lock();
        let first = published
            .entry(output)
            .or_insert_with(|| publication.clone());
        if *first == publication {
            return Ok(());
        }
        Err(Error::Fatal(format!("output {output} has changed")))
    }

    /// The rows that the tables hold in the end, sorted; one that was taken back and never
    /// was there says so.
    pub fn rows(&self) -> BTreeMap<String, Vec<String>> {
        let mut tables = BTreeMap::<String, Table>::new();
        for publication in self.published.lock().values() {
            let table = tables.entry(publication.table.clone()).or_default();
            for (adds, row) in &publication.rows {
                table.take(&publication.key, *adds, row);
            }
        }
        let rows = tables.into_iter();
        rows.map(|(name, table)| (name, table.rows())).collect()
    }
}

/// A table as changes make it.
#[derive(Default)]
struct Table {
    /// How often each row is there, if rows are not known by a key.
    counts: BTreeMap<String, i64>,
    /// The last row of each key.
    by_key: BTreeMap<String, String>,
}

impl Table {
    fn take(&mut self, key: &[String], adds: bool, row: &str) {
        if key.is_empty() {
            *self.counts.entry(row.to_owned()).or_default() += if adds { 1 } else { -1 };
            return;
        }
        let fields: Value = serde_json::from_str(row).expect("a row is JSON");
        let key: Vec<_> = key.iter().map(|name| fields[name].to_string()).collect();
        let key = key.join(" ");
        if adds {
            self.by_key.insert(key, row.to_owned());
        } else {
            self.by_key.remove(&key);
        }
    }

    fn rows(self) -> Vec<String> {
        let mut rows: Vec<String> = self.by_key.into_values().collect();
        for (row, count) in self.counts {
            let (times, row) = if count < 0 {
                (-count, format!("taken back: {row}"))
            } else {
                (count, row)
            };
            rows.extend((0..times).map(|_| row.clone()));
        }
        rows.sort();
        rows
    }
}

/// The connector `script` of one world.
pub struct ScriptEnds(pub Arc<World>);

type Made<T> = std::result::Result<Arc<T>, Vec<OptionError>>;

impl Ends for ScriptEnds {
    fn clock(&self) -> Clock {
        Clock::set_by(Arc::clone(&self.0.clock))
    }

    /// The rows of `VALUES` come from their own connector.
    fn source(
        &self,
        name: &str,
        table: &TableOptions,
        job: &JobContext,
    ) -> Made<dyn SourceFactory> {
        if name == "values" {
            return connectors::source(name, table, job);
        }
        Ok(Arc::new(ScriptSource::new(&self.0, table)?))
    }

    fn sink(&self, _: &str, table: &TableOptions, _: &JobContext) -> Made<dyn SinkFactory> {
        Ok(Arc::new(ScriptSink::new(&self.0, table)?))
    }
}

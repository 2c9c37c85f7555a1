//! A source at a steady rate and a sink that counts, which together see how long
//! a task keeps its source waiting, and whether a barrier was the reason, and how
//! long rows are on their way.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use arrow::array::{
    ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions, TimestampMillisecondArray,
};
use arrow::datatypes::{Int64Type, SchemaRef};
use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Value, json};
use thalweg::connectors::{JobContext, OptionError, TableOptions};
use thalweg::pipeline::{self, Ends, JobStatus, Options, Status};
use thalweg::runtime::{
    Committer, Discovery, Enumerator, Prepared, Result, Sink, SinkFactory, SinkTask, SourceEvent,
    SourceFactory, SourceReader, Split, Written,
};
use thalweg::sql::{SourceFile, render};
use thalweg::stream::{Barrier, Batch};
use tokio_util::sync::CancellationToken;

/// Rows of a batch, unless the rate asks for smaller ones.
const BATCH_ROWS: u64 = 8_192;

/// Rows that come at a steady rate. The column `id` of row n is n modulo `keys`, `at`
/// its event time and `row` n itself, by which the sink knows how long it was on its way.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Rows in a second, by the clock and in event time.
    pub rows_per_second: u64,
    /// Different keys.
    pub keys: u64,
    /// Rows in all.
    pub rows: u64,
    /// How far apart batches are, in milliseconds, if they do not get too large.
    pub batch_ms: u64,
}

/// What was seen of a run in one task, in the order of its happening.
#[derive(Debug, Default)]
pub struct Seen {
    /// How long the task was away from its source when it took part in a checkpoint.
    pub with_barrier: Mutex<Vec<Duration>>,
    /// How long it was away otherwise: a batch, or a slice of folding.
    pub without_barrier: Mutex<Vec<Duration>>,
    /// How much later than it was due each batch was taken.
    pub delays: Mutex<Vec<Duration>>,
    /// How long each row was on its way, from the time when it was due.
    pub latencies: Mutex<Vec<Duration>>,
    /// Rows that came out.
    pub rows_out: AtomicU64,
    began: OnceLock<Instant>,
    barrier: AtomicBool,
}

/// The source and the sink, whatever the names of their connectors.
pub struct SteadyEnds {
    /// What comes in.
    pub rate: Rate,
    /// What was seen.
    pub seen: Arc<Seen>,
}

impl Ends for SteadyEnds {
    fn source(
        &self,
        _name: &str,
        _table: &TableOptions,
        _job: &JobContext,
    ) -> std::result::Result<Arc<dyn SourceFactory>, Vec<OptionError>> {
        Ok(Arc::new(SteadySource {
            rate: self.rate,
            seen: Arc::clone(&self.seen),
        }))
    }

    fn sink(
        &self,
        _name: &str,
        _table: &TableOptions,
        _job: &JobContext,
    ) -> std::result::Result<Arc<dyn SinkFactory>, Vec<OptionError>> {
        Ok(Arc::new(CountingSink {
            rate: self.rate,
            seen: Arc::clone(&self.seen),
        }))
    }
}

#[derive(Debug)]
struct SteadySource {
    rate: Rate,
    seen: Arc<Seen>,
}

impl SourceFactory for SteadySource {
    fn enumerator(&self) -> Box<dyn Enumerator> {
        Box::new(OneSplit)
    }

    fn reader(&self, schema: &SchemaRef) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(SteadyReader {
            schema: Arc::clone(schema),
            rate: self.rate,
            seen: Arc::clone(&self.seen),
            began: Instant::now(),
            let_go: None,
            next_row: 0,
            split: None,
        }))
    }

    fn bounded(&self) -> bool {
        true
    }

    fn trusts_event_time(&self) -> bool {
        true
    }
}

/// Runs a program whose tables are all at these ends, in one worker.
///
/// # Errors
/// If it is refused or fails.
pub fn run_steadily(
    program: &str,
    rate: Rate,
    interval_ms: u64,
    seen: &Arc<Seen>,
) -> anyhow::Result<JobStatus> {
    let files = [SourceFile {
        name: "steady.sql".to_owned(),
        text: program.to_owned(),
    }];
    let interval = format!("{interval_ms} ms");
    let settings = BTreeMap::from([("execution.checkpointing.interval".to_owned(), interval)]);
    let ends = Arc::new(SteadyEnds {
        rate,
        seen: Arc::clone(seen),
    });
    let program = pipeline::compile_with(&files, &settings, ends)
        .map_err(|diagnostics| anyhow!(render(&diagnostics, &files)))?;
    let dir = tempfile::tempdir()?;
    let options = Options::new(dir.path().to_owned(), 1);
    let status = Arc::new(Status::default());
    let stop = CancellationToken::new();
    pipeline::run(program, options, Arc::clone(&status), stop)?;
    Ok(status.snapshot())
}

struct OneSplit;

#[async_trait]
impl Enumerator for OneSplit {
    async fn discover(&mut self, known: &[Split]) -> Result<Discovery> {
        let found = known.is_empty().then(|| Split {
            id: "all".to_owned(),
            spec: Value::Null,
        });
        Ok(Discovery {
            found: found.into_iter().collect(),
            complete: true,
        })
    }
}

struct SteadyReader {
    schema: SchemaRef,
    rate: Rate,
    seen: Arc<Seen>,
    began: Instant,
    /// When the task last turned away from this source.
    let_go: Option<Instant>,
    next_row: u64,
    split: Option<String>,
}

/// Notes when the task turns away from the source, be it with rows or because
/// something else came first.
struct Waiting<'a>(&'a mut Option<Instant>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        *self.0 = Some(Instant::now());
    }
}

#[async_trait]
impl SourceReader for SteadyReader {
    async fn add_split(&mut self, split: &Split, _position: Option<&Value>) -> Result<()> {
        self.split = Some(split.id.clone());
        self.began = *self.seen.began.get_or_init(Instant::now);
        Ok(())
    }

    async fn next(&mut self) -> Result<SourceEvent> {
        if let Some(let_go) = self.let_go {
            self.seen.came_back_after(let_go.elapsed());
        }
        let waiting = Waiting(&mut self.let_go);
        let Some(split) = self.split.clone() else {
            return std::future::pending().await;
        };
        if self.next_row == self.rate.rows {
            self.split = None;
            return Ok(SourceEvent::Finished { split });
        }
        let end = self.rate.rows.min(self.next_row + self.rate.batch_rows());
        let due = self.began + self.rate.time_of(end);
        tokio::time::sleep_until(due.into()).await;
        self.seen.delays.lock().push(due.elapsed());
        let records = self.rate.records(&self.schema, self.next_row, end);
        self.next_row = end;
        drop(waiting);
        Ok(SourceEvent::Rows {
            split,
            bytes: records.get_array_memory_size() as u64,
            records,
            kinds: None,
            dead_letters: Vec::new(),
            position: json!(end),
        })
    }
}

impl Seen {
    fn came_back_after(&self, away: Duration) {
        let with_barrier = self.barrier.swap(false, Ordering::Relaxed);
        let times = if with_barrier {
            &self.with_barrier
        } else {
            &self.without_barrier
        };
        times.lock().push(away);
    }
}

impl Rate {
    fn batch_rows(self) -> u64 {
        (self.rows_per_second * self.batch_ms / 1_000).clamp(1, BATCH_ROWS)
    }

    /// How long after the start the rows before row `row` have come.
    fn time_of(self, row: u64) -> Duration {
        Duration::from_micros(row * 1_000_000 / self.rows_per_second)
    }

    fn records(self, schema: &SchemaRef, first: u64, end: u64) -> RecordBatch {
        let rows = usize::try_from(end - first).expect("a batch has few rows");
        let columns = schema.fields().iter().map(|field| -> ArrayRef {
            let values = (first..end).map(|row| match field.name().as_str() {
                "row" => row.cast_signed(),
                "id" => (row % self.keys).cast_signed(),
                "at" => (row * 1_000 / self.rows_per_second).cast_signed(),
                _ => (row % 1_000).cast_signed(),
            });
            if field.name() == "at" {
                Arc::new(TimestampMillisecondArray::from_iter_values(values))
            } else {
                Arc::new(values.collect::<Int64Array>())
            }
        });
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns.collect(), &options)
            .expect("the benchmark's table has BIGINT columns and TIMESTAMP(3) `at`")
    }
}

#[derive(Clone, Debug)]
struct CountingSink {
    rate: Rate,
    seen: Arc<Seen>,
}

impl SinkFactory for CountingSink {
    fn sink(&self, _task: SinkTask) -> Result<Box<dyn Sink>> {
        Ok(Box::new(self.clone()))
    }

    fn committer(&self) -> Option<Arc<dyn Committer>> {
        None
    }
}

#[async_trait]
impl Sink for CountingSink {
    async fn write(&mut self, batch: Batch) -> Result<Written> {
        self.seen
            .rows_out
            .fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        if let (Some(rows), Some(began)) = (
            batch.records.column_by_name("row"),
            self.seen.began.get().copied(),
        ) {
            let since_began = began.elapsed();
            let rows = rows.as_primitive::<Int64Type>().values().iter();
            let late =
                rows.map(|row| since_began.saturating_sub(self.rate.time_of(row.cast_unsigned())));
            self.seen.latencies.lock().extend(late);
        }
        Ok(Written::default())
    }

    async fn prepare(&mut self, _barrier: Barrier) -> Result<Prepared> {
        self.seen.barrier.store(true, Ordering::Relaxed);
        Ok(Prepared::default())
    }
}

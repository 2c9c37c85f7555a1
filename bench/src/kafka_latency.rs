//! How long a record is on its way from one topic to another, as its reader sees it.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::Args;
use rdkafka::consumer::BaseConsumer;
use rdkafka::message::Message as _;
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, Producer};
use crate::cost::percentile;
use crate::job;
use crate::recorder::Recorder;

/// How long records that are due may be missing.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often the records that are due are written.
const TICK: Duration = Duration::from_millis(1);
/// What the 99th percentile may be if rows are written as they come.
const AT_LEAST_ONCE_MAX: Duration = Duration::from_millis(20);
/// What it may be if they are read once they are committed, in percent of the interval.
const EXACTLY_ONCE_MAX_PERCENT: u32 = 150;

/// From when a record is due until a reader of committed records has what became of it, with a
/// projection and a filter between two topics of a broker of its own.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Records in a second; they come every millisecond.
    #[arg(long, default_value_t = 10_000)]
    rate: u64,
    /// How long they come.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// How long they come before any is looked at.
    #[arg(long, default_value_t = 5)]
    warm_up: u64,
    /// From one checkpoint to the next, in milliseconds.
    #[arg(long, default_value_t = 1_000)]
    interval_ms: u32,
    /// Fail if they are longer on their way than they may; only an idle machine can tell.
    #[arg(long)]
    check: bool,
}

impl Arguments {
    fn rows(&self) -> u64 {
        self.rate * (self.seconds + self.warm_up)
    }

    fn rows_before(&self) -> u64 {
        self.rate * self.warm_up
    }
}

/// A record, on both sides.
#[derive(Deserialize)]
struct Row {
    row: u64,
    /// When it was due, in microseconds since the run began.
    due: u64,
}

/// Runs the pipeline with either guarantee.
///
/// # Errors
/// If there is no broker, a run fails, loses or doubles rows, or they are too long on their way.
pub fn run(arguments: &Arguments, recorder: &mut Recorder) -> Result<()> {
    let broker = Broker::start()?;
    let interval = Duration::from_millis(arguments.interval_ms.into());
    let mut slow = Vec::new();
    for (guarantee, max) in [
        ("at-least-once", AT_LEAST_ONCE_MAX),
        ("exactly-once", interval * EXACTLY_ONCE_MAX_PERCENT / 100),
    ] {
        let latencies = measured(guarantee, &broker, arguments)?;
        let parameters = json!({
            "guarantee": guarantee,
            "rows_per_second": arguments.rate,
            "seconds": arguments.seconds,
            "interval_ms": arguments.interval_ms,
        });
        for (figure, percent) in [("p50", 50), ("p99", 99), ("max", 100)] {
            let milliseconds = percentile(&latencies, percent).as_secs_f64() * 1e3;
            recorder.figure(figure, milliseconds, "ms", &parameters)?;
        }
        let p99 = percentile(&latencies, 99);
        if p99 > max {
            slow.push(format!("{guarantee} ({p99:?} of {max:?})"));
        }
    }
    ensure!(
        slow.is_empty() || !arguments.check,
        "the p99 is more than it may be: {}",
        slow.join(", ")
    );
    Ok(())
}

/// How long each row was on its way.
fn measured(guarantee: &str, broker: &Broker, arguments: &Arguments) -> Result<Vec<Duration>> {
    let (from, to) = (format!("{guarantee}-in"), format!("{guarantee}-out"));
    for topic in [&from, &to] {
        broker.make_topic(topic)?;
    }
    let program = format!(
        "SET 'execution.checkpointing.interval' = '{} ms';
         CREATE TABLE events (`row` BIGINT, due BIGINT) WITH ({},
           'scan.startup.mode' = 'earliest-offset');
         CREATE TABLE large (`row` BIGINT, due BIGINT) WITH ({},
           'sink.delivery-guarantee' = '{guarantee}');
         INSERT INTO large SELECT `row`, due FROM events WHERE `row` >= 0;",
        arguments.interval_ms,
        broker.options(&from),
        broker.options(&to),
    );
    let dir = tempfile::tempdir()?;
    let producer = broker.producer("0")?;
    let consumer = broker.consumer(&to)?;
    let stop = CancellationToken::new();
    let began = Instant::now();
    thread::scope(|scope| {
        let job = scope.spawn(|| job::run_until(stop.clone(), program, dir.path(), 1));
        let writer = scope.spawn(|| write(&producer, &from, began, arguments));
        let latencies = read(&consumer, began, arguments);
        stop.cancel();
        let died = |_| anyhow!("a thread has died");
        job.join().map_err(died)??;
        writer.join().map_err(died)??;
        latencies
    })
}

/// Writes rows at a steady rate.
fn write(producer: &Producer, topic: &str, began: Instant, arguments: &Arguments) -> Result<()> {
    let begins = began.elapsed();
    let gap = Duration::from_secs(1) / u32::try_from(arguments.rate)?;
    let mut row = 0;
    while row < arguments.rows() {
        let due = begins + gap * u32::try_from(row)?;
        if due > began.elapsed() {
            thread::park_timeout(TICK);
            continue;
        }
        let due = due.as_micros();
        producer.send(topic, row, &json!({ "row": row, "due": due }).to_string())?;
        row += 1;
    }
    producer.flush()
}

/// Reads all rows; how long those after the first ones were on their way.
fn read(consumer: &BaseConsumer, began: Instant, arguments: &Arguments) -> Result<Vec<Duration>> {
    let rows = usize::try_from(arguments.rows())?;
    let (mut has, mut left) = (vec![false; rows], rows);
    let mut latencies = Vec::with_capacity(rows);
    while left > 0 {
        let record = consumer.poll(PATIENCE);
        let record = record.with_context(|| format!("{left} rows of {rows} are missing"))??;
        let Row { row, due } = serde_json::from_slice(record.payload().unwrap_or_default())?;
        let seen = usize::try_from(row).ok().and_then(|row| has.get_mut(row));
        let seen = seen.with_context(|| format!("there is no row {row}"))?;
        ensure!(!std::mem::replace(seen, true), "row {row} came twice");
        left -= 1;
        if row >= arguments.rows_before() {
            latencies.push(began.elapsed().saturating_sub(Duration::from_micros(due)));
        }
    }
    Ok(latencies)
}

//! How long a checkpoint holds rows up, in the running engine.
//!
//! The whole pipeline (source, window aggregate, sink) runs as one task, so all
//! that a barrier does to rows happens between two reads of the source, and the
//! source measures it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Result, anyhow, ensure};
use clap::Args;
use serde_json::json;
use thalweg::pipeline::{self, JobStatus, Options, Status};
use thalweg::sql::{SourceFile, render};
use tokio_util::sync::CancellationToken;

use crate::cost::{measure, percentile, ratio};
use crate::ends::{Rate, Seen, SteadyEnds};
use crate::recorder::Recorder;

const PROGRAM: &str = "
CREATE TABLE events (id BIGINT, amount BIGINT, at TIMESTAMP(3),
  WATERMARK FOR at AS at - INTERVAL '1' SECOND) WITH ('connector' = 'steady');
CREATE TABLE sums (start_at TIMESTAMP(3), id BIGINT, events BIGINT, amount BIGINT)
  WITH ('connector' = 'counting');
INSERT INTO sums
SELECT window_start, id, COUNT(*), SUM(amount)
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(at), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, id;
";

/// How long a checkpoint of 100k or 1M changed keys a second holds rows up.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Rows in a second, each of another key: that many keys change in a second.
    #[arg(long, value_delimiter = ',', default_value = "100000,1000000")]
    rate: Vec<u64>,
    /// How long each rate lasts.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// From one checkpoint to the next, in milliseconds.
    #[arg(long, default_value_t = 1_000)]
    interval_ms: u64,
}

/// Runs the pipeline at each rate.
///
/// # Errors
/// If a run fails or loses rows.
pub fn run(arguments: &Arguments, recorder: &mut Recorder) -> Result<()> {
    for &rows_per_second in &arguments.rate {
        let rate = Rate {
            rows_per_second,
            keys: rows_per_second,
            rows: rows_per_second * arguments.seconds,
        };
        let seen = Arc::new(Seen::default());
        let (job, cost) = measure(|| run_pipeline(rate, arguments.interval_ms, &seen))?;
        let parameters = json!({
            "rows_per_second": rows_per_second,
            "keys": rate.keys,
            "seconds": arguments.seconds,
            "interval_ms": arguments.interval_ms,
            "checkpoints": job.checkpoints.completed,
        });
        let with_barrier = seen.with_barrier.lock();
        let without_barrier = seen.without_barrier.lock();
        let delays = seen.delays.lock();
        for (figure, times, percent) in [
            ("away for a barrier, p50", &with_barrier, 50),
            ("away for a barrier, p99", &with_barrier, 99),
            ("away for a barrier, max", &with_barrier, 100),
            ("away without a barrier, p50", &without_barrier, 50),
            ("away without a barrier, p99", &without_barrier, 99),
            ("away without a barrier, max", &without_barrier, 100),
            ("batch taken late, p99", &delays, 99),
            ("batch taken late, max", &delays, 100),
        ] {
            let milliseconds = percentile(times, percent).as_secs_f64() * 1e3;
            recorder.figure(figure, milliseconds, "ms", &parameters)?;
        }
        let per_million = cost.cpu_seconds / ratio(rate.rows) * 1e6;
        recorder.figure("CPU for a million rows", per_million, "CPU-s", &parameters)?;
    }
    Ok(())
}

fn run_pipeline(rate: Rate, interval_ms: u64, seen: &Arc<Seen>) -> Result<JobStatus> {
    let files = [SourceFile {
        name: "stall.sql".to_owned(),
        text: PROGRAM.to_owned(),
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
    pipeline::run(
        program,
        options,
        Arc::clone(&status),
        CancellationToken::new(),
    )?;
    let rows_out = seen.rows_out.load(Ordering::Relaxed);
    let windows = rate.rows.div_ceil(rate.rows_per_second * 10);
    let expected = windows * rate.keys;
    ensure!(
        rows_out == expected,
        "{rows_out} rows came out and not {expected}"
    );
    Ok(status.snapshot())
}

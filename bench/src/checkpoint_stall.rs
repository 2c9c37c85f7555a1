//! How long a checkpoint holds rows up, in the running engine.
//!
//! The whole pipeline (source, window aggregate, sink) runs as one task, so all
//! that a barrier does to rows happens between two reads of the source, and the
//! source measures it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::json;
use thalweg::pipeline::JobStatus;

use crate::cost::{measure, percentile, ratio};
use crate::ends::{Rate, Seen, run_steadily};
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

/// What the 99th percentile of the times away for a barrier may be.
const P99_MAX: Duration = Duration::from_millis(20);

/// Runs the pipeline at each rate.
///
/// # Errors
/// If a run fails, loses rows, or is held up for too long.
pub fn run(arguments: &Arguments, recorder: &mut Recorder) -> Result<()> {
    for &rows_per_second in &arguments.rate {
        let rate = Rate {
            rows_per_second,
            keys: rows_per_second,
            rows: rows_per_second * arguments.seconds,
            batch_ms: 10,
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
        let p99 = percentile(&with_barrier, 99);
        ensure!(
            p99 <= P99_MAX,
            "at {rows_per_second} rows a second the p99 is {p99:?}; it may be {P99_MAX:?}"
        );
    }
    Ok(())
}

fn run_pipeline(rate: Rate, interval_ms: u64, seen: &Arc<Seen>) -> Result<JobStatus> {
    let status = run_steadily(PROGRAM, rate, interval_ms, seen)?;
    let rows_out = seen.rows_out.load(Ordering::Relaxed);
    let windows = rate.rows.div_ceil(rate.rows_per_second * 10);
    let expected = windows * rate.keys;
    ensure!(
        rows_out == expected,
        "{rows_out} rows came out and not {expected}"
    );
    Ok(status)
}

//! How long a row that no window holds is on its way through the engine.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::json;

use crate::cost::percentile;
use crate::ends::{Rate, Seen, run_steadily};
use crate::recorder::Recorder;

const PROGRAM: &str = "
CREATE TABLE events (`row` BIGINT, amount BIGINT, at TIMESTAMP(3),
  WATERMARK FOR at AS at - INTERVAL '1' SECOND) WITH ('connector' = 'steady');
CREATE TABLE large (`row` BIGINT, amount BIGINT) WITH ('connector' = 'counting');
INSERT INTO large SELECT `row`, amount * 2 FROM events WHERE amount >= 0;
";

/// What the 99th percentile may be.
const P99_MAX: Duration = Duration::from_millis(20);

/// From when a row is due at the source until the sink has it; with checkpoints.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Rows in a second; they come every millisecond.
    #[arg(long, default_value_t = 100_000)]
    rate: u64,
    /// How long they come.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// From one checkpoint to the next, in milliseconds.
    #[arg(long, default_value_t = 1_000)]
    interval_ms: u64,
}

/// Runs the pipeline.
///
/// # Errors
/// If the run fails, loses rows, or rows are too long on their way.
pub fn run(arguments: &Arguments, recorder: &mut Recorder) -> Result<()> {
    let rate = Rate {
        rows_per_second: arguments.rate,
        keys: 1,
        rows: arguments.rate * arguments.seconds,
        batch_ms: 1,
    };
    let seen = Arc::new(Seen::default());
    let job = run_steadily(PROGRAM, rate, arguments.interval_ms, &seen)?;
    let rows_out = seen.rows_out.load(Ordering::Relaxed);
    ensure!(
        rows_out == rate.rows,
        "{rows_out} rows came out and not {}",
        rate.rows
    );
    let parameters = json!({
        "rows_per_second": arguments.rate,
        "seconds": arguments.seconds,
        "interval_ms": arguments.interval_ms,
        "checkpoints": job.checkpoints.completed,
    });
    let latencies = seen.latencies.lock();
    for (figure, percent) in [("p50", 50), ("p99", 99), ("max", 100)] {
        let milliseconds = percentile(&latencies, percent).as_secs_f64() * 1e3;
        recorder.figure(figure, milliseconds, "ms", &parameters)?;
    }
    let p99 = percentile(&latencies, 99);
    ensure!(p99 <= P99_MAX, "the p99 is {p99:?}; it may be {P99_MAX:?}");
    Ok(())
}

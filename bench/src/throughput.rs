//! Events per second of one core: whole pipelines over files and generated rows.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use clap::{Args, ValueEnum};
use serde_json::json;
use thalweg::pipeline::{self, Options, OutputFormat, Status};
use thalweg::sql::{SourceFile, render};
use tokio_util::sync::CancellationToken;

use crate::cost::{Cost, measure, median, ratio};
use crate::recorder::Recorder;

/// Keys of the rows in the file.
const KEYS: u64 = 10_000;

/// Events per CPU-second of whole pipelines, with checkpoints, from a warm page cache.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The pipelines.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "json-tumble,datagen-blackhole"
    )]
    pipeline: Vec<Pipeline>,
    /// Rows that each pipeline reads.
    #[arg(long, default_value_t = 4_000_000)]
    rows: u64,
    /// Runs of each pipeline, of which the one in the middle counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Threads of the engine, and tasks of a stage.
    #[arg(long, default_value_t = 1)]
    workers: usize,
}

/// A pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Pipeline {
    /// Lines of JSON, counted and summed by key in windows of ten seconds.
    JsonTumble,
    /// Generated rows, forgotten.
    DatagenBlackhole,
}

impl Pipeline {
    fn program(self, rows: u64, input: &Path) -> String {
        match self {
            Self::JsonTumble => format!(
                "CREATE TABLE events (id BIGINT, amount BIGINT, at TIMESTAMP(3),
                   WATERMARK FOR at AS at - INTERVAL '1' SECOND)
                 WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'json');
                 CREATE TABLE sums (start_at TIMESTAMP(3), id BIGINT, events BIGINT, amount BIGINT)
                 WITH ('connector' = 'blackhole');
                 INSERT INTO sums
                 SELECT window_start, id, COUNT(*), SUM(amount)
                 FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(at), INTERVAL '10' SECOND))
                 GROUP BY window_start, window_end, id;",
                input.display()
            ),
            Self::DatagenBlackhole => format!(
                "CREATE TABLE events (id BIGINT, amount BIGINT, at TIMESTAMP(3))
                 WITH ('connector' = 'datagen', 'rows-per-second' = '-1', 'number-of-rows' = '{rows}');
                 CREATE TABLE nowhere (id BIGINT, amount BIGINT, at TIMESTAMP(3))
                 WITH ('connector' = 'blackhole');
                 INSERT INTO nowhere SELECT * FROM events;"
            ),
        }
    }
}

/// Runs each pipeline several times.
///
/// # Errors
/// If a run fails or does not read all rows.
pub fn run(arguments: &Arguments, recorder: &mut Recorder) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let input = dir.path().join("input");
    let bytes = write_input(&input, arguments.rows)?;
    for &pipeline in &arguments.pipeline {
        let program = pipeline.program(arguments.rows, &input);
        let mut costs = Vec::with_capacity(arguments.runs);
        for _ in 0..arguments.runs {
            costs.push(run_once(&program, arguments)?);
        }
        let cpu = median(costs.iter().map(|cost| cost.cpu_seconds).collect());
        let wall = median(costs.iter().map(|cost| cost.wall_seconds).collect());
        let name = pipeline.to_possible_value();
        let name = name.as_ref().map_or("", |name| name.get_name());
        let bytes_per_row = match pipeline {
            Pipeline::JsonTumble => ratio(bytes) / ratio(arguments.rows),
            Pipeline::DatagenBlackhole => 0.0,
        };
        let parameters = json!({
            "pipeline": name,
            "rows": arguments.rows,
            "bytes_per_row": bytes_per_row,
            "keys": KEYS,
            "workers": arguments.workers,
            "runs": arguments.runs,
        });
        let events_per_core = ratio(arguments.rows) / cpu;
        recorder.figure(
            "events per core",
            events_per_core,
            "events/CPU-s",
            &parameters,
        )?;
        let per_million = cpu / ratio(arguments.rows) * 1e6;
        recorder.figure(
            "CPU for a million events",
            per_million,
            "CPU-s",
            &parameters,
        )?;
        recorder.figure("time on the clock", wall, "s", &parameters)?;
    }
    Ok(())
}

fn run_once(program: &str, arguments: &Arguments) -> Result<Cost> {
    let files = [SourceFile {
        name: "throughput.sql".to_owned(),
        text: program.to_owned(),
    }];
    let program = pipeline::compile(&files, &BTreeMap::new())
        .map_err(|diagnostics| anyhow!(render(&diagnostics, &files)))?;
    let dir = tempfile::tempdir()?;
    let options = Options {
        data_dir: Some(dir.path().to_owned()),
        workers: arguments.workers,
        memory_bytes: None,
        fresh: false,
        abandon: false,
        settings: BTreeMap::new(),
        grace: Duration::from_secs(25),
        output: OutputFormat::Json,
    };
    let status = Arc::new(Status::default());
    let run = || {
        Ok(pipeline::run(
            program,
            options,
            Arc::clone(&status),
            CancellationToken::new(),
        )?)
    };
    let (_, cost) = measure(run)?;
    let read = status
        .snapshot()
        .progress
        .map_or(0, |progress| progress.rows);
    ensure!(
        read == arguments.rows,
        "{read} rows were read of {}",
        arguments.rows
    );
    Ok(cost)
}

/// Writes one file of JSON lines, a thousand to a second of event time; returns its length.
fn write_input(dir: &Path, rows: u64) -> Result<u64> {
    std::fs::create_dir(dir)?;
    let path = dir.join("events.json");
    let mut file = BufWriter::new(File::create(&path)?);
    for row in 0..rows {
        let seconds = row / 1_000;
        // A prime that shares no factor with the number of keys mixes them.
        writeln!(
            file,
            r#"{{"id":{},"amount":{},"at":"2026-01-{:02} {:02}:{:02}:{:02}.{:03}"}}"#,
            row * 7_919 % KEYS,
            row % 1_000,
            1 + seconds / 86_400,
            seconds / 3_600 % 24,
            seconds / 60 % 60,
            seconds % 60,
            row % 1_000,
        )?;
    }
    file.flush()?;
    Ok(std::fs::metadata(&path)?.len())
}

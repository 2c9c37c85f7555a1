//! Events per second of one core: whole pipelines over files and generated events.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::json;

use crate::bids;
use crate::cost::{Cost, measure, median, ratio};
use crate::flink;
use crate::generator::Generator;
use crate::job;
use crate::pipelines::{Input, PIPELINES, Pipeline, Target};
use crate::recorder::Recorder;

/// The generator makes so many events for one of the file's, as it is so much faster.
const EVENTS_PER_ROW: u64 = 5;

/// Flink has to take so many times the CPU.
const TIMES_LESS_THAN_FLINK: f64 = 8.0;

/// Events per CPU-second of whole pipelines, with checkpoints, from a warm page cache.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The pipelines; all of them without this.
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(PIPELINES.iter().map(|pipeline| pipeline.name)))]
    pipeline: Vec<String>,
    /// Lines of the file that a pipeline reads; the generator makes five times as many events.
    #[arg(long, default_value_t = 4_000_000)]
    rows: u64,
    /// Runs of each pipeline, of which the one in the middle counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Threads of the engine, and tasks of a stage.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// So many runs of Flink over the same file, in one process, of which the cheapest counts;
    /// fails if it takes less than eight times the CPU.
    #[arg(long, default_value_t = 0, value_name = "RUNS")]
    flink: usize,
}

/// Runs each pipeline several times.
///
/// # Errors
/// If a run fails, does not read all rows, or is slower than it must be.
pub fn run(arguments: &Arguments, recorder: &mut Recorder) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut inputs = Inputs {
        dir: dir.path().to_owned(),
        rows: arguments.rows,
        files: HashMap::new(),
    };
    let named = |pipeline: &&Pipeline| {
        let all = arguments.pipeline.is_empty();
        all || arguments.pipeline.iter().any(|name| name == pipeline.name)
    };
    let mut slow = Vec::new();
    for pipeline in PIPELINES.iter().filter(named) {
        let (table, bytes) = inputs.table(pipeline.input)?;
        let mut costs = Vec::with_capacity(arguments.runs);
        for _ in 0..arguments.runs {
            costs.push(run_once(pipeline, &table, arguments)?);
        }
        let cpu = median(costs.iter().map(|cost| cost.cpu_seconds).collect());
        let wall = median(costs.iter().map(|cost| cost.wall_seconds).collect());
        let events = events_of(pipeline.input, arguments.rows);
        let parameters = json!({
            "pipeline": pipeline.name,
            "events": events,
            "bytes_per_event": ratio(bytes) / ratio(events),
            "workers": arguments.workers,
            "runs": arguments.runs,
        });
        let mut note =
            |figure: &str, value, unit: &str| recorder.figure(figure, value, unit, &parameters);
        let per_core = ratio(events) / cpu;
        note("events per core", per_core, "events/CPU-s")?;
        note(
            "CPU for a million events",
            cpu / ratio(events) * 1e6,
            "CPU-s",
        )?;
        note("time on the clock", wall, "s")?;
        if arguments.flink > 0 && matches!(pipeline.input, Input::File { .. }) {
            let text = format!("{table}\n{}", pipeline.program);
            let of_flink = flink::cpu_seconds(&text, dir.path(), arguments.flink)?;
            let of_million = of_flink / ratio(events) * 1e6;
            note("CPU of Flink for a million events", of_million, "CPU-s")?;
            note("CPU of Flink to ours", of_flink / cpu, "times")?;
            if of_flink < cpu * TIMES_LESS_THAN_FLINK {
                slow.push(format!(
                    "{} ({:.1} times less than Flink)",
                    pipeline.name,
                    of_flink / cpu
                ));
            }
        }
        let target = match pipeline.target {
            Target::EventsPerCore(target) => target,
            Target::ShareOfSource(share) => {
                let source = source_alone(events, arguments.runs)?;
                note(
                    "events of the source alone per core",
                    source,
                    "events/CPU-s",
                )?;
                share * source
            }
        };
        if per_core < target {
            let [found, target] = [per_core, target].map(|events| events / 1e6);
            slow.push(format!("{} ({found:.1} M of {target:.1} M)", pipeline.name));
        }
    }
    ensure!(
        slow.is_empty(),
        "slower than they must be: {}",
        slow.join(", ")
    );
    Ok(())
}

/// Events per CPU-second of the generator, all columns of a bid.
fn source_alone(events: u64, runs: usize) -> Result<f64> {
    let generator = Generator::new(&bids::all_columns(), events)?;
    let mut cpu = Vec::with_capacity(runs);
    for _ in 0..runs {
        let (_, cost) = measure(|| generator.read())?;
        cpu.push(cost.cpu_seconds);
    }
    Ok(ratio(events) / median(cpu))
}

fn events_of(input: Input, rows: u64) -> u64 {
    match input {
        Input::File { .. } => rows,
        Input::Generator => rows * EVENTS_PER_ROW,
    }
}

/// How many of the events are rows of the table.
fn rows_of(input: Input, rows: u64) -> u64 {
    let events = events_of(input, rows);
    match input {
        Input::File { .. } => events,
        // Of a round of 50 events the last 46 are bids.
        Input::Generator => events / 50 * 46 + (events % 50).saturating_sub(4),
    }
}

/// The files that were written so far.
struct Inputs {
    dir: PathBuf,
    rows: u64,
    files: HashMap<u64, u64>,
}

impl Inputs {
    /// The table `bid`, and how many bytes are behind it.
    fn table(&mut self, input: Input) -> Result<(String, u64)> {
        match input {
            Input::File { auctions } => {
                let path = self.dir.join(format!("{auctions}-auctions"));
                let bytes = match self.files.get(&auctions) {
                    Some(&bytes) => bytes,
                    None => bids::write_file(&path, self.rows, auctions)?,
                };
                self.files.insert(auctions, bytes);
                let path = path.display();
                let table = format!(
                    "CREATE TABLE bid ({}) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json');",
                    bids::COLUMNS
                );
                Ok((table, bytes))
            }
            Input::Generator => {
                let events = events_of(input, self.rows);
                let table = format!(
                    "CREATE TABLE bid ({}) WITH ('connector' = 'nexmark', 'event' = 'bid', \
                     'events.num' = '{events}', 'start-time' = '2026-01-01 00:00:00');",
                    bids::COLUMNS
                );
                Ok((table, 0))
            }
        }
    }
}

fn run_once(pipeline: &Pipeline, table: &str, arguments: &Arguments) -> Result<Cost> {
    let dir = tempfile::tempdir()?;
    let program = pipeline
        .program
        .replace("{output}", &folder(dir.path(), "output"));
    let text = format!("{table}\n{program}");
    let (read, cost) = job::run(text, dir.path(), arguments.workers)?;
    let expected = rows_of(pipeline.input, arguments.rows);
    ensure!(read == expected, "{read} rows were read of {expected}");
    Ok(cost)
}

fn folder(dir: &Path, name: &str) -> String {
    dir.join(name).display().to_string()
}

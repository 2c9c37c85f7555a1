//! What a checkpoint costs: some keys of a large state have changed.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use thalweg::stream::EventTime;

use crate::cost::{Cost, median, ratio};
use crate::keyed_state::{Key, KeyedState, sample};
use crate::recorder::Recorder;

/// What a checkpoint of 1k, 100k, 1M changed keys costs over a large state.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Keys in the state.
    #[arg(long, default_value_t = 10_000_000)]
    keys: u64,
    /// Keys that change from one checkpoint to the next.
    #[arg(long, value_delimiter = ',', default_value = "1000,100000,1000000")]
    changed: Vec<u64>,
    /// Checkpoints of each size.
    #[arg(long, default_value_t = 11)]
    checkpoints: u64,
    /// The type of the key.
    #[arg(long, value_enum, default_value = "bigint")]
    key: Key,
}

/// Loads the state, then makes checkpoints of each size and folds between them.
///
/// # Errors
/// If the store fails.
pub fn run(arguments: &Arguments, recorder: &mut Recorder) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut state = KeyedState::create(dir.path(), arguments.key)?;
    state.load(arguments.keys, 250_000)?;
    for &changed in &arguments.changed {
        checkpoints(arguments, &mut state, changed, recorder)?;
        state.settle()?;
    }
    Ok(())
}

fn checkpoints(
    arguments: &Arguments,
    state: &mut KeyedState,
    changed: u64,
    recorder: &mut Recorder,
) -> Result<()> {
    let mut commits: Vec<Cost> = Vec::new();
    let mut folding = 0.0;
    let (mut delta_bytes, mut page_bytes) = (0, 0);
    for round in 0..arguments.checkpoints {
        let keys = sample(arguments.keys, changed, round)?;
        let committed = state.commit(EventTime::MAX, &keys)?;
        commits.push(committed.cost);
        delta_bytes += committed.written.delta_bytes;
        page_bytes += committed.written.page_bytes;
        folding += state.fold()?.map_or(0.0, |cost| cost.cpu_seconds);
    }
    let rounds = ratio(arguments.checkpoints);
    let cpu: Vec<f64> = commits.iter().map(|cost| cost.cpu_seconds).collect();
    let wall: Vec<f64> = commits.iter().map(|cost| cost.wall_seconds).collect();
    let parameters = json!({
        "keys": arguments.keys,
        "changed": changed,
        "key": arguments.key.name(),
        "checkpoints": arguments.checkpoints,
    });
    let mean = cpu.iter().sum::<f64>() / rounds;
    let worst = wall.iter().copied().fold(0.0, f64::max);
    let per_key = |bytes: u64| ratio(bytes) / rounds / ratio(changed);
    for (figure, value, unit) in [
        ("commit, median", median(cpu), "CPU-s"),
        ("commit with pages, mean", mean, "CPU-s"),
        ("folding, mean", folding / rounds, "CPU-s"),
        ("commit, median on the clock", median(wall), "s"),
        ("commit, longest on the clock", worst, "s"),
        ("deltas written", per_key(delta_bytes), "bytes/key"),
        ("pages written", per_key(page_bytes), "bytes/key"),
    ] {
        recorder.figure(figure, value, unit, &parameters)?;
    }
    Ok(())
}

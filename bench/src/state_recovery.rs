//! How long a restart takes: the file is opened, its rows are read, and the
//! operators take them over.

use std::sync::Arc;

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::json;
use thalweg::stream::{EventTime, KeyGroups};

use crate::cost::{measure, ratio};
use crate::keyed_state::{Key, KeyedState, sample};
use crate::recorder::Recorder;

/// How long a restart takes for a GB of state, with the file in the page cache.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Keys in the state.
    #[arg(long, default_value_t = 10_000_000)]
    keys: u64,
    /// Tasks among which the key groups are divided.
    #[arg(long, default_value_t = 2)]
    tasks: usize,
    /// The share of the keys, in percent, whose last change is still in the delta log.
    #[arg(long, default_value_t = 20)]
    unfolded: u64,
    /// The type of the key.
    #[arg(long, value_enum, default_value = "bigint")]
    key: Key,
}

/// Makes a state, closes it, and restores it as a restart does.
///
/// # Errors
/// If the store fails, or restores another number of keys.
pub fn run(arguments: &Arguments, recorder: &mut Recorder) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut state = KeyedState::create(dir.path(), arguments.key)?;
    state.load(arguments.keys, 250_000)?;
    let changed = sample(arguments.keys, arguments.keys * arguments.unfolded / 100, 1)?;
    for keys in changed.chunks(250_000) {
        state.commit(EventTime::MAX, keys)?;
    }
    let size = state.store.stats();
    let gigabytes = ratio(size.page_bytes + size.delta_bytes) / 1e9;
    drop(state);

    let (mut state, open) = measure(|| KeyedState::open(dir.path(), arguments.key))?;
    let schema = state.schema();
    let (loaded, load) = measure(|| {
        let ranges = (0..arguments.tasks)
            .map(|task| KeyGroups::DEFAULT.range_of_task(task, arguments.tasks));
        let mut loaded = Vec::new();
        for range in ranges {
            loaded.extend(state.store.load(&schema, range)?);
        }
        Ok(loaded)
    })?;
    let layout = Arc::clone(&state.layout);
    let (keys, restore) = measure(|| {
        let mut keys = 0;
        for restored in &loaded {
            let mut accumulators = layout.accumulators()?;
            for (_, rows) in &restored.rows {
                accumulators.merge(rows)?;
            }
            keys += accumulators.num_groups() as u64;
        }
        Ok(keys)
    })?;
    ensure!(
        keys == arguments.keys,
        "{keys} keys were restored of {}",
        arguments.keys
    );
    let parameters = json!({
        "keys": arguments.keys,
        "key": arguments.key.name(),
        "tasks": arguments.tasks,
        "unfolded_percent": arguments.unfolded,
        "gigabytes": gigabytes,
    });
    let store_cpu = open.cpu_seconds + load.cpu_seconds;
    let store_wall = open.wall_seconds + load.wall_seconds;
    for (figure, value, unit) in [
        ("open", open.cpu_seconds / gigabytes, "CPU-s/GB"),
        ("load", load.cpu_seconds / gigabytes, "CPU-s/GB"),
        ("open and load", store_cpu / gigabytes, "CPU-s/GB"),
        (
            "open and load, on the clock",
            store_wall / gigabytes,
            "s/GB",
        ),
        (
            "operators take over",
            restore.cpu_seconds / gigabytes,
            "CPU-s/GB",
        ),
        (
            "all, for a million keys",
            (store_cpu + restore.cpu_seconds) / ratio(keys) * 1e6,
            "CPU-s",
        ),
    ] {
        recorder.figure(figure, value, unit, &parameters)?;
    }
    Ok(())
}

//! How much of a disk a state takes after it was updated many times over.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::json;
use thalweg::state::Written;
use thalweg::stream::EventTime;

use crate::cost::ratio;
use crate::keyed_state::{Committed, Key, KeyedState, sample};
use crate::recorder::Recorder;

/// What the allocated bytes may be of the live bytes, and the file of the most
/// that was ever allocated. The file counts by the blocks of the disk that it
/// holds: redb doubles its length when it is full, which leaves a hole that takes
/// nothing until it is written.
const ALLOCATED_PER_LIVE_MAX: f64 = 2.0;
const FILE_PER_ALLOCATED_MAX: f64 = 2.0;

/// Checkpoints for which a window stays open.
const WINDOW_CHECKPOINTS: u64 = 10;

/// How much of the disk a state takes after updates of 20 times its live bytes;
/// fails if that is more than twice what it needs.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Keys in the state.
    #[arg(long, default_value_t = 2_000_000)]
    keys: u64,
    /// The share of the keys that change with a checkpoint, in percent.
    #[arg(long, value_delimiter = ',', default_value = "5")]
    changed: Vec<u64>,
    /// How often the live bytes are written in all.
    #[arg(long, default_value_t = 20)]
    times: u64,
    /// What happens to the rows.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "updates,windows"
    )]
    work: Vec<Work>,
    /// The type of the key.
    #[arg(long, value_enum, default_value = "bigint")]
    key: Key,
}

/// What happens to the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Work {
    /// The same keys change again and again.
    Updates,
    /// Windows are filled and closed.
    Windows,
}

/// What was seen of the file.
#[derive(Debug, Default)]
struct Seen {
    allocated: u64,
    allocated_max: u64,
    /// What the file holds of the disk.
    file: u64,
    /// How long the file is.
    length: u64,
}

impl Seen {
    /// Looks at the file after a checkpoint. Before the checkpoint's transaction
    /// was over, what it wrote had its place beside everything that was there.
    fn look(&mut self, state: &mut KeyedState, dir: &Path, written: Written) -> Result<()> {
        let in_commit = self.allocated + written.delta_bytes + written.page_bytes;
        self.allocated = state.store.allocated_bytes()?;
        self.allocated_max = self.allocated_max.max(self.allocated).max(in_commit);
        self.length = state.store.stats().file_bytes;
        self.file = bytes_on_disk(dir)?;
        Ok(())
    }
}

/// What the files of a folder hold of the disk.
///
/// # Errors
/// If they cannot be looked at.
pub fn bytes_on_disk(dir: &Path) -> Result<u64> {
    /// The unit of `st_blocks`, whatever blocks the file system has.
    const BLOCK_BYTES: u64 = 512;
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        bytes += entry?.metadata()?.blocks() * BLOCK_BYTES;
    }
    Ok(bytes)
}

/// Measures each kind of work with each share of changed keys.
///
/// # Errors
/// If the store fails or a bound does not hold.
pub fn run(arguments: &Arguments, recorder: &mut Recorder) -> Result<()> {
    let mut broken = Vec::new();
    for &work in &arguments.work {
        for &changed in &arguments.changed {
            broken.extend(measure(arguments, work, changed, recorder)?);
        }
    }
    ensure!(broken.is_empty(), "{}", broken.join("; "));
    Ok(())
}

/// Returns which bounds do not hold.
fn measure(
    arguments: &Arguments,
    work: Work,
    changed_percent: u64,
    recorder: &mut Recorder,
) -> Result<Vec<String>> {
    let dir = tempfile::tempdir()?;
    let mut state = KeyedState::create(dir.path(), arguments.key)?;
    let changed = (arguments.keys * changed_percent / 100).max(1);
    let checkpoints = arguments.keys * arguments.times / changed;
    let live = match work {
        Work::Updates => arguments.keys,
        Work::Windows => arguments.keys.min(changed * WINDOW_CHECKPOINTS),
    } * arguments.key.row_bytes();
    if work == Work::Updates {
        state.load(arguments.keys, changed)?;
    }
    let mut seen = Seen::default();
    seen.look(&mut state, dir.path(), Written::default())?;
    for round in 0..checkpoints {
        let committed = match work {
            Work::Updates => {
                let keys = sample(arguments.keys, changed, round)?;
                state.commit(EventTime::MAX, &keys)?
            }
            Work::Windows => fill_window(&mut state, arguments.keys, changed, round)?,
        };
        seen.look(&mut state, dir.path(), committed.written)?;
        state.fold()?;
    }
    let parameters = json!({
        "work": format!("{work:?}").to_lowercase(),
        "keys": arguments.keys,
        "key": arguments.key.name(),
        "changed_percent": changed_percent,
        "live_bytes": live,
        "checkpoints": checkpoints,
    });
    let per_live = ratio(seen.allocated) / ratio(live);
    let per_live_max = ratio(seen.allocated_max) / ratio(live);
    let per_allocated = ratio(seen.file) / ratio(seen.allocated_max);
    let length_per_allocated = ratio(seen.length) / ratio(seen.allocated_max);
    for (figure, value) in [
        ("allocated / live", per_live),
        ("most allocated / live", per_live_max),
        ("file / most allocated", per_allocated),
        ("length / most allocated", length_per_allocated),
    ] {
        recorder.figure(figure, value, "ratio", &parameters)?;
    }
    let bounds = [
        ("allocated / live", per_live, ALLOCATED_PER_LIVE_MAX),
        (
            "file / most allocated",
            per_allocated,
            FILE_PER_ALLOCATED_MAX,
        ),
    ];
    let broken = bounds.iter().filter(|(_, value, max)| value > max);
    Ok(broken
        .map(|(figure, value, max)| {
            format!("{figure} is {value:.2}, more than {max}, with {parameters}")
        })
        .collect())
}

/// Adds keys to the open window; the first checkpoint of a window closes the one before.
fn fill_window(state: &mut KeyedState, keys: u64, changed: u64, round: u64) -> Result<Committed> {
    const WINDOW_MS: u64 = 1_000;
    let (window, part) = (round / WINDOW_CHECKPOINTS, round % WINDOW_CHECKPOINTS);
    let end = |window: u64| EventTime::from_millis((window * WINDOW_MS).cast_signed());
    if part == 0 {
        state.close(end(window));
    }
    let in_window = sample(keys, keys.min(changed * WINDOW_CHECKPOINTS), window)?;
    let changed = usize::try_from(changed)?;
    let part = usize::try_from(part)?;
    let taken = in_window.chunks(changed).nth(part).unwrap_or_default();
    state.commit(end(window + 1), taken)
}

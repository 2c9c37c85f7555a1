//! Plays a golden in every way; all ways must come to the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use thalweg::pipeline::{self, CheckedProgram, Options, Outcome};
use thalweg::sql::SourceFile;
use thalweg::state::{OpenOptions, Store, read_dead_letters};
use thalweg::stream::OperatorId;

use crate::golden::Golden;
use crate::world::{Break, ScriptEnds, World};

/// A way of playing: its runs one after another on one data directory.
#[derive(Debug)]
pub struct Way {
    pub name: &'static str,
    batch_rows: usize,
    /// Parallelism, and how the run is broken off.
    legs: &'static [(usize, Break)],
}

/// All ways.
pub const WAYS: [Way; 8] = [
    way("straight", 8_192, &[(1, Break::Never)]),
    way("row by row", 1, &[(2, Break::Never)]),
    way("stopped", 8_192, &[(2, Break::Stop), (3, Break::Never)]),
    way("restarted", 3, &[(2, Break::Restart)]),
    way("killed", 8_192, &[(2, Break::Kill), (1, Break::Never)]),
    way("killed narrow", 2, &[(1, Break::Kill), (3, Break::Never)]),
    way(
        "killed twice",
        1,
        &[(3, Break::Kill), (2, Break::Kill), (2, Break::Never)],
    ),
    way(
        "killed unpublished",
        1_000,
        &[(2, Break::KillUnpublished), (3, Break::Never)],
    ),
];

const fn way(name: &'static str, batch_rows: usize, legs: &'static [(usize, Break)]) -> Way {
    Way {
        name,
        batch_rows,
        legs,
    }
}

/// A split is read in no more than about so many batches.
const BATCHES: usize = 500;

/// Plays a golden in one way; how many decided outputs were left to a restart.
pub fn play(golden: &Golden, way: &Way) -> Result<usize, String> {
    let world = Arc::new(World::new(
        golden,
        way.batch_rows.max(golden.rows() / BATCHES),
    ));
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    for (number, &(parallelism, breaks)) in way.legs.iter().enumerate() {
        run(golden, &world, directory.path(), parallelism, breaks)
            .map_err(|error| format!("run {number}: {error}"))?;
    }
    let mut wrong = Vec::new();
    let rows = world.rows();
    for table in golden.outputs.keys().chain(rows.keys()) {
        let none = Vec::new();
        let expected = golden.outputs.get(table).unwrap_or(&none);
        let found = rows.get(table).unwrap_or(&none);
        wrong.extend(difference(table, expected, found));
    }
    let letters = dead_letters(directory.path())?;
    wrong.extend(difference("dead letters", &golden.dead_letters, &letters));
    let late = late_records(directory.path())?;
    if late != golden.late {
        wrong.push(format!("{late} late rows, not {}", golden.late));
    }
    wrong.dedup();
    if wrong.is_empty() {
        Ok(world.refused())
    } else {
        Err(wrong.join("\n"))
    }
}

/// Compiles a golden's program for a world.
pub fn compile(
    golden: &Golden,
    world: &Arc<World>,
    parallelism: usize,
) -> Result<CheckedProgram, String> {
    let file = SourceFile {
        name: "golden.sql".to_owned(),
        text: golden.statement.clone(),
    };
    let settings = [
        ("execution.checkpointing.interval", "10 ms"),
        ("restart-strategy.type", "fixed-delay"),
        ("restart-strategy.fixed-delay.attempts", "1"),
        ("restart-strategy.fixed-delay.delay", "1 ms"),
        ("parallelism.default", &parallelism.to_string()),
    ];
    let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let ends = Arc::new(ScriptEnds(Arc::clone(world)));
    let compiled = pipeline::compile_with(&[file], &BTreeMap::from(settings), ends);
    compiled.map_err(|errors| format!("{errors:#?}"))
}

fn run(
    golden: &Golden,
    world: &Arc<World>,
    directory: &Path,
    parallelism: usize,
    breaks: Break,
) -> Result<(), String> {
    let (status, stop) = world.begin(parallelism, breaks);
    let program = compile(golden, world, parallelism)?;
    let ended = pipeline::run(program, options(directory), Arc::clone(&status), stop);
    let restarts = status.snapshot().restarts;
    match (breaks, &ended) {
        (Break::Never, Ok(Outcome::Finished(_))) | (Break::Stop, Ok(Outcome::Stopped))
            if restarts == 0 =>
        {
            Ok(())
        }
        (Break::Restart, Ok(Outcome::Finished(_))) if restarts == 1 => Ok(()),
        (Break::Kill | Break::KillUnpublished, Err(error))
            if error.to_string() == "planted end" =>
        {
            Ok(())
        }
        _ => Err(format!("{breaks:?}: {ended:?} after {restarts} restarts")),
    }
}

/// How a golden is run in a data directory.
pub fn options(directory: &Path) -> Options {
    Options::new(directory.to_owned(), 2)
}

/// The rows that are in one and not in the other, counted.
fn difference(what: &str, expected: &[String], found: &[String]) -> Option<String> {
    let mut counts = BTreeMap::<&str, i64>::new();
    for row in expected {
        *counts.entry(row).or_default() -= 1;
    }
    for row in found {
        *counts.entry(row).or_default() += 1;
    }
    counts.retain(|_, count| *count != 0);
    if counts.is_empty() {
        return None;
    }
    let total = counts.len();
    let lines = counts.iter().take(20);
    let lines = lines.map(|(row, count)| format!("  {count:+} {row}"));
    let lines = lines.collect::<Vec<_>>().join("\n");
    Some(format!(
        "{what}: {total} rows differ (+ too many, - missing)\n{lines}"
    ))
}

fn dead_letters(directory: &Path) -> Result<Vec<String>, String> {
    let text = |error: thalweg::state::Error| error.to_string();
    let mut letters = Vec::new();
    for letter in read_dead_letters(directory).map_err(text)? {
        let letter = letter.map_err(text)?;
        let bytes = String::from_utf8_lossy(&letter.bytes).into_owned();
        letters.push(format!("{} | {} | {bytes}", letter.origin, letter.reason));
    }
    letters.sort();
    Ok(letters)
}

/// The late rows that the state has counted through all runs.
fn late_records(directory: &Path) -> Result<u64, String> {
    let text = |error: thalweg::state::Error| error.to_string();
    let mut store = Store::open(directory, OpenOptions::default()).map_err(text)?;
    let mut late = 0;
    for operator in 0..64 {
        late += store.late_records(OperatorId(operator)).map_err(text)?;
    }
    Ok(late)
}

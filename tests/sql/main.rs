//! SQL as a stream computes it: goldens as data, each played in every way.
//!
//! `THALWEG_GOLDEN=text` plays only those with this text in their path, `THALWEG_GOLDENS=folder`
//! those of another folder's folders,
//! `THALWEG_GOLDEN_SEEDS=n` plays that many random ones. With `UPDATE_GOLDENS=1` the plans are
//! written anew; look at the difference.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backpressure;
mod functions;
mod generated;
mod golden;
mod play;
mod script_sink;
mod script_source;
mod world;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use parking_lot::Mutex;

use golden::Golden;
use play::WAYS;
use world::World;

/// Goldens played at the same time: most of a play is waiting for the disk.
const PLAYERS: usize = 12;
/// No play takes this long, on any machine.
const PATIENCE: Duration = Duration::from_mins(5);

/// All goldens of this folder, by name.
fn goldens() -> Vec<Golden> {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql");
    let root = std::env::var_os("THALWEG_GOLDENS").map_or_else(own, PathBuf::from);
    let wanted = std::env::var("THALWEG_GOLDEN").unwrap_or_default();
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(&root).unwrap() {
        let folder = entry.unwrap().path();
        // Those of functions have a form of their own.
        if folder.is_dir() && !folder.ends_with("functions") {
            let entries = std::fs::read_dir(folder).unwrap();
            files.extend(entries.map(|entry| entry.unwrap().path()));
        }
    }
    files.sort();
    let name = |file: &PathBuf| file.strip_prefix(&root).unwrap().display().to_string();
    let files = files.iter().filter(|file| name(file).contains(&wanted));
    let read = files.map(|file| {
        let text = std::fs::read_to_string(file).unwrap();
        let golden = Golden::parse(&name(file), &text);
        golden.unwrap_or_else(|error| panic!("{}: {error}", name(file)))
    });
    read.collect()
}

/// Plays goldens in every way, and tells of all that go wrong; how many decided
/// outputs were left to restarts.
fn play_all(goldens: Vec<Golden>) -> usize {
    let plays = goldens
        .into_iter()
        .map(Arc::new)
        .flat_map(|golden| WAYS.iter().map(move |way| (Arc::clone(&golden), way)));
    let plays = Mutex::new(plays.collect::<Vec<_>>().into_iter());
    let wrong = Mutex::new(Vec::new());
    let left = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..PLAYERS {
            scope.spawn(|| {
                loop {
                    let play = plays.lock().next();
                    let Some((golden, way)) = play else {
                        return;
                    };
                    match play_patiently(&golden, way) {
                        Ok(outputs) => _ = left.fetch_add(outputs, Ordering::Relaxed),
                        Err(error) => {
                            let name = &golden.name;
                            wrong.lock().push(format!("{name}, {}: {error}", way.name));
                        }
                    }
                }
            });
        }
    });
    let mut wrong = wrong.into_inner();
    wrong.sort();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    left.into_inner()
}

/// A play that hangs fails; its threads are left behind.
fn play_patiently(golden: &Arc<Golden>, way: &'static play::Way) -> Result<usize, String> {
    let (done, ended) = mpsc::channel();
    let golden = Arc::clone(golden);
    std::thread::spawn(move || {
        let _ = done.send(play::play(&golden, way));
    });
    let ended = ended.recv_timeout(PATIENCE);
    ended.unwrap_or_else(|error| Err(format!("it did not end: {error}")))
}

#[test]
fn every_golden_comes_to_the_same_in_every_way() {
    let goldens = goldens();
    play_all(
        goldens
            .into_iter()
            .filter(|golden| !golden.outputs.is_empty())
            .collect(),
    );
}

#[test]
fn generated_goldens_come_to_the_same_in_every_way() {
    let seeds = std::env::var("THALWEG_GOLDEN_SEEDS");
    let seeds = seeds.map_or(4, |seeds| seeds.parse().unwrap());
    let mut goldens = vec![generated::many_keys(), generated::many_windows()];
    goldens.extend((0..seeds).map(generated::random));
    assert!(play_all(goldens) > 0, "no restart had output to publish");
}

#[test]
fn every_plan_is_as_expected() {
    let goldens = goldens().into_iter();
    for golden in goldens.filter(|golden| golden.explain.is_some()) {
        let (form, expected) = golden.explain.as_ref().unwrap();
        let world = Arc::new(World::new(&golden, 1));
        let program = play::compile(&golden, &world, 1).unwrap();
        let (header, plan) = match form.as_str() {
            "" => ("explain", program.explain()),
            "json" => ("explain json", program.explain_json()),
            _ => ("explain dot", program.explain_dot()),
        };
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            write_plan(&golden.name, header, plan.trim());
        } else {
            assert_eq!(plan.trim(), expected, "{}", golden.name);
        }
    }
}

/// Puts a plan into its golden, where it stands last.
fn write_plan(name: &str, header: &str, plan: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/sql")
        .join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let header = format!("\n{header}\n");
    let (before, _) = text.split_once(&header).unwrap();
    std::fs::write(&path, format!("{before}{header}{plan}\n")).unwrap();
}

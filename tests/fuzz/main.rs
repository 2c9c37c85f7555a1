//! What the fuzzers have kept, replayed, and mutants of it: each file of
//! `fuzz/corpus` through its target. `THALWEG_FUZZ_MUTANTS=n` makes a campaign.
//! And programs made of all SQL in the project (`programs`).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ends;
mod mutants;
mod programs;
#[path = "../crash/random.rs"]
mod random;
mod targets;
mod texts;
mod words;

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use random::Random;
use targets::{TARGETS, Target};

/// Mutants of each corpus that every run tries.
const MUTANTS: usize = 300;

#[test]
fn the_corpus_holds() {
    for (name, target) in TARGETS {
        let files = corpus(name);
        assert!(files.len() > 5, "{name} has too small a corpus");
        for (path, bytes) in files {
            let held = catch_unwind(|| target(&bytes));
            assert!(held.is_ok(), "{} does not hold", path.display());
        }
    }
}

#[test]
fn mutants_of_avro_hold() {
    check_mutants("avro", targets::avro);
}

#[test]
fn mutants_of_csv_hold() {
    check_mutants("csv", targets::csv);
}

#[test]
fn mutants_of_json_hold() {
    check_mutants("json", targets::json);
}

#[test]
fn mutants_of_protobuf_hold() {
    check_mutants("protobuf", targets::protobuf);
}

#[test]
fn mutants_of_sql_hold() {
    check_mutants("sql", targets::sql);
}

#[test]
fn a_corpus_without_a_target_is_no_corpus() {
    for entry in fs::read_dir(root()).expect("the corpora are there") {
        let name = entry.expect("a corpus").file_name();
        assert!(
            TARGETS.iter().any(|(target, _)| *target == name),
            "{name:?} is no target"
        );
    }
}

fn check_mutants(name: &str, target: Target) {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let mutants: usize = number("THALWEG_FUZZ_MUTANTS").unwrap_or(MUTANTS);
    let seeds: Vec<_> = corpus(name).into_iter().map(|(_, bytes)| bytes).collect();
    let mut random = Random::new(mutants as u64);
    for number in 0..mutants {
        let bytes = mutants::mutant(&seeds, &mut random);
        let held = catch_unwind(|| target(&bytes));
        assert!(
            held.is_ok(),
            "mutant {number} of {mutants} of {name} does not hold: {}",
            bytes.escape_ascii()
        );
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// The files of a target's corpus, in the order of their names.
fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(root().join(name)).expect("each target has a corpus");
    let paths = entries.map(|entry| entry.expect("an entry of the corpus").path());
    let mut paths: Vec<_> = paths.collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).expect("a file of the corpus");
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}

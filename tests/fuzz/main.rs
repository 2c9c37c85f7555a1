//! What the fuzzers have kept, replayed: each file of `fuzz/corpus` through its target.

mod targets;

use std::fs;
use std::path::Path;

use targets::TARGETS;

#[test]
fn the_corpus_holds() {
    for (name, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/corpus")
            .join(name);
        let mut files = 0;
        for entry in fs::read_dir(&folder).expect("each target has a corpus") {
            let path = entry.expect("an entry of the corpus").path();
            let bytes = fs::read(&path).expect("a file of the corpus");
            let held = std::panic::catch_unwind(|| target(&bytes));
            assert!(held.is_ok(), "{} does not hold", path.display());
            files += 1;
        }
        assert!(files > 5, "{name} has a corpus of {files} files");
    }
}

#[test]
fn a_corpus_without_a_target_is_no_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for entry in fs::read_dir(corpus).expect("the corpus is there") {
        let name = entry.expect("an entry of the corpus").file_name();
        assert!(
            TARGETS.iter().any(|(target, _)| *target == name),
            "{name:?} is no target"
        );
    }
}

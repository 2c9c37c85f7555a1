//! Feeds bytes to one target, which `tests/fuzz` replays the corpus with.

#![no_main]

#[path = "../../tests/fuzz/ends.rs"]
mod ends;
#[path = "../../tests/fuzz/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::json(bytes));

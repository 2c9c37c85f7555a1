//! Programs by chance through the whole front end: texts of the project, changed word by word,
//! are planned, checked and explained, or refused.
//!
//! `THALWEG_FUZZ_SECONDS=n` makes a campaign of n seconds, from `THALWEG_FUZZ_SEED` or the clock.
//! A program that ends the process (a stack that overflows) stands in the file that the test names
//! at its start.

#![expect(
    clippy::print_stdout,
    reason = "what was found, and how it is repeated"
)]

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::random::Random;
use crate::{targets, texts, words};

/// Programs that every run tries.
const PROGRAMS: usize = 300;

/// No program may take longer, on however busy a machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// So many different findings end a campaign.
const FINDINGS_MAX: usize = 20;

#[test]
fn programs_by_chance_hold() {
    let (send, ended) = mpsc::channel();
    let kept = kept_at();
    let campaign = thread::spawn({
        let kept = kept.clone();
        move || campaign(&kept, &send)
    });
    let (mut programs, mut planned) = (0, 0);
    loop {
        match ended.recv_timeout(PATIENCE) {
            Ok(is_planned) => planned += usize::from(is_planned),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("{kept} has not ended in {PATIENCE:?}"),
        }
        programs += 1;
    }
    let findings = campaign.join().expect("the campaign itself holds");
    for (reason, program) in &findings {
        println!("== {reason}\n{program}\n");
    }
    println!(
        "{programs} programs, {planned} of them planned, {} findings",
        findings.len()
    );
    assert!(findings.is_empty(), "{} findings", findings.len());
    // Few are sound; were none, nothing behind the parser would be tried.
    assert!(
        planned * 20 > programs,
        "only {planned} of {programs} are planned"
    );
}

/// Tries programs, each of which is in the file `kept` while it is tried. Returns the findings.
fn campaign(kept: &str, ended: &mpsc::Sender<bool>) -> BTreeMap<String, String> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seconds: Option<u64> = number("THALWEG_FUZZ_SECONDS");
    let seed =
        number("THALWEG_FUZZ_SEED").unwrap_or(if seconds.is_some() { by_clock() } else { 1 });
    println!("seed {seed}; the program that is tried stands in {kept}");
    let programs = texts::programs();
    assert!(programs.len() > 1_500, "only {} texts", programs.len());
    let texts: Vec<Vec<String>> = programs.iter().map(|text| words::split(text)).collect();
    let mut random = Random::new(seed);
    let mut findings = BTreeMap::new();
    let start = Instant::now();
    let goes_on = |tried: usize| match seconds {
        Some(seconds) => start.elapsed() < Duration::from_secs(seconds),
        None => tried < PROGRAMS,
    };
    let mut tried = 0;
    while goes_on(tried) && findings.len() < FINDINGS_MAX {
        let program = words::program(&texts, &mut random);
        fs::write(kept, &program).expect("a file of the build's");
        let outcome = outcome(&program);
        let is_planned = outcome == Ok(true);
        if let Err(reason) = outcome
            && !findings.contains_key(&reason)
        {
            let least = lessened(&program, &reason);
            findings.insert(reason, least);
        }
        tried += 1;
        let _ = ended.send(is_planned);
    }
    findings
}

/// Whether the program is planned, or why it does not hold.
fn outcome(program: &str) -> Result<bool, String> {
    let try_it = AssertUnwindSafe(|| targets::is_planned(program));
    catch_unwind(try_it).map_err(|panic| in_words(&*panic))
}

/// What a panic says; numbers would make one finding look like many.
fn in_words(panic: &dyn Any) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text
        .or(panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic");
    let text = text.lines().next().unwrap_or_default();
    text.chars()
        .filter(|letter| !letter.is_ascii_digit())
        .take(80)
        .collect()
}

/// The program without the words that it does not need to fail in the same way.
fn lessened(program: &str, reason: &str) -> String {
    let mut words = words::split(program);
    let start = Instant::now();
    let mut length = words.len() / 2;
    while length > 0 && start.elapsed() < PATIENCE / 2 {
        let mut at = 0;
        while at + length <= words.len() && start.elapsed() < PATIENCE / 2 {
            let less = [&words[..at], &words[at + length..]].concat();
            if outcome(&words::join(&less)).is_err_and(|other| other == reason) {
                words = less;
            } else {
                at += length;
            }
        }
        length /= 2;
    }
    words::join(&words)
}

fn by_clock() -> u64 {
    thalweg::clock::now().millis().unsigned_abs()
}

fn kept_at() -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let name = format!("program-{}.sql", std::process::id());
    folder.join(name).display().to_string()
}

//! What a figure was measured on: the machine, and the code.

use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Serialize;

/// The machine and the code.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The commit, with `+` behind it if the sources have changed since.
    pub commit: String,
    /// Whether the figure comes from an optimised build.
    pub release: bool,
    /// Cores that this process may use.
    pub cores: usize,
    /// The model of the processor.
    pub cpu: String,
    /// Processes that wanted a core in the last minute, before the benchmark began:
    /// above zero, times on the clock are longer than the work takes.
    pub load: String,
}

impl Machine {
    /// This machine and this code.
    pub fn here() -> Self {
        Self {
            commit: commit(),
            release: !cfg!(debug_assertions),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cpu: cpu_model(),
            load: first_word("/proc/loadavg"),
        }
    }
}

/// The memory that this process holds now.
///
/// # Errors
/// If the system does not say.
pub fn resident_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kilobytes: u64 = kilobytes.context("no VmRSS")?.parse()?;
    Ok(kilobytes * 1024)
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        Command::new("git")
            .args(["-C", concat!(env!("CARGO_MANIFEST_DIR"), "/..")])
            .args(arguments)
            .output()
    };
    let Ok(head) = git(&["rev-parse", "--short", "HEAD"]) else {
        return "unknown".to_owned();
    };
    let head = String::from_utf8_lossy(&head.stdout).trim().to_owned();
    let sources = [
        "diff",
        "--quiet",
        "HEAD",
        "--",
        "src",
        "bench/src",
        "Cargo.lock",
    ];
    let clean = git(&sources).is_ok_and(|diff| diff.status.success());
    if clean { head } else { head + "+" }
}

fn cpu_model() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let model = line.and_then(|line| line.split_once(':'));
    model.map_or_else(
        || std::env::consts::ARCH.to_owned(),
        |(_, model)| model.trim().to_owned(),
    )
}

fn first_word(path: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}

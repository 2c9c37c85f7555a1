//! What the same program costs Flink.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// The CPU-seconds of the cheapest of so many runs of a program by Flink, in one process, so that
/// all but the first find warm code. The folder is for the program's text.
///
/// # Errors
/// If Flink cannot be had or does not run it.
pub fn cpu_seconds(program: &str, folder: &Path, runs: usize) -> Result<f64> {
    let file = folder.join("flink.sql");
    fs::write(&file, program)?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/oracle");
    let ended = Command::new(script)
        .arg("bench")
        .args([file.as_os_str(), runs.to_string().as_ref()])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start scripts/oracle")?;
    ensure!(ended.status.success(), "Flink did not run {program}");
    let text = String::from_utf8(ended.stdout)?;
    let costs: Vec<f64> = text.lines().filter_map(cost).collect();
    ensure!(costs.len() == runs, "Flink said: {text}");
    Ok(costs.into_iter().fold(f64::INFINITY, f64::min))
}

/// The CPU-seconds of `round 0 cpu 1.234 clock 2.345`.
fn cost(line: &str) -> Option<f64> {
    let mut words = line.split(' ').skip_while(|word| *word != "cpu");
    words.nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_line_says_what_a_run_took() {
        assert_eq!(super::cost("round 0 cpu 1.5 clock 2.25"), Some(1.5));
        assert_eq!(super::cost("something else"), None);
    }
}

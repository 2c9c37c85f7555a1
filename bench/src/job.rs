//! Runs one program in this process and says what it took.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use thalweg::pipeline::{self, Options, Status};
use thalweg::sql::{SourceFile, render};
use tokio_util::sync::CancellationToken;

use crate::cost::{Cost, measure};

/// Runs a program to its end, with its state below `dir`; how many rows it has read, and
/// what it took.
///
/// # Errors
/// If it is wrong or fails.
pub fn run(text: String, dir: &Path, workers: usize) -> Result<(u64, Cost)> {
    run_until(CancellationToken::new(), text, dir, workers)
}

/// The same until it is stopped, if it does not end before.
///
/// # Errors
/// If it is wrong or fails.
pub fn run_until(
    stop: CancellationToken,
    text: String,
    dir: &Path,
    workers: usize,
) -> Result<(u64, Cost)> {
    let files = [SourceFile {
        name: "bench.sql".to_owned(),
        text,
    }];
    let program = pipeline::compile(&files, &BTreeMap::new())
        .map_err(|diagnostics| anyhow!(render(&diagnostics, &files)))?;
    let options = Options::new(dir.join("state"), workers);
    let status = Arc::new(Status::default());
    let (_, cost) = measure(|| Ok(pipeline::run(program, options, Arc::clone(&status), stop)?))?;
    let read = status.snapshot().progress;
    Ok((read.map_or(0, |progress| progress.rows), cost))
}

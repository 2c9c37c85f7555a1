//! Figures: printed for people, and appended to a file as a line of history.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::Value;
use thalweg::clock;

use crate::machine::Machine;

/// Takes the figures of one benchmark.
pub struct Recorder {
    benchmark: String,
    machine: Machine,
    command: String,
    file: File,
}

/// A line of the file.
#[derive(Serialize)]
struct Line<'a> {
    benchmark: &'a str,
    figure: &'a str,
    value: f64,
    unit: &'a str,
    parameters: &'a Value,
    at: String,
    command: &'a str,
    #[serde(flatten)]
    machine: &'a Machine,
}

impl Recorder {
    /// Appends to the file of `benchmark` in the folder `results`.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn new(benchmark: &str, results: &Path) -> Result<Self> {
        let path = results.join(format!("{benchmark}.jsonl"));
        let opened = fs::create_dir_all(results)
            .and_then(|()| File::options().create(true).append(true).open(&path));
        let arguments: Vec<_> = std::env::args().skip(1).collect();
        Ok(Self {
            benchmark: benchmark.to_owned(),
            machine: Machine::here(),
            command: format!("thalweg-bench {}", arguments.join(" ")),
            file: opened.with_context(|| format!("cannot open {}", path.display()))?,
        })
    }

    /// Notes one figure, with what it depends on.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn figure(
        &mut self,
        figure: &str,
        value: f64,
        unit: &str,
        parameters: &Value,
    ) -> Result<()> {
        let line = Line {
            benchmark: &self.benchmark,
            figure,
            value,
            unit,
            parameters,
            at: clock::now().to_utc(),
            command: &self.command,
            machine: &self.machine,
        };
        let mut json = serde_json::to_vec(&line)?;
        json.push(b'\n');
        self.file.write_all(&json)?;
        let digits = if value.abs() < 100.0 { 4 } else { 0 };
        writeln!(
            io::stdout(),
            "{:16} {figure:32} {value:>14.digits$} {unit:16} {parameters}",
            self.benchmark
        )?;
        Ok(())
    }
}

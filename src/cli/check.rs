//! `thalweg check`: all errors of a program at once, without running it.

use std::path::PathBuf;

use super::{Result, program, terminal};
use crate::config::Layer;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The files of the program, in order; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A setting that goes over the program's own SET
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let layer = Layer::from_flags([], &arguments.set)?;
    let program = program::load(&arguments.files, &layer.set)?;
    terminal::answer(|out| writeln!(out, "{}: no errors", program.name()))
}

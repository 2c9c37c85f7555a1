//! `thalweg check`: all errors of a program at once, without running it.

use super::{Result, program, terminal};

pub fn run(arguments: &program::Arguments) -> Result<()> {
    let program = arguments.load()?;
    terminal::answer(|out| writeln!(out, "{}: no errors", program.name()))
}

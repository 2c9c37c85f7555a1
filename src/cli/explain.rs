//! `thalweg explain`: the plan of a program, without running it.

use super::{Result, program, terminal};

pub fn run(arguments: &program::Arguments) -> Result<()> {
    let program = arguments.load()?;
    terminal::answer(|out| out.write_all(program.explain().as_bytes()))
}

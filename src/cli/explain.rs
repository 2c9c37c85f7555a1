//! `thalweg explain`: the plan of a program, without running it.

use super::{Result, program, terminal};

#[derive(Debug, clap::Args)]
pub struct ExplainArguments {
    /// How the plan is written: for people, as JSON, or as a drawing for Graphviz
    /// (`thalweg explain --format dot job.sql | dot -Tsvg`)
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    program: program::Arguments,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Dot,
}

pub fn run(arguments: &ExplainArguments) -> Result<()> {
    let program = arguments.program.load()?;
    let plan = match arguments.format {
        Format::Text => program.explain(),
        Format::Json => program.explain_json(),
        Format::Dot => program.explain_dot(),
    };
    terminal::answer(|out| out.write_all(plan.as_bytes()))
}

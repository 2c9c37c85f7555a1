//! The command line: what a person types, what they are told, and the exit status.
//!
//! Status 0: finished or stopped cleanly. 1: the pipeline failed. 2: the input
//! was wrong, be it SQL, configuration or the command line itself.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod check;
mod connectors;
mod dead_letters;
mod explain;
mod kafka;
mod logging;
mod program;
mod progress;
mod run;
mod signals;
mod terminal;

/// Runs Flink SQL pipelines: event time, durable state and exactly-once output in one process.
#[derive(Debug, Parser)]
#[command(name = "thalweg", version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  thalweg run pipeline.sql                  run until stopped, or until all input is read
  thalweg run tables.sql job.sql            several files are one program
  echo \"SELECT ...\" | thalweg run -         read the program from standard input
  thalweg check pipeline.sql                report every error of the program
  thalweg explain pipeline.sql              show what would run
  thalweg dead-letters list                 show the rows that could not be processed
  thalweg connectors show filesystem        show options, guarantees and an example
  thalweg kafka transactions list --bootstrap-server localhost:9092

Exit status: 0 finished or stopped cleanly, 1 the pipeline failed, 2 the input was wrong.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a program until it is stopped, or until all its input is read
    Run(Box<run::Arguments>),
    /// Parse and plan a program and report all its errors
    Check(program::Arguments),
    /// Show the plan of a program
    Explain(explain::ExplainArguments),
    /// Look at the rows that could not be processed
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    /// Look up connectors: options, defaults, guarantees, an example to copy
    #[command(subcommand)]
    Connectors(connectors::Command),
    /// Look at what jobs have in Kafka, and set it right
    #[command(subcommand)]
    Kafka(kafka::Command),
}

/// Why a command did not do what it was asked to, in a sentence or a page.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The input was wrong.
    #[error("{0}")]
    Input(String),
    /// The input was wrong in the places that the page shows.
    #[error("{0}")]
    Diagnostics(String),
    /// The pipeline failed.
    #[error("{0}")]
    Job(String),
}

type Result<T, E = Error> = std::result::Result<T, E>;

/// Runs the command that `arguments` (the program's name first) ask for.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    ExitCode::from(status(arguments))
}

fn status(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(answer) => {
            // A closed terminal is no reason to fail: `--help | head`.
            let _ = answer.print();
            return if answer.use_stderr() { 2 } else { 0 };
        }
    };
    let done = match arguments.command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::DeadLetters(command) => dead_letters::run(&command),
        Command::Connectors(command) => connectors::run(&command),
        Command::Kafka(command) => kafka::run(&command),
    };
    match done {
        Ok(()) => 0,
        Err(error) => {
            match &error {
                Error::Input(_) | Error::Job(_) => terminal::tell(&format!("error: {error}\n")),
                Error::Diagnostics(page) => terminal::tell(page),
            }
            match error {
                Error::Input(_) | Error::Diagnostics(_) => 2,
                Error::Job(_) => 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn status_of(arguments: &[&str]) -> u8 {
        let all = std::iter::once("thalweg").chain(arguments.iter().copied());
        status(all.map(OsString::from))
    }

    #[test]
    fn definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_is_no_error_and_a_wrong_line_is_status_2() {
        assert_eq!(status_of(&["--help"]), 0);
        assert_eq!(status_of(&["--version"]), 0);
        assert_eq!(status_of(&["run", "--help"]), 0);
        assert_eq!(status_of(&[]), 2);
        assert_eq!(status_of(&["walk"]), 2);
        assert_eq!(status_of(&["run"]), 2);
        assert_eq!(status_of(&["run", "--nonsense", "x.sql"]), 2);
    }

    #[test]
    fn wrong_input_is_status_2() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("empty.sql");
        std::fs::write(&file, "").unwrap();
        let file = file.to_str().unwrap();
        assert_eq!(status_of(&["check", "no/such/file.sql"]), 2);
        assert_eq!(status_of(&["explain", "no/such/file.sql"]), 2);
        assert_eq!(status_of(&["run", "no/such/file.sql"]), 2);
        assert_eq!(status_of(&["run", "--grace", "soon", file]), 2);
        assert_eq!(status_of(&["run", "--listen", "0.0.0.0:1", file]), 2);
        assert_eq!(status_of(&["run", "--config", "no/such.toml", file]), 2);
        assert_eq!(status_of(&["run", "--set", "novalue", file]), 2);
        assert_eq!(status_of(&["run", "--abandon", file]), 2);
        assert_eq!(status_of(&["connectors", "show", "carrier-pigeon"]), 2);
        for wrong in [
            &["list"][..],
            &["list", "--bootstrap-server", ""],
            &["list", "--bootstrap-server", "h:1", "--property", "acks"],
            &[
                "list",
                "--bootstrap-server",
                "h:1",
                "--property",
                "plugin.library.paths=x",
            ],
            &["abort", "--bootstrap-server", "h:1", "flink-1"],
        ] {
            let all = [&["kafka", "transactions"], wrong].concat();
            assert_eq!(status_of(&all), 2, "{wrong:?}");
        }
        assert_eq!(
            status_of(&["dead-letters", "list", "--data-dir", "no/such"]),
            2
        );
    }

    #[test]
    fn every_command_and_option_says_what_it_is_for() {
        let mut root = Arguments::command();
        root.build();
        let nested = root
            .get_subcommands()
            .flat_map(clap::Command::get_subcommands);
        for command in root.get_subcommands().chain(nested) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{} {}",
                    command.get_name(),
                    argument.get_id()
                );
            }
        }
    }
}

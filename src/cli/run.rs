//! `thalweg run`: runs a program, with its API, until it ends or is stopped.

use std::env;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::logging::{self, NOTICE};
use super::progress::Line;
use super::{Error, Result, program, signals, terminal};
use crate::api::{Server, StatusSource};
use crate::config::{self, Layer, Settings};
use crate::pipeline::{self, CheckedProgram, Failure, Outcome, Status};

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The files of the program, in order; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where the state lives [default: ./thalweg-data/PIPELINE]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Where the API listens [default: 127.0.0.1:8081, or a free port if that is taken]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// How long the final checkpoint of a stop may take [default: 25s]
    #[arg(long, value_name = "DURATION")]
    grace: Option<String>,
    /// Tasks per stage [default: the number of cores]
    #[arg(long, value_name = "NUMBER")]
    workers: Option<String>,
    /// Memory for everything [default: 70 % of what the process may use]
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// A setting that goes over the program's own SET
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// A TOML file with these options as keys, and settings in a table [set]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// End the job found in the data directory and start anew; committed output stays
    #[arg(long)]
    fresh: bool,
    /// With --fresh: start anew even if an output of the old job cannot be reached
    #[arg(long, requires = "fresh")]
    abandon: bool,
    /// How a SELECT prints its rows: table, json or csv [default: table]
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Which log lines are written: a level, or one per module [default: info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  thalweg run pipeline.sql
  thalweg run --data-dir /var/lib/clicks --listen 127.0.0.1:9000 pipeline.sql
  thalweg run --set execution.checkpointing.interval=10s --workers 4 pipeline.sql
  thalweg run --format json select.sql | head
  thalweg run --log warn,thalweg::checkpoint=debug pipeline.sql

Each option may also be given as an environment variable (THALWEG_DATA_DIR, THALWEG_GRACE, ...)
or as a key of the config file (data-dir, grace, ...). A flag goes over the variable, the
variable over the file. SIGTERM and Ctrl-C take a final checkpoint; the next run goes on from it.";

impl From<config::Error> for Error {
    fn from(error: config::Error) -> Self {
        Self::Input(error.to_string())
    }
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let settings = arguments.settings(&|name| env::var(name).ok())?;
    let program = program::load(&arguments.files, &settings.set)?;
    let explanations = program.explanations();
    terminal::answer(|out| out.write_all(explanations.as_bytes()))?;
    if !program.runs() {
        return Ok(());
    }
    let listener = settings
        .listen
        .bind()
        .map_err(|error| Error::Input(error.to_string()))?;
    logging::start(&settings.log)?;

    let cannot_start = |error: io::Error| Error::Job(format!("cannot start: {error}"));
    let stop = CancellationToken::new();
    signals::watch(stop.clone()).map_err(cannot_start)?;
    let status = Arc::new(Status::default());
    let server =
        Server::start(listener, StatusSource::of(Arc::clone(&status))).map_err(cannot_start)?;
    tracing::info!(target: NOTICE, "listening on http://{}", server.address());
    let progress = shows_progress(&program)
        .then(|| Line::start(Arc::clone(&status)))
        .transpose()
        .map_err(cannot_start)?;

    let options = arguments.options(settings);
    let ended = pipeline::run(program, options, status, stop);
    drop(progress);
    report(ended)
}

impl Arguments {
    fn settings(&self, variable: &dyn Fn(&str) -> Option<String>) -> Result<Settings> {
        let flags = [
            ("data-dir", &self.data_dir),
            ("format", &self.format),
            ("grace", &self.grace),
            ("listen", &self.listen),
            ("log", &self.log),
            ("memory", &self.memory),
            ("workers", &self.workers),
        ];
        let flags = flags.map(|(key, value)| (key, value.clone()));
        let flags = Layer::from_flags(flags, &self.set)?;
        let environment = Layer::from_environment(variable);
        let config = self.config.clone();
        let file = match config.or_else(|| variable("THALWEG_CONFIG").map(PathBuf::from)) {
            Some(path) => Layer::from_file(&path)?,
            None => Layer::default(),
        };
        Ok(Settings::resolve(&flags, &environment, &file)?)
    }

    fn options(&self, settings: Settings) -> pipeline::Options {
        pipeline::Options {
            data_dir: settings.data_dir,
            workers: settings.workers,
            memory_bytes: settings.memory_bytes,
            fresh: self.fresh,
            abandon: self.abandon,
            settings: settings.set,
            grace: settings.grace,
            output: settings.format,
        }
    }
}

/// Progress is for people, and never between rows on the same screen.
fn shows_progress(program: &CheckedProgram) -> bool {
    io::stderr().is_terminal() && !(program.writes_stdout() && io::stdout().is_terminal())
}

fn report(ended: std::result::Result<Outcome, Failure>) -> Result<()> {
    match ended {
        Ok(Outcome::Finished(summary) | Outcome::AlreadyFinished(summary)) => {
            tracing::info!(target: NOTICE, "{summary}");
            Ok(())
        }
        Ok(Outcome::Stopped) => {
            tracing::info!(target: NOTICE, "stopped; the next run goes on from here");
            Ok(())
        }
        Err(Failure::Input(sentence)) => Err(Error::Input(sentence)),
        Err(Failure::Job(sentence)) => Err(Error::Job(sentence)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        run: Arguments,
    }

    fn settings(line: &[&str], variables: &[(&str, &str)]) -> Result<Settings> {
        let line = ["run"].iter().chain(line).chain(&["x.sql"]);
        let arguments = Only::try_parse_from(line).unwrap().run;
        arguments.settings(&|name| {
            let found = variables.iter().find(|(key, _)| *key == name)?;
            Some(found.1.to_owned())
        })
    }

    #[test]
    fn flag_goes_over_variable_over_file_over_default() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("thalweg.toml");
        std::fs::write(&file, "grace = '3s'\n[set]\na = '3'\n").unwrap();
        let file = file.to_str().unwrap();
        let check = |line: &[&str], variables: &[(&str, &str)], seconds: u64| {
            let grace = settings(line, variables).unwrap().grace;
            assert_eq!(
                grace,
                Duration::from_secs(seconds),
                "{line:?} {variables:?}"
            );
        };
        check(&[], &[], 25);
        check(&["--config", file], &[], 3);
        check(&[], &[("THALWEG_CONFIG", file)], 3);
        check(&["--config", file], &[("THALWEG_GRACE", "2s")], 2);
        check(
            &["--config", file, "--grace", "1s"],
            &[("THALWEG_GRACE", "2s")],
            1,
        );
        check(&["--grace=1s"], &[("THALWEG_GRACE", "nonsense")], 1);
    }

    #[test]
    fn every_option_reaches_the_run() {
        let line = [
            "run",
            "--data-dir",
            "d",
            "--grace",
            "1s",
            "--workers",
            "3",
            "--memory",
            "1mb",
            "--set",
            "k=v",
            "--fresh",
            "--abandon",
            "--format",
            "csv",
            "x.sql",
        ];
        let arguments = Only::try_parse_from(line).unwrap().run;
        let settings = arguments.settings(&|_| None).unwrap();
        let options = arguments.options(settings);
        assert_eq!(options.data_dir, Some(PathBuf::from("d")));
        assert_eq!(options.grace, Duration::from_secs(1));
        assert_eq!(options.workers, 3);
        assert_eq!(options.memory_bytes, Some(1 << 20));
        assert_eq!(options.settings["k"], "v");
        assert!(options.fresh && options.abandon);
        assert_eq!(options.output, pipeline::OutputFormat::Csv);
    }

    #[test]
    fn outcomes_and_failures_have_their_status() {
        assert!(report(Ok(Outcome::Stopped)).is_ok());
        let input = report(Err(Failure::Input("x".to_owned())));
        assert!(matches!(input, Err(Error::Input(_))));
        let job = report(Err(Failure::Job("x".to_owned())));
        assert!(matches!(job, Err(Error::Job(_))));
    }
}

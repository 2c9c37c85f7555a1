//! Log lines on standard error: for people on a terminal, JSON for machines otherwise.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;

use super::{Error, Result, terminal};

/// Lines that the command line promises go under this target, which no filter hides.
pub const NOTICE: &str = "thalweg::notice";

/// Starts logging what `filter` lets through.
///
/// # Errors
/// If `filter` is no filter.
pub fn start(filter: &str) -> Result<()> {
    let filter = parse(filter)?;
    let started = if io::stderr().is_terminal() {
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_target(false)
            .with_writer(|| {
                let mut stderr = io::stderr().lock();
                // A line of progress may stand there; a failure shows with the line itself.
                let _ = stderr.write_all(terminal::CLEAR_LINE.as_bytes());
                stderr
            })
            .try_init()
    } else {
        tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_env_filter(filter)
            .with_writer(io::stderr)
            .try_init()
    };
    started.map_err(|error| Error::Job(format!("cannot start logging: {error}")))
}

fn parse(filter: &str) -> Result<EnvFilter> {
    let malformed = |error: &dyn std::fmt::Display| {
        Error::Input(format!(
            "cannot use --log '{filter}': {error}; expected a level such as info, or a list such \
             as warn,thalweg::checkpoint=debug"
        ))
    };
    if filter.trim().is_empty() {
        return Err(malformed(&"it is empty"));
    }
    let notices = format!("{NOTICE}=info");
    let parsed = EnvFilter::try_new(filter).map_err(|error| malformed(&error))?;
    Ok(parsed.add_directive(notices.parse().expect("the directive is a constant")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters() {
        for good in ["info", "off", "warn,thalweg::checkpoint=debug"] {
            let filter = parse(good).unwrap();
            assert!(
                filter.to_string().contains("thalweg::notice=info"),
                "{good}"
            );
        }
        for bad in ["", " ", "thalweg=loud"] {
            let message = parse(bad).unwrap_err().to_string();
            assert!(message.starts_with("cannot use --log"), "{bad}: {message}");
        }
    }
}

//! The settings of a job: `SET 'key' = 'value'` and `--set`, with Flink's names.

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;

use super::updating::UpdatingSettings;
use crate::formats::{OptionError, Options, nearest};
use crate::stream::KeyGroups;

/// The settings of a job, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `pipeline.name`.
    pub name: Option<String>,
    /// `parallelism.default`: how many tasks a stage has; the workers if not given.
    pub parallelism: Option<usize>,
    /// `pipeline.max-parallelism`: the number of key groups; a job keeps the
    /// number that it began with.
    pub key_groups: Option<KeyGroups>,
    /// `execution.checkpointing.interval`: from the start of one checkpoint to
    /// the start of the next.
    pub checkpoint_interval: Duration,
    /// `execution.checkpointing.min-pause`: from the end of one to the start of
    /// the next.
    pub checkpoint_pause_min: Duration,
    /// `execution.checkpointing.timeout`.
    pub checkpoint_timeout: Duration,
    /// `restart-strategy.*`.
    pub restart: RestartStrategy,
    /// Whether what several outputs compute alike is computed once:
    /// `table.optimizer.reuse-sub-plan-enabled` and `table.optimizer.reuse-source-enabled`.
    pub shares_plans: bool,
    /// `table.exec.state.ttl` and `table.exec.mini-batch.*`.
    pub updating: UpdatingSettings,
}

/// What happens after a failure that may pass.
#[derive(Clone, Debug, PartialEq)]
pub enum RestartStrategy {
    /// The job fails.
    None,
    /// It is tried again after a fixed time, so many times.
    FixedDelay {
        /// How many times.
        attempts: u64,
        /// The time between.
        delay: Duration,
    },
    /// It is tried again after a time that grows with each failure in a row.
    ExponentialDelay {
        /// The first time.
        initial: Duration,
        /// The longest time.
        max: Duration,
        /// How much longer each time is than the last.
        multiplier: f64,
        /// How long it has to run well for the time to start again at the first.
        reset_after: Duration,
        /// After how many failures in a row the job fails for good; `None`: never.
        attempts: Option<u64>,
    },
}

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    /// All that are wrong or not known.
    pub fn read(values: &BTreeMap<String, String>) -> Result<Self, Vec<OptionError>> {
        let values: IndexMap<_, _> = values.clone().into_iter().collect();
        let mut options = Options::new(&values);
        let second = Duration::from_secs(1);
        let mut duration = |key: &str, default: Duration| options.duration(key).unwrap_or(default);
        let checkpoint_interval = duration("execution.checkpointing.interval", second);
        let checkpoint_pause_min = duration("execution.checkpointing.min-pause", Duration::ZERO);
        let checkpoint_timeout = duration("execution.checkpointing.timeout", second * 600);
        let restart = restart_strategy(&mut options);
        let updating = UpdatingSettings::read(&mut options);
        let shares_plans = [
            "table.optimizer.reuse-sub-plan-enabled",
            "table.optimizer.reuse-source-enabled",
        ]
        .map(|key| options.boolean(key, true))
        .into_iter()
        .all(|is_on| is_on);
        let name = options.text("pipeline.name").map(str::to_owned);
        let number = "a whole number from 1 to 1024";
        let parallelism = options
            .parsed::<usize>("parallelism.default", number)
            .or(options.parsed("table.exec.resource.default-parallelism", number));
        let key_groups = options
            .parsed::<u16>("pipeline.max-parallelism", "a whole number from 1 to 32768")
            .map(|count| {
                KeyGroups::new(count).unwrap_or_else(|| {
                    options.reject(
                        "pipeline.max-parallelism",
                        "expected a number from 1 to 32768",
                    );
                    KeyGroups::DEFAULT
                })
            });
        if checkpoint_interval.is_zero() {
            options.reject(
                "execution.checkpointing.interval",
                "expected a time above zero: without checkpoints nothing is ever published",
            );
        }
        if parallelism == Some(0) {
            options.reject("parallelism.default", "expected a number above zero");
        }
        pass_over(&mut options, values.keys().map(String::as_str));
        options.finish()?;
        Ok(Self {
            name,
            parallelism,
            key_groups,
            checkpoint_interval,
            checkpoint_pause_min,
            checkpoint_timeout,
            restart,
            shares_plans,
            updating,
        })
    }
}

/// What scripts for Flink set and what is so here anyhow, and the settings of
/// Flink that are not there yet.
fn pass_over<'k>(options: &mut Options, keys: impl Iterator<Item = &'k str>) {
    let mode = "execution.runtime-mode";
    match options.text(mode).map(str::to_ascii_lowercase).as_deref() {
        None | Some("streaming" | "automatic") => (),
        Some(_) => options.reject(mode, "only 'streaming' is supported yet"),
    }
    // How Flink divides an aggregate has no counterpart, and changes no result.
    for key in [
        "table.optimizer.agg-phase-strategy",
        "table.optimizer.distinct-agg.split.enabled",
        "table.optimizer.distinct-agg.split.bucket-num",
    ] {
        options.text(key);
    }
    let enforcer = "table.exec.sink.type-length-enforcer";
    match options
        .text(enforcer)
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        None | Some("ignore") => (),
        Some(_) => options.reject(
            enforcer,
            "only 'IGNORE' is supported; CAST(… AS VARCHAR(n)) cuts a text off",
        ),
    }
    // The planner has read it.
    options.text(crate::sql::TIME_ZONE);
    let known_in_flink = [
        "execution.",
        "table.",
        "pipeline.",
        "state.",
        "taskmanager.",
    ];
    for key in keys {
        if key.starts_with("sql-client.") {
            options.text(key);
        } else if known_in_flink.iter().any(|prefix| key.starts_with(prefix))
            && !options.known().contains(key)
        {
            let near = nearest(key, options.known().iter().map(String::as_str));
            let hint = near.map(|near| format!("; did you mean '{near}'?"));
            options.refuse(
                key,
                &format!("not supported yet{}", hint.unwrap_or_default()),
            );
        }
    }
}

fn restart_strategy(options: &mut Options) -> RestartStrategy {
    #[derive(Clone, Copy)]
    enum Kind {
        None,
        Fixed,
        Exponential,
    }
    let kinds = [
        ("exponential-delay", Kind::Exponential),
        ("fixed-delay", Kind::Fixed),
        ("none", Kind::None),
        ("disable", Kind::None),
        ("off", Kind::None),
    ];
    let kind = options.choice("restart-strategy.type", &kinds, Kind::Exponential);
    // All are read whichever is chosen, so that each is known.
    let attempts = options.parsed("restart-strategy.fixed-delay.attempts", "a whole number");
    let delay = options.duration("restart-strategy.fixed-delay.delay");
    let prefix = "restart-strategy.exponential-delay";
    let initial = options.duration(&format!("{prefix}.initial-backoff"));
    let max = options.duration(&format!("{prefix}.max-backoff"));
    let multiplier = options.parsed(&format!("{prefix}.backoff-multiplier"), "a number");
    let reset_after = options.duration(&format!("{prefix}.reset-backoff-threshold"));
    let in_a_row = options.parsed(
        &format!("{prefix}.attempts-before-reset-backoff"),
        "a whole number",
    );
    match kind {
        Kind::None => RestartStrategy::None,
        Kind::Fixed => RestartStrategy::FixedDelay {
            attempts: attempts.unwrap_or(1),
            delay: delay.unwrap_or(Duration::from_secs(1)),
        },
        Kind::Exponential => RestartStrategy::ExponentialDelay {
            initial: initial.unwrap_or(Duration::from_secs(1)),
            max: max.unwrap_or(Duration::from_mins(1)),
            multiplier: multiplier.unwrap_or(1.5),
            reset_after: reset_after.unwrap_or(Duration::from_hours(1)),
            attempts: in_a_row,
        },
    }
}

/// How often and how fast a job has failed, and whether it is tried again.
#[derive(Debug)]
pub struct Restarts {
    strategy: RestartStrategy,
    in_a_row: u64,
    delay: Duration,
}

impl Restarts {
    /// No failure yet.
    pub fn new(strategy: RestartStrategy) -> Self {
        Self {
            strategy,
            in_a_row: 0,
            delay: Duration::ZERO,
        }
    }

    /// The job has failed after running for `ran`: how long to wait before it is
    /// tried again, or `None` if it is not.
    pub fn next_delay(&mut self, ran: Duration) -> Option<Duration> {
        match &self.strategy {
            RestartStrategy::None => None,
            RestartStrategy::FixedDelay { attempts, delay } => {
                self.in_a_row += 1;
                (self.in_a_row <= *attempts).then_some(*delay)
            }
            RestartStrategy::ExponentialDelay {
                initial,
                max,
                multiplier,
                reset_after,
                attempts,
            } => {
                if ran >= *reset_after {
                    self.in_a_row = 0;
                }
                self.delay = if self.in_a_row == 0 {
                    *initial
                } else {
                    self.delay.mul_f64(multiplier.max(1.0)).min(*max)
                };
                self.in_a_row += 1;
                let goes_on = attempts.is_none_or(|attempts| self.in_a_row <= attempts);
                goes_on.then_some(self.delay)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, Vec<OptionError>> {
        let pairs = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Settings::read(&pairs.collect())
    }

    #[test]
    fn names_are_those_of_flink() {
        let settings = read(&[
            ("execution.checkpointing.interval", "10 s"),
            ("parallelism.default", "3"),
            ("pipeline.max-parallelism", "256"),
            ("restart-strategy.type", "fixed-delay"),
            ("restart-strategy.fixed-delay.attempts", "2"),
        ])
        .unwrap();
        assert_eq!(settings.checkpoint_interval, Duration::from_secs(10));
        assert_eq!(settings.parallelism, Some(3));
        assert_eq!(settings.key_groups, KeyGroups::new(256));
        let errors = read(&[("execution.checkpointing.intervall", "10 s"), ("x", "y")]);
        assert_eq!(errors.unwrap_err().len(), 2);
    }

    #[test]
    fn what_a_script_for_flink_sets_is_passed_over_or_not_there_yet() {
        for (key, value, expected) in [
            ("execution.runtime-mode", "STREAMING", None),
            ("sql-client.execution.result-mode", "tableau", None),
            (
                "execution.runtime-mode",
                "batch",
                Some("option 'execution.runtime-mode': only 'streaming' is supported yet"),
            ),
            (
                "table.exec.async-lookup.timeout",
                "1 s",
                Some("option 'table.exec.async-lookup.timeout': not supported yet"),
            ),
        ] {
            let errors = read(&[(key, value)]).err().unwrap_or_default();
            let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
            assert_eq!(messages, Vec::from_iter(expected), "{key}");
        }
    }

    #[test]
    fn the_delay_grows_until_it_is_reset() {
        let settings = read(&[("restart-strategy.exponential-delay.max-backoff", "2 s")]).unwrap();
        let mut restarts = Restarts::new(settings.restart);
        let short = Duration::from_secs(1);
        let delays = [(); 4].map(|()| restarts.next_delay(short).unwrap().as_millis());
        assert_eq!(delays, [1_000, 1_500, 2_000, 2_000]);
        let long = Duration::from_secs(4_000);
        assert_eq!(restarts.next_delay(long), Some(Duration::from_secs(1)));
    }

    #[test]
    fn attempts_run_out() {
        let pairs = [
            ("restart-strategy.type", "fixed-delay"),
            ("restart-strategy.fixed-delay.attempts", "2"),
        ];
        let mut restarts = Restarts::new(read(&pairs).unwrap().restart);
        let tried = [(); 3].map(|()| restarts.next_delay(Duration::ZERO).is_some());
        assert_eq!(tried, [true, true, false]);
    }
}

//! A job that is hit at every step of the exactly-once protocol, and bugs in it that
//! these tests must see.

use std::sync::OnceLock;

use crate::broker;
use crate::kafka_oracle::Topics;
use crate::process::{Ended, Workspace};

const ROWS: u32 = 40_000;

/// What is done to the lives of a job, one after the other; the last life is left alone.
type Lives = &'static [&'static str];

/// Every step, and how it is reached. The number behind a step says at which time it is
/// hit: the first transaction only carries the claim.
const STEPS: [Lives; 15] = [
    &["AfterFirstMarker"],
    &["BeforeFence"],
    &["AfterFence"],
    &["BeforeClaim"],
    &["AfterClaim"],
    &["BeforeFlush:2"],
    &["AfterFlush:2"],
    &["BeforePrepare:2"],
    &["AfterPrepare:2"],
    &["BeforeMarker:3"],
    &["AfterMarker:3"],
    &["AfterCommit:3"],
    &["AfterDecided:2"],
    // Only a life behind a prepared checkpoint has something to roll back.
    &["AfterPrepare:2", "BeforeRollBack"],
    &["AfterPrepare:2", "AfterRollBack"],
];

/// The steps that there are whoever decides.
const STEPS_OF_BOTH: [Lives; 4] = [
    &["BeforeFlush:2"],
    &["AfterFlush:2"],
    &["BeforePrepare:2"],
    &["AfterDecided:2"],
];

struct Job {
    topics: Topics,
    workspace: Workspace,
}

impl Job {
    fn new() -> Self {
        static INPUT: OnceLock<String> = OnceLock::new();
        let brokers = broker::one();
        let mut topics = Topics::new(brokers);
        // All jobs read the same.
        let input = INPUT.get_or_init(|| {
            topics.write(brokers, 0..ROWS);
            topics.input.clone()
        });
        topics.input.clone_from(input);
        let workspace = Workspace::new();
        workspace.write("job.sql", &topics.program(brokers, true));
        Self { topics, workspace }
    }

    /// One whose rows are written at least once. They wait for each other, so that they are
    /// not written before somebody asks for it.
    fn at_least_once() -> Self {
        let job = Self::new();
        let program = job.topics.program(broker::one(), true);
        let options = "'sink.delivery-guarantee' = 'at-least-once', \
                       'properties.linger.ms' = '5000', 'format'";
        let program = program.replace("'format'", options);
        job.workspace.write("job.sql", &program);
        job
    }

    fn live(&self, variables: &[(&str, &str)]) -> Ended {
        let arguments = [
            "run",
            "--listen",
            "127.0.0.1:0",
            "--workers",
            "1",
            "job.sql",
        ];
        self.workspace.run_with_variables(&arguments, variables)
    }

    /// Lives that are hit, then one that must reach the end.
    fn check(&self, lives: Lives, action: &str, plant: &str) -> Result<(), String> {
        for step in lives {
            let hit = match step.split_once(':') {
                Some((_, wish)) if wish.contains(':') => (*step).to_owned(),
                Some((step, number)) => format!("{step}:{action}:{number}"),
                None => format!("{step}:{action}:1"),
            };
            let variables = [
                ("THALWEG_FAILPOINT", hit.as_str()),
                ("THALWEG_PLANT", plant),
            ];
            let ended = self.live(&variables);
            let was_hit = match action {
                "kill" => ended.status == -1,
                "error" => ended.status == 1 && ended.stderr.contains("the test wants step"),
                _ => ended.status == 0,
            };
            if !was_hit {
                return Err(format!("{hit} was not reached: {ended:?}"));
            }
        }
        let ended = self.live(&[("THALWEG_PLANT", plant)]);
        if ended.status != 0 {
            return Err(ended.stderr);
        }
        self.topics.check(broker::one(), ROWS)
    }
}

fn every_step(action: &str) {
    let mut failures = Vec::new();
    for lives in STEPS {
        if let Err(failure) = Job::new().check(lives, action, "") {
            failures.push(format!("{lives:?} × {action}: {failure}"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn a_kill_at_any_step_loses_and_doubles_nothing() {
    every_step("kill");
}

#[test]
#[cfg(feature = "campaign")]
fn an_error_or_a_stall_at_any_step_loses_and_doubles_nothing() {
    every_step("error");
    every_step("stall");
}

/// Where the decision is not Kafka's.
fn at_least_once(lives: Lives, plant: &str) -> Result<(), String> {
    match Job::at_least_once().check(lives, "kill", plant) {
        Err(failure) if failure.starts_with("rows: 0 lost") => Ok(()),
        Err(failure) if failure.starts_with("a window was emitted twice") => Ok(()),
        other => other,
    }
}

#[test]
fn at_least_once_loses_nothing() {
    for step in STEPS_OF_BOTH {
        assert_eq!(at_least_once(step, ""), Ok(()), "{step:?}");
    }
    let failure = first_failure(&AFTER_A_CHECKPOINT, |lives| at_least_once(lives, "NoFlush"));
    assert!(failure.contains("lost"), "{failure}");
}

/// A life that has made some checkpoints.
const AFTER_A_CHECKPOINT: [Lives; 4] = [
    &["AfterDecided:2"],
    &["AfterDecided:3"],
    &["AfterDecided:6"],
    &["AfterDecided:12"],
];

/// Which checkpoint is the first with output is not the test's to say, so there are several
/// tries.
fn first_failure(tries: &[Lives], check: impl Fn(Lives) -> Result<(), String>) -> String {
    let failures = tries.iter().filter_map(|lives| check(lives).err());
    let mut failures = failures.filter(|failure| !failure.contains("was not reached"));
    failures.next().expect("a bug that is seen")
}

#[test]
fn planted_bugs_are_seen() {
    let plants: [(&str, &[Lives], &[&str]); 6] = [
        (
            "CommitBeforePrepare",
            &[
                &["BeforePrepare:2"],
                &["BeforePrepare:3"],
                &["BeforePrepare:4"],
            ],
            &["marker"],
        ),
        (
            "AlwaysForward",
            &[
                &["AfterPrepare:3"],
                &["AfterPrepare:4"],
                &["AfterPrepare:2"],
            ],
            &["lost"],
        ),
        (
            "AlwaysRollBack",
            &[
                &["AfterDecided:3"],
                &["AfterDecided:4"],
                &["AfterDecided:2"],
            ],
            &["doubled"],
        ),
        // The branches read for themselves: that of the windows may be ahead, and alone be wrong.
        (
            "ForgetPositions",
            &AFTER_A_CHECKPOINT,
            &["doubled", "windows are wrong"],
        ),
        (
            "SkipRecord",
            &AFTER_A_CHECKPOINT,
            &["lost", "windows are wrong"],
        ),
        // While the decision is held up, rows come that belong behind the barrier.
        (
            "OpenGate",
            &[
                &["AfterPrepare:stall:2,AfterDecided:kill:2"],
                &["AfterPrepare:stall:3,AfterDecided:kill:3"],
                &["AfterPrepare:stall:1,AfterDecided:kill:1"],
            ],
            &["doubled"],
        ),
    ];
    for (plant, tries, expected) in plants {
        let failure = first_failure(tries, |lives| Job::new().check(lives, "kill", plant));
        let is_expected = expected.iter().any(|words| failure.contains(words));
        assert!(is_expected, "{plant}: {failure}");
    }
}

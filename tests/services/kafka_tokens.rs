//! Tokens that stop to hold while a job runs.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::process::{Running, Workspace, wait_for};
use crate::secured::{End, bearer, broker, copying};

/// A job that copies one topic into another for ever, and where its token is.
struct Job {
    workspace: Workspace,
    input: String,
    output: String,
    written: u32,
}

impl Job {
    fn new() -> Self {
        let brokers = &broker().brokers;
        Self {
            workspace: Workspace::new(),
            input: brokers.topic(1),
            output: brokers.topic(1),
            written: 0,
        }
    }

    fn start(&self) -> Running {
        let token = self.token();
        let options = bearer(&format!("${{file:{}}}", token.display()));
        let end = |topic| End {
            topic,
            listener: "SASL_PLAINTEXT",
            options: &options,
        };
        let program = copying(end(&self.input), end(&self.output));
        let program = program.replace("'scan.bounded.mode' = 'latest-offset',", "");
        self.workspace.write("job.sql", &program);
        let arguments = ["--log", "warn,thalweg::kafka::context=debug", "job.sql"];
        self.workspace.start(&arguments)
    }

    /// Where its token is.
    fn token(&self) -> PathBuf {
        self.workspace.path("token")
    }

    /// Writes a row, and waits until it is copied.
    fn copy_a_row(&mut self) {
        let brokers = &broker().brokers;
        let row = format!("{{\"n\":{}}}", self.written);
        brokers.write(&self.input, 0, [row]);
        self.written += 1;
        // The library looks for a token that it did not get every ten seconds.
        wait_for(Duration::from_secs(30), "the row is copied", || {
            brokers.committed(&self.output).len() == self.written as usize
        });
    }

    /// Ends it, and checks that it has lived one life.
    fn end(self, running: Running) {
        let ended = running.terminate();
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        assert!(!ended.stderr.contains("restarting"), "{}", ended.stderr);
        let seen = broker().brokers.committed(&self.output).into_iter();
        let seen: Vec<_> = seen.map(|one| one.value).collect();
        let expected: Vec<_> = (0..self.written)
            .map(|n| format!("{{\"n\":{n}}}"))
            .collect();
        assert_eq!(seen, expected);
    }
}

/// Puts a token there that holds for so many seconds, as Kubernetes replaces the token of a
/// service account: nobody sees half of it.
fn put_token(path: &Path, seconds: i64) {
    let new = path.with_extension("new");
    std::fs::write(&new, broker().token("alice", seconds)).expect("a written file");
    std::fs::rename(new, path).expect("a renamed file");
}

/// What is logged when the transaction's client has a token.
const READ: &str = "a token was read\",\"client\":\"the transaction\"";

/// Puts tokens there again and again; each holds for six seconds.
struct Renewals {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Renewals {
    fn begin(path: PathBuf) -> Self {
        put_token(&path, SECONDS);
        let (stop, stopped) = channel();
        let thread = thread::spawn(move || {
            let pause = Duration::from_secs(1);
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                put_token(&path, SECONDS);
            }
        });
        Self { stop, thread }
    }

    fn end(self) {
        drop(self.stop);
        self.thread.join().expect("the end of the renewals");
    }
}

const SECONDS: i64 = 6;

#[test]
fn a_token_is_renewed_while_the_job_runs() {
    let mut job = Job::new();
    let renewals = Renewals::begin(job.token());
    let mut running = job.start();
    running.wait_until_said(READ);
    // Each time the token before has stopped to hold, and the broker has closed connections
    // that had no other.
    for _ in 0..3 {
        running.wait_until_said(READ);
        job.copy_a_row();
    }
    renewals.end();
    put_token(&job.token(), 600);
    job.end(running);
}

#[test]
fn a_token_that_is_not_renewed_in_time_is_waited_for() {
    let mut job = Job::new();
    let renewals = Renewals::begin(job.token());
    let mut running = job.start();
    job.copy_a_row();
    renewals.end();
    running.wait_until_said("has expired and was not renewed");
    put_token(&job.token(), 600);
    job.copy_a_row();
    job.end(running);
}

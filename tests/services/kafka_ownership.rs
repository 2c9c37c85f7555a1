//! Two processes, or two states, that think that they are the same job.

use std::process::Command;

use nix::sys::signal::Signal;

use crate::broker;
use crate::kafka_oracle::{Topics, windows};
use crate::process::{Ended, Running, Workspace, wait_until};

const ROWS: u32 = 40_000;

struct Job {
    topics: Topics,
    workspace: Workspace,
}

impl Job {
    fn new() -> Self {
        let brokers = broker::one();
        let topics = Topics::new(brokers);
        let workspace = Workspace::new();
        workspace.write("job.sql", &topics.program(brokers, false));
        Self { topics, workspace }
    }

    fn start(&self, data: &str) -> Running {
        self.workspace
            .start(&["--workers", "1", "--data-dir", data, "job.sql"])
    }

    /// A life that was held up, and another that has taken its place; both run.
    fn zombie_and_heir(&self, plant: &str) -> [Running; 2] {
        let start = |data: &str| {
            let arguments = ["--workers", "1", "--data-dir", data, "job.sql"];
            let variables = [("THALWEG_PLANT", plant)];
            self.workspace.start_with_variables(&arguments, &variables)
        };
        self.topics.write(broker::one(), 0..ROWS / 2);
        let zombie = start("first");
        self.wait_for(ROWS / 2);
        zombie.signal(Signal::SIGSTOP);
        self.copy("first", "second");
        let heir = start("second");
        heir.wait_until_ready();
        zombie.signal(Signal::SIGCONT);
        [zombie, heir]
    }

    /// Waits until so many rows are committed.
    fn wait_for(&self, rows: u32) {
        wait_until("the rows are committed", || {
            broker::one().committed(&self.topics.copies).len() >= rows as usize
        });
    }

    fn copy(&self, from: &str, to: &str) {
        let [from, to] = [from, to].map(|name| self.workspace.path(name));
        let copied = Command::new("cp").arg("-r").arg(from).arg(to).status();
        assert!(copied.expect("cp").success());
    }

    /// Sees that the state in `data` is refused.
    fn refuses(&self, data: &str) {
        let listen = ["run", "--listen", "127.0.0.1:0", "--data-dir"];
        let ended = self
            .workspace
            .run(&[&listen[..], &[data, "job.sql"]].concat());
        let Ended { status, stderr, .. } = ended;
        assert_eq!(status, 1, "{stderr}");
        assert!(stderr.contains("this is an old copy"), "{stderr}");
    }

    /// Writes the rest, waits until it has come through, and compares.
    fn finish(&self, running: Running) {
        let brokers = broker::one();
        self.topics.write(brokers, ROWS / 2..ROWS);
        self.topics.close(brokers);
        wait_until("all rows are written", || {
            let written = |topic: &str| brokers.committed(topic).len();
            written(&self.topics.copies) == ROWS as usize
                && written(&self.topics.windows) == windows(ROWS).len()
        });
        assert_eq!(running.terminate().status, 0);
        let checked = self.topics.check(brokers, ROWS);
        assert_eq!(checked, Ok(()));
    }
}

/// A node that was held up while another has taken its place (a virtual machine that was
/// paused, a pod that was thought dead) writes nothing more.
#[test]
fn a_zombie_is_shut_out() {
    let job = Job::new();
    let [zombie, heir] = job.zombie_and_heir("");
    job.finish(heir);
    let ended = zombie.wait();
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("another process has taken over"),
        "{}",
        ended.stderr
    );
}

#[test]
#[cfg(feature = "failpoints")]
fn a_zombie_that_is_not_shut_out_is_seen() {
    let job = Job::new();
    let [zombie, heir] = job.zombie_and_heir("NoFencing");
    job.topics.write(broker::one(), ROWS / 2..ROWS);
    job.wait_for(ROWS + ROWS / 2);
    zombie.kill();
    heir.kill();
    let failure = job.topics.check(broker::one(), ROWS).unwrap_err();
    assert!(failure.contains("doubled"), "{failure}");
}

/// A copy that was restored from a backup refuses, and does the rightful owner no harm.
#[test]
fn an_old_copy_of_the_state_is_refused() {
    let job = Job::new();
    job.topics.write(broker::one(), 0..ROWS / 4);
    let running = job.start("data");
    job.wait_for(ROWS / 4);
    assert_eq!(running.terminate().status, 0);
    job.copy("data", "old");

    job.topics.write(broker::one(), ROWS / 4..ROWS / 2);
    let running = job.start("data");
    job.wait_for(ROWS / 2);
    job.refuses("old");
    job.finish(running);
}

/// Of two copies that are equal, the one that is started first is the job from then on,
/// even if it has had nothing to do.
#[test]
fn of_two_equal_copies_one_goes_on() {
    let job = Job::new();
    job.topics.write(broker::one(), 0..ROWS / 2);
    let running = job.start("first");
    job.wait_for(ROWS / 2);
    running.kill();
    job.copy("first", "second");

    let heir = job.start("second");
    heir.wait_until_ready();
    heir.kill();
    job.refuses("first");
    let mut last = "second";
    if cfg!(feature = "failpoints") {
        // Without claims it would be taken in, as nothing has been decided since.
        let arguments = ["--data-dir", "first", "job.sql"];
        let variables = [("THALWEG_PLANT", "AnyClaim")];
        let taken = job.workspace.start_with_variables(&arguments, &variables);
        taken.wait_until_ready();
        taken.kill();
        last = "first";
    }
    let heir = job.start(last);
    job.finish(heir);
}

/// Kafka forgets after some days what a group has committed that does nothing.
#[test]
#[cfg(feature = "failpoints")]
fn a_job_without_input_writes_its_marker_again() {
    let job = Job::new();
    job.topics.write(broker::one(), 0..ROWS / 2);
    let arguments = ["--data-dir", "data", "job.sql"];
    let variables = [("THALWEG_PLANT", "OldMarker")];
    let running = job.workspace.start_with_variables(&arguments, &variables);
    job.wait_for(ROWS / 2);
    let overview: serde_json::Value =
        serde_json::from_str(&running.get("/jobs/overview").1).expect("JSON");
    let id = overview["jobs"][0]["jid"].as_str().expect("the job's id");
    let id = uuid::Uuid::parse_str(id).expect("an id");
    let (brokers, group) = (broker::one(), format!("thalweg.{id}.node-0"));
    let marker = || brokers.committed_offset(&group, &job.topics.copies);
    wait_until("there is a marker", || marker().is_some());
    brokers.forget(&group);
    wait_until("there is a marker again", || marker().is_some());
    job.finish(running);
}

//! Sinks with an outbox: they decide nothing, wait for nobody, and send every row once.

use std::ops::Range;

use nix::sys::signal::Signal;

use crate::broker;
use crate::kafka_network;
use crate::kafka_oracle::{Topics, windows};
use crate::process::{Running, Workspace, wait_until};

/// Every step on the way of a row, the first time that rows come there.
const STEPS: [&str; 17] = [
    "BeforeFlush:kill:1",
    "AfterFlush:kill:1",
    "BeforePrepare:kill:1",
    "AfterDecided:kill:1",
    "BeforeOutbox:kill:1",
    "AfterOutbox:kill:1",
    "AfterFirstMarker:kill:1",
    "BeforeFence:kill:1",
    "AfterFence:kill:1",
    "BeforeClaim:kill:1",
    "AfterClaim:kill:1",
    "BeforeSend:kill:1",
    // The first two transactions are the claims of the two outboxes.
    "BeforeMarker:kill:3",
    "AfterMarker:kill:3",
    "AfterCommit:kill:3",
    "BeforeDelete:kill:1",
    "AfterDelete:kill:1",
];

/// How many rows come between two kills: enough for a window.
const ROWS_PER_LIFE: u32 = 2_000;

struct Job {
    topics: Topics,
    workspace: Workspace,
}

impl Job {
    /// A job both of whose sinks have an outbox.
    fn new(bounded: bool) -> Self {
        let topics = Topics::new(broker::one());
        let job = Self {
            topics,
            workspace: Workspace::new(),
        };
        job.write_program(bounded, "'format'");
        job
    }

    /// One that ends, whose checkpoints Kafka decides, by its other sink.
    fn following() -> Self {
        let job = Self::new(true);
        let copies = format!("'topic' = '{}', 'format'", job.topics.copies);
        job.write_program(true, &copies);
        job
    }

    /// Puts the option in front of the format in `place`.
    fn write_program(&self, bounded: bool, place: &str) {
        let program = self.topics.program(broker::one(), bounded);
        assert!(program.contains(place), "{program}");
        let with_outbox = place.replace("'format'", "'sink.buffering' = 'outbox', 'format'");
        let program = program.replace(place, &with_outbox);
        self.workspace.write("job.sql", &program);
    }

    /// Hits a life of the job at each step, and then lets it go on.
    fn check(&self, steps: &[&str]) {
        let mut rows = 0;
        for step in steps {
            self.topics.write(broker::one(), rows..rows + ROWS_PER_LIFE);
            rows += ROWS_PER_LIFE;
            let running = self.start("data", &[("THALWEG_FAILPOINT", step)]);
            wait_until(&format!("{step} is reached"), || running.has_ended());
            let ended = running.wait();
            assert_eq!(ended.status, -1, "{step}: {}", ended.stderr);
        }
        self.finish(self.start("data", &[]), rows);
    }

    fn start(&self, data: &str, variables: &[(&str, &str)]) -> Running {
        let arguments = ["--workers", "1", "--data-dir", data, "job.sql"];
        self.workspace.start_with_variables(&arguments, variables)
    }

    /// Closes all windows, waits until so many rows have come through, and compares.
    fn finish(&self, running: Running, rows: u32) {
        let brokers = broker::one();
        self.topics.close(brokers);
        let is_written = |topic: &str, rows: usize| brokers.committed(topic).len() >= rows;
        wait_until("all rows are written", || {
            is_written(&self.topics.copies, rows as usize)
                && is_written(&self.topics.windows, windows(rows).len())
        });
        let ended = running.terminate();
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        assert_eq!(self.topics.check(brokers, rows), Ok(()));
    }
}

#[test]
fn a_kill_at_any_step_loses_and_doubles_nothing() {
    Job::new(false).check(&STEPS);
}

/// After an error or a stall a job tries again or ends, and goes on in its next life.
#[test]
#[cfg(feature = "campaign")]
fn an_error_or_a_stall_at_any_step_loses_and_doubles_nothing() {
    for (action, said) in [
        ("error", "the test wants step"),
        ("stall", "a test stalls step"),
    ] {
        let (job, mut rows) = (Job::new(false), 0);
        for step in STEPS {
            let hit = step.replace("kill", action);
            job.topics.write(broker::one(), rows..rows + ROWS_PER_LIFE);
            rows += ROWS_PER_LIFE;
            let mut running = job.start("data", &[("THALWEG_FAILPOINT", &hit)]);
            running.wait_until_said(said);
            let is_sent = || broker::one().committed(&job.topics.copies).len() >= rows as usize;
            wait_until("it goes on or ends", || running.has_ended() || is_sent());
            let ended = running.terminate();
            let may_end = [0, i32::from(action == "error")];
            assert!(may_end.contains(&ended.status), "{hit}: {ended:?}");
        }
        job.finish(job.start("data", &[]), rows);
    }
}

/// Of a checkpoint that is rolled back the outbox keeps nothing.
#[test]
fn an_outbox_follows_whoever_decides() {
    let (job, rows) = (Job::following(), 40_000);
    job.topics.write(broker::one(), 0..rows);
    // The first checkpoint of a life may be without rows.
    for step in [
        "AfterPrepare:kill:2",
        "AfterPrepare:kill:3",
        "BeforeOutbox:kill:1",
    ] {
        let ended = job.start("data", &[("THALWEG_FAILPOINT", step)]).wait();
        assert_eq!(ended.status, -1, "{step}: {}", ended.stderr);
    }
    let ended = job.start("data", &[]).wait();
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert_eq!(job.topics.check(broker::one(), rows), Ok(()));
}

/// Rows of a bounded job: too many for one checkpoint, however fast the build is.
const PLANTED_ROWS: u32 = if cfg!(debug_assertions) {
    20_000
} else {
    200_000
};

/// What a bounded job has written that was hit, and has ended in another life; `None` if it was
/// not there to be hit.
fn planted(plant: &str, hit: &str) -> Option<Result<(), String>> {
    let job = Job::new(true);
    job.topics.write(broker::one(), 0..PLANTED_ROWS);
    let variables = [("THALWEG_FAILPOINT", hit), ("THALWEG_PLANT", plant)];
    let ended = job.start("data", &variables).wait();
    if ended.status == 0 {
        return None;
    }
    assert_eq!(ended.status, -1, "{hit}: {}", ended.stderr);
    let ended = job.start("data", &[("THALWEG_PLANT", plant)]).wait();
    if ended.status != 0 {
        return Some(Err(ended.stderr));
    }
    Some(job.topics.check(broker::one(), PLANTED_ROWS))
}

/// Which rows a checkpoint has is not the test's to say, so there are several tries.
fn first_failure(plant: &str, hits: &[&str]) -> String {
    let mut results = hits.iter().filter_map(|hit| planted(plant, hit));
    let failure = results.find_map(Result::err);
    failure.unwrap_or_else(|| panic!("{plant} is not seen"))
}

#[test]
fn planted_bugs_are_seen() {
    // What was undecided is made again, and differs from what was sent.
    let held = [2, 3, 2, 3, 4].map(|checkpoint| {
        format!("BeforePrepare:stall:{checkpoint},BeforePrepare:kill:{checkpoint}")
    });
    let failure = first_failure("SendUndecided", &held.each_ref().map(String::as_str));
    let is_seen = ["lost", "doubled", "twice"];
    let is_seen = is_seen.iter().any(|words| failure.contains(words));
    assert!(is_seen, "{failure}");
    let hits = ["AfterCommit:kill:3", "AfterCommit:kill:4"];
    let failure = first_failure("ForgetSent", &hits);
    let is_seen = failure.contains("doubled") || failure.contains("twice");
    assert!(is_seen, "{failure}");
}

/// A node that was held up while a copy of it has taken its place sends nothing more.
#[test]
fn a_zombie_is_shut_out() {
    let job = Job::new(false);
    let rows = 10_000;
    let wait_for = |rows: u32| {
        wait_until("the rows are sent", || {
            broker::one().committed(&job.topics.copies).len() >= rows as usize
        });
    };
    job.topics.write(broker::one(), 0..rows / 2);
    let zombie = job.start("first", &[]);
    wait_for(rows / 2);
    zombie.signal(Signal::SIGSTOP);
    let [first, second] = ["first", "second"].map(|name| job.workspace.path(name));
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .args([first, second])
        .status();
    assert!(copied.expect("cp").success());

    let heir = job.start("second", &[]);
    job.topics.write(broker::one(), rows / 2..rows);
    wait_for(rows);
    zombie.signal(Signal::SIGCONT);
    wait_until("the zombie has ended", || zombie.has_ended());
    let ended = zombie.wait();
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("this is an old copy"),
        "{}",
        ended.stderr
    );
    job.finish(heir, rows);
}

/// The value of a metric, all its samples together.
fn metric(running: &Running, name: &str) -> f64 {
    let page = running.get("/metrics").1;
    let lines = page.lines().filter(|line| line.starts_with(name));
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// A job from a broker nearby to one behind an uplink.
struct Edge {
    workspace: Workspace,
    input: String,
    output: String,
}

impl Edge {
    fn new() -> Self {
        let (near, (far, _)) = (broker::one(), kafka_network::one());
        let edge = Self {
            workspace: Workspace::new(),
            input: near.topic(1),
            output: far.topic(1),
        };
        edge.write_program(
            "'sink.buffering' = 'outbox', 'sink.buffering.max-size' = '64 kb',
             'properties.reconnect.backoff.max.ms' = '200'",
        );
        edge
    }

    fn write_program(&self, options: &str) {
        let table = |name: &str, topic: &str, servers: &str, options: &str| {
            format!(
                "CREATE TABLE {name} (n BIGINT) WITH ('connector' = 'kafka', 'topic' = '{topic}',
                   'format' = 'json', 'properties.bootstrap.servers' = '{servers}', {options});"
            )
        };
        let (near, (far, _)) = (broker::one(), kafka_network::one());
        let from_start = "'scan.startup.mode' = 'earliest-offset'";
        let program = format!(
            "SET 'execution.checkpointing.interval' = '100 ms';
             {} {} INSERT INTO far SELECT n FROM near;",
            table("near", &self.input, &near.addresses, from_start),
            table("far", &self.output, &far.addresses, options),
        );
        self.workspace.write("job.sql", &program);
    }

    fn start(&self, arguments: &[&str]) -> Running {
        let all = ["--workers", "1", "--data-dir", "data", "job.sql"];
        self.workspace.start(&[arguments, &all].concat())
    }

    fn write(&self, rows: Range<u32>) {
        let rows = rows.map(|n| format!("{{\"n\":{n}}}"));
        broker::one().write(&self.input, 0, rows);
    }

    fn sent(&self) -> Vec<String> {
        let sent = kafka_network::one().0.committed(&self.output);
        sent.into_iter().map(|one| one.value).collect()
    }

    fn wait_for(&self, rows: usize) {
        wait_until("the rows are sent", || self.sent().len() >= rows);
    }

    /// Sees that each of so many rows was sent so often.
    fn check(&self, rows: u32, times: usize) {
        let mut sent = self.sent();
        let one = |n| std::iter::repeat_n(format!("{{\"n\":{n}}}"), times);
        let mut expected: Vec<_> = (0..rows).flat_map(one).collect();
        sent.sort();
        expected.sort();
        assert!(sent == expected, "{} rows", sent.len());
    }
}

/// Rows that no outbox of that size takes, even with all that a fast build has on its way there.
const FLOOD: u32 = if cfg!(debug_assertions) {
    30_000
} else {
    300_000
};

/// Brokers that are away at the start; for so long that the outbox is full; and when the job
/// is stopped, and its directory given to another.
#[test]
fn a_job_goes_on_while_its_uplink_is_down() {
    let _turn = kafka_network::turn();
    let (edge, uplink) = (Edge::new(), &kafka_network::one().1);
    let is_waiting = |running: &Running, rows: f64| {
        wait_until("the rows wait", || {
            (metric(running, "thalweg_outbox_records") - rows).abs() < 0.5
        });
    };
    uplink.cut();
    edge.write(0..100);
    let mut running = edge.start(&[]);
    running.wait_until_said("records wait in the outbox");
    is_waiting(&running, 100.0);
    assert!(metric(&running, "thalweg_outbox_oldest_seconds") > 0.0);
    uplink.mend();
    running.wait_until_said("the outbox is being sent again");
    edge.wait_for(100);
    is_waiting(&running, 0.0);

    uplink.cut();
    edge.write(100..FLOOD);
    running.wait_until_said("the outbox is full");
    let bytes = metric(&running, "thalweg_outbox_bytes");
    // Each of them takes more than twenty.
    assert!(
        (64_000.0..20.0 * f64::from(FLOOD)).contains(&bytes),
        "{bytes}"
    );
    assert!(metric(&running, "thalweg_task_records_in_total") < f64::from(FLOOD - 1));
    uplink.mend();
    edge.wait_for(FLOOD as usize);
    edge.check(FLOOD, 1);

    is_waiting(&running, 0.0);
    uplink.cut();
    edge.write(FLOOD..FLOOD + 100);
    is_waiting(&running, 100.0);
    wait_until("they are decided", || {
        metric(&running, "thalweg_outbox_oldest_seconds") > 0.0
    });
    let ended = running.terminate();
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let left = "records are left in the outbox";
    assert!(ended.stderr.contains(left), "{}", ended.stderr);
    uplink.mend();

    edge.write_program("'sink.buffering' = 'none'");
    let ended = edge.start(&[]).wait();
    assert_eq!(ended.status, 2, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("'sink.buffering'"),
        "{}",
        ended.stderr
    );
    edge.write_program("'sink.buffering' = 'outbox'");
    // The new job begins from the start, once the old one has sent all it had.
    let running = edge.start(&["--fresh"]);
    edge.wait_for(2 * (FLOOD as usize + 100));
    assert_eq!(running.terminate().status, 0);
    edge.check(FLOOD + 100, 2);
}

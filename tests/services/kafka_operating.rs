//! What operators see and do with the transactions of jobs.

use serde_json::Value;

use crate::broker;
use crate::kafka_oracle::Topics;
use crate::process::Workspace;

const ROWS: u32 = 20_000;

/// The transactions that have to do with a topic.
fn listed(workspace: &Workspace, topic: &str) -> Vec<Value> {
    let servers = &broker::one().addresses;
    let list = [
        "kafka",
        "transactions",
        "list",
        "--bootstrap-server",
        servers,
    ];
    let ended = workspace.run(&[&list[..], &["--json"]].concat());
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let shown = workspace.run(&list);
    let all = ended.stdout.lines();
    let all = all.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let own: Vec<_> = all.filter(|one| one["topic"] == topic).collect();
    for one in &own {
        let id = one["transactional_id"].as_str().expect("an id");
        assert!(shown.stdout.contains(id), "{}", shown.stdout);
    }
    own
}

#[test]
fn what_a_dead_job_has_left_open_is_seen_and_ended() {
    let brokers = broker::one();
    let topics = Topics::new(brokers);
    topics.write(brokers, 0..ROWS);
    let workspace = Workspace::new();
    workspace.write("job.sql", &topics.program(brokers, true));
    let arguments = [
        "run",
        "--listen",
        "127.0.0.1:0",
        "--workers",
        "1",
        "job.sql",
    ];
    assert_eq!(listed(&workspace, &topics.copies), [] as [Value; 0]);

    // The first transaction carries the claim; of the others some have rows.
    let hidden = (2..10).find_map(|checkpoint| {
        let hit = format!("BeforePrepare:kill:{checkpoint}");
        let ended = workspace.run_with_variables(&arguments, &[("THALWEG_FAILPOINT", &hit)]);
        assert_eq!(ended.status, -1, "{}", ended.stderr);
        let found = listed(&workspace, &topics.copies);
        let [one] = found.as_slice() else {
            panic!("one job writes the topic: {found:?}");
        };
        let is_hidden = one["hidden_records"].as_i64().expect("a number") > 0;
        is_hidden.then(|| one["transactional_id"].as_str().expect("an id").to_owned())
    });
    let id = hidden.expect("a transaction with rows");

    let servers = &brokers.addresses;
    let abort = [
        "kafka",
        "transactions",
        "abort",
        &id,
        "--bootstrap-server",
        servers,
    ];
    let ended = workspace.run(&abort);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert_eq!(listed(&workspace, &topics.copies)[0]["hidden_records"], 0);

    let ended = workspace.run(&arguments);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    topics.check(brokers, ROWS).unwrap();
}

/// A job that runs is shut out, and goes on from its last checkpoint by itself.
#[test]
fn a_running_job_survives_an_abort() {
    let brokers = broker::one();
    let topics = Topics::new(brokers);
    topics.write(brokers, 0..1_000);
    let workspace = Workspace::new();
    let program = topics.program(brokers, false);
    workspace.write("job.sql", &program.replace("'none'", "'exponential-delay'"));
    let mut running = workspace.start(&["--workers", "1", "job.sql"]);
    let written = |rows: usize| brokers.committed(&topics.copies).len() >= rows;
    crate::process::wait_until("the first rows are written", || written(1_000));
    let id = listed(&workspace, &topics.copies)[0]["transactional_id"].clone();
    let id = id.as_str().expect("an id");
    let servers = &brokers.addresses;
    let ended = workspace.run(&[
        "kafka",
        "transactions",
        "abort",
        id,
        "--bootstrap-server",
        servers,
    ]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    topics.write(brokers, 1_000..2_000);
    topics.close(brokers);
    running.wait_until_said("restarting");
    crate::process::wait_until("all rows are written", || {
        let windows = crate::kafka_oracle::windows(2_000).len();
        written(2_000) && brokers.committed(&topics.windows).len() >= windows
    });
    assert_eq!(running.terminate().status, 0);
    topics.check(brokers, 2_000).unwrap();
}

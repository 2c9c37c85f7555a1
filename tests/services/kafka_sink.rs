//! Writing topics.

use crate::broker;
use crate::process::Workspace;
#[cfg(feature = "failpoints")]
use crate::process::wait_until;

/// What copies the file `in/1.json` into a topic, with these options of the table.
fn program(topic: &str, options: &str) -> String {
    let servers = &broker::one().addresses;
    format!(
        "CREATE TABLE numbers (n BIGINT, name STRING)
           WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'json');
         CREATE TABLE topic (n BIGINT, name STRING)
           WITH ('connector' = 'kafka', 'topic' = '{topic}', 'format' = 'json',
                 'properties.bootstrap.servers' = '{servers}' {options});
         INSERT INTO topic SELECT n, name FROM numbers;"
    )
}

fn workspace(rows: u32, program: &str) -> Workspace {
    let workspace = Workspace::new();
    let lines: Vec<_> = (0..rows).map(line).collect();
    workspace.write("in/1.json", &lines.concat());
    workspace.write("copy.sql", program);
    workspace
}

fn line(n: u32) -> String {
    format!("{{\"n\":{n},\"name\":\"k{}\"}}\n", n % 100)
}

const RUN: [&str; 4] = ["run", "--listen", "127.0.0.1:0", "copy.sql"];

#[test]
fn every_guarantee_writes_every_row_once_if_nothing_fails() {
    let brokers = broker::one();
    for guarantee in ["exactly-once", "at-least-once"] {
        let topic = brokers.topic(3);
        let options = format!(
            ", 'sink.delivery-guarantee' = '{guarantee}', 'key.format' = 'raw', \
             'key.fields' = 'name'"
        );
        let workspace = workspace(20_000, &program(&topic, &options));
        let ended = workspace.run(&RUN);
        assert_eq!(ended.status, 0, "{guarantee}: {}", ended.stderr);
        let seen = brokers.committed(&topic);
        let mut lines: Vec<_> = seen.iter().map(|one| format!("{}\n", one.value)).collect();
        lines.sort();
        let mut expected: Vec<_> = (0..20_000).map(line).collect();
        expected.sort();
        assert!(lines == expected, "{guarantee}: {} rows", lines.len());
        for one in &seen {
            let key = one.key.as_deref().expect("a key");
            assert!(one.value.ends_with(&format!("\"{key}\"}}")), "{one:?}");
        }
    }
}

/// Rows behind a barrier are kept back while the checkpoint in front of it is being decided,
/// and only then does it turn out that one is too large.
#[test]
#[cfg(feature = "failpoints")]
fn a_row_that_is_too_large_is_a_dead_letter_wherever_it_waits() {
    let brokers = broker::one();
    for hit in ["", "AfterPrepare:stall:1"] {
        let (input, output) = (brokers.topic(1), brokers.topic(1));
        let table = |topic: &str, options: &str| {
            format!(
                "(n BIGINT, name STRING) WITH ('connector' = 'kafka', 'topic' = '{topic}', \
                 'format' = 'json', 'properties.bootstrap.servers' = '{}' {options});",
                brokers.addresses
            )
        };
        let program = format!(
            "SET 'execution.checkpointing.interval' = '100 ms';
             CREATE TABLE numbers {}
             CREATE TABLE copies {}
             INSERT INTO copies SELECT n, name FROM numbers;",
            table(&input, ", 'scan.startup.mode' = 'earliest-offset'"),
            table(&output, ", 'properties.max.request.size' = '10000'"),
        );
        let workspace = Workspace::new();
        workspace.write("copy.sql", &program);
        brokers.write(&input, 0, [line(0)]);
        let variables = [("THALWEG_FAILPOINT", hit)];
        let mut running = workspace.start_with_variables(&["copy.sql"], &variables);
        if !hit.is_empty() {
            // The first checkpoint is prepared, and held up before its commit.
            running.wait_until_said("stalls");
        }
        let large = format!("{{\"n\":1,\"name\":\"{}\"}}", "x".repeat(20_000));
        brokers.write(&input, 0, [large, line(2)]);
        wait_until("the rows around it are written", || {
            brokers.committed(&output).len() == 2
        });
        assert_eq!(running.terminate().status, 0);
        let letters = workspace.run(&["dead-letters", "list", "--data-dir", "thalweg-data/copy"]);
        assert!(letters.stdout.contains("20017 bytes"), "{hit}: {letters:?}");
    }
}

/// Said before the first row: brokers of other versions take no record of such a topic.
#[test]
fn a_topic_that_wants_more_replicas_than_it_has_is_warned_of() {
    let topic = "wants-two-replicas";
    broker::one().make_topic_with(topic, 1, &[("min.insync.replicas", "2")]);
    for guarantee in ["exactly-once", "at-least-once"] {
        let options = format!(", 'sink.delivery-guarantee' = '{guarantee}'");
        let ended = workspace(10, &program(topic, &options)).run(&RUN);
        assert_eq!(ended.status, 0, "{guarantee}: {}", ended.stderr);
        let warning =
            "'min.insync.replicas' of 'wants-two-replicas' wants 2 replicas to have a record";
        assert_eq!(ended.stderr.matches(warning).count(), 1, "{}", ended.stderr);
    }
}

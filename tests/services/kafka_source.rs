//! Reading topics.

use crate::broker;
use crate::process::{Workspace, wait_until};

/// A table of one column over a topic.
fn table(topic: &str, options: &str) -> String {
    let servers = &broker::one().addresses;
    format!(
        "CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'kafka', 'topic' = '{topic}', \
         'format' = 'json', 'properties.bootstrap.servers' = '{servers}', {options});"
    )
}

const EARLIEST: &str = "'scan.startup.mode' = 'earliest-offset'";
const BOUNDED: &str =
    "'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset'";

/// What copies the table into the folder `out`.
const COPY: &str = "
CREATE TABLE copies (n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'out', 'format' = 'json',
  'sink.rolling-policy.rollover-interval' = '100 ms');
INSERT INTO copies SELECT n FROM numbers;";

fn records(numbers: std::ops::Range<u32>) -> impl Iterator<Item = String> {
    numbers.map(|n| format!("{{\"n\":{n}}}"))
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[test]
fn a_bounded_read_takes_every_record_of_every_partition_once() {
    let brokers = broker::one();
    let topic = brokers.topic(3);
    for partition in 0..3 {
        let from = 10_000 * u32::try_from(partition).unwrap();
        brokers.write(&topic, partition, records(from..from + 10_000));
    }
    for workers in ["1", "2"] {
        let workspace = Workspace::new();
        workspace.write("copy.sql", &(table(&topic, BOUNDED) + COPY));
        let ended = workspace.run(&[
            "run",
            "--listen",
            "127.0.0.1:0",
            "--workers",
            workers,
            "copy.sql",
        ]);
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        let expected = sorted(records(0..30_000).collect());
        assert!(
            sorted(workspace.lines("out")) == expected,
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_stopped_read_goes_on_where_it_was_and_finds_new_partitions() {
    let brokers = broker::one();
    let topic = brokers.topic(1);
    let discovery = "'scan.topic-partition-discovery.interval' = '100 ms'";
    let workspace = Workspace::new();
    let options = format!("{EARLIEST}, {discovery}");
    workspace.write("copy.sql", &(table(&topic, &options) + COPY));
    let arguments = [
        "--set",
        "execution.checkpointing.interval=100 ms",
        "copy.sql",
    ];
    let has = |rows: usize| {
        let out = workspace.path("out");
        out.exists() && workspace.lines("out").len() == rows
    };

    brokers.write(&topic, 0, records(0..1_000));
    let running = workspace.start(&arguments);
    wait_until("the first rows are there", || has(1_000));
    assert_eq!(running.terminate().status, 0);

    brokers.write(&topic, 0, records(1_000..2_000));
    let running = workspace.start(&arguments);
    wait_until("the rows that came meanwhile are there", || has(2_000));
    brokers.grow(&topic, 2);
    brokers.write(&topic, 1, records(2_000..3_000));
    wait_until("the rows of a new partition are there", || has(3_000));
    assert_eq!(running.terminate().status, 0);
    assert!(sorted(workspace.lines("out")) == sorted(records(0..3_000).collect()));
}
